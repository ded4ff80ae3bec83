"""Applies the plain SQL files of ``sql/schema``, each once, and each only where it can work.

A file begins with comments that say what the server must have::

    -- helios: requires any | timescaledb | timescaledb-tsl | not timescaledb-tsl
    -- helios: no-transaction

The same folder so serves plain PostgreSQL and both editions of TimescaleDB. A file that was applied
must not be edited; a new file is how a schema changes.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg

from helios_core.errors import DependencyError, MigrationError
from helios_core.logs import logger
from helios_core.store.database import SCHEMA, SQL

Capability = Literal["plain", "apache", "community"]
LOCK = 7_305_114_872  # any number; the same one in every process
_HEADER = re.compile(r"^-- helios: (?P<key>requires (?P<needs>.+)|no-transaction)\s*$", re.M)

REQUIREMENTS: dict[str, Callable[[Capability], bool]] = {
    "any": lambda _: True,
    "timescaledb": lambda level: level != "plain",
    "timescaledb-tsl": lambda level: level == "community",
    "not timescaledb-tsl": lambda level: level != "community",
}


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of ``sql/schema``."""

    name: str
    text: str
    requires: str
    transactional: bool

    @property
    def sha256(self) -> str:
        """Hash of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that was applied now, and on which level of server."""

    name: str
    capability: Capability


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Level of the server and what is applied and pending."""

    capability: Capability
    applied: tuple[str, ...]
    pending: tuple[str, ...]


def read_migrations(folder: Path = SQL / "schema") -> tuple[Migration, ...]:
    """Return the migrations of `folder` in the order of their names."""
    return tuple(_read(file) for file in sorted(folder.glob("*.sql")))


def _read(file: Path) -> Migration:
    text = file.read_text(encoding="utf-8")
    needs, transactional = None, True
    for match in _HEADER.finditer(text):
        if match["needs"]:
            needs = match["needs"].strip()
        else:
            transactional = False
    if needs not in REQUIREMENTS:
        accepted = ", ".join(REQUIREMENTS)
        raise MigrationError(
            f"{file.name} needs a line `-- helios: requires X` with X one of {accepted}, "
            f"found {needs}"
        )
    return Migration(file.name, text, needs, transactional)


def capability(conn: psycopg.Connection[Any]) -> Capability:
    """Return what the database can do: plain PostgreSQL, or which edition of TimescaleDB.

    A hypertable with columnstore options is created without complaint under the Apache edition,
    which then ignores the options; so the licence itself is asked.
    """
    found = conn.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    if found is None:
        return "plain"
    row = conn.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
    return "community" if row is not None and row[0] == "timescale" else "apache"


def migrate(dsn: str, folder: Path = SQL / "schema") -> list[Applied]:
    """Bring the database at `dsn` up to date; return what was applied now.

    Raises
    ------
    MigrationError
        If an applied file was edited, or a statement fails; the file's transaction is rolled back.
        If the database uses an edition of TimescaleDB that the server no longer gives it.
    DependencyError
        If the database cannot be reached.
    """
    migrations = read_migrations(folder)
    with _connect(dsn) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        level = _prepare(conn)
        done = _applied(conn)
        _refuse_edited(migrations, done)
        _refuse_lesser(migrations, done, level)
        applied = []
        for migration in migrations:
            if migration.name in done or not REQUIREMENTS[migration.requires](level):
                continue
            _apply(conn, migration, level)
            applied.append(Applied(migration.name, level))
            logger("store").info("migration applied", file=migration.name, level=level)
        return applied


def status(dsn: str, folder: Path = SQL / "schema") -> SchemaStatus:
    """Return the level of the server, the applied and the pending files, changing nothing."""
    with _connect(dsn) as conn:
        level = capability(conn)
        exists = conn.execute("SELECT to_regclass('helios.schema_migrations')").fetchone()
        done = _applied(conn) if exists and exists[0] else {}
    wanted = [m.name for m in read_migrations(folder) if REQUIREMENTS[m.requires](level)]
    return SchemaStatus(level, tuple(done), tuple(name for name in wanted if name not in done))


def _connect(dsn: str) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(
            dsn, autocommit=True, connect_timeout=10, application_name="helios-migrate"
        )
    except psycopg.OperationalError as error:
        first = str(error).strip().splitlines()[0]
        raise DependencyError(
            f"the database cannot be reached: {first}. Start the embedded one with `helios db up`, "
            f"or correct HELIOS_DATABASE_URL"
        ) from error


def _prepare(conn: psycopg.Connection[Any]) -> Capability:
    conn.execute("SET lock_timeout = '5s'")
    conn.execute("SET client_min_messages = 'warning'")
    # the loader's setting, seen by every role; the extension's own ones appear when it is created
    loaded = conn.execute(
        "SELECT 1 FROM pg_settings WHERE name = 'timescaledb.max_background_workers'"
    ).fetchone()
    if loaded is not None:
        conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public")
    conn.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")  # a constant of this package
    conn.execute(f"SET search_path = {SCHEMA}, public")
    conn.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        "name text PRIMARY KEY, sha256 text NOT NULL, capability text NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT now())"
    )
    return capability(conn)


def _applied(conn: psycopg.Connection[Any]) -> dict[str, str]:
    rows = conn.execute("SELECT name, sha256 FROM helios.schema_migrations ORDER BY name")
    return dict(rows.fetchall())


def _refuse_edited(migrations: tuple[Migration, ...], done: dict[str, str]) -> None:
    known = {m.name: m.sha256 for m in migrations}
    for name, sha256 in done.items():
        if name not in known:
            raise MigrationError(
                f"the database has {name}, which sql/schema lacks; use the release that made it"
            )
        if known[name] != sha256:
            raise MigrationError(
                f"{name} was edited after it was applied; restore it and add a new file instead"
            )


def _refuse_lesser(
    migrations: tuple[Migration, ...], done: dict[str, str], level: Capability
) -> None:
    """Refuse a server that lost what the database rests on: it would refuse writes one by one."""
    for migration in migrations:
        needs = migration.requires
        lost = needs.startswith("timescaledb") and not REQUIREMENTS[needs](level)
        if lost and migration.name in done:
            raise MigrationError(
                f"the database has {migration.name}, which needs {needs}, but the level of the "
                f"server is {level} now; load TimescaleDB, with timescaledb.license = 'timescale' "
                f"for the Community edition"
            )


def _apply(conn: psycopg.Connection[Any], migration: Migration, level: Capability) -> None:
    record = (
        "INSERT INTO helios.schema_migrations (name, sha256, capability) VALUES (%s, %s, %s) "
        "ON CONFLICT (name) DO NOTHING"
    )
    values = (migration.name, migration.sha256, level)
    try:
        if migration.transactional:
            with conn.transaction():
                conn.execute(migration.text.encode())
                conn.execute(record, values)
        else:
            for statement in split_statements(migration.text):
                conn.execute(statement.encode())
            conn.execute(record, values)
    except psycopg.Error as error:
        raise MigrationError(f"{migration.name} failed: {str(error).strip()}") from error


def split_statements(text: str) -> list[str]:
    """Split SQL at the semicolons that end statements, not at those in quotes or comments."""
    statements, current = [], ""
    token = re.compile(
        r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|(?P<tag>\$\w*\$).*?(?P=tag)|;|[^-/'$;]+|.", re.S
    )
    for match in token.finditer(text):
        if match[0] == ";":
            statements.append(current.strip())
            current = ""
        elif not match[0].startswith(("--", "/*")):
            current += match[0]
    statements.append(current.strip())
    return [s for s in statements if s]

"""Fixtures that every folder of tests may use."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
DATABASE_FIXTURES = {"server", "databases", "dsn", "db"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what needs a database, so that `-m "not db"` never starts one."""
    for item in items:
        if DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("db")


@pytest.fixture
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder with real market data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Any]:
    """An embedded PostgreSQL that does not wait for the disk, for all tests of this process."""
    import shutil

    from helios_core.store.embedded import EmbeddedServer

    found = EmbeddedServer(tmp_path_factory.mktemp("server"), durable=False)
    found.start()
    yield found
    found.stop()
    shutil.rmtree(found.cluster, ignore_errors=True)
    shutil.rmtree(found.socket, ignore_errors=True)


@dataclass
class Databases:
    """Makes and drops databases: on the server of HELIOS_TEST_DSN, else on the embedded one.

    On the embedded server a new database is a copy of one that was migrated once.
    """

    admin: str
    address: Callable[[str, str], str]  # (database, role) -> dsn
    embedded: bool
    template: str | None = None
    _numbers: Any = None

    def create(self, *, migrated: bool = True) -> str:
        """Return the name of a new database."""
        self._numbers = self._numbers or count(1)
        name = f"helios_test_{os.getpid()}_{next(self._numbers)}"
        if migrated and self.embedded and self.template is None:
            self.template = self.create(migrated=False)
            prepare(self.address(self.template, "owner"))
        # template1 of a server with TimescaleDB may be in use by its background worker
        source = "template0"
        if migrated and self.embedded:
            source = f"{self.template} STRATEGY FILE_COPY"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {source}")
        if self.embedded:
            self._execute(f"ALTER DATABASE {name} OWNER TO helios_owner")
            self._execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
            self._execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO helios_app")
            self._execute(f"GRANT CONNECT ON DATABASE {name} TO helios_ro")
        elif migrated:
            prepare(self.address(name, "owner"))
            stop_jobs(self.address(name, "owner"))
        return name

    def drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.admin, autocommit=True) as conn:
            conn.execute(statement)


def prepare(dsn: str) -> None:
    """Do what `bootstrap.prepare_schema` does, for an address."""
    from helios_core.domain.pairs import builtin_rules
    from helios_core.market.catalogue import FEATURE_NAMES, FEATURE_SET
    from helios_core.store import market, research
    from helios_core.store.database import Database
    from helios_core.store.migrations import migrate

    migrate(dsn)
    with Database(dsn, application="helios-test") as database, database.connection() as conn:
        market.upsert_pair_rules(conn, builtin_rules())
        research.save_feature_set(conn, FEATURE_SET, FEATURE_NAMES)


def stop_jobs(dsn: str) -> None:
    """Stop the jobs of TimescaleDB, which would compress and refresh what a test just wrote."""
    import psycopg

    from helios_core.store.migrations import capability

    with psycopg.connect(dsn, autocommit=True) as conn:
        if capability(conn) != "plain":
            conn.execute("SELECT _timescaledb_functions.stop_background_workers()")


@pytest.fixture(scope="session")
def databases(request) -> Iterator[Databases]:
    own = os.environ.get("HELIOS_TEST_DSN")
    if own:

        def renamed(name: str, role: str) -> str:
            return urlsplit(own)._replace(path=f"/{name}").geturl()

        found = Databases(own, renamed, embedded=False)
    else:
        server = request.getfixturevalue("server")
        found = Databases(server.dsn("postgres", "postgres"), server.dsn, True)
    yield found
    if found.template:
        found.drop(found.template)


@pytest.fixture
def dsn(databases) -> Iterator[str]:
    """The owner's address of a new database: migrated, with pair rules and the feature set."""
    name = databases.create()
    yield databases.address(name, "owner")
    databases.drop(name)


@pytest.fixture
def dsn_of(databases, dsn) -> Callable[[str], str]:
    """The address of the database of `dsn` for a role: owner, app or ro."""
    from psycopg import conninfo

    if not databases.embedded:
        pytest.skip("the roles of Helios exist on the embedded server only")
    name = conninfo.conninfo_to_dict(dsn)["dbname"]
    return lambda role: databases.address(name, role)


@pytest.fixture
def empty_dsn(databases) -> Iterator[str]:
    """The owner's address of a new database without any schema."""
    name = databases.create(migrated=False)
    yield databases.address(name, "owner")
    databases.drop(name)


@pytest.fixture(scope="session")
def rolled_back(databases) -> Iterator[str]:
    """The address of one migrated database that every test leaves as it found it."""
    name = databases.create()
    yield databases.address(name, "owner")
    databases.drop(name)


@pytest.fixture
def db(request) -> Iterator[Any]:
    """A connection in a transaction that is rolled back; to the database of `dsn` if in use."""
    import psycopg

    used = "dsn" if "dsn" in request.fixturenames else "rolled_back"
    options = "-c search_path=helios,public -c timezone=UTC"
    with (
        psycopg.connect(request.getfixturevalue(used), options=options) as conn,
        conn.transaction(force_rollback=True),
    ):
        yield conn

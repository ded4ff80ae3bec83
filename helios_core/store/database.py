"""Connections: a checked pool, transactions, and the statements of ``sql/queries``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
from psycopg import conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from helios_core.errors import DependencyError, StoreError

SQL = Path(__file__).resolve().parents[2] / "sql"
SCHEMA = "helios"
CONNECT_SECONDS = 10
STATEMENT_TIMEOUT = "30s"

Connection = psycopg.Connection[Any]


@cache
def query(name: str) -> bytes:
    """Return the statement in ``sql/queries/<name>.sql``."""
    file = SQL / "queries" / f"{name}.sql"
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise StoreError(f"there is no statement {file}") from None


class Database:
    """A lazily opened pool on one database; a context manager that closes it.

    Parameters
    ----------
    dsn : str
        Address with user and password; never shown in an error.
    application : str
        Name that the server shows for these connections.
    read_only : bool
        Refuse every write on these connections.
    """

    def __init__(self, dsn: str, *, application: str, read_only: bool = False) -> None:
        self._dsn = dsn
        self._application = application
        self._read_only = read_only
        self._pool: ConnectionPool[Connection] | None = None
        self._pid = 0

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Where the database is, without user and password."""
        parts = conninfo.conninfo_to_dict(self._dsn)
        return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname')}"

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection in a transaction: committed at the end, rolled back on an error.

        Raises
        ------
        DependencyError
            If the database cannot be reached or refuses the login.
        StoreError
            If the schema is missing.
        """
        try:
            with self._opened().connection(timeout=CONNECT_SECONDS) as conn:
                yield conn
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise self._explain(error) from error
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise StoreError(
                f"the database at {self.address} lacks a table of Helios "
                f"({str(error).splitlines()[0]}); run `helios db migrate`"
            ) from error

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Give an own connection outside of any transaction, for maintenance and LISTEN."""
        conn = self._connect(autocommit=True)
        try:
            yield conn
        finally:
            conn.close()

    def close(self) -> None:
        """Close the pool; the next `connection` opens a new one."""
        if self._pool is not None and self._pid == os.getpid():
            self._pool.close()
        self._pool = None

    def _opened(self) -> ConnectionPool[Connection]:
        """Return the pool of this process; a pool inherited by fork is left to the parent."""
        if self._pool is None or self._pid != os.getpid():
            self._connect().close()  # a wrong address fails here at once, with its reason
            self._pid = os.getpid()
            self._pool = ConnectionPool(
                self._dsn,
                kwargs=self._options(),
                min_size=0,
                max_size=8,
                check=ConnectionPool.check_connection,
                open=True,
                name=self._application,
            )
        return self._pool

    def _connect(self, *, autocommit: bool = False) -> Connection:
        try:
            return psycopg.connect(self._dsn, autocommit=autocommit, **self._options())
        except psycopg.OperationalError as error:
            raise self._explain(error) from error
        except psycopg.ProgrammingError:
            raise DependencyError(
                "HELIOS_DATABASE_URL is not an address of a database; it is written "
                "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
            ) from None  # the cause repeats the address, and the password in it

    def _options(self) -> dict[str, Any]:
        settings = [
            f"-c statement_timeout={STATEMENT_TIMEOUT}",
            "-c idle_in_transaction_session_timeout=300s",
            f"-c search_path={SCHEMA},public",
            "-c timezone=UTC",
            f"-c default_transaction_read_only={'on' if self._read_only else 'off'}",
        ]
        return {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": self._application,
            "options": " ".join(settings),
        }

    def _explain(self, error: Exception) -> DependencyError:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return DependencyError(
            f"the database at {self.address} cannot be used: {first}. Start the embedded one with "
            f"`helios db up`, or correct HELIOS_DATABASE_URL"
        )

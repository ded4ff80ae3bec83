"""What a database is: server, level, migrations, clock, and the size of every table."""

from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from helios_core.ports import Clock
from helios_core.store import migrations
from helios_core.store.database import SCHEMA, Connection, Database, query

COUNTED = 256 * 1024**2  # bytes; rows of larger tables are the planner's estimate


def database_status(dsn: str, clock: Clock) -> dict[str, Any]:
    """Return what the database at `dsn` is, changing nothing; the role may be read only.

    Parameters
    ----------
    clock : Clock
        Of this machine; the database's clock is compared with it.

    Returns
    -------
    dict
        server, address, level (plain, apache or community), applied (count of migrations), pending
        (their names), clock_skew_seconds (the database's clock minus this machine's), size_bytes,
        tables (a list of table, rows, bytes with indexes; rows of large ones are an estimate).

    Raises
    ------
    DependencyError
        If the database cannot be reached.
    """
    schema = migrations.status(dsn)
    with (
        Database(dsn, application="helios-status", read_only=True) as database,
        database.connection() as conn,
    ):
        facts, skew = _facts(conn, clock)
        tables = _tables(conn, plain=schema.capability == "plain")
        return {
            "server": f"PostgreSQL {facts['version'].split()[0]}",
            "address": database.address,
            "level": schema.capability,
            "applied": len(schema.applied),
            "pending": list(schema.pending),
            "clock_skew_seconds": skew,
            "size_bytes": facts["size_bytes"],
            "tables": tables,
        }


def _facts(conn: Connection, clock: Clock) -> tuple[dict[str, Any], float]:
    """Return the server's facts and its clock minus ours, as of the middle of the question."""
    conn.execute("SELECT 1")  # the first statement of a transaction has a round trip more
    asked = clock.now()
    with conn.cursor(row_factory=dict_row) as cursor:
        facts = cursor.execute(query("db_facts")).fetchone() or {}
    middle = asked + (clock.now() - asked) / 2
    theirs: datetime = facts["now"]
    return facts, (theirs - middle).total_seconds()


def _tables(conn: Connection, *, plain: bool) -> list[dict[str, Any]]:
    name = "db_tables" if plain else "db_tables_timescale"
    rows = conn.execute(query(name)).fetchall()
    return [
        {
            "table": table,
            "rows": _count(conn, table) if size < COUNTED else estimate,
            "bytes": size,
        }
        for table, size, estimate in rows
    ]


def _count(conn: Connection, table: str) -> int:
    statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(SCHEMA, table))
    row = conn.execute(statement).fetchone()
    return int(row[0]) if row else 0

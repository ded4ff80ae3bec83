"""`helios bench store`: binary COPY in and out against psycopg's executemany and ADBC.

A row is a time, a number and five prices, as in the figures of the PostgreSQL wire that the goals
come from. All sides talk to the same server over the same socket and commit inside of their time.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from helios_core.bench.frame import (
    Bench,
    Context,
    DisagreementError,
    Figure,
    Side,
    Timing,
    cpu_cost,
    require_peer,
    speed,
)
from helios_core.errors import DependencyError
from helios_core.store.copying import copy_in, copy_out
from helios_core.store.database import Connection, Database, query

ROWS = 1_000_000
SLOW_ROWS = 50_000  # for executemany, which then takes about as long; rates are compared
SEED = 20_240_601
SCHEMA, TABLE, STORED = "helios_bench", "helios_bench.bars", "helios_bench.stored"
COLUMNS = {
    "ts": "timestamptz",
    "pair": "int4",
    "open": "float8",
    "high": "float8",
    "low": "float8",
    "close": "float8",
    "volume": "float8",
}
EXECUTEMANY, ADBC = "psycopg executemany", "ADBC"


@contextmanager
def prepare(context: Context) -> Iterator[Bench]:
    """Make a scratch schema, give the bench, and drop the schema again.

    Parameters
    ----------
    context : mapping
        ``dsn`` of a database whose user may create a schema; ``rows`` and ``slow_rows`` if the
        sizes are to differ.
    """
    adbc = require_peer("adbc_driver_postgresql.dbapi")
    require_peer("pyarrow")
    dsn = str(context["dsn"])
    frame = bars(int(context.get("rows", ROWS)))
    with Database(dsn, application="helios-bench").autocommit() as conn:
        _alone(conn)
        conn.execute(query("bench_create"))
        try:
            copy_in(conn, STORED, COLUMNS, frame)
            with closing(adbc.connect(dsn)) as peer:
                yield _bench(conn, peer, frame, int(context.get("slow_rows", SLOW_ROWS)))
        finally:
            conn.execute(query("bench_drop"))


def bars(rows: int) -> pl.DataFrame:
    """Return `rows` minutes of a made-up market, always the same."""
    rng = np.random.default_rng(SEED)
    close = 50_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, rows)))
    start = np.datetime64("2023-01-01", "us")
    at = start + np.arange(rows) * np.timedelta64(1, "m")
    return pl.DataFrame(
        {
            "ts": pl.Series(at).dt.replace_time_zone("UTC"),
            "pair": np.arange(rows, dtype=np.int32) % 8,
            "open": close * (1 + rng.normal(0, 1e-4, rows)),
            "high": close * 1.001,
            "low": close * 0.999,
            "close": close,
            "volume": rng.exponential(3.0, rows),
        }
    )


def _bench(conn: Connection, peer: Any, frame: pl.DataFrame, slow: int) -> Bench:  # noqa: ANN401
    few = frame.head(slow)
    empty = partial(conn.execute, query("bench_empty"))
    ours_few, ours_all = partial(_copy, conn, few), partial(_copy, conn, frame)
    their_few, their_all = partial(_executemany, conn, few), partial(_ingest, peer, frame)
    ours_read, their_read = partial(copy_out, conn, query("bench_read")), partial(_fetch, peer)
    return Bench(
        agreements={
            "ingest_executemany": partial(_same_table, conn, ours_few, their_few),
            "ingest_adbc": partial(_same_table, conn, ours_all, their_all),
            "read_adbc": partial(_same_frame, ours_read, their_read, frame),
        },
        sides=(
            Side("copy_in", ours_all, frame.height, empty),
            Side("adbc_in", their_all, frame.height, empty),
            Side("executemany", their_few, few.height, empty),
            Side("copy_out", ours_read, frame.height),
            Side("adbc_out", their_read, frame.height),
        ),
        figures=_figures,
        packages=("psycopg", "polars", "numpy", "adbc-driver-postgresql", "pyarrow"),
        versions={"postgresql": _server_version(conn)},
    )


def _figures(found: Mapping[str, Timing]) -> dict[str, Figure]:
    slow = f"{found['executemany'].amount:,.0f} rows by executemany"
    rows = f"{found['copy_in'].amount:,.0f} rows"
    ours, read, adbc_read = found["copy_in"], found["copy_out"], found["adbc_out"]
    return {
        "ingest_vs_executemany": speed(
            ours, found["executemany"], EXECUTEMANY, unit="rows",
            note=f"goal >= 20; {rows}, {slow}",
        ),
        "ingest_vs_adbc": speed(
            ours, found["adbc_in"], ADBC, unit="rows", note=f"goal >= 1.2; {rows}"
        ),
        "read_vs_adbc": speed(
            read, adbc_read, ADBC, unit="rows", note=f"goal >= 0.9; {rows} into polars"
        ),
        "read_cpu_vs_adbc": cpu_cost(
            read, adbc_read, ADBC, unit="rows", note=f"goal <= 0.6; {rows} into polars, client only"
        ),
    }  # fmt: skip


def _alone(conn: Connection) -> None:
    """Hold a lock as long as the connection lives, because the scratch schema has one name."""
    row = conn.execute(query("bench_lock")).fetchone()
    if row is None or not row[0]:
        raise DependencyError(
            "another `helios bench store` is running on this database; wait until it has ended"
        )


def _copy(conn: Connection, frame: pl.DataFrame) -> None:
    copy_in(conn, TABLE, COLUMNS, frame)


def _executemany(conn: Connection, frame: pl.DataFrame) -> None:
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(query("bench_insert"), frame.rows())


def _ingest(peer: Any, frame: pl.DataFrame) -> None:  # noqa: ANN401 - the peer is untyped
    with peer.cursor() as cursor:
        cursor.adbc_ingest("bars", frame.to_arrow(), mode="append", db_schema_name=SCHEMA)
    peer.commit()


def _fetch(peer: Any) -> pl.DataFrame:  # noqa: ANN401 - likewise
    with peer.cursor() as cursor:
        cursor.execute(query("bench_read").decode())
        found = pl.from_arrow(cursor.fetch_arrow_table())
    peer.commit()
    return found if isinstance(found, pl.DataFrame) else found.to_frame()


def _same_table(conn: Connection, ours: Callable[[], None], theirs: Callable[[], None]) -> str:
    """Let both sides fill the table and compare count and checksum of its rows."""
    found = []
    for write in (ours, theirs):
        conn.execute(query("bench_empty"))
        write()
        found.append(conn.execute(query("bench_checksum")).fetchone())
    if found[0] != found[1] or found[0] is None:
        raise DisagreementError(
            f"both sides must store the same rows; ours left (rows, checksum) {found[0]}, "
            f"the peer {found[1]}"
        )
    return f"{found[0][0]:,} rows stored, equal by checksum"


def _same_frame(
    ours: Callable[[], pl.DataFrame], theirs: Callable[[], pl.DataFrame], expected: pl.DataFrame
) -> str:
    """Compare what both sides read, bit by bit, with each other and with what was stored."""
    mine, other = ours(), theirs().cast(expected.schema)
    if not mine.equals(other) or not mine.equals(expected):
        raise DisagreementError(
            f"both sides must read what was stored; ours read {mine.shape}, the peer "
            f"{other.shape}, stored were {expected.shape}, and values differ"
        )
    return f"{mine.height:,} rows read, every value equal"


def _server_version(conn: Connection) -> str:
    return str(conn.info.parameter_status("server_version"))

"""Rollups that the server keeps: brought up to date for what was written into their past.

TimescaleDB's Community edition shows rows that are newer than what a continuous aggregate has
stored, but not older ones: these appear when that time is refreshed. Elsewhere the rollups are
views that are computed on read, and there is nothing to do.
"""

from datetime import datetime

from psycopg import errors

from helios_core.domain.market import Timeframe
from helios_core.logs import logger
from helios_core.store.bars import floor_time
from helios_core.store.database import SCHEMA, Connection, Database, query

# each is computed from the one before it in its family
ROLLUPS = ("trades_ohlc_1m", "trades_ohlc_5m", "trades_ohlc_15m", "ohlc_5m", "ohlc_15m")
WIDEST = Timeframe.M15.duration
TRIES = 50
PAUSE = 0.2  # seconds between two of them


def refresh_rollups(database: Database, first: datetime, last: datetime) -> tuple[str, ...]:
    """Bring the stored rollups up to date for rows from `first` to `last`, after their commit.

    The newest buckets are left out: rows still arrive in them, and they are computed on read.

    Parameters
    ----------
    database : Database
        As the owner of the rollups. For another role nothing is done, the server's own jobs do it
        within minutes.
    first, last : datetime
        Times of the oldest and the newest row that was written, aware UTC.

    Returns
    -------
    tuple of str
        The rollups that are up to date now; empty where they are views.

    Raises
    ------
    DependencyError
        If the database cannot be reached.
    """
    with database.autocommit() as conn:
        row = conn.execute(query("rollups_server")).fetchone()
        if row is None or not row[0]:
            return ()
        start, end = floor_time(first, WIDEST), floor_time(last, WIDEST) + WIDEST
        end = min(end, floor_time(row[1] - WIDEST, WIDEST))
        if end <= start:
            return ()
        stored = {name for (name,) in conn.execute(query("rollups_stored"))}
        return tuple(
            name for name in ROLLUPS if name in stored and _refreshed(conn, name, start, end)
        )


def _refreshed(conn: Connection, name: str, start: datetime, end: datetime) -> bool:
    """Refresh one rollup; False if a job of the server is at it all the time."""
    params = {"view": f"{SCHEMA}.{name}", "start": start, "end": end}
    for _ in range(TRIES):
        try:
            conn.execute(query("rollup_refresh"), params)
        except errors.LockNotAvailable:
            conn.execute("SELECT pg_sleep(%s)", (PAUSE,))
        else:
            return True
    logger("store").warning("rollup is busy, the server's job refreshes it", rollup=name)
    return False

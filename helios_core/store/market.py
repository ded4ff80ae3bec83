"""Market data in the store: pair rules, candles, trades, and the ledger of gaps between candles."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import polars as pl
from psycopg.rows import class_row

from helios_core.domain.market import (
    CANDLE_SCHEMA,
    TRADE_SCHEMA,
    CandleFrame,
    Gap,
    PairRules,
    Timeframe,
    TradeFrame,
    require_candles,
    require_trades,
)
from helios_core.errors import NotFoundError, SafetyError
from helios_core.store.copying import Merged, copy_out, merge
from helios_core.store.database import Connection, Database, query
from helios_core.store.lookalikes import similar

Cause = Literal["no_trade", "missing", "socket_lost", "exchange_down", "unrecoverable"]

CANDLE_KINDS = {
    "pair": "text", "timeframe": "text", "open_time": "timestamptz", "open": "float8",
    "high": "float8", "low": "float8", "close": "float8", "volume": "float8",
}  # fmt: skip
TRADE_KINDS = {
    "pair": "text", "ts": "timestamptz", "trade_id": "int8", "price": "float8",
    "quantity": "float8", "side": "int2",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GapRow:
    """A run of bars that are not stored: `start` is its first open time, `end` is exclusive."""

    start: datetime
    end: datetime
    missing: int  # bars
    cause: Cause


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is stored of one pair and timeframe; `first` and `last` are open times."""

    pair: str
    timeframe: str
    source: str
    first: datetime
    last: datetime
    rows: int
    gaps: int
    missing: int


def upsert_pair_rules(conn: Connection, rules: Sequence[PairRules]) -> None:
    """Make pairs known, or replace what was known of them."""
    with conn.cursor() as cursor:
        cursor.executemany(query("pair_rules_upsert"), [asdict(rule) for rule in rules])


def pair_rules(conn: Connection, pair: str) -> PairRules:
    """Return the rules of `pair`, or raise ``NotFoundError`` naming pairs that look alike."""
    with conn.cursor(row_factory=class_row(PairRules)) as cursor:
        found = cursor.execute(query("pair_rules"), {"pair": pair}).fetchone()
    if found is not None:
        return found
    near = similar(pair.upper().replace("/", ""), known_pairs(conn))
    raise NotFoundError(f"no pair {pair!r}{near}; `helios data pairs` lists all that are known")


def known_pairs(conn: Connection) -> list[str]:
    """Return the names of all pairs in order."""
    return [row[0] for row in conn.execute(query("pairs_known"))]


def write_candles(
    conn: Connection,
    frame: CandleFrame,
    source: str,
    *,
    cause: Cause = "missing",
    run_id: str | None = None,
) -> Merged:
    """Store candles idempotently and bring the gap ledger up to date around them.

    Parameters
    ----------
    source : str
        Where they come from; candles that are stored with equal values keep their source.
    cause : str
        Why bars between the first and the last of `frame` are absent.
    run_id : str, optional
        Run that is noted in the gap ledger.

    Raises
    ------
    DataError
        If `frame` is not a valid candle frame.
    """
    require_candles(frame)
    if frame.is_empty():
        return Merged(0, 0, 0)
    data = frame.with_columns(source=pl.lit(source))
    key, values = ("pair", "timeframe", "open_time"), ("open", "high", "low", "close", "volume")
    done = merge(conn, "market_ohlc", data.columns, data, key=key, update=values)
    timeframe = Timeframe(frame["timeframe"][0])
    start, last = frame["open_time"][0], frame["open_time"][-1]
    params = _bars(frame["pair"][0], timeframe) | {
        "start": start, "end": last + timeframe.duration, "cause": cause, "run_id": run_id
    }  # fmt: skip
    conn.execute(query("gaps_refresh"), params)
    return done


def write_trades(conn: Connection, frame: TradeFrame, source: str) -> Merged:
    """Store trades idempotently; a trade is named by pair, time and trade id.

    Raises
    ------
    DataError
        If `frame` is not a valid trade frame.
    """
    require_trades(frame)
    if frame.is_empty():
        return Merged(0, 0, 0)
    data = frame.with_columns(source=pl.lit(source))
    key, values = ("pair", "ts", "trade_id"), ("price", "quantity", "side")
    return merge(conn, "market_trades", data.columns, data, key=key, update=values)


def forget_other_sources(conn: Connection, pair: str, source: str) -> int:
    """Remove the candles of a simulated pair that are not from `source`, and all its gaps.

    Returns
    -------
    int
        Candles removed.

    Raises
    ------
    SafetyError
        If the pair is not simulated: real market data is never removed.
    """
    if not pair_rules(conn, pair).simulated:
        raise SafetyError(f"{pair} is a real market; only candles of simulated ones are replaced")
    params = {"pair": pair, "source": source}
    removed = conn.execute(query("candles_forget"), params).rowcount
    if removed:
        conn.execute(query("gaps_forget"), params)
    return removed


def read_candles(
    conn: Connection, pair: str, timeframe: Timeframe, start: datetime, end: datetime
) -> CandleFrame:
    """Return the candles that open in [start, end), oldest first; empty if there are none."""
    params = _bars(pair, timeframe) | {"start": start, "end": end}
    return _candles(conn, "candles_between", params)


def closed_candles(
    conn: Connection, pair: str, timeframe: Timeframe, as_of: datetime, bars: int
) -> CandleFrame:
    """Return the last `bars` candles that had closed at `as_of`, oldest first.

    A bar closes at ``open_time + timeframe``; one that closes exactly at `as_of` is included.
    """
    return _candles(conn, "candles_closed", _bars(pair, timeframe) | {"as_of": as_of, "bars": bars})


def read_trades(conn: Connection, pair: str, start: datetime, end: datetime) -> TradeFrame:
    """Return the trades of `pair` in [start, end), by time and trade id."""
    params = {"pair": pair, "start": start, "end": end}
    frame = copy_out(conn, query("trades_between"), params, TRADE_KINDS)
    return frame.cast(pl.Schema(TRADE_SCHEMA))


def record_gaps(
    conn: Connection,
    pair: str,
    timeframe: Timeframe,
    gaps: Sequence[Gap],
    cause: Cause,
    run_id: str | None = None,
) -> None:
    """Note gaps that are known from elsewhere; a gap that begins at the same bar is replaced."""
    rows = [
        {
            "pair": pair, "timeframe": timeframe.value, "start": gap.start, "end": gap.end,
            "missing": gap.missing, "cause": cause, "run_id": run_id,
        }
        for gap in gaps
    ]  # fmt: skip
    with conn.cursor() as cursor:
        cursor.executemany(query("gap_record"), rows)


def gaps(conn: Connection, pair: str, timeframe: Timeframe) -> list[GapRow]:
    """Return the gap ledger of `pair` and `timeframe` by time."""
    rows = conn.execute(query("gaps"), {"pair": pair, "timeframe": timeframe.value})
    return [GapRow(*row) for row in rows]


def coverage(conn: Connection) -> list[Coverage]:
    """Return what candles are stored, a row for each pair and timeframe."""
    with conn.cursor(row_factory=class_row(Coverage)) as cursor:
        return cursor.execute(query("coverage")).fetchall()


class StoredMarket:
    """The port `Market` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def closed_candles(
        self, pair: str, timeframe: Timeframe, as_of: datetime, bars: int
    ) -> CandleFrame:
        """Return at most the last `bars` candles closed at `as_of`, oldest first."""
        with self._database.connection() as conn:
            return closed_candles(conn, pair, timeframe, as_of, bars)

    def rules(self, pair: str) -> PairRules:
        """Return the venue's rules, or raise ``NotFoundError`` naming pairs that look alike."""
        with self._database.connection() as conn:
            return pair_rules(conn, pair)


def _bars(pair: str, timeframe: Timeframe) -> dict[str, object]:
    return {"pair": pair, "timeframe": timeframe.value, "duration": timeframe.duration}


def _candles(conn: Connection, statement: str, params: Mapping[str, object]) -> CandleFrame:
    return copy_out(conn, query(statement), params, CANDLE_KINDS).cast(pl.Schema(CANDLE_SCHEMA))

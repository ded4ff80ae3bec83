"""Turns the columns of a file into valid candles or trades, or says which row is wrong and why.

Rows are counted from 1, without the header.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from helios_core.domain.market import (
    CANDLE_SCHEMA,
    TRADE_SCHEMA,
    CandleFrame,
    Timeframe,
    TradeFrame,
    require_candles,
    require_trades,
)
from helios_core.errors import DataError
from helios_core.store.layouts import Edge, Layout

BEFORE_CLOSE = 1_000_000  # microseconds: a close time may be the last second, ms or us of its bar
PRICES = ("open", "high", "low", "close")
SIDES = {"buy": 1, "b": 1, "bid": 1, "1": 1, "1.0": 1, "sell": -1, "s": -1, "ask": -1, "-1": -1,
         "-1.0": -1}  # fmt: skip
BUYER_MADE = {"true": -1, "false": 1}  # a resting buy order was hit: the aggressor sold


@dataclass(frozen=True, slots=True)
class CheckedCandles:
    """Candles of a file and what was decided about them."""

    frame: CandleFrame
    timeframe: Timeframe
    edge: Edge
    reason: str  # why the times are taken for that edge
    duplicates: int  # equal rows that were dropped
    zero_volume: int
    unclosed: int  # bars that had not closed yet, left out


@dataclass(frozen=True, slots=True)
class CheckedTrades:
    """Trades of a file."""

    frame: TradeFrame
    duplicates: int


def check_candles(
    table: pl.DataFrame,
    layout: Layout,
    pair: str,
    now: datetime,
    *,
    timeframe: Timeframe | None = None,
    edge: Edge | None = None,
) -> CheckedCandles:
    """Return the candles of a table with the columns ``time`` (UTC), open, ... volume.

    Parameters
    ----------
    now : datetime
        Bars that close later are not stored.
    timeframe : Timeframe, optional
        Default: the step between most rows.
    edge : {"open", "close"}, optional
        Which end of a bar the times name; default: decided from column name and times.

    Raises
    ------
    DataError
        If anything is wrong; the row is named.
    """
    frame = _numbered(table, layout, [*PRICES, "volume"])
    _require_prices(frame)
    _require_order(frame)
    length = _length(frame["time"], timeframe)
    chosen, reason = _edge(frame["time"], length, layout, edge)
    frame = _on_grid(frame, length, chosen)
    frame, duplicates = _distinct(frame, ["open_time"])
    closed = frame.filter(pl.col("open_time") + length.duration <= now)
    if closed.is_empty():
        raise DataError(f"all bars close after {now:%Y-%m-%d %H:%MZ}: only closed bars are stored")
    named = closed.with_columns(pair=pl.lit(pair), timeframe=pl.lit(length.value))
    candles = named.select(list(CANDLE_SCHEMA))
    zero = candles.filter(pl.col("volume") == 0).height
    return CheckedCandles(
        require_candles(candles), length, chosen, reason, duplicates, zero,
        frame.height - closed.height,
    )  # fmt: skip


def check_trades(table: pl.DataFrame, layout: Layout, pair: str) -> CheckedTrades:
    """Return the trades of a table with the columns ``time`` (UTC), trade_id, price, ...

    Raises
    ------
    DataError
        If anything is wrong; the row is named.
    """
    frame = _numbered(table, layout, ["price", "quantity"])
    numbers = pl.col("price", "quantity")
    _refuse(
        frame,
        ~pl.all_horizontal(numbers.is_finite() & (numbers > 0)),
        ["price", "quantity"],
        "expected a positive price and amount",
    )
    _require_order(frame)
    frame = frame.with_columns(
        _whole(frame["trade_id"], layout.columns["trade_id"]), _sides(frame["side"], layout)
    ).rename({"time": "ts"})
    frame, duplicates = _distinct(frame, ["ts", "trade_id"])
    named = frame.with_columns(pair=pl.lit(pair)).select(list(TRADE_SCHEMA))
    trades = named.cast(pl.Schema(TRADE_SCHEMA))
    return CheckedTrades(require_trades(trades.sort("ts", "trade_id")), duplicates)


def _numbered(table: pl.DataFrame, layout: Layout, names: Sequence[str]) -> pl.DataFrame:
    """Return the table with a row number and `names` as floats."""
    frame = table.with_row_index("row", offset=1)
    for name in names:
        theirs = layout.columns[name]
        values = frame[name]
        text = values.dtype == pl.String
        numbers = (values.str.strip_chars() if text else values).cast(pl.Float64, strict=False)
        wrong = numbers.is_null()
        if wrong.any():
            at = int(wrong.arg_true()[0])
            shown = "is empty" if values[at] is None else f"is {values[at]!r}"
            raise DataError(f"row {at + 1}: {theirs} {shown}, expected a number")
        frame = frame.with_columns(numbers.alias(name))
    return frame


def _require_prices(frame: pl.DataFrame) -> None:
    prices, columns = pl.col(PRICES), [*PRICES, "volume"]
    _refuse(
        frame,
        ~pl.all_horizontal(prices.is_finite() & (prices > 0)),
        columns,
        "expected positive finite prices",
    )
    outside = (pl.col("high") < pl.max_horizontal(PRICES)) | (
        pl.col("low") > pl.min_horizontal(PRICES)
    )
    _refuse(frame, outside, columns, "expected low <= open, close <= high")
    volume = pl.col("volume")
    _refuse(frame, ~(volume.is_finite() & (volume >= 0)), columns, "expected a volume >= 0")


def _require_order(frame: pl.DataFrame) -> None:
    back = frame["time"].diff().fill_null(timedelta(0)) < timedelta(0)
    if back.any():
        at = int(back.arg_true()[0])
        raise DataError(
            f"row {at + 1}: time goes backwards, from {frame['time'][at - 1]} to "
            f"{frame['time'][at]}; sort the file by time"
        )


def _length(times: pl.Series, wanted: Timeframe | None) -> Timeframe:
    """Return the timeframe of bars at these times, which rise."""
    steps = times.diff().drop_nulls()
    steps = steps.filter(steps > timedelta(0))
    if wanted is not None:
        longer = [t for t in Timeframe if t.minutes > wanted.minutes]
        for other in reversed(longer):
            if len(steps) >= 3 and (steps.cast(pl.Int64) % _microseconds(other) == 0).all():
                raise DataError(
                    f"the times step by {other.value} or more, so these are not {wanted.value} "
                    f"candles; correct --timeframe, or leave it out"
                )
        return wanted
    if steps.is_empty():
        raise DataError("one bar alone does not show how long bars are; give --timeframe")
    found, counts = np.unique(steps.cast(pl.Int64).to_numpy(), return_counts=True)
    modal = timedelta(microseconds=int(found[counts.argmax()]))
    for timeframe in Timeframe:
        if timeframe.duration == modal:
            return timeframe
    raise DataError(
        f"most rows are {modal} apart; candles of {', '.join(Timeframe)} can be stored. "
        f"Give --timeframe if the file has many holes"
    )


def _edge(
    times: pl.Series, length: Timeframe, layout: Layout, told: Edge | None
) -> tuple[Edge, str]:
    if told is not None:
        return told, "as told"
    column = layout.columns["time"]
    if layout.edge is not None:
        return layout.edge, f"as the column {column} says"
    into = times.cast(pl.Int64) % _microseconds(length)
    if (into >= _microseconds(length) - BEFORE_CLOSE).all():
        return "close", f"as {column} is the last moment of each bar"
    return "open", f"as {column} is the first moment of each bar"


def _on_grid(frame: pl.DataFrame, length: Timeframe, edge: Edge) -> pl.DataFrame:
    """Return the frame with the open time of each bar in UTC, a whole multiple of its length."""
    step = _microseconds(length)
    times = frame["time"].cast(pl.Int64)
    into = times % step
    off = into != 0
    if edge == "close":
        off = off & (into < step - BEFORE_CLOSE)
        times = times + (step - into) % step - step
    else:
        times = times - into
    if off.any():
        at = int(off.arg_true()[0])
        raise DataError(
            f"row {at + 1}: {frame['time'][at]} is not the {edge} of a {length.value} bar in UTC; "
            f"give --tz if times are local, --time if they name the other end of a bar"
        )
    return frame.with_columns(times.cast(frame["time"].dtype).alias("open_time"))


def _distinct(frame: pl.DataFrame, key: Sequence[str]) -> tuple[pl.DataFrame, int]:
    """Drop rows that repeat another one; refuse those that contradict it."""
    values = [name for name in frame.columns if name not in {"row", "time"}]
    distinct = frame.unique(values, keep="first", maintain_order=True)
    again = distinct.filter(pl.struct(key).is_duplicated())
    if not again.is_empty():
        first = again.row(0, named=True)
        other = again.filter(pl.all_horizontal(pl.col(name) == first[name] for name in key)).row(
            1, named=True
        )
        raise DataError(
            f"row {other['row']} contradicts row {first['row']}: both are of {first[key[0]]}, with "
            f"{_values(first, values)} and {_values(other, values)}"
        )
    return distinct, frame.height - distinct.height


def _values(row: dict[str, object], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {row[name]}" for name in names if not name.endswith(("time", "ts")))


def _whole(ids: pl.Series, column: str) -> pl.Series:
    numbers = ids.cast(pl.Int64, strict=False)
    if numbers.null_count():
        at = int(numbers.is_null().arg_true()[0])
        raise DataError(f"row {at + 1}: {column} is {ids[at]!r}, expected a whole number")
    return numbers.alias("trade_id")


def _sides(sides: pl.Series, layout: Layout) -> pl.Series:
    """Return +1 where the aggressor bought, -1 where it sold."""
    column = layout.columns["side"]
    names = BUYER_MADE if "maker" in column.lower() else SIDES
    found = (
        sides.cast(pl.String)
        .str.to_lowercase()
        .replace_strict(names, default=None, return_dtype=pl.Int8)
    )
    if found.null_count():
        at = int(found.is_null().arg_true()[0])
        raise DataError(f"row {at + 1}: {column} is {sides[at]!r}, expected {' or '.join(names)}")
    return found.alias("side")


def _refuse(frame: pl.DataFrame, wrong: pl.Expr, names: Sequence[str], expected: str) -> None:
    bad = frame.filter(wrong)
    if not bad.is_empty():
        row = bad.row(0, named=True)
        found = ", ".join(f"{name} {row[name]}" for name in names)
        raise DataError(
            f"row {row['row']} ({row['time']}): {found}; {expected}. {bad.height} of "
            f"{frame.height} rows are like this"
        )


def _microseconds(length: Timeframe) -> int:
    return length.minutes * 60_000_000

"""Candles from trades, longer candles from shorter ones, and the holes in them."""

import polars as pl

from helios_core.domain.market import (
    CANDLE_SCHEMA,
    CandleFrame,
    Gap,
    Timeframe,
    TradeFrame,
    require_candles,
    require_trades,
)
from helios_core.errors import DataError, UsageError

# first and last need rows in the order of time, which both callers see to
_PRICES = (
    pl.col("open").first(),
    pl.col("high").max(),
    pl.col("low").min(),
    pl.col("close").last(),
    pl.col("volume").sum(),
)


def trades_to_candles(trades: TradeFrame, timeframe: Timeframe = Timeframe.M1) -> CandleFrame:
    """Return one candle for each bar in which there was a trade.

    Trades of the same instant are taken in the order of their ids.

    Raises
    ------
    DataError
        If `trades` is not a valid trade frame.
    """
    price = pl.col("price")
    bars = (
        require_trades(trades)
        .sort("ts", "trade_id")
        .group_by(pl.col("pair"), _start_of("ts", timeframe), maintain_order=True)
        .agg(
            price.first().alias("open"),
            price.max().alias("high"),
            price.min().alias("low"),
            price.last().alias("close"),
            pl.col("quantity").sum().alias("volume"),
        )
    )
    return _as_candles(bars, timeframe)


def resample(candles: CandleFrame, timeframe: Timeframe) -> CandleFrame:
    """Return longer candles, only those of which every shorter one is there.

    Parameters
    ----------
    candles : CandleFrame
        Of one pair and a timeframe that divides the new one.
    timeframe : Timeframe
        Of the result; its bars begin at multiples of it from midnight UTC.

    Raises
    ------
    UsageError
        If the new timeframe is not a multiple of the old one.
    DataError
        If `candles` is not a valid candle frame.
    """
    if require_candles(candles).is_empty():
        return candles
    old = Timeframe(candles["timeframe"][0])
    whole, rest = divmod(timeframe.minutes, old.minutes)
    if rest or whole < 2:
        raise UsageError(
            f"candles of {old} make longer ones of a multiple of {old}, not {timeframe}; "
            f"give one-minute candles"
        )
    bars = (
        candles.group_by(pl.col("pair"), _start_of("open_time", timeframe), maintain_order=True)
        .agg(*_PRICES, pl.len().alias("bars"))
        .filter(pl.col("bars") == whole)
    )
    return _as_candles(bars, timeframe)


def find_gaps(candles: CandleFrame) -> list[Gap]:
    """Return the runs of missing bars between the first and the last candle, oldest first.

    Raises
    ------
    DataError
        If `candles` is not a valid candle frame, or a time is not that of a bar.
    """
    if require_candles(candles).is_empty():
        return []
    timeframe = Timeframe(candles["timeframe"][0])
    step = timeframe.duration
    opened = candles["open_time"]
    astray = opened.filter(opened.dt.truncate(timeframe.value) != opened)
    if not astray.is_empty():
        raise DataError(
            f"a {timeframe} candle opens at a multiple of {timeframe} UTC, found {astray[0]}; "
            f"say with --time close if the times are those of the close"
        )
    holes = candles.select(
        start=pl.col("open_time") + step, end=pl.col("open_time").shift(-1)
    ).filter(pl.col("end") > pl.col("start"))
    return [Gap(start, end, (end - start) // step) for start, end in holes.iter_rows()]


def _start_of(column: str, timeframe: Timeframe) -> pl.Expr:
    return pl.col(column).dt.truncate(timeframe.value).alias("open_time")


def _as_candles(bars: pl.DataFrame, timeframe: Timeframe) -> CandleFrame:
    named = bars.with_columns(timeframe=pl.lit(timeframe.value))
    return require_candles(named.select(list(CANDLE_SCHEMA)))

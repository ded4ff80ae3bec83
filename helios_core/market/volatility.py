"""Kernels of the volatility group: bands, ranges, realized variance and its parts."""

import math

from helios_core.domain.market import Float32Array, FloatArray
from helios_core.market import memory as m
from helios_core.market.jit import kernel
from helios_core.market.memory import Bar, Memory
from helios_core.market.rolling import (
    clip,
    correlation,
    deviation,
    highest,
    log_ratio,
    lowest,
    mean,
    place,
    push,
    ratio,
    robust_z,
    tail,
    total,
)

NAN = math.nan
EPSILON = 1e-12  # a logarithm of exactly 0 is the lowest rank, not unknown
LEAST = 240  # known values in a ranked window


@kernel
def volatility(memory: Memory, bar: Bar, raw: FloatArray, row: Float32Array) -> None:
    """Fill the twelve columns of the group."""
    rings, end = memory.rings, bar.end
    raw[0], raw[1] = bands(memory, bar)
    highs, lows = tail(rings, m.HIGHS, end, 20), tail(rings, m.LOWS, end, 20)
    raw[2] = place(bar.close, lowest(lows), highest(highs))
    raw[3] = bar.atr
    raw[4] = ulcer(memory, bar)
    realized(memory, bar, raw[5:8])
    raw[8] = acceleration(memory, bar)
    raw[9] = jumps(memory, bar)
    raw[10] = asymmetry(tail(rings, m.RETURNS, end, 60))
    raw[11] = correlation(tail(rings, m.RETURNS, end, 60), tail(rings, m.RETURNS, end - 1, 60))

    row[0] = ranked_log(memory, m.RANK_WIDTH, raw[0], LEAST)
    row[1] = clip(2.0 * raw[1] - 1.0, -3.0, 3.0)
    row[2] = clip(2.0 * raw[2] - 1.0, -1.0, 1.0)
    row[3] = ranked_log(memory, m.RANK_ATR, bar.atr / bar.close, LEAST)
    row[4] = ranked_log(memory, m.RANK_ULCER, raw[4], LEAST)
    row[5] = ranked_log(memory, m.RANK_RV_15, raw[5], LEAST)
    row[6] = ranked_log(memory, m.RANK_RV_60, raw[6], LEAST)
    row[7] = clip(raw[7], -4.0, 4.0)
    row[8] = clip(raw[8], -4.0, 4.0)
    for i in range(9, 12):
        row[i] = clip(raw[i], -1.0, 1.0)


@kernel
def ranked(memory: Memory, which: int, value: float, least: int) -> float:
    """Return the robust z score of a value in one of the ranked windows."""
    return robust_z(memory.ranked[which], memory.ordered[which], memory.ranks[which], value, least)


@kernel
def ranked_log(memory: Memory, which: int, value: float, least: int) -> float:
    """Return the robust z score of the logarithm of a value that is at least 0."""
    return ranked(memory, which, math.log(value + EPSILON), least)


@kernel
def bands(memory: Memory, bar: Bar) -> tuple[float, float]:
    """Return width (% of the middle) and place of the close in the Bollinger band (20, 2)."""
    closes = tail(memory.rings, m.CLOSES, bar.end, 20)
    middle, half = mean(closes), 2.0 * deviation(closes, 0)
    return 200.0 * half / middle, ratio(bar.close - (middle - half), 2.0 * half)


@kernel
def ulcer(memory: Memory, bar: Bar) -> float:
    """Return the ulcer index of 14 bars: root mean square of the drawdown, %."""
    rings, end = memory.rings, bar.end
    top = bar.close
    for close in tail(rings, m.CLOSES, end, 14):
        if close > top:  # noqa: PLR1730 - max() may let a NaN through
            top = close
    fall = 100.0 * (bar.close - top) / top
    push(rings, m.DRAWDOWNS, end, fall * fall)
    return math.sqrt(total(tail(rings, m.DRAWDOWNS, end, 14)) / 14.0)


@kernel
def realized(memory: Memory, bar: Bar, raw: FloatArray) -> None:
    """Fill RV15, RV60 and the logarithm of RV15 over RV240, each per bar."""
    rings, end = memory.rings, bar.end
    push(rings, m.SQUARES, end, bar.ret * bar.ret)
    short = total(tail(rings, m.SQUARES, end, 15))
    raw[0] = math.sqrt(short)
    raw[1] = math.sqrt(total(tail(rings, m.SQUARES, end, 60)))
    raw[2] = 0.5 * log_ratio(short / 15.0, total(tail(rings, m.SQUARES, end, 240)) / 240.0)


@kernel
def acceleration(memory: Memory, bar: Bar) -> float:
    """Return half the log ratio of the Garman-Klass variance of 15 bars to that of 60."""
    rings, end = memory.rings, bar.end
    height, body = math.log(bar.high / bar.low), math.log(bar.close / bar.open)
    variance = 0.5 * height * height - (2.0 * math.log(2.0) - 1.0) * body * body
    push(rings, m.GARMAN_KLASS, end, variance)
    short = total(tail(rings, m.GARMAN_KLASS, end, 15)) / 15.0
    return 0.5 * log_ratio(short, total(tail(rings, m.GARMAN_KLASS, end, 60)) / 60.0)


@kernel
def jumps(memory: Memory, bar: Bar) -> float:
    """Return the share of the realized variance of 60 bars that bipower variation leaves out."""
    rings, end = memory.rings, bar.end
    push(rings, m.BIPOWER, end, abs(bar.ret) * abs(bar.last_ret))
    bipower = 0.5 * math.pi * total(tail(rings, m.BIPOWER, end, 60))
    return 1.0 - ratio(bipower, total(tail(rings, m.SQUARES, end, 60)))


@kernel
def asymmetry(returns: FloatArray) -> float:
    """Return the difference of upper and lower semivariance over their sum."""
    skew = both = 0.0
    for r in returns:
        skew += r * abs(r)
        both += r * r
    return ratio(skew, both)

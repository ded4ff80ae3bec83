"""Kernels of the trend group, with the definitions of `ta`."""

import math

from helios_core.domain.market import Float32Array, FloatArray
from helios_core.market import memory as m
from helios_core.market.jit import kernel
from helios_core.market.memory import Bar, Memory
from helios_core.market.rolling import (
    clip,
    highest,
    lowest,
    mean,
    mean_deviation,
    place,
    push,
    ratio,
    tail,
    total,
)
from helios_core.market.smoothing import ema

NAN = math.nan


@kernel
def trend(memory: Memory, bar: Bar, raw: FloatArray, row: Float32Array) -> None:
    """Fill the thirteen columns of the group."""
    cells = memory.cells
    raw[0], raw[1], raw[2] = macd(cells, bar.close)
    raw[3] = schaff(memory, bar)
    raw[4] = ema(cells, m.EMA_LONG, 200, bar.close)
    raw[5], raw[6], raw[7] = adx(cells, bar)
    raw[8] = vortex(memory, bar)
    raw[9] = trix(cells, bar.close)
    raw[10] = cci(memory, bar)
    raw[11] = aroon(memory, bar.end)
    raw[12] = mass_index(memory, bar)

    row[0] = clip(ratio(raw[0], bar.atr), -8.0, 8.0)
    row[1] = clip(ratio(raw[1], bar.atr), -5.0, 5.0)
    row[2] = clip(ratio(bar.close - raw[2], bar.atr), -8.0, 8.0)
    row[3] = clip(raw[3] / 50.0 - 1.0, -1.0, 1.0)
    row[4] = clip(ratio(bar.close - raw[4], 4.0 * bar.atr), -5.0, 5.0)
    for i in range(5, 8):
        row[i] = clip(raw[i] / 100.0, 0.0, 1.0)
    row[8] = raw[8]
    row[9] = clip(ratio(raw[9] / 100.0, bar.sigma), -5.0, 5.0)
    row[10] = clip(raw[10] / 100.0, -4.0, 4.0)
    row[11] = raw[11] / 100.0
    row[12] = clip(raw[12] - 25.0, -5.0, 5.0)


@kernel
def macd(cells: FloatArray, close: float) -> tuple[float, float, float]:
    """Return MACD(12, 26), its distance to its own average of 9, and the fast average."""
    fast = ema(cells, m.MACD, 12, close)
    line = fast - ema(cells, m.MACD + 2, 26, close)
    return line, line - ema(cells, m.MACD + 4, 9, line), fast


@kernel
def schaff(memory: Memory, bar: Bar) -> float:
    """Return the Schaff trend cycle: twice the smoothed stochastic of a MACD(23, 50), 0 to 100."""
    cells, rings = memory.cells, memory.rings
    line = ema(cells, m.STC, 23, bar.close) - ema(cells, m.STC + 2, 50, bar.close)
    push(rings, m.STC_MACD, bar.end, line)
    first = tail(rings, m.STC_MACD, bar.end, 10)
    smoothed = ema(cells, m.STC + 4, 3, 100.0 * place(line, lowest(first), highest(first)))
    push(rings, m.STC_PLACES, bar.end, smoothed)
    second = tail(rings, m.STC_PLACES, bar.end, 10)
    return ema(cells, m.STC + 6, 3, 100.0 * place(smoothed, lowest(second), highest(second)))


@kernel
def adx(cells: FloatArray, bar: Bar) -> tuple[float, float, float]:
    """Return ADX14, +DI14 and -DI14; without any movement all of them go to 0.

    The sums start from the first 14 movements, ADX from the mean of the first 14 values of DX.
    """
    if math.isnan(bar.last_close):
        return NAN, NAN, NAN
    at, window = m.ADX, 14.0
    up, down = bar.high - bar.last_high, bar.last_low - bar.low
    moves = (
        max(bar.high, bar.last_close) - min(bar.low, bar.last_close),
        up if up > down and up > 0.0 else 0.0,
        down if down > up and down > 0.0 else 0.0,
    )
    cells[at] += 1.0
    count = cells[at]
    for i in range(3):
        if count > window:
            cells[at + 1 + i] -= cells[at + 1 + i] / window
        cells[at + 1 + i] += moves[i]
    if count < window:
        return NAN, NAN, NAN
    plus, minus = 0.0, 0.0
    if cells[at + 1] != 0.0:
        plus = 100.0 * (cells[at + 2] / cells[at + 1])
        minus = 100.0 * (cells[at + 3] / cells[at + 1])
    return _average_index(cells, at + 4, count - window + 1.0, plus, minus), plus, minus


@kernel
def _average_index(cells: FloatArray, at: int, count: float, plus: float, minus: float) -> float:
    index = 100.0 * abs((plus - minus) / (plus + minus)) if plus + minus != 0.0 else 0.0
    if count > 14.0:
        cells[at] = (cells[at] * 13.0 + index) / 14.0
        return float(cells[at])
    cells[at] += index
    if count < 14.0:
        return NAN
    cells[at] /= 14.0
    return float(cells[at])


@kernel
def vortex(memory: Memory, bar: Bar) -> float:
    """Return VI+ minus VI- over 14 bars."""
    rings = memory.rings
    push(rings, m.VORTEX_UP, bar.end, abs(bar.high - bar.last_low))
    push(rings, m.VORTEX_DOWN, bar.end, abs(bar.low - bar.last_high))
    spans = total(tail(rings, m.SPANS, bar.end, 14))
    up = ratio(total(tail(rings, m.VORTEX_UP, bar.end, 14)), spans)
    return up - ratio(total(tail(rings, m.VORTEX_DOWN, bar.end, 14)), spans)


@kernel
def trix(cells: FloatArray, close: float) -> float:
    """Return the percent change of the triple average of 15."""
    at = m.TRIX
    third = ema(cells, at + 4, 15, ema(cells, at + 2, 15, ema(cells, at, 15, close)))
    last = cells[at + 6]
    cells[at + 6] = third
    return float(100.0 * ((third - last) / last))


@kernel
def cci(memory: Memory, bar: Bar) -> float:
    """Return the commodity channel index of 20 bars."""
    typical = tail(memory.rings, m.TYPICAL, bar.end, 20)
    return ratio(bar.typical - mean(typical), 0.015 * mean_deviation(typical))


@kernel
def aroon(memory: Memory, end: int) -> float:
    """Return Aroon up minus down over 25 bars; of equal extremes the oldest counts, as in `ta`."""
    highs, lows = tail(memory.rings, m.HIGHS, end, 26), tail(memory.rings, m.LOWS, end, 26)
    if math.isnan(highs[0]):
        return NAN
    top = bottom = 0
    for i in range(26):
        if highs[i] > highs[top]:
            top = i
        if lows[i] < lows[bottom]:
            bottom = i
    return (top - bottom) / 25.0 * 100.0


@kernel
def mass_index(memory: Memory, bar: Bar) -> float:
    """Return the sum over 25 bars of the average of the range over the average of that average."""
    single = ema(memory.cells, m.MASS, 9, bar.high - bar.low)
    double = ema(memory.cells, m.MASS + 2, 9, single)
    push(memory.rings, m.MASS_RATIO, bar.end, ratio(single, double))
    return total(tail(memory.rings, m.MASS_RATIO, bar.end, 25))

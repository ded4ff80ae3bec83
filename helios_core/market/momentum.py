"""Kernels of the momentum group, with the definitions of `ta`."""

import math

from helios_core.domain.market import Float32Array, FloatArray
from helios_core.market import memory as m
from helios_core.market.jit import kernel
from helios_core.market.memory import Bar, Memory
from helios_core.market.rolling import clip, highest, lowest, place, push, ratio, tail, total
from helios_core.market.smoothing import smooth

NAN = math.nan
FAST, SLOW = 2.0 / (2.0 + 1.0), 2.0 / (30.0 + 1.0)  # of KAMA


@kernel
def momentum(memory: Memory, bar: Bar, raw: FloatArray, row: Float32Array) -> None:
    """Fill the six columns of the group."""
    cells = memory.cells
    raw[0] = rsi(cells, m.RSI, 14, bar)
    raw[1] = rsi(cells, m.RSI_SHORT, 6, bar)
    raw[2] = stochastic_rsi(memory, raw[0], bar.end)
    raw[3] = ultimate(memory, bar)
    highs, lows = tail(memory.rings, m.HIGHS, bar.end, 14), tail(memory.rings, m.LOWS, bar.end, 14)
    raw[4] = 100.0 * place(bar.close, lowest(lows), highest(highs))
    raw[5] = kama(memory, bar)

    row[0] = clip(raw[0] / 50.0 - 1.0, -1.0, 1.0)
    row[1] = clip(raw[1] / 50.0 - 1.0, -1.0, 1.0)
    row[2] = clip(2.0 * raw[2] - 1.0, -1.0, 1.0)
    row[3] = clip(raw[3] / 50.0 - 1.0, -1.0, 1.0)
    row[4] = clip(raw[4] / 50.0 - 1.0, -1.0, 1.0)
    row[5] = clip(ratio(bar.close - raw[5], bar.atr), -8.0, 8.0)


@kernel
def rsi(cells: FloatArray, at: int, window: int, bar: Bar) -> float:
    """Return the relative strength index, 0 to 100; NaN while the price has never moved.

    Like `ta` it counts the first bar as a change of 0.
    """
    change = 0.0 if math.isnan(bar.last_close) else bar.close - bar.last_close
    up = smooth(cells, at, 1.0 / window, window, max(change, 0.0))
    down = smooth(cells, at + 2, 1.0 / window, window, max(-change, 0.0))
    if math.isnan(up) or up + down == 0.0:
        return NAN
    return 100.0 if down == 0.0 else 100.0 - 100.0 / (1.0 + up / down)


@kernel
def stochastic_rsi(memory: Memory, value: float, end: int) -> float:
    """Return the mean over 3 bars of the place of RSI14 in its range of 14 bars."""
    rings = memory.rings
    push(rings, m.RSI_VALUES, end, value)
    window = tail(rings, m.RSI_VALUES, end, 14)
    push(rings, m.RSI_PLACES, end, place(value, lowest(window), highest(window)))
    return total(tail(rings, m.RSI_PLACES, end, 3)) / 3.0


@kernel
def ultimate(memory: Memory, bar: Bar) -> float:
    """Return the ultimate oscillator over 7, 14 and 28 bars, 0 to 100."""
    rings, end = memory.rings, bar.end
    pressure = NAN if math.isnan(bar.last_close) else bar.close - min(bar.low, bar.last_close)
    push(rings, m.PRESSURE, end, pressure)
    result = 0.0
    for weight, bars in ((4.0, 7), (2.0, 14), (1.0, 28)):
        spans = total(tail(rings, m.SPANS, end, bars))
        result += weight * ratio(total(tail(rings, m.PRESSURE, end, bars)), spans)
    return 100.0 * result / 7.0


@kernel
def kama(memory: Memory, bar: Bar) -> float:
    """Return Kaufman's adaptive average; it starts at the tenth close and is known from the next.

    `ta` reads the last close of all at its first row, which a bar cannot know.
    """
    rings, cells, end = memory.rings, memory.cells, bar.end
    push(rings, m.CHANGES, end, abs(bar.close - bar.last_close))
    if math.isnan(cells[m.KAMA]):
        if not math.isnan(rings[m.CLOSES, end - 9]):
            cells[m.KAMA] = bar.close
        return NAN
    path = total(tail(rings, m.CHANGES, end, 10))
    way = abs(bar.close - rings[m.CLOSES, end - 10])
    efficiency = way / path if path != 0.0 else 0.0
    cells[m.KAMA] += (efficiency * (FAST - SLOW) + SLOW) ** 2 * (bar.close - cells[m.KAMA])
    return float(cells[m.KAMA])

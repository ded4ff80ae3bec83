"""Kernel that takes in a bar: what every family needs is computed and remembered once."""

import math

from helios_core.domain.market import FloatArray
from helios_core.market import memory as m
from helios_core.market.jit import kernel
from helios_core.market.memory import Bar, Memory
from helios_core.market.rolling import push
from helios_core.market.smoothing import lagged_deviation, wilder


@kernel
def observe(memory: Memory, values: FloatArray, halflife: float, least: int) -> Bar:
    """Return a bar with its neighbors' values, range and volatility, and remember it.

    Parameters
    ----------
    values : ndarray of shape (5,)
        Open, high, low, close, volume.
    halflife : float
        Of the volatility of returns, bars.
    least : int
        Returns before there is a volatility.
    """
    cells, rings = memory.cells, memory.rings
    end = m.CAPACITY + int(cells[m.COUNT]) % m.CAPACITY
    high, low, close = values[1], values[2], values[3]
    last_close, last_ret = cells[m.LAST + 2], cells[m.LAST + 3]
    span, ret = high - low, math.nan
    if not math.isnan(last_close):
        span = max(high, last_close) - min(low, last_close)
        ret = math.log(close / last_close)
    bar = Bar(
        values[0], high, low, close, values[4],
        cells[m.LAST], cells[m.LAST + 1], last_close, ret, last_ret,
        (high + low + close) / 3.0, span,
        wilder(cells, m.ATR, 14, span),
        lagged_deviation(cells, m.SIGMA, halflife, least, ret),
        end,
    )  # fmt: skip
    cells[m.LAST], cells[m.LAST + 1], cells[m.LAST + 2], cells[m.LAST + 3] = high, low, close, ret
    push(rings, m.CLOSES, end, close)
    push(rings, m.HIGHS, end, high)
    push(rings, m.LOWS, end, low)
    push(rings, m.TYPICAL, end, bar.typical)
    push(rings, m.SPANS, end, span)
    push(rings, m.RETURNS, end, ret)
    push(rings, m.VOLUMES, end, bar.volume)
    return bar

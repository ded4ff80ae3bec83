"""Kernels of the price group: returns in units of volatility, shape of the bar."""

import math

from helios_core.domain.market import Float32Array, FloatArray
from helios_core.market.jit import kernel
from helios_core.market.memory import CLOSES, Bar, Memory
from helios_core.market.rolling import clip, ratio

LAGS = (1, 5, 15, 30, 60, 240)


@kernel
def price(memory: Memory, bar: Bar, raw: FloatArray, row: Float32Array) -> None:
    """Fill the ten columns of the group."""
    for i in range(len(LAGS)):
        raw[i], row[i] = log_return(memory, bar, LAGS[i])
    body, upper, lower, position = shape(bar)
    raw[6], row[6] = body, clip(body, -1.0, 1.0)
    raw[7], row[7] = upper, clip(upper, 0.0, 1.0)
    raw[8], row[8] = lower, clip(lower, 0.0, 1.0)
    raw[9], row[9] = position, clip(position, -1.0, 1.0)


@kernel
def log_return(memory: Memory, bar: Bar, lag: int) -> tuple[float, float]:
    """Return ln(C / C[-lag]), raw and in units of what is usual over `lag` bars."""
    raw = math.log(bar.close / memory.rings[CLOSES, bar.end - lag])
    return raw, clip(ratio(raw, bar.sigma * math.sqrt(lag)), -8.0, 8.0)


@kernel
def shape(bar: Bar) -> tuple[float, float, float, float]:
    """Return body, upper and lower wick and close location; 0 on a bar without range."""
    height = bar.high - bar.low
    if height == 0.0:
        return 0.0, 0.0, 0.0, 0.0
    top, bottom = max(bar.open, bar.close), min(bar.open, bar.close)
    return (
        (bar.close - bar.open) / height,
        (bar.high - top) / height,
        (bottom - bar.low) / height,
        (2.0 * bar.close - bar.high - bar.low) / height,
    )

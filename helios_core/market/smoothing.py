"""Kernels with memory: exponential averages, Wilder's average, exponential deviation.

They keep their memory in `cells` from `at` on. A value that is not known leaves the memory as it is
and gives NaN.
"""

import math

from helios_core.domain.market import FloatArray
from helios_core.market.jit import kernel

NAN = math.nan


@kernel
def smooth(cells: FloatArray, at: int, alpha: float, least: int, value: float) -> float:
    """Return the exponential average that starts at its first value; NaN before `least` values.

    This is ``ewm(alpha=alpha, adjust=False, min_periods=least)``, in 2 cells.
    """
    if math.isnan(value):
        return NAN
    count = cells[at + 1]
    if count == 0.0:
        cells[at] = value
    else:
        cells[at] += alpha * (value - cells[at])  # exact when nothing changes
    cells[at + 1] = count + 1.0
    return cells[at] if count + 1.0 >= least else NAN


@kernel
def ema(cells: FloatArray, at: int, span: int, value: float) -> float:
    """Return the exponential average of a span, 2 cells."""
    return smooth(cells, at, 2.0 / (span + 1.0), span, value)


@kernel
def wilder(cells: FloatArray, at: int, window: int, value: float) -> float:
    """Return Wilder's average, which starts from the mean of `window` values, 2 cells."""
    count = cells[at + 1] + 1.0
    cells[at + 1] = count
    if count <= window:
        cells[at] += value
        if count == window:
            cells[at] /= window
    else:
        cells[at] = (cells[at] * (window - 1.0) + value) / window
    return cells[at] if count >= window else NAN


@kernel
def lagged_deviation(
    cells: FloatArray, at: int, halflife: float, least: int, value: float
) -> float:
    """Return the exponential standard deviation of the values so far, then take in `value`.

    The recursion is that of ``ewm(halflife=halflife, min_periods=least).std().shift(1)``: weights
    that sum to one over the values seen, corrected for bias. NaN as well while nothing varies.

    Five cells: count, mean, variance, sum of weights, sum of their squares.
    """
    count, variance = cells[at], cells[at + 2]
    weight, squared = cells[at + 3], cells[at + 4]
    before = NAN
    if count >= least and variance > 0.0:
        before = math.sqrt(variance * weight * weight / (weight * weight - squared))
    if math.isnan(value):
        return before
    decay = math.exp(math.log(0.5) / halflife)
    kept = weight * decay
    middle = cells[at + 1]
    moved = (kept * middle + value) / (kept + 1.0)
    spread = kept * (variance + (middle - moved) ** 2) + (value - moved) ** 2
    cells[at] = count + 1.0
    cells[at + 1] = moved
    cells[at + 2] = spread / (kept + 1.0)
    cells[at + 3] = kept + 1.0
    cells[at + 4] = squared * decay * decay + 1.0
    return before

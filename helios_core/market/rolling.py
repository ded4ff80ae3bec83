"""Kernels over one window, a contiguous slice: sums, extremes, deviations, ranks.

A window is summed anew at every bar instead of being updated, so that its value depends on its
bars alone: no drift, exact zeros, and the same bits wherever the history began. NaN in a window
makes the result NaN.
"""

import math

from helios_core.domain.market import FloatArray
from helios_core.market.jit import kernel

NAN = math.nan
SPREAD = 1.349  # interquartile range of a standard normal


@kernel
def push(rings: FloatArray, row: int, end: int, value: float) -> None:
    """Put `value` at the end of a ring; `end` lies in the second half of the row."""
    rings[row, end] = value
    rings[row, end - rings.shape[1] // 2] = value


@kernel
def tail(rings: FloatArray, row: int, end: int, bars: int) -> FloatArray:
    """Return the last `bars` values of a ring."""
    return rings[row, end - bars + 1 : end + 1]


@kernel
def total(values: FloatArray) -> float:
    """Return the sum; four partial sums, because one would wait for each addition."""
    a = b = c = d = 0.0
    whole = len(values) - len(values) % 4
    for i in range(0, whole, 4):
        a += values[i]
        b += values[i + 1]
        c += values[i + 2]
        d += values[i + 3]
    for i in range(whole, len(values)):
        a += values[i]
    return (a + b) + (c + d)


@kernel
def mean(values: FloatArray) -> float:
    """Return the mean, exact when all values are equal."""
    first = values[0]
    rest = 0.0
    for value in values:
        rest += value - first
    return float(first + rest / len(values))


@kernel
def deviation(values: FloatArray, lost: int) -> float:
    """Return the standard deviation with `lost` degrees of freedom lost; exactly 0 when flat."""
    middle = mean(values)
    squares = 0.0
    for value in values:
        squares += (value - middle) * (value - middle)
    return math.sqrt(squares / (len(values) - lost))


@kernel
def mean_deviation(values: FloatArray) -> float:
    """Return the mean absolute deviation from the mean."""
    middle = mean(values)
    away = 0.0
    for value in values:
        away += abs(value - middle)
    return away / len(values)


@kernel
def highest(values: FloatArray) -> float:
    """Return the largest value."""
    top, known = values[0], True
    for value in values:
        top = max(top, value)
        known &= value == value  # noqa: PLR0124 - the quick test for NaN
    return top if known else NAN


@kernel
def lowest(values: FloatArray) -> float:
    """Return the smallest value."""
    bottom, known = values[0], True
    for value in values:
        bottom = min(bottom, value)
        known &= value == value  # noqa: PLR0124
    return bottom if known else NAN


@kernel
def place(value: float, bottom: float, top: float) -> float:
    """Return where `value` lies between two bounds, 0 to 1; NaN when they are equal."""
    return ratio(value - bottom, top - bottom)


@kernel
def correlation(x: FloatArray, y: FloatArray) -> float:
    """Return Pearson's correlation; NaN when one of them is flat."""
    middle_x, middle_y = mean(x), mean(y)
    xx = yy = xy = 0.0
    for i in range(len(x)):
        dx, dy = x[i] - middle_x, y[i] - middle_y
        xx += dx * dx
        yy += dy * dy
        xy += dx * dy
    return clip(ratio(xy, math.sqrt(xx) * math.sqrt(yy)), -1.0, 1.0)


@kernel
def ratio(a: float, b: float) -> float:
    """Return a / b; NaN where b is 0, because the scale is not known."""
    return NAN if b == 0.0 else a / b


@kernel
def log_ratio(a: float, b: float) -> float:
    """Return ln(a / b) for a >= 0: -inf where only a is 0, NaN where b is 0."""
    if b == 0.0:
        return NAN
    return -math.inf if a == 0.0 else math.log(a / b)


@kernel
def clip(value: float, low: float, high: float) -> float:
    """Return `value` within [low, high]; NaN stays NaN."""
    if value < low:
        return low
    return high if value > high else value


@kernel
def robust_z(
    values: FloatArray, ordered: FloatArray, seen: FloatArray, value: float, least: int
) -> float:
    """Add `value` to a ranked window and return how far it lies from the median.

    Parameters
    ----------
    values, ordered : ndarray of shape (window,)
        The window as it came, NaN where not known, and its known values in rising order.
    seen : ndarray of shape (2,)
        Values seen so far, values known in the window; updated.
    least : int
        Known values that the window must hold.

    Returns
    -------
    float
        ``(value - median) / (interquartile range / 1.349)`` within [-5, 5]; NaN when the value or
        the spread is not known.
    """
    at = int(seen[0]) % len(values)
    old = values[at]
    values[at] = value
    known = _replace(ordered, int(seen[1]), old, value)
    seen[0] += 1.0
    seen[1] = known
    if known < least or math.isnan(value):
        return NAN
    middle = _quantile(ordered, known, 0.5)
    spread = (_quantile(ordered, known, 0.75) - _quantile(ordered, known, 0.25)) / SPREAD
    return clip(ratio(value - middle, spread), -5.0, 5.0)


@kernel
def _replace(ordered: FloatArray, known: int, old: float, new: float) -> int:
    """Take `old` out of the ordered values, put `new` in; return how many there are now.

    A value that is NaN is not among them, so its place is the free one behind the last.
    """
    source = known if math.isnan(old) else _rank(ordered, known, old)
    target = known if math.isnan(new) else _rank(ordered, known, new)
    if target > source:  # it moves up, and those between down by one
        target -= 0 if math.isnan(new) else 1
        between = ordered[source : target + 1]
        for i in range(len(between) - 1):
            between[i] = between[i + 1]
    else:
        between = ordered[target : source + 1]
        for i in range(len(between) - 1, 0, -1):
            between[i] = between[i - 1]
    if not math.isnan(new):
        ordered[target] = new
    return known + (0 if math.isnan(new) else 1) - (0 if math.isnan(old) else 1)


@kernel
def _rank(ordered: FloatArray, known: int, value: float) -> int:
    """Return how many of the known values are smaller than `value`."""
    low, left = 0, known
    while left > 0:
        half = left // 2
        above = ordered[low + half] < value
        low += (half + 1) * above
        left = left - half - 1 if above else half
    return low


@kernel
def _quantile(ordered: FloatArray, known: int, share: float) -> float:
    """Return a quantile by linear interpolation between the two nearest values."""
    position = (known - 1) * share
    below = int(position)
    above = min(below + 1, known - 1)
    step = ordered[above] - ordered[below]
    return float(ordered[below] + step * (position - below))

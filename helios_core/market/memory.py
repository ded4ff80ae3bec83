"""What the kernels remember of one timeframe, as arrays of fixed size.

`cells` holds the scalars of recursions, `rings` the last `CAPACITY` values of each series, written
twice so that every window is one contiguous slice. NaN means not known: a window that reaches
before the first bar holds NaN, and so does everything computed from it. That is the warm-up.
"""

import math
from typing import NamedTuple

import numpy as np

from helios_core.domain.market import FloatArray
from helios_core.market.jit import kernel

CAPACITY = 250  # longest window is 241; two of them make a row, kept off powers of two
DAY_BARS = 1_440

# cells; the number behind a name is how many it takes
COUNT = 0  # 1
LAST = 1  # 4: high, low, close, return of the bar before
ATR = 5  # 2
SIGMA = 7  # 5
MACD = 12  # 6: three averages
ADX = 18  # 5
RSI = 23  # 4: two averages
RSI_SHORT = 27  # 4
EMA_LONG = 31  # 2
STC = 33  # 8: four averages
TRIX = 41  # 7: three averages and the last value of the third
MASS = 48  # 4: two averages
KAMA = 52  # 1
FORCE = 53  # 2
DAY = 55  # 3: day, price x volume, volume
PVO = 58  # 6: three averages
BUCKET = 64  # 6: open, high, low, close, volume, minutes
CLOCK = 70  # 1: minute of the last bar
QUIET = 71  # 5: the bar of a minute without a candle
CELLS = 76

# rings
(
    CLOSES, HIGHS, LOWS, TYPICAL, SPANS, RETURNS, SQUARES, BIPOWER, GARMAN_KLASS, VOLUMES,
    LOG_VOLUMES, FLOW, MONEY, ILLIQUID, VORTEX_UP, VORTEX_DOWN, PRESSURE, CHANGES, MASS_RATIO,
    RSI_VALUES, RSI_PLACES, STC_MACD, STC_PLACES, DRAWDOWNS, RINGS,
) = range(25)  # fmt: skip

# ranked windows of the base timeframe; the coarse ones have one, for the true range
(
    RANK_ATR, RANK_WIDTH, RANK_ULCER, RANK_RV_15, RANK_RV_60, RANK_FORCE, RANK_ILLIQUID, RANKS,
) = range(8)  # fmt: skip


class Memory(NamedTuple):
    """One timeframe; every array is a view into the flat state of its pair.

    Attributes
    ----------
    cells : ndarray of shape (CELLS,)
    held : ndarray of shape (2, 8)
        Raw and normalized values of the last complete bar, coarse timeframes only.
    rings : ndarray of shape (RINGS, 2 * CAPACITY)
    day : ndarray of shape (1, 2 * DAY_BARS)
        Volumes of a day; one bar on the coarse timeframes.
    ranked, ordered : ndarray of shape (n, window)
        Values of a ranked window as they came, and those known in rising order.
    ranks : ndarray of shape (n, 2)
        Values seen, values known.
    """

    cells: FloatArray
    held: FloatArray
    rings: FloatArray
    day: FloatArray
    ranked: FloatArray
    ordered: FloatArray
    ranks: FloatArray


class State(NamedTuple):
    """All timeframes of one pair."""

    base: Memory
    five: Memory
    fifteen: Memory


class Bar(NamedTuple):
    """A bar and what every family needs of it; NaN where there is no bar before."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    last_high: float
    last_low: float
    last_close: float
    ret: float  # log return
    last_ret: float
    typical: float
    span: float  # true range
    atr: float
    sigma: float  # of log returns, one bar ago
    end: int  # column of this bar in the rings


# bars of a day, ranked windows and their length; one row a timeframe
_BASE, _FIVE, _FIFTEEN = (DAY_BARS, RANKS, DAY_BARS), (1, 1, 288), (1, 1, 96)


def _size(day: int, ranked: int, window: int) -> int:
    return CELLS + 16 + 2 * CAPACITY * RINGS + 2 * day + 2 * ranked * (window + 1)


_SIZES = tuple(_size(*form) for form in (_BASE, _FIVE, _FIFTEEN))


def new_state() -> FloatArray:
    """Return the flat state of a pair that has seen nothing; the first bar sets it up."""
    return np.full(sum(_SIZES), np.nan)


@kernel
def view(flat: FloatArray) -> State:
    """Return the named views into a flat state."""
    first, second = _SIZES[0], _SIZES[0] + _SIZES[1]
    return State(
        _memory(flat[:first], *_BASE),
        _memory(flat[first:second], *_FIVE),
        _memory(flat[second:], *_FIFTEEN),
    )


@kernel
def _memory(flat: FloatArray, day: int, ranked: int, window: int) -> Memory:
    a = CELLS + 16
    b = a + 2 * CAPACITY * RINGS
    c = b + 2 * day
    d = c + ranked * window
    e = d + ranked * window
    return Memory(
        flat[:CELLS],
        flat[CELLS:a].reshape((2, 8)),
        flat[a:b].reshape((RINGS, 2 * CAPACITY)),
        flat[b:c].reshape((1, 2 * day)),
        flat[c:d].reshape((ranked, window)),
        flat[d:e].reshape((ranked, window)),
        flat[e : e + 2 * ranked].reshape((ranked, 2)),
    )


@kernel
def forget(flat: FloatArray) -> None:
    """Set a state to where it has seen nothing."""
    flat[:] = math.nan
    for memory in view(flat):
        memory.cells[:] = 0.0
        memory.cells[LAST : LAST + 4] = math.nan
        for at in (TRIX + 6, KAMA, DAY, CLOCK):
            memory.cells[at] = math.nan
        memory.ranks[:] = 0.0

"""Triple-barrier labels: what a trade entered at the next bar's open would have met first.

Lopez de Prado (2018), "Advances in Financial Machine Learning", chapters 3 and 4.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from helios_core.domain.market import (
    BoolArray,
    CandleFrame,
    FloatArray,
    IntArray,
    TimeArray,
    Timeframe,
)
from helios_core.errors import ModelError
from helios_core.network.config import LabelConfig

Int8Array = NDArray[np.int8]

TIME_OUT, UP, DOWN, BOTH = 0, 1, 2, 3

_Touches = tuple[Int8Array, IntArray, FloatArray, FloatArray]
_Scan = Callable[[FloatArray, FloatArray, BoolArray, int], _Touches]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels of one pair; arrays of shape (T,), one entry per candle.

    Attributes
    ----------
    as_of : ndarray of datetime64[us]
        Close of the deciding bar.
    valid : ndarray of bool
        False where volatility warms up, the horizon is not complete or a bar in it is missing;
        every other array is meaningless there (NaN or 0).
    outcome : ndarray of int8
        -1 SELL, 0 HOLD, +1 BUY.
    touch : ndarray of int8
        ``TIME_OUT``, ``UP``, ``DOWN``, or ``BOTH`` when one bar met both barriers (HOLD).
    end : ndarray of int64
        Row of the bar that settled the label; `end_time` is the close of that bar (t1).
    barrier_up, barrier_down : ndarray of float64
        Distance from the entry as a positive fraction; also there for rows that are not valid.
    long_return, short_return : ndarray of float64
        Fraction earned by a trade that side, before cost. Where one bar met both barriers each
        side is charged its stop, because the order within the bar is unknown.
    horizon_return : ndarray of float64
        Log return from the entry to the close of the last bar of the horizon.
    volatility : ndarray of float64
        Standard deviation of the horizon's log return as known at the decision.
    """

    pair: str
    as_of: TimeArray
    valid: BoolArray
    outcome: Int8Array
    touch: Int8Array
    end: IntArray
    end_time: TimeArray
    barrier_up: FloatArray
    barrier_down: FloatArray
    long_return: FloatArray
    short_return: FloatArray
    horizon_return: FloatArray
    volatility: FloatArray
    cost: float

    def __len__(self) -> int:
        return len(self.as_of)

    @property
    def net_return(self) -> FloatArray:
        """Realized return after cost on the side of the label; on HOLD, that of the better side."""
        better = np.maximum(self.long_return, self.short_return)
        sided = np.where(self.outcome > 0, self.long_return, self.short_return)
        return np.where(self.outcome == 0, better, sided) - self.cost


def triple_barrier(candles: CandleFrame, config: LabelConfig) -> Labels:
    """Label every candle with the barrier that a trade entered at the next open met first.

    Parameters
    ----------
    candles : CandleFrame of T rows
        One pair and timeframe, closed bars, oldest first.
    config : LabelConfig
        Horizon, barrier widths, cost floor.

    Returns
    -------
    Labels
        Arrays of shape (T,). A bar that meets both barriers gives HOLD, as does a time-out.

    Raises
    ------
    ModelError
        If there are no candles.
    """
    if candles.is_empty():
        raise ModelError("labels need candles, found none; import market data first")
    bar = np.timedelta64(Timeframe(candles["timeframe"][0]).duration)
    opened = open_times(candles)
    prices = candles.select("open", "high", "low", "close").to_numpy()
    sigma, up, down = barriers(candles, config)
    whole = _complete(opened, bar, config.horizon)
    valid = whole & np.isfinite(up)
    touch, end, long, short = _scan()(
        np.ascontiguousarray(prices), np.stack([up, down], axis=1), valid, config.horizon
    )
    horizon_return = np.full(len(opened), np.nan)
    rows = np.flatnonzero(valid)
    horizon_return[rows] = np.log(prices[rows + config.horizon, 3] / prices[rows + 1, 0])
    return Labels(
        pair=str(candles["pair"][0]),
        as_of=opened + bar,
        valid=valid,
        outcome=np.array([0, 1, -1, 0], np.int8)[touch],
        touch=touch,
        end=end,
        end_time=opened[end] + bar,
        barrier_up=up,
        barrier_down=down,
        long_return=long,
        short_return=short,
        horizon_return=horizon_return,
        volatility=sigma,
        cost=config.cost,
    )


def bar_volatility(candles: CandleFrame, config: LabelConfig) -> FloatArray:
    """Return the standard deviation of one-bar log returns known one bar earlier, shape (T,).

    Exponentially weighted mean of squares with weights normalized to one; NaN until `halflife`
    returns were seen. A return across missing bars is left out.
    """
    bar = Timeframe(candles["timeframe"][0]).duration
    step = candles["open_time"].diff()
    returns = (candles["close"] / candles["close"].shift(1)).log()
    squares = pl.select(
        pl.when(pl.Series(step == bar)).then(pl.Series(returns * returns)).otherwise(None)
    ).to_series()
    variance = squares.ewm_mean(
        half_life=config.halflife, adjust=True, ignore_nulls=True, min_samples=int(config.halflife)
    )
    lagged = variance.forward_fill().shift(1)  # across a hole the last known variance stands
    known = np.asarray(lagged.cast(pl.Float64).fill_null(np.nan).to_numpy(), np.float64)
    return np.sqrt(known)


def barriers(
    candles: CandleFrame, config: LabelConfig
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return horizon volatility, upper and lower barrier distance of every bar, each (T,).

    Fractions; a distance is ``max(k * sigma * sqrt(horizon), cost_multiple * cost)``, NaN while
    volatility warms up.
    """
    sigma = bar_volatility(candles, config) * math.sqrt(config.horizon)
    floor = config.cost_multiple * config.cost
    tiny = float(np.finfo(np.float64).eps)  # a market that does not move still needs a barrier
    up = np.maximum(config.k_up * sigma, max(floor, tiny))
    down = np.minimum(np.maximum(config.k_down * sigma, max(floor, tiny)), 0.99)
    return sigma, up, down


def uniqueness(start: IntArray, end: IntArray, length: int) -> FloatArray:
    """Return the share of each label that it does not share with others, shape (N,).

    Label i lives on bars ``start[i] + 1 .. end[i]``. With c the number of labels alive on a bar,
    uniqueness is the mean of 1/c over a label's bars; its sum is the effective sample size
    (Lopez de Prado 2018, section 4.3).

    Parameters
    ----------
    start, end : ndarray of int64, shape (N,)
        Deciding bar and settling bar, ``start < end < length``.
    length : int
        Bars on the axis.
    """
    alive = np.zeros(length + 1, np.int64)
    np.add.at(alive, start + 1, 1)
    np.add.at(alive, end + 1, -1)
    count = np.cumsum(alive)[:length]
    share = np.concatenate([[0.0], np.cumsum(1.0 / np.maximum(count, 1))])
    return np.asarray((share[end + 1] - share[start + 1]) / (end - start), np.float64)


def open_times(candles: CandleFrame) -> TimeArray:
    """Return the open times as datetime64[us] without zone, shape (T,)."""
    return np.asarray(candles["open_time"].dt.replace_time_zone(None).to_numpy(), "datetime64[us]")


def _complete(opened: TimeArray, bar: np.timedelta64, horizon: int) -> BoolArray:
    whole = np.zeros(len(opened), np.bool_)
    if len(opened) > horizon:
        whole[:-horizon] = opened[horizon:] - opened[:-horizon] == horizon * bar
    return whole


@functools.cache
def _scan() -> _Scan:
    from numba import njit

    return cast("_Scan", njit(cache=True)(_first_touch))


def _first_touch(
    prices: FloatArray, distance: FloatArray, valid: BoolArray, horizon: int
) -> _Touches:
    """Walk each label to its first barrier; prices (T, 4) open high low close, distance (T, 2)."""
    bars = len(prices)
    touch = np.zeros(bars, np.int8)
    end = np.arange(bars)
    long = np.full(bars, np.nan)
    short = np.full(bars, np.nan)
    for t in range(bars):
        if not valid[t]:
            continue
        entry = prices[t + 1, 0]
        top = entry * (1.0 + distance[t, 0])
        bottom = entry * (1.0 - distance[t, 1])
        end[t] = t + horizon
        long[t] = prices[t + horizon, 3] / entry - 1.0
        short[t] = -long[t]
        for i in range(t + 1, t + horizon + 1):
            above = prices[i, 1] >= top
            below = prices[i, 2] <= bottom
            if above or below:
                # a stop fills no better than the open of the bar that jumped over it
                stopped_long = min(bottom, prices[i, 0]) / entry - 1.0
                stopped_short = 1.0 - max(top, prices[i, 0]) / entry
                long[t] = stopped_long if below else distance[t, 0]
                short[t] = stopped_short if above else distance[t, 1]
                touch[t] = (UP if above else 0) + (DOWN if below else 0)
                end[t] = i
                break
    return touch, end, long, short

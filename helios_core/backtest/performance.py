"""What a run of trades was worth: return, risk, costs, and the same for doing nothing clever."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from helios_core.domain.market import FloatArray
from helios_core.domain.trading import Fill, Side
from helios_core.errors import DataError

YEAR = timedelta(days=365)  # crypto markets never close


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A sale measured against the average cost of what it sold; fees of both sides are in it."""

    pair: str
    closed_at: datetime
    quantity: Decimal
    profit: Decimal  # quote currency


@dataclass(frozen=True, slots=True)
class Performance:
    """Numbers of one equity curve. A ratio that cannot be computed is NaN, never 0."""

    total_return: float  # fraction
    annual_volatility: float  # fraction
    sharpe: float  # annualized, no risk-free rate
    max_drawdown: float  # fraction of the peak, >= 0
    turnover: float  # traded notional over mean equity
    fees: float  # quote currency
    fills: int
    round_trips: int
    hit_rate: float  # share of round trips with a profit after fees


def performance(equity: FloatArray, step: timedelta, fills: Sequence[Fill]) -> Performance:
    """Return the performance of an equity curve and of the fills that made it.

    Parameters
    ----------
    equity : ndarray of shape (T,)
        Quote currency, marked every `step`; finite and positive.
    step : timedelta
        Time between two marks.
    fills : sequence of Fill
        In the order they happened; fees in quote currency.

    Raises
    ------
    DataError
        If the curve has fewer than two marks or one that is not finite and positive.
    """
    returns = simple_returns(equity)
    closed = round_trips(fills)
    traded = float(sum((fill.price * fill.quantity for fill in fills), Decimal(0)))
    wins = sum(trip.profit > 0 for trip in closed)
    return Performance(
        total_return=float(equity[-1] / equity[0] - 1),
        annual_volatility=annual_volatility(returns, step),
        sharpe=sharpe(returns, step),
        max_drawdown=max_drawdown(equity),
        turnover=traded / float(equity.mean()),
        fees=float(sum((fill.fee for fill in fills), Decimal(0))),
        fills=len(fills),
        round_trips=len(closed),
        hit_rate=wins / len(closed) if closed else math.nan,
    )


def simple_returns(equity: FloatArray) -> FloatArray:
    """Return ``equity[t] / equity[t - 1] - 1``, shape (T - 1,)."""
    if equity.ndim != 1 or len(equity) < 2 or not np.all(np.isfinite(equity) & (equity > 0)):
        raise DataError(
            f"an equity curve needs at least two finite positive marks, found shape {equity.shape}"
            f", lowest {equity.min() if equity.size else 'none'}"
        )
    return np.asarray(equity[1:] / equity[:-1] - 1)


def annual_volatility(returns: FloatArray, step: timedelta) -> float:
    """Return the standard deviation of a year's return; NaN for fewer than two returns."""
    if len(returns) < 2:
        return math.nan
    return float(returns.std(ddof=1)) * math.sqrt(YEAR / step)


def sharpe(returns: FloatArray, step: timedelta) -> float:
    """Return mean over standard deviation, annualized by the square root of time.

    NaN where there is no variation: a book that never traded has no Sharpe ratio.
    """
    volatility = annual_volatility(returns, step)
    if not volatility > 0:
        return math.nan
    return float(returns.mean()) * (YEAR / step) / volatility


def max_drawdown(equity: FloatArray) -> float:
    """Return the largest fall below an earlier peak, as a fraction of that peak."""
    peak = np.maximum.accumulate(equity)
    return float(np.max(1 - equity / peak))


def buy_and_hold(prices: FloatArray, cost: float) -> FloatArray:
    """Return the curve, from 1, of an equal split at the first prices that is never touched.

    Parameters
    ----------
    prices : ndarray of shape (T, N)
        Quote per base, finite and positive.
    cost : float
        Fraction paid at the purchase.

    Returns
    -------
    ndarray of shape (T,)
        Marked at `prices`; the first value is already after the purchase.
    """
    return np.asarray((prices / prices[0]).mean(axis=1) * (1 - cost))


def round_trips(fills: Sequence[Fill]) -> list[RoundTrip]:
    """Return every sale with its profit against the average cost of the position, fees included.

    Raises
    ------
    DataError
        If more is sold than was bought: the fills do not tell the whole story.
    """
    held: dict[str, Decimal] = {}
    cost: dict[str, Decimal] = {}
    trips = []
    for fill in fills:
        quantity, paid = held.get(fill.pair, Decimal(0)), cost.get(fill.pair, Decimal(0))
        notional = fill.price * fill.quantity
        if fill.side is Side.BUY:
            held[fill.pair] = quantity + fill.quantity
            cost[fill.pair] = paid + notional + fill.fee
            continue
        if fill.quantity > quantity:
            raise DataError(
                f"{fill.exec_id} sells {fill.quantity} {fill.pair}, but only {quantity} was bought"
            )
        share = paid * fill.quantity / quantity
        held[fill.pair], cost[fill.pair] = quantity - fill.quantity, paid - share
        trips.append(RoundTrip(fill.pair, fill.ts, fill.quantity, notional - fill.fee - share))
    return trips

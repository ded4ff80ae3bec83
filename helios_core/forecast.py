"""Tiers 2 and 3 over all bars at once: signals and volatility as they were known at every close.

A backtest calls `forecast` once with all of history, live calls it with the recent bars and reads
the last row. Row t depends on bars up to t alone.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

from helios_core.domain.decisions import Signal, SignalFrame
from helios_core.domain.market import (
    CandleFrame,
    FeatureFrame,
    FloatArray,
    IntArray,
    TimeArray,
    Timeframe,
)
from helios_core.errors import ConfigError, DataError
from helios_core.execution.config import ExecutionConfig
from helios_core.portfolio.config import PortfolioConfig
from helios_core.risk.config import RiskConfig
from helios_core.risk.volatility import VolatilityForecast, forecast_volatility
from helios_core.strategy.config import StrategyConfig


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides besides data: two runs with the same hash decide alike.

    Parameters
    ----------
    quote : str
        Currency of the book; every pair is quoted in it.
    horizon : int
        Bars that a position is meant to be held.
    timeframe : Timeframe
        Of the deciding bar.
    history : int
        Bars read for a decision; the slowest indicator has to settle in them.
    window : int
        Bars of returns behind correlations and the usual turnover.
    max_age : timedelta
        The newest closed bar may be this old at the decision.
    view_lifetime : timedelta
        How long a view of the strategist holds.
    opening_cash : float
        Of a book at its first use, quote currency.
    """

    quote: str
    horizon: int
    risk: RiskConfig = field(default_factory=RiskConfig)
    strategy: StrategyConfig = field(default_factory=StrategyConfig)
    portfolio: PortfolioConfig = field(default_factory=PortfolioConfig)
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)
    timeframe: Timeframe = Timeframe.M1
    history: int = 20_160
    window: int = 1_440
    max_age: timedelta = timedelta(minutes=5)
    view_lifetime: timedelta = timedelta(hours=4)
    opening_cash: float = 100_000.0

    def __post_init__(self) -> None:
        if not 1 <= self.horizon <= 100_000:
            raise ConfigError(f"horizon must be from 1 to 100,000 bars, found {self.horizon}")
        if not 2 <= self.window <= self.history:
            raise ConfigError(
                f"window must be at least 2 bars and at most history ({self.history}), "
                f"found {self.window}"
            )
        if self.risk.volatility.bar_minutes != self.timeframe.minutes:
            raise ConfigError(
                f"risk volatility bar_minutes must be that of the {self.timeframe} bars that "
                f"decide, found {self.risk.volatility.bar_minutes}"
            )
        if self.max_age < timedelta(0) or self.view_lifetime <= timedelta(0):
            raise ConfigError(
                f"max_age must not be negative and view_lifetime must be positive, "
                f"found {self.max_age} and {self.view_lifetime}"
            )
        if not 0 < self.opening_cash < float("inf"):
            raise ConfigError(f"opening_cash must be positive, found {self.opening_cash}")

    @property
    def hash(self) -> str:
        """sha256 of all fields as canonical JSON, hex."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()


class Scorer(Protocol):
    """A model of tier 2, ready to score; bootstrap binds it, so that the cycle needs no torch."""

    def __call__(self, features: FeatureFrame, candles: CandleFrame) -> SignalFrame:
        """Return the signals of every feature row."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PairForecast:
    """What was known of one pair at the close of each bar; arrays of shape (T,).

    Attributes
    ----------
    closed_at : ndarray of datetime64[us]
        Close of the bar, from which on its row may be used.
    close : ndarray of float64
        Last price, quote per base.
    turnover : ndarray of float64
        Mean quote volume of a bar over the policy's window.
    signals : SignalFrame or None
        None when there was no model to ask.
    signal_row : ndarray of int64
        Row of `signals` for each bar, -1 where there is none.
    """

    pair: str
    closed_at: TimeArray
    close: FloatArray
    turnover: FloatArray
    volatility: VolatilityForecast
    signals: SignalFrame | None
    signal_row: IntArray

    def row_at(self, as_of: datetime) -> int:
        """Return the row of the newest bar closed at `as_of`, -1 when there is none."""
        return int(np.searchsorted(self.closed_at, moment(as_of), side="right")) - 1

    def signal(self, row: int, horizon: int) -> Signal:
        """Return the signal of a row; it abstains and says why when there is none to use."""
        as_of = instant(self.closed_at[row])
        if self.signals is None:
            return abstention(self.pair, as_of, horizon, "no promoted model")
        at, frame = int(self.signal_row[row]), self.signals
        values = (frame.p_sell, frame.p_hold, frame.p_buy, frame.p_hit, frame.p_up,
                  frame.barrier_up, frame.barrier_down)  # fmt: skip
        if at < 0 or not all(np.isfinite(value[at]) for value in values):
            reason = "features or volatility are still warming up, or too many are missing"
            return abstention(self.pair, as_of, frame.horizon, reason)
        sell, hold, buy, hit, rise, barrier_up, barrier_down = (float(v[at]) for v in values)
        return Signal(
            pair=self.pair,
            as_of=as_of,
            p_sell=sell,
            p_hold=hold,
            p_buy=buy,
            p_hit=hit,
            p_up=rise,
            horizon=frame.horizon,
            barrier_up=barrier_up,
            barrier_down=barrier_down,
            model_id=frame.model_id,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Forecasts of all pairs, and their returns between the bars that all of them have.

    Attributes
    ----------
    common_at : ndarray of datetime64[us], shape (G,)
        Closes at which every pair has a bar.
    returns : ndarray of float64, shape (G, N)
        Log returns since the common bar before; the first row is zero.
    """

    pairs: tuple[PairForecast, ...]
    common_at: TimeArray
    returns: FloatArray

    def window(self, as_of: datetime, bars: int) -> FloatArray:
        """Return at most the last `bars` rows of `returns` known at `as_of`, shape (W, N)."""
        end = int(np.searchsorted(self.common_at, moment(as_of), side="right"))
        return self.returns[max(end - bars, min(1, end)) : end]


def forecast(
    candles_by_pair: Mapping[str, CandleFrame],
    features_by_pair: Mapping[str, FeatureFrame],
    scorer: Scorer | None,
    policy: Policy,
) -> Forecasts:
    """Return signals and volatility of every pair at every bar.

    Parameters
    ----------
    candles_by_pair : mapping of pair to CandleFrame
        Closed bars of the policy's timeframe; the order of the pairs is kept.
    features_by_pair : mapping of pair to FeatureFrame
        Needed only with a scorer.
    scorer : Scorer or None
        None makes every signal abstain.

    Raises
    ------
    DataError
        If a pair has no candles, those of another timeframe, or no features to score.
    """
    pairs = tuple(
        _forecast_pair(pair, candles, features_by_pair.get(pair), scorer, policy)
        for pair, candles in candles_by_pair.items()
    )
    common = pairs[0].closed_at
    for one in pairs[1:]:
        common = np.intersect1d(common, one.closed_at, assume_unique=True)
    logs = np.column_stack([np.log(p.close[np.isin(p.closed_at, common)]) for p in pairs])
    return Forecasts(pairs, common, np.diff(logs, axis=0, prepend=logs[:1]))


def _forecast_pair(
    pair: str,
    candles: CandleFrame,
    features: FeatureFrame | None,
    scorer: Scorer | None,
    policy: Policy,
) -> PairForecast:
    if candles.is_empty() or candles["timeframe"][0] != policy.timeframe.value:
        found = "none" if candles.is_empty() else candles["timeframe"][0]
        raise DataError(f"{pair} needs closed {policy.timeframe} candles, found {found}")
    closed_at = closes_of(candles, policy.timeframe)
    close = candles["close"].to_numpy()
    signals, row = None, np.full(len(closed_at), -1, dtype=np.int64)
    if scorer is not None:
        if features is None:
            raise DataError(f"{pair} has no features to score")
        signals = scorer(features, candles)
        row = _rows_at(signals.as_of, closed_at)
    return PairForecast(
        pair=pair,
        closed_at=closed_at,
        close=close,
        turnover=_rolling_mean(close * candles["volume"].to_numpy(), policy.window),
        volatility=volatility_of(candles, policy),
        signals=signals,
        signal_row=row,
    )


def volatility_of(candles: CandleFrame, policy: Policy) -> VolatilityForecast:
    """Return the volatility known at the close of each bar over the policy's horizon.

    A return over fewer missing bars than a block of tier 3 has counts for the bar that it ends in,
    so that a pair that trades rarely does not look calm. Over a longer hole it is not known.
    """
    opened = opens_of(candles)
    returns = log_returns(candles["close"].to_numpy())
    block = np.timedelta64(policy.risk.volatility.block_minutes, "m")
    returns[1:][np.diff(opened) > block] = np.nan
    return forecast_volatility(returns, policy.horizon, policy.risk, open_time=opened)


def log_returns(close: FloatArray) -> FloatArray:
    """Return log returns since the bar before, shape (T,); the first one is not known, NaN."""
    return np.diff(np.log(close), prepend=np.nan)


def opens_of(candles: CandleFrame) -> TimeArray:
    """Return when each bar opened, shape (T,), datetime64[us] UTC."""
    opened = candles["open_time"].dt.replace_time_zone(None).to_numpy()
    return np.asarray(opened.astype("datetime64[us]"))


def closes_of(candles: CandleFrame, timeframe: Timeframe) -> TimeArray:
    """Return when each bar closed, shape (T,), datetime64[us] UTC."""
    return np.asarray(opens_of(candles) + np.timedelta64(timeframe.duration))


def moment(at: datetime) -> np.datetime64:
    """Return an aware time as datetime64[us] UTC."""
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")


def instant(at: np.datetime64) -> datetime:
    """Return a datetime64 in UTC as an aware time."""
    found: datetime = at.astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)


def abstention(pair: str, as_of: datetime, horizon: int, reason: str) -> Signal:
    """Return the signal of a pair that no model has anything to say about."""
    return Signal(
        pair=pair,
        as_of=as_of,
        p_sell=0.0,
        p_hold=1.0,
        p_buy=0.0,
        p_hit=0.0,
        p_up=0.5,
        horizon=horizon,
        barrier_up=0.0,
        barrier_down=0.0,
        model_id=None,
        reason=reason,
    )


def _rows_at(known_at: TimeArray, wanted: TimeArray) -> IntArray:
    """Return for each wanted time the row of `known_at` that equals it, -1 for none."""
    if not len(known_at):
        return np.full(len(wanted), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known_at, wanted), len(known_at) - 1)
    return np.where(known_at[at] == wanted, at, -1).astype(np.int64)


def _rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last `window` values, of fewer at the start, shape (T,).

    Each window is summed on its own: a running sum would keep the rounding of what came before,
    and a short history would not give to the last bit what a long one gives.
    """
    start = min(window - 1, len(values))
    head = np.cumsum(values[:start]) / np.arange(1, start + 1)
    if len(values) < window:
        return np.asarray(head)
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    return np.concatenate([head, windows.mean(axis=1)])

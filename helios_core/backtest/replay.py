"""Backtests: the same forecast, decision and settlement as live, driven by a replayed clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from helios_core.backtest.fills import PaperBroker, PriceSource, next_open
from helios_core.backtest.memory import FrameMarket, MemoryLedger
from helios_core.backtest.performance import Performance, buy_and_hold, performance
from helios_core.cycle import Desk, settle, snapshot
from helios_core.domain.decisions import CycleRecord, StrategicView
from helios_core.domain.market import CandleFrame, FeatureFrame, FloatArray, PairRules
from helios_core.domain.trading import Fill, Mode, Skip
from helios_core.errors import DataError, StaleDataError, UsageError
from helios_core.execution.costs import crossing, taker_fee
from helios_core.forecast import Forecasts, Policy, Scorer, forecast, instant
from helios_core.ports import Strategist
from helios_core.strategy.view import abstain


class ReplayClock:
    """A clock that stands where it was put; sleeping moves it."""

    def __init__(self, at: datetime) -> None:
        self._at = self._start = at

    def now(self) -> datetime:
        """Return the replayed time."""
        return self._at

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return (self._at - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Move forward."""
        self._at += timedelta(seconds=seconds)

    def move_to(self, at: datetime) -> None:
        """Stand at `at`, which is not before now."""
        if at < self._at:
            raise UsageError(f"a clock cannot go back from {self._at} to {at}")
        self._at = at


class Silent:
    """A strategist without a provider: it abstains."""

    def view(self, as_of: datetime, brief: str, valid_for: timedelta) -> StrategicView:  # noqa: ARG002
        """Return an abstention."""
        return abstain(as_of, "backtests ask no provider", valid_for)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a backtest replays; mappings by pair, all of one timeframe."""

    candles: Mapping[str, CandleFrame]
    features: Mapping[str, FeatureFrame]
    rules: Mapping[str, PairRules]


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """A replayed run.

    Attributes
    ----------
    at : tuple of datetime, length T
        Times of the decisions.
    equity : ndarray of shape (T,)
        After each cycle, marked at the closes known then, quote currency.
    benchmark : ndarray of shape (T,)
        The same cash split equally over the pairs at the first decision and held.
    missed : tuple of datetime
        Times at which the data was too old to decide.
    performance, benchmark_performance : Performance
        From the opening cash on, so that every cost is in them.
    """

    at: tuple[datetime, ...]
    equity: FloatArray
    benchmark: FloatArray
    records: tuple[CycleRecord, ...]
    missed: tuple[datetime, ...]
    performance: Performance
    benchmark_performance: Performance

    @property
    def fills(self) -> tuple[Fill, ...]:
        """All fills, oldest first."""
        return tuple(fill for record in self.records for fill in record.fills)

    @property
    def skips(self) -> tuple[tuple[datetime, Skip], ...]:
        """All trades that were not made, with the time of their decision."""
        return tuple((r.decision.as_of, skip) for r in self.records for skip in r.decision.skips)


def run_backtest(
    history: History,
    scorer: Scorer | None,
    policy: Policy,
    every: int,
    *,
    start: datetime | None = None,
    prices: PriceSource | None = None,
) -> BacktestResult:
    """Replay `history` and return what the desk would have decided and earned.

    Parameters
    ----------
    history : History
        Features are needed only with a scorer.
    scorer : Scorer or None
        None replays a desk without a model: it stays flat.
    every : int
        Bars between two decisions, which fall on whole multiples of that time since midnight UTC.
    start : datetime, optional
        First time to decide at; default: once the returns fill the policy's window.
    prices : PriceSource, optional
        What orders fill at; default: the open of the next bar.

    Raises
    ------
    DataError
        If fewer than two decisions fit into the data.
    """
    forecasts = forecast(history.candles, history.features, scorer, policy)
    times = decision_times(forecasts, policy, every, start)
    desk = replay_desk(history, scorer, policy, forecasts, prices)
    at, records, missed = [], [], []
    for as_of in times:
        try:
            seen = snapshot(desk, forecasts, as_of)
        except StaleDataError:
            missed.append(as_of)
            continue
        records.append(settle(desk, seen))
        at.append(as_of)
    if len(at) < 2:
        raise DataError(
            f"a backtest needs at least two decisions, found {len(at)} in "
            f"{len(forecasts.common_at)} common bars of {list(history.candles)}; "
            f"bring more data or decide more often"
        )
    return _result(desk, forecasts, tuple(at), tuple(records), tuple(missed), every)


def decision_times(
    forecasts: Forecasts, policy: Policy, every: int, start: datetime | None
) -> list[datetime]:
    """Return the times to decide at, oldest first."""
    if every < 1:
        raise UsageError(f"every must be at least 1 bar, found {every}")
    common = forecasts.common_at
    if len(common) <= policy.window:
        raise DataError(
            f"the pairs share {len(common)} bars, a backtest needs more than the policy's window "
            f"of {policy.window}; bring more data or a smaller window"
        )
    first = (start or instant(common[policy.window])).astimezone(UTC)
    step = policy.timeframe.duration * every
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    skipped = -((midnight - first) // step)  # whole steps up to `first`, rounded up
    at, last, times = midnight + skipped * step, instant(common[-1]), []
    while at <= last:
        times.append(at)
        at += step
    return times


def replay_desk(
    history: History,
    scorer: Scorer | None,
    policy: Policy,
    forecasts: Forecasts,
    prices: PriceSource | None,
) -> Desk:
    """Return a desk in memory for the replay."""
    market = FrameMarket(history.candles, history.rules)
    strategist: Strategist = Silent()
    signals = forecasts.pairs[0].signals
    return Desk(
        clock=ReplayClock(instant(forecasts.common_at[-1])),
        market=market,
        ledger=MemoryLedger(),
        broker=PaperBroker(prices or next_open(history.candles), market.rules, policy.execution),
        strategist=strategist,
        scorer=scorer,
        policy=policy,
        mode=Mode.BACKTEST,
        book="backtest",
        run_id="backtest",
        model_id=signals.model_id if signals is not None else None,
    )


def _result(
    desk: Desk,
    forecasts: Forecasts,
    at: tuple[datetime, ...],
    records: tuple[CycleRecord, ...],
    missed: tuple[datetime, ...],
    every: int,
) -> BacktestResult:
    policy = desk.policy
    equity = np.array([record.equity_after for record in records])
    closes = np.array([[p.close[p.row_at(moment)] for p in forecasts.pairs] for moment in at])
    rules = [desk.market.rules(p.pair) for p in forecasts.pairs]
    cost = float(crossing(policy.execution)) + float(
        np.mean([float(taker_fee(one, policy.execution)) for one in rules])
    )
    benchmark = policy.opening_cash * buy_and_hold(closes, cost)
    step = policy.timeframe.duration * every
    fills = tuple(fill for record in records for fill in record.fills)
    opening = [policy.opening_cash]  # so that the first purchase is paid for too
    return BacktestResult(
        at=at,
        equity=equity,
        benchmark=benchmark,
        records=records,
        missed=missed,
        performance=performance(np.concatenate([opening, equity]), step, fills),
        benchmark_performance=performance(np.concatenate([opening, benchmark]), step, ()),
    )

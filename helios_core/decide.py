"""The decision of a cycle as a pure function: no clock, no input or output, no randomness.

`decide` takes what is known at one time through sizing, the strategist, the optimizer and order
planning. Backtest, paper and live call it; they differ in where the snapshot comes from and in who
takes the orders.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from helios_core.domain.decisions import (
    Decision,
    RiskDecision,
    Signal,
    Stage,
    StrategicView,
    TargetPortfolio,
)
from helios_core.domain.market import BoolArray, FloatArray, PairRules
from helios_core.domain.trading import Account, Mode, Skip
from helios_core.errors import SafetyError
from helios_core.execution.costs import exact, round_trip_cost
from helios_core.execution.plan import Plan, Tradable, plan_orders
from helios_core.forecast import Policy
from helios_core.portfolio.mean_variance import solve
from helios_core.portfolio.moments import moments
from helios_core.portfolio.rebalance import Holding, rebalance
from helios_core.risk.assess import assess
from helios_core.risk.limits import RiskAccount, is_halted
from helios_core.risk.volatility import VolatilityPoint
from helios_core.strategy.governor import govern

NO_MODEL = "NO_MODEL"
NO_SIGNAL = "NO_SIGNAL"
RISK_VETO = "RISK_VETO"
NO_EDGE = "NO_EDGE"
NEW_ENTRIES_HALTED = "NEW_ENTRIES_HALTED"
NOT_CHOSEN = "NOT_CHOSEN"
INSIDE_BAND = "INSIDE_BAND"

ROUNDING = 1e-9  # weights closer than this are the same weight


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """A book at known prices; a share of it is NaN when it has no equity."""

    account: Account
    marks: Mapping[str, float]  # last price of every pair held or asked for

    @property
    def equity(self) -> Decimal:
        """Cash plus positions, quote currency."""
        return self.account.equity({pair: exact(price) for pair, price in self.marks.items()})

    def weight(self, pair: str) -> float:
        """Return the share of equity that is held in `pair`."""
        equity = self.equity
        held = self.account.quantity(pair) * exact(self.marks[pair])
        return float(held / equity) if equity > 0 else math.nan

    @property
    def drawdown(self) -> float:
        """Fall of equity below its peak, as a fraction of the peak."""
        equity = self.equity
        peak = max(self.account.peak_equity, equity)
        return float(1 - equity / peak) if peak > 0 else math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All that a decision may look at. Tuples are in the order of `pairs`.

    Attributes
    ----------
    prices : tuple of float
        Last closes, quote per base.
    turnover : tuple of float
        Mean quote volume of a bar.
    returns : ndarray of shape (W, N)
        Log returns between the bars that all pairs have, oldest first.
    marks : tuple of (pair, price)
        Last prices of every pair that the book holds or decides on.
    """

    as_of: datetime
    mode: Mode
    book: str
    pairs: tuple[str, ...]
    rules: tuple[PairRules, ...]
    signals: tuple[Signal, ...]
    volatility: tuple[VolatilityPoint, ...]
    prices: tuple[float, ...]
    turnover: tuple[float, ...]
    returns: FloatArray
    marks: tuple[tuple[str, float], ...]
    account: Account
    view: StrategicView
    model_id: str | None
    forced: bool
    feature_set: str
    data_as_of: datetime

    @property
    def worth(self) -> Worth:
        """What the book is worth at the marks."""
        return Worth(self.account, dict(self.marks))

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at the marks, quote currency."""
        return self.worth.equity

    @property
    def weights(self) -> tuple[float, ...]:
        """Share of equity that each pair holds now."""
        return tuple(self.worth.weight(pair) for pair in self.pairs)


def decision_id(
    mode: Mode,
    book: str,
    as_of: datetime,
    pairs: tuple[str, ...],
    model: tuple[str | None, bool],
    policy: Policy,
) -> str:
    """Return 16 hex digits that name a decision before it is made; `model` is (id, forced).

    The same desk asked again about the same bar gives the same id, so nothing is decided twice.
    """
    parts = [mode.value, book, as_of.astimezone(UTC).isoformat(), list(pairs), *model, policy.hash]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def decide(snapshot: Snapshot, policy: Policy) -> Decision:
    """Return every tier's answer to `snapshot` and the orders they lead to.

    The order of application: signal, shrunk Kelly, volatility target, concentration, drawdown,
    strategist, optimizer, rebalancing band, liquidity and venue rounding, hard limits. Nothing
    after Kelly raises a size. A trade that some step removes leaves a `Skip`.

    Raises
    ------
    SafetyError
        If the book has no equity, or a weight came out above what tier 3 allowed.
    """
    if snapshot.equity <= 0:
        raise SafetyError(
            f"book {snapshot.book} has an equity of {snapshot.equity:.2f} "
            f"{snapshot.account.quote}; nothing can be sized. Check its fills and prices."
        )
    # No view before this one is kept, so a multiplier may rise at once; it never exceeds 1.
    view = govern(snapshot.view, None, policy.strategy, as_of=snapshot.as_of)
    risks = tuple(_size(snapshot, i, view, policy) for i in range(len(snapshot.pairs)))
    if snapshot.model_id is None:
        target = _untouched(snapshot, "no promoted model")
        skips = tuple(_without_model(snapshot, pair) for pair in snapshot.pairs)
    else:
        upper = _upper(snapshot, risks, view, policy)
        target = _target(snapshot, risks, upper, policy)
        _require_within(target, upper)
        skips = _explain(snapshot, risks, view, target)
    identity = decision_id(
        snapshot.mode,
        snapshot.book,
        snapshot.as_of,
        snapshot.pairs,
        (snapshot.model_id, snapshot.forced),
        policy,
    )
    plan = _plan(snapshot, target, policy, identity)
    return Decision(
        decision_id=identity,
        as_of=snapshot.as_of,
        mode=snapshot.mode,
        book=snapshot.book,
        model_id=snapshot.model_id,
        forced=snapshot.forced,
        signals=snapshot.signals,
        view=view,
        risks=risks,
        target=target,
        orders=plan.orders,
        skips=skips + plan.skips,
        policy_hash=policy.hash,
        feature_set=snapshot.feature_set,
        data_as_of=snapshot.data_as_of,
    )


def _size(snapshot: Snapshot, i: int, view: StrategicView, policy: Policy) -> RiskDecision:
    """Return tier 3's answer for pair `i`, with the strategist's multiplier as the last stage."""
    account = RiskAccount(
        drawdown=snapshot.worth.drawdown, other_gross=_other_gross(snapshot, snapshot.pairs[i])
    )
    cost = round_trip_cost(snapshot.rules[i], policy.execution)
    risk = assess(snapshot.signals[i], snapshot.volatility[i], account, cost, policy.risk)
    lowered = risk.size * view.risk_multiplier
    stage = Stage("strategist", risk.size, lowered, view.regime if lowered != risk.size else "")
    binding = stage.name if stage.bound else risk.binding
    return replace(risk, stages=(*risk.stages, stage), size=lowered, binding=binding)


def _other_gross(snapshot: Snapshot, pair: str) -> float:
    """Return the weights that stay whatever is decided here: without a signal, or only held."""
    movable = {s.pair for s in snapshot.signals if not s.abstained} | {pair}
    held = [position.pair for position in snapshot.account.positions]
    return sum(abs(snapshot.worth.weight(other)) for other in held if other not in movable)


def _upper(
    snapshot: Snapshot, risks: tuple[RiskDecision, ...], view: StrategicView, policy: Policy
) -> FloatArray:
    """Return the largest weight of each pair, shape (N,).

    A spot book cannot be short. Without a signal a position may stay, but not grow, unless the
    drawdown says that nothing may be held.
    """
    current = np.array(snapshot.weights)
    upper = np.array([max(risk.size, 0.0) for risk in risks])
    if view.halt_new_entries:
        upper = np.minimum(upper, current)
    if is_halted(snapshot.worth.drawdown, False, policy.risk):
        return upper
    return np.where(_silent(snapshot), current, upper)


def _silent(snapshot: Snapshot) -> BoolArray:
    return np.array([signal.abstained for signal in snapshot.signals])


def _target(
    snapshot: Snapshot, risks: tuple[RiskDecision, ...], upper: FloatArray, policy: Policy
) -> TargetPortfolio:
    """Return tier 5's answer.

    Tier 3's edge has paid both trades; here the one that closes the position stays paid, because it
    comes whatever is done now, and the optimizer charges the one that changes it.
    """
    current, silent = np.array(snapshot.weights), _silent(snapshot)
    cost = np.array([round_trip_cost(rules, policy.execution) / 2 for rules in snapshot.rules])
    mu = np.where(silent, 0.0, np.array([risk.expected_return for risk in risks]) + cost)
    sigma = np.array([risk.sigma_horizon for risk in risks])
    cov = moments(snapshot.returns, sigma, policy.portfolio).cov
    wanted = solve(mu, cov, upper, current, np.where(silent, np.inf, cost), policy.portfolio)
    holding = Holding(snapshot.as_of, snapshot.pairs, current, upper, cost)
    return rebalance(holding, wanted, policy.portfolio)


def _untouched(snapshot: Snapshot, why: str) -> TargetPortfolio:
    """Return the target of a desk that may not trade: what it holds, or nothing."""
    current = snapshot.weights
    method = "kept" if any(current) else "flat"
    return TargetPortfolio(snapshot.as_of, snapshot.pairs, current, current, method, why, ())


def _without_model(snapshot: Snapshot, pair: str) -> Skip:
    held = snapshot.account.quantity(pair)
    kept = f"; the {held} held are left alone" if held else ""
    return Skip(pair, NO_MODEL, f"no promoted model stands behind a signal: flat{kept}")


def _require_within(target: TargetPortfolio, upper: FloatArray) -> None:
    """Raise if a weight grew beyond what tier 3 and the strategist allowed."""
    for pair, now, weight, most in zip(
        target.pairs, target.current, target.weights, upper, strict=True
    ):
        if weight > max(most, now) + ROUNDING:
            raise SafetyError(
                f"{pair}: the optimizer asks for {weight:.6f} of equity, tier 3 allows {most:.6f}; "
                f"no order was made. This is a defect, please report it."
            )


def _explain(
    snapshot: Snapshot,
    risks: tuple[RiskDecision, ...],
    view: StrategicView,
    target: TargetPortfolio,
) -> tuple[Skip, ...]:
    """Return why each pair whose weight stays where it is was not traded."""
    skips = []
    for i, (signal, risk) in enumerate(zip(snapshot.signals, risks, strict=True)):
        if abs(target.weights[i] - target.current[i]) > 0:
            continue
        code, reason = _reason(signal, risk, view, target, i)
        skips.append(Skip(signal.pair, code, reason))
    return tuple(skips)


def _reason(
    signal: Signal, risk: RiskDecision, view: StrategicView, target: TargetPortfolio, i: int
) -> tuple[str, str]:
    if signal.abstained:
        return NO_SIGNAL, signal.reason
    if risk.vetoed:
        return RISK_VETO, risk.note or risk.binding
    if risk.size <= 0:
        return NO_EDGE, f"size {risk.size:.4f} after {risk.binding}; a spot book holds no short"
    if view.halt_new_entries and risk.size > target.current[i]:
        return NEW_ENTRIES_HALTED, view.reason
    if target.current[i] == 0:
        return NOT_CHOSEN, f"the optimizer gave it no weight ({target.status})"
    return INSIDE_BAND, f"{target.weights[i]:.4f} of equity is close enough to the wanted weight"


def _plan(snapshot: Snapshot, target: TargetPortfolio, policy: Policy, identity: str) -> Plan:
    tradables = {
        rules.pair: Tradable(rules, exact(price), turnover * policy.horizon)
        for rules, price, turnover in zip(
            snapshot.rules, snapshot.prices, snapshot.turnover, strict=True
        )
    }
    return plan_orders(
        target, snapshot.account, snapshot.equity, tradables, policy.execution, identity
    )

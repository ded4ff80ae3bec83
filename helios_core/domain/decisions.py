"""What the tiers decide: signals, views, risk decisions, target weights, and the whole cycle."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from helios_core.domain.market import FloatArray, TimeArray
from helios_core.domain.trading import Fill, Mode, Order, Skip

Regime = Literal["risk_on", "neutral", "risk_off", "stress", "unknown"]


@dataclass(frozen=True, slots=True)
class Signal:
    """Tier 2 for one pair at one time. Probabilities are calibrated; the three sum to 1.

    ``model_id`` None means that there was no model to ask: the signal abstains (p_hold = 1).
    """

    pair: str
    as_of: datetime  # close of the deciding bar, UTC
    p_sell: float
    p_hold: float
    p_buy: float
    p_hit: float
    p_up: float
    horizon: int  # bars
    barrier_up: float  # fractional return at the take-profit barrier, > 0
    barrier_down: float  # fractional loss at the stop barrier, > 0
    model_id: str | None
    reason: str = ""

    @property
    def abstained(self) -> bool:
        """Whether no model stood behind this signal."""
        return self.model_id is None


@dataclass(frozen=True, slots=True, eq=False)
class SignalFrame:
    """Signals of one pair over time; arrays of shape (T,), NaN while features warm up."""

    pair: str
    as_of: TimeArray
    p_sell: FloatArray
    p_hold: FloatArray
    p_buy: FloatArray
    p_hit: FloatArray
    p_up: FloatArray
    barrier_up: FloatArray
    barrier_down: FloatArray
    horizon: int
    model_id: str


@dataclass(frozen=True, slots=True)
class Tilt:
    """A small change of one asset's weight that tier 4 asks for."""

    pair: str
    bps: float  # basis points of equity, -50 to 50
    confidence: float  # 0 to 0.25


@dataclass(frozen=True, slots=True)
class StrategicView:
    """Tier 4: what the strategist thinks; it can only lower risk."""

    as_of: datetime
    regime: Regime
    risk_multiplier: float  # 0 to 1
    tilts: tuple[Tilt, ...]
    halt_new_entries: bool
    abstained: bool
    reason: str
    provider: str
    prompt_hash: str
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of sizing: what went in, what came out, and why it changed."""

    name: str
    before: float
    after: float
    note: str = ""

    @property
    def bound(self) -> bool:
        """Whether this stage changed the size."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class RiskDecision:
    """Tier 3 for one pair at one time.

    ``size`` is the largest share of equity that tier 5 may give the pair, signed like the edge.
    No stage after Kelly raises it; NaN anywhere upstream gives zero and ``vetoed``.
    """

    pair: str
    as_of: datetime
    sigma: float  # standard deviation of the next bar's log return
    sigma_horizon: float  # the same over the signal's horizon
    volatility_method: str  # garch | ewma | rolling, and the reason of a fallback in `note`
    expected_return: float  # over the horizon, net of costs, fraction
    kelly_raw: float
    kelly_shrunk: float
    stages: tuple[Stage, ...]
    leverage: float
    leverage_caps: tuple[tuple[str, float], ...]
    binding: str  # the cap or stage that decided the size
    size: float
    vetoed: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class TargetPortfolio:
    """Tier 5: weights as fractions of equity; the rest is cash."""

    as_of: datetime
    pairs: tuple[str, ...]
    current: tuple[float, ...]
    weights: tuple[float, ...]
    method: str  # mean_variance | flat | kept
    status: str  # solver status, or why nothing was solved
    stages: tuple[tuple[str, Stage], ...]  # (pair, stage)

    @property
    def gross(self) -> float:
        """Sum of absolute weights."""
        return sum(abs(w) for w in self.weights)

    @property
    def cash(self) -> float:
        """Share of equity that stays in the quote currency."""
        return 1.0 - sum(self.weights)


@dataclass(frozen=True, slots=True)
class Decision:
    """Output of `cycle.decide`: every tier's answer and the orders they lead to."""

    decision_id: str
    as_of: datetime
    mode: Mode
    book: str  # name of the account that the decision belongs to
    model_id: str | None
    forced: bool  # a model that was not promoted was used on request, on paper only
    signals: tuple[Signal, ...]
    view: StrategicView
    risks: tuple[RiskDecision, ...]
    target: TargetPortfolio
    orders: tuple[Order, ...]
    skips: tuple[Skip, ...]  # what was not done, and why
    policy_hash: str
    feature_set: str
    data_as_of: datetime  # open time of the newest candle used, UTC

    @property
    def verdict(self) -> str:
        """One line for people: flat and why, or how many orders."""
        if self.orders:
            return f"{len(self.orders)} order{'s' if len(self.orders) > 1 else ''}"
        if self.model_id is None:
            return "no promoted model: flat"
        return "no trade"


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """What one run of the cycle decided and did."""

    decision: Decision
    run_id: str
    fills: tuple[Fill, ...]
    equity_before: float  # quote currency
    equity_after: float
    replayed: bool  # the decision was already in the ledger and nothing was sent again

"""Tier 3 as one function: from a signal to the largest size that the pair may have, and why."""

import math

import numpy as np

from helios_core.domain.decisions import RiskDecision, Signal, Stage
from helios_core.errors import RiskError
from helios_core.risk.config import RiskConfig
from helios_core.risk.kelly import TOLERANCE, KellySize, size_trades
from helios_core.risk.leverage import Leverage, leverage
from helios_core.risk.limits import (
    Denial,
    RiskAccount,
    capped,
    concentration,
    daily_loss,
    direction,
    drawdown,
    gross,
    hard_limits,
    losing_streak,
)
from helios_core.risk.volatility import VolatilityPoint

VETOES = (Denial.DRAWDOWN_HALT, Denial.DAILY_LOSS_STOP)


def assess(
    signal: Signal,
    volatility: VolatilityPoint,
    account: RiskAccount,
    cost: float,
    config: RiskConfig,
) -> RiskDecision:
    """Return the largest size of a pair, signed like the edge, with every stage that led to it.

    In order: shrunk Kelly, direction, volatility target, leverage, concentration, gross, losing
    streak, drawdown, daily loss, hard limits. No stage after Kelly raises the size.

    Parameters
    ----------
    volatility : VolatilityPoint
        Over the signal's horizon.
    cost : float
        Round trip, fraction of the notional.

    Returns
    -------
    RiskDecision
        Vetoed with size 0 if the signal abstains, a number is not usable, or the account is
        stopped; `note` begins with a code of `Denial` whenever the size is zero. In a decision
        vetoed for unusable inputs edge and Kelly are 0; sigma stays as it was given.

    Raises
    ------
    RiskError
        If the volatility is that of another horizon than the signal's.
    """
    denied = _unusable(signal, volatility, account, cost)
    if denied:
        return _vetoed(signal, volatility, denied)
    if volatility.horizon != signal.horizon:
        raise RiskError(
            f"{signal.pair}: the signal looks {signal.horizon} bars ahead and the volatility "
            f"{volatility.horizon}; forecast both over the same horizon"
        )
    side, kelly = _better_side(signal, cost, config)
    edge, error = float(kelly.edge[0]), float(kelly.error[0])
    raw, shrunk = side * float(kelly.raw[0]) + 0.0, side * float(kelly.shrunk[0]) + 0.0  # no -0.0
    limits = leverage(signal.pair, abs(shrunk), volatility, config)
    stages = _stages(signal.pair, (raw, shrunk), limits, account, config)
    why = f"edge {edge:.6f}, standard error {error:.6f}"
    if shrunk == 0:
        why = f"{Denial.EDGE_WITHIN_ERROR}: {why}"
    stages = (Stage("kelly", raw, shrunk, why), *stages)
    size = stages[-1].after
    decisive = next((stage for stage in reversed(stages) if stage.bound), stages[0])
    return RiskDecision(
        pair=signal.pair,
        as_of=signal.as_of,
        sigma=volatility.sigma,
        sigma_horizon=volatility.sigma_horizon,
        volatility_method=volatility.method,
        expected_return=side * edge,
        kelly_raw=raw,
        kelly_shrunk=shrunk,
        stages=stages,
        leverage=limits.value,
        leverage_caps=limits.caps,
        binding=limits.binding if decisive.name == "leverage" else decisive.name,
        size=size,
        vetoed=any(stage.note.startswith(VETOES) for stage in stages),
        note=_note(stages, size, volatility),
    )


def _stages(
    pair: str,
    kelly: tuple[float, float],
    limits: Leverage,
    account: RiskAccount,
    config: RiskConfig,
) -> tuple[Stage, ...]:
    """Return the stages after Kelly, each starting from where the one before it ended."""
    stages = [direction(kelly[1], config)]
    size = stages[-1].after
    target = dict(limits.caps)["volatility_target"]
    note = f"{config.target_volatility:.0%} a year allows {target:.4f}"
    stages.append(Stage("volatility_target", size, capped(size, target), note))
    size = stages[-1].after
    note = f"{limits.binding} cap {limits.value:.4f}"
    stages.append(Stage("leverage", size, capped(size, limits.value), note))
    stages.append(concentration(stages[-1].after, config))
    stages.append(gross(stages[-1].after, account, config))
    stages.append(losing_streak(stages[-1].after, account, config))
    stages.append(drawdown(stages[-1].after, account, config))
    stages.append(daily_loss(stages[-1].after, account, config))
    stages.append(hard_limits(stages[-1].after, pair, config))
    return tuple(stages)


def _better_side(signal: Signal, cost: float, config: RiskConfig) -> tuple[int, KellySize]:
    """Return +1 and the long trade, or -1 and the short one if only that has an edge."""
    up, down = np.array([signal.barrier_up]), np.array([signal.barrier_down])
    chances = np.array([[signal.p_buy, signal.p_sell, signal.p_hold]])
    long = size_trades(chances, up, down, cost, config)
    short = size_trades(chances[:, [1, 0, 2]], down, up, cost, config)
    return (-1, short) if short.edge[0] > max(long.edge[0], 0.0) else (1, long)


def _unusable(
    signal: Signal, volatility: VolatilityPoint, account: RiskAccount, cost: float
) -> str:
    """Return the denial of inputs that cannot be sized with, empty if they can."""
    sigmas = (volatility.sigma, volatility.sigma_horizon)
    if wrong := _unusable_signal(signal):
        return wrong
    if not all(math.isfinite(x) and x > 0 for x in sigmas):
        return f"{Denial.VOLATILITY_UNKNOWN}: {volatility.note or f'sigma is {sigmas[0]}'}"
    if not account.usable:
        return f"{Denial.ACCOUNT_UNUSABLE}: {account} has a number that is not finite"
    if not 0 <= cost < 1:
        return f"{Denial.COST_UNUSABLE}: a round trip of {cost} is not a fraction"
    return ""


def _unusable_signal(signal: Signal) -> str:
    chances = (signal.p_sell, signal.p_hold, signal.p_buy)
    parts = (signal.p_hit, signal.p_up)  # what the chances were made of; a hole there is one here
    barriers = (signal.barrier_up, signal.barrier_down)
    if signal.abstained:
        return f"{Denial.SIGNAL_ABSTAINED}: {signal.reason or 'no model stands behind it'}"
    if not (all(0 <= p <= 1 for p in chances) and abs(sum(chances) - 1) <= TOLERANCE):
        return f"{Denial.SIGNAL_UNUSABLE}: {chances} are not probabilities that sum to 1"
    if not all(0 <= p <= 1 for p in parts):
        return f"{Denial.SIGNAL_UNUSABLE}: hit and direction {parts} are not probabilities"
    if not all(0 < x < math.inf for x in barriers) or signal.barrier_down >= 1:
        return f"{Denial.SIGNAL_UNUSABLE}: barriers must be positive fractions, found {barriers}"
    return ""


def _vetoed(signal: Signal, volatility: VolatilityPoint, why: str) -> RiskDecision:
    return RiskDecision(
        pair=signal.pair,
        as_of=signal.as_of,
        sigma=volatility.sigma,
        sigma_horizon=volatility.sigma_horizon,
        volatility_method=volatility.method,
        expected_return=0.0,
        kelly_raw=0.0,
        kelly_shrunk=0.0,
        stages=(Stage("signal", 0.0, 0.0, why),),
        leverage=0.0,
        leverage_caps=(),
        binding="signal",
        size=0.0,
        vetoed=True,
        note=why,
    )


def _note(stages: tuple[Stage, ...], size: float, volatility: VolatilityPoint) -> str:
    """Return the denial that took the size to zero, and why volatility is not a fresh GARCH."""
    denials = tuple(Denial)
    denial = [s.note for s in stages if s.after == 0 and s.note.startswith(denials)]
    parts = denial[:1] if size == 0 else []
    if volatility.note:
        parts.append(f"{volatility.method} volatility: {volatility.note}")
    return "; ".join(parts)

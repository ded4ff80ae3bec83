"""The governor: whatever a strategist answers, the view that leaves here can only lower risk."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args

from helios_core.domain.decisions import Regime, StrategicView, Tilt
from helios_core.strategy.config import StrategyConfig
from helios_core.strategy.view import abstain

REGIMES: tuple[str, ...] = get_args(Regime)


def govern(
    view: StrategicView,
    previous: StrategicView | None,
    config: StrategyConfig,
    *,
    as_of: datetime | None = None,
) -> StrategicView:
    """Return `view` within its bounds.

    The multiplier is cut to [0, 1], falls at once and rises by at most ``max_rise_per_hour`` while
    the previous view was still valid. Tilts of unknown size are dropped, the rest cut, and moved
    to a sum of zero so that they add no exposure. A view that abstains, has expired, or whose
    multiplier is not a number is neutral, unless a previous view is still valid: that one stays.

    Parameters
    ----------
    previous : StrategicView or None
        What this function returned for the decision before.
    as_of : datetime, optional
        Time of the decision; by default the time of the view.
    """
    now = view.as_of if as_of is None else as_of
    in_force = previous
    if previous is None or previous.abstained or now >= previous.valid_until:
        in_force = None
    wrong = _unusable(view, now)
    if wrong and in_force is not None:
        made = f"{in_force.as_of:%Y-%m-%d %H:%MZ}"
        return replace(in_force, reason=f"the view of {made} still holds; since then: {wrong}")
    if wrong:
        return _neutral(view, wrong, config)
    multiplier = min(max(view.risk_multiplier, 0.0), 1.0)
    if in_force is not None:
        hours = max((view.as_of - in_force.as_of) / timedelta(hours=1), 0.0)
        multiplier = min(multiplier, in_force.risk_multiplier + config.max_rise_per_hour * hours)
    return replace(
        view,
        regime=view.regime if view.regime in REGIMES else "unknown",
        risk_multiplier=multiplier,
        tilts=_tilts(view.tilts, config),
        valid_until=min(view.valid_until, view.as_of + config.valid_for),
    )


def _unusable(view: StrategicView, now: datetime) -> str:
    """Return why a view has no effect, empty if it may have one."""
    if view.abstained:
        return view.reason or "the strategist abstained and gave no reason"
    if not math.isfinite(view.risk_multiplier):
        return f"the risk multiplier was {view.risk_multiplier}, not a number from 0 to 1"
    if now >= view.valid_until:
        return f"the view expired {view.valid_until:%Y-%m-%d %H:%MZ}"
    return ""


def _neutral(view: StrategicView, reason: str, config: StrategyConfig) -> StrategicView:
    until = min(max(view.valid_until - view.as_of, timedelta(0)), config.valid_for)
    return abstain(view.as_of, reason, until, provider=view.provider, prompt_hash=view.prompt_hash)


def _tilts(tilts: tuple[Tilt, ...], config: StrategyConfig) -> tuple[Tilt, ...]:
    """Return at most ``max_tilts`` tilts, one for each pair, within bounds and summing to zero."""
    first: dict[str, Tilt] = {}
    for tilt in tilts:
        if math.isfinite(tilt.bps) and math.isfinite(tilt.confidence):
            first.setdefault(tilt.pair, tilt)
    kept = list(first.values())[: config.max_tilts]
    if not kept:
        return ()
    most = config.max_tilt_bps
    cut = [min(max(tilt.bps, -most), most) for tilt in kept]
    mean = sum(cut) / len(cut)
    centered = [bps - mean for bps in cut]
    largest = max(abs(bps) for bps in centered)
    scale = most / largest if largest > most else 1.0
    return tuple(
        Tilt(tilt.pair, bps * scale, min(max(tilt.confidence, 0.0), config.max_confidence))
        for tilt, bps in zip(kept, centered, strict=True)
    )

"""The most that a pair may be leveraged: the smallest of several caps, and which one it is."""

import math
from dataclasses import dataclass

from helios_core.risk.config import MINUTES_PER_DAY, MINUTES_PER_YEAR, RiskConfig
from helios_core.risk.volatility import VolatilityPoint


@dataclass(frozen=True, slots=True)
class Leverage:
    """All caps by name, the smallest one, and its name; multiples of equity."""

    value: float
    caps: tuple[tuple[str, float], ...]
    binding: str


def leverage(pair: str, kelly: float, volatility: VolatilityPoint, config: RiskConfig) -> Leverage:
    """Return the smallest of the caps kelly, volatility_target, liquidation, policy and spot.

    Parameters
    ----------
    pair : str
        Exchange symbol; spot unless it ends in PERP, and spot is capped at 1.
    kelly : float
        Shrunk Kelly size, >= 0.
    volatility : VolatilityPoint
        Finite and positive.
    """
    caps = [
        ("kelly", kelly),
        ("volatility_target", config.target_volatility / spread(volatility, config, "year")),
        ("liquidation", liquidation_cap(spread(volatility, config, "day"), config)),
        ("policy", config.max_leverage),
    ]
    if not pair.endswith("PERP"):
        caps.append(("spot", 1.0))
    binding, value = min(caps, key=lambda cap: cap[1])
    return Leverage(value, tuple(caps), binding)


def liquidation_cap(sigma_day: float, config: RiskConfig) -> float:
    """Return the leverage that leaves room for `liquidation_sigmas` daily standard deviations.

    ``1 / L - margin >= k sigma`` gives ``L = 1 / (margin + k sigma)``.
    """
    return 1 / (config.maintenance_margin + config.liquidation_sigmas * sigma_day)


def spread(volatility: VolatilityPoint, config: RiskConfig, span: str) -> float:
    """Return the standard deviation over a day or a year, scaled from the horizon."""
    minutes = {"day": MINUTES_PER_DAY, "year": MINUTES_PER_YEAR}[span]
    horizon = volatility.horizon * config.volatility.bar_minutes
    return volatility.sigma_horizon * math.sqrt(minutes / horizon)

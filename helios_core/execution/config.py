"""Settings of order planning and of the costs that every tier assumes."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar

from helios_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ExecutionConfig:
    """Costs and limits of an order; the fees are those of VALR's first tier.

    Parameters
    ----------
    taker_fee_fiat, taker_fee_crypto : float
        Fraction of the notional that a market order pays, for pairs quoted in rand and in anything
        else (0.35 % and 0.10 % below 50,000 USDT of volume in 30 days).
    half_spread_bps, slippage_bps : float
        Distance of a fill from the last price, basis points, always against us.
    slippage_band : float
        A market order that would fill further than this fraction from its reference price is not
        filled; buys reserve cash for this worst price.
    max_participation : float
        Largest share of the usual turnover over the horizon that one order may be, (0, 1].
    max_order_share : float
        Largest share of equity that one buy may spend, (0, 1].
    max_orders : int
        Orders of one decision; more of them is a defect, not a portfolio.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    taker_fee_fiat: float = 0.0035
    taker_fee_crypto: float = 0.0010
    half_spread_bps: float = 2.0
    slippage_bps: float = 3.0
    slippage_band: float = 0.02
    max_participation: float = 0.05
    max_order_share: float = 0.5
    max_orders: int = 40

    def __post_init__(self) -> None:
        limits = {
            "taker_fee_fiat": (0.0, 0.05),
            "taker_fee_crypto": (0.0, 0.05),
            "half_spread_bps": (0.0, 500.0),
            "slippage_bps": (0.0, 500.0),
            "slippage_band": (0.0, 0.5),
            "max_participation": (1e-6, 1.0),
            "max_order_share": (1e-6, 1.0),
            "max_orders": (1, 1000),
        }
        for field in fields(self):
            low, high = limits[field.name]
            value = getattr(self, field.name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(
                    f"execution {field.name} must be from {low} to {high}, found {value}"
                )
        crossing = (self.half_spread_bps + self.slippage_bps) / 10_000
        if crossing >= self.slippage_band:
            raise ConfigError(
                f"execution half_spread_bps + slippage_bps is {crossing:.2%}, beyond slippage_band "
                f"{self.slippage_band:.2%}: no order would ever fill; widen the band"
            )

"""Settings of tier 5: moments, the optimizer, no-trade bands."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar

from helios_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PortfolioConfig:
    """How risk sizes of single pairs become one portfolio.

    Parameters
    ----------
    half_life : float
        Bars after which a return counts half in the correlations.
    min_rows : int
        Bars known for every pair before correlations are estimated at all.
    assumed_correlation : float
        Correlation of every two pairs until then.
    max_condition : float
        Largest ratio of eigenvalues of the correlation matrix; smaller ones are raised.
    risk_aversion : float
        Gamma of ``mu'w - gamma / 2 w'Cw``; 1 is the Kelly investor.
    max_gross : float
        Largest sum of weights; the rest is cash.
    max_turnover : float
        Sum of absolute weight changes of one decision, beyond what risk limits demand.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    half_life: float = 14_400.0
    min_rows: int = 250
    assumed_correlation: float = 0.8
    max_condition: float = 1e4
    risk_aversion: float = 2.5
    max_gross: float = 1.0
    max_turnover: float = 0.2

    def __post_init__(self) -> None:
        limits = {
            "half_life": (1.0, 1e12),
            "min_rows": (2, 10_000_000),
            "assumed_correlation": (0.0, 0.99),
            "max_condition": (1.0, 1e12),
            "risk_aversion": (1e-6, 1e6),
            "max_gross": (1e-6, 1.0),
            "max_turnover": (0.0, 2.0),
        }
        for field in fields(self):
            low, high = limits[field.name]
            value = getattr(self, field.name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(
                    f"portfolio {field.name} must be from {low} to {high}, found {value}"
                )

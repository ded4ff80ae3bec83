"""Settings of tier 4: what a strategic view may change, and for how long."""

import math
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import ClassVar

from helios_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class StrategyConfig:
    """Bounds of the governor.

    Parameters
    ----------
    valid_minutes : int
        Longest time that a view holds; after it tier 4 is neutral.
    max_rise_per_hour : float
        How fast the risk multiplier may go up again; down it goes at once.
    max_tilts : int
        Tilts that are kept.
    max_tilt_bps : float
        Largest tilt of one pair, basis points of equity.
    max_confidence : float
        Largest confidence of a tilt.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    valid_minutes: int = 240
    max_rise_per_hour: float = 0.25
    max_tilts: int = 3
    max_tilt_bps: float = 50.0
    max_confidence: float = 0.25

    def __post_init__(self) -> None:
        limits = {
            "valid_minutes": (1, 1440),
            "max_rise_per_hour": (0.0, 1.0),
            "max_tilts": (0, 3),
            "max_tilt_bps": (0.0, 50.0),
            "max_confidence": (0.0, 0.25),
        }
        for field in fields(self):
            low, high = limits[field.name]
            value = getattr(self, field.name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(
                    f"strategy {field.name} must be from {low} to {high}, found {value}"
                )

    @property
    def valid_for(self) -> timedelta:
        """Longest time that a view holds."""
        return timedelta(minutes=self.valid_minutes)

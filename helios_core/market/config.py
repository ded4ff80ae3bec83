"""Settings of tier 1: how fresh the data of a decision is, and how much of it is read."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar

from helios_core.errors import ConfigError

SETTLED = 4_320  # bars after which where history began no longer shows in any feature


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """What a decision may read.

    Parameters
    ----------
    max_age_minutes : int
        The newest closed bar may be this old at a decision, 0 to 10,080.
    history : int
        One-minute bars read for a decision, at least 4,320: the slowest feature, the 15-minute
        MACD, forgets how it was started in about 3,400.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    max_age_minutes: int = 5
    history: int = 20_160

    def __post_init__(self) -> None:
        limits = {"max_age_minutes": (0, 10_080), "history": (SETTLED, 10_000_000)}
        for field in fields(self):
            low, high = limits[field.name]
            value = getattr(self, field.name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(
                    f"market {field.name} must be from {low} to {high}, found {value}"
                )

"""Settings of tier 3: volatility, sizing, limits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from helios_core.errors import ConfigError

MINUTES_PER_DAY = 1440
MINUTES_PER_YEAR = 365 * MINUTES_PER_DAY


def require_ranges(section: str, config: object, limits: Mapping[str, tuple[float, float]]) -> None:
    """Raise ``ConfigError`` for the first field of `config` outside its closed range."""
    for name, (low, high) in limits.items():
        value = getattr(config, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{section} {name} must be from {low} to {high}, found {value}")


def require_order(section: str, config: object, smaller: str, larger: str) -> None:
    """Raise ``ConfigError`` unless the field `smaller` of `config` is at most `larger`."""
    if getattr(config, smaller) > getattr(config, larger):
        raise ConfigError(
            f"{section} {smaller} must be at most {larger}, found {getattr(config, smaller)} "
            f"and {getattr(config, larger)}"
        )


@dataclass(frozen=True, slots=True)
class VolatilityConfig:
    """How variance is modeled.

    Parameters
    ----------
    bar_minutes : int
        Length of the bars whose returns are given.
    block_minutes : int
        Length of the blocks that GARCH sees; raw one-minute returns are microstructure.
    window_blocks : int
        Blocks of one fit, counted back from the refit.
    min_blocks : int
        Fewer than this many known blocks are not fitted.
    refit_minutes : int
        A fit is made at every multiple of this since 1970, from the past only.
    max_age_minutes : int
        For how long accepted parameters stand in when later fits are refused.
    ewma_decay_hourly : float
        Weight that an hour-old squared return keeps, (0, 1).
    ewma_warmup_blocks : int
        Blocks before the first EWMA value; until then the rolling estimate is used.
    rolling_bars : int
        Bars of the rolling estimate.
    min_persistence, max_persistence : float
        Accepted range of alpha + beta.
    min_half_life, max_half_life : float
        Accepted range of the half-life of a shock, blocks.
    max_ratio : float
        A one-step variance further than this factor from the EWMA is refused.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    bar_minutes: int = 1
    block_minutes: int = 15
    window_blocks: int = 1000
    min_blocks: int = 250
    refit_minutes: int = MINUTES_PER_DAY
    max_age_minutes: int = 7 * MINUTES_PER_DAY
    ewma_decay_hourly: float = 0.97
    ewma_warmup_blocks: int = 20
    rolling_bars: int = 20
    min_persistence: float = 0.7
    max_persistence: float = 0.999
    min_half_life: float = 2.0
    max_half_life: float = 500.0
    max_ratio: float = 4.0

    def __post_init__(self) -> None:
        require_ranges(
            "risk volatility",
            self,
            {
                "bar_minutes": (1, MINUTES_PER_DAY),
                "block_minutes": (1, MINUTES_PER_DAY),
                "window_blocks": (250, 100_000),
                "min_blocks": (250, 100_000),
                "refit_minutes": (1, 30 * MINUTES_PER_DAY),
                "max_age_minutes": (1, 90 * MINUTES_PER_DAY),
                "ewma_decay_hourly": (0.5, 0.9999),
                "ewma_warmup_blocks": (2, 10_000),
                "rolling_bars": (2, 10_000),
                "min_persistence": (0.0, 1.0),
                "max_persistence": (0.0, 0.9999),
                "min_half_life": (0.0, 1e6),
                "max_half_life": (0.0, 1e6),
                "max_ratio": (1.0, 1e6),
            },
        )
        for inner, outer in (
            ("bar_minutes", "block_minutes"),
            ("block_minutes", "refit_minutes"),
        ):
            if getattr(self, outer) % getattr(self, inner):
                raise ConfigError(
                    f"risk volatility {outer} must be a multiple of {inner}, found "
                    f"{getattr(self, outer)} and {getattr(self, inner)}"
                )
        require_order("risk volatility", self, "min_blocks", "window_blocks")
        require_order("risk volatility", self, "min_persistence", "max_persistence")
        require_order("risk volatility", self, "min_half_life", "max_half_life")

    @property
    def bars_per_block(self) -> int:
        """Bars in one block."""
        return self.block_minutes // self.bar_minutes

    @property
    def blocks_per_refit(self) -> int:
        """Blocks between two fits."""
        return self.refit_minutes // self.block_minutes

    @property
    def block_decay(self) -> float:
        """EWMA weight that a block-old squared return keeps."""
        return float(self.ewma_decay_hourly ** (self.block_minutes / 60))


@dataclass(frozen=True, slots=True)
class RiskConfig:
    """How an edge becomes a size, and what may never be exceeded.

    Parameters
    ----------
    kelly_fraction : float
        Share of the growth-optimal size that is taken, (0, 1].
    effective_samples : float
        Independent outcomes that the calibrated probabilities rest on.
    prior_samples : float
        Weight of the probabilities that a price without drift would have, in samples.
    calibration_error : float
        Root mean square error of the calibrated probabilities, [0, 1].
    target_volatility : float
        Yearly standard deviation that one pair may bring to equity, fraction.
    maintenance_margin : float
        Fraction of the position at which the venue starts to close it.
    liquidation_sigmas : float
        Daily standard deviations that must fit between entry and that margin.
    max_leverage : float
        Policy cap on a pair that can be leveraged; spot pairs stop at 1.
    max_weight : float
        Largest share of equity in one pair.
    max_gross : float
        Largest sum of absolute weights.
    max_drawdown : float
        Fall from the high-water mark at which nothing may be held; size falls linearly to there.
    rearm_share : float
        After such a halt sizing starts again below this share of `max_drawdown`.
    max_daily_loss : float
        Loss since 00:00 UTC, fraction of the equity then, at which nothing may be held that day.
    losing_streak : int
        After this many losing trades in a row the size is halved.
    allow_short : bool
        Whether a negative size may leave this tier.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    volatility: VolatilityConfig = VolatilityConfig()
    kelly_fraction: float = 0.25
    effective_samples: float = 400.0
    prior_samples: float = 200.0
    calibration_error: float = 0.02
    target_volatility: float = 0.20
    maintenance_margin: float = 0.10
    liquidation_sigmas: float = 4.0
    max_leverage: float = 3.0
    max_weight: float = 0.35
    max_gross: float = 1.0
    max_drawdown: float = 0.15
    rearm_share: float = 0.5
    max_daily_loss: float = 0.03
    losing_streak: int = 6
    allow_short: bool = False

    def __post_init__(self) -> None:
        require_ranges(
            "risk",
            self,
            {
                "kelly_fraction": (1e-6, 1.0),
                "effective_samples": (1.0, 1e9),
                "prior_samples": (0.0, 1e9),
                "calibration_error": (0.0, 1.0),
                "target_volatility": (1e-4, 10.0),
                "maintenance_margin": (1e-4, 1.0),
                "liquidation_sigmas": (1.0, 100.0),
                "max_leverage": (1e-6, 10.0),
                "max_weight": (1e-6, 1.0),
                "max_gross": (1e-6, 3.0),
                "max_drawdown": (1e-3, 1.0),
                "rearm_share": (0.0, 1.0),
                "max_daily_loss": (1e-4, 1.0),
                "losing_streak": (1, 1000),
            },
        )

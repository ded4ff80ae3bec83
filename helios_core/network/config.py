"""Settings of tier 2: label rules, shape of the network, training."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from helios_core.domain.runs import Json
from helios_core.errors import ConfigError

Size = Literal["small", "production"]

# Part of every model version: raise it when the network or its training changes, so that a model
# made by older code is not taken for the one that the same data would make now.
RECIPE = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of the trunk. `windows` counts bars seen at each of `strides` base bars."""

    d_model: int
    depth: int
    heads: int
    ff: int
    windows: tuple[int, ...]
    patches: tuple[int, ...]
    strides: tuple[int, ...] = (1, 5, 15)

    @property
    def tokens(self) -> int:
        """Patches of all windows and the CLS token."""
        return 1 + sum(w // p for w, p in zip(self.windows, self.patches, strict=True))

    @property
    def lookback(self) -> int:
        """Base bars from the oldest bar that any window reads to the deciding bar, inclusive."""
        reach = (s * (w - 1) for w, s in zip(self.windows, self.strides, strict=True))
        return 1 + max(reach)


# Wide and shallow: at 40 M parameters five blocks of 768 answer faster on a CPU than twelve of 512.
SHAPES: dict[Size, Shape] = {
    "small": Shape(32, 2, 4, 96, windows=(64, 32, 32), patches=(16, 8, 8)),
    "production": Shape(768, 5, 12, 2176, windows=(256, 96, 64), patches=(16, 8, 8)),
}


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """Triple-barrier rules.

    Attributes
    ----------
    horizon : int
        Bars until the vertical barrier, counted from the entry bar.
    k_up, k_down : float
        Barrier distance in standard deviations of the horizon return.
    cost : float
        Round trip as a fraction: fees, two half-spreads and slippage.
    cost_multiple : float
        No barrier is nearer than this many round trips; at least 3.
    halflife : float
        Of the exponentially weighted variance of one-bar log returns, in bars.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    horizon: int = 60
    k_up: float = 1.0
    k_down: float = 1.0
    cost: float = 0.002
    cost_multiple: float = 3.0
    halflife: float = 100.0

    def __post_init__(self) -> None:
        _require_range("horizon", self.horizon, 1, 1440)
        _require_range("k_up", self.k_up, 0.01, 100.0)
        _require_range("k_down", self.k_down, 0.01, 100.0)
        _require_range("cost", self.cost, 0.0, 0.2)
        _require_range("cost_multiple", self.cost_multiple, 3.0, 100.0)
        _require_range("halflife", self.halflife, 1.0, 100_000.0)
        if self.cost * self.cost_multiple >= 1.0:
            raise ConfigError(
                f"cost * cost_multiple is the smallest barrier and must stay below 1, "
                f"found {self.cost} * {self.cost_multiple}; lower one of them"
            )

    @property
    def schema(self) -> str:
        """Sha256 of the rules; labels made under another schema are not comparable."""
        return digest(asdict(self))


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How the network is fitted.

    Attributes
    ----------
    learning_rate : float
        Peak of the schedule; 0.001 suits the small size, 0.0003 the production size.
    stride : int
        Every n-th bar of the training and validation parts is a sample; neighbors overlap anyway.
    warm_up : int
        Bars at the start of each pair that are never samples, while slow features settle.
    validation_share, test_share : float
        Shares of the time range; the rest, the oldest part, trains.
    embargo : int
        Bars left out after each boundary, at least the horizon.
    patience : int
        Epochs without a better validation log-loss before training stops.
    age_days : float
        Weight of a training sample falls by e over this many days.
    threads : int
        CPU threads of torch for training and scoring; part of what makes a result repeatable.
        More than one is slower, up to tenfold, when other processes keep the cores busy.
    bootstrap : int
        Resamples of the block bootstrap behind every interval.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    epochs: int = 8
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    seed: int = 7
    stride: int = 3
    warm_up: int = 4320
    validation_share: float = 0.2
    test_share: float = 0.2
    embargo: int = 1440
    patience: int = 3
    age_days: float = 180.0
    threads: int = 1
    bootstrap: int = 500
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 1, 1000),
            ("batch", 8, 8192),
            ("learning_rate", 1e-6, 0.1),
            ("weight_decay", 0.0, 1.0),
            ("seed", 0, 2**31 - 1),
            ("stride", 1, 1000),
            ("warm_up", 0, 1_000_000),
            ("validation_share", 0.05, 0.45),
            ("test_share", 0.05, 0.45),
            ("embargo", 0, 100_000),
            ("patience", 1, 1000),
            ("age_days", 1.0, 10_000.0),
            ("threads", 1, 256),
            ("bootstrap", 50, 10_000),
        ):
            _require_range(name, getattr(self, name), low, high)
        _require_choice("device", self.device, ("auto", "cpu", "cuda"))


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Tier 2 as a whole.

    Attributes
    ----------
    size : {"small", "production"}
        Preset of `SHAPES`: about 0.1 M parameters for a CPU, or 40 M.
    features : int
        Width of a feature row.
    max_pairs : int
        Rows of the pair embedding; row 0 stands for a pair that was not trained on.
    drop_path : float
        Probability that a residual branch is skipped for a sample (stochastic depth).
    drop_feed : float
        Probability that a sample loses all columns of one `feeds` entry, or its pair.
    feeds : tuple of (start, stop)
        Columns that come and go together: the order book and the trade flow.
    min_valid : float
        Share of the trained features that must be finite at the deciding bar.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    size: Size = "small"
    features: int = 90
    max_pairs: int = 64
    dropout: float = 0.2
    drop_path: float = 0.1
    drop_feed: float = 0.15
    feeds: tuple[tuple[int, int], ...] = ((67, 78), (78, 85))
    min_valid: float = 0.5
    label: LabelConfig = field(default_factory=LabelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        _require_choice("size", self.size, tuple(SHAPES))
        _require_range("features", self.features, 1, 4096)
        _require_range("max_pairs", self.max_pairs, 2, 4096)
        for name in ("dropout", "drop_path", "drop_feed"):
            _require_range(name, getattr(self, name), 0.0, 0.9)
        _require_range("min_valid", self.min_valid, 0.0, 1.0)
        if self.train.embargo < self.label.horizon:
            raise ConfigError(
                f"train.embargo must be at least label.horizon ({self.label.horizon} bars), "
                f"found {self.train.embargo}; raise the embargo"
            )
        if any(not 0 <= start < stop for start, stop in self.feeds):
            raise ConfigError(f"feeds must be pairs with 0 <= start < stop, found {self.feeds}")

    @property
    def shape(self) -> Shape:
        """Sizes behind the preset."""
        return SHAPES[self.size]

    def to_json(self) -> Json:
        """Return plain JSON that `network_config` reads back."""
        plain: Json = json.loads(json.dumps(asdict(self)))
        return plain


def network_config(plain: Mapping[str, Any]) -> NetworkConfig:
    """Return the config that `NetworkConfig.to_json` wrote.

    Raises
    ------
    ConfigError
        If a field is missing, unknown or out of range.
    """
    try:
        values: dict[str, Any] = dict(plain)
        values["label"] = LabelConfig(**values["label"])
        values["train"] = TrainConfig(**values["train"])
        values["feeds"] = tuple((start, stop) for start, stop in values["feeds"])
        return NetworkConfig(**values)
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"a network config needs the fields of NetworkConfig, found {sorted(plain)}: {error}"
        ) from error


def digest(plain: object) -> str:
    """Return the sha256 of `plain` as canonical JSON."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _require_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f"{name} must lie in [{low}, {high}], found {value}")


def _require_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}, found {value!r}")

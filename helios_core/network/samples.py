"""Samples: the rows of all pairs that have features and a complete label, on one shared block."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from helios_core.domain.market import (
    CandleFrame,
    FeatureFrame,
    Float32Array,
    FloatArray,
    IntArray,
    TimeArray,
)
from helios_core.errors import ModelError
from helios_core.network.config import LabelConfig, NetworkConfig, digest
from helios_core.network.labels import (
    Int8Array,
    Labels,
    open_times,
    triple_barrier,
    uniqueness,
)
from helios_core.network.windows import ready, to_grid


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What is known of each sample; arrays of shape (N,), sorted by decision time.

    `row` points into the block of the data set, `pair` is 1 for its first pair; `start` and `end`
    are candle rows of that pair, `volatility` is that of the horizon's log return. Other fields
    are as in `labels.Labels`; `momentum` is the log return over the horizon before the decision.
    """

    row: IntArray
    pair: IntArray
    start: IntArray
    end: IntArray
    as_of: TimeArray
    end_time: TimeArray
    outcome: Int8Array
    barrier_up: FloatArray
    barrier_down: FloatArray
    long_return: FloatArray
    short_return: FloatArray
    net_return: FloatArray
    horizon_return: FloatArray
    volatility: FloatArray
    momentum: FloatArray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def context(self) -> Float32Array:
        """What the network is told of volatility and barriers, not yet scaled, shape (N, 3)."""
        return barrier_context(self.volatility, self.barrier_up, self.barrier_down)

    def take(self, index: IntArray) -> Self:
        """Return the samples at `index`."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Feature rows of all pairs stacked as `values` (G, F), not yet scaled, and their samples."""

    values: Float32Array
    samples: Samples
    pairs: tuple[str, ...]
    names: tuple[str, ...]
    feature_set: str
    content: str  # sha256 of features and candles


def build_dataset(
    features: Sequence[FeatureFrame], candles: Sequence[CandleFrame], config: NetworkConfig
) -> Dataset:
    """Join features with labels, pair by pair.

    Parameters
    ----------
    features, candles : sequences of equal length
        Position i of both is the same pair and timeframe.
    config : NetworkConfig
        Label rules, warm-up and lookback.

    Raises
    ------
    ModelError
        If the two do not belong together, widths or feature sets differ, or no row has both
        features and a complete label.
    """
    _require_matching(features, candles, config)
    blocks: list[Float32Array] = []
    parts: list[Samples] = []
    first = 0
    for number, (frame, bars) in enumerate(zip(features, candles, strict=True), start=1):
        grid = to_grid(frame, config.shape.lookback)
        labels = triple_barrier(bars, config.label)
        parts.append(_join(frame, bars, labels, config, (first + grid.row, number)))
        blocks.append(grid.values)
        first += len(grid.values)
    samples = _stack(parts)
    if not len(samples):
        raise ModelError(
            f"no row of {', '.join(f.pair for f in features)} has features after the warm-up of "
            f"{config.train.warm_up} bars and a complete label of {config.label.horizon} bars; "
            f"import a longer history or shorten train.warm_up"
        )
    return Dataset(
        values=np.concatenate(blocks),
        samples=samples,
        pairs=tuple(frame.pair for frame in features),
        names=features[0].names,
        feature_set=features[0].feature_set,
        content=_content(features, candles),
    )


def barrier_context(
    volatility: FloatArray, barrier_up: FloatArray, barrier_down: FloatArray
) -> Float32Array:
    """Return log volatility and the log distance of both barriers in volatilities, (N, 3)."""
    known = np.maximum(volatility, 1e-9)
    columns = (known, barrier_up / known, barrier_down / known)
    return np.asarray(np.log(np.stack(columns, axis=1)), np.float32)


def sample_weights(samples: Samples, age_days: float) -> tuple[FloatArray, float]:
    """Return training weights of mean 1, shape (N,), and the effective number of samples.

    ``uniqueness * sqrt(|net return|) * exp(-age / age_days)``, where uniqueness is counted among
    these samples only (Lopez de Prado 2018, sections 4.4 to 4.7).
    """
    unique = np.empty(len(samples))
    for number in np.unique(samples.pair):
        own = np.flatnonzero(samples.pair == number)
        start, end = samples.start[own], samples.end[own]
        unique[own] = uniqueness(start, end, int(end.max()) + 1)
    age = (samples.as_of.max() - samples.as_of) / np.timedelta64(1, "D")
    size = np.sqrt(np.abs(samples.net_return))
    weight = unique * size * np.exp(-np.asarray(age, np.float64) / age_days)
    total = float(weight.sum())
    even = np.ones(len(samples))
    return (weight * (len(samples) / total) if total > 0.0 else even), float(unique.sum())


def _join(
    frame: FeatureFrame,
    bars: CandleFrame,
    labels: Labels,
    config: NetworkConfig,
    place: tuple[IntArray, int],
) -> Samples:
    opened = open_times(bars)
    at = np.minimum(np.searchsorted(opened, frame.open_time), len(opened) - 1)
    matched = np.equal(opened[at], frame.open_time)
    if not matched.any():
        raise ModelError(
            f"{frame.pair}: no feature row opens with a candle; features run from "
            f"{frame.open_time[0]} to {frame.open_time[-1]}, candles from {opened[0]} to "
            f"{opened[-1]}; compute the features from these candles"
        )
    active = np.asarray(np.isfinite(frame.values).any(axis=0), np.bool_)
    if not active.any():
        raise ModelError(
            f"{frame.pair}: all {len(frame.names)} features are NaN in all {len(frame)} rows; "
            f"compute them on a history longer than their warm-up"
        )
    good = ready(frame.values, active, config.min_valid)
    good &= matched & labels.valid[at]
    good[: config.train.warm_up] = False
    i = np.flatnonzero(good)
    t = at[i]
    row, number = place
    return Samples(
        row=row[i],
        pair=np.full(len(i), number, np.int64),
        start=t,
        end=labels.end[t],
        as_of=labels.as_of[t],
        end_time=labels.end_time[t],
        outcome=labels.outcome[t],
        barrier_up=labels.barrier_up[t],
        barrier_down=labels.barrier_down[t],
        long_return=labels.long_return[t],
        short_return=labels.short_return[t],
        net_return=labels.net_return[t],
        horizon_return=labels.horizon_return[t],
        volatility=labels.volatility[t],
        momentum=_momentum(bars, config.label)[t],
    )


def _momentum(bars: CandleFrame, config: LabelConfig) -> FloatArray:
    close = np.log(bars["close"].to_numpy())
    past = np.zeros(len(close))
    past[config.horizon :] = close[config.horizon :] - close[: -config.horizon]
    return past


def _stack(parts: list[Samples]) -> Samples:
    joined = Samples(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Samples)}
    )
    return joined.take(np.argsort(joined.as_of, kind="stable"))


def _content(features: Sequence[FeatureFrame], candles: Sequence[CandleFrame]) -> str:
    hashes = []
    for frame, bars in zip(features, candles, strict=True):
        hashes.append([frame.pair, frame.timeframe.value, frame.feature_set])
        prices = bars.select("open", "high", "low", "close").to_numpy()
        for array in (frame.open_time, frame.values, open_times(bars), prices):
            raw = np.ascontiguousarray(array).tobytes()
            hashes.append([hashlib.sha256(raw).hexdigest()])
    return digest(hashes)


def _require_matching(
    features: Sequence[FeatureFrame], candles: Sequence[CandleFrame], config: NetworkConfig
) -> None:
    if not features or len(features) != len(candles):
        raise ModelError(
            f"training needs one candle frame for each feature frame and at least one, found "
            f"{len(features)} and {len(candles)}"
        )
    if len(features) >= config.max_pairs:
        raise ModelError(
            f"the pair embedding holds {config.max_pairs - 1} pairs, found {len(features)}; "
            f"raise max_pairs"
        )
    for frame, bars in zip(features, candles, strict=True):
        if bars.is_empty():
            raise ModelError(f"{frame.pair}: found no candles; import market data first")
        found = (bars["pair"][0], bars["timeframe"][0])
        if found != (frame.pair, frame.timeframe.value):
            raise ModelError(
                f"features of {frame.pair} {frame.timeframe.value} need candles of the same pair "
                f"and timeframe, found {found[0]} {found[1]}"
            )
        if len(frame.names) != config.features or frame.feature_set != features[0].feature_set:
            raise ModelError(
                f"{frame.pair}: expected {config.features} features of set "
                f"{features[0].feature_set[:12]}, found {len(frame.names)} of set "
                f"{frame.feature_set[:12]}; compute all pairs with the same catalogue"
            )

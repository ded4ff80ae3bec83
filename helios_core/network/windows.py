"""Feature rows as one contiguous block, and where in it the windows of a sample lie.

A sample is only a row number. Its windows are read when they are needed, from the one block that
all samples share: window k holds every ``strides[k]``-th base row counted back from the deciding
row, which is its last. The 5 and 15 minute windows are therefore strided views of the same
vector, anchored at the decision and never at the clock, so no bar of theirs is ever half done.
"""

from dataclasses import dataclass

import numpy as np

from helios_core.domain.market import (
    BoolArray,
    FeatureFrame,
    Float32Array,
    FloatArray,
    IntArray,
)
from helios_core.errors import ModelError
from helios_core.network.config import Shape

CLIP = 5.0  # standard deviations


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """Mean and deviation of each column, shape (F,), and which columns were ever seen."""

    mean: FloatArray
    std: FloatArray
    active: BoolArray

    def apply(self, values: Float32Array) -> Float32Array:
        """Return ``clip((x - mean) / std, -5, 5)``; NaN stays, inactive features become NaN."""
        scaled = (values - self.mean.astype(np.float32)) / self.std.astype(np.float32)
        clipped = np.clip(scaled, -CLIP, CLIP).astype(np.float32, copy=False)
        clipped[:, ~self.active] = np.nan
        return np.asarray(clipped)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """One pair on a full grid of bars: `values` (G, F), missing bars NaN; `row` (T,) into it.

    The first ``lookback - 1`` rows are NaN padding, so that no window leaves the block.
    """

    values: Float32Array
    row: IntArray


def fit_scaler(values: Float32Array) -> Scaler:
    """Return the scaler of `values` (N, F); the caller passes rows of the training part only.

    Raises
    ------
    ModelError
        If not one feature is finite anywhere.
    """
    known = np.isfinite(values)
    count = known.sum(axis=0)
    filled = np.where(known, values, 0.0).astype(np.float64)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    spread = np.where(known, values - mean, 0.0) ** 2
    std = np.sqrt(spread.sum(axis=0) / np.maximum(count, 1))
    active = count > 0
    if not active.any():
        raise ModelError(
            f"none of the {values.shape[1]} features is finite in the {len(values)} training rows; "
            f"compute features first, on a history longer than their warm-up"
        )
    return Scaler(mean, np.where(std > 1e-8, std, 1.0), active)


def to_grid(features: FeatureFrame, lookback: int) -> Grid:
    """Return the rows of `features` on a grid without holes, padded at the front.

    Raises
    ------
    ModelError
        If there are no rows, times do not rise, or they do not lie on the grid of the timeframe.
    """
    if not len(features):
        raise ModelError(f"{features.pair}: windows need feature rows, found none")
    bar = np.timedelta64(features.timeframe.duration)
    away = features.open_time - features.open_time[0]
    position = (away // bar).astype(np.int64)
    if (position * bar != away).any() or (np.diff(position) < 1).any():
        raise ModelError(
            f"{features.pair}: feature rows must rise in steps of {features.timeframe.value}; "
            f"sort them, drop duplicates and compute them from candles of one timeframe"
        )
    row = position + lookback - 1
    values = np.full((int(row[-1]) + 1, features.values.shape[1]), np.nan, np.float32)
    values[row] = features.values
    return Grid(values, row)


def offsets(shape: Shape) -> tuple[IntArray, ...]:
    """Return for each window the rows it reads relative to the deciding row, oldest first."""
    return tuple(
        stride * np.arange(1 - bars, 1)
        for bars, stride in zip(shape.windows, shape.strides, strict=True)
    )


def ready(values: Float32Array, active: BoolArray, min_valid: float) -> BoolArray:
    """Return where at least `min_valid` of the active features are finite, shape (T,)."""
    return np.asarray(np.isfinite(values[:, active]).mean(axis=1) >= min_valid, np.bool_)

"""Figures of the features: which are there, how they are spread, how alike they are."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.figure import Figure

from helios_core.domain.market import BoolArray, FeatureFrame, Float32Array, FloatArray
from helios_core.errors import UsageError
from helios_core.market.catalogue import CATALOGUE
from helios_core.workbench.plots.style import (
    BLUE,
    GRAY,
    RED,
    SKY,
    SMALL,
    counted,
    label,
    legend,
    nothing,
    panels,
    percent,
    tiles,
)

SHOWN = 12  # distributions in one figure
MIN_ROWS = 3  # rows below which a correlation says nothing
TINY = 6  # points; ninety names fit


def feature_coverage(
    names: Sequence[str],
    finite_share: Sequence[float] | FloatArray,
    groups: Sequence[str],
    *,
    pair: str = "",
) -> Figure:
    """Return the share of rows in which each feature is known, by group.

    Parameters
    ----------
    names, finite_share, groups : sequence
        One entry a feature, features of a group side by side; shares from 0 to 1.
    """
    share = np.asarray(finite_share, np.float64)
    if not len(names) == len(share) == len(groups):
        raise UsageError(
            f"feature_coverage needs one share and one group for each of {len(names)} names, "
            f"found {len(share)} and {len(groups)}"
        )
    known = int(np.count_nonzero(share > 0))
    title = f"{known} of {counted(len(names), 'feature')} have values"
    figure, (ax,) = panels(f"{pair}: {title}" if pair else title, size=(13.0, 4.2))
    label(ax, "feature", "rows with a value, %")
    if not len(names):
        nothing(ax, "no data: no feature")
        return figure
    start = 0
    for number, (group, members) in enumerate(groupby(groups)):
        size = len(list(members))
        at = np.arange(start, start + size)
        ax.bar(at, share[at], color=BLUE if number % 2 == 0 else SKY, width=0.8)
        ax.text(
            start + (size - 1) / 2, 1.02 + 0.07 * (number % 2), group, ha="center", va="bottom",
            fontsize=SMALL,
        )  # fmt: skip
        start += size
    never = np.flatnonzero(~(share > 0))
    if len(never):
        ax.plot(never, np.zeros(len(never)), "x", color=RED, label="no value", clip_on=False)
    ax.set_xlim(-0.7, len(names) - 0.3)
    ax.set_ylim(0.0, 1.17)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=TINY)
    ax.grid(visible=False, axis="x")
    percent(ax)
    legend(ax)
    return figure


def coverage_of(frame: FeatureFrame) -> Figure:
    """Return `feature_coverage` of the rows of one pair."""
    share = frame.mask.mean(axis=0) if len(frame) else np.zeros(len(frame.names))
    group = {spec.name: spec.group for spec in CATALOGUE}
    groups = [group.get(name, "own") for name in frame.names]
    return feature_coverage(frame.names, share, groups, pair=frame.pair)


def correlation(frame: FeatureFrame) -> Figure:
    """Return the Pearson correlation of each two features over the rows where both are known."""
    used = np.flatnonzero(frame.mask.sum(axis=0) >= MIN_ROWS)
    size = max(4.5, 2.5 + 0.11 * len(used))
    figure, (ax,) = panels(
        f"{frame.pair}: correlation of {len(used)} features over {counted(len(frame), 'bar')}",
        size=(size + 0.8, size),
    )
    ax.grid(visible=False)
    if len(used) < 2:
        nothing(ax, "no data: fewer than two features have values")
        label(ax, "feature", "feature")
        return figure
    table = pairwise_correlation(frame.values[:, used])
    picture = ax.imshow(table, cmap="PuOr_r", vmin=-1.0, vmax=1.0, interpolation="nearest")
    names = [frame.names[i] for i in used]
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=TINY)
    ax.set_yticks(range(len(names)), names, fontsize=TINY)
    label(ax, "feature", "feature")
    bar = figure.colorbar(picture, ax=ax, shrink=0.8)
    bar.set_label("correlation; white where one does not vary", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def pairwise_correlation(values: Float32Array | FloatArray) -> FloatArray:
    """Return correlations over the rows where both columns are finite, shape (F, F).

    NaN where fewer than three rows are common or a column does not vary in them.

    Parameters
    ----------
    values : ndarray of shape (T, F)
    """
    known: BoolArray = np.isfinite(values)
    present = known.astype(np.float64)
    count = np.maximum(known.sum(axis=0), 1)
    # columns are centered first, so that the sums of squares below do not cancel
    mean = np.where(known, values, 0.0).sum(axis=0, dtype=np.float64) / count
    x = np.where(known, values.astype(np.float64) - mean, 0.0)
    n = present.T @ present
    with np.errstate(divide="ignore", invalid="ignore"):
        left = (x.T @ present) / n  # mean of a over the rows that it shares with b
        spread = (x * x).T @ present / n - left**2
        spread[spread < 1e-12 * np.maximum((x * x).T @ present / n, 1e-300)] = np.nan
        found = ((x.T @ x) / n - left * left.T) / np.sqrt(spread * spread.T)
    return np.where(n >= MIN_ROWS, np.clip(found, -1.0, 1.0), np.nan)


def distributions(frame: FeatureFrame, names: Sequence[str] = ()) -> Figure:
    """Return a histogram of each feature in `names`; by default of the first twelve with values."""
    unknown = [name for name in names if name not in frame.names]
    if unknown:
        raise UsageError(f"{frame.pair} has no feature {unknown}; it has {list(frame.names)}")
    chosen = (
        list(names)
        or [name for i, name in enumerate(frame.names) if frame.mask[:, i].any()][:SHOWN]
    )
    figure, axes = tiles(
        f"{frame.pair}: distribution of features over {counted(len(frame), 'bar')}", len(chosen)
    )
    if not chosen:
        nothing(axes[0], "no data: no feature has values")
    for ax in axes:
        label(ax, "normalized value", "bars")
    for ax, name in zip(axes, chosen, strict=False):
        column = frame.values[:, frame.names.index(name)]
        finite = column[np.isfinite(column)]
        ax.set_title(name, fontsize=SMALL)
        ax.tick_params(labelsize=TINY)
        if len(finite):
            ax.hist(finite, bins=50, color=BLUE)
            ax.axvline(0.0, color=GRAY, linewidth=0.7)
        else:
            nothing(ax)
    return figure

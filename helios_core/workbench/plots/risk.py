"""Figures of tier 3: volatility, and how a size came about."""

import textwrap
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from helios_core.domain.decisions import RiskDecision
from helios_core.domain.market import FloatArray, TimeArray
from helios_core.forecast import PairForecast
from helios_core.workbench.plots.style import (
    BLUE,
    GRAY,
    GREEN,
    LIGHT,
    ORANGE,
    RED,
    SKY,
    SMALL,
    days,
    label,
    legend,
    nothing,
    panels,
    percent,
    share,
    stamp,
    utc_axis,
)

METHODS = {"garch": BLUE, "ewma": ORANGE, "rolling": SKY, "none": LIGHT}
BPS = 1e4
WIDE = 30.0  # largest over smallest cap from which a logarithmic axis is needed


def volatility(
    closed_at: pl.Series | TimeArray | Sequence[datetime],
    sigma: FloatArray,
    realized: FloatArray | None = None,
    method: Sequence[str] | NDArray[np.str_] | None = None,
    *,
    pair: str = "",
    realized_name: str = "realized",
) -> Figure:
    """Return forecast volatility beside what came, and which method made the forecast.

    Parameters
    ----------
    closed_at : times of length T
        Closes of the bars; a forecast is that of the bar after.
    sigma, realized : ndarray of shape (T,)
        Standard deviation of a bar's log return, fraction; drawn in basis points. NaN where not
        known. `realized` is the caller's measure of it, `realized_name` says which.
    method : sequence of str, length T
        garch, ewma, rolling or none.
    """
    figure, (ax, strip) = panels(
        f"{pair}: volatility of a bar" if pair else "Volatility of a bar",
        (5.0, 0.5),
        size=(9.0, 4.2),
    )
    label(ax, y="standard deviation, basis points")
    label(strip, y="method")
    strip.set_yticks([])
    strip.grid(visible=False)
    at = days(closed_at)
    if not len(at) or not np.isfinite(sigma).any():
        nothing(ax, "no data: no volatility is known")
        utc_axis(strip)
        return figure
    if realized is not None:
        came = np.asarray(realized) * BPS
        ax.plot(at, came, color=GRAY, linewidth=0.7, alpha=0.6, label=realized_name)
    ax.plot(at, np.asarray(sigma) * BPS, color=RED, linewidth=1.1, label="forecast")
    ax.set_ylim(bottom=0.0)
    legend(ax)
    if method is not None:
        _runs(strip, at, np.asarray(method))
    utc_axis(strip)
    return figure


def volatility_of(known: PairForecast, bars: int = 2880, ahead: int = 60) -> Figure:
    """Return the forecasts of the last `bars` beside what the `ahead` bars after each one did."""
    sigma = known.volatility.sigma
    returns = np.diff(np.log(known.close), prepend=np.nan)
    realized = np.full(len(sigma), np.nan)
    if len(sigma) > ahead:
        windows = np.lib.stride_tricks.sliding_window_view(returns[1:], ahead)
        realized[: len(windows)] = np.sqrt(np.mean(windows**2, axis=1))
    last = slice(-bars, None)
    return volatility(
        known.closed_at[last],
        sigma[last],
        realized[last],
        known.volatility.method[last],
        pair=known.pair,
        realized_name=f"realized over the {ahead} bars after",
    )


def _runs(ax: Axes, at: FloatArray, method: NDArray[np.str_]) -> None:
    """Color each run of bars with one method."""
    starts = np.concatenate([[0], np.flatnonzero(method[1:] != method[:-1]) + 1])
    ends = np.append(starts[1:], len(method) - 1)
    named: set[str] = set()
    for start, end in zip(starts, ends, strict=True):
        name = str(method[start])
        ax.axvspan(
            at[start], at[end], color=METHODS.get(name, GRAY), linewidth=0,
            label="_" if name in named else name,
        )  # fmt: skip
        named.add(name)
    handles, names = ax.get_legend_handles_labels()
    ax.legend(
        handles, names, fontsize=SMALL, frameon=False, ncols=4, loc="lower right",
        bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0, handlelength=1.2,
    )  # fmt: skip


def sizing_waterfall(risk: RiskDecision) -> Figure:
    """Return every stage of sizing, what went in and what it left; bound stages are colored."""
    stages = risk.stages
    bound = risk.binding.replace("_", " ")
    verdict = "vetoed" if risk.vetoed else f"{share(risk.size)} of equity, bound by {bound}"
    figure, (ax,) = panels(
        f"{risk.pair} at {stamp(risk.as_of)}: {verdict}",
        size=(10.0, 1.5 + 0.34 * max(len(stages), 2)),
    )
    label(ax, "share of equity, %", "stage of sizing")
    percent(ax, "x")
    if not stages:
        nothing(ax, "no data: nothing was sized")
        return figure
    rows = np.arange(len(stages))
    before, after = (np.array([getattr(s, side) for s in stages]) for side in ("before", "after"))
    ax.barh(rows, before, height=0.7, color="none", edgecolor=GRAY, linewidth=0.8, label="before")
    colors = [RED if stage.bound else BLUE for stage in stages]
    ax.barh(rows, after, height=0.5, color=colors)
    ax.barh([0], [0], color=BLUE, label="after")
    if any(stage.bound for stage in stages):
        ax.barh([0], [0], color=RED, label="after, cut here")
    ax.axvline(0.0, color=GRAY, linewidth=0.8)
    ax.set_yticks(rows, [stage.name.replace("_", " ") for stage in stages])
    ax.set_ylim(len(stages) - 0.5, -0.5)
    _clip(ax, np.concatenate([before, after]), risk.size)
    for row, stage in enumerate(stages):
        change = f"{share(stage.before)} to " if stage.bound else ""
        note = f"; {stage.note}" if stage.bound or len(stages) == 1 else ""
        words = textwrap.shorten(change + share(stage.after) + note, 74, placeholder=" ...")
        ax.text(
            1.01, row, words, fontsize=SMALL, transform=ax.get_yaxis_transform(), va="center",
        )  # fmt: skip
    legend(ax)
    return figure


def _clip(ax: Axes, sizes: FloatArray, final: float) -> None:
    """Show the sizes around the final one: Kelly alone may be a hundred times as large."""
    most = max(4 * abs(final), 0.2)
    low, high = max(sizes.min(), -most), min(sizes.max(), most)
    ax.set_xlim(min(1.1 * low, 0.0), max(1.1 * high, 0.01))
    if low > sizes.min() or high < sizes.max():
        label(ax, "share of equity, %; longer bars run out of the panel")


def limits(risk: RiskDecision) -> Figure:
    """Return every cap on the leverage of a pair; the smallest one is the leverage allowed."""
    caps = [cap for cap in risk.leverage_caps if np.isfinite(cap[1])]
    figure, (ax,) = panels(
        f"{risk.pair} at {stamp(risk.as_of)}: leverage up to {risk.leverage:.3g}",
        size=(8.0, 1.4 + 0.32 * max(len(caps), 2)),
    )
    label(ax, "multiple of equity", "cap")
    if not caps:
        nothing(ax, f"no data: {risk.note or 'nothing was sized'}")
        return figure
    values = np.array([value for _, value in caps])
    lowest = int(values.argmin())
    ax.barh(
        range(len(caps)), values, color=[RED if i == lowest else GREEN for i in range(len(caps))]
    )
    ax.set_yticks(range(len(caps)), [name.replace("_", " ") for name, _ in caps])
    ax.set_ylim(len(caps) - 0.5, -0.5)
    if values.min() > 0 and values.max() / values.min() > WIDE:
        ax.set_xscale("log")
        label(ax, "multiple of equity, logarithmic")
    for row, value in enumerate(values):
        word = f"{value:.4g}" + ("  smallest" if row == lowest else "")
        ax.annotate(
            word, (value, row), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=SMALL,
        )  # fmt: skip
    ax.margins(x=0.15)
    return figure

"""What all figures share: colors, panels, axes in UTC, and what stands where nothing is known."""

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from helios_core.domain.market import FloatArray, TimeArray

# Okabe and Ito (2008), "Color Universal Design": told apart by every kind of color vision
BLUE, RED, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, GRAY, LIGHT = "#56B4E9", "#CC79A7", "#5f6368", "#d9dcdf"

BUY_COLOR, SELL_COLOR = BLUE, RED
SMALL = 8  # points
LETTERS = 11  # of a title that fit into an inch


def panels(
    title: str,
    ratios: Sequence[float] = (1.0,),
    *,
    size: tuple[float, float] = (9.0, 4.0),
    beside: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, one below the other on a shared x axis, or `beside`.

    Parameters
    ----------
    ratios : sequence of float
        Relative height, or width, of each panel.
    size : (width, height)
        Of the figure, inches.
    """
    figure = _figure(title, size)
    if beside:
        grid = figure.subplots(1, len(ratios), squeeze=False, width_ratios=list(ratios))
    else:
        grid = figure.subplots(
            len(ratios), 1, squeeze=False, sharex=True, height_ratios=list(ratios)
        )
    axes: list[Axes] = list(grid.flat)
    _plain(axes)
    return figure, axes


def tiles(title: str, count: int, *, columns: int = 4) -> tuple[Figure, list[Axes]]:
    """Return a figure and `count` panels of their own axes, `columns` in a line; at least one."""
    count = max(count, 1)
    columns = min(columns, count)
    lines = -(-count // columns)
    figure = _figure(title, (2.6 * columns if columns > 1 else 5.0, 0.8 + 1.9 * lines))
    axes: list[Axes] = list(figure.subplots(lines, columns, squeeze=False).flat)
    for ax in axes[count:]:
        ax.remove()
    _plain(axes[:count])
    return figure, axes[:count]


def _figure(title: str, size: tuple[float, float]) -> Figure:
    figure = Figure(figsize=size, layout="constrained")
    wrapped = textwrap.fill(title, int(LETTERS * size[0]))
    figure.suptitle(wrapped, x=0.01, ha="left", fontsize=11)
    return figure


def _plain(axes: Sequence[Axes]) -> None:
    for ax in axes:
        ax.tick_params(labelsize=SMALL)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(visible=True, color=LIGHT, linewidth=0.5)
        ax.set_axisbelow(True)


def label(ax: Axes, x: str = "", y: str = "") -> None:
    """Name the axes of a panel, units included; an empty name leaves an axis as it is."""
    if x:
        ax.set_xlabel(x, fontsize=SMALL)
    if y:
        ax.set_ylabel(y, fontsize=SMALL)


def nothing(ax: Axes, text: str = "no data") -> None:
    """Say in a panel that there is nothing to draw, and why; an empty figure has no ticks."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=GRAY)
    ax.set_yticks([])
    ax.grid(visible=False)
    if not _drawn(ax):
        ax.set_xticks([])


def legend(ax: Axes) -> None:
    """Put a small legend above the panel, where it hides no data; nothing without labels."""
    entries = len(ax.get_legend_handles_labels()[0])
    if entries:
        ax.legend(
            fontsize=SMALL,
            frameon=False,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=min(entries, 6),
            borderaxespad=0.1,
            handlelength=1.6,
            columnspacing=1.2,
        )


def utc_axis(ax: Axes) -> None:
    """Make the x axis one of times in UTC, whatever the zone of this machine; the last step."""
    label(ax, x="time, UTC")
    if not _drawn(ax):
        return
    locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)


def _drawn(ax: Axes) -> bool:
    """Whether any panel of the figure of `ax` has something in it."""
    return ax.figure is not None and any(panel.has_data() for panel in ax.figure.axes)


def plain_numbers(ax: Axes) -> None:
    """Write large numbers of the y axis out, with separators and without an offset."""
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def counted(number: int, noun: str) -> str:
    """Return ``1 fill`` or ``2,000 fills``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def share(value: float) -> str:
    """Return a fraction as percent with two decimals."""
    return f"{100 * value:.2f} %"


def percent(ax: Axes, axis: str = "y", decimals: int | None = None) -> None:
    """Write the fractions of an axis as percent."""
    formatter = PercentFormatter(1.0, decimals=decimals, symbol=" %")
    (ax.yaxis if axis == "y" else ax.xaxis).set_major_formatter(formatter)


def times(values: pl.Series | TimeArray | Sequence[datetime]) -> TimeArray:
    """Return times as datetime64[us] in UTC; numpy's own are in UTC already."""
    if isinstance(values, pl.Series):
        series = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return np.asarray(series.to_numpy(), "datetime64[us]")
    if isinstance(values, np.ndarray):
        return values.astype("datetime64[us]")
    plain = [value.astimezone(UTC).replace(tzinfo=None) for value in values]
    return np.array(plain, dtype="datetime64[us]")


def days(values: pl.Series | TimeArray | Sequence[datetime]) -> FloatArray:
    """Return times as matplotlib counts them, days since 1970, shape (T,)."""
    return np.asarray(date2num(times(values)), np.float64)  # type: ignore[no-untyped-call]


def stamp(moment: datetime | np.datetime64) -> str:
    """Return a time as text, to the minute, UTC."""
    if isinstance(moment, np.datetime64):
        return str(moment.astype("datetime64[m]")).replace("T", " ") + " UTC"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

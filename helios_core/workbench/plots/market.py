"""Figures of tier 1: candles with fills, and what of the market is stored."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from helios_core.domain.market import CandleFrame, FloatArray, Gap, Timeframe
from helios_core.domain.trading import Fill, Side
from helios_core.workbench.plots.style import (
    BLUE,
    BUY_COLOR,
    GRAY,
    ORANGE,
    RED,
    SELL_COLOR,
    SKY,
    counted,
    days,
    label,
    legend,
    nothing,
    panels,
    plain_numbers,
    stamp,
    times,
    utc_axis,
)

if TYPE_CHECKING:
    from helios_core.store.market import Coverage, GapRow

BODY = 0.35  # half of a candle's body, as a share of its bar
KEYS = {"missing": RED, "no_trade": ORANGE}


def candles(frame: CandleFrame, *, bars: int = 240, fills: Sequence[Fill] = ()) -> Figure:
    """Return the last `bars` candles with their volume, and the fills of their pair among them.

    Missing bars stay empty: the x axis is time.
    """
    shown = frame.tail(bars)
    if shown.is_empty():
        figure, (ax,) = panels("Candles")
        nothing(ax, "no data: no candle to draw")
        label(ax, "time, UTC", "price, quote per base")
        return figure
    pair, timeframe = shown["pair"][0], shown["timeframe"][0]
    last = times(shown["open_time"])[-1]
    figure, (price, volume) = panels(
        f"{pair}: {counted(shown.height, 'candle')} of {timeframe}, the last opens {stamp(last)}",
        (3.0, 1.0),
        size=(9.0, 5.0),
    )
    draw_candles(price, shown)
    draw_fills(price, [fill for fill in fills if fill.pair == pair], shown)
    label(price, y="price, quote per base")
    plain_numbers(price)
    legend(price)
    at = bar_middles(shown)
    volume.vlines(at, 0.0, shown["volume"].to_numpy(), color=SKY, linewidth=_line_width(at))
    volume.set_ylim(bottom=0.0)
    label(volume, y="volume, base")
    plain_numbers(volume)
    utc_axis(volume)
    return figure


def draw_candles(ax: Axes, frame: CandleFrame) -> None:
    """Draw wicks and bodies: blue where a bar closed at or above its open, red below it."""
    at, half = bar_middles(frame), BODY * _bar_days(frame)
    opened, closed = frame["open"].to_numpy(), frame["close"].to_numpy()
    low, high = frame["low"].to_numpy(), frame["high"].to_numpy()
    colors = np.where(closed >= opened, BUY_COLOR, SELL_COLOR).tolist()
    wicks = [[(x, bottom), (x, top)] for x, bottom, top in zip(at, low, high, strict=True)]
    bodies = [
        [(x - half, a), (x + half, a), (x + half, b), (x - half, b)]
        for x, a, b in zip(at, opened, closed, strict=True)
    ]
    ax.add_collection(LineCollection(wicks, colors=colors, linewidths=0.7))
    ax.add_collection(PolyCollection(bodies, facecolors=colors, edgecolors=colors, linewidths=0.7))
    ax.update_datalim([(at[0] - half, low.min()), (at[-1] + half, high.max())])
    ax.autoscale_view()


def draw_fills(ax: Axes, fills: Sequence[Fill], frame: CandleFrame) -> None:
    """Mark the fills within the time of `frame` at their prices."""
    span = times(frame["open_time"])[[0, -1]]
    end = span[1] + np.timedelta64(Timeframe(frame["timeframe"][0]).minutes, "m")
    kinds = ((Side.BUY, "^", BUY_COLOR), (Side.SELL, "v", SELL_COLOR))
    for side, marker, color in kinds:
        moments = [fill for fill in fills if fill.side is side]
        at = times([fill.ts for fill in moments])
        inside = (at >= span[0]) & (at <= end)
        price = np.array([float(fill.price) for fill in moments])
        if inside.any():
            ax.plot(
                days(at[inside]), price[inside], marker, color=color, markersize=9,
                markeredgecolor="white", linestyle="none", zorder=5,
                label=f"{side.value.lower()} filled ({int(inside.sum())})",
            )  # fmt: skip


def bar_middles(frame: CandleFrame) -> FloatArray:
    """Return the middle of each bar as matplotlib counts time, in days, shape (T,)."""
    return days(frame["open_time"]) + _bar_days(frame) / 2


def coverage_map(
    coverage: "Sequence[Coverage]",
    gaps: "Mapping[str, Sequence[Gap | GapRow]]",
    *,
    timeframe: str = "1m",
) -> Figure:
    """Return what is stored of each pair over time, with its gaps.

    Parameters
    ----------
    coverage : sequence of Coverage
        As `store.market.coverage` gives it; other timeframes are left out.
    gaps : mapping of pair to gaps
        Of this timeframe. Each is drawn at least as wide as a hairline, so that one missing
        minute in a year is seen.
    """
    spans = [one for one in coverage if str(one.timeframe) == timeframe]
    pairs = sorted({one.pair for one in spans})
    figure, (ax,) = panels(f"Stored candles of {timeframe}", size=(9.0, 1.6 + 0.4 * len(pairs)))
    if not pairs:
        nothing(ax, f"no data: no candle of {timeframe} is stored")
        label(ax, "time, UTC", "pair")
        return figure
    bar = np.timedelta64(Timeframe(timeframe).minutes, "m")
    for row, pair in enumerate(pairs):
        for one in (span for span in spans if span.pair == pair):
            first, last = times([one.first, one.last])
            _bar(ax, row, (first, last + bar), BLUE, "stored")
        for gap in gaps.get(pair, ()):
            cause = getattr(gap, "cause", "missing")
            _bar(ax, row, tuple(times([gap.start, gap.end])), KEYS.get(cause, GRAY), cause)
    missing = [sum(gap.missing for gap in gaps.get(pair, ())) for pair in pairs]
    ax.set_yticks(
        range(len(pairs)), [f"{p}\n{n:,} missing" for p, n in zip(pairs, missing, strict=True)]
    )
    ax.set_ylim(len(pairs) - 0.5, -0.5)
    label(ax, y="pair")
    utc_axis(ax)
    _legend_once(ax)
    return figure


def _bar(ax: Axes, row: int, span: tuple[np.datetime64, ...], color: str, name: str) -> None:
    start, end = days(np.array(span))
    edge = 0.0 if color == BLUE else 1.0
    ax.broken_barh(
        [(start, end - start)], (row - 0.3, 0.6), facecolor=color, edgecolor=color, linewidth=edge,
        label=name.replace("_", " "),
    )  # fmt: skip


def _legend_once(ax: Axes) -> None:
    """Keep one legend entry of a kind, then draw the legend."""
    seen: set[str] = set()
    for artist in ax.collections:
        name = str(artist.get_label())
        if name in seen:
            artist.set_label("_")
        seen.add(name)
    legend(ax)


def _bar_days(frame: pl.DataFrame) -> float:
    return Timeframe(frame["timeframe"][0]).minutes / 1440


def _line_width(at: FloatArray) -> float:
    """Return a width in points that leaves a little room between bars in a panel of 8 inches."""
    return float(np.clip(8 * 72 * 0.7 / max(len(at), 1), 0.5, 12.0))

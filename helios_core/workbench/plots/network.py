"""Figures of tier 2: training, calibration, the baselines it must beat, the gate, its signals."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import CandleFrame, FloatArray, Timeframe
from helios_core.domain.runs import Verdict
from helios_core.workbench.plots.style import (
    BLUE,
    BUY_COLOR,
    GRAY,
    GREEN,
    LIGHT,
    ORANGE,
    PURPLE,
    RED,
    SELL_COLOR,
    SMALL,
    days,
    label,
    legend,
    nothing,
    panels,
    plain_numbers,
    times,
    utc_axis,
)

if TYPE_CHECKING:  # training and its torch stay out of a notebook that only draws
    from helios_core.network.evaluation import Score
    from helios_core.network.fitting import Epoch
    from helios_core.network.metrics import Bin

SERIES = (BLUE, RED, GREEN, ORANGE, PURPLE)
MARKERS = "os^Dv"


def loss_curves(history: "Sequence[Epoch]") -> Figure:
    """Return training and validation loss of each epoch, with the epoch that is kept.

    They are in two panels because they are two losses: the first adds up four weighted heads, the
    second is the log-loss of SELL, HOLD and BUY as they are served.
    """
    title = f"Training: {len(history)} of {history[0].of} epochs" if history else "Training"
    figure, (left, right) = panels(title, (1.0, 1.0), size=(9.0, 3.4), beside=True)
    label(left, "epoch", "training loss, four weighted heads, nats")
    label(right, "epoch", "validation log-loss, nats")
    if not history:
        nothing(left, "no data: no epoch was trained")
        nothing(right)
        return figure
    number = np.array([epoch.number for epoch in history])
    watched = np.array([epoch.validation_loss for epoch in history], np.float64)
    left.plot(number, [epoch.train_loss for epoch in history], "o-", color=BLUE, markersize=4)
    if not np.isfinite(watched).any():
        nothing(right, "no data: the validation loss was never finite")
    else:
        right.plot(number, watched, "o-", color=RED, markersize=4, label="validation")
        best = int(np.nanargmin(np.where(np.isfinite(watched), watched, np.nan)))
        right.plot(
            number[best], watched[best], "*", color=GREEN, markersize=13, linestyle="none",
            label=f"kept: epoch {number[best]}, {watched[best]:.4f}",
        )  # fmt: skip
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set_xlim(number[0] - 0.5, number[-1] + 0.5)
    legend(right)
    return figure


def reliability(tables: "Mapping[str, Sequence[Bin]]") -> Figure:
    """Return how often what was forecast came true; on the diagonal a forecast means what it says.

    Parameters
    ----------
    tables : mapping of name to bins
        As `network.metrics.reliability` gives them; the area of a marker is the number of samples.
    """
    figure, (ax,) = panels("Calibration on the test part", size=(5.2, 4.8))
    label(ax, "mean forecast probability", "share that came true")
    bins = [one for table in tables.values() for one in table]
    if not bins:
        nothing(ax, "no data: no forecast was scored")
        return figure
    most = max(one.count for one in bins)
    chances = np.array([(one.forecast, one.observed) for one in bins])
    low, high = max(chances.min() - 0.05, 0.0), min(chances.max() + 0.05, 1.0)
    ax.plot([low, high], [low, high], "--", color=GRAY, linewidth=0.8, label="calibrated")
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_aspect("equal")
    for i, (name, table) in enumerate(tables.items()):
        forecast, observed = [b.forecast for b in table], [b.observed for b in table]
        color, marker = SERIES[i % len(SERIES)], MARKERS[i % len(MARKERS)]
        total = sum(b.count for b in table)
        ax.plot(forecast, observed, "-", color=color, linewidth=1.0)
        ax.scatter(
            forecast, observed, s=[8 + 60 * b.count / most for b in table], color=color,
            marker=marker, label=f"{name} ({total:,})",
        )  # fmt: skip
    legend(ax)
    return figure


def baseline_bars(model: "Score", baselines: "Mapping[str, Score]") -> Figure:
    """Return log-loss and direction AUC of the model beside each baseline, with 95 % intervals."""
    scores = {"model": model, **baselines}
    figure, (loss, area) = panels(
        "The model and what it must beat, test part",
        (1.0, 1.0),
        size=(9.0, 1.5 + 0.35 * len(scores)),
        beside=True,
    )
    rows = np.arange(len(scores))
    _dots(loss, rows, np.array([s.log_loss for s in scores.values()]))
    auc = np.array([s.direction_auc for s in scores.values()])
    low = np.array([s.direction_low for s in scores.values()])
    high = np.array([s.direction_high for s in scores.values()])
    bounded = np.isfinite(low) & np.isfinite(high)
    area.hlines(rows[bounded], low[bounded], high[bounded], color=GRAY, linewidth=1.5)
    _dots(area, rows, auc)
    area.axvline(0.5, color=GRAY, linestyle="--", linewidth=0.8)
    for ax in (loss, area):
        ax.set_yticks(rows, list(scores))
        ax.set_ylim(len(scores) - 0.5, -0.5)
        ax.margins(x=0.15)
    label(loss, "log-loss of SELL, HOLD, BUY, nats (lower is better)", "forecast")
    label(area, "AUC of the direction, 95 % interval (0.5 knows nothing)", "forecast")
    return figure


def gate(verdict: Verdict) -> Figure:
    """Return every check of a promotion gate: what was required, what was found."""
    done = sum(check.passed for check in verdict.checks)
    word = "passed" if verdict.passed else "refused"
    rows = len(verdict.checks)
    figure, (ax,) = panels(
        f"Gate of {verdict.model_id}: {word}, {done} of {rows} checks hold",
        size=(10.0, 1.1 + 0.3 * max(rows, 2)),
    )
    ax.axis("off")
    if not rows:
        nothing(ax, "no data: an empty gate never passes")
        return figure
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(rows - 0.4, -1.5)
    columns = (0.035, 0.24, 0.62)
    for x, text in zip(columns, ("check", "required", "found"), strict=True):
        ax.text(x, -1.0, text, fontsize=SMALL, color=GRAY, va="center")
    for row, check in enumerate(verdict.checks):
        color = GREEN if check.passed else RED
        if row % 2 == 0:
            ax.axhspan(row - 0.5, row + 0.5, color=LIGHT, alpha=0.4, linewidth=0)
        ax.plot(0.015, row, "o" if check.passed else "X", color=color, markersize=7)
        texts = (check.name.replace("_", " "), check.required, check.found)
        widths = (26, 54, 54)
        for x, text, width in zip(columns, texts, widths, strict=True):
            short = textwrap.shorten(text, width, placeholder=" ...")
            ax.text(x, row, short, fontsize=SMALL, va="center")
    return figure


def signal_strip(signals: SignalFrame, candles: CandleFrame, *, bars: int = 1_440) -> Figure:
    """Return the price and, below it, the chances of BUY (up) and SELL (down) at each close."""
    shown = candles.tail(bars)
    title = f"{signals.pair}: signals of {signals.model_id}, horizon {signals.horizon} bars"
    figure, (price, strip) = panels(title, (2.0, 1.0), size=(9.0, 4.6))
    label(price, y="close, quote per base")
    label(strip, y="chance of SELL | BUY")
    if shown.is_empty():
        nothing(price, "no data: no candle to draw")
        nothing(strip)
        utc_axis(strip)
        return figure
    length = np.timedelta64(Timeframe(shown["timeframe"][0]).minutes, "m")
    closed_at = times(shown["open_time"]) + length
    price.plot(days(closed_at), shown["close"].to_numpy(), color=GRAY, linewidth=0.9)
    plain_numbers(price)
    inside = (signals.as_of >= closed_at[0]) & (signals.as_of <= closed_at[-1])
    buy, sell = signals.p_buy[inside], signals.p_sell[inside]
    if not np.isfinite(buy).any():
        nothing(strip, "no data: no signal in this time")
        utc_axis(strip)
        return figure
    at = days(signals.as_of[inside])
    _side(strip, at, buy, BUY_COLOR, "BUY")
    _side(strip, at, -sell, SELL_COLOR, "SELL")
    strip.axhline(0.0, color=GRAY, linewidth=0.7)
    top = float(np.nanmax(np.concatenate([buy, sell])))
    strip.set_ylim(-1.1 * max(top, 1e-3), 1.1 * max(top, 1e-3))
    strip.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.3g}")
    legend(strip)
    utc_axis(strip)
    return figure


def _side(ax: Axes, at: FloatArray, chance: FloatArray, color: str, name: str) -> None:
    ax.plot(at, chance, color=color, linewidth=0.8, label=name)
    ax.fill_between(at, 0.0, chance, where=np.isfinite(chance).tolist(), color=color, alpha=0.3)


def _dots(ax: Axes, rows: np.ndarray, values: FloatArray) -> None:
    """Draw a dot and its number a row; the first row is the model."""
    for row, value in zip(rows, values, strict=True):
        color = BLUE if row == 0 else ORANGE
        if np.isfinite(value):
            ax.plot(value, row, "o" if row == 0 else "s", color=color, markersize=8)
            ax.annotate(
                f"{value:.4f}", (value, row), xytext=(0, 7), textcoords="offset points",
                ha="center", fontsize=SMALL,
            )  # fmt: skip
        else:
            ax.text(
                0.02, row, "no answer", transform=ax.get_yaxis_transform(), va="center",
                fontsize=SMALL, color=GRAY,
            )  # fmt: skip

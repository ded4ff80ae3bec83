"""Equity curves with the fall below their peak, for backtests and for books."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from helios_core.domain.market import FloatArray, TimeArray
from helios_core.workbench.plots.style import (
    BLUE,
    GRAY,
    RED,
    days,
    label,
    legend,
    nothing,
    percent,
    plain_numbers,
    utc_axis,
)

COLORS = (BLUE, GRAY)
HOUR = 1 / 24  # of a day


def draw_curves(
    axes: tuple[Axes, Axes], at: TimeArray, curves: Mapping[str, FloatArray], unit: str
) -> None:
    """Draw equity in the first panel and, in the second, how far it is below its peak.

    Parameters
    ----------
    at : ndarray of shape (T,)
    curves : mapping of label to ndarray of shape (T,)
        The first is the one that counts; NaN leaves a hole.
    """
    equity, under = axes
    label(equity, y=f"equity, {unit}")
    label(under, y="below peak, %")
    percent(under)
    if not len(at) or not any(np.isfinite(values).any() for values in curves.values()):
        nothing(equity)
        nothing(under)
        utc_axis(under)
        return
    x = days(at)
    marker = "o" if len(at) < 30 else ""
    for i, (name, values) in enumerate(curves.items()):
        color = COLORS[min(i, len(COLORS) - 1)]
        equity.plot(x, values, color=color, linewidth=1.3, marker=marker, markersize=3, label=name)
        fall = underwater(values)
        if i == 0:
            under.fill_between(x, fall, 0.0, color=RED, alpha=0.3, linewidth=0)
        under.plot(x, fall, color=RED if i == 0 else color, linewidth=0.9)
    under.set_ylim(top=0.0)
    plain_numbers(equity)
    legend(equity)
    if x[0] == x[-1]:  # two cycles of one bar
        under.set_xlim(x[0] - HOUR, x[0] + HOUR)
    utc_axis(under)


def underwater(equity: FloatArray) -> FloatArray:
    """Return equity over its peak so far, minus 1, shape (T,); NaN where equity is."""
    return np.asarray(equity / np.fmax.accumulate(equity) - 1.0)

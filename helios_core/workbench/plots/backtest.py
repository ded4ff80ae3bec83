"""Figure of a backtest: what the policy would have earned, beside doing nothing clever."""

import math
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from helios_core.workbench.plots.curves import draw_curves
from helios_core.workbench.plots.style import ORANGE, counted, days, legend, panels, stamp, times

if TYPE_CHECKING:
    from helios_core.backtest.performance import Performance
    from helios_core.backtest.replay import BacktestResult


def equity(result: "BacktestResult", *, quote: str = "quote currency") -> Figure:
    """Return equity after each decision, buying and holding, both below their peaks.

    Times at which the data was too old to decide are marked at the foot.
    """
    span = f"{stamp(result.at[0])} to {stamp(result.at[-1])}" if result.at else "no decision"
    figure, (curve, under) = panels(
        f"Backtest: {counted(len(result.at), 'decision')}, "
        f"{counted(len(result.fills), 'fill')}, {span}",
        (3.0, 1.0),
        size=(9.0, 5.0),
    )
    curves = {
        _named("policy", result.performance): result.equity,
        _named("buy and hold", result.benchmark_performance): result.benchmark,
    }
    draw_curves((curve, under), times(result.at), curves, quote)
    if result.missed:
        curve.plot(
            days(result.missed), [0.01] * len(result.missed), "|", color=ORANGE,
            markersize=10, transform=curve.get_xaxis_transform(),
            label=f"{len(result.missed)} too old to decide",
        )  # fmt: skip
        legend(curve)
    return figure


def _named(name: str, performance: "Performance") -> str:
    parts = [f"{name} {performance.total_return:+.2%}"]
    if math.isfinite(performance.sharpe):
        parts.append(f"Sharpe {performance.sharpe:.2f}")
    return ", ".join(parts)

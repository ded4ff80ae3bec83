"""Figures, one function each; they return a figure and leave no state in pyplot behind.

``plots.show`` of `workbench.run` displays one and keeps it. Nothing here computes a decision: a
figure draws what it is given, and says so when there is nothing to draw.
"""

from helios_core.workbench.plots.backtest import equity
from helios_core.workbench.plots.features import (
    correlation,
    coverage_of,
    distributions,
    feature_coverage,
)
from helios_core.workbench.plots.market import candles, coverage_map
from helios_core.workbench.plots.network import (
    baseline_bars,
    gate,
    loss_curves,
    reliability,
    signal_strip,
)
from helios_core.workbench.plots.portfolio import targets
from helios_core.workbench.plots.report import book_equity
from helios_core.workbench.plots.risk import limits, sizing_waterfall, volatility, volatility_of
from helios_core.workbench.plots.strategy import view_dial
from helios_core.workbench.plots.trading import orders

__all__ = [
    "baseline_bars",
    "book_equity",
    "candles",
    "correlation",
    "coverage_map",
    "coverage_of",
    "distributions",
    "equity",
    "feature_coverage",
    "gate",
    "limits",
    "loss_curves",
    "orders",
    "reliability",
    "signal_strip",
    "sizing_waterfall",
    "targets",
    "view_dial",
    "volatility",
    "volatility_of",
]

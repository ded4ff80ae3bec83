"""Figure of tier 5: from what is held to what is wanted."""

import numpy as np
from matplotlib.figure import Figure

from helios_core.domain.decisions import TargetPortfolio
from helios_core.workbench.plots.style import (
    BLUE,
    GRAY,
    RED,
    SMALL,
    label,
    legend,
    nothing,
    panels,
    percent,
    share,
    stamp,
)


def targets(target: TargetPortfolio) -> Figure:
    """Return current and target weight of each pair and of cash, with what tier 3 allows."""
    figure, (ax,) = panels(
        f"Portfolio at {stamp(target.as_of)}: {target.method.replace('_', ' ')}, {target.status}",
        size=(9.0, 1.7 + 0.5 * (len(target.pairs) + 1)),
    )
    label(ax, "share of equity, %", "pair")
    percent(ax, "x")
    if not target.pairs:
        nothing(ax, "no data: no pair was looked at")
        return figure
    names = [*target.pairs, "cash"]
    rows = np.arange(len(names))
    now = np.array([*target.current, 1.0 - sum(target.current)])
    wanted = np.array([*target.weights, target.cash])
    ax.barh(rows - 0.19, now, height=0.34, color=GRAY, label="now")
    ax.barh(rows + 0.19, wanted, height=0.34, color=BLUE, label="target")
    allowed = {pair: s.before for pair, s in target.stages if s.name == "optimizer"}
    marked = [row for row, name in enumerate(names) if name in allowed]
    if marked:
        ax.plot(
            [allowed[names[row]] for row in marked], marked, "|", color=RED, markersize=22,
            markeredgewidth=2, linestyle="none", label="most that risk allows",
        )  # fmt: skip
    for row in range(len(names)):
        ax.text(
            1.01, row, f"{share(now[row])} to {share(wanted[row])}", va="center", fontsize=SMALL,
            transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    ax.axvline(0.0, color=GRAY, linewidth=0.8)
    ax.set_yticks(rows, names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    legend(ax)
    return figure

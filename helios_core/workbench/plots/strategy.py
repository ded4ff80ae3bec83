"""Figure of tier 4: how far the strategist lowers risk, and how it tilts."""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from helios_core.domain.decisions import StrategicView
from helios_core.workbench.plots.style import (
    BLUE,
    GRAY,
    GREEN,
    LIGHT,
    ORANGE,
    RED,
    SMALL,
    label,
    nothing,
    panels,
    stamp,
)

REGIMES = {"risk_on": GREEN, "neutral": BLUE, "risk_off": ORANGE, "stress": RED, "unknown": GRAY}


def view_dial(view: StrategicView) -> Figure:
    """Return the risk multiplier, which can only lower risk, and the tilts of a view."""
    word = "abstained" if view.abstained else view.regime.replace("_", " ")
    halt = ", no new entries" if view.halt_new_entries else ""
    figure, (dial, tilts) = panels(
        f"Strategist at {stamp(view.as_of)}: {word}{halt}",
        (3.0, 2.0),
        size=(9.0, 2.2 + 0.2 * len(view.tilts)),
        beside=True,
    )
    dial.barh([0], [1.0], color=LIGHT, height=0.5)
    color = LIGHT if view.abstained else REGIMES[view.regime]
    hatch = "//" if view.abstained else None
    dial.barh([0], [view.risk_multiplier], color=color, height=0.5, hatch=hatch, edgecolor=GRAY)
    dial.set_xlim(0.0, 1.0)
    dial.set_ylim(-0.6, 0.6)
    dial.set_yticks([0], [f"{view.risk_multiplier:.2f}"])
    dial.grid(visible=False)
    reason = textwrap.fill(textwrap.shorten(view.reason, 150, placeholder=" ..."), 76)
    until = f"provider {view.provider}, holds until {stamp(view.valid_until)}"
    dial.set_title(f"{reason}\n{until}" if reason else until, fontsize=SMALL, loc="left")
    label(dial, "risk multiplier (1 leaves risk as it is)", "multiplier")
    label(tilts, "tilt, basis points of equity", "pair")
    if not view.tilts:
        nothing(tilts, "no tilt")
        return figure
    bps = np.array([tilt.bps for tilt in view.tilts])
    rows = range(len(bps))
    tilts.barh(rows, bps, color=[BLUE if value >= 0 else RED for value in bps], height=0.6)
    tilts.set_yticks(rows, [f"{t.pair}\nconfidence {t.confidence:.2f}" for t in view.tilts])
    tilts.axvline(0.0, color=GRAY, linewidth=0.8)
    tilts.invert_yaxis()
    return figure

"""Figure of a book as the ledger keeps it."""

import polars as pl
from matplotlib.figure import Figure

from helios_core.errors import UsageError
from helios_core.workbench.plots.curves import draw_curves
from helios_core.workbench.plots.style import counted, panels, stamp, times


def book_equity(
    frame: pl.DataFrame, *, book: str = "book", quote: str = "quote currency"
) -> Figure:
    """Return the equity of a book after each cycle, and how far it is below its peak.

    Parameters
    ----------
    frame : DataFrame
        Columns `ts` and `equity`, oldest first.

    Raises
    ------
    UsageError
        If a column is missing.
    """
    missing = {"ts", "equity"} - set(frame.columns)
    if missing:
        raise UsageError(
            f"book_equity needs the columns ts and equity, {sorted(missing)} are missing in "
            f"{frame.columns}"
        )
    last = f", the last at {stamp(frame['ts'][-1])}" if frame.height else ""
    figure, (curve, under) = panels(
        f"{book}: equity after {counted(frame.height, 'cycle')}{last}", (3.0, 1.0), size=(9.0, 4.6)
    )
    at = times(frame["ts"]) if frame.height else times([])
    values = frame["equity"].cast(pl.Float64).to_numpy()
    draw_curves((curve, under), at, {"equity": values}, quote)
    return figure

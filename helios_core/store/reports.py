"""What reports read of the ledger: decisions, the counts of a day, the equity of a book."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from psycopg.rows import class_row, dict_row

from helios_core.domain.market import UTC_MICROSECONDS
from helios_core.domain.trading import Mode, Skip
from helios_core.store.copying import copy_out
from helios_core.store.database import Connection, query
from helios_core.store.records import decode

EQUITY_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "ts": UTC_MICROSECONDS,
    "decision_id": pl.String,
    "equity": pl.Float64,
    "cash": pl.Float64,
    "exposure": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision as a list shows it; equity in quote currency, None until it is closed."""

    decision_id: str
    ts: datetime
    mode: str
    book: str
    verdict: str
    method: str
    model_id: str | None
    forced: bool
    orders: int
    fills: int
    equity_after: float | None
    run_id: str


@dataclass(frozen=True, slots=True, eq=False)
class DaySummary:
    """What one book did in a span of time.

    Attributes
    ----------
    cycles : int
        Decisions whose cycle was closed.
    decisions : int
        All decisions for bars in the span; one more than `cycles` for each that was cut off.
    failed_runs : int
        Runs of any notebook that started in the span and failed.
    newest : str or None
        Id of the newest decision; `verdict` and `skips` are its own.
    equity : polars.DataFrame
        Columns ts, decision_id, equity, cash, exposure (quote currency), oldest first.
    """

    cycles: int
    decisions: int
    orders: int
    fills: int
    failed_runs: int
    newest: str | None
    verdict: str | None
    skips: tuple[Skip, ...]
    equity: pl.DataFrame


def list_decisions(conn: Connection, limit: int) -> list[DecisionRow]:
    """Return the newest decisions by the bar that they were made for, newest first."""
    with conn.cursor(row_factory=class_row(DecisionRow)) as cursor:
        return cursor.execute(query("decisions_newest"), {"limit": limit}).fetchall()


def day_summary(
    conn: Connection, mode: Mode, book: str, start: datetime, end: datetime
) -> DaySummary:
    """Return what `book` decided for bars that closed in [start, end), and what came of it."""
    span = {"mode": mode.value, "book": book, "start": start, "end": end}
    with conn.cursor(row_factory=dict_row) as cursor:
        counts = cursor.execute(query("day_counts"), span).fetchone() or {}
        newest = cursor.execute(query("day_newest_cycle"), span).fetchone()
    return DaySummary(
        **counts,
        newest=newest["decision_id"] if newest else None,
        verdict=newest["verdict"] if newest else None,
        skips=tuple(decode(Skip, skip) for skip in newest["skips"]) if newest else (),
        equity=equity_curve(conn, mode, book, start=start, end=end),
    )


def equity_curve(
    conn: Connection,
    mode: Mode,
    book: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return equity, cash and exposure of `book` after each closed cycle, oldest first.

    Parameters
    ----------
    start, end : datetime, optional
        Only cycles for bars that closed in [start, end).

    Returns
    -------
    polars.DataFrame
        With `EQUITY_SCHEMA`; amounts in the book's quote currency.
    """
    span = {"mode": mode.value, "book": book, "start": start, "end": end}
    return copy_out(conn, query("equity_curve"), span, EQUITY_SCHEMA)

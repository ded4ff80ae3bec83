"""Files of candles or trades into the store: recognised, checked, written in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from helios_core.domain.market import (
    PairRules,
    Timeframe,
    parse_timeframe,
)
from helios_core.errors import DataError, UsageError
from helios_core.logs import logger, timed
from helios_core.market.candles import trades_to_candles
from helios_core.store import market
from helios_core.store.bars import floor_time, write_bars
from helios_core.store.checking import CheckedCandles, CheckedTrades, check_candles, check_trades
from helios_core.store.copying import Merged
from helios_core.store.database import Connection, Database, query
from helios_core.store.layouts import Edge, Layout, recognise
from helios_core.store.market import GapRow
from helios_core.store.reading import read_table
from helios_core.store.rollups import refresh_rollups
from helios_core.store.timestamps import to_utc

TRADES = "trades"  # key of trades beside the timeframes in `ImportReport.written`


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a person knows of a file; None is found out."""

    pair: str
    timeframe: str | None = None
    time: Edge | None = None  # whether times name the open or the close of a bar
    tz: str | None = None  # zone of times that carry none; default UTC


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    written : mapping
        What became of the rows: by timeframe, and ``trades``.
    first, last : datetime
        Open time of the first and last base bar in the file.
    gap_runs, missing, without_trade : int
        Runs of absent base bars between `first` and `last`, their bars, and how many of these are
        known to have had no trade.
    """

    file: str
    pair: str
    layout: str
    timeframe: str
    rows: int
    first: datetime
    last: datetime
    time_note: str
    written: Mapping[str, Merged]
    duplicates: int
    zero_volume: int
    unclosed: int
    gap_runs: int
    missing: int
    without_trade: int

    @property
    def inserted(self) -> int:
        """Base candles that are new in the store."""
        return self.written[self.timeframe].inserted

    @property
    def updated(self) -> int:
        """Base candles that were stored with other values."""
        return self.written[self.timeframe].updated

    @property
    def unchanged(self) -> int:
        """Base candles that were stored already."""
        return self.written[self.timeframe].unchanged

    def lines(self) -> list[str]:
        """Return the report for people."""
        span = f"{self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} UTC"
        lines = [f"{self.file}: {self.layout}, {self.rows:,} rows of {self.pair}, {span}"]
        lines += [f"times: {self.time_note}"] if self.time_note else []
        for what, done in self.written.items():
            label = what if what == TRADES else f"{what} candles"
            lines.append(
                f"{label}: {done.inserted:,} new, {done.updated:,} changed, "
                f"{done.unchanged:,} unchanged"
            )
        known = f", {self.without_trade:,} of them had no trade" if self.without_trade else ""
        lines.append(f"gaps: {self.missing:,} bars in {self.gap_runs:,} runs{known}")
        notes = {
            "repeated rows dropped": self.duplicates,
            "bars with zero volume": self.zero_volume,
            "bars that had not closed left out": self.unclosed,
        }
        return lines + [f"{what}: {count:,}" for what, count in notes.items() if count]

    def to_json(self) -> dict[str, Any]:
        """Return the report for machines; times as ISO 8601 text."""
        return asdict(self) | {
            "written": {what: asdict(done) for what, done in self.written.items()},
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
        }


def import_file(
    database: Database, file: Path, request: ImportRequest, *, run_id: str | None = None
) -> ImportReport:
    """Check a file of candles or trades and store it; importing it twice changes nothing.

    Trades give 1m candles too, and 1m candles give those of 5m and 15m whose minutes are complete.

    Parameters
    ----------
    run_id : str, optional
        Run that is noted in the gap ledger.

    Raises
    ------
    NotFoundError
        If there is no such pair (pairs that look alike are named) or no such file.
    UsageError
        If the request asks for a timeframe, zone or end of a bar that there is not, or for a
        timeframe of trades.
    DataError
        If the file is not what it should be: columns, numbers, order, prices; nothing is stored.
    DependencyError
        If the database is away.
    """
    timeframe = parse_timeframe(request.timeframe) if request.timeframe is not None else None
    if request.time not in {None, "open", "close"}:
        raise UsageError(f"time is open or close, found {request.time!r}")
    with database.connection() as conn:
        rules = market.pair_rules(conn, request.pair)
    table, layout = _read(file, request, rules)
    if layout.kind == "trades" and timeframe not in {None, Timeframe.M1}:
        raise UsageError(f"{file.name} holds trades, which give 1m candles; leave timeframe out")
    log = logger("tier1_data")
    with (
        timed(log, "file imported", file=file.name, pair=rules.pair),
        database.connection() as conn,
    ):
        row = conn.execute(query("bulk_begin")).fetchone()
        now: datetime = row[0]  # type: ignore[index]
        if layout.kind == "trades":
            found = check_trades(table, layout, rules.pair)
            report = _store_trades(conn, file, layout, found, run_id)
        else:
            checked = check_candles(
                table, layout, rules.pair, now, timeframe=timeframe, edge=request.time
            )
            report = _store_candles(conn, file, layout, checked, run_id)
    refresh_rollups(database, report.first, report.last)  # cannot be part of a transaction
    return report


def _read(file: Path, request: ImportRequest, rules: PairRules) -> tuple[pl.DataFrame, Layout]:
    """Return the columns that are needed under our names, times in UTC."""
    raw = read_table(file)
    layout = recognise(raw.columns, request.time)
    if layout.symbol is not None:
        _require_symbol(raw[layout.symbol], rules)
    table = raw.select(pl.col(theirs).alias(ours) for ours, theirs in layout.columns.items())
    named = table["time"].rename(layout.columns["time"])
    return table.with_columns(to_utc(named, request.tz)), layout


def _require_symbol(symbols: pl.Series, rules: PairRules) -> None:
    found = symbols.cast(pl.String).unique().drop_nulls().sort().to_list()
    plain = {"".join(filter(str.isalnum, symbol)).upper() for symbol in found}
    if plain != {rules.pair}:
        raise DataError(
            f"the column {symbols.name} holds {', '.join(found[:5])}, but --pair is {rules.pair}; "
            f"name the pair of the file, and give each pair a file of its own"
        )


def _store_trades(
    conn: Connection, file: Path, layout: Layout, found: CheckedTrades, run_id: str | None
) -> ImportReport:
    trades, source = found.frame, file.name
    pair, step = trades["pair"][0], Timeframe.M1.duration
    start, end = floor_time(trades["ts"][0], step), floor_time(trades["ts"][-1], step) + step
    done = {TRADES: market.write_trades(conn, trades, source)}
    # the minutes at the ends may hold trades of another file
    candles = trades_to_candles(market.read_trades(conn, pair, start, end), Timeframe.M1)
    done |= write_bars(conn, candles, source, cause="no_trade", run_id=run_id)
    gaps = _gaps_between(conn, pair, Timeframe.M1, start, end)
    return ImportReport(
        file=file.name, pair=pair, layout=layout.name, timeframe=Timeframe.M1.value,
        rows=trades.height + found.duplicates, first=start, last=end - step, time_note="",
        written=done, duplicates=found.duplicates, zero_volume=0, unclosed=0,
        **_count(gaps),
    )  # fmt: skip


def _store_candles(
    conn: Connection, file: Path, layout: Layout, checked: CheckedCandles, run_id: str | None
) -> ImportReport:
    candles, timeframe = checked.frame, checked.timeframe
    pair, first, last = candles["pair"][0], candles["open_time"][0], candles["open_time"][-1]
    done = write_bars(conn, candles, file.name, run_id=run_id)
    gaps = _gaps_between(conn, pair, timeframe, first, last)
    return ImportReport(
        file=file.name, pair=pair, layout=layout.name, timeframe=timeframe.value,
        rows=candles.height + checked.duplicates + checked.unclosed, first=first, last=last,
        time_note=f"{checked.edge} of each bar, {checked.reason}", written=done,
        duplicates=checked.duplicates, zero_volume=checked.zero_volume, unclosed=checked.unclosed,
        **_count(gaps),
    )  # fmt: skip


def _gaps_between(
    conn: Connection, pair: str, timeframe: Timeframe, first: datetime, last: datetime
) -> list[GapRow]:
    found = market.gaps(conn, pair, timeframe)
    return [gap for gap in found if gap.start >= first and gap.end <= last]


def _count(gaps: Sequence[GapRow]) -> dict[str, int]:
    silent = [gap.missing for gap in gaps if gap.cause == "no_trade"]
    return {
        "gap_runs": len(gaps),
        "missing": sum(gap.missing for gap in gaps),
        "without_trade": sum(silent),
    }

"""Bring market data into the store: from a file, from the exchange, or from the generator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from helios_core.domain.market import CandleFrame, Timeframe
from helios_core.errors import DataError, UsageError
from helios_core.settings import PROJECT
from helios_core.simulator.generator import SIMULATED_PRICES, generate_market, simulated_rules
from helios_core.store import market
from helios_core.store.bars import write_bars
from helios_core.store.copying import Connection, Merged
from helios_core.store.importing import ImportRequest, import_file
from helios_core.store.rollups import refresh_rollups
from helios_core.workbench.results import IngestResult
from helios_core.workbench.run import RunContext

if TYPE_CHECKING:
    from helios_core.valr.rest import PublicMarketData

SOURCES = ("simulated", "valr", "file", "stored")
SIMULATED_START = datetime(2025, 1, 1, tzinfo=UTC)  # fixed: the same request gives the same rows
SIMULATED_QUOTE = "USDT"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the times of a file are meant; empty means: found out from the file."""

    timeframe: str = ""
    time: str = ""
    tz: str = ""


@dataclass(frozen=True, slots=True)
class Generated:
    """What market to generate: days, seed, and the information coefficient to plant."""

    days: int
    seed: int
    alpha: float


@dataclass(frozen=True, slots=True)
class Brought:
    """What bringing data did to the base candles."""

    source: str
    inserted: int
    unchanged: int
    lines: tuple[str, ...]  # for people


def bring_file(run: RunContext, pairs: Sequence[str], file: str, layout: Layout) -> Brought:
    """Import one file for the one pair that is named.

    Raises
    ------
    UsageError
        If not exactly one pair or no file is given.
    NotFoundError, DataError
        As `store.importing.import_file`.
    """
    if len(pairs) != 1 or not file:
        raise UsageError(
            f"a file holds one pair: give file and one pair, found file={file!r} and pairs="
            f"{','.join(pairs)}"
        )
    path = Path(file)
    request = ImportRequest(
        pair=pairs[0],
        timeframe=layout.timeframe or None,
        time=_time(layout.time),
        tz=layout.tz or None,
    )
    report = import_file(
        run.database,
        path if path.is_absolute() else PROJECT / path,
        request,
        run_id=run.run_id,
    )
    return Brought("file", report.inserted, report.unchanged, tuple(report.lines()))


def _time(text: str) -> Literal["open", "close"] | None:
    """Return what the times of a file mean, None if that is to be found out."""
    match text:
        case "":
            return None
        case "open" | "close":
            return text
        case _:
            raise UsageError(f"the times of a file are open or close, found {text!r}")


def bring_public(
    run: RunContext, exchange: "PublicMarketData", pairs: Sequence[str], days: int
) -> Brought:
    """Fetch what the store lacks of the last `days` from VALR's public candles.

    Raises
    ------
    DependencyError
        If the exchange cannot be reached.
    NotFoundError
        If it does not know a pair.
    """
    known = {rule.pair: rule for rule in exchange.pairs()}
    now = exchange.server_time()
    inserted = unchanged = 0
    lines = []
    for pair in pairs:
        with run.database.connection() as conn:
            if pair in known:
                market.upsert_pair_rules(conn, [known[pair]])
            market.pair_rules(conn, pair)  # an unknown pair ends here, with look-alikes
            since = max(now - timedelta(days=days), _newest(conn, pair) or now - timedelta(days))
        frame = exchange.candles(pair, Timeframe.M1, since, now)
        with run.database.connection() as conn:
            kept = _write(conn, frame, "valr", run.run_id, "no_trade")
        _refresh(run, frame)
        inserted, unchanged = inserted + kept.inserted, unchanged + kept.unchanged
        lines.append(f"{pair}: {len(frame)} candles since {since:%Y-%m-%d %H:%MZ} from VALR")
    return Brought("valr", inserted, unchanged, tuple(lines))


def bring_simulated(run: RunContext, pairs: Sequence[str], wanted: Generated) -> Brought:
    """Generate candles of SIM pairs; a market of another length, seed or alpha is replaced.

    Raises
    ------
    UsageError
        If a pair is not one of those that can be generated, or a number is out of range.
    """
    unknown = [pair for pair in pairs if pair not in SIMULATED_PRICES]
    if unknown or not pairs:
        raise UsageError(
            f"a generated market has the pairs {', '.join(SIMULATED_PRICES)}, found "
            f"{', '.join(pairs) or 'none'}"
        )
    # all pairs are drawn together, so that asking for fewer gives the same candles
    frames = generate_market(
        SIMULATED_PRICES, SIMULATED_START, wanted.days * 1440, wanted.seed, alpha=wanted.alpha
    )
    source = f"simulated days={wanted.days} seed={wanted.seed} alpha={wanted.alpha:g}"
    inserted = unchanged = 0
    for pair in pairs:
        rules = simulated_rules(pair, SIMULATED_QUOTE, SIMULATED_PRICES[pair])
        with run.database.connection() as conn:
            market.upsert_pair_rules(conn, [rules])
            market.forget_other_sources(conn, pair, source)
            kept = _write(conn, frames[pair], source, run.run_id, "no_trade")
        _refresh(run, frames[pair])
        inserted, unchanged = inserted + kept.inserted, unchanged + kept.unchanged
    line = f"generated {wanted.days} days of {', '.join(pairs)} with seed {wanted.seed}"
    return Brought("simulated", inserted, unchanged, (line,))


def bring_data(
    run: RunContext,
    pairs: Sequence[str],
    source: str,
    *,
    file: str,
    layout: Layout,
    generated: Generated,
) -> Brought:
    """Bring data from `source`: simulated, valr, file, or stored, which brings nothing.

    Raises
    ------
    UsageError
        If the source is unknown.
    """
    match source:
        case "file":
            return bring_file(run, pairs, file, layout)
        case "simulated":
            return bring_simulated(run, pairs, generated)
        case "valr":
            from helios_core.valr.rest import PublicMarketData

            valr = run.settings.valr
            with PublicMarketData(run.clock, valr.base_url, valr.timeout) as exchange:
                return bring_public(run, exchange, pairs, generated.days)
        case "stored":
            return Brought("stored", 0, 0, ("nothing was brought; the store is shown as it is",))
        case _:
            raise UsageError(f"a source is one of {', '.join(SOURCES)}, found {source!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What the store has of some pairs; `gaps` of one-minute bars by pair."""

    coverage: list[market.Coverage]
    gaps: dict[str, list[market.GapRow]]


def store_of(run: RunContext, pairs: Sequence[str]) -> Held:
    """Return coverage and gaps of `pairs`."""
    with run.database.connection() as conn:
        own = [item for item in market.coverage(conn) if item.pair in pairs]
        return Held(own, {pair: market.gaps(conn, pair, Timeframe.M1) for pair in pairs})


def ingest_result(run: RunContext, pairs: Sequence[str], brought: Brought) -> IngestResult:
    """Return what 11_ingest emits: the state of the store for `pairs`, base timeframe."""
    with run.database.connection() as conn:
        rules = [market.pair_rules(conn, pair) for pair in pairs]
        own = [c for c in market.coverage(conn) if c.pair in pairs and c.timeframe == "1m"]
    if not own:
        raise DataError(f"the store has no 1m candle of {', '.join(pairs)}")
    rows, missing = sum(c.rows for c in own), sum(c.missing for c in own)
    return IngestResult(
        verdict=f"{rows} candles of {', '.join(pairs)}, {missing} minutes missing",
        simulated=any(rule.simulated for rule in rules),
        data_as_of=max(c.last for c in own),
        pairs=list(pairs),
        source=brought.source,
        rows=rows,
        inserted=brought.inserted,
        unchanged=brought.unchanged,
        gaps=sum(c.gaps for c in own),
        missing=missing,
        first=min(c.first for c in own),
        last=max(c.last for c in own),
    )


def _write(
    conn: Connection, frame: CandleFrame, source: str, run_id: str, cause: market.Cause
) -> Merged:
    """Write one-minute candles with their longer bars and gaps; return what the minutes did."""
    if frame.is_empty():
        return Merged(0, 0, 0)
    written = write_bars(conn, frame, source, cause=cause, run_id=run_id)
    return written[Timeframe.M1]


def _refresh(run: RunContext, frame: CandleFrame) -> None:
    if not frame.is_empty():
        refresh_rollups(run.database, frame["open_time"][0], frame["open_time"][-1])


def _newest(conn: Connection, pair: str) -> datetime | None:
    """Return the open time of the newest stored candle, less an hour that may have been revised."""
    own = [c for c in market.coverage(conn) if c.pair == pair and c.timeframe == "1m"]
    return max(c.last for c in own) - timedelta(hours=1) if own else None

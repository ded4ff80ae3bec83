"""The whole desk in one go: database, Prefect, and every notebook as a flow run.

Each step is idempotent, so a demo that was killed anywhere is simply run again: what was committed
is found, what was cut off is shown as failed and done again.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from helios_core.bootstrap import SystemClock, open_store, prepare_schema
from helios_core.domain.runs import Json, RunRecord
from helios_core.errors import NotFoundError, UsageError
from helios_core.orchestration.answers import FlowRun, LogLine, Plain
from helios_core.orchestration.control import (
    flow_deploy,
    flow_run,
    flow_up,
    launch_server,
    require_completed,
)
from helios_core.settings import Settings
from helios_core.store import ledger, market

Source = Literal["file", "valr", "simulated"]
PUBLIC_PAIRS = ("BTCUSDT", "ETHUSDT")
SIMULATED_PAIRS = ("SIMBTCUSDT", "SIMETHUSDT")
PROBE_SECONDS = 3.0
SLOT_TAKEN = "concurrency limit"  # what Prefect says of a run that was cancelled before it began
SLOT_SECONDS, SLOT_PAUSE = 180.0, 5.0
COMPLETED = re.compile(r"^(?P<notebook>\d\d_\w+) completed: (?P<verdict>.*?) \(run ")
BEFORE_FLOWS = 4  # steps before the first flow run
NOTEBOOKS = 14  # executed by the flow runs of a demo


@dataclass(frozen=True, slots=True)
class DemoData:
    """Where the candles come from."""

    source: Source
    pairs: tuple[str, ...]
    file: str | None = None


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What a demo did; `runs` are the notebook runs in order."""

    data: DemoData
    as_of: datetime
    runs: tuple[RunRecord, ...]
    addresses: tuple[str, ...]  # of the flow runs
    ui: str
    password_file: Path

    def result(self, notebook: str) -> Json:
        """Return what the last run of a notebook emitted."""
        found = [run.result for run in self.runs if run.notebook == notebook and run.result]
        if not found:
            raise NotFoundError(f"the demo has no completed run of {notebook}")
        return found[-1]


Tell = Callable[[str], None]
"""Called once for every step that is done, with one line for people."""


def choose_data(settings: Settings, file: Path | None, pair: str | None) -> DemoData:
    """Return the source of a demo: a file, else VALR if it answers, else a generated market.

    Raises
    ------
    NotFoundError
        If the file does not exist.
    UsageError
        If a pair is given without a file, or a file whose name does not tell its pair.
    """
    if file is not None:
        if not file.is_file():
            raise NotFoundError(f"there is no file {file}; give DATA the path of candles or trades")
        return DemoData("file", (pair or _pair_of(file),), str(file.resolve()))
    if pair is not None:
        raise UsageError("a pair alone says nothing about the data; give --data FILE with it")
    if _valr_answers(settings):
        return DemoData("valr", PUBLIC_PAIRS)
    return DemoData("simulated", SIMULATED_PAIRS)


def run_demo(settings: Settings, data: DemoData, tell: Tell) -> DemoSummary:
    """Run every notebook as flow runs and return what they found.

    Raises
    ------
    NotebookError
        If a flow run failed; it says which and why.
    DependencyError, DeadlineError
        If database, Prefect server or worker are away.
    """
    applied = prepare_schema(settings)
    tell(f"database is up, {len(applied)} migrations applied now")
    launch_server(settings)
    status = flow_up(settings)
    tell(f"Prefect server and worker are up at {status.server.ui}")
    for name in status.crashed:
        tell(f"flow run {name} was found dead and is marked as crashed")
    changes = flow_deploy(settings)
    tell(f"{len(changes)} deployments are as prefect.yaml says")
    pairs = list(data.pairs)
    addresses: list[str] = []

    def run(name: str, parameters: Plain) -> None:
        addresses.append(_run_flow(settings, name, parameters, tell, run_ids))

    run_ids: list[str] = []
    run("ingest", {"pairs": pairs, "source": data.source, "file": data.file})
    run("research", {"pairs": pairs})
    as_of, why = deciding_bar(settings, data.pairs, run_ids)
    tell(f"decisions are made for the bar that closed {as_of:%Y-%m-%d %H:%MZ}, {why}")
    at = {"pairs": pairs, "as_of": as_of.isoformat()}
    run("trade", at)
    run("trade", {**at, "force_model": True})
    run("report", {"pairs": pairs, "force_model": True, "day": f"{as_of:%Y-%m-%d}"})
    with open_store(settings, role="ro") as database, database.connection() as conn:
        runs = ledger.runs_of_flows(conn, run_ids)
    return DemoSummary(
        data, as_of, tuple(runs), tuple(addresses), status.server.ui, status.password_file
    )


def deciding_bar(
    settings: Settings, pairs: tuple[str, ...], flow_run_ids: list[str]
) -> tuple[datetime, str]:
    """Return the close of the bar that both cycles decide on, and why it is this one.

    It is the newest one of the test part among the tenth that the candidate likes best, so that its
    forced cycle has something to show; without one, the newest bar.
    """
    with open_store(settings, role="ro") as database, database.connection() as conn:
        runs = ledger.runs_of_flows(conn, flow_run_ids)
    leans = [(run.result or {}).get("newest_lean") for run in runs]
    found = [lean for lean in leans if isinstance(lean, str)]
    if found:
        newest = datetime.fromisoformat(found[-1])
        return newest, "the newest one among the tenth that the candidate likes best"
    return newest_close(settings, pairs), "the newest one"


def newest_close(settings: Settings, pairs: tuple[str, ...]) -> datetime:
    """Return the close of the newest one-minute bar that all pairs have."""
    with open_store(settings, role="ro") as database, database.connection() as conn:
        own = [c for c in market.coverage(conn) if c.pair in pairs and c.timeframe == "1m"]
    if {c.pair for c in own} != set(pairs):
        raise NotFoundError(f"the store lacks 1m candles of one of {', '.join(pairs)}")
    from helios_core.domain.market import Timeframe

    newest: dict[str, datetime] = {}
    for one in own:
        newest[one.pair] = max(one.last, newest.get(one.pair, one.last))
    return min(newest.values()) + Timeframe.M1.duration


def _run_flow(
    settings: Settings, name: str, parameters: Plain, tell: Tell, run_ids: list[str]
) -> str:
    def follow(_: FlowRun, lines: list[LogLine]) -> None:
        for line in lines:
            found = COMPLETED.match(line.message)
            if found:
                tell(f"{found['notebook']}: {found['verdict']}")

    given = {key: value for key, value in parameters.items() if value is not None}
    clock = SystemClock()
    deadline = clock.monotonic() + SLOT_SECONDS
    while True:
        outcome = flow_run(settings, clock, name, given, on_progress=follow)
        taken = outcome.run.state_type == "CANCELLED" and SLOT_TAKEN in outcome.run.message
        if not taken or clock.monotonic() > deadline:
            break
        clock.sleep(SLOT_PAUSE)  # a run of a killed demo still ends, or its lease does
    run_ids.append(outcome.run.id)
    require_completed(outcome)
    return outcome.address


def _pair_of(file: Path) -> str:
    """Return the known pair whose symbol is part of the file's name."""
    from helios_core.domain.pairs import builtin_rules

    name = re.sub(r"[^A-Z0-9]", "", file.stem.upper())
    found = [rule.pair for rule in builtin_rules() if rule.pair in name]
    if not found:
        raise UsageError(
            f"the name of {file.name} does not tell its pair; give PAIR, for example "
            f"make demo DATA={file.name} PAIR=BTCUSDT"
        )
    return max(found, key=len)


def _valr_answers(settings: Settings) -> bool:
    import httpx

    try:
        answer = httpx.get(f"{settings.valr.base_url}/v1/public/time", timeout=PROBE_SECONDS)
    except httpx.HTTPError:
        return False
    return answer.is_success

"""A run as a notebook sees it from within: an interactive one, and one of the engine."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from matplotlib.figure import Figure

from helios_core.domain.runs import RunRecord
from helios_core.errors import NotebookError
from helios_core.store import ledger
from helios_core.workbench import run as workbench
from helios_core.workbench.provenance import process_owner
from helios_core.workbench.results import TourResult
from helios_core.workbench.run import current_run, emit, show

TOUR = TourResult(
    verdict="flat", simulated=True, candles=1, features=72, sigma_minute=0.001, weight=0.0, orders=0
)
ROW = RunRecord(
    run_id="20250131T120000-bbbb0001",
    notebook="tiny",
    parameters={},
    parameters_hash="p",
    commit="c0ffee",
    dirty=False,
    feature_set=None,
    data_as_of=None,
    environment_hash="e",
    seed=None,
    flow_run_id=None,
    state="running",
    started_at=datetime(2025, 1, 31, 12, tzinfo=UTC),
    ended_at=None,
    outcome="",
    result=None,
    notebook_path=None,
    notebook_sha256=None,
    owner=process_owner(),
)


@pytest.fixture
def kernel(settings, dsn, monkeypatch):
    """The environment of a kernel without a run."""
    for name in ("HELIOS_RUN_ID", "HELIOS_RUN_NONCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HELIOS_DATABASE_URL", dsn)
    monkeypatch.setenv("HELIOS_HOME", str(settings.home))
    monkeypatch.setenv("HELIOS_RUNS", str(settings.runs))
    monkeypatch.setattr(workbench._kernel, "run", None)
    yield monkeypatch
    if workbench._kernel.run is not None:
        workbench._kernel.run.database.close()


@pytest.fixture
def rows(run):
    """Every row of the ledger, newest first."""

    def read():
        with run.database.connection() as conn:
            return ledger.list_runs(conn, 100)

    return read


def opened(run, kernel, nonce="secret"):
    """Do what the engine does before it starts a kernel."""
    with run.database.connection() as conn:
        ledger.open_run(conn, ROW, nonce)
    kernel.setenv("HELIOS_RUN_ID", ROW.run_id)
    kernel.setenv("HELIOS_RUN_NONCE", nonce)


def test_an_interactive_run_is_opened_at_first_use_and_closed_by_emit(kernel, rows):
    kernel.setenv("JPY_SESSION_NAME", "/somewhere/61_trading_cycle.ipynb")
    first, second = current_run(), current_run()
    (open_row,) = rows()
    emit(TOUR)
    (closed,) = rows()

    assert first is second
    assert first.interactive
    assert (open_row.notebook, open_row.state) == ("interactive/61_trading_cycle", "running")
    assert (closed.run_id, closed.state, closed.outcome) == (first.run_id, "completed", "flat")


def test_after_emit_an_interactive_session_begins_a_new_run(kernel, rows):
    first = current_run().run_id
    emit(TOUR)
    second = current_run().run_id
    emit(TOUR)

    assert {row.run_id: row.state for row in rows()} == {first: "completed", second: "completed"}


def test_outside_of_a_notebook_an_interactive_run_is_a_console(kernel, rows):
    kernel.delenv("JPY_SESSION_NAME", raising=False)
    current_run()

    assert rows()[0].notebook == "interactive/console"


def test_an_interactive_run_closes_what_dead_processes_left_open(kernel, run, rows):
    host = process_owner().split(":")[0]
    with run.database.connection() as conn:
        ledger.open_run(conn, replace(ROW, owner=f"{host}:1:0.00"), "n")
    current_run()
    found = {row.run_id: row for row in rows()}

    assert found[ROW.run_id].state == "failed"
    assert "killed or died without a word" in found[ROW.run_id].outcome


def test_a_kernel_of_the_engine_closes_the_run_that_it_was_started_for(kernel, run, rows):
    opened(run, kernel)
    emit(TOUR)
    (row,) = rows()

    assert not current_run().interactive
    assert (row.run_id, row.state, row.outcome) == (ROW.run_id, "completed", "flat")
    assert TourResult.model_validate(row.result) == TOUR


def test_a_second_emit_is_refused_and_the_first_result_stays(kernel, run, rows):
    opened(run, kernel)
    emit(TOUR)

    with pytest.raises(NotebookError, match="emit is called once, in the last cell"):
        emit(TOUR.model_copy(update={"verdict": "another"}))
    assert [row.outcome for row in rows()] == ["flat"]


def test_another_nonce_closes_nothing(kernel, run, rows):
    opened(run, kernel)
    kernel.setenv("HELIOS_RUN_NONCE", "guessed")

    with pytest.raises(NotebookError, match="not open under the nonce of this kernel"):
        emit(TOUR)
    assert rows()[0].state == "running"


def test_the_nonce_is_not_in_what_a_cell_shows_of_its_run(kernel, run):
    opened(run, kernel, nonce="5ec2e7")

    assert current_run().nonce == "5ec2e7"
    assert "5ec2e7" not in repr(current_run())


def test_figures_are_kept_beside_the_notebook_and_named_in_the_result(kernel, run, rows):
    opened(run, kernel)
    figure = Figure()
    figure.subplots().plot([1, 2, 1])
    show(figure, "equity")
    emit(TOUR)
    folder = run.settings.runs / "20250131" / f"figures-{ROW.run_id}"

    assert (folder / "equity.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert rows()[0].result["figures"] == {"equity": str(folder / "equity.png")}


def test_the_ledger_keeps_times_as_utc_and_the_cut_off_in_its_own_column(kernel, run, rows):
    opened(run, kernel)
    emit(TOUR.model_copy(update={"data_as_of": datetime(2025, 1, 30, 23, 59, tzinfo=UTC)}))
    (row,) = rows()

    assert row.data_as_of == datetime(2025, 1, 30, 23, 59, tzinfo=UTC)
    assert json.dumps(row.result["data_as_of"]) == '"2025-01-30T23:59:00Z"'

from pathlib import Path
from types import SimpleNamespace

import pytest
from prefect.cache_policies import NO_CACHE

from flows.jobs import lab_link, notebook
from helios_core.errors import NotebookError
from helios_core.settings import PROJECT
from helios_core.workbench.engine import RunResult


class FakeDatabase:
    closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True


@pytest.fixture
def desk(monkeypatch, quiet, tmp_path):
    """Stand in for settings, store, engine and Prefect; record what reaches the last two."""
    calls, shown, database = [], [], FakeDatabase()
    answer = SimpleNamespace(state="completed", result={"verdict": "fine", "rows": 3})

    def run_notebook(name, parameters, **given):
        calls.append((name, parameters, given))
        outcome = "done" if answer.state == "completed" else "cell 3 raised KeyError: x"
        return RunResult("r-1", answer.state, outcome, answer.result, tmp_path / "x.ipynb")

    settings = SimpleNamespace(
        flows=SimpleNamespace(run_timeout=900.0), notebooks=SimpleNamespace(lab_port=8888)
    )
    monkeypatch.setattr("helios_core.settings.load_settings", lambda: settings)
    monkeypatch.setattr("helios_core.bootstrap.open_store", lambda _: database)
    monkeypatch.setattr("helios_core.bootstrap.start_logs", lambda _: None)
    monkeypatch.setattr("helios_core.workbench.engine.run_notebook", run_notebook)
    monkeypatch.setattr("prefect.runtime.flow_run", SimpleNamespace(id="flow-7"))
    for kind in ("markdown", "table"):
        monkeypatch.setattr(
            f"prefect.artifacts.create_{kind}_artifact",
            lambda data, key, description, kind=kind: shown.append((kind, key, data)),
        )
    return SimpleNamespace(calls=calls, shown=shown, database=database, answer=answer)


def test_a_notebook_is_run_once_with_the_values_that_are_given(desk):
    result = notebook.fn("11_ingest", {"pairs": ["BTCZAR"], "file": None})
    [(name, parameters, given)] = desk.calls

    assert result == {"verdict": "fine", "rows": 3}
    assert (name, parameters) == ("11_ingest", {"pairs": ["BTCZAR"]})
    assert (given["flow_run_id"], given["timeout"]) == ("flow-7", 900.0)
    assert desk.database.closed


def test_the_flow_run_shows_a_page_and_a_table(desk):
    notebook.fn("11_ingest", {})

    assert [(kind, key) for kind, key, _ in desk.shown] == [
        ("markdown", "11-ingest"),
        ("table", "11-ingest-result"),
    ]
    assert "fine" in desk.shown[0][2]
    assert desk.shown[1][2] == [{"result": "rows", "value": "3"}]


def test_a_failed_run_fails_the_task_after_its_page_was_made(desk):
    desk.answer.state, desk.answer.result = "failed", None
    with pytest.raises(NotebookError, match=r"11_ingest failed: cell 3 raised KeyError"):
        notebook.fn("11_ingest", {})

    assert [kind for kind, *_ in desk.shown] == ["markdown"]
    assert "FAILED" in desk.shown[0][2]


def test_nothing_is_retried_and_nothing_comes_from_a_cache():
    assert (notebook.retries, notebook.cache_policy) == (0, NO_CACHE)


def test_a_link_leads_into_the_lab_only_for_files_below_its_folder():
    inside = PROJECT / "runs" / "20260131" / "x.ipynb"

    assert lab_link(inside, 8888) == "http://127.0.0.1:8888/lab/tree/runs/20260131/x.ipynb"
    assert lab_link(Path("/elsewhere/x.ipynb"), 8888) is None

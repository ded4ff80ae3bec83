"""Flows without a server: their tasks are called through, notebooks are recorded, not run."""

import logging
from types import SimpleNamespace

import pytest


@pytest.fixture
def notebooks(monkeypatch):
    """Record what each flow asks for; answers are looked up by the name of the notebook."""
    calls: list[tuple[str, dict]] = []
    answers: dict[str, dict] = {}

    def fake(name, parameters):
        calls.append((name, {k: v for k, v in parameters.items() if v is not None}))
        answer = answers.get(name, {"verdict": name})
        if isinstance(answer, Exception):
            raise answer
        return answer

    for module in ("ingest", "research", "trade", "report"):
        monkeypatch.setattr(f"flows.{module}.notebook", fake)
    return SimpleNamespace(calls=calls, answers=answers)


@pytest.fixture
def quiet(monkeypatch):
    """Give the task a logger that needs no flow run."""
    monkeypatch.setattr("flows.jobs.get_run_logger", lambda: logging.getLogger("test"))

"""A run of a notebook on a database of its own."""

import pytest
from pydantic import SecretStr

from helios_core.bootstrap import SystemClock, SystemIds
from helios_core.settings import load_settings, variable_names
from helios_core.workbench.run import RunContext


@pytest.fixture
def settings(dsn, tmp_path, monkeypatch):
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HELIOS_ENV_FILE", str(tmp_path / ".env"))
    return load_settings(
        database_url=SecretStr(dsn),
        home=tmp_path / "home",
        runs=tmp_path / "runs",
        models=tmp_path / "models",
    )


@pytest.fixture
def run(settings):
    one = RunContext("20250131T120000-aaaa0001", settings, SystemClock(), SystemIds(), "n", False)
    yield one
    one.database.close()

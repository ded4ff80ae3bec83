"""One scratch desk for the notebooks of a module: its database, its folders, its logs."""

import json

import pytest
from pydantic import SecretStr

from helios_core import logs
from helios_core.bootstrap import SystemClock, SystemIds
from helios_core.settings import load_settings, variable_names
from helios_core.store.database import Database
from helios_core.workbench.engine import run_notebook


@pytest.fixture(scope="module")
def desk_dsn(databases):
    name = databases.create()
    yield databases.address(name, "owner")
    databases.drop(name)


@pytest.fixture(scope="module")
def settings(desk_dsn, tmp_path_factory):
    """Settings of a desk that reads nothing of this machine's own."""
    home = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        for name in variable_names():
            patch.delenv(name, raising=False)
        patch.setenv("HELIOS_ENV_FILE", str(home / ".env"))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield load_settings(
            database_url=SecretStr(desk_dsn),
            home=home / "home",
            runs=home / "runs",
            models=home / "models",
        )


@pytest.fixture(scope="module")
def database(desk_dsn):
    with Database(desk_dsn, application="helios-test") as one:
        yield one


@pytest.fixture(autouse=True)
def log_folder(settings):
    folder = settings.home / "logs"
    logs.configure_logs(folder)
    yield folder
    logs.configure_logs(None)


@pytest.fixture(scope="module")
def execute(settings, database):
    """Return a function that runs a notebook as a recorded run."""

    def run(name, parameters=(), **changes):
        given = {
            "settings": settings,
            "clock": SystemClock(),
            "ids": SystemIds(),
            "database": database,
            "timeout": 120,
        }
        return run_notebook(name, dict(parameters), **(given | changes))

    return run


def cell(number, source):
    return {
        "cell_type": "code",
        "id": f"c{number}",
        "metadata": {"tags": ["parameters"]} if number == 0 else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


@pytest.fixture
def write_notebook(tmp_path):
    """Return a function that writes code cells, the first of them tagged `parameters`."""

    def write(*cells, name="tiny"):
        book = {
            "cells": [cell(number, source) for number, source in enumerate(cells)],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = tmp_path / f"{name}.ipynb"
        path.write_text(json.dumps(book))
        return path

    return write

import os
import socket
import sys

import pytest

from helios_core.errors import DeadlineError, DependencyError
from helios_core.orchestration.access import open_access
from helios_core.orchestration.processes import Detached
from helios_core.orchestration.server import PrefectServer

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_taken_port_is_named_with_the_setting_that_chooses_another(tmp_path, taken, monkeypatch):
    monkeypatch.setattr("helios_core.orchestration.server.PROBE_SECONDS", 0.2)
    server = PrefectServer(open_access(tmp_path, taken), "postgresql+asyncpg://nowhere")

    with pytest.raises(DependencyError, match=rf"port {taken}.*HELIOS_FLOWS__PORT=\d+"):
        server.start({})


def test_a_server_on_the_port_of_former_settings_is_named(tmp_path, free):
    access = open_access(tmp_path, free)
    process = Detached("server", access.home)
    process.spawn(SLEEP, os.environ, tmp_path, "4200")
    try:
        with pytest.raises(DependencyError, match=r"runs on port 4200.*helios flow down"):
            PrefectServer(access).launch({})
    finally:
        process.stop(1)


def test_a_server_that_ends_at_once_shows_the_end_of_its_log(tmp_path, free):
    access = open_access(tmp_path, free)
    process = Detached("server", access.home)
    process.spawn([sys.executable, "-c", "raise SystemExit('no such thing')"], os.environ, tmp_path)

    with pytest.raises(DependencyError, match="no such thing"):
        PrefectServer(access).wait_ready(20)


def test_a_server_that_never_answers_passes_the_limit(tmp_path, free):
    access = open_access(tmp_path, free)
    process = Detached("server", access.home)
    process.spawn(SLEEP, os.environ, tmp_path, str(free))
    try:
        with pytest.raises(DeadlineError, match=r"not ready after 0\.5 s"):
            PrefectServer(access).wait_ready(0.5)
    finally:
        process.stop(1)


def test_nothing_runs_in_a_new_home(tmp_path, free):
    state = PrefectServer(open_access(tmp_path, free)).status()

    assert (state.running, state.ready, state.pid) == (False, False, None)
    assert state.ui == f"http://127.0.0.1:{free}"

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from helios_core.orchestration.processes import Detached, processes_with, wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('ready', flush=True); time.sleep(60)",
]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'import time;"
    " time.sleep(60)']); print(c.pid, flush=True); c.wait()",
]


@pytest.fixture
def detached(tmp_path):
    found = Detached("thing", tmp_path)
    yield found
    found.stop(0)


def test_a_spawned_process_is_found_by_another_object_until_it_is_stopped(detached, tmp_path):
    pid = detached.spawn(SLEEP, os.environ, tmp_path, "note")
    found = Detached("thing", tmp_path)
    state = (found.process().pid, found.note)
    stopped = found.stop(5)

    assert state == (pid, "note")
    assert stopped
    assert not psutil.pid_exists(pid)
    assert found.process() is None


def test_stopping_what_does_not_run_is_no_error(detached):
    assert detached.stop(0) is False


def test_a_process_that_got_the_same_id_later_is_neither_ours_nor_signaled(detached, tmp_path):
    stranger = subprocess.Popen(SLEEP)
    about = {"pid": stranger.pid, "started": psutil.Process(stranger.pid).create_time() - 3600}
    detached.pid_file.write_text(json.dumps(about))
    found, stopped = detached.process(), detached.stop(1)
    alive = stranger.poll() is None
    stranger.kill()
    stranger.wait()

    assert (found, stopped, alive) == (None, False, True)


@pytest.mark.parametrize("text", ["", "not json", "{}", "[]", '{"pid": "x", "started": 1}'])
def test_a_broken_pid_file_means_that_nothing_runs(detached, text):
    detached.pid_file.write_text(text)

    assert detached.process() is None


def test_a_killed_child_is_no_process_although_it_is_a_zombie(detached, tmp_path):
    pid = detached.spawn(SLEEP, os.environ, tmp_path)
    os.kill(pid, signal.SIGKILL)

    assert wait_until(lambda: detached.process() is None, 5)


def test_what_ignores_the_request_to_end_is_killed(detached, tmp_path):
    pid = detached.spawn(STUBBORN, os.environ, tmp_path)
    wait_until(lambda: "ready" in detached.tail(), 10)
    detached.stop(0.3)

    assert not psutil.pid_exists(pid)


def test_children_end_with_their_parent(detached, tmp_path):
    detached.spawn(PARENT, os.environ, tmp_path)
    wait_until(lambda: detached.tail().strip().isdigit(), 10)
    child = psutil.Process(int(detached.tail()))
    detached.stop(2)

    assert wait_until(lambda: not child.is_running() or child.status() == "zombie", 5)


def test_the_log_keeps_what_the_process_printed(detached, tmp_path):
    detached.spawn([sys.executable, "-c", "print('one'); print('two')"], os.environ, tmp_path)
    wait_until(lambda: "two" in detached.tail(), 10)

    assert detached.tail(1) == "two"


def test_processes_are_found_by_their_environment(detached, tmp_path):
    mark = str(tmp_path)
    pid = detached.spawn(SLEEP, {**os.environ, "TEST_MARK": mark, "OTHER": "1"}, tmp_path)
    found = {p.pid: env["OTHER"] for p, env in processes_with(TEST_MARK=mark)}

    assert found == {pid: "1"}
    assert list(processes_with(TEST_MARK=mark, OTHER="2")) == []

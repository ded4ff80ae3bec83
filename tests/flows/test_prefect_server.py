"""A real Prefect server on a real PostgreSQL, a real worker, and what they do when killed.

A version check would not notice that SQLAlchemy 2.1 stops the scheduler, or that a newer fastapi
kills the server: only a server that runs does.
"""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from helios_core.errors import DependencyError, NotebookError, UsageError
from helios_core.orchestration.access import PrefectAccess, open_access
from helios_core.orchestration.answers import FlowRun
from helios_core.orchestration.api import PrefectApi
from helios_core.orchestration.deployments import deploy
from helios_core.orchestration.janitor import reap_dead_flow_runs
from helios_core.orchestration.processes import processes_with, wait_until
from helios_core.orchestration.server import PrefectServer
from helios_core.orchestration.worker import PrefectWorker
from helios_core.store.embedded import EmbeddedServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.db,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR"),  # of the package with the binaries
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

FLOW = '''
import time
from prefect import flow
from prefect.artifacts import create_markdown_artifact

@flow
def tiny(n: int = 1, seconds: float = 0.0, fail: bool = False) -> int:
    """Tell of n."""
    create_markdown_artifact(f"n is {n}", key="told")
    time.sleep(seconds)
    if fail:
        raise ValueError("told to fail")
    return n
'''
FILE = """
pull:
  - prefect.deployments.steps.set_working_directory: {directory: .}
deployments:
  - name: tiny
    entrypoint: tiny.py:tiny
    parameters: {n: 2}
    work_pool:
      name: helios
      job_variables: {command: python -m prefect.engine, working_dir: .}
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
    schedules: [{slug: yearly, cron: "0 0 1 1 *"}]
"""


class RealClock:
    def now(self):
        raise NotImplementedError

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


@dataclass(frozen=True)
class Stack:
    database: EmbeddedServer
    access: PrefectAccess
    server: PrefectServer
    worker: PrefectWorker
    api: PrefectApi
    project: Path
    environment: dict[str, str]

    def run(self, **parameters) -> FlowRun:
        made = self.api.create_run(self.api.deployment("tiny"), parameters)
        return self.api.wait(made.id, RealClock(), 90)

    def begin(self, **parameters) -> FlowRun:
        made = self.api.create_run(self.api.deployment("tiny"), parameters)
        running = wait_until(lambda: self.api.run(made.id).state_name == "Running", 60, pause=0.1)
        assert running, self.api.run(made.id).state_name
        return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("desk")
    project = tmp_path_factory.mktemp("project")
    (project / "tiny.py").write_text(FLOW)
    (project / "prefect.yaml").write_text(FILE)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS_")}
    database = EmbeddedServer(home)  # durable: a test kills it and expects what was committed
    database.start()
    access = open_access(home, free_port())
    server = PrefectServer(access, database.sqlalchemy_url())
    worker = PrefectWorker(access, project)
    try:
        server.start(environment)
        with PrefectApi(access) as api:
            deploy(api, project, environment, schedules=False)
            worker.start(environment)
            yield Stack(database, access, server, worker, api, project, environment)
    finally:
        worker.stop()
        server.stop()
        database.stop()
        shutil.rmtree(database.cluster, ignore_errors=True)  # it may lie outside of `home`
        left = [process for process, _ in processes_with(PREFECT_HOME=str(access.home))]
        assert left == []


def test_a_run_completes_and_shows_its_artifact(stack):
    lines = []
    made = stack.api.create_run(stack.api.deployment("tiny"), {"n": 7})
    ended = stack.api.wait(made.id, RealClock(), 90, lambda _, new: lines.extend(new))

    assert (ended.state_type, ended.parameters["n"]) == ("COMPLETED", 7)
    assert [(a.key, a.data) for a in stack.api.artifacts(made.id)] == [("told", "n is 7")]
    assert "Finished in state Completed()" in [line.message for line in lines]


def test_the_scheduler_inserts_runs_of_an_active_schedule_and_takes_them_back(stack):
    def scheduled() -> list[FlowRun]:
        return [run for run in stack.api.runs(frozenset({"SCHEDULED"})) if run.auto_scheduled]

    deploy(stack.api, stack.project, stack.environment, schedules=True)
    appeared = wait_until(lambda: bool(scheduled()), 90, pause=0.5)
    found = scheduled()
    deploy(stack.api, stack.project, stack.environment, schedules=False)
    gone = wait_until(lambda: not scheduled(), 30, pause=0.5)

    assert appeared
    assert all("auto-scheduled" in run.tags for run in found)
    assert {(r.expected_start_time.month, r.expected_start_time.day) for r in found} == {(1, 1)}
    assert gone


def test_a_failed_flow_says_why(stack):
    ended = stack.run(fail=True)

    assert ended.state_type == "FAILED"
    assert "told to fail" in ended.message


def test_a_second_run_of_a_deployment_is_cancelled_not_queued(stack):
    first = stack.begin(seconds=6)
    second = stack.run()
    ended = stack.api.wait(first.id, RealClock(), 90)

    assert (ended.state_type, second.state_type) == ("COMPLETED", "CANCELLED")


def test_a_parameter_that_does_not_fit_is_refused_before_anything_runs(stack):
    with pytest.raises(UsageError, match="refused"):
        stack.run(n="many")


def test_deploying_again_changes_nothing_and_keeps_a_pause(stack):
    tiny = stack.api.deployment("tiny")
    stack.api.call("PATCH", f"/deployments/{tiny.id}", {"paused": True})
    again = deploy(stack.api, stack.project, stack.environment, schedules=False)
    paused = stack.api.deployment("tiny").paused
    stack.api.call("PATCH", f"/deployments/{tiny.id}", {"paused": False})

    assert [(c.name, c.verb, c.paused) for c in again] == [("tiny", "unchanged", True)]
    assert paused


def test_what_the_file_no_longer_names_is_deleted_and_removed_schedules_are_cleared(stack):
    tiny = stack.api.deployment("tiny")
    body = {"name": "stray", "flow_id": tiny.flow_id, "entrypoint": "tiny.py:tiny"}
    stack.api.call("POST", "/deployments/", body)
    file = stack.project / "prefect.yaml"
    file.write_text(FILE.replace('[{slug: yearly, cron: "0 0 1 1 *"}]', "[]"))
    changes = deploy(stack.api, stack.project, stack.environment, schedules=True)
    without = stack.api.deployment("tiny").schedules
    file.write_text(FILE)
    deploy(stack.api, stack.project, stack.environment, schedules=False)

    assert {(c.name, c.verb) for c in changes} == {("tiny", "updated"), ("stray", "deleted")}
    assert without == []


def test_nobody_gets_in_without_the_password(stack):
    answer = httpx.get(f"{stack.access.api}/deployments/", trust_env=False)
    stranger = PrefectApi(PrefectAccess(stack.access.home, stack.access.port, "helios:wrong"))
    with stranger, pytest.raises(DependencyError, match="refused the password"):
        stranger.deployments()

    assert answer.status_code == 401
    assert stack.access.password_file.stat().st_mode & 0o077 == 0


def test_only_loopback_listens(stack):
    pid = stack.server.status().pid
    listening = {c.laddr.ip for c in psutil.Process(pid).net_connections() if c.status == "LISTEN"}

    assert listening == {"127.0.0.1"}


def test_runs_of_a_killed_worker_become_crashed_and_free_their_slot(stack):
    made = stack.begin(seconds=60)
    psutil.Process(stack.worker.status().pid).kill()
    wait_until(lambda: not stack.worker.status().running, 10)
    before = stack.api.run(made.id).state_name
    crashed = reap_dead_flow_runs(stack.api, stack.worker)
    stack.worker.start(stack.environment)
    following = stack.run()

    assert before == "Running"
    assert [run.id for run in crashed] == [made.id]
    assert stack.api.run(made.id).state_type == "CRASHED"
    assert following.state_type == "COMPLETED"


def test_the_janitor_leaves_a_run_alone_that_is_being_worked_on(stack):
    made = stack.begin(seconds=4)
    crashed = reap_dead_flow_runs(stack.api, stack.worker)
    ended = stack.api.wait(made.id, RealClock(), 90)

    assert (crashed, ended.state_type) == ([], "COMPLETED")


def test_server_and_worker_go_on_after_the_database_was_killed(stack):
    psutil.Process(stack.database.status().pid).kill()
    stack.database.start()
    ready = wait_until(lambda: stack.server.status().ready, 60, pause=0.2)

    assert ready
    assert stack.run().state_type == "COMPLETED"


def test_a_killed_server_is_started_again(stack):
    psutil.Process(stack.server.status().pid).kill()
    wait_until(lambda: not stack.server.status().running, 10)
    stack.server.start(stack.environment)

    assert stack.run().state_type == "COMPLETED"


def test_a_worker_that_was_started_with_other_settings_is_replaced(stack):
    idle = wait_until(lambda: not stack.worker.flow_processes(), 30, pause=0.2)
    before = stack.worker.status().pid
    stack.worker.start({**stack.environment, "HELIOS_OTHER": "1"})
    other = stack.worker.status().pid
    stack.worker.start(stack.environment)

    assert idle  # the process of a run outlives its last state by a moment
    assert len({before, other, stack.worker.status().pid}) == 3
    assert not psutil.pid_exists(before)


def test_the_commands_find_the_same_server_and_worker(stack):
    from helios_core.orchestration import control
    from helios_core.settings import load_settings

    settings = load_settings(home=stack.access.home.parent, flows={"port": stack.access.port})
    status = control.flow_status(settings)
    outcome = control.flow_run(settings, RealClock(), "tiny", ["n=5"])
    control.require_completed(outcome)

    assert status.server.ready
    assert status.worker.running
    assert [artifact.data for artifact in outcome.artifacts] == ["n is 5"]
    with pytest.raises(UsageError, match="no parameter 'm'"):
        control.flow_run(settings, RealClock(), "tiny", ["m=5"])
    failed = control.flow_run(settings, RealClock(), "tiny", {"fail": True})
    with pytest.raises(NotebookError, match="told to fail"):
        control.require_completed(failed)


def test_starting_twice_starts_nothing(stack):
    before = stack.server.status().pid, stack.worker.status().pid
    stack.server.start(stack.environment)
    stack.worker.start(stack.environment)

    assert (stack.server.status().pid, stack.worker.status().pid) == before

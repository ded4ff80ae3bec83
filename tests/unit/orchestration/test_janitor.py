from datetime import UTC, datetime, timedelta
from pathlib import Path

from helios_core.orchestration.answers import FlowRun
from helios_core.orchestration.janitor import UNDER_WAY, reap_dead_flow_runs
from helios_core.orchestration.worker import POOL, WorkerState

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class FakeWorker:
    def __init__(self, started: datetime | None, alive: tuple[str, ...] = ()):
        self.started, self.alive, self.cleared = started, alive, 0

    def kill_orphans(self):
        self.cleared += 1

    def flow_processes(self):
        return [(run_id, None) for run_id in self.alive]

    def status(self):
        return WorkerState(self.started is not None, 1, self.started, Path("worker.log"))


class FakeApi:
    def __init__(self, *runs: FlowRun, accepts: bool = True):
        self.found, self.accepts, self.asked, self.crashed = list(runs), accepts, [], []

    def runs(self, states, *, pool):
        self.asked.append((states, pool))
        return self.found

    def set_state(self, run_id, kind, message):
        self.crashed.append((run_id, kind))
        return self.accepts


def flow_run(name: str, since: datetime = NOW) -> FlowRun:
    state = {"timestamp": since.isoformat(), "type": "RUNNING"}
    return FlowRun(id=name, name=name, state_type="RUNNING", state=state)


def test_without_a_worker_every_run_without_a_process_is_dead():
    api, worker = FakeApi(flow_run("dead"), flow_run("living")), FakeWorker(None, ("living",))
    reaped = reap_dead_flow_runs(api, worker)

    assert [run.name for run in reaped] == ["dead"]
    assert api.crashed == [("dead", "CRASHED")]
    assert worker.cleared == 1


def test_a_run_of_the_running_worker_is_its_business():
    old, new = flow_run("old", NOW - timedelta(minutes=5)), flow_run("new", NOW)
    api = FakeApi(old, new)
    reaped = reap_dead_flow_runs(api, FakeWorker(NOW - timedelta(minutes=1)))

    assert [run.name for run in reaped] == ["old"]


def test_a_state_that_the_server_refuses_is_not_reported():
    assert reap_dead_flow_runs(FakeApi(flow_run("ended"), accepts=False), FakeWorker(None)) == []


def test_only_runs_under_way_of_the_own_pool_are_asked_for():
    api = FakeApi()
    reap_dead_flow_runs(api, FakeWorker(None))

    assert api.asked == [(UNDER_WAY, POOL)]
    assert not UNDER_WAY & {"PAUSED", "SCHEDULED", "COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

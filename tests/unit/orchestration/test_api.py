import httpx
import pytest

from helios_core.errors import (
    DeadlineError,
    DependencyError,
    NotFoundError,
    StoreError,
    UsageError,
)
from helios_core.orchestration.access import PrefectAccess
from helios_core.orchestration.api import PrefectApi


class StepClock:
    """Time passes only by sleeping."""

    def __init__(self):
        self.seconds = 0.0

    def now(self):
        raise NotImplementedError

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


def api(tmp_path, answer) -> PrefectApi:
    access = PrefectAccess(tmp_path, 4200, "helios:secret")
    return PrefectApi(access, transport=httpx.MockTransport(answer))


def run_row(kind: str, message: str | None = None) -> dict:
    state = {"type": kind, "name": kind.title(), "message": message}
    return {
        "id": "r1",
        "name": "quick-fox",
        "state_type": kind,
        "state_name": kind.title(),
        "state": state,
        "something_new": 1,
    }


def log_row(number: int, message: str, name: str = "prefect.flow_runs") -> dict:
    when = f"2026-01-31T12:00:{number:02d}Z"
    return {
        "id": f"l{number}",
        "name": name,
        "level": 20,
        "timestamp": when,
        "message": message,
    }


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, DependencyError),
        (404, NotFoundError),
        (409, UsageError),
        (422, UsageError),
        (500, DependencyError),
        (503, DependencyError),
        (418, StoreError),
    ],
)
def test_a_refusal_is_an_error_with_the_reason(tmp_path, code, error):
    with (
        api(tmp_path, lambda _: httpx.Response(code, json={"detail": "because"})) as client,
        pytest.raises(error) as caught,
    ):
        client.call("GET", "/x")

    assert code == 401 or "because" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_absent_server_is_a_dependency_that_is_down(tmp_path):
    def refuse(request):
        raise httpx.ConnectError("connection refused", request=request)

    with api(tmp_path, refuse) as client, pytest.raises(DependencyError, match="helios flow up"):
        client.deployments()


def test_the_password_is_sent(tmp_path):
    seen = []

    def answer(request):
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json=[])

    with api(tmp_path, answer) as client:
        client.deployments()

    assert seen == [client.access.authorization]


def test_an_unknown_deployment_names_the_one_that_looks_alike(tmp_path):
    rows = [{"id": "1", "name": "trade", "flow_id": "f"}]
    with (
        api(tmp_path, lambda _: httpx.Response(200, json=rows)) as client,
        pytest.raises(NotFoundError, match="did you mean trade"),
    ):
        client.deployment("trede")


def test_a_run_keeps_the_parameters_of_its_deployment_that_are_not_given(tmp_path):
    bodies = []

    def answer(request):
        if request.url.path.endswith("/filter"):
            row = {"id": "1", "name": "trade", "flow_id": "f", "parameters": {"a": 1, "b": 2}}
            return httpx.Response(200, json=[row])
        bodies.append(request.read())
        return httpx.Response(201, json=run_row("SCHEDULED"))

    with api(tmp_path, answer) as client:
        client.create_run(client.deployment("trade"), {"b": 3})

    assert b'"parameters":{"a":1,"b":3}' in bodies[0]


def test_waiting_tells_each_line_once_and_waits_for_the_last_one(tmp_path):
    states = iter(["PENDING", "RUNNING", "COMPLETED", "COMPLETED", "COMPLETED"])
    a, b = log_row(1, "a"), log_row(2, "b")
    task = log_row(3, "Finished in state Completed()", "prefect.task_runs")
    flow = log_row(4, "Finished in state Completed()")
    logs = iter([[], [b], [a, b, task], [a, b, task, flow]])  # a is of another process, and late

    def answer(request):
        if request.url.path.endswith("/logs/filter"):
            return httpx.Response(200, json=next(logs))
        return httpx.Response(200, json=run_row(next(states)))

    told = []
    with api(tmp_path, answer) as client:
        ended = client.wait(
            "r1", StepClock(), 60, lambda run, new: told.extend(line.message for line in new)
        )

    assert told == ["b", "a", task["message"], flow["message"]]
    assert ended.is_terminal


def test_a_run_that_was_killed_has_no_last_line_and_is_not_waited_for_ever(tmp_path):
    def answer(request):
        rows = [] if request.url.path.endswith("/logs/filter") else run_row("CRASHED", "killed")
        return httpx.Response(200, json=rows)

    clock = StepClock()
    with api(tmp_path, answer) as client:
        ended = client.wait("r1", clock, 60, lambda *_: None)

    assert (ended.state_type, ended.message) == ("CRASHED", "killed")
    assert clock.seconds < 5


def test_a_run_that_takes_too_long_passes_the_limit(tmp_path):
    clock = StepClock()
    with (
        api(tmp_path, lambda _: httpx.Response(200, json=run_row("RUNNING"))) as client,
        pytest.raises(DeadlineError, match="quick-fox is still Running after 3 s"),
    ):
        client.wait("r1", clock, 3)

    assert clock.seconds == pytest.approx(3, abs=1)


def test_waiting_ends_when_the_check_says_that_it_makes_no_sense(tmp_path):
    def check():
        raise DependencyError("no worker")

    with (
        api(tmp_path, lambda _: httpx.Response(200, json=run_row("RUNNING"))) as client,
        pytest.raises(DependencyError, match="no worker"),
    ):
        client.wait("r1", StepClock(), 60, None, check)


def test_a_long_log_is_read_page_by_page(tmp_path):
    rows = [log_row(0, f"line {i}") | {"id": str(i)} for i in range(450)]

    def answer(request):
        import json

        body = json.loads(request.read())
        part = rows[body["offset"] : body["offset"] + body["limit"]]
        return httpx.Response(200, json=part)

    with api(tmp_path, answer) as client:
        found = client.logs("r1")

    assert [line.message for line in found] == [row["message"] for row in rows]

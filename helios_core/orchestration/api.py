"""A small typed client of Prefect's REST interface; a call of Prefect's own CLI takes seconds."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Self

import httpx

from helios_core.errors import DeadlineError, DependencyError, NotFoundError, StoreError, UsageError
from helios_core.orchestration.access import PrefectAccess
from helios_core.orchestration.answers import Artifact, Deployment, FlowRun, LogLine, Plain
from helios_core.ports import Clock

PAGE = 200  # the server's own limit of a filter
REQUEST_SECONDS = 30.0
POLL_SECONDS = 0.5
LOG_SECONDS = 2.5  # until the log of a run that was killed is taken for complete
FLOW_LOGGER = "prefect.flow_runs"
LAST_LINE = "Finished in state"  # of a flow, and of each of its tasks
Body = Mapping[str, Any] | list[Plain] | None


Progress = Callable[[FlowRun, list[LogLine]], None]


class PrefectApi:
    """Calls of the server that `access` leads to; a context manager.

    Every method raises ``DependencyError`` if the server cannot be reached or fails,
    ``NotFoundError`` for 404, ``UsageError`` if it refuses what was asked for.
    """

    def __init__(
        self, access: PrefectAccess, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.access = access
        self._http = httpx.Client(
            base_url=access.api,
            headers={"Authorization": access.authorization},
            timeout=REQUEST_SECONDS,
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, method: str, path: str, body: Body = None) -> Any:  # noqa: ANN401
        """Return the decoded answer of one request, None if it is empty."""
        with self._explained():
            answer = self._http.request(method, path, json=body)
        _require_ok(answer, f"{method} {path}")
        return answer.json() if answer.content else None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise DependencyError(
                f"the Prefect server at {self.access.ui} cannot be reached ({error}); "
                f"start it with `helios flow up`"
            ) from error

    def deployments(self) -> list[Deployment]:
        """Return all deployments, sorted by name."""
        rows = self.call("POST", "/deployments/filter", {"limit": PAGE, "sort": "NAME_ASC"})
        return [Deployment.model_validate(row) for row in rows]

    def deployment(self, name: str) -> Deployment:
        """Return the deployment `name`; names that look alike are in the error."""
        known = {deployment.name: deployment for deployment in self.deployments()}
        if name not in known:
            near = get_close_matches(name, known, n=1)
            listed = ", ".join(known) or "none; run `helios flow deploy`"
            hint = f"did you mean {near[0]}?" if near else f"there are {listed}."
            raise NotFoundError(f"no flow {name!r} is deployed; {hint}")
        return known[name]

    def create_run(self, deployment: Deployment, parameters: Plain) -> FlowRun:
        """Ask for a run at once; parameters that are not given keep the deployment's values."""
        row = self.call(
            "POST",
            f"/deployments/{deployment.id}/create_flow_run",
            {"parameters": {**deployment.parameters, **parameters}, "state": {"type": "SCHEDULED"}},
        )
        return FlowRun.model_validate(row)

    def run(self, run_id: str) -> FlowRun:
        """Return a run as it is now."""
        return FlowRun.model_validate(self.call("GET", f"/flow_runs/{run_id}"))

    def runs(
        self, states: frozenset[str] | None = None, *, pool: str | None = None, limit: int = PAGE
    ) -> list[FlowRun]:
        """Return the newest runs, of some state types and of one pool if they are given."""
        body: dict[str, Any] = {"limit": limit, "sort": "EXPECTED_START_TIME_DESC"}
        if states is not None:
            body["flow_runs"] = {"state": {"type": {"any_": sorted(states)}}}
        if pool is not None:
            body["work_pools"] = {"name": {"any_": [pool]}}
        rows = self.call("POST", "/flow_runs/filter", body)
        return [FlowRun.model_validate(row) for row in rows]

    def set_state(self, run_id: str, kind: str, message: str) -> bool:
        """Propose a state (FAILED, CRASHED, ...); return whether the server accepted it."""
        body = {"state": {"type": kind, "message": message}, "force": False}
        answer = self.call("POST", f"/flow_runs/{run_id}/set_state", body)
        return bool(answer["status"] == "ACCEPT")

    def logs(self, run_id: str) -> list[LogLine]:
        """Return the log of a run, oldest first; lines of several processes may arrive late."""
        found: list[LogLine] = []
        while True:
            body = {
                "logs": {"flow_run_id": {"any_": [run_id]}},
                "sort": "TIMESTAMP_ASC",
                "offset": len(found),
                "limit": PAGE,
            }
            page = self.call("POST", "/logs/filter", body)
            found.extend(LogLine.model_validate(row) for row in page)
            if len(page) < PAGE:
                return found

    def artifacts(self, run_id: str) -> list[Artifact]:
        """Return what a run shows, oldest first."""
        body = {
            "artifacts": {"flow_run_id": {"any_": [run_id]}},
            "sort": "CREATED_DESC",
            "limit": PAGE,
        }
        rows = self.call("POST", "/artifacts/filter", body)
        return [Artifact.model_validate(row) for row in reversed(rows)]

    def wait(
        self,
        run_id: str,
        clock: Clock,
        seconds: float,
        on_progress: Progress | None = None,
        check: Callable[[], None] | None = None,
    ) -> FlowRun:
        """Wait until a run ended and return it.

        Parameters
        ----------
        seconds : float
            Limit; the run itself goes on when it passes.
        on_progress : callable, optional
            Called with the run and its new log lines, whenever one of them changed.
        check : callable, optional
            Called at every poll; raises if it makes no sense to wait any longer.

        Raises
        ------
        DeadlineError
            If the run has not ended in time.
        """
        deadline = clock.monotonic() + seconds
        follow = Follower(self, run_id, clock, on_progress)
        while True:
            run = self.run(run_id)
            if follow.tell(run):
                return run
            if check is not None and not run.is_terminal:
                check()
            if clock.monotonic() > deadline:
                raise DeadlineError(
                    f"the flow run {run.name} is still {run.state_name} after {seconds:g} s; it "
                    f"goes on, see {self.access.ui}/runs/flow-run/{run_id}"
                )
            clock.sleep(POLL_SECONDS)


class Follower:
    """Tells of what is new in a run, and knows when nothing more will come."""

    def __init__(
        self, api: PrefectApi, run_id: str, clock: Clock, on_progress: Progress | None
    ) -> None:
        self._api = api
        self._run_id = run_id
        self._clock = clock
        self._on_progress = on_progress
        self._seen: set[str] = set()
        self._state: str | None = None
        self._complete = False  # the last line was seen
        self._ended: float | None = None

    def tell(self, run: FlowRun) -> bool:
        """Pass on what is new; return whether the run ended and its log is complete.

        The log arrives up to a second after the last state, so it is waited for: until the line
        that every flow ends with, or, for one that was killed, for `LOG_SECONDS`.
        """
        if self._on_progress is None:
            return run.is_terminal
        lines = [line for line in self._api.logs(self._run_id) if line.id not in self._seen]
        if lines or run.state_name != self._state:
            self._on_progress(run, lines)
        self._seen.update(line.id for line in lines)
        self._state = run.state_name
        self._complete |= any(
            line.name == FLOW_LOGGER and line.message.startswith(LAST_LINE) for line in lines
        )
        if not run.is_terminal:
            return False
        now = self._clock.monotonic()
        self._ended = now if self._ended is None else self._ended
        return self._complete or now - self._ended > LOG_SECONDS


def _require_ok(answer: httpx.Response, what: str) -> None:
    """Raise what an answer that is not 2xx means."""
    if answer.is_success:
        return
    detail = _detail(answer)
    match answer.status_code:
        case 401:
            raise DependencyError(
                "the Prefect server refused the password of this desk; is it the server of another "
                "desk? Stop it, or choose another port with HELIOS_FLOWS__PORT"
            )
        case 404:
            raise NotFoundError(f"Prefect does not know {what}: {detail}")
        case 400 | 409 | 422:
            raise UsageError(f"Prefect refused {what}: {detail}")
        case code if code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise DependencyError(
                f"the Prefect server failed ({code}) at {what}; is its database up? {detail}"
            )
    raise StoreError(f"Prefect answered {answer.status_code} to {what}: {detail}")


def _detail(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:200]
    return str(body.get("detail", body) if isinstance(body, dict) else body)[:400]

"""What `helios flow` does: bring server and worker up and down, deploy, run a flow and wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helios_core.bootstrap import prefect_database_url
from helios_core.errors import DependencyError, NotebookError
from helios_core.orchestration.access import PrefectAccess, open_access
from helios_core.orchestration.answers import Artifact, FlowRun, Plain
from helios_core.orchestration.api import PrefectApi, Progress
from helios_core.orchestration.deployments import Change, deploy
from helios_core.orchestration.janitor import reap_dead_flow_runs
from helios_core.orchestration.parameters import parse_flow_parameters
from helios_core.orchestration.server import PrefectServer, ServerState
from helios_core.orchestration.worker import PrefectWorker, WorkerState
from helios_core.ports import Clock
from helios_core.settings import PROJECT, Settings, process_environment


@dataclass(frozen=True, slots=True)
class FlowStatus:
    """Server and worker of a desk."""

    server: ServerState
    worker: WorkerState
    password_file: Path
    crashed: tuple[str, ...] = ()  # names of runs that were found dead


@dataclass(frozen=True, slots=True)
class FlowOutcome:
    """How a flow run ended, and what it shows."""

    run: FlowRun
    artifacts: tuple[Artifact, ...]
    address: str  # of its page in the user interface


def desk_access(settings: Settings) -> PrefectAccess:
    """Return how the Prefect server of this desk is reached."""
    return open_access(settings.home, settings.flows.port)


def launch_server(settings: Settings) -> None:
    """Start the server without waiting for it; `flow_up` waits. Other work may go on meanwhile."""
    _server(settings).launch(desk_environment(settings))


def flow_up(settings: Settings, project: Path = PROJECT) -> FlowStatus:
    """Start server and worker if they do not run, and mark dead flow runs as crashed; idempotent.

    Raises
    ------
    DependencyError
        If the port is taken, the database is away, or the server ended while it started.
    DeadlineError
        If the server is not ready in time.
    """
    environment = desk_environment(settings)
    server = _server(settings)
    server.start(environment)
    access = desk_access(settings)
    worker = PrefectWorker(access, project)
    with PrefectApi(access) as api:
        crashed = reap_dead_flow_runs(api, worker)
    worker.start(environment)
    return FlowStatus(
        server.status(), worker.status(), access.password_file, tuple(run.name for run in crashed)
    )


def flow_down(settings: Settings, project: Path = PROJECT) -> bool:
    """Stop worker, flow runs and server; the database stays. Return whether anything ran."""
    access = desk_access(settings)
    worker = PrefectWorker(access, project).stop()
    server = PrefectServer(access).stop()
    return worker or server


def flow_status(settings: Settings, project: Path = PROJECT) -> FlowStatus:
    """Return what runs, without starting anything."""
    access = desk_access(settings)
    server, worker = PrefectServer(access), PrefectWorker(access, project)
    return FlowStatus(server.status(), worker.status(), access.password_file)


def flow_deploy(settings: Settings, project: Path = PROJECT) -> list[Change]:
    """Make the deployments equal to ``prefect.yaml``; see `deploy`."""
    with PrefectApi(desk_access(settings)) as api:
        api.call("GET", "/ready")  # an absent server is reported before the flows are read
        environment = desk_environment(settings)
        return deploy(api, project, environment, schedules=settings.flows.schedules)


def flow_run(
    settings: Settings,
    clock: Clock,
    name: str,
    parameters: Plain | Sequence[str],
    *,
    timeout: float | None = None,
    on_progress: Progress | None = None,
) -> FlowOutcome:
    """Run a deployed flow and wait until it ended, however it ended.

    Parameters
    ----------
    parameters : dict or sequence of str
        Values by name, or texts ``name=value`` that are typed by the flow's schema.
    timeout : float, optional
        Limit of waiting, seconds; default ``settings.flows.run_timeout``.
    on_progress : callable, optional
        Called with the run and its new log lines whenever one of them changed.

    Raises
    ------
    NotFoundError, UsageError
        If no such flow is deployed, or a parameter does not fit it.
    DependencyError
        If server or worker are away, or the worker ends while it is needed.
    DeadlineError
        If the run has not ended in time.
    """
    access = desk_access(settings)
    worker = PrefectWorker(access, PROJECT)
    with PrefectApi(access) as api:
        deployment = api.deployment(name)
        _require_worker(worker)
        given = (
            parameters
            if isinstance(parameters, dict)
            else parse_flow_parameters(deployment, parameters)
        )
        run = api.create_run(deployment, given)
        ended = api.wait(
            run.id,
            clock,
            timeout or settings.flows.run_timeout,
            on_progress,
            lambda: _require_worker(worker),
        )
        address = f"{access.ui}/runs/flow-run/{run.id}"
        return FlowOutcome(ended, tuple(api.artifacts(run.id)), address)


def require_completed(outcome: FlowOutcome) -> None:
    """Raise ``NotebookError`` unless the run completed."""
    run = outcome.run
    if run.state_type != "COMPLETED":
        raise NotebookError(
            f"the flow run {run.name} ended as {run.state_name}: "
            f"{run.message or 'no reason was given'}. See {outcome.address}"
        )


def desk_environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with the folders of the desk; flow runs inherit it."""
    own = {"HELIOS_RUN_ID", "HELIOS_RUN_NONCE"}  # of a notebook that may have called us
    kept = {name: value for name, value in process_environment().items() if name not in own}
    return kept | {
        "HELIOS_HOME": str(settings.home.resolve()),
        "HELIOS_RUNS": str(settings.runs.resolve()),
        "HELIOS_MODELS": str(settings.models.resolve()),
    }


def _server(settings: Settings) -> PrefectServer:
    """Return the server; one that is ready, also in a container, needs no database of ours."""
    access = desk_access(settings)
    server = PrefectServer(access)
    if server.status().ready:
        return server
    server.require_startable()  # a taken port is told before a database is started for it
    return PrefectServer(access, prefect_database_url(settings))


def _require_worker(worker: PrefectWorker) -> None:
    state = worker.status()
    if not state.running:
        raise DependencyError(
            f"no worker runs, so that flow runs only wait; start it with `helios flow up`. "
            f"Why it ended: {state.log}"
        )

"""The worker of a desk: a detached process that starts one Python process for each flow run."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from helios_core.logs import logger
from helios_core.orchestration.access import PrefectAccess, client_environment
from helios_core.orchestration.processes import Detached, kill, processes_with

POOL = "helios"
CONCURRENT_RUNS = 2
RUN_ID = "PREFECT__FLOW_RUN_ID"
STOP_SECONDS = 5.0  # a worker waits for its flow runs for ever; they are recorded as failed


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What is known of the worker."""

    running: bool
    pid: int | None
    started: datetime | None
    log: Path


class PrefectWorker:
    """Starts, finds again and stops the worker that serves the pool `POOL`."""

    def __init__(self, access: PrefectAccess, project: Path) -> None:
        self.access = access
        self._project = project
        self._process = Detached("worker", access.home)

    def start(self, inherited: Mapping[str, str]) -> None:
        """Start the worker unless it runs already; its flow runs inherit `inherited`.

        A worker that was started with other ``HELIOS_`` settings is replaced, unless a flow run is
        going on.
        """
        environment = worker_environment(self.access, inherited)
        settings = _digest(environment)
        if self._process.process() is not None:
            if self._process.note == settings:
                return
            if self.flow_processes():
                logger("flows").warning("worker keeps its old settings while a flow run goes on")
                return
            self.stop()
        self.kill_orphans()
        command = [
            sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL,
            "--type", "process", "--name", "helios", "--limit", str(CONCURRENT_RUNS),
        ]  # fmt: skip
        pid = self._process.spawn(command, environment, self._project, settings)
        logger("flows").info("prefect worker started", pid=pid, pool=POOL)

    def stop(self) -> bool:
        """Stop the worker and every flow run that it started; return whether it ran."""
        ran = self._process.stop(STOP_SECONDS)
        self.kill_orphans()
        return ran

    def kill_orphans(self) -> None:
        """Kill flow runs that a killed worker left behind; nothing while a worker runs.

        Nobody watches them any more, and they would keep the slot of their deployment.
        """
        if self._process.process() is None:
            kill([process for _, process in self.flow_processes()])

    def status(self) -> WorkerState:
        """Return whether it runs, and since when."""
        process = self._process.process()
        return WorkerState(
            running=process is not None,
            pid=process.pid if process else None,
            started=datetime.fromtimestamp(process.create_time(), UTC) if process else None,
            log=self._process.log,
        )

    def flow_processes(self) -> list[tuple[str, psutil.Process]]:
        """Return (flow run id, process) of every living process that works on a flow run.

        The id is read from the environment of the process, so that no pid has to be trusted.
        Kernels of notebooks inherit it and are among them.
        """
        found = processes_with(PREFECT_HOME=str(self.access.home))
        return [(env[RUN_ID], process) for process, env in found if RUN_ID in env]


def worker_environment(access: PrefectAccess, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the worker and of the flow runs that it starts."""
    return client_environment(access, inherited) | {
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        # with prefetch a run may start before its minute, and takes its slot too early
        "PREFECT_WORKER_PREFETCH_SECONDS": "0",
        "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
        "PREFECT_LOGGING_LEVEL": "INFO",
    }


def _digest(environment: Mapping[str, str]) -> str:
    """Return a digest of the settings in an environment; it shows no secret."""
    own = sorted((k, v) for k, v in environment.items() if k.startswith("HELIOS_"))
    return hashlib.sha256(json.dumps(own).encode()).hexdigest()[:16]

"""Finds flow runs whose process is dead and says so; Prefect itself would call them running.

After a power cut, or ``kill -9`` of the worker, nobody reports the end of its flow runs: they stay
Running or Submitting for ever and keep the slot of their deployment. Paused, suspended, scheduled
and ended runs are left alone, and so are runs that were not started by the worker of this desk.
"""

from datetime import timedelta

from helios_core.logs import logger
from helios_core.orchestration.answers import FlowRun
from helios_core.orchestration.api import PrefectApi
from helios_core.orchestration.worker import POOL, PrefectWorker, WorkerState

UNDER_WAY = frozenset({"PENDING", "RUNNING", "CANCELLING"})
START_ERROR = timedelta(seconds=2)  # start times of processes hang on the boot time
REASON = "its process is dead: it was killed, or the machine went down"


def reap_dead_flow_runs(api: PrefectApi, worker: PrefectWorker) -> list[FlowRun]:
    """Set runs without a living process to Crashed and return them.

    Called before a worker is started it finds every one. While a worker runs, what came into its
    state under that worker is the worker's business. What a dead worker left behind is killed.
    """
    worker.kill_orphans()
    runs = api.runs(UNDER_WAY, pool=POOL)
    alive = {run_id for run_id, _ in worker.flow_processes()}
    state = worker.status()
    dead = [run for run in runs if run.id not in alive and not _is_watched(run, state)]
    crashed = [run for run in dead if api.set_state(run.id, "CRASHED", REASON)]
    for run in crashed:
        logger("flows").warning("flow run was dead", flow_run=run.id, name=run.name)
    return crashed


def _is_watched(run: FlowRun, worker: WorkerState) -> bool:
    """Whether the running worker took this run: it came into its state after the worker began."""
    if worker.started is None or run.state_since is None:
        return worker.running
    return run.state_since >= worker.started - START_ERROR

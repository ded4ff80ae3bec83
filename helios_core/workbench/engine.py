"""Execute a notebook as a recorded run: opened in the ledger before, judged by the ledger after.

papermill marks every cell of a killed kernel as completed, so the executed notebook proves
nothing. A run succeeded if and only if its last cell closed the run's row with the run's nonce.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from helios_core.domain.runs import Json, JsonValue, RunRecord, RunState
from helios_core.errors import ConfigError
from helios_core.logs import logger
from helios_core.ports import Clock, Ids
from helios_core.settings import PROJECT, Settings, process_environment
from helios_core.store import ledger
from helios_core.store.database import Database
from helios_core.workbench.notebooks import (
    check_parameters,
    find_notebook,
    notebook_parameters,
    require_emit_last,
)
from helios_core.workbench.provenance import (
    new_run,
    owner_is_alive,
    stamp_notebook,
)
from helios_core.workbench.results import RESULTS

NO_EMIT = "the notebook ended without `emit` in its last cell"


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, as the ledger has it."""

    run_id: str
    state: RunState
    outcome: str  # one sentence; the reason when failed
    result: Json | None  # what the last cell emitted
    path: Path  # executed copy, partial when failed
    error: str | None = None  # the reason when failed


def run_notebook(  # noqa: PLR0913 - everything that a run depends on is passed in
    name: str | Path,
    parameters: Mapping[str, Any],
    *,
    settings: Settings,
    clock: Clock,
    ids: Ids,
    database: Database,
    flow_run_id: str | None = None,
    timeout: float | None = None,
) -> RunResult:
    """Execute a notebook in a kernel of its own and return how the ledger says it ended.

    Parameters
    ----------
    name : str or Path
        Name in ``notebooks/``, or the path of a notebook.
    parameters : mapping
        Values for the cell tagged ``parameters``; the rest keeps its defaults.
    flow_run_id : str, optional
        Prefect flow run that asked for it.
    timeout : float, optional
        Limit of the whole run, seconds; a cell is limited by ``settings.notebooks.cell_timeout``.

    Returns
    -------
    RunResult
        ``state`` is "failed" when a cell raised, the kernel died, a limit passed, or nothing was
        emitted; the executed copy then holds what ran until there.

    Raises
    ------
    NotFoundError, UsageError
        Before anything runs: no such notebook, unknown or ill-typed parameter.
    NotebookError
        Before anything runs: the file is not a notebook, or calls `emit` before its end.
    ConfigError
        Before anything runs: the folder of executed notebooks cannot be made.
    DependencyError
        If the ledger cannot be reached.
    """
    path = find_notebook(name)
    given = check_parameters(path, parameters)
    require_emit_last(path)
    now = clock.now()
    run = _record(path, given, ids.run_id(now), now, flow_run_id)
    nonce = ids.nonce()
    target = _folder(settings.runs, now) / f"{path.stem}-{run.run_id}.ipynb"
    with database.connection() as conn:
        ledger.reap_dead_runs(conn, owner_is_alive)
        ledger.open_run(conn, run, nonce)
    log = logger("flows").bind(notebook=run.notebook, run_id=run.run_id)
    log.info("notebook started", target=str(target))
    reason: str | None = "the run was interrupted"
    try:
        from helios_core.workbench.kernel import Job, execute  # papermill is slow to import

        environment = _kernel_environment(settings, run.run_id, nonce)
        reason = execute(
            Job(
                source=path,
                target=target,
                parameters=given,
                about=_about(run),
                environment=environment,
                folder=PROJECT,
                timeout=timeout,
                cell_timeout=settings.notebooks.cell_timeout,
            )
        )
    finally:
        done = _close(database, run, target, reason)
    log.info("notebook ended", state=done.state, outcome=done.outcome)
    return done


def _folder(runs: Path, now: datetime) -> Path:
    """Return the folder of the executed notebooks of a day, made if it is not there."""
    folder = runs / f"{now:%Y%m%d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"HELIOS_RUNS is {runs}, in which no folder can be made ({error.strerror}); name one "
            f"that you may write to"
        ) from error
    return folder


def _record(
    path: Path, parameters: Json, run_id: str, now: datetime, flow_run_id: str | None
) -> RunRecord:
    effective = {p.name: p.default for p in notebook_parameters(path)} | dict(parameters)
    return new_run(run_id, path.stem, effective, now, flow_run_id)


def _about(run: RunRecord) -> Json:
    """Return the provenance that the executed notebook carries in its metadata."""
    return {
        "run_id": run.run_id,
        "notebook": run.notebook,
        "commit": run.commit,
        "dirty": run.dirty,
        "parameters": run.parameters,
        "parameters_hash": run.parameters_hash,
        "environment_hash": run.environment_hash,
        "started_at": run.started_at.isoformat(),
        "mode": run.parameters.get("mode"),
    }


def _kernel_environment(settings: Settings, run_id: str, nonce: str) -> dict[str, str]:
    """Return the kernel's environment; this process's own is not touched."""
    environment = process_environment()
    for name in ("HELIOS_DATABASE_URL", "HELIOS_DATABASE_URL_FILE"):
        environment.pop(name, None)
    if settings.database_url is not None:
        environment["HELIOS_DATABASE_URL"] = settings.database_url.get_secret_value()
    return environment | {
        "HELIOS_RUN_ID": run_id,
        "HELIOS_RUN_NONCE": nonce,
        "HELIOS_HOME": str(settings.home.resolve()),
        "HELIOS_RUNS": str(settings.runs.resolve()),
        "HELIOS_MODELS": str(settings.models.resolve()),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def _close(database: Database, run: RunRecord, target: Path, reason: str | None) -> RunResult:
    """Judge the run by its row: still open means failed, whatever the notebook looks like."""
    with database.connection() as conn:
        found = ledger.get_run(conn, run.run_id)
        if found.state == "running":
            ledger.fail_run(conn, run.run_id, reason or NO_EMIT)
            found = ledger.get_run(conn, run.run_id)
    if target.is_file():
        about = {"state": found.state, "outcome": found.outcome, "data_as_of": _data_as_of(found)}
        sha256 = stamp_notebook(target, about)
        with database.connection() as conn:
            ledger.attach_notebook(conn, run.run_id, str(target), sha256)
    failed = found.state != "completed"
    return RunResult(
        run_id=run.run_id,
        state=found.state,
        outcome=found.outcome,
        result=_ordered(run.notebook, found.result),
        path=target,
        error=found.outcome if failed else None,
    )


def _ordered(notebook: str, result: Json | None) -> Json | None:
    """Return a result with its fields in the order of its type; the database keeps its own."""
    kind = RESULTS.get(notebook)
    if result is None or kind is None:
        return result
    own = [name for name in kind.model_fields if name in result]
    return {name: result[name] for name in [*own, *(result.keys() - set(own))]}


def _data_as_of(run: RunRecord) -> JsonValue:
    return (run.result or {}).get("data_as_of") or run.parameters.get("as_of")

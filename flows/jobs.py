"""The one task of every flow: run a notebook, show what it found, fail if it failed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from helios_core.domain.runs import Json
from helios_core.errors import NotebookError

if TYPE_CHECKING:
    from helios_core.workbench.engine import RunResult


@task(retries=0, cache_policy=NO_CACHE, task_run_name="{name}")  # a retry could order twice
def notebook(name: str, parameters: dict[str, Any]) -> Json:
    """Execute a notebook as a recorded run and return what its last cell emitted.

    Parameters
    ----------
    name : str
        Name in ``notebooks/``.
    parameters : dict
        For its parameters cell; a value of None keeps the notebook's own default.

    Raises
    ------
    NotebookError
        If the run failed; its page says why and links to the partial notebook.
    """
    from prefect.runtime import flow_run

    from helios_core.bootstrap import SystemClock, SystemIds, open_store, start_logs
    from helios_core.settings import load_settings
    from helios_core.workbench.engine import run_notebook

    given = {key: value for key, value in parameters.items() if value is not None}
    settings = load_settings()
    start_logs(settings)
    log = get_run_logger()
    log.info("%s starts with %s", name, given)
    with open_store(settings) as database:
        done = run_notebook(
            name,
            given,
            settings=settings,
            clock=SystemClock(),
            ids=SystemIds(),
            database=database,
            flow_run_id=flow_run.id,
            timeout=settings.flows.run_timeout,
        )
    _publish(name, given, done, settings.notebooks.lab_port)
    if done.state != "completed":
        raise NotebookError(f"{name} failed: {done.outcome}. Partial output: {done.path}")
    result = done.result or {}
    log.info("%s completed: %s (run %s, %s)", name, result.get("verdict"), done.run_id, done.path)
    return result


def _publish(name: str, parameters: Json, done: "RunResult", lab_port: int) -> None:
    """Attach the page and the table of a run to the flow run."""
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    from helios_core.orchestration.artifacts import artifact_key, render_page, table_rows

    key = artifact_key(name)
    page = render_page(name, parameters, done, lab_link(done.path, lab_port))
    create_markdown_artifact(page, key=key, description=done.outcome)
    if done.result:
        create_table_artifact(table_rows(done.result), key=f"{key}-result", description=name)


def lab_link(path: Path, port: int) -> str | None:
    """Return where JupyterLab of this desk shows `path`, None if it lies outside of its folder."""
    from helios_core.settings import PROJECT

    resolved = path.resolve()
    if not resolved.is_relative_to(PROJECT):
        return None
    return f"http://127.0.0.1:{port}/lab/tree/{resolved.relative_to(PROJECT).as_posix()}"

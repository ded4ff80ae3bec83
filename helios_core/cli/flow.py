"""`helios flow`: the Prefect server and worker of this desk, its deployments and runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from helios_core.cli.session import JsonOption, open_session, print_json, print_table

if TYPE_CHECKING:
    from helios_core.orchestration.answers import FlowRun, LogLine
    from helios_core.orchestration.control import FlowOutcome, FlowStatus

app = typer.Typer(help="Prefect: start, deploy, run flows, list runs.", no_args_is_help=True)


@app.command()
def up() -> None:
    """Start server and worker unless they run, and mark runs whose process is dead as crashed."""
    from helios_core.bootstrap import prepare_schema
    from helios_core.orchestration.control import flow_up

    settings = open_session().settings
    found = flow_up(settings)
    prepare_schema(settings)
    _print_status(found)


@app.command()
def down() -> None:
    """Stop worker, flow runs and server; the database and its history stay."""
    from helios_core.orchestration.control import flow_down

    ran = flow_down(open_session().settings)
    typer.echo("Prefect is stopped" if ran else "nothing was running")


@app.command()
def status(*, as_json: JsonOption = False) -> None:
    """Print whether server and worker run, and where."""
    from helios_core.orchestration.control import flow_status

    found = flow_status(open_session().settings)
    if as_json:
        print_json(
            {
                "server": {"running": found.server.running, "ready": found.server.ready},
                "worker": {"running": found.worker.running},
                "ui": found.server.ui,
                "password_file": str(found.password_file),
            }
        )
    else:
        _print_status(found)


@app.command()
def deploy() -> None:
    """Make the deployments of the server equal to prefect.yaml; a pause stays."""
    from helios_core.orchestration.control import flow_deploy

    changes = flow_deploy(open_session().settings)
    print_table(
        "deployments",
        ("flow", "change", "paused", "active schedules"),
        [(c.name, c.verb, "yes" if c.paused else "no", c.schedules) for c in changes],
    )


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="for example ingest, research, trade, report")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="name=value, repeatable")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="how long to wait for its end, seconds")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Run a deployed flow and follow it to its end; exit 1 if it did not complete."""
    from helios_core.orchestration.control import flow_run, require_completed

    session = open_session()
    outcome = flow_run(
        session.settings,
        session.clock,
        name,
        parameter or [],
        timeout=timeout,
        on_progress=None if as_json else _tell,
    )
    if as_json:
        print_json(_plain(outcome))
    else:
        typer.echo(f"{outcome.run.name}: {outcome.run.state_name}, see {outcome.address}")
    require_completed(outcome)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=200, help="newest runs to print")] = 20,
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the newest flow runs."""
    from helios_core.orchestration.api import PrefectApi
    from helios_core.orchestration.control import desk_access

    with PrefectApi(desk_access(open_session().settings)) as api:
        runs = api.runs(limit=limit)
        names = {deployment.id: deployment.name for deployment in api.deployments()}
    rows = [
        (names.get(r.deployment_id or "", "-"), r.name, r.state_name, r.start_time, r.message)
        for r in runs
    ]
    columns = ("flow", "run", "state", "started", "message")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("flow runs", columns, rows)


def _print_status(found: "FlowStatus") -> None:
    server = "ready" if found.server.ready else "running" if found.server.running else "down"
    worker = "running" if found.worker.running else "down"
    rows = [
        ("server", server, found.server.log),
        ("worker", worker, found.worker.log),
        ("user interface", found.server.ui, f"password: {found.password_file}"),
    ]
    print_table("Prefect", ("part", "state", "where"), rows)
    for name in found.crashed:
        typer.echo(f"flow run {name} was found dead and is marked as crashed")


def _tell(run: "FlowRun", lines: "list[LogLine]") -> None:
    for line in lines:
        typer.echo(f"{line.timestamp:%H:%M:%S}  {line.headline}")
    if not lines:
        typer.echo(f"          {run.name} is {run.state_name}")


def _plain(outcome: "FlowOutcome") -> dict[str, object]:
    run = outcome.run
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state_name,
        "message": run.message,
        "address": outcome.address,
        "artifacts": [artifact.key for artifact in outcome.artifacts],
    }

"""`helios notebook` and `helios lab`: run, list and open the notebooks."""

import sys
from typing import Annotated

import typer

from helios_core.cli.session import JsonOption, open_session, print_json, print_table

app = typer.Typer(help="Notebooks: list, run.", no_args_is_help=True)


@app.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """Print the notebooks with their parameters and defaults."""
    from helios_core.workbench.notebooks import list_notebooks, notebook_parameters

    found = {name: notebook_parameters(name) for name in list_notebooks()}
    if as_json:
        print_json({name: {p.name: p.default for p in found[name]} for name in found})
        return
    for name, parameters in found.items():
        typer.echo(name)
        for parameter in parameters:
            typer.echo(f"    {parameter.name} = {parameter.default!r}  {parameter.help}")


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="for example 61_trading_cycle")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="name=value, repeatable")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="limit of the whole run, seconds")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Execute a notebook and keep the executed copy; the run ledger says whether it succeeded."""
    from helios_core.bootstrap import open_store, prepare_schema
    from helios_core.errors import NotebookError
    from helios_core.workbench.engine import run_notebook
    from helios_core.workbench.notebooks import parse_parameters

    session = open_session()
    values = parse_parameters(name, parameter or [])
    prepare_schema(session.settings)
    with open_store(session.settings) as database:
        done = run_notebook(
            name,
            values,
            settings=session.settings,
            clock=session.clock,
            ids=session.ids,
            database=database,
            timeout=timeout,
        )
    if as_json:
        print_json({k: getattr(done, k) for k in ("run_id", "state", "outcome", "result", "path")})
    elif done.state == "completed":
        rows = {**(done.result or {}), "run": done.run_id, "notebook": done.path}
        print_table(f"{name}: {done.outcome}", ("result", "value"), rows.items())
    if done.state != "completed":
        raise NotebookError(f"{name} failed: {done.outcome}. Partial output: {done.path}")


def lab(
    port: Annotated[int | None, typer.Option(min=1024, max=65535, help="on 127.0.0.1")] = None,
) -> None:
    """Open JupyterLab on the notebooks: loopback only, with a token."""
    from helios_core.bootstrap import open_store, prepare_schema
    from helios_core.orchestration.lab import run_lab

    session = open_session()
    prepare_schema(session.settings)
    open_store(session.settings).close()
    sys.exit(run_lab(session.settings.home, port or session.settings.notebooks.lab_port))

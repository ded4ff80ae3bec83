"""`helios model`: the registry, and promotion through the recorded gate."""

from dataclasses import asdict
from datetime import datetime
from textwrap import shorten
from typing import Annotated

import typer

from helios_core.cli.session import JsonOption, open_session, print_json, print_table

app = typer.Typer(help="Models: list, promote.", no_args_is_help=True)


@app.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """Print the registered models and their state."""
    from helios_core.bootstrap import open_store
    from helios_core.store import registry

    with open_store(open_session().settings, role="ro") as database, database.connection() as conn:
        found = [asdict(model) for model in registry.list_models(conn)]
    if as_json:
        print_json(found)
    elif not found:
        typer.echo("no models yet: `helios notebook run 21_train`")
    else:
        columns = ("model_id", "state", "parameters", "data_from", "data_to", "gate", "run_id")
        print_table("models", columns, [[_short(m[c]) for c in columns] for m in found])


def _short(cell: object) -> object:
    """Return a text of one line, and a time to the minute; `--json` has all of it."""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%MZ}"
    return shorten(cell, 60, placeholder=" ...") if isinstance(cell, str) else cell


@app.command()
def promote(
    model_id: str,
    reason: Annotated[str, typer.Option(help="why, for the record")],
    actor: Annotated[str, typer.Option(help="who decides")],
) -> None:
    """Make a model the champion; refused with exit 7 unless its recorded gate passed."""
    from helios_core.bootstrap import open_store
    from helios_core.store import registry

    with open_store(open_session().settings) as database, database.connection() as conn:
        registry.promote(conn, model_id, actor, reason)
    typer.echo(f"{model_id} is the champion")

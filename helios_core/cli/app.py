"""Entry point of `helios`: the command tree, and one place that turns errors into exit codes.

Exit codes: 0 ok, 1 error, 2 usage, 3 config, 4 not found, 5 dependency down, 6 timeout,
7 gate failed, 8 refused by safety, 130 interrupted.
"""

import sys

import typer

from helios_core import __version__
from helios_core.cli import (
    bench,
    config,
    data,
    db,
    demo,
    doctor,
    features,
    flow,
    ledger,
    model,
    notebook,
)
from helios_core.errors import HeliosError

app = typer.Typer(
    help="Helios: a Jupyter-first research workbench for the VALR exchange.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(features.app, name="features")
app.add_typer(model.app, name="model")
app.add_typer(notebook.app, name="notebook")
app.command("lab")(notebook.lab)
app.add_typer(flow.app, name="flow")
app.add_typer(ledger.runs, name="runs")
app.command("orders")(ledger.orders)
app.command("why")(ledger.why)
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")
app.command("bench")(bench.bench)


@app.command()
def version() -> None:
    """Print the version of Helios."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; the only place where an error becomes a sentence and an exit code."""
    try:
        app()
    except HeliosError as error:
        typer.echo(f"Error: {error} (code {error.exit_code})", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("Interrupted; what was committed stays, run the command again.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()

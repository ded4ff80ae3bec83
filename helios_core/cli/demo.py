"""`helios demo`: the whole desk, from candles to paper orders, in one command."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helios_core.cli.session import JsonOption, open_session, print_json, print_table

if TYPE_CHECKING:
    from helios_core.orchestration.demo import DemoSummary


def demo(
    data: Annotated[
        Path | None, typer.Option(help="candles or trades of one pair; else VALR, else generated")
    ] = None,
    pair: Annotated[
        str | None, typer.Option(help="pair of the file, if its name does not tell")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Run every notebook on real, public or generated candles, as Prefect flow runs."""
    from helios_core.orchestration.demo import choose_data, run_demo

    settings = open_session().settings
    chosen = choose_data(settings, data, pair)
    with _progress(silent=as_json) as tell:
        done = run_demo(settings, chosen, tell)
    if as_json:
        print_json(_plain(done))
    else:
        _print_summary(done)


@contextmanager
def _progress(*, silent: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that prints a finished step above a bar; plain lines without a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from helios_core.orchestration.demo import BEFORE_FLOWS, NOTEBOOKS

    if silent:
        yield lambda _: None
        return
    console = Console()
    if not console.is_terminal:
        yield typer.echo
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("helios demo", total=BEFORE_FLOWS + NOTEBOOKS)

        def tell(line: str) -> None:
            progress.advance(task)
            console.print(line, highlight=False, markup=False)

        yield tell


def _print_summary(done: "DemoSummary") -> None:
    rows = list(_facts(done).items())
    title = "SIMULATED market" if done.data.source == "simulated" else ", ".join(done.data.pairs)
    print_table(f"helios demo: {title}", ("what", "found"), rows)
    print_table(
        "executed notebooks",
        ("notebook", "state", "path"),
        [(run.notebook, run.state, _short(run.notebook_path)) for run in done.runs],
    )
    orders = done.result("61_trading_cycle")["orders"]
    first = str(orders[0]) if isinstance(orders, list) and orders else "ORDER"
    typer.echo(f"Prefect UI      {done.ui}  (password: the content of {done.password_file})")
    helios = _command()
    typer.echo(f"Why an order    {helios} why {first}")
    typer.echo(f"Notebooks       {helios} lab")
    typer.echo(f"Stop            {helios} flow down && {helios} db down")


def _facts(done: "DemoSummary") -> dict[str, Any]:
    """Return the lines of the summary; every number is one that a notebook emitted."""
    ingest, features = done.result("11_ingest"), done.result("12_features")
    train, gate = done.result("21_train"), done.result("22_evaluate")
    flat, forced = _cycles(done)
    backtest = done.result("62_backtest")
    return {
        "data": f"{ingest['rows']} candles from {ingest['source']}, {ingest['inserted']} new, "
        f"{ingest['first']} to {ingest['last']}",
        "gaps": f"{ingest['missing']} minutes missing in {ingest['gaps']} runs",
        "features": f"{features['implemented']} of 90 computed for {features['rows']} bars",
        "model": train["verdict"],
        "gate": gate["verdict"],
        "cycle": flat["verdict"],
        "forced cycle": forced["verdict"],
        "orders": ", ".join(map(str, _listed(forced["orders"]))) or "none",
        "backtest": backtest["verdict"],
        "report": done.result("71_daily_report")["verdict"],
    }


def _cycles(done: "DemoSummary") -> tuple[Any, Any]:
    """Return the results of the first and of the forced cycle."""
    cycles = [run.result for run in done.runs if run.notebook == "61_trading_cycle" and run.result]
    return cycles[0], cycles[-1]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _short(path: str | None) -> str:
    """Return a path relative to the working folder where it lies below it."""
    if path is None:
        return ""
    full = Path(path)
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else path


def _command() -> str:
    """Return how this program is called from here: by name if it is on the path."""
    return "helios" if shutil.which("helios") else _short(sys.argv[0])


def _plain(done: "DemoSummary") -> dict[str, Any]:
    return {
        "source": done.data.source,
        "pairs": list(done.data.pairs),
        "as_of": done.as_of,
        **_facts(done),
        "runs": [
            {"run_id": run.run_id, "notebook": run.notebook, "state": run.state,
             "path": run.notebook_path} for run in done.runs
        ],
        "flow_runs": list(done.addresses),
        "ui": done.ui,
    }  # fmt: skip

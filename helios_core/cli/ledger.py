"""`helios runs`, `helios orders`, `helios why`: read the ledger."""

from dataclasses import asdict
from typing import Annotated

import typer

from helios_core.cli.session import JsonOption, open_session, print_json, print_table

runs = typer.Typer(help="Notebook runs: list, show.", no_args_is_help=True)

LimitOption = Annotated[int, typer.Option(min=1, max=10_000, help="newest rows to print")]


@runs.command("list")
def list_runs(limit: LimitOption = 20, *, as_json: JsonOption = False) -> None:
    """Print the newest notebook runs."""
    from helios_core.bootstrap import open_store
    from helios_core.store import ledger

    with open_store(open_session().settings, role="ro") as database, database.connection() as conn:
        found = [asdict(run) for run in ledger.list_runs(conn, limit)]
    if as_json:
        print_json(found)
        return
    columns = ("run_id", "notebook", "state", "started_at", "outcome", "notebook_path")
    print_table("runs", columns, [[run[c] for c in columns] for run in found])


@runs.command()
def show(run_id: str, *, as_json: JsonOption = False) -> None:
    """Print everything the ledger knows of a run."""
    from helios_core.bootstrap import open_store
    from helios_core.store import ledger

    with open_store(open_session().settings, role="ro") as database, database.connection() as conn:
        found = asdict(ledger.get_run(conn, run_id))
    if as_json:
        print_json(found)
    else:
        print_table(run_id, ("field", "value"), found.items())


def orders(limit: LimitOption = 20, *, as_json: JsonOption = False) -> None:
    """Print the newest orders with their state and fills."""
    from helios_core.bootstrap import open_store
    from helios_core.store import ledger

    with open_store(open_session().settings, role="ro") as database, database.connection() as conn:
        found = [asdict(order) for order in ledger.list_orders(conn, limit)]
    if as_json:
        print_json(found)
    elif not found:
        typer.echo("no orders yet; `helios runs list` shows what the cycles decided")
    else:
        print_table("orders", tuple(found[0]), [order.values() for order in found])


def why(
    order: Annotated[str, typer.Argument(help="client order id, from `helios orders`")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the chain from an order to the notebook, model, data and commit that caused it."""
    from helios_core.bootstrap import open_store
    from helios_core.store import trace

    with open_store(open_session().settings, role="ro") as database, database.connection() as conn:
        found = trace.why(conn, order)
    if as_json:
        print_json(asdict(found))
    else:
        rows = [(line.link, line.id, line.summary) for line in found.lines]
        print_table(f"why {order}", ("link", "id", "what"), rows)

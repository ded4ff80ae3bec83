"""`helios data`: bring candles and trades into the store and look at what is there."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from helios_core.cli.session import JsonOption, open_session, print_json, print_table

app = typer.Typer(help="Market data: import files, coverage, gaps.", no_args_is_help=True)

PairOption = Annotated[str, typer.Option("--pair", help="exchange symbol, for example BTCUSDT")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or Feather with candles or trades")],
    pair: PairOption,
    timeframe: Annotated[
        str | None, typer.Option(help="1m, 5m, 15m, 1h or 1d; default: from the times")
    ] = None,
    time: Annotated[
        Literal["open", "close"] | None,
        typer.Option(help="whether the time column names the start or the end of a bar"),
    ] = None,
    tz: Annotated[
        str | None, typer.Option(help="time zone of times that carry none; default UTC")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check a file and store it; importing it twice changes nothing."""
    from helios_core.bootstrap import open_store, prepare_schema
    from helios_core.store.importing import ImportRequest, import_file

    session = open_session()
    request = ImportRequest(pair=pair, timeframe=timeframe, time=time, tz=tz)
    prepare_schema(session.settings)
    with open_store(session.settings, role="owner") as database:  # who may refresh rollups
        report = import_file(database, file, request)
    if as_json:
        print_json(report.to_json())
    else:
        typer.echo("\n".join(report.lines()))


@app.command()
def coverage(*, as_json: JsonOption = False) -> None:
    """Print what is stored: pair, timeframe, source, first and last bar, rows, gaps."""
    from dataclasses import asdict

    from helios_core.bootstrap import open_store
    from helios_core.store import market

    with open_store(open_session().settings, role="ro") as database, database.connection() as conn:
        found = [asdict(item) for item in market.coverage(conn)]
    if as_json:
        print_json(found)
    elif not found:
        typer.echo("no market data yet: `helios data import FILE --pair BTCUSDT`, or `helios demo`")
    else:
        print_table("market data", tuple(found[0]), [row.values() for row in found])


@app.command()
def gaps(
    pair: PairOption,
    timeframe: Annotated[str, typer.Option(help="1m, 5m, 15m, 1h or 1d")] = "1m",
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the gap ledger of a pair: where bars are missing, how many, why."""
    from dataclasses import asdict

    from helios_core.bootstrap import open_store
    from helios_core.domain.market import parse_timeframe
    from helios_core.store import market

    chosen = parse_timeframe(timeframe)
    with open_store(open_session().settings, role="ro") as database, database.connection() as conn:
        market.pair_rules(conn, pair)
        rows = [asdict(gap) for gap in market.gaps(conn, pair, chosen)]
    if as_json:
        print_json(rows)
    else:
        missing = sum(row["missing"] for row in rows)
        print_table(
            f"{pair} {chosen}: {missing} bars missing in {len(rows)} runs",
            tuple(rows[0]) if rows else ("gaps",),
            [row.values() for row in rows],
        )


@app.command()
def pairs(*, as_json: JsonOption = False) -> None:
    """Print the pairs that Helios knows and their trading rules."""
    from dataclasses import asdict

    from helios_core.bootstrap import open_store
    from helios_core.store import market

    with open_store(open_session().settings, role="ro") as database, database.connection() as conn:
        rows = [asdict(market.pair_rules(conn, pair)) for pair in market.known_pairs(conn)]
    if as_json:
        print_json(rows)
    else:
        print_table("pairs", tuple(rows[0]), [row.values() for row in rows])

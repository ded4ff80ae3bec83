"""`helios db`: the database server, its schema, its content."""

from pathlib import Path
from typing import Annotated

import typer

from helios_core.cli.session import JsonOption, open_session, print_json, print_table

app = typer.Typer(help="Database: start, stop, migrate, export.", no_args_is_help=True)


@app.command()
def up() -> None:
    """Start the embedded server (or reach your own) and bring the schema up to date."""
    from helios_core.bootstrap import open_store, prepare_schema

    session = open_session()
    applied = prepare_schema(session.settings)
    with open_store(session.settings) as database, database.connection() as conn:
        typer.echo(f"database {conn.info.dbname} is up, {len(applied)} migrations applied now")


@app.command()
def down() -> None:
    """Stop the embedded server; data stays."""
    from helios_core.bootstrap import embedded_server

    session = open_session()
    if session.settings.database_url is not None:
        typer.echo("HELIOS_DATABASE_URL names your own server; Helios does not stop it")
        return
    embedded_server(session.settings).stop()
    typer.echo("the embedded database is stopped")


@app.command()
def migrate() -> None:
    """Apply the migrations of sql/schema that this database lacks."""
    from helios_core.bootstrap import prepare_schema

    applied = prepare_schema(open_session().settings)
    for step in applied:
        typer.echo(f"applied {step.name}")
    if not applied:
        typer.echo("the schema is up to date")


@app.command()
def status(*, as_json: JsonOption = False) -> None:
    """Print server, level (plain, apache, community), migrations and table sizes."""
    from helios_core.bootstrap import database_status

    found = database_status(open_session().settings)
    if as_json:
        print_json(found)
        return
    head = {k: v for k, v in found.items() if k != "tables"}
    print_table("database", ("item", "value"), head.items())
    tables = found["tables"]
    print_table("tables", ("table", "rows", "bytes"), [t.values() for t in tables])


@app.command()
def export(
    table: Annotated[str, typer.Argument(help="table or view, for example market_ohlc")],
    file: Annotated[Path, typer.Argument(help="target: .parquet or .csv")],
) -> None:
    """Write a table to a Parquet or CSV file."""
    from helios_core.bootstrap import open_store
    from helios_core.store.export import export_table

    session = open_session()
    with open_store(session.settings, role="ro") as database:
        rows = export_table(database, table, file)
    typer.echo(f"{rows} rows of {table} written to {file}")

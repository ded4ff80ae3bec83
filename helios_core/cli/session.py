"""What every command begins with: settings, logs, clock; and how results are printed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from helios_core.bootstrap import SystemClock, SystemIds
    from helios_core.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object for machines")]


@dataclass(frozen=True, slots=True)
class Session:
    """Settings, clock and ids of one call."""

    settings: "Settings"
    clock: "SystemClock"
    ids: "SystemIds"


def open_session() -> Session:
    """Read the settings and send logs to their files.

    Raises
    ------
    ConfigError
        If a setting cannot be used, or the folder of the logs cannot be made.
    """
    from helios_core.bootstrap import SystemClock, SystemIds, start_logs
    from helios_core.errors import ConfigError
    from helios_core.settings import load_settings

    settings = load_settings()
    try:
        start_logs(settings)
    except OSError as error:
        raise ConfigError(
            f"HELIOS_HOME is {settings.home}, in which no folder can be made "
            f"({error.strerror}); name one that you may write to"
        ) from error
    return Session(settings, SystemClock(), SystemIds())


def print_json(value: object) -> None:
    """Print `value` as JSON; times and decimals as text."""
    typer.echo(json.dumps(value, indent=2, default=str))


def _text(cell: object) -> str:
    """Return a cell for people: no zeros behind a decimal, nothing for None."""
    if cell is None:
        return ""
    return f"{cell.normalize():f}" if isinstance(cell, Decimal) else str(cell)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table for people, as wide as the terminal needs."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    console = Console()
    # a pipe has no width: give every column room instead of folding at 80 characters
    width = None if console.is_terminal else 200
    # brackets in a cell are text of an error or a list, not markup
    Console(width=width, markup=False, emoji=False).print(table)

"""`helios config`: the settings in force, and the example file generated from them."""

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel, SecretStr

from helios_core.cli.session import JsonOption, print_json, print_table

app = typer.Typer(help="Settings: show, validate, generate the example file.", no_args_is_help=True)


@app.command()
def show(*, as_json: JsonOption = False) -> None:
    """Print every setting in force; secrets are masked."""
    from helios_core.settings import load_settings

    values = dict(_values(load_settings()))
    if as_json:
        print_json(values)
    else:
        print_table("settings", ("variable", "value"), values.items())


@app.command()
def validate() -> None:
    """Check `.env` and the environment; exit 3 and name the setting if one cannot be used."""
    from helios_core.settings import load_settings

    settings = load_settings()
    typer.echo(f"settings are valid, profile {settings.profile}")


@app.command()
def example() -> None:
    """Print the content of `.env.example`: every setting with its default."""
    typer.echo(render_example(), nl=False)


def render_example() -> str:
    """Return `.env.example`: one commented line a setting, in the order of the classes."""
    from helios_core.settings import PROJECT, Settings

    lines = [
        "# Every setting of Helios with its default. Copy to .env and uncomment what you change.",
        "# A secret can also be a file: the same name with _FILE behind it.",
        "",
    ]
    for name, value in _values(Settings.model_construct()):
        text = "" if value is None else str(value).replace(str(PROJECT), ".")
        lines.append(f"# {name}={text}")
    return "\n".join(lines) + "\n"


def _values(model: Any, prefix: str = "HELIOS_") -> list[tuple[str, Any]]:  # noqa: ANN401
    """Return (variable, value) of every field below a settings object or a tier config."""
    found: list[tuple[str, Any]] = []
    names = type(model).model_fields if isinstance(model, BaseModel) else _names(model)
    for name in names:
        value = getattr(model, name)
        variable = f"{prefix}{name.upper()}"
        if isinstance(value, BaseModel) or is_dataclass(value):
            found.extend(_values(value, f"{variable}__"))
        elif isinstance(value, SecretStr):
            found.append((variable, "[redacted]"))
        elif isinstance(value, tuple):
            found.append((variable, json.dumps(value)))  # as it is read from the environment
        else:
            found.append((variable, value.as_posix() if isinstance(value, Path) else value))
    return found


def _names(config: Any) -> list[str]:  # noqa: ANN401
    return [field.name for field in fields(config)]

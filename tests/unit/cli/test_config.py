import json

import pytest
from typer.testing import CliRunner

from helios_core.cli.app import app
from helios_core.cli.config import render_example
from helios_core.errors import ConfigError
from helios_core.settings import Settings, secret_fields, variable_names

CANARY = "canary-4f1d"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch, tmp_path):
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HELIOS_ENV_FILE", str(tmp_path / ".env"))


@pytest.fixture
def call():
    """Return a function that runs a command and gives what it printed."""

    def run(*arguments):
        done = CliRunner().invoke(app, ["config", *arguments], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    return run


def test_every_setting_is_shown(call):
    shown = json.loads(call("show", "--json"))
    secrets = {f"HELIOS_{'__'.join(path).upper()}_FILE" for path in secret_fields(Settings)}

    assert set(shown) == variable_names() - secrets


def test_a_value_from_the_environment_is_the_one_in_force(call, monkeypatch):
    monkeypatch.setenv("HELIOS_FLOWS__PORT", "4555")

    assert json.loads(call("show", "--json"))["HELIOS_FLOWS__PORT"] == 4555
    assert "4555" in call("show")


@pytest.mark.parametrize("path", secret_fields(Settings), ids="__".join)
def test_no_secret_is_ever_printed(call, monkeypatch, tmp_path, path):
    name = f"HELIOS_{'__'.join(path).upper()}"
    monkeypatch.setenv(name, CANARY)
    printed = call("show") + call("show", "--json") + call("validate")

    assert CANARY not in printed
    assert json.loads(call("show", "--json"))[name] == "[redacted]"


def test_a_secret_from_a_file_is_masked_too(call, monkeypatch, tmp_path):
    (tmp_path / "dsn").write_text(f"postgresql://app:{CANARY}@127.0.0.1/helios")
    monkeypatch.setenv("HELIOS_DATABASE_URL_FILE", str(tmp_path / "dsn"))
    printed = call("show") + call("show", "--json")

    assert CANARY not in printed
    assert "[redacted]" in printed


def test_valid_settings_are_said_to_be_valid(call, monkeypatch):
    monkeypatch.setenv("HELIOS_PROFILE", "staging")

    assert call("validate") == "settings are valid, profile staging\n"


def test_a_setting_that_cannot_be_used_is_an_error(monkeypatch):
    monkeypatch.setenv("HELIOS_FLOWS__PORT", "abc")

    with pytest.raises(ConfigError, match="HELIOS_FLOWS__PORT"):
        CliRunner().invoke(app, ["config", "validate"], catch_exceptions=False)


def test_the_example_names_every_setting_once_and_knows_nothing_of_this_machine(call, monkeypatch):
    monkeypatch.setenv("HELIOS_TRADING__BOOK", "mine")
    lines = [line for line in call("example").splitlines() if line.startswith("# HELIOS_")]
    names = [line.removeprefix("# ").partition("=")[0] for line in lines]

    assert len(names) == len(set(names))
    assert set(names) <= variable_names()
    assert "# HELIOS_TRADING__BOOK=main" in lines
    assert not [line for line in lines if "=/" in line]


def test_every_line_of_the_example_can_be_uncommented(call, monkeypatch, tmp_path):
    lines = [
        line.removeprefix("# ")
        for line in render_example().splitlines()
        if line.startswith("# HELIOS_") and not line.endswith("=")
    ]
    (tmp_path / ".env").write_text("\n".join(lines))
    plain = json.loads(call("show", "--json"))
    (tmp_path / ".env").unlink()

    changed = {k for k, v in json.loads(call("show", "--json")).items() if plain[k] != v}
    assert changed <= {"HELIOS_HOME", "HELIOS_RUNS", "HELIOS_MODELS"}  # written relative to here

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from helios_core import logs
from helios_core.cli.session import open_session, print_json, print_table
from helios_core.errors import ConfigError
from helios_core.settings import variable_names


@pytest.fixture
def home(monkeypatch, tmp_path):
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HELIOS_ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("HELIOS_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    logs.configure_logs(None)


def test_a_session_sends_logs_to_the_folder_of_the_desk(home):
    session = open_session()
    logs.logger("store").info("migrated")

    assert session.settings.home == home
    assert "migrated" in (home / "logs" / "store.log").read_text()


def test_a_home_that_is_no_folder_is_a_setting_that_cannot_be_used(home):
    home.write_text("in the way")

    with pytest.raises(ConfigError, match=r"HELIOS_HOME is .*, in which no folder can be made"):
        open_session()


def test_times_decimals_and_paths_are_text_in_json(capsys):
    at = datetime(2025, 1, 31, 12, tzinfo=UTC)
    print_json({"at": at, "quantity": Decimal("0.015"), "path": Path("runs/a"), "none": None})

    assert json.loads(capsys.readouterr().out) == {
        "at": "2025-01-31 12:00:00+00:00", "quantity": "0.015", "path": "runs/a", "none": None,
    }  # fmt: skip


def test_a_table_has_its_title_its_columns_and_nothing_for_none(capsys):
    print_table("pairs", ("pair", "tick"), [("BTCZAR", 1), ("ETHZAR", None)])
    printed = capsys.readouterr().out

    assert printed.startswith("pairs")
    assert "pair" in printed
    assert "ETHZAR" in printed
    assert "None" not in printed


def test_brackets_in_a_cell_are_shown_as_they_are(capsys):
    print_table("runs", ("outcome",), [("[redacted] [bold]x[/bold] [/nonsense]",)])

    assert "[redacted] [bold]x[/bold] [/nonsense]" in capsys.readouterr().out


def test_a_pipe_gives_a_row_room_for_its_words(capsys):
    words = "cell 3 raised ValueError: " + "no candles " * 9
    print_table("runs", ("outcome",), [(words,)])

    assert words.strip() in capsys.readouterr().out

import re

import pytest

from helios_core.cli.config import render_example
from helios_core.errors import ConfigError
from helios_core.network.config import NetworkConfig
from helios_core.settings import Settings, load_settings, variable_names


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch, tmp_path):
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HELIOS_ENV_FILE", str(tmp_path / ".env"))


def write(tmp_path, text):
    (tmp_path / ".env").write_text(text)


def test_paper_and_no_auto_trading_are_what_nothing_configured_means():
    assert load_settings().trading.auto_trading is False
    assert not any("MODE" in name.split("_") for name in variable_names())


def test_a_nested_value_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("HELIOS_FLOWS__PORT", "4555")

    assert load_settings().flows.port == 4555


def test_the_environment_wins_over_the_file(monkeypatch, tmp_path):
    write(tmp_path, "HELIOS_FLOWS__PORT=4001\nHELIOS_NOTEBOOKS__LAB_PORT=4002\n")
    monkeypatch.setenv("HELIOS_FLOWS__PORT", "4003")
    settings = load_settings()

    assert (settings.flows.port, settings.notebooks.lab_port) == (4003, 4002)


def test_settings_are_frozen():
    settings = load_settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.profile = "production"


def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch):
    monkeypatch.setenv("HELIOS_FLOWS__PROT", "4200")

    with pytest.raises(ConfigError, match="did you mean HELIOS_FLOWS__PORT"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HELIOS_FLOWS__PORT=abc\n", "HELIOS_FLOWS__PORT.*found 'abc'"),
        ("HELIOS_FLOWS__PORT=80\n", "HELIOS_FLOWS__PORT"),
        ("HELIOS_NONSENSE=1\n", "HELIOS_NONSENSE is not a setting"),
        ("HELIOS_PROFILE=prod\n", "development"),
    ],
)
def test_a_broken_file_is_one_sentence_that_names_the_setting(tmp_path, text, message):
    write(tmp_path, text)

    with pytest.raises(ConfigError, match=message):
        load_settings()


def test_a_tier_refuses_a_value_out_of_range(monkeypatch):
    monkeypatch.setenv("HELIOS_RISK__KELLY_FRACTION", "7")

    with pytest.raises(ConfigError, match="HELIOS_RISK"):
        load_settings()


def test_a_secret_can_be_a_file(monkeypatch, tmp_path):
    file = tmp_path / "url"
    file.write_text("postgresql://u:hunter2@db/helios\n")
    monkeypatch.setenv("HELIOS_DATABASE_URL_FILE", str(file))
    settings = load_settings()

    assert settings.database_url.get_secret_value() == "postgresql://u:hunter2@db/helios"
    assert "hunter2" not in repr(settings)


def test_a_secret_of_a_section_can_be_a_file_named_in_the_environment(monkeypatch, tmp_path):
    file = tmp_path / "key"
    file.write_text("canary\n")
    monkeypatch.setenv("HELIOS_LLM__ANTHROPIC_API_KEY_FILE", str(file))

    assert load_settings().llm.anthropic_api_key.get_secret_value() == "canary"


@pytest.mark.parametrize("name", ["LLM__ANTHROPIC_API_KEY", "DATABASE_URL"])
def test_the_file_of_a_secret_can_be_named_in_the_env_file(tmp_path, name):
    file = tmp_path / "secret"
    file.write_text("canary\n")
    write(tmp_path, f"HELIOS_{name}_FILE={file}\n")
    settings = load_settings()
    found = settings.database_url or settings.llm.anthropic_api_key

    assert found.get_secret_value() == "canary"


@pytest.mark.parametrize("content", [None, ""])
def test_a_missing_or_empty_secret_file_is_named(monkeypatch, tmp_path, content):
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("HELIOS_LLM__ANTHROPIC_API_KEY_FILE", str(file))

    with pytest.raises(ConfigError, match="HELIOS_LLM__ANTHROPIC_API_KEY_FILE"):
        load_settings()


def test_a_secret_is_not_repeated_in_the_error_about_it(monkeypatch, tmp_path):
    write(tmp_path, "HELIOS_DATABASE_URLL=postgresql://u:hunter2@db/helios\n")

    with pytest.raises(ConfigError) as caught:
        load_settings()

    assert "hunter2" not in str(caught.value)


def test_the_profile_changes_defaults_but_not_what_was_set(monkeypatch):
    monkeypatch.setenv("HELIOS_PROFILE", "production")
    monkeypatch.setenv("HELIOS_LOGS__LEVEL", "DEBUG")
    settings = load_settings()

    assert (settings.logs.format, settings.logs.level) == ("json", "DEBUG")


def test_every_name_is_one_that_a_shell_and_a_person_would_write():
    assert all(re.fullmatch(r"HELIOS_[A-Z0-9]+(_{1,2}[A-Z0-9]+)*", n) for n in variable_names())


def test_every_line_of_the_example_can_be_uncommented(tmp_path):
    lines = [line.removeprefix("# ") for line in render_example().splitlines() if "=" in line]
    write(tmp_path, "\n".join(line for line in lines if not line.endswith("=")))

    assert load_settings().network == NetworkConfig()
    assert {line.partition("=")[0] for line in lines} <= variable_names()


def test_a_list_is_given_as_json(monkeypatch):
    monkeypatch.setenv("HELIOS_NETWORK__FEEDS", "[[60, 70]]")

    assert load_settings().network.feeds == ((60, 70),)


def test_a_broken_list_is_refused(monkeypatch):
    monkeypatch.setenv("HELIOS_NETWORK__FEEDS", "[[60, 70")

    with pytest.raises(ConfigError, match="HELIOS_NETWORK__FEEDS"):
        load_settings()


def test_every_tier_has_its_section():
    tiers = {"market", "network", "risk", "strategy", "portfolio", "execution"}

    assert tiers <= set(Settings.model_fields)

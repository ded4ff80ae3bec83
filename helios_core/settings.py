"""Every setting of Helios, read in one place from flags, environment, `.env` and profile.

Names are ``HELIOS_<SECTION>__<FIELD>``; a secret may also be given as a file through
``HELIOS_<...>_FILE``. Precedence: argument, environment, `.env`, secret file, profile, default.
The mode of trading is not a setting: paper is what every command starts with.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from helios_core.errors import ConfigError
from helios_core.execution.config import ExecutionConfig
from helios_core.market.config import MarketConfig
from helios_core.network.config import NetworkConfig
from helios_core.portfolio.config import PortfolioConfig
from helios_core.risk.config import RiskConfig
from helios_core.setting_sources import (
    PREFIX,
    ProfileDefaults,
    SecretFiles,
    leaves,
    secret_fields,
)
from helios_core.strategy.config import StrategyConfig

PROJECT = Path(__file__).resolve().parent.parent
Profile = Literal["development", "staging", "production"]

# Read by name outside of `Settings`: the file of settings, a run's identity, the test database.
RESERVED = frozenset({"HELIOS_ENV_FILE", "HELIOS_RUN_ID", "HELIOS_RUN_NONCE", "HELIOS_TEST_DSN"})


class Section(BaseModel):
    """A group of settings that belongs to no tier."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LogSettings(Section):
    """Where logs go and how they look."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["text", "json"] = "text"
    max_bytes: int = Field(default=10_000_000, ge=1_000, description="size of one log file, bytes")
    keep: int = Field(default=30, ge=1, description="rotated files kept for each component")


class TradingSettings(Section):
    """The account that decisions belong to."""

    book: str = Field(
        default="main", pattern=r"^[a-z0-9-]{1,20}$", description="name of the account"
    )
    opening_cash: float = Field(
        default=100_000.0, gt=0, description="of a new paper book, quote currency"
    )
    auto_trading: bool = Field(
        default=False, description="let scheduled paper cycles trade without a person starting them"
    )


class FlowSettings(Section):
    """Prefect server and worker."""

    port: int = Field(
        default=4200, ge=1024, le=65535, description="of the Prefect server on 127.0.0.1"
    )
    schedules: bool = Field(default=False, description="start deployments with schedules active")
    run_timeout: float = Field(default=900.0, gt=0, description="limit of one flow run, seconds")
    database_url: SecretStr | None = Field(
        default=None,
        description="state of Prefect; default: database `prefect` beside the market data",
    )


class NotebookSettings(Section):
    """Execution of notebooks and the address of JupyterLab."""

    cell_timeout: int = Field(default=600, ge=1, description="limit of one cell, seconds")
    lab_port: int = Field(default=8888, ge=1024, le=65535, description="of JupyterLab on 127.0.0.1")


class ValrSettings(Section):
    """The exchange's public market data."""

    base_url: str = Field(default="https://api.valr.com", pattern=r"^https?://")
    timeout: float = Field(default=10.0, gt=0, description="of one request, seconds")


class LlmSettings(Section):
    """Tier 4 provider."""

    anthropic_api_key: SecretStr | None = None


class Settings(BaseSettings):
    """All settings; frozen, so that no run sees them change."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    profile: Profile = "development"
    home: Path = Field(default=PROJECT / ".helios", description="database, logs and Prefect state")
    runs: Path = Field(default=PROJECT / "runs", description="executed notebooks")
    models: Path = Field(default=PROJECT / "models", description="registry of trained models")
    database_url: SecretStr | None = Field(
        default=None, description="own PostgreSQL or TimescaleDB; default: the embedded server"
    )
    pg_bin: Path | None = Field(default=None, description="folder of own PostgreSQL 18 binaries")
    timescaledb_dir: Path | None = Field(
        default=None, description="folder with lib/ and share/extension for the embedded server"
    )
    market: MarketConfig = MarketConfig()
    network: NetworkConfig = NetworkConfig()
    risk: RiskConfig = RiskConfig()
    strategy: StrategyConfig = StrategyConfig()
    portfolio: PortfolioConfig = PortfolioConfig()
    execution: ExecutionConfig = ExecutionConfig()
    trading: TradingSettings = TradingSettings()
    flows: FlowSettings = FlowSettings()
    notebooks: NotebookSettings = NotebookSettings()
    logs: LogSettings = LogSettings()
    valr: ValrSettings = ValrSettings()
    llm: LlmSettings = LlmSettings()

    @model_validator(mode="before")
    @classmethod
    def _decode_lists(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read JSON lists in tier configs; pydantic-settings does so in its own models only."""
        for path, kind in leaves(cls):
            section = values
            for key in path[:-1]:
                section = section[key] if isinstance(section.get(key), dict) else {}
            text = section.get(path[-1])
            if get_origin(kind) is tuple and isinstance(text, str):
                with suppress(json.JSONDecodeError):  # what is not JSON is refused as it stands
                    section[path[-1]] = json.loads(text)
        return values

    @model_validator(mode="before")
    @classmethod
    def _drop_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take names of secret files out of their sections; `SecretFiles` has read the files."""
        for *sections, name in secret_fields(cls):
            section = values
            for key in sections:
                section = section[key] if isinstance(section.get(key), dict) else {}
            section.pop(f"{name}_file", None)
            # `.env` keeps the whole name of what it does not know
            values.pop(f"{PREFIX}{'__'.join((*sections, name))}_file".lower(), None)
        return values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours reads any path
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: argument, environment, `.env`, secret file, profile."""
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            SecretFiles(settings_cls, dotenv_settings),
            ProfileDefaults(settings_cls),
        )


@dataclass(frozen=True, slots=True)
class RunEnvironment:
    """Identity that the notebook engine hands to a kernel; None outside of a run."""

    run_id: str | None
    nonce: str | None


def run_environment() -> RunEnvironment:
    """Return the run id and nonce of this process's notebook run."""
    return RunEnvironment(os.environ.get("HELIOS_RUN_ID"), os.environ.get("HELIOS_RUN_NONCE"))


def process_environment() -> dict[str, str]:
    """Return a copy of the environment, for starting a child process."""
    return dict(os.environ)


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - any field of Settings
    """Return the settings, or raise one sentence that names the setting at fault.

    Raises
    ------
    ConfigError
        If a value cannot be used, a name is unknown, or a secret file cannot be read.
    """
    _refuse_unknown_variables()
    try:
        env_file = os.environ.get("HELIOS_ENV_FILE", PROJECT / ".env")
        values: dict[str, Any] = {"_env_file": env_file, **overrides}
        return Settings(**values)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"the settings cannot be read: {error}. Check `.env`.") from error


def _explain(error: ValidationError) -> str:
    """Say which variable is wrong, what was found and what was expected, for each error."""
    lines = []
    for item in error.errors():
        name = PREFIX + "__".join(str(part) for part in item["loc"]).upper()
        if item["type"] == "extra_forbidden":
            lines.append(f"{name} is not a setting{_suggest(name)}")
        elif any(word in name for word in ("KEY", "SECRET", "URL", "PASSWORD")):
            lines.append(f"{name}: {item['msg']}")
        else:
            lines.append(f"{name}: {item['msg']}, found {item['input']!r}")
    return "; ".join(lines) + ". See .env.example for every setting."


def _suggest(name: str) -> str:
    near = get_close_matches(name, variable_names(), n=1)
    return f", did you mean {near[0]}?" if near else ""


def _refuse_unknown_variables() -> None:
    known = variable_names() | RESERVED
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known and not _is_section(name):
            raise ConfigError(
                f"the environment variable {name} is not a setting{_suggest(name)}. "
                f"See .env.example for every setting."
            )


def _is_section(name: str) -> bool:
    """Whether the variable sets a whole section as JSON, which pydantic-settings allows."""
    return name.removeprefix(PREFIX).lower() in Settings.model_fields


@cache
def variable_names() -> frozenset[str]:
    """Return the names of all environment variables that set something."""
    names = {PREFIX + "__".join(path).upper() for path, _ in leaves(Settings)}
    return frozenset(
        names | {f"{PREFIX}{'__'.join(p).upper()}_FILE" for p in secret_fields(Settings)}
    )


__all__ = ["PROJECT", "Settings", "load_settings", "run_environment"]

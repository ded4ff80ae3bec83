"""Where settings come from besides environment and `.env`: files of secrets, and the profile."""

import os
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from helios_core.errors import ConfigError

PREFIX = "HELIOS_"

PROFILES: dict[str, dict[str, Any]] = {
    "development": {"logs": {"format": "text", "level": "INFO"}},
    "staging": {"logs": {"format": "json", "level": "INFO"}, "flows": {"schedules": True}},
    "production": {"logs": {"format": "json", "level": "INFO"}, "flows": {"schedules": True}},
}


class WholeSource(PydanticBaseSettingsSource):
    """A source that gives all its settings at once, by `__call__`."""

    def get_field_value(
        self,
        field: FieldInfo,  # noqa: ARG002 - the signature is pydantic-settings'
        field_name: str,
    ) -> tuple[Any, str, bool]:
        """Return nothing for single fields; `__call__` builds the whole mapping."""
        return None, field_name, False


class SecretFiles(WholeSource):
    """Reads ``HELIOS_..._FILE`` variables: the value of a secret is the content of that file."""

    def __init__(
        self, settings_cls: type[BaseSettings], dotenv: PydanticBaseSettingsSource
    ) -> None:
        super().__init__(settings_cls)
        self._env_file = getattr(dotenv, "env_file", None)

    def __call__(self) -> dict[str, Any]:
        """Return the nested mapping of all secrets given by file."""
        found: dict[str, Any] = {}
        written = dotenv_values(self._env_file) if self._env_file else {}
        for path in secret_fields(self.settings_cls):
            name = PREFIX + "__".join(path).upper() + "_FILE"
            file = os.environ.get(name) or written.get(name)
            if file is None:
                continue
            target = found
            for key in path[:-1]:
                target = target.setdefault(key, {})
            target[path[-1]] = _read_secret(name, Path(file))
        return found


class ProfileDefaults(WholeSource):
    """Defaults that differ between development, staging and production."""

    def __call__(self) -> dict[str, Any]:
        """Return the defaults of the profile that the sources above have chosen."""
        profile = str(self.current_state.get("profile", "development"))
        return PROFILES.get(profile, {})


def leaves(model: type, prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return (path, annotation) of every field below `model`, sections and tier configs opened."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, annotation in _fields(model):
        path = (*prefix, name)
        if _fields(annotation):
            found.extend(leaves(annotation, path))
        else:
            found.append((path, annotation))
    return found


def _fields(model: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - any annotation
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [(name, field.annotation) for name, field in model.model_fields.items()]
    if isinstance(model, type) and is_dataclass(model):
        return [(field.name, field.type) for field in fields(model)]
    return []


def secret_fields(model: type) -> list[tuple[str, ...]]:
    """Return the path of every secret below `model`."""
    return [p for p, kind in leaves(model) if kind is SecretStr or SecretStr in get_args(kind)]


def _read_secret(name: str, file: Path) -> str:
    try:
        value = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} names {file}, which cannot be read: {error}") from error
    if not value:
        raise ConfigError(f"{name} names {file}, which is empty; write the secret into it")
    return value

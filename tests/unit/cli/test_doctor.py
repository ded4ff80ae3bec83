import socket
from collections import namedtuple
from dataclasses import replace
from importlib import metadata

import pytest
from pydantic import SecretStr

from helios_core import bootstrap
from helios_core.cli import doctor
from helios_core.cli.session import Session
from helios_core.errors import DependencyError
from helios_core.settings import load_settings, variable_names

STATUS = {
    "server": "PostgreSQL 18.0",
    "address": "127.0.0.1:5432/helios",
    "level": "plain",
    "applied": 5,
    "pending": [],
    "clock_skew_seconds": -0.002,
    "size_bytes": 1,
    "tables": [],
}
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def settings(monkeypatch, tmp_path):
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HELIOS_ENV_FILE", str(tmp_path / ".env"))
    return load_settings(home=tmp_path)


@pytest.fixture
def examine(settings, monkeypatch):
    """Return a function that examines a desk and gives its findings by name."""

    def run(status=STATUS, **changes):
        def ask(_):
            if isinstance(status, Exception):
                raise status
            return status

        monkeypatch.setattr(bootstrap, "database_status", ask)
        session = Session(
            settings.model_copy(update=changes), bootstrap.SystemClock(), bootstrap.SystemIds()
        )
        return {finding.name: finding for finding in doctor.examine(session)}

    return run


def test_a_healthy_desk_has_no_failed_finding(examine):
    found = examine()

    assert {f.status for f in found.values()} == {"ok"}
    assert found["database"].found == "PostgreSQL 18.0 at 127.0.0.1:5432/helios"
    assert found["migrations"].found == "5 applied, 0 pending"
    assert found["clock"].found == "0.002 s from the database's clock"


@pytest.mark.parametrize(
    ("level", "word"), [("plain", "plain"), ("apache", "Apache"), ("community", "Community")]
)
def test_the_level_of_the_database_is_told_with_what_it_means(examine, level, word):
    assert word in examine({**STATUS, "level": level})["database level"].found


def test_a_pending_migration_has_failed_and_is_named_with_its_fix(examine):
    found = examine({**STATUS, "pending": ["0005_more.sql"]})["migrations"]

    assert (found.status, found.fix) == ("failed", "run `helios db migrate`: 0005_more.sql")


def test_a_clock_that_differs_is_a_warning(examine):
    found = examine({**STATUS, "clock_skew_seconds": 7.5})["clock"]

    assert (found.status, found.found) == ("warning", "7.500 s from the database's clock")
    assert "NTP" in found.fix


def test_a_database_that_is_away_is_a_finding_and_the_rest_is_still_examined(examine):
    found = examine(DependencyError("no database at 127.0.0.1:9"))

    assert (found["database"].status, found["database"].found) == (
        "failed", "no database at 127.0.0.1:9",
    )  # fmt: skip
    assert "migrations" not in found
    assert found["disk"].status == "ok"


@pytest.mark.parametrize(
    ("package", "version", "status"),
    [
        ("fastapi", "0.154.9", "ok"),
        ("fastapi", "0.155.0", "failed"),
        ("fastapi", "1.0", "failed"),
        ("sqlalchemy", "2.0.51", "ok"),
        ("sqlalchemy", "2.1", "failed"),
        ("sqlalchemy", "2.1rc1", "failed"),
        ("sqlalchemy", "3", "failed"),
    ],
)
def test_a_version_that_installs_and_then_fails_is_named(
    examine, monkeypatch, package, version, status
):
    known = metadata.version
    monkeypatch.setattr(metadata, "version", lambda p: version if p == package else known(p))
    found = examine()[package]

    assert found.status == status
    assert found.fix == "" or f"install {package}<" in found.fix


def test_a_package_that_is_not_installed_is_a_finding_too(examine, monkeypatch):
    def version(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", version)

    assert examine()["fastapi"].status == "failed"
    assert examine()["fastapi"].fix == "install fastapi<0.155"
    assert set(doctor._versions().values()) == {"not installed"}


def test_a_full_disk_has_failed(examine, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(9, 8, 1024**3))
    found = examine()["disk"]

    assert (found.status, found.found.split()[:3]) == ("failed", ["1.0", "GiB", "free"])
    assert "HELIOS_HOME" in found.fix


def test_a_port_in_use_is_told_with_the_setting_that_moves_it(examine, settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = examine(flows=settings.flows.model_copy(update={"port": port}))["prefect port"]

    assert found.found == f"{port} is in use"
    assert "HELIOS_FLOWS__PORT" in found.fix


def test_a_key_is_never_shown(examine, settings):
    key = settings.llm.model_copy(update={"anthropic_api_key": SecretStr("sk-canary")})
    found = examine(llm=key)

    assert found["strategist"].found == "a key is set"
    assert "sk-canary" not in repr(found)


def test_auto_trading_is_a_warning(examine, settings):
    trading = settings.trading.model_copy(update={"auto_trading": True})

    assert examine(trading=trading)["auto-trading"].status == "warning"


def test_a_finding_is_a_row_of_the_table():
    finding = doctor.Finding("disk", "ok", "much", "")

    assert doctor._row(replace(finding, fix="none")) == ("disk", "ok", "much", "none")

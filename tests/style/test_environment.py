"""The files that name dependencies and settings agree with their sources."""

import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> list[str]:
    data = project()
    return [*data["dependencies"], *data["optional-dependencies"]["dev"]]


def test_environment_yml_lists_exactly_the_dependencies_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    listed = [line for line in pip if not line.startswith("-")]

    assert sorted(listed) == sorted(requirements())


def test_the_lock_holds_one_exact_version_of_every_dependency():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    wanted = [
        Requirement(r) for r in [*requirements(), *project()["optional-dependencies"]["bench"]]
    ]
    missing = [r.name for r in wanted if canonicalize_name(r.name) not in pinned]
    outside = [
        f"{r.name} {pinned[canonicalize_name(r.name)]} is not {r.specifier}"
        for r in wanted
        if canonicalize_name(r.name) in pinned
        and not r.specifier.contains(pinned[canonicalize_name(r.name)])
    ]

    assert (missing, outside) == ([], [])


def test_env_example_is_what_the_settings_generate():
    done = subprocess.run(
        [sys.executable, "-m", "helios_core.cli.app", "config", "example"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )

    assert (ROOT / ".env.example").read_text() == done.stdout


def test_pyproject_names_every_package():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("helios_core", "flows")
        for path in (ROOT / top).rglob("__init__.py")
    }

    assert set(data["tool"]["setuptools"]["packages"]) == found

"""What a run was made of: commit, environment, parameters, owner; and its executed notebook."""

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from helios_core.domain.runs import Json, RunRecord
from helios_core.errors import NotebookError
from helios_core.settings import PROJECT

START_TOLERANCE = 2.0  # seconds; the boot time that psutil adds moves when the clock is set


@dataclass(frozen=True, slots=True)
class Code:
    """State of the code: git commit, "unknown" outside of a repository, and uncommitted edits."""

    commit: str
    dirty: bool


def code_state(root: Path = PROJECT) -> Code:
    """Return commit and dirty flag of the working tree at `root`."""
    status = _git(root, "status", "--porcelain")
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    return Code((commit or "").strip() or "unknown", status is None or bool(status.strip()))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            # without locks: looking must not stand in the way of a commit that is being made
            ["git", "--no-optional-locks", "-C", str(root), *arguments],  # noqa: S607 - of the PATH
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


@cache
def environment_hash() -> str:
    """Return the sha256 of the Python version and of every installed distribution's version."""
    found = {info.name for p in sys.path for info in Path(p or ".").glob("*.dist-info")}
    return digest([platform.python_version(), *sorted(found)])


def digest(plain: object) -> str:
    """Return the sha256 of `plain` as canonical JSON."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def new_run(
    run_id: str,
    notebook: str,
    parameters: Json,
    started_at: datetime,
    flow_run_id: str | None = None,
) -> RunRecord:
    """Return the row that a run opens with: this code, this environment, this process."""
    code, seed = code_state(), parameters.get("seed")
    return RunRecord(
        run_id=run_id,
        notebook=notebook,
        parameters=parameters,
        parameters_hash=digest(parameters),
        commit=code.commit,
        dirty=code.dirty,
        feature_set=None,
        data_as_of=None,
        environment_hash=environment_hash(),
        seed=seed if isinstance(seed, int) else None,
        flow_run_id=flow_run_id,
        state="running",
        started_at=started_at,
        ended_at=None,
        outcome="",
        result=None,
        notebook_path=None,
        notebook_sha256=None,
        owner=process_owner(),
    )


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def process_owner() -> str:
    """Return ``host:pid:start`` of this process; a pid that is used again has another start."""
    process = psutil.Process()
    return f"{platform.node()}:{process.pid}:{process.create_time():.2f}"


def owner_is_alive(owner: str) -> bool:
    """Return whether the process of a run still lives; of another host it is not known: True."""
    host, _, rest = owner.partition(":")
    if host != platform.node():
        return True
    pid, _, started = rest.partition(":")
    try:
        process = psutil.Process(int(pid))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - float(started)) < START_TOLERANCE)
    except (ValueError, psutil.NoSuchProcess):
        return False


def stamp_notebook(path: Path, about: Mapping[str, Any]) -> str:
    """Add `about` to ``metadata.helios`` of an executed notebook and return the file's sha256.

    Raises
    ------
    NotebookError
        If the file is not a notebook.
    """
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
        metadata = book["metadata"]
        metadata["helios"] = {**metadata.get("helios", {}), **about}
        text = json.dumps(book, indent=1, ensure_ascii=False, default=str) + "\n"
        partial = path.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookError(f"the executed notebook {path} cannot be stamped: {error}") from error
    return file_sha256(path)

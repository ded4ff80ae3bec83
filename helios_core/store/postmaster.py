"""Whether a PostgreSQL server lives in a data folder, and what to do with a dead one's lock."""

from pathlib import Path

import psutil


def living_pid(data: Path) -> int | None:
    """Return the postmaster's process id if that process is a living postgres."""
    pid = _recorded_pid(data)
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name()
    except psutil.NoSuchProcess:
        return None
    return pid if alive else None


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def forget_zombie(data: Path) -> None:
    """Remove the lock of a killed postmaster that nobody reaps, once all its children ended.

    PostgreSQL takes a zombie for a running server, for ever where process 1 does not reap.
    """
    pid = _recorded_pid(data)
    if pid is None or not psutil.pid_exists(pid) or living_pid(data) is not None:
        return
    for process in psutil.process_iter(["name", "cmdline"]):
        if "postgres" in (process.info["name"] or "") and _works_in(process, data):
            return
    (data / "postmaster.pid").unlink(missing_ok=True)


def held_by_the_dead(log: str) -> bool:
    """Whether the log of a start that failed says that a killed server still holds the folder."""
    return "lock file" in log or "pre-existing shared memory" in log


def _recorded_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        there: bool = process.cwd() == str(folder)
        return there and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False

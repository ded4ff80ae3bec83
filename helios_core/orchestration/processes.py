"""Processes that outlive the command that started them, found again by a pid file.

A pid file holds the process id and the start time of the process, so that another process that got
the same id later is never mistaken for ours, and never signaled.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

START_TOLERANCE = 2.0  # seconds; the boot time that psutil adds moves when the clock is set
LOG_BYTES = 10_000_000  # a log that is longer when a process starts is kept once as .log.1
KILL_SECONDS = 5.0  # a killed process needs a moment until it is gone
_children: dict[int, subprocess.Popen[bytes]] = {}  # ours, reaped when they end


class Detached:
    """One background process of a desk: ``<folder>/<name>.pid`` and ``<folder>/<name>.log``."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.pid_file = folder / f"{name}.pid"
        self.log = folder / f"{name}.log"

    def process(self) -> psutil.Process | None:
        """Return the process if it lives; a zombie or a reused pid does not count."""
        about = self._about()
        if about is None:
            return None
        pid, started = about.pid, about.started
        child = _children.get(pid)
        if child is not None:
            child.poll()  # reaps it if it ended
        try:
            process = psutil.Process(pid)
            same = abs(process.create_time() - started) < START_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    @property
    def note(self) -> str:
        """What was noted when the process was started; empty if nothing was."""
        about = self._about()
        return about.note if about else ""

    def spawn(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path,
        note: str = "",
    ) -> int:
        """Start the process in a session of its own, and return its id."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own command
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(environment),
                start_new_session=True,
            )
        _children[child.pid] = child
        about = _About(child.pid, psutil.Process(child.pid).create_time(), note)
        partial = self.pid_file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(about)), encoding="utf-8")
        partial.replace(self.pid_file)
        return child.pid

    def stop(self, grace: float) -> bool:
        """Ask the process to end, kill it and its children after `grace` seconds.

        Returns
        -------
        bool
            Whether there was something to stop.
        """
        process = self.process()
        if process is not None:
            family = [process, *_descendants(process)]
            _signal(process, signal.SIGTERM)
            gone = wait_until(lambda: not process_lives(process), grace)
            if not gone:
                family = [process, *_descendants(process)]
            kill(family)
        self.pid_file.unlink(missing_ok=True)
        return process is not None

    def _about(self) -> "_About | None":
        try:
            raw = json.loads(self.pid_file.read_text(encoding="utf-8"))
            return _About(int(raw["pid"]), float(raw["started"]), str(raw.get("note", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def tail(self, lines: int = 5) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(frozen=True, slots=True)
class _About:
    """Content of a pid file."""

    pid: int
    started: float  # seconds since 1970, UTC
    note: str


def wait_until(done: Callable[[], bool], seconds: float, *, pause: float = 0.05) -> bool:
    """Return True as soon as `done` says so, False after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def process_lives(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie, which nobody has waited for, does not."""
    child = _children.get(process.pid)
    if child is not None:
        child.poll()
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def kill(processes: Sequence[psutil.Process]) -> None:
    """Kill what still lives of `processes` and wait until it is gone."""
    for process in processes:
        if process_lives(process):
            _signal(process, signal.SIGKILL)
    wait_until(lambda: not any(map(process_lives, processes)), KILL_SECONDS)


def processes_with(**variables: str) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Yield every process of this user that has all `variables` in its environment, and that."""
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            environment = process.environ()
            if variables.items() <= environment.items() and process_lives(process):
                yield process, environment


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):  # psutil compares start times before it signals
        process.send_signal(number)

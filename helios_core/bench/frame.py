"""The frame of every bench: agree first, then time both sides in turn, then report ratios.

A bench is a module with ``prepare(context)``, a context manager that gives a `Bench`: what has to
agree, the sides to time, and how figures follow from their times. Both sides work in one process
on the same work. They take turns, so that a busy moment of the machine meets both; of each the
fastest run counts, because disturbance only ever adds time.
"""

import gc
import importlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from types import ModuleType
from typing import Any, Protocol

from helios_core.domain.runs import Json
from helios_core.errors import DependencyError, HeliosError, NotFoundError, UsageError

BENCHES = {"store": "helios_core.bench.store"}  # name -> module, imported when it is asked for
REPEATS = 7
LEAST_REPEATS = 5

Context = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a report: `value` compares `ours` with `peer`, both in `unit`."""

    value: float
    unit: str
    ours: float
    peer: float | None
    peer_name: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Side:
    """Work to be timed. `reset` is called before each run and is not timed."""

    name: str
    work: Callable[[], object]
    amount: float  # of work in one run, for example rows
    reset: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of every run of a side; the fastest counts."""

    amount: float
    walls: tuple[float, ...]
    cpus: tuple[float, ...]  # of this process with all its threads

    @property
    def wall(self) -> float:
        """Elapsed seconds of the fastest run."""
        return min(self.walls)

    @property
    def cpu(self) -> float:
        """CPU seconds of the run that used least."""
        return min(self.cpus)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a module hands to the frame.

    Attributes
    ----------
    agreements : mapping of name to function
        Each does the work of both sides and returns one sentence, or raises `DisagreementError`.
    sides : tuple of Side
        Timed in this order, again and again.
    figures : function
        From the timing of each side by name to the figures by key.
    packages : tuple of str
        Distributions whose versions matter.
    versions : mapping
        Other versions, for example of a server.
    """

    agreements: Mapping[str, Callable[[], str]]
    sides: tuple[Side, ...]
    figures: Callable[[Mapping[str, Timing]], dict[str, Figure]]
    packages: tuple[str, ...]
    versions: Mapping[str, str]


class BenchModule(Protocol):
    """What a module named in `BENCHES` offers."""

    def prepare(self, context: Context) -> AbstractContextManager[Bench]:
        """Set up both sides, and clean up at the end whatever happened."""
        ...


class DisagreementError(HeliosError):
    """Both sides did not come to the same result, so their times say nothing."""


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Everything that one run of a bench found."""

    name: str
    machine: Json
    versions: Mapping[str, str]
    figures: Mapping[str, Figure]
    agreement: Mapping[str, str]

    def to_json(self) -> str:
        """Return one JSON object; a figure that is not finite becomes null."""
        plain = asdict(self)
        for figure in plain["figures"].values():
            for key in ("value", "ours", "peer"):
                if figure[key] is not None and not math.isfinite(figure[key]):
                    figure[key] = None
        return json.dumps(plain, indent=2)


def run_bench(name: str, context: Context, *, repeats: int = REPEATS) -> BenchReport:
    """Run the bench `name` and return what it found.

    Parameters
    ----------
    context : mapping
        What the bench needs of this desk, see `bootstrap.bench_context`.
    repeats : int
        Runs of each side, at least 5.

    Raises
    ------
    NotFoundError
        If there is no such bench.
    DependencyError
        If a peer is not installed.
    DisagreementError
        If both sides do not come to the same result; nothing is timed then.
    """
    if repeats < LEAST_REPEATS:
        raise UsageError(f"a bench repeats at least {LEAST_REPEATS} times, found {repeats}")
    module: BenchModule = importlib.import_module(require_bench(name))
    with module.prepare(context) as bench, _progress(name, bench, repeats) as advance:
        agreement = {}
        for subject, agree in bench.agreements.items():
            agreement[subject] = agree()
            advance(subject)
        timings = time_sides(bench.sides, repeats, advance)
        return BenchReport(
            name=name,
            machine=describe_machine(),
            versions={
                "python": platform.python_version(),
                **{package: version(package) for package in bench.packages},
                **bench.versions,
            },
            figures=bench.figures(timings),
            agreement=agreement,
        )


def require_bench(name: str) -> str:
    """Return the module of the bench `name`, or raise ``NotFoundError`` with names like it."""
    if name not in BENCHES:
        raise NotFoundError(f"there is no bench {name!r}; there are: {', '.join(sorted(BENCHES))}")
    return BENCHES[name]


def require_peer(module: str) -> ModuleType:
    """Return a peer's module.

    Raises
    ------
    DependencyError
        If it is not installed; peers belong to the extra ``bench``.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise DependencyError(
            f"this bench compares with {package}, which is not installed; "
            f"run `pip install -e .[bench]`"
        ) from error


def time_sides(
    sides: tuple[Side, ...], repeats: int, advance: Callable[[str], None]
) -> dict[str, Timing]:
    """Run the sides in turn, `repeats` times, and return their times by name."""
    walls: dict[str, list[float]] = {side.name: [] for side in sides}
    cpus: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(repeats):
        for side in sides:
            side.reset()
            gc.collect()  # the garbage of one side is not paid for by the next
            wall, cpu = time.perf_counter(), time.process_time()
            side.work()
            cpus[side.name].append(time.process_time() - cpu)
            walls[side.name].append(time.perf_counter() - wall)
            advance(side.name)
    return {
        side.name: Timing(side.amount, tuple(walls[side.name]), tuple(cpus[side.name]))
        for side in sides
    }


def speed(ours: Timing, peer: Timing, peer_name: str, *, unit: str, note: str) -> Figure:
    """Return how many times as fast we are by the clock on the wall; above 1 is faster."""
    rates = ours.amount / ours.wall, peer.amount / peer.wall
    return Figure(rates[0] / rates[1], f"{unit}/s wall", rates[0], rates[1], peer_name, note)


def cpu_cost(ours: Timing, peer: Timing, peer_name: str, *, unit: str, note: str) -> Figure:
    """Return our CPU time over the peer's for the same amount; below 1 is cheaper."""
    costs = ours.cpu / ours.amount * 1e6, peer.cpu / peer.amount * 1e6
    return Figure(costs[0] / costs[1], f"CPU s per 1 M {unit}", costs[0], costs[1], peer_name, note)


def describe_machine() -> Json:
    """Return what of this machine bears on times: processor, cores, system, load."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_1m": round(os.getloadavg()[0], 2),
    }


def print_report(report: BenchReport) -> None:
    """Print a report as a table for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"bench {report.name}", title_justify="left", header_style="bold")
    for column in ("figure", "value", "ours", "peer", "unit", "peer is", "note"):
        numeric = column in {"value", "ours", "peer"}
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for key, found in report.figures.items():
        peer = "" if found.peer is None else _number(found.peer)
        table.add_row(
            key, _number(found.value), _number(found.ours), peer, found.unit,
            found.peer_name or "", found.note,
        )  # fmt: skip
    console = Console()
    out = Console(width=None if console.is_terminal else 200)
    out.print(table)
    for subject, sentence in report.agreement.items():
        out.print(f"agreement on {subject}: {sentence}", highlight=False, markup=False)
    machine = ", ".join(f"{key} {value}" for key, value in report.machine.items())
    out.print(f"measured on {machine}", highlight=False, markup=False)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


@contextmanager
def _progress(name: str, bench: Bench, repeats: int) -> Iterator[Callable[[str], None]]:
    """Show on a terminal how far the bench is; the function is called after each step."""
    from tqdm import tqdm

    steps = len(bench.agreements) + repeats * len(bench.sides)
    with tqdm(
        total=steps, desc=f"bench {name}", disable=not sys.stderr.isatty(), leave=False
    ) as bar:

        def advance(step: str) -> None:
            bar.set_postfix_str(step)
            bar.update()

        yield advance


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123 - not a real file
            names = [
                line.split(":", 1)[1].strip() for line in info if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"

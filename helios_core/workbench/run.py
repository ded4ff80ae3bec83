"""Inside a notebook: whose run is this, what mode is it, show a figure, emit the result.

Executed by the engine, a kernel finds the id and nonce of its run in the environment. JupyterLab
gives none: the first `current_run` then opens an interactive run, which `emit` closes.
"""

import html
import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from helios_core.bootstrap import SystemClock, SystemIds, open_store, start_logs
from helios_core.domain.runs import Json
from helios_core.errors import NotebookError
from helios_core.logs import bind_run
from helios_core.settings import Settings, load_settings, process_environment, run_environment
from helios_core.store import ledger
from helios_core.workbench.provenance import new_run, owner_is_alive
from helios_core.workbench.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from helios_core.store.database import Database

T = TypeVar("T")

DPI = 110
COLORS = {"paper": "#1f5f8b", "live": "#b3261e", "backtest": "#4a4a4a", "simulated": "#8a5a00"}


@dataclass(eq=False)
class RunContext:
    """The run of this kernel: its identity, and the store it works on."""

    run_id: str
    settings: Settings
    clock: SystemClock
    ids: SystemIds
    nonce: str = field(repr=False)
    interactive: bool
    figures: dict[str, str] = field(default_factory=dict)

    @cached_property
    def database(self) -> "Database":
        """The desk's database, opened at first use."""
        return open_store(self.settings)

    @property
    def folder(self) -> Path:
        """Where figures of this run are kept."""
        return self.settings.runs / self.run_id[:8] / f"figures-{self.run_id}"


@dataclass(slots=True)
class _Kernel:
    """What this process remembers between two cells."""

    run: RunContext | None = None


_kernel = _Kernel()


def current_run() -> RunContext:
    """Return the run of this kernel; in an interactive session the first call opens one.

    Raises
    ------
    DependencyError
        If the ledger cannot be reached.
    """
    if _kernel.run is None:
        given = run_environment()
        settings = load_settings()
        start_logs(settings)
        clock, ids = SystemClock(), SystemIds()
        if given.run_id and given.nonce:
            _kernel.run = RunContext(given.run_id, settings, clock, ids, given.nonce, False)
        else:
            _kernel.run = _open_interactive(settings, clock, ids)
        bind_run(_kernel.run.run_id)
    return _kernel.run


def _open_interactive(settings: Settings, clock: SystemClock, ids: SystemIds) -> RunContext:
    now = clock.now()
    run = RunContext(ids.run_id(now), settings, clock, ids, ids.nonce(), True)
    session = process_environment().get("JPY_SESSION_NAME", "")
    notebook = f"interactive/{Path(session).stem or 'console'}"
    with run.database.connection() as conn:
        ledger.reap_dead_runs(conn, owner_is_alive)
        ledger.open_run(conn, new_run(run.run_id, notebook, {}, now), run.nonce)
    return run


def emit(result: Result) -> None:
    """Hand the result of this notebook to the ledger; the last cell calls it, exactly once.

    Figures that were shown under a name are added to it. Without a run (no engine, and nothing
    called `current_run`) the result is only displayed.

    Raises
    ------
    NotebookError
        If `result` is not a typed result, or the run is not open under this kernel's nonce:
        emitted before, failed from outside, or not its own.
    """
    if not isinstance(result, Result):
        raise NotebookError(
            f"emit takes one of the models in helios_core.workbench.results, "
            f"found {type(result).__name__}"
        )
    run = current_run() if run_environment().run_id else _kernel.run
    if run is None:
        _display(_table(result))
        return
    if run.figures and not result.figures:
        result = result.model_copy(update={"figures": dict(run.figures)})
    _display(_table(result))
    plain: Json = json.loads(result.model_dump_json())
    with run.database.connection() as conn:
        closed = ledger.close_run(conn, run.run_id, run.nonce, plain)
    if run.interactive:
        run.database.close()
        _kernel.run = None
    if not closed:
        raise NotebookError(
            f"run {run.run_id} is not open under the nonce of this kernel; emit is called once, "
            f"in the last cell, by the kernel that the run was started with"
        )


def show(figure: "Figure", name: str) -> None:
    """Display a figure and keep it as ``<name>.png`` beside the executed notebook of a run."""
    from IPython.display import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    png = buffer.getvalue()
    run = current_run() if run_environment().run_id else _kernel.run
    if run is not None:
        run.folder.mkdir(parents=True, exist_ok=True)
        path = run.folder / f"{name}.png"
        path.write_bytes(png)
        run.figures[name] = str(path)
    _display(Image(data=png, format="png", alt=name.replace("_", " ")))  # type: ignore[no-untyped-call]


def show_each(draw: "Callable[[T], Figure]", by_pair: Mapping[str, T], name: str) -> None:
    """Display one figure for each pair, kept as ``<name>-<pair>.png``."""
    for pair, content in by_pair.items():
        show(draw(content), f"{name}-{pair}")


def banner(mode: str, *, simulated: bool = False, note: str = "") -> None:
    """Display in which mode this page was made: PAPER, LIVE, BACKTEST, and SIMULATED with it."""
    _display(Banner(mode, simulated, note))


@dataclass(frozen=True, slots=True)
class Banner:
    """The line at the top of every page that shows numbers of a market."""

    mode: str
    simulated: bool
    note: str = ""

    def __str__(self) -> str:
        words = [self.mode.upper(), *(["SIMULATED market"] if self.simulated else []), self.note]
        return " | ".join(word for word in words if word)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        labels = [(self.mode.upper(), COLORS.get(self.mode, COLORS["backtest"]))]
        if self.simulated:
            labels.append(("SIMULATED market: says nothing about a real one", COLORS["simulated"]))
        if self.note:
            labels.append((self.note, "#5f6368"))
        return "".join(
            f'<span style="background:{color};color:#fff;padding:3px 10px;margin-right:6px;'
            f'border-radius:3px;font-weight:600">{html.escape(text)}</span>'
            for text, color in labels
        )


@dataclass(frozen=True, slots=True)
class _Table:
    rows: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        width = max((len(key) for key, _ in self.rows), default=0)
        return "\n".join(f"{key:<{width}}  {value}" for key, value in self.rows)

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><th style="text-align:left">{html.escape(key)}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for key, value in self.rows
        )
        return f"<table>{cells}</table>"


def _table(result: Result) -> _Table:
    plain = result.model_dump(mode="json", exclude={"figures"})
    return _Table(tuple((key, _cell(value)) for key, value in plain.items()))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) >= 1000 else f"{value:.6g}"  # money keeps its cents
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_cell(v)}" for k, v in value.items()) or "-"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_cell(v) for v in value) or "-"
    return str(value)


def _display(thing: object) -> None:
    """Display in a notebook; print elsewhere."""
    if "ipykernel" in sys.modules:
        from IPython.display import display

        display(thing)  # type: ignore[no-untyped-call]
    else:
        sys.stdout.write(f"{thing!r}\n")

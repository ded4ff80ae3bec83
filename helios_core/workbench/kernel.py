"""The papermill engine ``helios``: one kernel a run, with an environment of its own.

It differs from papermill's in four ways: the executed notebook is written at the start, every half
minute and at the end, not twice a cell; environment and folder go to the kernel and not to this
process, so that runs may go on side by side; the kernel is this interpreter, whatever kernels the
user has installed; and the kernel's whole process group is gone when the run is over.
"""

import asyncio
import os
import signal
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillException, PapermillExecutionError
from papermill.log import logger as papermill_log

from helios_core.domain.runs import Json

STARTUP_TIMEOUT = 120  # seconds until a new kernel must answer; a loaded machine is slow
IOPUB_TIMEOUT = 60  # seconds to wait for the last output of a cell
AUTOSAVE = 30  # seconds


class Deadline:
    """A limit for a whole run: kills the kernel's process group when it passes."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.passed = False
        self._timer: threading.Timer | None = None

    def watch(self, group: int) -> None:
        """Start to count; `group` is the process group to kill."""
        if self.seconds is not None:
            self._timer = threading.Timer(self.seconds, self._kill, (group,))
            self._timer.daemon = True
            self._timer.start()

    def cancel(self) -> None:
        """Stop to count."""
        if self._timer is not None:
            self._timer.cancel()

    def _kill(self, group: int) -> None:
        self.passed = True
        kill_group(group)


def kill_group(group: int) -> None:
    """Kill what is left of a process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def close_loop() -> None:
    """Close the event loop that jupyter opened for this thread, with its sockets.

    Jupyter keeps one for every thread that it was ever called from and opens another when it is
    needed again. Where a loop is running it works on a thread of its own, and nothing is closed.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        ensure_event_loop().close()
        asyncio.set_event_loop(None)


class SparselySaved(NotebookExecutionManager):  # type: ignore[misc]
    """Writes the notebook at the start, at the end and every `AUTOSAVE` seconds between."""

    def cell_start(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        """Note the start of a cell without writing the file."""
        path: str | None = self.output_path
        self.output_path: str | None = None
        super().cell_start(cell, cell_index, **kwargs)
        self.output_path = path

    def cell_complete(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        """Note the end of a cell without writing the file."""
        path, self.output_path = self.output_path, None
        super().cell_complete(cell, cell_index, **kwargs)
        self.output_path = path


class OwnKernelClient(PapermillNotebookClient):  # type: ignore[misc]
    """Starts this interpreter as the kernel, and leaves no process behind."""

    def __init__(self, execution: SparselySaved, deadline: Deadline, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(execution, **kwargs)
        self._deadline = deadline
        self._sockets = tempfile.TemporaryDirectory(prefix="helios-", ignore_cleanup_errors=True)
        self._group: int | None = None

    def create_kernel_manager(self) -> Any:  # noqa: ANN401
        """Return a manager that knows the native kernel only, not those of the user's folders."""
        manager = super().create_kernel_manager()
        manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
        manager.transport = "ipc"  # sockets of this user only, and no race for free ports
        manager.connection_file = f"{self._sockets.name}/kernel.json"
        manager.ip = f"{self._sockets.name}/k"  # a socket's path may have 107 bytes
        return manager

    def start_new_kernel(self, **kwargs: Any) -> None:  # noqa: ANN401
        """Start the kernel; it leads a process group of its own."""
        super().start_new_kernel(**kwargs)
        self._group = self.km.provisioner.pid
        self._deadline.watch(self.km.provisioner.pid)

    def execute(self, **kwargs: Any) -> Any:  # noqa: ANN401
        """Execute all cells; whatever happens, nothing of the kernel's group stays alive."""
        try:
            return super().execute(**kwargs)
        finally:
            self._deadline.cancel()
            self._sockets.cleanup()
            if self._group is not None:
                kill_group(self._group)
            close_loop()


class HeliosExecution(Engine):  # type: ignore[misc]
    """papermill's way to plug in the two classes above."""

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,  # noqa: ANN401
        kernel_name: str,
        output_path: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Execute `nb`; it is written to `output_path` however the execution ends."""
        execution = SparselySaved(
            nb, output_path=output_path, progress_bar=False, autosave_cell_every=AUTOSAVE
        )
        execution.notebook_start()
        try:
            cls.execute_managed_notebook(execution, kernel_name, **kwargs)
        finally:
            execution.notebook_complete()
        return execution.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: SparselySaved,
        kernel_name: str,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Run the cells of the managed notebook."""
        client = OwnKernelClient(
            nb_man,
            kwargs["deadline"],
            kernel_name=kernel_name,
            timeout=kwargs["job"].cell_timeout,
            startup_timeout=STARTUP_TIMEOUT,
            iopub_timeout=IOPUB_TIMEOUT,
            shutdown_kernel="immediate",  # emit has committed; a polite end takes a second more
            log=papermill_log,
        )
        client.execute(env=kwargs["job"].environment, cwd=str(kwargs["job"].folder))


papermill_engines.register("helios", HeliosExecution)


@dataclass(frozen=True, slots=True)
class Job:
    """What to execute, where, and how long at most.

    Attributes
    ----------
    source, target : Path
        Notebook and executed copy; the copy is also there when the execution failed.
    about : mapping
        Written to ``metadata.helios`` of the copy.
    environment, folder : mapping, Path
        Environment and working folder of the kernel.
    timeout : float or None
        Limit of the whole run, seconds.
    cell_timeout : int
        Limit of one cell, seconds.
    """

    source: Path
    target: Path
    parameters: Json
    about: Json
    environment: dict[str, str]
    folder: Path
    timeout: float | None
    cell_timeout: int


def execute(job: Job) -> str | None:
    """Execute a notebook and return why it failed, or None if every cell ran."""
    deadline = Deadline(job.timeout)
    try:
        book = papermill.iorw.load_notebook_node(str(job.source))
        book.metadata["helios"] = job.about
        papermill.execute_notebook(
            book,
            _literal(job.target),
            parameters=job.parameters,
            engine_name="helios",
            kernel_name="python3",
            progress_bar=False,
            job=job,
            deadline=deadline,
        )
    except (
        PapermillException, CellTimeoutError, NoSuchKernel, RuntimeError, OSError, ValueError
    ) as error:  # fmt: skip
        return _reason(error, job, deadline)
    return None


def _reason(error: Exception, job: Job, deadline: Deadline) -> str:
    match error:
        case PapermillExecutionError():
            return f"cell {error.exec_count} raised {error.ename}: {_first_line(error.evalue)}"
        case CellTimeoutError():
            return f"a cell took longer than {job.cell_timeout} s and the kernel was stopped"
        case RuntimeError() if deadline.passed:
            return f"the run took longer than {job.timeout:g} s and the kernel was killed"
        case DeadKernelError():
            return "the kernel died: it was killed, or it ran out of memory"
        case _:
            return f"the notebook could not be executed: {_first_line(str(error))}"


def _literal(path: Path) -> str:
    """Return the path for papermill, which fills in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")

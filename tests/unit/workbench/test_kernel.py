"""Real kernels on tiny notebooks; no database."""

import json
import os
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from helios_core.workbench.kernel import Job, execute

pytestmark = pytest.mark.notebook


def write_notebook(path: Path, *cells: str) -> Path:
    book = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        }
    )
    book.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    book.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(book, path)
    return path


def job(folder: Path, *cells: str, **changes) -> Job:
    source = write_notebook(folder / "tiny.ipynb", *cells)
    plain = {
        "source": source,
        "target": folder / "done.ipynb",
        "parameters": {},
        "about": {"run_id": "r1"},
        "environment": dict(os.environ),
        "folder": folder,
        "timeout": None,
        "cell_timeout": 60,
    }
    return Job(**(plain | changes))


def outputs(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    return "".join("".join(o.get("text", "")) for c in cells for o in c.get("outputs", []))


def test_the_executed_copy_holds_outputs_parameters_and_provenance(tmp_path):
    done = job(tmp_path, "pair = 'A'", "print('traded', pair)", parameters={"pair": "B"})
    reason = execute(done)
    book = json.loads(done.target.read_text())

    assert reason is None
    assert outputs(done.target) == "traded B\n"
    assert book["metadata"]["helios"] == {"run_id": "r1"}


def test_a_raising_cell_is_named_with_the_first_line_of_its_error(tmp_path):
    done = job(
        tmp_path, "x = 1", "print('kept')", "raise ValueError('no candles\\nat all')", "y = 2"
    )
    reason = execute(done)

    assert reason == "cell 3 raised ValueError: no candles"
    assert "kept" in outputs(done.target)


def test_a_killed_kernel_is_a_failure_though_papermill_marks_its_cells_completed(tmp_path):
    done = job(
        tmp_path, "import os", "print('kept', flush=True)", "os.kill(os.getpid(), 9)", "y = 2"
    )
    reason = execute(done)
    cells = json.loads(done.target.read_text())["cells"]

    assert reason == "the kernel died: it was killed, or it ran out of memory"
    assert "kept" in outputs(done.target)
    assert {c["metadata"]["papermill"]["status"] for c in cells} == {"completed"}


def test_a_cell_over_its_limit_is_stopped(tmp_path):
    started = time.monotonic()
    reason = execute(job(tmp_path, "import time", "time.sleep(60)", cell_timeout=1))

    assert reason == "a cell took longer than 1 s and the kernel was stopped"
    assert time.monotonic() - started < 30


def test_a_run_over_its_limit_is_killed_between_cells_that_keep_theirs(tmp_path):
    cells = ["import time", *["time.sleep(0.5)"] * 60]
    started = time.monotonic()
    reason = execute(job(tmp_path, *cells, timeout=1.5))

    assert reason == "the run took longer than 1.5 s and the kernel was killed"
    assert time.monotonic() - started < 25


def test_no_process_of_the_kernel_outlives_the_run(tmp_path):
    child = "import subprocess; print(subprocess.Popen(['sleep', '300']).pid)"
    done = job(tmp_path, child, "import os; os._exit(1)")
    execute(done)
    pid = int(outputs(done.target))
    for _ in range(50):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)

    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_runs_side_by_side_each_see_their_own_environment_and_the_parent_sees_none(tmp_path):
    shown = "import os; print(os.environ['HELIOS_RUN_ID'], os.getcwd())"
    jobs = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        environment = {**os.environ, "HELIOS_RUN_ID": name}
        jobs.append(
            job(tmp_path / name, "import time; time.sleep(1)", shown, environment=environment)
        )
    threads = [threading.Thread(target=execute, args=(j,)) for j in jobs]
    here = Path.cwd()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [outputs(j.target).split() for j in jobs] == [
        [name, str(tmp_path / name)] for name in ("first", "second")
    ]
    assert "HELIOS_RUN_ID" not in os.environ
    assert Path.cwd() == here


def test_braces_in_a_folder_name_are_just_braces(tmp_path):
    folder = tmp_path / "a{b}c"
    folder.mkdir()

    assert execute(job(folder, "x = 1")) is None
    assert (folder / "done.ipynb").is_file()

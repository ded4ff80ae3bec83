"""Runs that end well and runs that do not: what the ledger says, and what is left behind."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from helios_core.bootstrap import SystemIds
from helios_core.errors import ConfigError, NotebookError, NotFoundError, StoreError, UsageError
from helios_core.settings import PROJECT
from helios_core.store import ledger
from helios_core.workbench.engine import NO_EMIT
from helios_core.workbench.provenance import process_owner
from helios_core.workbench.results import TourResult

pytestmark = [pytest.mark.notebook, pytest.mark.db]

EMIT = """\
from helios_core.workbench.results import TourResult
from helios_core.workbench.run import emit
emit(TourResult(verdict="done", simulated=True, candles=3, features=72, sigma_minute=0.5,
                weight=0.0, orders=0))
"""
IN_ITS_GROUP = """\
import os, subprocess
child = subprocess.Popen(["sh", "-c", "trap '' INT TERM; sleep 300"])  # obeys no polite signal
print("kept", os.getpid(), flush=True)
"""


def outputs(path):
    """Return everything that the cells of an executed notebook printed."""
    cells = json.loads(path.read_text())["cells"]
    return "".join("".join(o.get("text", "")) for c in cells for o in c.get("outputs", []))


def group_members(group):
    """Return the live processes of a process group."""
    alive = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != "zombie":
                alive.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return alive


def gone(group, seconds=5.0):
    """Whether a process group is empty, at the latest after `seconds`."""
    end = time.monotonic() + seconds
    while group_members(group) and time.monotonic() < end:
        time.sleep(0.05)
    return not group_members(group)


@pytest.fixture
def row(database):
    """Return a function that reads the ledger's row of a run."""

    def read(run_id):
        with database.connection() as conn:
            return ledger.get_run(conn, run_id)

    return read


@pytest.fixture
def everything(database, settings):
    """Return a function that counts what a run could leave: rows and files."""

    def count():
        with database.connection() as conn:
            rows = len(ledger.list_runs(conn, 10_000))
        return rows, sorted(str(path) for path in settings.runs.rglob("*"))

    return count


@pytest.fixture
def failed(execute, row):
    """Return a function that runs a notebook to its failure and checks what every one leaves."""

    def run(path, **changes):
        done = execute(path, **changes)
        kept = row(done.run_id)
        about = json.loads(done.path.read_text())["metadata"]["helios"]

        assert (done.state, kept.state, about["state"]) == ("failed", "failed", "failed")
        assert done.error == done.outcome == kept.outcome == about["outcome"]
        assert (done.result, kept.result) == (None, None)
        assert kept.ended_at is not None
        assert kept.notebook_path == str(done.path)
        assert kept.notebook_sha256 == hashlib.sha256(done.path.read_bytes()).hexdigest()
        word, kernel = outputs(done.path).split()[:2]
        assert word == "kept"  # what ran before is there
        assert gone(int(kernel))
        assert [p for top in (PROJECT, Path.cwd()) for p in top.glob("*kernel*")] == []
        return done

    return run


def test_a_completed_run_is_closed_by_emit_with_its_result_and_its_stamped_copy(
    execute, write_notebook, row
):
    path = write_notebook('pair = "A"  # symbol\nseed = 7  # of it', "print('traded', pair)", EMIT)
    before = datetime.now(UTC)
    done = execute(path, {"pair": "B"}, flow_run_id="flow-1")
    kept = row(done.run_id)
    about = json.loads(done.path.read_text())["metadata"]["helios"]

    assert (done.state, done.outcome, done.error) == ("completed", "done", None)
    assert TourResult.model_validate(done.result).sigma_minute == 0.5
    assert "traded B" in outputs(done.path)
    assert (kept.notebook, kept.parameters) == ("tiny", {"pair": "B", "seed": 7})
    assert (kept.seed, kept.flow_run_id, kept.owner) == (7, "flow-1", process_owner())
    assert kept.notebook_path == str(done.path)
    assert kept.notebook_sha256 == hashlib.sha256(done.path.read_bytes()).hexdigest()
    assert before <= kept.started_at <= kept.ended_at
    assert about["run_id"] == done.run_id
    assert (about["state"], about["outcome"], about["parameters"]) == (
        "completed", "done", {"pair": "B", "seed": 7},
    )  # fmt: skip
    assert about["commit"] == kept.commit
    assert done.path.name == f"tiny-{done.run_id}.ipynb"
    assert json.loads(path.read_text())["cells"][1]["outputs"] == []  # the source is untouched


def test_a_raising_cell_fails_the_run_and_what_follows_is_not_run(failed, write_notebook):
    path = write_notebook("a = 1", IN_ITS_GROUP, "raise ValueError('no candles')", EMIT)
    done = failed(path)

    assert done.error == "cell 3 raised ValueError: no candles"


def test_a_notebook_that_ends_without_emit_has_failed(failed, write_notebook):
    done = failed(write_notebook("a = 1", IN_ITS_GROUP))

    assert done.error == NO_EMIT


def test_a_kernel_that_ends_itself_has_failed(failed, write_notebook):
    done = failed(write_notebook("a = 1", IN_ITS_GROUP, "os._exit(0)", EMIT))

    assert done.error == "the kernel died: it was killed, or it ran out of memory"


def test_a_kernel_that_is_killed_from_outside_has_failed(failed, write_notebook, tmp_path):
    said = tmp_path / "pid"
    waits = f"import time, pathlib\npathlib.Path({str(said)!r}).write_text(str(os.getpid()))"

    def kill():
        end = time.monotonic() + 60
        while not (said.exists() and said.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(int(said.read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    done = failed(write_notebook("a = 1", IN_ITS_GROUP, f"{waits}\ntime.sleep(60)", EMIT))
    killer.join()

    assert done.error == "the kernel died: it was killed, or it ran out of memory"


def test_a_cell_over_its_limit_fails_the_run(failed, write_notebook, settings):
    limited = settings.notebooks.model_copy(update={"cell_timeout": 1})
    done = failed(
        write_notebook("a = 1", IN_ITS_GROUP, "import time; time.sleep(60)", EMIT),
        settings=settings.model_copy(update={"notebooks": limited}),
    )

    assert done.error == "a cell took longer than 1 s and the kernel was stopped"


def test_a_run_over_its_limit_fails(failed, write_notebook):
    cells = ["import time\ntime.sleep(0.5)"] * 120
    started = time.monotonic()
    done = failed(write_notebook("a = 1", IN_ITS_GROUP, *cells, EMIT), timeout=3)

    assert done.error == "the run took longer than 3 s and the kernel was killed"
    assert time.monotonic() - started < 30


def test_two_emits_are_refused_before_anything_runs(execute, write_notebook, everything):
    path = write_notebook("a = 1", EMIT, EMIT)
    before = everything()

    with pytest.raises(NotebookError, match="called once, by the last line"):
        execute(path)
    assert everything() == before


def test_a_hidden_second_emit_is_refused_by_the_ledger_and_the_first_result_stays(
    execute, write_notebook, row
):
    hidden = EMIT.replace("emit(T", "close = emit\nclose(T")
    done = execute(write_notebook("a = 1", hidden, hidden.replace("done", "more")))
    kept = row(done.run_id)
    cells = json.loads(done.path.read_text())["cells"]
    raised = [output for cell in cells for output in cell.get("outputs", [])]

    assert (kept.state, kept.outcome) == ("completed", "done")
    assert [o["ename"] for o in raised if o["output_type"] == "error"] == ["NotebookError"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pairz": "B"}, r"tiny has no parameter 'pairz'. Did you mean pair\?"),
        ({"pair": 7}, "the parameter pair is a str"),
        ({"api_key": "x"}, "looks like a secret"),
    ],
)
def test_a_parameter_that_does_not_fit_opens_nothing_and_writes_nothing(
    execute, write_notebook, everything, parameters, message
):
    path = write_notebook('pair = "A"  # symbol', EMIT)
    before = everything()

    with pytest.raises(UsageError, match=message):
        execute(path, parameters)
    assert everything() == before


def test_a_folder_that_cannot_be_made_opens_nothing(
    execute, write_notebook, everything, settings, tmp_path
):
    (tmp_path / "file").write_text("in the way")
    before = everything()

    with pytest.raises(ConfigError, match=r"HELIOS_RUNS is .*file, in which no folder can be made"):
        execute(
            write_notebook("a = 1", EMIT),
            settings=settings.model_copy(update={"runs": tmp_path / "file"}),
        )
    assert everything() == before


def test_an_unknown_notebook_opens_nothing(execute, everything):
    before = everything()

    with pytest.raises(NotFoundError, match="did you mean 00_tour"):
        execute("00_tou")
    assert everything() == before


def test_a_process_that_is_killed_while_it_runs_a_notebook_is_found_by_the_next_run(
    execute, write_notebook, row, database, settings, tmp_path
):
    """The owner dies by `kill -9`; its kernel is orphaned and its row stays open."""
    said = tmp_path / "pid"
    path = write_notebook(
        "a = 1",
        f"import os, time, pathlib\npathlib.Path({str(said)!r}).write_text(str(os.getpid()))",
        "time.sleep(120)",
        EMIT,
        name="orphan",
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS_")} | {
        "HELIOS_DATABASE_URL": settings.database_url.get_secret_value(),
        "HELIOS_ENV_FILE": str(tmp_path / ".env"),
        "HELIOS_HOME": str(settings.home),
        "HELIOS_RUNS": str(settings.runs),
    }
    command = [sys.executable, "-m", "helios_core.cli.app", "notebook", "run", str(path)]
    owner = subprocess.Popen(command, env=environment, cwd=PROJECT)
    end = time.monotonic() + 60
    while not (said.exists() and said.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    owner.kill()
    owner.wait()
    with database.connection() as conn:
        (orphan,) = [r for r in ledger.list_runs(conn, 100) if r.notebook == "orphan"]
    done = execute(write_notebook("a = 1", EMIT))

    assert orphan.state == "running"
    assert row(orphan.run_id).state == "failed"
    assert "its process was killed or died without a word" in row(orphan.run_id).outcome
    assert done.state == "completed"
    assert gone(int(said.read_text()), 20)  # a kernel ends when its parent is gone


class KnownIds(SystemIds):
    """Ids whose nonce the test knows."""

    def nonce(self):
        return "5ec2e7" * 5 + "5e"


def test_nonce_and_secrets_are_in_no_file_and_in_no_row(
    execute, write_notebook, database, settings, monkeypatch, log_folder
):
    canary = "sk-canary-8c1f02"
    monkeypatch.setenv("HELIOS_LLM__ANTHROPIC_API_KEY", canary)
    key = settings.llm.model_copy(update={"anthropic_api_key": SecretStr(canary)})
    shows = """\
from helios_core.settings import load_settings
from helios_core.workbench.run import current_run
from helios_core.logs import logger
settings = load_settings()
assert settings.llm.anthropic_api_key.get_secret_value().startswith("sk-canary")
print(settings, current_run())
logger("trading").info("shown", key=settings.llm.anthropic_api_key, nonce=current_run().nonce)
settings, current_run()
"""
    raises = "raise ValueError(f'{settings} {current_run()}')"
    with_key = settings.model_copy(update={"llm": key})
    ids = KnownIds()
    good = execute(write_notebook("a = 1", shows, EMIT), settings=with_key, ids=ids)
    bad = execute(write_notebook("a = 1", shows, raises, EMIT), settings=with_key, ids=ids)
    with database.connection() as conn:
        rows = conn.execute("SELECT to_jsonb(r)::text FROM runs r").fetchall()
    files = [p for p in (settings.home, settings.runs) for p in p.rglob("*") if p.is_file()]
    texts = [file.read_bytes().decode(errors="replace") for file in files]
    texts += [text for (text,) in rows]

    assert (good.state, bad.state) == ("completed", "failed")
    assert good.path in files
    assert log_folder / "flows.log" in files
    assert not [text for text in texts if canary in text]
    assert not [text for text in texts if ids.nonce() in text]


def test_runs_side_by_side_see_their_own_identity_and_this_process_sees_none(
    execute, write_notebook
):
    shows = "import os, time\nprint(os.environ['HELIOS_RUN_ID'], flush=True)\ntime.sleep(1)"
    paths = [write_notebook("a = 1", shows, EMIT, name=name) for name in ("first", "second")]
    done = {}

    def work(path):
        done[path.stem] = execute(path)

    threads = [threading.Thread(target=work, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == ["first", "second"]
    for one in done.values():
        assert one.state == "completed"
        assert outputs(one.path).split()[0] == one.run_id
    assert not [name for name in os.environ if name.startswith("HELIOS_RUN")]


def test_the_kernel_works_on_the_desk_of_its_settings(execute, write_notebook, settings):
    shows = """\
from helios_core.workbench.run import current_run
run = current_run()
print(run.settings.home, run.settings.runs, run.settings.models, run.database.address)
"""
    other = settings.model_copy(update={"runs": settings.home.parent / "other"})
    done = execute(write_notebook("a = 1", shows, EMIT), settings=other)
    home, runs, models, *_ = outputs(done.path).split()

    assert (home, runs, models) == (
        str(settings.home), str(other.runs), str(settings.models),
    )  # fmt: skip
    assert done.path.is_relative_to(other.runs)


def test_a_run_whose_id_is_taken_starts_nothing(execute, write_notebook, everything):
    class SameId(SystemIds):
        def run_id(self, now):
            return "20250131T120000-aaaa0001"

    path = write_notebook("a = 1", EMIT)
    first = execute(path, ids=SameId())
    before = everything()

    assert first.state == "completed"
    with pytest.raises(StoreError, match="was opened before; every run needs an id of its own"):
        execute(path, ids=SameId())
    assert everything() == before


def test_a_result_is_shown_in_the_order_of_its_type(execute):
    done = execute("00_tour", {"days": 1})

    assert list(done.result) == [name for name in TourResult.model_fields if name in done.result]


def test_a_parameter_reaches_the_kernel_as_it_was_given(execute, write_notebook, row):
    path = write_notebook('text = ""  # any', "import json; print(json.dumps(text))", EMIT)
    odd = "a'b\"c\\n\nd {e} ä\u2028 \U0001f600"
    done = execute(path, {"text": odd})
    printed = next(line for line in outputs(done.path).splitlines() if line.startswith('"a'))

    assert json.loads(printed) == odd
    assert row(done.run_id).parameters == {"text": odd}

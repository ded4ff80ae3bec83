"""The embedded server: killed, restarted, asked with a wrong password."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from helios_core.errors import DependencyError, NotFoundError
from helios_core.store.embedded import ROLES, EmbeddedServer

pytestmark = [pytest.mark.db, pytest.mark.slow]


@pytest.fixture
def make(tmp_path):
    """Return a builder of servers that are stopped and removed at the end."""
    made = []

    def build(home="home", **options):
        made.append(EmbeddedServer(tmp_path / home, **options))
        return made[-1]

    yield build
    for one in made:
        one.stop()
        shutil.rmtree(one.cluster, ignore_errors=True)
        shutil.rmtree(one.socket, ignore_errors=True)


@pytest.fixture
def started(make):
    made = make(durable=False)
    made.start()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_rows_survive_a_killed_server(make):
    server = make()  # as durable as a desk's own
    with psycopg.connect(server.start()) as conn:
        conn.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    open_transaction = psycopg.connect(server.dsn())
    open_transaction.execute("INSERT INTO kept VALUES (-1)")
    os.kill(server.status().pid, signal.SIGKILL)
    open_transaction.close()
    began = time.monotonic()
    with psycopg.connect(server.start()) as conn:
        found = conn.execute("SELECT count(*), sum(n) FROM kept").fetchone()

    assert found == (1000, 500500)
    assert time.monotonic() - began < 60


def test_a_killed_server_is_seen_as_not_running(started):
    pid = started.status().pid
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while started.status().running and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not started.status().running


def test_the_lock_of_a_killed_server_whose_number_was_given_to_another_process(started):
    """A process id is reused: the lock names a living process that is no postgres."""
    os.kill(started.status().pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while started.status().running and time.monotonic() < deadline:
        time.sleep(0.05)
    lock = started.data / "postmaster.pid"
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        lines = lock.read_text().split("\n")
        lock.write_text("\n".join([str(other.pid), *lines[1:]]))
        assert started.status().running is False
        started.start()
    finally:
        other.communicate(b"\n")

    assert started.status().running


def test_a_wrong_password_is_refused(started):
    right = started.dsn()
    wrong = right.replace(right.split(":")[2].split("@")[0], "guess")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    with psycopg.connect(right) as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("helios_owner",)


def test_no_password_is_refused(started):
    user, host = ROLES["owner"], started.socket

    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(user=user, host=str(host), dbname="helios", passfile="/dev/null")


def test_passwords_are_files_that_only_their_owner_reads(started):
    files = sorted(started.home.glob("*.password"))

    assert {file.stem for file in files} == {*ROLES, "postgres"}
    assert {mode(file) for file in files} == {0o600}
    assert not (started.cluster / "init.password").exists()
    assert len({file.read_text() for file in files}) == len(files)


def test_last_words_of_a_killed_server_are_not_taken_for_a_failed_start(started, monkeypatch):
    """Its backends notice the death late and write to the same log, after the new server began."""
    spawn = EmbeddedServer._spawn

    def spawn_beside_the_dying(server):
        pid = spawn(server)
        with server.log.open("a") as log:
            log.write("FATAL:  terminating connection due to unexpected postmaster exit\n")
        return pid

    monkeypatch.setattr(EmbeddedServer, "_spawn", spawn_beside_the_dying)
    os.kill(started.status().pid, signal.SIGKILL)

    with psycopg.connect(started.start()) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_no_network_port_is_open(started):
    with psycopg.connect(started.dsn()) as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)
    process = psutil.Process(started.status().pid)

    assert process.net_connections(kind="inet") == []


def test_the_server_is_not_run_by_root(started):
    assert psutil.Process(started.status().pid).uids().real != 0


def test_folders_above_the_server_keep_their_modes(make, tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    made = make("private/home", durable=False)
    made.start()

    assert mode(private) == 0o700
    assert mode(made.data) == 0o700


def test_a_second_start_finds_the_running_server(started):
    pid = started.status().pid
    again = EmbeddedServer(started.home.parent, durable=False)

    assert again.start() == started.dsn()
    assert again.status().pid == pid


def test_processes_that_start_at_once_share_one_server(make, tmp_path):
    made = make(durable=False)
    script = (
        "import sys; from pathlib import Path;"
        "from helios_core.store.embedded import EmbeddedServer;"
        "s = EmbeddedServer(Path(sys.argv[1]), durable=False); s.start(); print(s.status().pid)"
    )
    command = [sys.executable, "-c", script, str(made.home.parent)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    pids = [process.communicate(timeout=120)[0].split()[-1] for process in running]

    assert [process.returncode for process in running] == [0, 0, 0]
    assert set(pids) == {str(made.status().pid)}


def test_the_server_outlives_the_process_that_started_it(make):
    made = make(durable=False)
    script = (
        "import sys; from pathlib import Path;"
        "from helios_core.store.embedded import EmbeddedServer;"
        "EmbeddedServer(Path(sys.argv[1]), durable=False).start()"
    )
    subprocess.run([sys.executable, "-c", script, str(made.home.parent)], check=True)

    assert made.status().running
    with psycopg.connect(made.dsn()) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_stopping_keeps_the_data_and_may_be_repeated(started):
    with psycopg.connect(started.dsn()) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS n")
    started.stop()
    started.stop()
    stopped = started.status()
    with psycopg.connect(started.start()) as conn:
        found = conn.execute("SELECT n FROM kept").fetchone()

    assert (stopped.running, found) == (False, (42,))


def test_a_server_that_was_never_started_has_no_address(make):
    made = make()

    assert made.status().version == "not created"
    with pytest.raises(NotFoundError, match="helios db up"):
        made.dsn()


def test_a_creation_that_was_cut_off_is_begun_again(make):
    made = make(durable=False)
    (made.cluster / "data.new").mkdir(parents=True)
    (made.cluster / "data.new" / "half").write_text("written")
    made.start()

    assert made.status().running
    assert not (made.cluster / "data.new").exists()


def test_a_server_that_cannot_start_shows_the_end_of_its_log(started):
    started.stop()
    (started.data / "postgresql.conf").write_text("no such setting = 1\n")

    with pytest.raises(DependencyError, match=r"did not start; .*server\.log ends with"):
        started.start()


def test_own_binaries_must_be_there(make, tmp_path):
    made = make(binaries=tmp_path)

    with pytest.raises(NotFoundError, match="HELIOS_PG_BIN"):
        made.start()


def test_prefect_has_its_own_database_and_no_way_into_that_of_helios(started):
    with psycopg.connect(started.dsn("prefect", "prefect")) as conn:
        conn.execute("CREATE TABLE own (x int)")

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(started.dsn("helios", "prefect"))

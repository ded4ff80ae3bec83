import os
import subprocess
import sys

from helios_core.store.postmaster import forget_zombie, held_by_the_dead, living_pid


def lock(folder, pid):
    (folder / "postmaster.pid").write_text(f"{pid}\n{folder}\n")


def test_without_a_lock_nothing_lives(tmp_path):
    assert living_pid(tmp_path) is None


def test_a_damaged_lock_names_nothing(tmp_path):
    lock(tmp_path, "??")

    assert living_pid(tmp_path) is None


def test_a_living_process_that_is_no_postgres_is_not_the_server(tmp_path):
    lock(tmp_path, os.getpid())

    assert living_pid(tmp_path) is None


def test_the_lock_of_a_zombie_is_removed_and_that_of_an_ended_process_left_to_postgres(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, not reaped
    lock(tmp_path, child.pid)
    forget_zombie(tmp_path)
    removed = not (tmp_path / "postmaster.pid").exists()
    child.wait()
    lock(tmp_path, child.pid)
    forget_zombie(tmp_path)

    assert removed
    assert (tmp_path / "postmaster.pid").exists()


def test_the_log_tells_whether_a_dead_server_holds_the_folder():
    assert held_by_the_dead('FATAL:  lock file "postmaster.pid" already exists')
    assert held_by_the_dead("FATAL:  pre-existing shared memory block is still in use")
    assert not held_by_the_dead("FATAL:  configuration file contains errors")

import hashlib
import json
import os
import platform
import subprocess
import sys

import psutil
import pytest

from helios_core.errors import NotebookError
from helios_core.workbench.provenance import (
    START_TOLERANCE,
    code_state,
    digest,
    environment_hash,
    file_sha256,
    owner_is_alive,
    process_owner,
    stamp_notebook,
)


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A repository of its own, whatever a hook that runs these tests has put around them."""
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def run(*arguments):
        command = ["git", "-C", tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.com"]
        return subprocess.check_output([*command, *arguments], text=True).strip()

    run("init", "--quiet")
    return run


def test_a_clean_tree_has_its_commit(git, tmp_path):
    (tmp_path / "a.py").write_text("a = 1\n")
    git("add", "a.py")
    git("commit", "--quiet", "-m", "first")
    found = code_state(tmp_path)

    assert (found.commit, found.dirty) == (git("rev-parse", "HEAD"), False)


@pytest.mark.parametrize("name", ["a.py", "new.py"])
def test_an_edited_and_an_untracked_file_make_a_tree_dirty(git, tmp_path, name):
    (tmp_path / "a.py").write_text("a = 1\n")
    git("add", "a.py")
    git("commit", "--quiet", "-m", "first")
    (tmp_path / name).write_text("a = 2\n")
    found = code_state(tmp_path)

    assert (found.commit, found.dirty) == (git("rev-parse", "HEAD"), True)


def test_an_ignored_file_leaves_a_tree_clean(git, tmp_path):
    (tmp_path / ".gitignore").write_text("runs/\n")
    git("add", ".gitignore")
    git("commit", "--quiet", "-m", "first")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "done.ipynb").write_text("{}")

    assert code_state(tmp_path).dirty is False


def test_a_repository_without_a_commit_has_an_unknown_one(git, tmp_path):
    (tmp_path / "a.py").write_text("a = 1\n")
    found = code_state(tmp_path)

    assert (found.commit, found.dirty) == ("unknown", True)


def test_outside_of_a_repository_the_code_counts_as_dirty(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = code_state(tmp_path)

    assert (found.commit, found.dirty) == ("unknown", True)


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = code_state(tmp_path)

    assert (found.commit, found.dirty) == ("unknown", True)


def test_looking_takes_no_lock_that_a_commit_may_want(git, tmp_path):
    """`git status` would refresh the index of a touched file, and so write it."""
    (tmp_path / "a.py").write_text("a = 1\n")
    git("add", "a.py")
    git("commit", "--quiet", "-m", "first")
    os.utime(tmp_path / "a.py", (1, 1))
    before = (tmp_path / ".git" / "index").read_bytes()

    assert code_state(tmp_path).dirty is False
    assert (tmp_path / ".git" / "index").read_bytes() == before


def test_this_process_is_alive():
    assert owner_is_alive(process_owner())


def test_a_process_that_has_ended_is_dead_also_before_its_parent_asks():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    owner = f"{platform.node()}:{child.pid}:{started:.2f}"
    lived = owner_is_alive(owner)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a zombie
    undead = owner_is_alive(owner)
    child.communicate()

    assert (lived, undead, owner_is_alive(owner)) == (True, False, False)


def test_a_process_id_that_is_used_again_is_another_process():
    host, pid, started = process_owner().split(":")
    earlier = float(started) - START_TOLERANCE - 1

    assert not owner_is_alive(f"{host}:{pid}:{earlier:.2f}")


def test_a_boot_time_that_moved_a_little_does_not_kill_a_run():
    host, pid, started = process_owner().split(":")

    assert owner_is_alive(f"{host}:{pid}:{float(started) + START_TOLERANCE / 2:.2f}")


def test_what_runs_on_another_host_is_left_alone():
    assert owner_is_alive("another-host:1:0.00")


@pytest.mark.parametrize("rest", ["", "x:1.0", "1", "1:x"])
def test_an_owner_that_cannot_be_read_is_dead(rest):
    assert not owner_is_alive(f"{platform.node()}:{rest}")


def test_a_digest_does_not_depend_on_the_order_of_keys():
    same = hashlib.sha256(b'{"a":1,"b":[2,"x"]}').hexdigest()

    assert digest({"b": [2, "x"], "a": 1}) == digest({"a": 1, "b": [2, "x"]}) == same


def test_an_environment_has_one_hash():
    script = "from helios_core.workbench.provenance import environment_hash as e; print(e())"
    other = subprocess.check_output([sys.executable, "-c", script], text=True).strip()

    assert environment_hash() == other
    assert len(other) == 64


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")

    assert file_sha256(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    )


@pytest.fixture
def executed(write_notebook):
    path = write_notebook("a = 1", "print('ä')")
    book = json.loads(path.read_text())
    book["metadata"]["helios"] = {"run_id": "r1", "state": "running"}
    path.write_text(json.dumps(book))
    return path


def test_a_stamp_is_added_to_what_is_there_and_hashed(executed):
    sha256 = stamp_notebook(executed, {"state": "completed"})
    book = json.loads(executed.read_text())

    assert book["metadata"]["helios"] == {"run_id": "r1", "state": "completed"}
    assert [c["source"] for c in book["cells"]] == ["a = 1", "print('ä')"]
    assert sha256 == hashlib.sha256(executed.read_bytes()).hexdigest()


def test_a_stamped_notebook_replaces_the_old_one_at_once(executed):
    before = executed.read_text()
    with executed.open() as reader:
        stamp_notebook(executed, {"state": "completed"})
        seen = reader.read()

    assert seen == before  # a reader has the old file or the new one, never half of one
    assert list(executed.parent.iterdir()) == [executed]


@pytest.mark.parametrize("text", ["", "[]", '{"cells": []}', '{"metadata": 3}', "\xff"])
def test_what_is_no_notebook_is_not_stamped_and_stays_as_it_is(tmp_path, text):
    path = tmp_path / "broken.ipynb"
    path.write_text(text, encoding="latin-1")

    with pytest.raises(NotebookError, match=r"broken.ipynb cannot be stamped"):
        stamp_notebook(path, {"state": "completed"})
    assert path.read_text(encoding="latin-1") == text

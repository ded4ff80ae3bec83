import stat
import subprocess
import sys

from helios_core.store.secrets import exclusive, secret, write_secret


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    file = tmp_path / "a.password"
    first = secret(file)

    assert secret(file) == first
    assert len(first) == 48
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret(tmp_path / "b.password") != first


def test_a_secret_is_replaced(tmp_path):
    file = tmp_path / "a.password"
    write_secret(file, "a longer one")
    write_secret(file, "short")

    assert secret(file) == "short"


def test_one_process_at_a_time_holds_the_lock(tmp_path):
    file = tmp_path / "lock"
    script = (
        "import fcntl, sys; f = open(sys.argv[1], 'w');"
        "fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    )
    command = [sys.executable, "-c", script, str(file)]
    with exclusive(file):
        during = subprocess.run(command, capture_output=True, check=False)
    after = subprocess.run(command, capture_output=True, check=False)

    assert b"BlockingIOError" in during.stderr
    assert after.returncode == 0

import pytest

from helios_core.errors import NotFoundError
from helios_core.store.binaries import reachable, server_programs


def test_the_package_brings_the_programs():
    folder = server_programs(None, as_nobody=False)

    assert (folder / "postgres").is_file()
    assert (folder / "initdb").is_file()


def test_own_programs_are_taken_where_they_are(tmp_path):
    for name in ("postgres", "initdb"):
        (tmp_path / name).touch()

    assert server_programs(tmp_path, as_nobody=True) == tmp_path


def test_a_folder_without_the_programs_is_refused(tmp_path):
    (tmp_path / "postgres").touch()

    with pytest.raises(NotFoundError, match="initdb"):
        server_programs(tmp_path, as_nobody=False)


def test_a_private_folder_hides_what_is_below_it(tmp_path):
    inner = tmp_path / "private" / "inner"
    inner.mkdir(parents=True)
    inner.chmod(0o755)
    (tmp_path / "private").chmod(0o700)

    assert not reachable(inner)
    assert not reachable(inner / "not there yet")

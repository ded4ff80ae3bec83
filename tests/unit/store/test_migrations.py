import pytest

from helios_core.errors import MigrationError
from helios_core.store.migrations import REQUIREMENTS, read_migrations, split_statements


def names(level, folder=None):
    found = read_migrations(folder) if folder else read_migrations()
    return [m.name for m in found if REQUIREMENTS[m.requires](level)]


def test_each_level_gets_rollups_once_and_only_what_it_can_run():
    assert names("plain")[-1] == "0020_rollups.plain.sql"
    assert "0010_hypertables.sql" not in names("plain")
    assert {"0010_hypertables.sql", "0020_rollups.plain.sql"} <= set(names("apache"))
    assert {"0010_hypertables.sql", "0020_rollups.tsl.sql", "0030_columnstore.tsl.sql"} <= set(
        names("community")
    )
    assert "0020_rollups.plain.sql" not in names("community")


def test_files_are_applied_in_the_order_of_their_names(tmp_path):
    for name in ("0010_b.sql", "0002_a.sql"):
        (tmp_path / name).write_text("-- helios: requires any\nSELECT 1;\n")

    assert names("plain", tmp_path) == ["0002_a.sql", "0010_b.sql"]


def test_a_header_may_ask_to_be_run_outside_of_a_transaction(tmp_path):
    (tmp_path / "1.sql").write_text("-- helios: requires any\n-- helios: no-transaction\nSELECT 1;")
    (tmp_path / "2.sql").write_text("-- helios: requires any\nSELECT 1;")

    assert [m.transactional for m in read_migrations(tmp_path)] == [False, True]


@pytest.mark.parametrize("header", ["", "-- helios: requires oracle\n", "-- requires any\n"])
def test_a_file_without_a_known_requirement_is_refused(tmp_path, header):
    (tmp_path / "1.sql").write_text(header + "SELECT 1;")

    with pytest.raises(MigrationError, match=r"1\.sql needs a line"):
        read_migrations(tmp_path)


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT 'it''s; 2'", ["SELECT ';'", "SELECT 'it''s; 2'"]),
        ("SELECT 1 -- not; here\n; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT /* no; */ 1;", ["SELECT  1"]),
        ("DO $$ BEGIN a; b; END $$; SELECT 1", ["DO $$ BEGIN a; b; END $$", "SELECT 1"]),
        ("DO $x$ a; $$ b; $$ c; $x$;", ["DO $x$ a; $$ b; $$ c; $x$"]),
        ("SELECT 4 - 2 / 1;;\n ;", ["SELECT 4 - 2 / 1"]),
        ("", []),
    ],
)
def test_statements_end_at_semicolons_that_are_not_quoted(text, statements):
    assert split_statements(text) == statements


def test_the_hash_of_a_file_is_that_of_its_text(tmp_path):
    import hashlib

    file = tmp_path / "1.sql"
    file.write_text("-- helios: requires any\nSELECT 'ä';\n", encoding="utf-8")

    assert read_migrations(tmp_path)[0].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()

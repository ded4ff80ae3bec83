import psycopg
import pytest

from helios_core.errors import DependencyError, StoreError
from helios_core.store.database import SQL, Database, query


def test_statements_are_read_from_their_files():
    assert query("pairs_known") == (SQL / "queries" / "pairs_known.sql").read_bytes()
    with pytest.raises(StoreError, match=r"no_such\.sql"):
        query("no_such")


def test_a_block_is_one_transaction(database):
    insert = b"INSERT INTO feature_flags (flag, strategy, enabled) VALUES ('a', 'ALL_USERS', true)"

    def change_and_fail():
        with database.connection() as conn:
            conn.execute("UPDATE feature_flags SET enabled = false")
            conn.execute(insert)

    with database.connection() as conn:
        conn.execute(insert)
    with pytest.raises(psycopg.errors.UniqueViolation):
        change_and_fail()
    with database.connection() as conn:
        assert conn.execute("SELECT enabled FROM feature_flags").fetchall() == [(True,)]


def test_times_are_in_utc_and_names_are_of_helios(database):
    with database.connection() as conn:
        found = conn.execute(
            "SELECT current_setting('timezone'), current_schema(), "
            "current_setting('statement_timeout'), current_setting('application_name')"
        ).fetchone()

    assert found == ("UTC", "helios", "30s", "helios-test")


def test_a_reader_cannot_write(dsn):
    with (
        Database(dsn, application="helios-ro", read_only=True) as database,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        database.connection() as conn,
    ):
        conn.execute("DELETE FROM feature_flags")


def test_a_database_without_schema_says_how_to_get_one(empty_dsn):
    with (
        Database(empty_dsn, application="helios-test") as database,
        pytest.raises(StoreError, match="helios db migrate"),
        database.connection() as conn,
    ):
        conn.execute("SELECT * FROM market_ohlc")


def test_maintenance_runs_outside_of_any_transaction(database):
    with database.autocommit() as conn:
        conn.execute("VACUUM feature_flags")


def test_connections_that_the_server_dropped_are_replaced(dsn, database):
    with database.connection() as conn:
        pid = conn.info.backend_pid
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 1000)", (pid,))
    with database.connection() as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://u:hunter2@127.0.0.1:9/x", r"127\.0\.0\.1:9/x cannot be used"),
        ("postgresql://u:hunter2@/x?host=/nowhere", "cannot be used"),
        ("nonsense", "not an address"),
    ],
)
def test_an_address_that_leads_nowhere_is_a_dependency_error(address, words):
    with (
        Database(address, application="helios-test") as database,
        pytest.raises(DependencyError, match=words) as error,
        database.connection(),
    ):
        pass
    assert "hunter2" not in str(error.value)


def test_a_wrong_password_is_a_dependency_error_without_the_password(dsn):
    from psycopg import conninfo

    wrong = conninfo.make_conninfo(dsn, password="hunter2")
    with (
        Database(wrong, application="helios-test") as database,
        pytest.raises(DependencyError, match="password authentication failed") as error,
        database.connection(),
    ):
        pass
    assert "hunter2" not in str(error.value)

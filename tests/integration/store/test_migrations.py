"""The files of sql/schema on a real server: empty, populated, edited, interrupted."""

import shutil
import threading

import psycopg
import pytest

from helios_core.errors import DependencyError, MigrationError
from helios_core.store.database import SQL, Database
from helios_core.store.market import write_candles
from helios_core.store.migrations import capability, migrate, read_migrations, status

TABLES = {
    "market_ohlc", "orderbook_snapshots", "market_trades", "engineered_features",
    "ml_predictions", "ml_models", "volatility_forecasts", "aether_risk_decisions",
    "llm_strategic_decisions", "market_context_snapshots", "portfolio_state", "positions",
    "portfolio_snapshots", "rebalancing_events", "orders", "trade_executions", "balances",
    "system_events", "trading_mode_history", "feature_flag_history", "circuit_breaker_events",
    "runs", "feature_sets", "gap_ledger", "commands", "feature_flags", "circuit_breakers",
    "pair_rules",
}  # fmt: skip
VIEWS = {
    "v_active_positions", "v_portfolio_performance", "v_ml_accuracy", "trades_ohlc_1m",
    "trades_ohlc_5m", "trades_ohlc_15m", "ohlc_5m", "ohlc_15m",
}  # fmt: skip


def relations(dsn):
    with psycopg.connect(dsn) as conn:
        return {
            row[0]
            for row in conn.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'helios'::regnamespace"
            )
        }


@pytest.fixture
def folder(tmp_path):
    """A copy of sql/schema that a test may change."""
    copy = tmp_path / "schema"
    shutil.copytree(SQL / "schema", copy)
    return copy


def test_an_empty_database_gets_every_table_and_view(empty_dsn):
    applied = migrate(empty_dsn)
    found = status(empty_dsn)

    assert relations(empty_dsn) >= TABLES | VIEWS
    assert (len(TABLES), tuple(step.name for step in applied)) == (28, found.applied)
    assert found.pending == ()


def test_nothing_is_applied_twice(empty_dsn):
    migrate(empty_dsn)

    assert migrate(empty_dsn) == []


def test_status_changes_nothing(empty_dsn):
    found = status(empty_dsn)

    assert (found.applied, relations_exist(empty_dsn)) == ((), False)
    assert "0001_core.sql" in found.pending


def relations_exist(dsn):
    with psycopg.connect(dsn) as conn:
        return conn.execute("SELECT to_regnamespace('helios')").fetchone() != (None,)


def test_a_populated_database_keeps_its_rows_when_a_file_is_added(dsn, folder, bars):
    with Database(dsn, application="helios-test") as database, database.connection() as conn:
        write_candles(conn, bars(range(100)), "test")
    (folder / "0900_more.sql").write_text(
        "-- helios: requires any\n"
        "ALTER TABLE market_ohlc ADD COLUMN trades bigint;\n"
        "CREATE INDEX more ON market_ohlc (open_time);\n"
    )
    applied = migrate(dsn, folder)
    with psycopg.connect(dsn) as conn:
        found = conn.execute("SELECT count(*), count(trades) FROM helios.market_ohlc").fetchone()

    assert [step.name for step in applied] == ["0900_more.sql"]
    assert found == (100, 0)


def test_a_populated_database_without_rollups_computes_them_from_its_rows(empty_dsn, folder, bars):
    rollups = list(folder.glob("*rollups*"))
    kept = [(file, file.read_text()) for file in rollups]
    for file in rollups:
        file.unlink()
    migrate(empty_dsn, folder)
    with Database(empty_dsn, application="helios-test") as database:
        with database.connection() as conn:
            write_candles(conn, bars(range(10)), "test")
        for file, text in kept:
            file.write_text(text)
        migrate(empty_dsn, folder)
        with database.connection() as conn:
            found = conn.execute(
                "SELECT open, high, low, close, volume, bars FROM ohlc_5m ORDER BY open_time"
            ).fetchall()

    assert found == [
        (100.0, 105.0, 99.0, 104.5, 0.0 + 1 + 2 + 3 + 4, 5),
        (105.0, 110.0, 104.0, 109.5, 5.0 + 6 + 0 + 1 + 2, 5),
    ]


def test_an_edited_file_is_refused(dsn, folder):
    file = folder / "0002_views.sql"
    file.write_text(file.read_text() + "-- one more line\n")

    with pytest.raises(MigrationError, match=r"0002_views\.sql was edited"):
        migrate(dsn, folder)


def test_a_database_of_a_later_release_is_refused(dsn, folder):
    (folder / "0004_grants.sql").unlink()

    with pytest.raises(MigrationError, match=r"has 0004_grants\.sql, which sql/schema lacks"):
        migrate(dsn, folder)


def test_a_file_that_fails_leaves_nothing_of_it_behind(dsn, folder):
    (folder / "0900_half.sql").write_text(
        "-- helios: requires any\nCREATE TABLE half (x int);\nSELECT 1 / 0;\n"
    )
    with pytest.raises(MigrationError, match=r"0900_half\.sql failed: division by zero"):
        migrate(dsn, folder)
    (folder / "0900_half.sql").write_text("-- helios: requires any\nCREATE TABLE half (x int);\n")

    assert "half" not in relations(dsn)
    assert [step.name for step in migrate(dsn, folder)] == ["0900_half.sql"]


def test_a_file_outside_of_a_transaction_runs_statement_by_statement(dsn, folder):
    (folder / "0900_alone.sql").write_text(
        "-- helios: requires any\n-- helios: no-transaction\n"
        "CREATE TABLE alone (x int);\nCREATE INDEX CONCURRENTLY alone_x ON alone (x);\n"
    )
    migrate(dsn, folder)

    assert {"alone", "alone_x"} <= relations(dsn)


def test_the_level_of_a_server_is_recorded_with_each_file(dsn):
    with psycopg.connect(dsn) as conn:
        level = capability(conn)
        rows = conn.execute("SELECT DISTINCT capability FROM helios.schema_migrations").fetchall()

    assert rows == [(level,)]


@pytest.mark.usefixtures("server")
def test_the_embedded_server_is_plain_and_skips_what_needs_timescaledb(dsn, databases):
    if not databases.embedded:
        pytest.skip("HELIOS_TEST_DSN names another server")
    found = status(dsn)

    assert found.capability == "plain"
    assert set(found.applied) == {m.name for m in read_migrations()} - {
        "0010_hypertables.sql", "0020_rollups.tsl.sql", "0030_columnstore.tsl.sql"
    }  # fmt: skip


def test_a_server_that_has_timescaledb_gives_it_to_a_new_database(empty_dsn, databases):
    with psycopg.connect(databases.admin) as conn:
        (libraries,) = conn.execute("SHOW shared_preload_libraries").fetchone()
    migrate(empty_dsn)

    assert ("timescaledb" in libraries) == (status(empty_dsn).capability != "plain")


def test_a_server_that_lost_what_the_database_rests_on_is_refused(dsn):
    lost = next(m for m in read_migrations() if m.name == "0030_columnstore.tsl.sql")
    if lost.name in status(dsn).applied:
        pytest.skip("this server has the Community edition and cannot lose it while it runs")
    with psycopg.connect(dsn) as conn:
        conn.execute(
            "INSERT INTO helios.schema_migrations (name, sha256, capability) VALUES (%s, %s, %s)",
            (lost.name, lost.sha256, "community"),
        )

    with pytest.raises(MigrationError, match=r"needs timescaledb-tsl, but the level of the server"):
        migrate(dsn)


def test_two_processes_may_migrate_at_once(empty_dsn):
    applied, errors = [], []

    def run():
        try:
            applied.append(len(migrate(empty_dsn)))
        except MigrationError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(applied) == [0, 0, len(status(empty_dsn).applied)]


def test_an_unreachable_server_is_a_dependency_error():
    with pytest.raises(DependencyError, match="helios db up"):
        migrate("postgresql://u:p@127.0.0.1:9/x")


class TestAppendOnly:
    @pytest.mark.parametrize(
        "statement",
        ["UPDATE system_events SET level = 'debug'", "DELETE FROM system_events",
         "TRUNCATE system_events"],
    )  # fmt: skip
    def test_an_audit_table_refuses_its_owner(self, db, statement):
        db.execute("INSERT INTO system_events (level, component, event) VALUES ('info', 'a', 'b')")

        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="system_events is append"):
            db.execute(statement)

"""Who may write what: the app, the reader, and nobody on what must stay as it was recorded."""

import psycopg
import pytest
from psycopg import conninfo

from helios_core.domain.trading import Mode
from helios_core.store.books import StoredLedger
from helios_core.store.database import Database
from helios_core.store.status import database_status

pytestmark = pytest.mark.db
AUDITED = ("system_events", "trading_mode_history", "feature_flag_history",
           "circuit_breaker_events", "gate_verdicts")  # fmt: skip
FILL = {
    "system_events": "(level, component, event) VALUES ('info', 'store', 'x')",
    "trading_mode_history": "(book, mode_to, actor, reason) VALUES ('main', 'paper', 'a', 'b')",
    "feature_flag_history": "(flag, actor, reason) VALUES ('f', 'a', 'b')",
    "circuit_breaker_events": "(breaker, state_to, actor, reason) VALUES ('b', 'OPEN', 'a', 'b')",
    "gate_verdicts": "(verdict_id, model_id, passed, reason, checks, evidence)"
    " VALUES ('v', 'net-v1', false, 'r', '[]', '{}')",
}


@pytest.fixture
def as_role(dsn_of):
    """The database of the test as another role sees it."""
    return lambda role: Database(dsn_of(role), application="helios-roles")


@pytest.mark.parametrize("table", AUDITED)
def test_what_was_audited_cannot_be_changed_by_anybody(registered, as_role, table):
    registered.execute(f"INSERT INTO {table} {FILL[table]}")
    statements = (f"UPDATE {table} SET run_id = NULL", f"DELETE FROM {table}", f"TRUNCATE {table}")
    if table in {"trading_mode_history", "feature_flag_history", "circuit_breaker_events"}:
        statements = (f"UPDATE {table} SET reason = ''", *statements[1:])
    with as_role("app") as app, app.autocommit() as application:
        for connection in (registered, application):
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)

    assert registered.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def test_the_app_may_append_to_what_is_audited(registered, as_role):
    with as_role("app") as app, app.connection() as conn:
        for table in AUDITED:
            conn.execute(f"INSERT INTO {table} {FILL[table]}")

    assert registered.execute("SELECT count(*) FROM gate_verdicts").fetchone() == (1,)


def test_the_app_runs_a_whole_ledger(registered, as_role, make):
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    with as_role("app") as app:
        ledger = StoredLedger(app, Mode.PAPER, "paper")
        run = "20250131T120000-aaaa0001"
        ledger.record_decision(made, run, ledger.account("main", "ZAR", 1_000.0))
        ledger.record_fills(made, (make.fill(one, "100"),))

        assert ledger.account("main", "ZAR", 1.0).cash == 800


def test_the_reader_reads_and_writes_nothing(registered, as_role):
    with as_role("ro") as reader, reader.autocommit() as conn:
        tables = conn.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'helios'::regnamespace"
            " AND relkind IN ('r', 'v')"
        ).fetchall()
        for (table,) in tables:
            conn.execute(f"SELECT count(*) FROM {table}")
            if not table.startswith(("v_", "ohlc_", "trades_ohlc_")):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f"DELETE FROM {table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("INSERT INTO system_events (level, component, event)"
                         " VALUES ('info', 'store', 'x')")  # fmt: skip
    assert len(tables) >= 21 + 3


def test_a_change_of_mode_is_audited_by_itself(registered):
    registered.execute(
        "INSERT INTO trading_mode_history (book, mode_to, actor, reason)"
        " VALUES ('main', 'live', 'ann', 'armed')"
    )

    assert registered.execute("SELECT event, fields->>'mode_to' FROM system_events").fetchall() == [
        ("mode_changed", "live")
    ]


class Clock:
    """A clock that is an hour late."""

    def __init__(self, conn):
        self.conn = conn

    def now(self):
        return self.conn.execute("SELECT clock_timestamp() - INTERVAL '1 hour'").fetchone()[0]


def test_the_status_is_what_the_server_says(registered, dsn_of, dsn):
    found = database_status(dsn_of("ro"), Clock(registered))
    rows = {table["table"]: table["rows"] for table in found["tables"]}
    version = registered.execute("SHOW server_version_num").fetchone()[0]

    assert found["server"].startswith(f"PostgreSQL {int(version) // 10_000}.")
    assert found["level"] in {"plain", "apache", "community"}
    assert found["pending"] == []
    assert found["applied"] == rows["schema_migrations"]
    assert rows["runs"] == 1
    assert found["clock_skew_seconds"] == pytest.approx(3600, abs=5)
    assert found["size_bytes"] > sum(table["bytes"] for table in found["tables"]) > 0
    assert "password" not in found["address"]
    assert conninfo.conninfo_to_dict(dsn)["dbname"] in found["address"]


def test_the_status_of_an_empty_database_says_that_everything_is_pending(empty_dsn):
    with psycopg.connect(empty_dsn) as conn:
        found = database_status(empty_dsn, Clock(conn))

    assert (found["applied"], found["tables"]) == (0, [])
    assert "0001_core.sql" in found["pending"]

"""Rollups and what else TimescaleDB keeps: as sql/schema says, and equal to views over the rows.

Servers without it are asked what they can do too: there the rollups are views.
"""

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from helios_core.domain.market import Timeframe
from helios_core.store.copying import Merged
from helios_core.store.database import SQL
from helios_core.store.importing import ImportRequest, import_file
from helios_core.store.market import read_candles, write_candles
from helios_core.store.migrations import capability, migrate
from helios_core.store.rollups import ROLLUPS, refresh_rollups

T0 = datetime(2024, 1, 1, tzinfo=UTC)
LATER = datetime(2024, 3, 1, tzinfo=UTC)
HEAD = "open_time,open,high,low,close,volume\n"


def level(dsn):
    with psycopg.connect(dsn) as conn:
        return capability(conn)


@pytest.fixture
def community(dsn):
    found = level(dsn)
    if found != "community":
        pytest.skip(f"the rollups of this server are views, its level is {found}")
    return dsn


@pytest.fixture
def write(tmp_path):
    """Return a writer of a file with five minutes from a time on."""

    def save(start):
        file = tmp_path / f"{start:%Y%m%d}.csv"
        times = [start + timedelta(minutes=n) for n in range(5)]
        file.write_text(HEAD + "".join(f"{t:%Y-%m-%d %H:%M:%S},100,101,99,100,1\n" for t in times))
        return file

    return save


def promised(pattern, *files):
    """Return what the files of sql/schema name by a pattern with one group."""
    text = "".join((SQL / "schema" / file).read_text() for file in files)
    return re.findall(pattern, text)


def let_jobs_run(dsn):
    """Do what the server does every five minutes: store the rollups of what there is."""
    if level(dsn) != "community":
        return
    with psycopg.connect(dsn, autocommit=True) as conn:
        jobs = conn.execute(
            "SELECT job_id FROM timescaledb_information.jobs"
            " WHERE proc_name = 'policy_refresh_continuous_aggregate' ORDER BY job_id"
        ).fetchall()
        for (job,) in jobs:
            conn.execute("CALL run_job(%s)", (job,))


def shown(database, view):
    with database.connection() as conn:
        return conn.execute(f"SELECT open_time, bars FROM {view} ORDER BY 1").fetchall()


class TestWhatTheServerHas:
    @pytest.fixture
    def names(self, dsn):
        """Return a reader of one column of a view of TimescaleDB; skip where there is none."""
        if level(dsn) == "plain":
            pytest.skip("this server is plain PostgreSQL, it has no hypertables")

        def read(statement):
            with psycopg.connect(dsn) as conn:
                return sorted(row[0] for row in conn.execute(statement))

        return read

    def test_every_hypertable_of_the_schema(self, names):
        wanted = promised(r"create_hypertable\('helios\.(\w+)'", "0010_hypertables.sql")

        assert len(wanted) == 8
        assert sorted(wanted) == names(
            "SELECT hypertable_name FROM timescaledb_information.hypertables"
            " WHERE hypertable_schema = 'helios'"
        )

    @pytest.mark.usefixtures("community")
    def test_every_rollup_and_all_of_them_show_the_newest_rows_too(self, names):
        found = names(
            "SELECT view_name FROM timescaledb_information.continuous_aggregates"
            " WHERE view_schema = 'helios' AND NOT materialized_only"
        )

        assert found == sorted(ROLLUPS)

    @pytest.mark.usefixtures("community")
    def test_every_columnstore_with_its_order_and_segments(self, names):
        wanted = promised(
            r"ALTER TABLE helios\.(\w+) SET \(timescaledb\.enable_columnstore,\s+"
            r"timescaledb\.segmentby = '([^']+)', timescaledb\.orderby = '([^']+)'",
            "0030_columnstore.tsl.sql",
        )
        found = names(
            "SELECT concat_ws(' | ', hypertable::text, segmentby, orderby)"
            " FROM timescaledb_information.hypertable_columnstore_settings"
            " WHERE segmentby IS NOT NULL"
        )

        assert len(wanted) == 6
        assert [row.replace(" ", "") for row in found] == sorted(
            f"helios.{table}|{segments}|{order}".replace(" ", "")
            for table, segments, order in wanted
        )

    @pytest.mark.usefixtures("community")
    def test_every_policy_is_a_job_that_is_scheduled(self, names):
        wanted = [
            *(("refresh_continuous_aggregate", name) for name in ROLLUPS),
            *(
                (kind, name)
                for kind, word in (("compression", "columnstore"), ("retention", "retention"))
                for name in promised(
                    rf"add_{word}_policy\('helios\.(\w+)'", "0030_columnstore.tsl.sql"
                )
            ),
        ]
        found = names(
            "SELECT proc_name || ' ' || hypertable_name FROM timescaledb_information.jobs"
            " WHERE hypertable_schema = 'helios' AND scheduled"
        )

        assert len(wanted) == 5 + 6 + 1
        assert found == sorted(f"policy_{kind} {name}" for kind, name in wanted)


class TestAgainstTheViewsOfPlainServers:
    """The views of 0020_rollups.plain.sql, in a schema of their own, over the same rows."""

    @pytest.fixture
    def compare(self, community):
        def both(name):
            with psycopg.connect(community) as conn:
                conn.execute("CREATE SCHEMA IF NOT EXISTS computed")
                conn.execute("SET search_path = computed, helios, public")
                if conn.execute("SELECT to_regclass('computed.ohlc_15m')").fetchone() == (None,):
                    conn.execute((SQL / "schema" / "0020_rollups.plain.sql").read_text())
                # what is stored only: the newest rows would be computed on read here too
                conn.execute(
                    f"ALTER MATERIALIZED VIEW helios.{name}"
                    " SET (timescaledb.materialized_only = true)"
                )
                return [
                    conn.execute(f"SELECT * FROM {s}.{name} ORDER BY 1, 2").fetchall()
                    for s in ("helios", "computed")
                ]

        return both

    @staticmethod
    def agree(stored, computed):
        """Everything is equal, but sums of floats differ in the last digits by their order."""
        return len(stored) == len(computed) and all(
            mine == (pytest.approx(theirs, rel=1e-12) if isinstance(theirs, float) else theirs)
            for one, other in zip(stored, computed, strict=True)
            for mine, theirs in zip(one, other, strict=True)
        )

    @pytest.mark.parametrize(
        ("name", "rows"), [("trades_ohlc_1m", 2469), ("trades_ohlc_5m", None),
                           ("trades_ohlc_15m", None)],
    )  # fmt: skip
    def test_real_trades(self, database, compare, shared_data, name, rows):
        import_file(
            database, shared_data / "binance_XRPETH_trades_201910.feather", ImportRequest("XRPETH")
        )
        stored, computed = compare(name)

        assert self.agree(stored, computed)
        assert len(stored) == (rows or len(computed)) > 200

    @pytest.mark.parametrize(("name", "rows"), [("ohlc_5m", 8353), ("ohlc_15m", 2785)])
    def test_real_candles(self, database, compare, shared_data, name, rows):
        """41,761 minutes are 8,352 whole bars of five and 2,784 of fifteen, and one minute more."""
        import_file(
            database, shared_data / "binance_spot_BTCUSDT_1m_202412.csv", ImportRequest("BTCUSDT")
        )
        stored, computed = compare(name)

        assert self.agree(stored, computed)
        assert len(stored) == rows


class TestWhatIsWrittenIntoThePast:
    @pytest.fixture
    def now(self, dsn):
        """The server's time at the start of a bar of fifteen minutes."""
        with psycopg.connect(dsn) as conn:
            (now,) = conn.execute(
                "SELECT date_bin('15 minutes', now(), '2000-01-03 00:00:00+00')"
            ).fetchone()
        return now.astimezone(UTC)

    @pytest.mark.parametrize("view", ["ohlc_5m", "ohlc_15m"])
    def test_an_import_of_older_candles_is_visible_at_once(self, dsn, database, write, now, view):
        yesterday = now - timedelta(days=1)
        request = ImportRequest("BTCUSDT", time="open")
        import_file(database, write(yesterday), request)
        let_jobs_run(dsn)
        import_file(database, write(T0), request)

        assert shown(database, view) == [(T0, 5), (yesterday, 5)]

    @pytest.mark.parametrize("view", ["ohlc_5m", "ohlc_15m"])
    def test_the_jobs_of_the_server_find_older_candles_too(self, dsn, database, bars, now, view):
        """As they must for a role that may not refresh."""
        yesterday = now - timedelta(days=1)
        for start in (yesterday, T0):
            first = int((start - T0) / timedelta(minutes=1))
            with database.connection() as conn:
                write_candles(conn, bars(range(first, first + 5)), "test")
            let_jobs_run(dsn)

        assert shown(database, view) == [(T0, 5), (yesterday, 5)]

    def test_a_minute_that_comes_to_the_newest_bar_is_visible_at_once(self, database, bars, now):
        first = int((now - T0) / timedelta(minutes=1))
        with database.connection() as conn:
            write_candles(conn, bars([first]), "test")
        refresh_rollups(database, now - timedelta(days=1), now)
        with database.connection() as conn:
            write_candles(conn, bars([first + 1]), "test")

        assert shown(database, "ohlc_5m") == [(now, 2)]

    def test_refreshed_is_what_the_server_stores(self, dsn, database, bars):
        with database.connection() as conn:
            write_candles(conn, bars(range(20)), "test")
        done = refresh_rollups(database, T0, T0 + timedelta(minutes=19))

        assert done == (ROLLUPS if level(dsn) == "community" else ())


def test_rows_in_the_columnstore_are_merged_as_others_are(community, database, bars):
    """Fifty rows that are compressed already: ten are equal, forty are new values, ten are new."""
    old = bars(range(50))
    with database.connection() as conn:
        write_candles(conn, old, "test")
    with database.autocommit() as conn:
        chunks = conn.execute("SELECT show_chunks('market_ohlc')::text").fetchall()
        for (chunk,) in chunks:
            conn.execute("CALL convert_to_columnstore(%s::regclass)", (chunk,))
        stored = conn.execute(
            "SELECT count(*) FROM timescaledb_information.chunks"
            " WHERE hypertable_name = 'market_ohlc' AND is_compressed"
        ).fetchone()
    new = bars(range(60), price=200.0)
    mixed = old[:10].vstack(new[10:])
    with database.connection() as conn:
        done = write_candles(conn, mixed, "test")
        again = write_candles(conn, mixed, "test")
        found = read_candles(conn, "BTCUSDT", Timeframe.M1, T0, LATER)

    assert stored == (len(chunks),) == (1,)
    assert (done, again) == (Merged(10, 40, 10), Merged(0, 0, 60))
    assert found.equals(mixed)


def test_a_migration_of_rollups_that_was_killed_begins_anew(community):
    """Its statements are committed one by one; the last may be done and not be recorded."""
    with psycopg.connect(community) as conn:
        conn.execute("DELETE FROM helios.schema_migrations WHERE name = '0020_rollups.tsl.sql'")

    assert [step.name for step in migrate(community)] == ["0020_rollups.tsl.sql"]

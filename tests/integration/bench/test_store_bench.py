"""`helios bench store` on a real server, in small: agreement, clean-up, one at a time."""

import numpy as np
import psycopg
import pytest

from helios_core.bench import store
from helios_core.bench.frame import DisagreementError, run_bench
from helios_core.errors import DependencyError
from helios_core.store.database import Database, query

pytestmark = [pytest.mark.db, pytest.mark.slow]
pytest.importorskip("adbc_driver_postgresql", reason="peers are the extra `bench`")
KEYS = {"ingest_vs_executemany", "ingest_vs_adbc", "read_vs_adbc", "read_cpu_vs_adbc"}


def context(dsn, rows=5_000):
    return {"dsn": dsn, "rows": rows, "slow_rows": 500}


def schemas(dsn):
    with psycopg.connect(dsn) as conn:
        return {row[0] for row in conn.execute("SELECT nspname FROM pg_namespace")}


def test_both_sides_agree_and_nothing_is_left_behind(empty_dsn):
    report = run_bench("store", context(empty_dsn), repeats=5)

    assert set(report.figures) == KEYS
    assert all(figure.value > 0 for figure in report.figures.values())
    assert report.agreement["ingest_executemany"].startswith("500 rows")
    assert report.agreement["read_adbc"].startswith("5,000 rows")
    assert {"postgresql", "adbc-driver-postgresql"} <= set(report.versions)
    assert "helios_bench" not in schemas(empty_dsn)


def test_what_a_killed_bench_left_is_replaced(empty_dsn):
    with psycopg.connect(empty_dsn, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA helios_bench")
        conn.execute("CREATE TABLE helios_bench.bars (wrong int)")
    report = run_bench("store", context(empty_dsn), repeats=5)

    assert set(report.figures) == KEYS


def test_a_side_that_writes_other_rows_is_found_out_and_the_schema_goes(empty_dsn, monkeypatch):
    write = store._copy

    def tampered(conn, frame):
        write(conn, frame.with_columns(frame["close"] + np.spacing(frame["close"].to_numpy())))

    monkeypatch.setattr(store, "_copy", tampered)
    with pytest.raises(DisagreementError, match="the same rows"):
        run_bench("store", context(empty_dsn))

    assert "helios_bench" not in schemas(empty_dsn)


def test_a_second_bench_waits_for_the_first_to_end(empty_dsn):
    with Database(empty_dsn, application="first").autocommit() as conn:
        conn.execute(query("bench_lock"))
        with pytest.raises(DependencyError, match="another `helios bench store`"):
            run_bench("store", context(empty_dsn))

    assert "helios_bench" not in schemas(empty_dsn)

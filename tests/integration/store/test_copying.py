"""COPY in and out against what plain statements of psycopg read and write."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import psycopg
import pytest

from helios_core.errors import StoreError
from helios_core.store import copying
from helios_core.store.copying import Merged, copy_in, copy_out, merge
from helios_core.store.database import Database
from helios_core.store.encoding import BLOCK_ROWS
from helios_core.store.market import write_candles

T0 = datetime(2024, 1, 1, tzinfo=UTC)
TABLE = """
CREATE TEMPORARY TABLE scratch (
    id bigint PRIMARY KEY, t timestamptz, name text, small int2, middle int4, single float4,
    double float8, flag boolean, vector float4[], doubles float8[])
"""
COLUMNS = ["id", "t", "name", "small", "middle", "single", "double", "flag", "vector", "doubles"]


@pytest.fixture
def scratch(db):
    db.execute(TABLE)
    return db


@pytest.fixture(params=["socket", "libpq"])
def both_ways(request, monkeypatch):
    """Read from the socket, and as an encrypted connection is read."""
    if request.param == "libpq":
        monkeypatch.setattr(copying, "reads_plainly", lambda conn: False)


def rows(count, start=0):
    numbers = np.arange(start, start + count)
    missing = numbers % 11 == 3
    names = ["", "ä", "a longer name", None, "x" * 300]
    return pl.DataFrame(
        {
            "id": numbers,
            "t": [None if m else T0 + timedelta(microseconds=int(n) * 1_234_567) for n, m in
                  zip(numbers, missing, strict=True)],
            "name": [names[n % 5] for n in numbers],
            "small": pl.Series((numbers % 100).astype(np.int16)),
            "middle": pl.Series((numbers * -7).astype(np.int32)),
            "single": pl.Series((numbers / 3).astype(np.float32)),
            "double": [None if m else float(n) / 3 for n, m in zip(numbers, missing, strict=True)],
            "flag": [None if m else bool(n % 2) for n, m in zip(numbers, missing, strict=True)],
            "vector": pl.Series(
                np.stack([numbers, numbers / 7, np.full(count, np.nan)], axis=1).astype(np.float32),
                dtype=pl.Array(pl.Float32, 3),
            ),
            "doubles": pl.Series(
                np.stack([numbers, numbers / 7], axis=1).astype(np.float64),
                dtype=pl.Array(pl.Float64, 2),
            ),
        },
        schema_overrides={"t": pl.Datetime("us", "UTC")},
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 17, BLOCK_ROWS + 1])
def test_every_type_reaches_the_server_as_psycopg_reads_it(scratch, count):
    written = rows(count)
    done = copy_in(scratch, "scratch", COLUMNS, written)
    cursor = scratch.cursor(binary=True)
    found = cursor.execute("SELECT * FROM scratch ORDER BY id").fetchall()
    expected = pl.DataFrame(found, schema=written.schema, orient="row")

    assert done == count
    assert expected.equals(written)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("count", [1, 17, 30_000])
def test_every_type_is_read_as_psycopg_reads_it(scratch, count):
    written = rows(count)
    copy_in(scratch, "scratch", COLUMNS, written)
    found = copy_out(scratch, b"SELECT * FROM scratch ORDER BY id")
    plain = scratch.cursor(binary=True).execute("SELECT * FROM scratch ORDER BY id").fetchall()

    assert found.equals(pl.DataFrame(plain, schema=written.schema, orient="row"))
    assert found.equals(written)


@pytest.mark.usefixtures("both_ways")
def test_rows_of_which_most_are_equally_wide_are_all_read(scratch):
    names = pl.DataFrame({"id": range(100), "name": ["same"] * 70 + ["another one"] * 30})
    copy_in(scratch, "scratch", ["id", "name"], names)

    assert copy_out(scratch, b"SELECT id, name FROM scratch ORDER BY id").equals(names)


@pytest.mark.usefixtures("both_ways")
def test_no_rows_are_an_empty_frame_with_types(scratch):
    found = copy_out(scratch, b"SELECT id, t, name FROM scratch")

    assert (found.height, found.columns) == (0, ["id", "t", "name"])
    assert found.schema["t"] == pl.Datetime("us", "UTC")


def test_parameters_are_quoted(scratch):
    copy_in(scratch, "scratch", ["id", "name"], pl.DataFrame({"id": [1], "name": ["it's; DROP"]}))
    found = copy_out(
        scratch, b"SELECT id FROM scratch WHERE name = %(name)s", {"name": "it's; DROP"}
    )

    assert found["id"].to_list() == [1]


def test_a_schema_casts_and_must_name_the_columns(scratch):
    copy_in(scratch, "scratch", ["id", "small"], {"id": np.arange(3), "small": np.arange(3)})
    select = b"SELECT id, small FROM scratch ORDER BY id"

    assert (
        copy_out(scratch, select, schema={"id": pl.Int32, "small": pl.Int8})["small"].dtype
        == pl.Int8
    )
    with pytest.raises(StoreError, match="expected the columns"):
        copy_out(scratch, select, schema={"id": pl.Int64, "other": pl.Int64})


def test_the_connection_is_usable_after_a_refused_read(scratch):
    with pytest.raises(psycopg.errors.DivisionByZero), scratch.transaction():
        copy_out(scratch, b"SELECT 1 / (id - id) AS x FROM generate_series(1, 3) AS s(id)",
                 schema={"x": "int4"})  # fmt: skip

    assert scratch.execute("SELECT 42").fetchone() == (42,)


def test_a_read_opens_a_transaction_as_any_statement_does(dsn):
    with psycopg.connect(dsn) as conn:
        copy_out(conn, b"SELECT 1 AS x", schema={"x": "int4"})
        state = conn.info.transaction_status

    assert state == psycopg.pq.TransactionStatus.INTRANS


def test_one_large_value_is_read_whole(scratch):
    text = "0123456789" * 300_000
    found = copy_out(scratch, b"SELECT repeat('0123456789', 300000) AS text")

    assert found["text"].to_list() == [text]


@pytest.mark.parametrize(
    ("select", "words"),
    [
        (b"SELECT 1.5::numeric AS x", "cast them"),
        (b"SELECT '{}'::jsonb AS x", "cast them"),
        (b"SELECT 1 AS x, 2 AS x", "twice"),
        (b"SELECT 'infinity'::timestamptz AS t", "infinite"),
        (b"SELECT '{1,NULL}'::float8[] AS v", "holds nulls"),
    ],
)
def test_what_binary_copy_cannot_carry_is_refused(dsn, select, words):
    with psycopg.connect(dsn) as conn, pytest.raises(StoreError, match=words):
        copy_out(conn, select)


def test_a_refused_row_leaves_the_table_as_it_was(scratch):
    copy_in(scratch, "scratch", ["id"], {"id": np.arange(3)})
    with pytest.raises(psycopg.errors.UniqueViolation), scratch.transaction():
        copy_in(scratch, "scratch", ["id"], {"id": np.array([7, 8, 1])})

    assert scratch.execute("SELECT count(*) FROM scratch").fetchone() == (3,)


class TestMerge:
    def test_rows_are_counted_as_new_changed_and_unchanged(self, scratch):
        merge(scratch, "scratch", COLUMNS, rows(20), key=["id"])
        changed = rows(30).with_columns(
            pl.when(pl.col("id") < 5).then(9.0).otherwise("double").alias("double")
        )
        done = merge(scratch, "scratch", COLUMNS, changed, key=["id"])

        assert done == Merged(inserted=10, updated=5, unchanged=15)
        assert copy_out(scratch, b"SELECT * FROM scratch ORDER BY id").equals(changed)

    def test_known_rows_may_be_left_as_they_are(self, scratch):
        data = {"id": np.arange(4), "double": np.zeros(4)}
        merge(scratch, "scratch", list(data), data, key=["id"])
        more = {"id": np.arange(6), "double": np.ones(6)}
        done = merge(scratch, "scratch", list(more), more, key=["id"], update=False)

        assert done == Merged(2, 0, 4)
        assert scratch.execute("SELECT sum(double) FROM scratch").fetchone() == (2.0,)

    def test_a_row_is_replaced_when_one_of_these_columns_differs(self, scratch):
        def write(double, name):
            data = {"id": np.arange(2), "double": np.array(double), "name": name}
            return merge(scratch, "scratch", list(data), data, key=["id"], update=["double"])

        write([1.0, 2.0], "first")
        done = write([1.0, 3.0], "second")
        found = scratch.execute("SELECT double, name FROM scratch ORDER BY id").fetchall()

        assert done == Merged(0, 1, 1)
        assert found == [(1.0, "first"), (3.0, "second")]

    def test_a_key_that_comes_twice_is_refused(self, scratch):
        data = {"id": np.array([1, 1]), "double": np.array([1.0, 2.0])}

        with pytest.raises(StoreError, match="one id twice"):
            merge(scratch, "scratch", list(data), data, key=["id"])

    def test_nan_equals_itself(self, scratch):
        data = {"id": np.arange(2), "double": np.array([np.nan, 1.0])}
        merge(scratch, "scratch", list(data), data, key=["id"])

        assert merge(scratch, "scratch", list(data), data, key=["id"]) == Merged(0, 0, 2)


def test_an_error_takes_back_what_was_written(dsn, bars):
    def write_and_fail(conn):
        write_candles(conn, bars(range(5)), "test")
        conn.execute("SELECT 1 / 0")

    with Database(dsn, application="helios-test") as database:
        with pytest.raises(psycopg.errors.DivisionByZero), database.connection() as conn:
            write_and_fail(conn)
        with database.connection() as conn:
            left = conn.execute("SELECT count(*) FROM market_ohlc").fetchone()

    assert left == (0,)

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from helios_core.errors import NotFoundError, UsageError
from helios_core.store import market
from helios_core.store.export import export_table

BOOK = """
INSERT INTO orderbook_snapshots VALUES
    ('BTCUSDT', '2024-01-01', 1, '{1,2}', '{0.1,0.25}', '{3}', '{NaN}', 2, 1, 0, 'test'),
    ('BTCUSDT', '2024-01-02', 2, '{1}', '{0.5}', '{3,4,5}', '{1,2,3}', 2, 1, 0, 'test')
"""


def test_candles_survive_in_parquet_and_in_csv(database, bars, tmp_path):
    written = bars(range(20))
    with database.connection() as conn:
        market.write_candles(conn, written, "test")
    counts = [
        export_table(database, "market_ohlc", tmp_path / f"out.{k}") for k in ("csv", "parquet")
    ]
    parquet = pl.read_parquet(tmp_path / "out.parquet")
    text = pl.read_csv(tmp_path / "out.csv", try_parse_dates=True)

    assert counts == [20, 20]
    assert parquet.sort("open_time").select(written.columns).equals(written)
    assert text["close"].to_list() == written["close"].to_list()
    assert text["open_time"].dt.convert_time_zone("UTC").to_list() == written["open_time"].to_list()


def test_exact_decimals_and_json_survive_as_text(database, tmp_path):
    with database.connection() as conn:
        conn.execute("INSERT INTO balances VALUES ('paper', 'b', 'x', 'BTC', 0.100000000000000001)")
        conn.execute(
            "INSERT INTO system_events (level, component, event, fields) "
            "VALUES ('info', 'store', 'x', '{\"a\": [1, null, \"ä\"]}')"
        )
    export_table(database, "balances", tmp_path / "b.csv")
    export_table(database, "system_events", tmp_path / "e.parquet")
    with (tmp_path / "b.csv").open() as file:
        amount = next(csv.DictReader(file))["amount"]

    assert Decimal(amount) == Decimal("0.100000000000000001")
    assert json.loads(pl.read_parquet(tmp_path / "e.parquet")["fields"][0]) == {"a": [1, None, "ä"]}


def test_arrays_survive_also_where_they_differ_in_length(database, tmp_path):
    with database.connection() as conn:
        conn.execute(BOOK)
    export_table(database, "orderbook_snapshots", tmp_path / "book.parquet")
    export_table(database, "orderbook_snapshots", tmp_path / "book.csv")
    found = pl.read_parquet(tmp_path / "book.parquet").sort("seq")
    with (tmp_path / "book.csv").open() as file:
        cells = [row["bid_size"] for row in csv.DictReader(file)]

    assert found["bid_size"].to_list() == [[0.1, 0.25], [0.5]]
    assert found["ask_price"].to_list() == [[3.0], [3.0, 4.0, 5.0]]
    assert [json.loads(cell) for cell in cells] == [[0.1, 0.25], [0.5]]


def test_every_table_and_view_can_be_exported(database, tmp_path):
    with database.connection() as conn:
        names = [
            row[0]
            for row in conn.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'helios'"
            )
        ]
    sizes = {name: export_table(database, name, tmp_path / f"{name}.parquet") for name in names}

    assert {"market_ohlc", "engineered_features", "v_ml_accuracy", "ohlc_5m"} <= sizes.keys()
    assert sizes["feature_sets"] == 1
    assert sorted(p.stem for p in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("name", ["market_olhc", "pg_roles", "orders; DROP TABLE orders"])
def test_what_is_no_table_of_helios_is_not_found(database, tmp_path, name):
    with pytest.raises(NotFoundError, match="helios db status"):
        export_table(database, name, tmp_path / "x.csv")

    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_table_names_look_alikes(database, tmp_path):
    with pytest.raises(NotFoundError, match="market_ohlc"):
        export_table(database, "market_olhc", tmp_path / "x.csv")


@pytest.mark.parametrize("name", ["x.xlsx", "x", "nowhere/x.csv"])
def test_another_kind_of_file_is_a_usage_error(database, tmp_path, name):
    with pytest.raises(UsageError):
        export_table(database, "orders", tmp_path / name)


def test_a_file_that_is_there_is_replaced_whole(database, tmp_path):
    target = tmp_path / "pairs.csv"
    target.write_text("old\n" * 10_000)
    rows = export_table(database, "pair_rules", target)

    assert len(target.read_text().splitlines()) == rows + 1
    assert [p.name for p in tmp_path.iterdir()] == ["pairs.csv"]


def test_a_reader_may_export(dsn_of, tmp_path):
    from helios_core.store.database import Database

    with Database(dsn_of("ro"), application="helios-ro", read_only=True) as database:
        assert export_table(database, "pair_rules", tmp_path / "pairs.csv") > 20


def test_times_in_csv_carry_their_offset(database, bars, tmp_path):
    with database.connection() as conn:
        market.write_candles(conn, bars([0]), "test")
    export_table(database, "market_ohlc", tmp_path / "x.csv")
    with (tmp_path / "x.csv").open() as file:
        written = next(csv.DictReader(file))["open_time"]

    assert datetime.fromisoformat(written) == datetime(2024, 1, 1, tzinfo=UTC)

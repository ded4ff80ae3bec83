"""Files of market data, real and written here, through the import into a real database."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from helios_core.domain.market import CANDLE_SCHEMA, Timeframe
from helios_core.errors import DataError, DependencyError, NotFoundError, UsageError
from helios_core.store import market
from helios_core.store.copying import Merged
from helios_core.store.database import Database
from helios_core.store.importing import ImportRequest, import_file

T0 = datetime(2024, 1, 1, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
M1 = Timeframe.M1
KLINE_HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_asset_volume,number_of_trades,"
    "taker_buy_base,taker_buy_quote,ignore\n"
)


def stored(database, pair, timeframe=M1):
    with database.connection() as conn:
        return market.read_candles(conn, pair, timeframe, datetime(2010, 1, 1, tzinfo=UTC), FAR)


def gaps(database, pair, timeframe=M1):
    with database.connection() as conn:
        return market.gaps(conn, pair, timeframe)


def everything(database):
    """Return every row of market data with its place on disk: what a second import must keep."""
    with database.connection() as conn:
        return [
            conn.execute(f"SELECT xmin::text, ctid::text, t.* FROM {table} t ORDER BY t").fetchall()
            for table in ("market_ohlc", "market_trades", "gap_ledger")
        ]


def minutes(numbers, price=100.0):
    return pl.DataFrame(
        {
            "open_time": [T0 + timedelta(minutes=n) for n in numbers],
            "open": [price + n for n in numbers],
            "high": [price + n + 1 for n in numbers],
            "low": [price + n - 1 for n in numbers],
            "close": [price + n + 0.5 for n in numbers],
            "volume": [1.0 + n for n in numbers],
        },
        schema_overrides={"open_time": pl.Datetime("us", "UTC")},
    )


def expected(frame, pair="BTCUSDT", timeframe="1m"):
    named = frame.with_columns(pair=pl.lit(pair), timeframe=pl.lit(timeframe))
    return named.select(list(CANDLE_SCHEMA))


@pytest.fixture
def write(tmp_path):
    def save(text, name="candles.csv"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return save


class TestTradesOfXrpEth:
    """Binance's trades and candles of the same 3,560 minutes of October 2019."""

    REQUEST = ImportRequest("XRPETH")

    @pytest.fixture
    def files(self, shared_data):
        return (
            shared_data / "binance_XRPETH_trades_201910.feather",
            shared_data / "binance_XRPETH_1m_201910.feather",
        )

    def test_candles_of_trades_equal_those_of_the_exchange(self, database, files):
        trades, candles = files
        report = import_file(database, trades, self.REQUEST)
        sibling = pl.read_ipc(candles).rename({"date": "open_time"})
        sibling = expected(
            sibling.with_columns(pl.col("open_time").dt.cast_time_unit("us")), "XRPETH"
        )
        built = stored(database, "XRPETH")

        assert (report.layout, report.written["trades"]) == (
            "freqtrade trades",
            Merged(12477, 0, 0),
        )
        assert built.height == 2469
        assert built.equals(sibling)

    def test_minutes_without_a_trade_are_in_the_gap_ledger(self, database, files):
        report = import_file(database, files[0], self.REQUEST, run_id="run-1")
        found = gaps(database, "XRPETH")

        assert (len(found), sum(gap.missing for gap in found)) == (676, 1091)
        assert {gap.cause for gap in found} == {"no_trade"}
        assert (report.gap_runs, report.missing, report.without_trade) == (676, 1091, 1091)

    def test_importing_twice_changes_no_row(self, database, files):
        import_file(database, files[0], self.REQUEST, run_id="run-1")
        before = everything(database)
        again = import_file(database, files[0], self.REQUEST, run_id="run-2")

        assert everything(database) == before
        assert (again.inserted, again.updated, again.unchanged) == (0, 0, 2469)
        assert "trades: 0 new, 0 changed, 12,477 unchanged" in again.lines()

    def test_the_candles_of_the_exchange_change_no_candle_and_no_gap(self, database, files):
        import_file(database, files[0], self.REQUEST)
        before = gaps(database, "XRPETH")
        report = import_file(database, files[1], self.REQUEST)

        assert (report.inserted, report.updated, report.unchanged) == (0, 0, 2469)
        assert gaps(database, "XRPETH") == before
        assert "gaps: 1,091 bars in 676 runs, 1,091 of them had no trade" in report.lines()

    def test_trades_in_two_files_give_the_candles_of_one(self, database, files, tmp_path):
        """The cut is inside of a minute, whose candle needs the trades of both files."""
        trades = pl.read_ipc(files[0])
        minute = pl.from_epoch(trades["timestamp"], "ms").dt.truncate("1m")
        cut = int((minute == minute.shift()).arg_true()[3000])
        trades[:cut].write_ipc(tmp_path / "a.feather")
        trades[cut:].write_ipc(tmp_path / "b.feather")
        for name in ("a", "b"):
            import_file(database, tmp_path / f"{name}.feather", self.REQUEST)
        split = stored(database, "XRPETH")
        with database.connection() as conn:
            conn.execute("DELETE FROM market_ohlc")
        import_file(database, files[0], self.REQUEST)

        assert split.equals(stored(database, "XRPETH"))
        assert sum(gap.missing for gap in gaps(database, "XRPETH")) == 1091


class TestRealFiles:
    def test_close_times_an_hour_ahead_of_utc(self, database, shared_data):
        """The file's manifest: 41,761 minutes from 2024-11-30 23:00 UTC, named by their close."""
        file = shared_data / "binance_spot_BTCUSDT_1m_202412.csv"
        told = ImportRequest("BTCUSDT", timeframe="1m", time="close", tz="+01:00")
        first = import_file(database, file, told)
        found = stored(database, "BTCUSDT")
        raw = pl.read_csv(file)
        second = import_file(database, file, ImportRequest("BTCUSDT"))

        assert first.written["1m"] == Merged(41761, 0, 0)
        assert found["open_time"][0] == datetime(2024, 11, 30, 23, 0, tzinfo=UTC)
        assert found["open_time"][-1] == datetime(2024, 12, 29, 23, 0, tzinfo=UTC)
        assert found["close"].equals(raw["close"])
        assert (first.gap_runs, first.missing, first.zero_volume) == (0, 0, 0)
        assert second.written["1m"] == Merged(0, 0, 41761)
        assert "as the column close_datetime says" in second.time_note

    def test_longer_bars_are_those_of_whole_sets_of_minutes(self, database, shared_data):
        import_file(
            database, shared_data / "binance_spot_BTCUSDT_1m_202412.csv", ImportRequest("BTCUSDT")
        )
        m1, m15 = stored(database, "BTCUSDT"), stored(database, "BTCUSDT", Timeframe.M15)
        one = m1.filter(
            pl.col("open_time").is_between(
                datetime(2024, 12, 5, 12, 30, tzinfo=UTC), datetime(2024, 12, 5, 12, 44, tzinfo=UTC)
            )
        )
        bar = m15.row(by_predicate=pl.col("open_time") == one["open_time"][0], named=True)

        assert stored(database, "BTCUSDT", Timeframe.M5).height == 41760 // 5
        assert m15.height == 41760 // 15
        assert (bar["open"], bar["close"]) == (one["open"][0], one["close"][-1])
        assert (bar["high"], bar["low"]) == (one["high"].max(), one["low"].min())
        assert bar["volume"] == pytest.approx(one["volume"].sum())

    @pytest.mark.slow
    def test_every_file_of_candles_is_imported_as_its_manifest_says(self, database, shared_data):
        manifest = json.loads((shared_data / "manifest.json").read_text())
        entries = [row for row in manifest if row["kind"] in {"candles", "zar"}]
        wrong = []
        for entry in entries:
            pair = entry["pair"].split(" ")[0].replace("/", "")
            report = import_file(database, shared_data / entry["file"], ImportRequest(pair))
            # the manifest gives the times of the file; one file names bars by their close
            first = datetime.fromisoformat(entry["first"])
            first -= timedelta(seconds=entry["step_s"]) if first.microsecond else timedelta(0)
            told = (entry["rows"], entry["timeframe"], entry["gaps"], entry["zero_volume"])
            found = (report.rows, report.timeframe, report.gap_runs, report.zero_volume)
            if told != found or abs(report.first - first) > timedelta(milliseconds=1):
                wrong.append((entry["file"], told, found, report.first, first))

        assert len(entries) >= 10
        assert wrong == []

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("valr_BTCUSDTPERP_hourly_top_of_book_funding_202607_202608.csv", "best_bid"),
            ("dem2gbp_bollerslev_ghysels.csv", "no header"),
            ("valr_pairs.json", "none of"),
        ],
    )
    def test_other_files_are_refused(self, database, shared_data, name, words):
        with pytest.raises(DataError, match=words):
            import_file(database, shared_data / name, ImportRequest("BTCUSDT"))


class TestLayouts:
    """One market of 20 minutes, written as each layout has it, is stored the same."""

    N = range(20)

    def kline(self, unit, header):
        rows = minutes(self.N).rows()
        lines = [
            f"{int(t.timestamp()) * unit},{o},{high},{low},{c},{v},"
            f"{(int(t.timestamp()) + 60) * unit - 1},1,1,1,1,0"
            for t, o, high, low, c, v in rows
        ]
        return (KLINE_HEAD if header else "") + "\n".join(lines) + "\n"

    @pytest.mark.parametrize("header", [True, False])
    @pytest.mark.parametrize("unit", [1000, 1_000_000])
    def test_binance_klines(self, database, write, unit, header):
        report = import_file(database, write(self.kline(unit, header)), ImportRequest("BTCUSDT"))

        assert report.layout == "Binance kline"
        assert stored(database, "BTCUSDT").equals(expected(minutes(self.N)))

    def test_binance_klines_by_their_close_time(self, database, write):
        file = write(self.kline(1000, True))
        report = import_file(database, file, ImportRequest("BTCUSDT", time="close"))

        assert report.time_note == "close of each bar, as told"
        assert stored(database, "BTCUSDT").equals(expected(minutes(self.N)))

    def test_freqtrade_feather(self, database, tmp_path):
        frame = minutes(self.N).rename({"open_time": "date"})
        frame.with_columns(pl.col("date").dt.cast_time_unit("ns")).write_ipc(tmp_path / "x.feather")
        report = import_file(database, tmp_path / "x.feather", ImportRequest("BTCUSDT"))

        assert report.layout == "freqtrade candles"
        assert stored(database, "BTCUSDT").equals(expected(minutes(self.N)))

    @pytest.mark.parametrize(
        ("name", "seconds", "note"),
        [
            ("timestamp", 0, "open of each bar, as timestamp is the first moment"),
            ("Date", 0, "open of each bar, as Date is the first moment"),
            ("time", 59, "close of each bar, as time is the last moment"),
            ("close_time", 60, "close of each bar, as the column close_time says"),
            ("Start Time", 0, "open of each bar, as the column Start Time says"),
        ],
    )
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_plain_columns(self, database, tmp_path, name, seconds, note, suffix):
        shifted = pl.col("open_time") + timedelta(seconds=seconds)
        frame = minutes(self.N).with_columns(shifted).rename({"open_time": name})
        file = tmp_path / f"x.{suffix}"
        frame.write_csv(file) if suffix == "csv" else frame.write_parquet(file)
        report = import_file(database, file, ImportRequest("BTCUSDT"))

        assert report.time_note.startswith(note)
        assert stored(database, "BTCUSDT").equals(expected(minutes(self.N)))

    def test_naive_times_in_a_zone(self, database, tmp_path):
        local = pl.col("open_time").dt.convert_time_zone("Africa/Johannesburg")
        naive = minutes(self.N).with_columns(local.dt.replace_time_zone(None))
        naive.write_csv(tmp_path / "x.csv")
        request = ImportRequest("BTCUSDT", tz="Africa/Johannesburg")
        import_file(database, tmp_path / "x.csv", request)

        assert stored(database, "BTCUSDT").equals(expected(minutes(self.N)))

    def test_binance_trades_without_header(self, database, write):
        text = "".join(
            f"{i},{100 + i},{1 + i},5,{int(T0.timestamp() * 1e6) + i * 20_000_000},"
            f"{'True' if i % 2 else 'False'},True\n"
            for i in range(9)
        )
        report = import_file(database, write(text), ImportRequest("BTCUSDT"))
        with database.connection() as conn:
            sides = market.read_trades(conn, "BTCUSDT", T0, FAR)["side"].to_list()

        assert (report.layout, sides) == ("Binance trades", [1, -1] * 4 + [1])
        assert stored(database, "BTCUSDT")["close"].to_list() == [102.0, 105.0, 108.0]

    def test_a_column_with_the_pair_must_agree(self, database, tmp_path):
        frame = minutes(self.N).with_columns(symbol=pl.lit("BTC/USDT"))
        frame.write_csv(tmp_path / "good.csv")
        import_file(database, tmp_path / "good.csv", ImportRequest("BTCUSDT"))

        with pytest.raises(DataError, match="symbol holds BTC/USDT, but --pair is ETHUSDT"):
            import_file(database, tmp_path / "good.csv", ImportRequest("ETHUSDT"))


class TestParts:
    def test_a_bar_is_made_whole_by_the_next_file(self, database, tmp_path):
        minutes(range(18)).write_csv(tmp_path / "a.csv")
        minutes(range(18, 40)).write_csv(tmp_path / "b.csv")
        import_file(database, tmp_path / "a.csv", ImportRequest("BTCUSDT"))
        before = stored(database, "BTCUSDT", Timeframe.M5).height
        import_file(database, tmp_path / "b.csv", ImportRequest("BTCUSDT"))
        longer = stored(database, "BTCUSDT", Timeframe.M5)

        assert (before, longer.height) == (3, 8)
        assert longer["open"].to_list() == [100.0 + 5 * n for n in range(8)]
        assert gaps(database, "BTCUSDT", Timeframe.M5) == []

    def test_a_file_that_fills_a_hole_closes_its_gap(self, database, tmp_path):
        minutes([*range(10), *range(15, 20)]).write_csv(tmp_path / "a.csv")
        minutes(range(10, 15)).write_csv(tmp_path / "b.csv")
        first = import_file(database, tmp_path / "a.csv", ImportRequest("BTCUSDT"))
        import_file(database, tmp_path / "b.csv", ImportRequest("BTCUSDT"))

        assert (first.gap_runs, first.missing, first.without_trade) == (1, 5, 0)
        assert "gaps: 5 bars in 1 runs" in first.lines()
        assert gaps(database, "BTCUSDT") == []
        assert stored(database, "BTCUSDT", Timeframe.M15).height == 1

    def test_hourly_candles_give_no_others(self, database, tmp_path):
        hours = minutes(range(5)).with_columns(
            pl.Series("open_time", [T0 + timedelta(hours=n) for n in range(5)])
        )
        hours.write_csv(tmp_path / "a.csv")
        report = import_file(database, tmp_path / "a.csv", ImportRequest("BTCUSDT"))

        assert report.written == {"1h": Merged(5, 0, 0)}

    def test_repeated_rows_and_bars_that_are_open_are_told(self, database, tmp_path):
        with database.connection() as conn:
            now: datetime = conn.execute("SELECT date_trunc('minute', now())").fetchone()[0]
        times = [now + timedelta(minutes=n) for n in (-3, -2, -2, -1, 1)]
        frame = minutes([0, 1, 1, 2, 3]).with_columns(pl.Series("open_time", times))
        frame.write_parquet(tmp_path / "a.parquet")
        report = import_file(database, tmp_path / "a.parquet", ImportRequest("BTCUSDT"))

        assert (report.duplicates, report.unclosed, report.rows) == (1, 1, 5)
        assert report.written["1m"].inserted == 3
        assert "bars that had not closed left out: 1" in report.lines()

    def test_the_report_is_json(self, database, tmp_path):
        minutes(range(3)).write_csv(tmp_path / "a.csv")
        report = import_file(database, tmp_path / "a.csv", ImportRequest("BTCUSDT"))
        found = json.loads(json.dumps(report.to_json()))

        assert found["written"]["1m"] == {"inserted": 3, "updated": 0, "unchanged": 0}
        assert found["first"] == "2024-01-01T00:00:00+00:00"


class TestRefusals:
    """Each leaves the store as it was; the words are what a person needs to go on."""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (("close", "schluss"), "schluss.*missing close"),
            (("101.5", "oops"), "row 2: close is 'oops', expected a number"),
            (("00:02:00", "00:00:30"), "row 3: time goes backwards.*00:01:00.*00:00:30"),
            (("00:01:00", "00:00:00"), "row 2 contradicts row 1"),
            (("00:01:00", "00:01:01"), "row 2: .*00:01:01.* is not the open of a 1m bar"),
            (("102.0,100.0", "98.0,100.0"), "row 2 .*low <= open, close <= high"),
            (("101.5", "inf"), "row 2 .*positive finite prices"),
            (("101.5", "-1"), "row 2 .*positive finite prices"),
            (("2024-01-01T00:01:00.000000+0000", "someday"), "row 2: open_time 'someday'"),
            (("2.0\n", "-2.0\n"), "row 2 .*volume >= 0"),
        ],
    )
    def test_a_wrong_file_is_refused_and_nothing_is_stored(self, database, write, change, words):
        text = minutes(range(6)).write_csv()
        assert change[0] in text

        with pytest.raises(DataError, match=words):
            import_file(database, write(text.replace(*change, 1)), ImportRequest("BTCUSDT"))
        assert everything(database) == [[], [], []]

    def test_a_failure_while_writing_leaves_nothing(self, database, tmp_path, monkeypatch):
        def broken(*_):
            raise DataError("no longer bars today")

        minutes(range(30)).write_csv(tmp_path / "a.csv")
        monkeypatch.setattr("helios_core.store.bars.resample", broken)
        with pytest.raises(DataError, match="no longer bars"):
            import_file(database, tmp_path / "a.csv", ImportRequest("BTCUSDT"))

        assert everything(database) == [[], [], []]

    def test_an_unknown_pair_is_found_out_before_the_file_is_read(self, database):
        with pytest.raises(NotFoundError, match="BTCUSDT"):
            import_file(database, Path("nowhere.csv"), ImportRequest("BTCUSD"))

    def test_a_missing_file_is_not_found(self, database):
        with pytest.raises(NotFoundError, match=r"nowhere\.csv"):
            import_file(database, Path("nowhere.csv"), ImportRequest("BTCUSDT"))

    @pytest.mark.parametrize(
        "request_",
        [
            ImportRequest("BTCUSDT", timeframe="3m"),
            ImportRequest("BTCUSDT", tz="Mars"),
            ImportRequest("BTCUSDT", time="middle"),
        ],
    )
    def test_a_request_that_cannot_be_is_a_usage_error(self, database, tmp_path, request_):
        naive = minutes(range(3)).with_columns(pl.col("open_time").dt.replace_time_zone(None))
        naive.write_csv(tmp_path / "a.csv")

        with pytest.raises(UsageError):
            import_file(database, tmp_path / "a.csv", request_)

    def test_trades_give_candles_of_a_minute_only(self, database, write):
        file = write("time,id,price,amount,side\n2024-01-01T00:00:01Z,1,10,1,buy\n")

        with pytest.raises(UsageError, match="1m candles"):
            import_file(database, file, ImportRequest("BTCUSDT", timeframe="1h"))

    def test_a_database_that_is_away_is_a_dependency_error(self, tmp_path):
        with (
            Database("postgresql://u:p@127.0.0.1:9/x", application="helios-test") as away,
            pytest.raises(DependencyError),
        ):
            import_file(away, tmp_path / "a.csv", ImportRequest("BTCUSDT"))

    def test_the_app_role_may_import(self, dsn_of, tmp_path):
        minutes(range(20)).write_csv(tmp_path / "a.csv")
        with Database(dsn_of("app"), application="helios-app") as database:
            report = import_file(database, tmp_path / "a.csv", ImportRequest("BTCUSDT"))

        assert report.inserted == 20

"""Bringing data into a real database; the exchange is a stub on loopback."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from helios_core.domain.market import Timeframe
from helios_core.errors import DataError, DependencyError, NotFoundError, UsageError
from helios_core.market.candles import find_gaps, resample
from helios_core.simulator.generator import SIMULATED_PRICES, generate_market
from helios_core.store import market
from helios_core.valr.rest import PublicMarketData
from helios_core.workbench.ingest import (
    SIMULATED_START,
    Generated,
    Layout,
    bring_data,
    bring_file,
    bring_public,
    bring_simulated,
    ingest_result,
    store_of,
)

SIM = list(SIMULATED_PRICES)
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
NONE = Generated(days=1, seed=7, alpha=0.0)
FILE = """open_time,open,high,low,close,volume
2024-01-01 00:00:00,100,101,99,100.5,3
2024-01-01 00:01:00,100.5,102,100,101,2
2024-01-01 00:03:00,101,103,100,102,1
"""


def held(run, pair, timeframe=Timeframe.M1):
    with run.database.connection() as conn:
        return market.read_candles(
            conn,
            pair,
            timeframe,
            datetime(2020, 1, 1, tzinfo=UTC),
            datetime(2030, 1, 1, tzinfo=UTC),
        )


class TestSimulated:
    def test_the_store_has_the_candles_of_the_generator_their_longer_bars_and_their_gaps(self, run):
        brought = bring_simulated(run, SIM, NONE)
        made = generate_market(SIMULATED_PRICES, SIMULATED_START, 1440, 7)

        assert brought.inserted == sum(len(frame) for frame in made.values())
        for pair, frame in made.items():
            gaps = store_of(run, [pair]).gaps[pair]
            assert held(run, pair).equals(frame)
            assert held(run, pair, Timeframe.M5).equals(resample(frame, Timeframe.M5))
            assert held(run, pair, Timeframe.M15).equals(resample(frame, Timeframe.M15))
            assert [(g.start, g.end) for g in gaps] == [(g.start, g.end) for g in find_gaps(frame)]
            assert {g.cause for g in gaps} == {"no_trade"}

    def test_the_same_market_again_changes_nothing(self, run):
        first = bring_simulated(run, SIM, NONE)
        before = {pair: held(run, pair) for pair in SIM}, store_of(run, SIM)
        second = bring_simulated(run, SIM, NONE)
        after = {pair: held(run, pair) for pair in SIM}, store_of(run, SIM)

        assert (second.inserted, second.unchanged) == (0, first.inserted)
        assert all(before[0][pair].equals(after[0][pair]) for pair in SIM)
        assert (before[1].coverage, before[1].gaps) == (after[1].coverage, after[1].gaps)

    @pytest.mark.parametrize(
        "other", [Generated(1, 8, 0.0), Generated(2, 7, 0.0), Generated(1, 7, 0.1)]
    )
    def test_another_market_replaces_the_old_one_whole(self, run, other):
        bring_simulated(run, SIM, Generated(days=2, seed=9, alpha=0.0))
        bring_simulated(run, SIM, other)
        made = generate_market(
            SIMULATED_PRICES, SIMULATED_START, other.days * 1440, other.seed, alpha=other.alpha
        )
        now = store_of(run, SIM)

        assert all(held(run, pair).equals(made[pair]) for pair in SIM)
        assert all(f"seed={other.seed}" in item.source for item in now.coverage)
        assert {pair: len(gaps) for pair, gaps in now.gaps.items()} == {
            pair: len(find_gaps(made[pair])) for pair in SIM
        }

    def test_one_pair_alone_is_the_same_as_among_all(self, run):
        bring_simulated(run, SIM[1:], NONE)
        alone = held(run, SIM[1])
        bring_simulated(run, SIM, NONE)

        assert alone.equals(held(run, SIM[1]))

    @pytest.mark.parametrize("pairs", [["BTCUSDT"], [*SIM, "BTCUSDT"], []])
    def test_only_made_up_pairs_are_generated(self, run, pairs):
        with pytest.raises(UsageError, match="a generated market has the pairs SIMBTCUSDT"):
            bring_simulated(run, pairs, NONE)
        assert store_of(run, SIM).coverage == []

    @pytest.mark.parametrize("wanted", [Generated(0, 7, 0.0), Generated(1, 7, 0.9)])
    def test_a_number_out_of_range_writes_nothing(self, run, wanted):
        with pytest.raises(UsageError, match="must be from"):
            bring_simulated(run, SIM, wanted)
        assert store_of(run, SIM).coverage == []


class TestFile:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "candles.csv"
        path.write_text(FILE)
        return str(path)

    def test_one_file_is_one_pair(self, run, file):
        for pairs in (["BTCUSDT", "ETHUSDT"], []):
            with pytest.raises(UsageError, match="a file holds one pair"):
                bring_file(run, pairs, file, Layout())
        with pytest.raises(UsageError, match="a file holds one pair"):
            bring_file(run, ["BTCUSDT"], "", Layout())

    def test_a_file_is_stored_once_with_its_gap(self, run, file):
        first = bring_file(run, ["BTCUSDT"], file, Layout())
        second = bring_file(run, ["BTCUSDT"], file, Layout())
        (gap,) = store_of(run, ["BTCUSDT"]).gaps["BTCUSDT"]

        assert (first.inserted, second.inserted, second.unchanged) == (3, 0, 3)
        assert (gap.start, gap.missing) == (datetime(2024, 1, 1, 0, 2, tzinfo=UTC), 1)

    def test_the_layout_says_what_the_times_mean(self, run, file):
        bring_file(run, ["BTCUSDT"], file, Layout("1m", "close", "+01:00"))

        assert held(run, "BTCUSDT")["open_time"][0] == datetime(2023, 12, 31, 22, 59, tzinfo=UTC)

    def test_times_are_open_or_close(self, run, file):
        with pytest.raises(UsageError, match="times of a file are open or close, found 'middle'"):
            bring_file(run, ["BTCUSDT"], file, Layout(time="middle"))

    def test_a_missing_file_and_an_unknown_pair_are_not_found(self, run, file):
        with pytest.raises(NotFoundError, match=r"nowhere\.csv"):
            bring_file(run, ["BTCUSDT"], "nowhere.csv", Layout())
        with pytest.raises(NotFoundError, match="BTCUSDT"):
            bring_file(run, ["BTCUSD"], file, Layout())


class StoppedClock:
    """Stands still; sleeping costs nothing."""

    def now(self):
        return NOW

    def monotonic(self):
        return 0.0

    def sleep(self, seconds):
        pass


NOW = datetime(2025, 7, 22, 13, 0, 30, tzinfo=UTC)
RULES = {
    "symbol": "ETHZAR", "baseCurrency": "ETH", "quoteCurrency": "ZAR", "shortName": "ETH/ZAR",
    "active": True, "minBaseAmount": "0.0007", "maxBaseAmount": "69.21", "minQuoteAmount": "11",
    "maxQuoteAmount": "5000000", "tickSize": "1", "baseDecimalPlaces": "8",
    "marginTradingAllowed": True, "currencyPairType": "SPOT",
}  # fmt: skip


class Exchange:
    """Public routes of one pair at `now`; `quiet` minutes (since the epoch) have no trade."""

    def __init__(self):
        self.now, self.quiet, self.asked = NOW, set(), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(outer.answer(urlsplit(self.path))).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, url):
        if url.path == "/v1/public/time":
            return {
                "epochTime": int(self.now.timestamp()),
                "time": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        if url.path == "/v1/public/pairs":
            return [RULES]
        query = {name: int(value[0]) for name, value in parse_qs(url.query).items()}
        self.asked.append((query["startTime"], query["endTime"]))
        first = -(-query["startTime"] // 60) * 60
        last = min(query["endTime"], int(self.now.timestamp()))
        minutes = [at for at in range(first, last + 1, 60) if at // 60 not in self.quiet]
        return [bucket(at) for at in reversed(minutes)]


def bucket(at):
    price = 100 + (at // 60) % 7
    return {
        "currencyPairSymbol": "ETHZAR", "bucketPeriodInSeconds": 60,
        "startTime": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "open": str(price), "high": f"{price}.5", "low": str(price), "close": f"{price}.25",
        "volume": "0.015", "quoteVolume": "0",
    }  # fmt: skip


@pytest.fixture
def exchange():
    one = Exchange()
    yield one
    one.stop()


@pytest.fixture
def client(exchange):
    with PublicMarketData(StoppedClock(), exchange.url, timeout=5) as one:
        yield one


class TestPublic:
    def test_the_last_days_are_fetched_and_the_running_bar_is_not(self, run, client):
        brought = bring_public(run, client, ["ETHZAR"], days=1)
        frame = held(run, "ETHZAR")

        assert brought.inserted == len(frame) == 1440  # from the minute that NOW - 1 day is in
        assert frame["open_time"][0] == NOW.replace(second=0) - timedelta(days=1)
        assert frame["open_time"][-1] == NOW.replace(second=0) - timedelta(minutes=1)
        assert held(run, "ETHZAR", Timeframe.M15).equals(resample(frame, Timeframe.M15))

    def test_the_rules_of_the_exchange_replace_the_built_in_ones(self, run, client):
        bring_public(run, client, ["ETHZAR"], days=1)
        with run.database.connection() as conn:
            rules = market.pair_rules(conn, "ETHZAR")

        assert (str(rules.min_quantity), str(rules.min_notional)) == ("0.0007", "11")
        assert not rules.simulated

    def test_a_later_call_asks_only_for_what_is_missing_and_an_hour_before(
        self, run, client, exchange
    ):
        bring_public(run, client, ["ETHZAR"], days=1)
        newest = held(run, "ETHZAR")["open_time"][-1]
        exchange.asked.clear()
        exchange.now = NOW + timedelta(minutes=10)
        again = bring_public(run, client, ["ETHZAR"], days=1)

        assert (again.inserted, again.unchanged) == (
            10,
            61,
        )  # the newest minute and the hour before it
        assert (
            min(start for start, _ in exchange.asked) == (newest - timedelta(hours=1)).timestamp()
        )

    def test_fetching_twice_changes_nothing(self, run, client):
        bring_public(run, client, ["ETHZAR"], days=1)
        before = held(run, "ETHZAR"), store_of(run, ["ETHZAR"])
        again = bring_public(run, client, ["ETHZAR"], days=1)
        after = held(run, "ETHZAR"), store_of(run, ["ETHZAR"])

        assert again.inserted == 0
        assert before[0].equals(after[0])
        assert (before[1].coverage, before[1].gaps) == (after[1].coverage, after[1].gaps)

    def test_minutes_without_a_trade_are_noted_as_such(self, run, client, exchange):
        silent = NOW.replace(second=0) - timedelta(minutes=30)
        exchange.quiet = {int(silent.timestamp()) // 60 + n for n in range(3)}
        bring_public(run, client, ["ETHZAR"], days=1)
        (gap,) = store_of(run, ["ETHZAR"]).gaps["ETHZAR"]

        assert (gap.start, gap.missing, gap.cause) == (silent, 3, "no_trade")

    def test_an_unknown_pair_is_not_found_and_look_alikes_are_named(self, run, client, exchange):
        with pytest.raises(NotFoundError, match="ETHZAR"):
            bring_public(run, client, ["ETHZA"], days=1)
        assert exchange.asked == []

    def test_the_exchange_of_the_settings_is_asked(self, run, exchange, monkeypatch):
        settings = run.settings
        valr = settings.valr.model_copy(update={"base_url": exchange.url})
        run.settings = settings.model_copy(update={"valr": valr})
        brought = bring_data(
            run, ["ETHZAR"], "valr", file="", layout=Layout(), generated=Generated(1, 7, 0.0)
        )

        assert brought.source == "valr"
        assert exchange.asked

    def test_an_exchange_that_is_away_is_a_missing_dependency(self, run, exchange, client):
        exchange.stop()

        with pytest.raises(DependencyError, match="helios data import"):
            bring_public(run, client, ["ETHZAR"], days=1)


class TestSource:
    def test_stored_brings_nothing(self, run):
        brought = bring_data(
            run, SIM, "stored", file="", layout=Layout(), generated=Generated(1, 7, 0.0)
        )

        assert (brought.inserted, brought.unchanged) == (0, 0)
        assert store_of(run, SIM).coverage == []

    def test_an_unknown_source_is_refused_with_those_that_exist(self, run):
        with pytest.raises(
            UsageError, match="a source is one of simulated, valr, file, stored, found 'binance'"
        ):
            bring_data(run, SIM, "binance", file="", layout=Layout(), generated=NONE)

    def test_the_result_counts_what_the_store_holds_of_all_pairs(self, run):
        brought = bring_simulated(run, SIM, NONE)
        made = generate_market(SIMULATED_PRICES, SIMULATED_START, 1440, 7)
        result = ingest_result(run, SIM, brought)
        rows = sum(len(frame) for frame in made.values())

        assert result.simulated
        assert (result.rows, result.missing) == (rows, 2 * 1440 - rows)
        assert result.gaps == sum(len(find_gaps(frame)) for frame in made.values())
        assert (result.first, result.last) == (
            SIMULATED_START,
            SIMULATED_START + timedelta(minutes=1439),
        )
        assert result.data_as_of == result.last
        assert str(rows) in result.verdict

    def test_a_real_market_is_not_called_simulated(self, run, tmp_path):
        (tmp_path / "candles.csv").write_text(FILE)
        brought = bring_file(run, ["BTCUSDT"], str(tmp_path / "candles.csv"), Layout())

        assert ingest_result(run, ["BTCUSDT"], brought).simulated is False

    def test_an_empty_store_is_no_result(self, run):
        with pytest.raises(DataError, match="the store has no 1m candle of BTCUSDT"):
            ingest_result(
                run,
                ["BTCUSDT"],
                bring_data(run, [], "stored", file="", layout=Layout(), generated=NONE),
            )

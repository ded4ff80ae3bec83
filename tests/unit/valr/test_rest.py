"""A stand-in for the exchange on loopback; its answers have the documented shape."""

import json
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from helios_core.domain.market import Timeframe
from helios_core.errors import DataError, DependencyError, NotFoundError, UsageError
from helios_core.valr.rest import ATTEMPTS, BARS_PER_CALL, PublicMarketData, history

NOW = datetime(2025, 7, 22, 13, 0, 30, tzinfo=UTC)
PAIR = {
    "symbol": "ETHZAR", "baseCurrency": "ETH", "quoteCurrency": "ZAR", "shortName": "ETH/ZAR",
    "active": True, "minBaseAmount": "0.0002", "maxBaseAmount": "69.21", "minQuoteAmount": "10",
    "maxQuoteAmount": "5000000", "tickSize": "1", "baseDecimalPlaces": "8",
    "marginTradingAllowed": True, "currencyPairType": "SPOT", "initialMarginFraction": "0.2",
}  # fmt: skip


class StepClock:
    """Moves only when someone sleeps."""

    def __init__(self):
        self.at, self.slept = 0.0, []

    def now(self):
        return NOW

    def monotonic(self):
        return self.at

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds


class Exchange:
    """Answers like the public routes; `faults` are served first, one a request."""

    def __init__(self):
        self.requests, self.faults, self.pairs = [], [], [PAIR]
        self.missing, self.alter = set(), dict
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                if outer.faults:
                    status, headers, body = outer.faults.pop(0)
                else:
                    status, headers, body = outer.answer(urlsplit(self.path))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
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
            stamp = NOW.strftime("%Y-%m-%dT%H:%M:%S") + ".123456789Z"
            return ok({"epochTime": int(NOW.timestamp()), "time": stamp})
        if url.path == "/v1/public/pairs":
            return ok(self.pairs)
        query = {name: int(value[0]) for name, value in parse_qs(url.query).items()}
        if "ETHZAR" not in url.path:
            return refused(400, -21, "Unsupported Currency Pair")
        seconds = query["periodSeconds"]
        opens = range(query["startTime"], query["endTime"] + 1)
        starts = [t for t in opens if t % seconds == 0 and t <= NOW.timestamp()]
        if len(starts) > 300:
            return refused(400, -11, "Invalid Request")
        rows = [self.alter(bucket(t, seconds)) for t in starts if t not in self.missing]
        return ok(rows[::-1])


def bucket(at, seconds):
    start = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    price = 100 + (at // 60) % 7
    return {
        "currencyPairSymbol": "ETHZAR", "bucketPeriodInSeconds": seconds, "startTime": start,
        "open": str(price), "high": f"{price}.50", "low": str(price), "close": f"{price}.25",
        "volume": "1.5E-2", "quoteVolume": "0",
    }  # fmt: skip


def ok(body):
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def refused(status, code, message):
    body = json.dumps({"code": code, "message": message}).encode()
    return status, {"Content-Type": "application/json"}, body


HTML = {"Content-Type": "text/html"}


@pytest.fixture
def exchange():
    server = Exchange()
    yield server
    server.stop()


@pytest.fixture
def clock():
    return StepClock()


@pytest.fixture
def client(exchange, clock):
    with PublicMarketData(clock, exchange.url, timeout=5) as connection:
        yield connection


def test_time_keeps_microseconds_of_nine_digits(client):
    assert client.server_time() == NOW.replace(microsecond=123456)


def test_pairs_become_rules_and_futures_are_left_out(client, exchange):
    exchange.pairs = [
        PAIR,
        {**PAIR, "symbol": "LTCBTC", "active": False},
        {**PAIR, "symbol": "BTCUSDTPERP", "currencyPairType": "FUTURE"},
    ]
    eth, ltc = client.pairs()

    assert (eth.pair, eth.base, eth.quote, eth.tradable) == ("ETHZAR", "ETH", "ZAR", True)
    assert (eth.tick_size, eth.base_decimals) == (Decimal(1), 8)
    assert (eth.min_quantity, eth.min_notional) == (Decimal("0.0002"), Decimal(10))
    assert (ltc.pair, ltc.tradable, ltc.simulated) == ("LTCBTC", False, False)


def test_every_request_carries_both_headers(client, exchange):
    client.server_time()
    headers = exchange.requests[0][1]

    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "helios-desk"


def test_candles_come_in_pages_sorted_and_without_the_running_bar(client, exchange):
    start = NOW.replace(second=0) - timedelta(minutes=700)
    frame = client.candles("ETHZAR", Timeframe.M1, start, NOW)
    calls = [path for path, _ in exchange.requests if "buckets" in path]

    assert frame.height == 700
    assert frame["open_time"][0] == start
    assert frame["open_time"][-1] == NOW.replace(second=0) - timedelta(minutes=1)
    assert frame["volume"][0] == 0.015
    assert len(calls) == -(-701 // BARS_PER_CALL)


def test_minutes_without_a_trade_stay_missing(client, exchange):
    start = NOW.replace(second=0) - timedelta(minutes=10)
    exchange.missing = {int(start.timestamp()) + 60, int(start.timestamp()) + 120}
    frame = client.candles("ETHZAR", Timeframe.M1, start, NOW)

    assert frame.height == 8


def test_history_ends_with_the_last_bar_that_closed_by_the_exchange_clock(client):
    frame = history(client, "ETHZAR", Timeframe.H1, timedelta(hours=5))

    assert frame["open_time"].to_list() == [
        NOW.replace(hour=h, minute=0, second=0) for h in (8, 9, 10, 11, 12)
    ]


def test_an_empty_range_gives_an_empty_frame(client, exchange):
    start = NOW + timedelta(days=1)
    frame = client.candles("ETHZAR", Timeframe.M1, start, start + timedelta(hours=1))

    assert frame.is_empty()


@pytest.mark.parametrize(
    "fault",
    [
        (429, {**HTML, "x-valr-ratelimited": "true"}, b"<html>slow down</html>"),
        (503, HTML, b"maintenance"),
        (400, HTML, b"<html>bad request</html>"),
    ],
)
def test_a_passing_fault_is_waited_out(client, exchange, clock, fault):
    exchange.faults = [fault, fault]

    assert client.server_time().year == 2025
    assert len(exchange.requests) == 3
    assert clock.slept == [0.5, 1.0]


def test_a_pause_that_the_exchange_asks_for_is_kept_within_reason(client, exchange, clock):
    exchange.faults = [(429, {"Retry-After": "7"}, b""), (429, {"Retry-After": "9999"}, b"")]
    client.server_time()

    assert clock.slept == [7.0, 30.0]


def test_a_lasting_fault_ends_after_a_bounded_number_of_attempts(client, exchange):
    exchange.faults = [(503, HTML, b"")] * 50

    with pytest.raises(DependencyError, match=r"HTTP 503.*helios data import"):
        client.server_time()
    assert len(exchange.requests) == ATTEMPTS


def test_an_exchange_that_cannot_be_reached_is_a_missing_dependency(exchange, clock):
    exchange.stop()
    with (
        PublicMarketData(clock, exchange.url, timeout=1) as client,
        pytest.raises(DependencyError, match="ConnectError"),
    ):
        client.pairs()
    exchange.server.socket.close()


def test_an_unknown_pair_is_not_found_and_not_asked_for_again(client, exchange):
    with pytest.raises(NotFoundError, match="does not know the pair"):
        client.candles("NOSUCH", Timeframe.M1, NOW - timedelta(minutes=5), NOW)
    assert len(exchange.requests) == 2


def test_a_refused_request_says_what_the_exchange_said(client, exchange):
    exchange.faults = [refused(400, -11, "Invalid Request")]

    with pytest.raises(DataError, match="code -11: Invalid Request"):
        client.pairs()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"close": "NaN"}, "close: .*plain decimal"),
        ({"close": "114,953"}, "plain decimal"),
        ({"open": "0"}, "greater than 0"),
        ({"high": "1"}, "impossible"),
        ({"startTime": "yesterday"}, "startTime"),
        ({"currencyPairSymbol": "BTCZAR"}, "found one of BTCZAR"),
        ({"bucketPeriodInSeconds": 300}, "found one of ETHZAR with 300"),
    ],
)
def test_a_candle_that_cannot_be_true_is_refused(client, exchange, change, message):
    exchange.alter = lambda row: {**row, **change}

    with pytest.raises(DataError, match=message):
        client.candles("ETHZAR", Timeframe.M1, NOW - timedelta(minutes=5), NOW)


def test_an_answer_that_is_not_json_is_refused(client, exchange):
    exchange.faults = [(200, {"Content-Type": "application/json"}, b"<html>")]

    with pytest.raises(DataError, match="list of pairs cannot be read"):
        client.pairs()


def test_calls_of_one_kind_keep_their_distance(client, clock):
    for _ in range(3):
        client.pairs()

    assert clock.slept == pytest.approx([2.4, 2.4])


def test_times_must_be_aware_and_in_order(client):
    with pytest.raises(UsageError, match="aware times in order"):
        client.candles("ETHZAR", Timeframe.M1, NOW, NOW)

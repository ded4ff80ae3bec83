"""Books rebuilt from recorded frames, and every way in which a frame can fail to fit."""

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from helios_core.errors import DataError
from helios_core.valr.book import Book, Cause, Entry, Frame
from helios_core.valr.book_messages import read_frame

NOW = datetime(2026, 9, 23, 3, 14, 37, tzinfo=UTC)
LIMIT = timedelta(seconds=45)
PERP = "BTCUSDTPERP"


def level_frame(kind, sequence, bids, asks, checksum, pair=PERP):
    data = {"lc": 1790133277857, "a": asks, "b": bids, "sq": sequence, "cs": checksum}
    return json.dumps({"type": f"OB_L1_{kind}", "ps": pair, "d": data}).encode()


def crc(text):
    return zlib.crc32(text.encode())


def opened():
    """A book of one bid and two asks at sequence 10."""
    book = Book(PERP)
    checksum = crc("99:2:101:1:102:5")
    snapshot = level_frame("SNAPSHOT", 10, [["99", "2"]], [["101", "1"], ["102", "5"]], checksum)

    assert book.apply(read_frame(snapshot), NOW) is None

    return book


def change(sequence, bids, asks, text):
    return read_frame(level_frame("DIFF", sequence, bids, asks, crc(text)))


def prices(levels):
    return [(str(price), str(quantity)) for price, quantity in levels]


@pytest.fixture(scope="module")
def recording():
    """BTCZAR of 2023-08-25: a snapshot and the 12 updates that followed it.

    From the test data of the VALR connector of robgarden/hummingbot (Apache-2.0). Of 633 and 679
    levels the snapshot keeps the best 29 a side, which is all that the checksums reach.
    """
    path = Path(__file__).with_name("full_orderbook_btczar.jsonl")
    return path.read_bytes().splitlines()


@pytest.mark.parametrize(
    ("bids", "asks", "checksum"),
    [
        ([["45147", "0.011"], ["45121", "0.00169"]], [["45363", "0.01102078"]], 652179016),
        ([], [["45363", "0.01102078"]], 4005133974),
        ([], [], 0),
    ],
)
def test_the_checksum_of_a_snapshot_by_price_is_that_of_the_documented_rule(bids, asks, checksum):
    book = Book(PERP)
    book.apply(read_frame(level_frame("SNAPSHOT", 1, bids, asks, checksum)), NOW)

    assert book.stale is None
    assert book.checksum() == checksum


def test_every_recorded_frame_by_order_follows_and_sums_up(recording):
    book = Book("BTCZAR")
    results = [book.apply(read_frame(line), NOW) for line in recording]

    assert results == [None] * 13
    assert book.sequence == 1652084332
    assert book.checksum() == json.loads(recording[-1])["data"]["Checksum"]


@pytest.mark.parametrize("missing", range(1, 12))
def test_a_recorded_frame_that_is_lost_is_noticed_at_the_next(recording, missing):
    book = Book("BTCZAR")
    for line in recording[:missing]:
        book.apply(read_frame(line), NOW)
    found = book.apply(read_frame(recording[missing + 1]), NOW)

    assert found.cause is Cause.SEQUENCE


def test_the_recorded_frames_by_price_follow_each_other():
    """The recorded snapshot was cut to three levels, so its checksum can only be wrong."""
    snapshot = read_frame(
        b'{"type":"OB_L1_SNAPSHOT","ps":"BTCUSDTPERP","d":{"lc":1790133277857,'
        b'"a":[["86491","0.0598"],["86503","0.04"],["86504","0.0995"]],'
        b'"b":[["86476","0.0115"],["86453","0.04"],["86452","0.0682"]],"sq":907135,"cs":915468303}}'
    )
    following = read_frame(
        b'{"type":"OB_L1_DIFF","ps":"BTCUSDTPERP","d":{"lc":1790133283064,'
        b'"a":[["86503","0"],["86516","0.04"]],"b":[],"sq":907136,"cs":4082567684}}'
    )

    assert following.sequence == snapshot.sequence + following.step
    assert Book(PERP).apply(snapshot, NOW).cause is Cause.CHECKSUM


def test_a_change_sets_adds_and_removes_levels_by_price_and_not_by_place():
    book = opened()
    book.apply(
        change(11, [["98", "1"]], [["102", "0"], ["100.5", "3"]], "99:2:100.5:3:98:1:101:1"), NOW
    )

    assert book.stale is None
    assert prices(book.bids()) == [("99", "2"), ("98", "1")]
    assert prices(book.asks()) == [("100.5", "3"), ("101", "1")]
    assert prices(book.asks(1)) == [("100.5", "3")]


def test_a_price_that_is_spelled_anew_is_the_same_level_and_summed_as_it_was_sent():
    book = opened()
    book.apply(change(11, [["99.0", "2.50"]], [], "99.0:2.50:101:1:102:5"), NOW)

    assert book.stale is None
    assert [level.quantity for level in book.bids()] == [Decimal("2.5")]


def test_removing_an_unknown_level_changes_nothing():
    book = opened()

    assert book.apply(change(11, [["50", "0.000"]], [], "99:2:101:1:102:5"), NOW) is None


@pytest.mark.parametrize("sequence", [9, 10, 12, 500])
def test_a_frame_that_does_not_follow_marks_the_book_stale(sequence):
    book = opened()
    found = book.apply(change(sequence, [], [["101", "0"]], "99:2:102:5"), NOW)

    assert found.cause is Cause.SEQUENCE
    assert (found.expected, found.found) == ("sequence 11", str(sequence))


def test_a_wrong_checksum_marks_the_book_stale():
    book = opened()
    found = book.apply(change(11, [], [["101", "0"]], "99:2:101:1:102:5"), NOW)

    assert found.cause is Cause.CHECKSUM


def test_a_crossed_book_is_stale_even_if_its_checksum_is_right():
    book = opened()
    found = book.apply(change(11, [["101", "1"]], [], "101:1:101:1:99:2:102:5"), NOW)

    assert found.cause is Cause.CROSSED


def test_a_stale_book_heals_by_a_snapshot_only():
    book = opened()
    book.apply(change(12, [], [], "99:2:101:1:102:5"), NOW)
    after_the_right_frame = book.apply(change(11, [], [], "99:2:101:1:102:5"), NOW)
    book.apply(read_frame(level_frame("SNAPSHOT", 3, [["7", "1"]], [], crc("7:1"))), NOW)

    assert after_the_right_frame.cause is Cause.SEQUENCE
    assert book.stale is None
    assert (prices(book.bids()), book.asks(), book.sequence) == ([("7", "1")], (), 3)


def test_a_snapshot_with_a_wrong_checksum_does_not_heal():
    book = opened()
    book.disconnect()
    found = book.apply(read_frame(level_frame("SNAPSHOT", 20, [["7", "1"]], [], 1)), NOW)

    assert found.cause is Cause.CHECKSUM


@pytest.mark.parametrize("side", ["bids", "asks"])
def test_a_stale_book_shows_no_prices(side):
    book = opened()
    book.disconnect()

    with pytest.raises(DataError, match="the connection was lost; subscribe again"):
        getattr(book, side)()


def test_a_new_book_is_stale_and_takes_no_change():
    book = Book(PERP)

    assert book.apply(change(11, [], [], ""), NOW).cause is Cause.NO_SNAPSHOT
    assert book.staleness(NOW, LIMIT).cause is Cause.NO_SNAPSHOT


def test_a_quiet_book_is_fresh_as_long_as_the_connection_gives_signs_of_life():
    book = opened()
    fresh = book.staleness(NOW + LIMIT, LIMIT)
    silent = book.staleness(NOW + LIMIT + timedelta(microseconds=1), LIMIT)
    book.heard(NOW + LIMIT)
    book.heard(NOW)  # an older sign changes nothing

    assert fresh is None
    assert silent.cause is Cause.SILENCE
    assert book.staleness(NOW + 2 * LIMIT, LIMIT) is None


def test_an_order_that_changes_keeps_its_place_and_a_new_one_goes_to_the_end():
    def update(kind, sequence, orders, text):
        rows = [{"Price": "99", "Orders": [{"orderId": i, "quantity": q} for i, q in orders]}]
        data = {"LastChange": 1, "Asks": [], "Bids": rows, "SequenceNumber": sequence,
                "Checksum": crc(text)}  # fmt: skip
        message = {"type": f"FULL_ORDERBOOK_{kind}", "currencyPairSymbol": PERP, "data": data}
        return read_frame(json.dumps(message).encode())

    book = Book(PERP)
    book.apply(update("SNAPSHOT", 5, [("a", "1"), ("b", "2")], "a:1:b:2"), NOW)
    book.apply(update("UPDATE", 7, [("a", "0.5"), ("c", "3")], "a:0.5:b:2:c:3"), NOW)

    assert book.stale is None
    assert prices(book.bids()) == [("99", "5.5")]


def test_the_quantity_of_a_level_is_added_exactly():
    big, small = Decimal("99999999999999999999"), Decimal("0.00000000000000000001")
    entries = (Entry(Decimal(1), "a", big, ""), Entry(Decimal(1), "b", small, ""))
    book = Book(PERP)
    book.apply(Frame(PERP, True, 1, 0, None, 0, entries, ()), NOW)

    assert str(book.bids()[0].quantity) == "99999999999999999999.00000000000000000001"


def test_a_frame_of_another_pair_is_refused():
    with pytest.raises(DataError, match="of BTCUSDTPERP was given a frame of ETHZAR"):
        opened().apply(read_frame(level_frame("DIFF", 11, [], [], 0, pair="ETHZAR")), NOW)


@pytest.mark.parametrize(
    "rows",
    [
        [["0,00102078", "1"]], [["NaN", "1"]], [["1", "Infinity"]], [["-1", "1"]], [["1", "-1"]],
        [["0", "1"]], [["0.00", "1"]], [["1", ""]], [["1"]], [[1.5, "1"]], [["٣", "1"]],
        [["1E+999999", "1"]], [["1", "1", "1"]], [["1\n", "1"]],
    ],
)  # fmt: skip
def test_a_number_that_is_not_plain_is_refused(rows):
    with pytest.raises(DataError, match="order book message cannot be read"):
        read_frame(level_frame("DIFF", 1, rows, [], 0))


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"{}", b'{"type":"PONG"}', b'{"type":"OB_L1_DIFF"}', b"\xff\xfe",
     level_frame("DIFF", -1, [], [], 0), level_frame("DIFF", "1", [], [], 0),
     level_frame("DIFF", 1, [], [], 2**32)],
)  # fmt: skip
def test_a_message_of_another_shape_is_refused(payload):
    with pytest.raises(DataError, match="order book message cannot be read"):
        read_frame(payload)


def binance_entries(rows):
    return tuple(Entry(Decimal(p), "", Decimal(q), "") for p, q in rows)


def binance_frames(messages):
    """Binance names the first and last update of a change; it sends no checksum."""
    start = next(m for m in messages if "lastUpdateId" in m)
    last = start["lastUpdateId"]
    sides = binance_entries(start["bids"]), binance_entries(start["asks"])
    yield Frame("BTCUSDT", True, last, 0, None, 0, *sides)
    for data in (m["data"] for m in messages if "@depth" in m.get("stream", "")):
        if data["u"] > last:
            step = data["u"] - max(data["U"] - 1, last)  # the first may reach back before the start
            sides = binance_entries(data["b"]), binance_entries(data["a"])
            yield Frame("BTCUSDT", False, data["u"], step, None, data["E"], *sides)


def test_a_real_recording_gives_the_best_prices_that_the_exchange_sent_beside_it(shared_data):
    """Binance sends bookTicker apart from the changes; both name the update they belong to."""
    messages = []
    for day in ("20240808", "20240809"):
        with gzip.open(shared_data / f"binance_spot_BTCUSDT_l2_{day}.gz") as lines:
            messages += [json.loads(line.split(b" ", 1)[1]) for line in lines]
    tickers = {
        m["data"]["u"]: [(m["data"]["b"], m["data"]["B"]), (m["data"]["a"], m["data"]["A"])]
        for m in messages
        if "@bookTicker" in m.get("stream", "")
    }
    book, expected, found = Book("BTCUSDT"), [], []
    for frame in binance_frames(messages):
        book.apply(frame, NOW)
        if not frame.snapshot and frame.sequence in tickers:
            expected.append(tickers[frame.sequence])
            found.append(prices(book.bids(1) + book.asks(1)))

    assert len(expected) > 1000
    assert found == expected

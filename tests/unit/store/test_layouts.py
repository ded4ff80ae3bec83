import pytest

from helios_core.errors import DataError
from helios_core.store.layouts import BINANCE_TRADES, KLINE, recognise

PRICES = ["open", "high", "low", "close", "volume"]


@pytest.mark.parametrize(
    ("columns", "name", "time", "edge"),
    [
        (list(KLINE), "Binance kline", "open_time", "open"),
        (["date", *PRICES], "freqtrade candles", "date", None),
        (["Timestamp", "Open", "High", "Low", "Close", "Volume"], "OHLCV", "Timestamp", None),
        (["startTime", *PRICES, "quoteVolume"], "OHLCV", "startTime", "open"),
        ([*PRICES, "quote_volume", "trades", "close_datetime"], "OHLCV", "close_datetime", "close"),
        (["timestamp", *PRICES, "close_time"], "OHLCV", "timestamp", "open"),
        (["Open Time", "O", "H", "L", "C", "Vol"], "OHLCV", "Open Time", "open"),
        (["Symbol", "Timestamp", "Date", *PRICES], "OHLCV", "Timestamp", None),
    ],
)
def test_candles_are_recognised(columns, name, time, edge):
    layout = recognise(columns)

    assert (layout.name, layout.kind) == (name, "candles")
    assert (layout.columns["time"], layout.edge) == (time, edge)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (["timestamp", "id", "type", "side", "price", "amount", "cost"], "freqtrade trades"),
        (list(BINANCE_TRADES), "Binance trades"),
        (["tradedAt", "sequenceId", "price", "quantity", "takerSide"], "trades"),
    ],
)
def test_trades_are_recognised(columns, name):
    layout = recognise(columns)

    assert (layout.name, layout.kind) == (name, "trades")


def test_a_person_may_choose_the_close_time_where_a_file_has_both():
    layout = recognise(list(KLINE), "close")

    assert (layout.columns["time"], layout.edge) == ("close_time", "close")


def test_the_price_is_not_mistaken_for_the_close_time():
    assert recognise(["close_time", *PRICES]).columns["close"] == "close"


def test_a_column_with_the_pair_is_found():
    assert recognise(["Symbol", "date", *PRICES]).symbol == "Symbol"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["date", "open", "high", "low", "schluss", "volume"], ["schluss", "missing close"]),
        (PRICES, ["missing time"]),
        (["time", "price", "amount"], ["missing trade_id, side"]),
        (["utc_time", "best_bid", "best_ask"], ["best_bid", "missing open, high, low"]),
    ],
)
def test_another_layout_is_told_what_was_found_and_what_was_expected(columns, words):
    with pytest.raises(DataError) as error:
        recognise(columns)

    assert all(word in str(error.value) for word in [*words, "Expected candles with a time"])

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from helios_core.domain.market import Timeframe
from helios_core.errors import DataError
from helios_core.store.checking import check_candles, check_trades
from helios_core.store.layouts import recognise

T0 = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2025, 1, 1, tzinfo=UTC)
NAMES = ["time", "open", "high", "low", "close", "volume"]


def table(*rows):
    """Rows of (minute, open, high, low, close, volume)."""
    return pl.DataFrame(
        [(T0 + timedelta(minutes=minute), *rest) for minute, *rest in rows],
        schema=NAMES,
        orient="row",
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))


def good(minutes):
    return [(minute, 100.0, 101.0, 99.0, 100.5, 2.0) for minute in minutes]


def candles(rows, **more):
    return check_candles(table(*rows), recognise(NAMES), "BTCUSDT", NOW, **more)


def test_good_candles_come_back_as_they_are():
    found = candles(good(range(4)))

    assert found.frame["open_time"].to_list() == [T0 + timedelta(minutes=m) for m in range(4)]
    assert (found.timeframe, found.edge, found.duplicates) == (Timeframe.M1, "open", 0)


@pytest.mark.parametrize(
    ("minutes", "timeframe"),
    [
        ([0, 1, 2, 7, 8], Timeframe.M1),
        ([0, 5, 10, 40, 45], Timeframe.M5),
        ([0, 15, 30, 60], Timeframe.M15),
        ([0, 60, 120], Timeframe.H1),
        ([0, 1440, 2880], Timeframe.D1),
    ],
)
def test_the_most_frequent_step_is_the_timeframe(minutes, timeframe):
    assert candles(good(minutes)).timeframe == timeframe


def test_steps_of_another_length_are_refused_with_what_can_be_stored():
    with pytest.raises(DataError, match=r"0:03:00 apart; candles of 1m, 5m"):
        candles(good([0, 3, 6]))


def test_one_bar_alone_needs_a_timeframe():
    with pytest.raises(DataError, match="give --timeframe"):
        candles(good([0]))

    assert candles(good([0]), timeframe=Timeframe.H1).frame["timeframe"].to_list() == ["1h"]


def test_longer_bars_are_not_taken_for_the_timeframe_that_was_told():
    with pytest.raises(DataError, match="step by 5m"):
        candles(good([0, 5, 10, 15]), timeframe=Timeframe.M1)


def test_shorter_bars_are_not_taken_for_the_timeframe_that_was_told():
    with pytest.raises(DataError, match=r"row 2: .*not the open of a 5m bar"):
        candles(good([0, 1, 2]), timeframe=Timeframe.M5)


@pytest.mark.parametrize("early", [0, 1, 1_000, 1_000_000])
def test_close_times_may_be_the_end_or_the_last_moment_of_a_bar(early):
    rows = table(*good([1, 2, 3])).with_columns(
        pl.col("time") - pl.duration(microseconds=early, time_unit="us")
    )
    found = check_candles(rows, recognise(NAMES), "BTCUSDT", NOW, edge="close")

    assert found.frame["open_time"].to_list() == [T0 + timedelta(minutes=m) for m in range(3)]


def test_times_just_before_the_end_of_each_bar_are_close_times():
    rows = table(*good([1, 2, 3])).with_columns(pl.col("time") - timedelta(milliseconds=1))
    found = check_candles(rows, recognise(NAMES), "BTCUSDT", NOW)

    assert (found.edge, found.frame["open_time"][0]) == ("close", T0)
    assert "last moment" in found.reason


def test_a_column_of_close_times_is_one_without_being_told():
    names = ["close_time", *NAMES[1:]]
    found = check_candles(table(*good([1, 2])), recognise(names), "BTCUSDT", NOW)

    assert (found.edge, found.frame["open_time"][0]) == ("close", T0)
    assert "close_time says" in found.reason


def test_times_off_the_grid_are_refused():
    rows = table(*good([0, 1, 2])).with_columns(pl.col("time") + timedelta(seconds=7))

    with pytest.raises(DataError, match=r"row 1: .*00:00:07.* is not the open of a 1m bar"):
        check_candles(rows, recognise(NAMES), "BTCUSDT", NOW)


def test_equal_rows_are_dropped_and_counted():
    found = candles([*good([0, 1, 1, 1]), *good([2])])

    assert (found.frame.height, found.duplicates) == (3, 2)


def test_rows_that_contradict_each_other_are_refused():
    with pytest.raises(DataError, match=r"row 3 contradicts row 2: .*close 100.5.*close 100.7"):
        candles([*good([0, 1]), (1, 100.0, 101.0, 99.0, 100.7, 2.0)])


def test_time_going_backwards_is_refused_with_both_times():
    with pytest.raises(DataError, match=r"row 3: .*2024-01-01 00:02.*2024-01-01 00:01"):
        candles(good([0, 2, 1, 3]))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ((1, 100.0, 99.9, 99.0, 99.5, 1.0), "low <= open, close <= high"),
        ((1, 100.0, 101.0, 100.2, 100.5, 1.0), "low <= open, close <= high"),
        ((1, 0.0, 101.0, 0.0, 100.5, 1.0), "positive finite prices"),
        ((1, -5.0, 101.0, -6.0, 100.5, 1.0), "positive finite prices"),
        ((1, float("nan"), 101.0, 99.0, 100.5, 1.0), "positive finite prices"),
        ((1, 100.0, float("inf"), 99.0, 100.5, 1.0), "positive finite prices"),
        ((1, 100.0, 101.0, 99.0, 100.5, -1.0), "volume >= 0"),
        ((1, 100.0, 101.0, 99.0, 100.5, float("nan")), "volume >= 0"),
    ],
)
def test_impossible_candles_are_refused_with_their_row(bad, words):
    with pytest.raises(DataError, match=rf"row 2 .*{words}.*1 of 3 rows"):
        candles([*good([0]), bad, *good([2])])


@pytest.mark.parametrize(
    ("text", "shown"), [("oops", "'oops'"), ("1,5", "'1,5'"), ("", "''"), (None, "is empty")]
)
def test_text_in_a_price_is_refused_with_its_row(text, shown):
    rows = table(*good([0, 1])).with_columns(close=pl.Series(["100.5", text]))

    with pytest.raises(DataError, match=f"row 2: close .*{shown}.* expected a number"):
        check_candles(rows, recognise(NAMES), "BTCUSDT", NOW)


def test_bars_without_volume_are_counted():
    found = candles([*good([0]), (1, 1.0, 1.0, 1.0, 1.0, 0.0), *good([2])])

    assert found.zero_volume == 1


@pytest.mark.parametrize(("seconds", "kept"), [(0, 2), (59, 2), (60, 3), (120, 4)])
def test_a_bar_that_has_not_closed_is_left_out(seconds, kept):
    now = T0 + timedelta(minutes=2, seconds=seconds)
    found = check_candles(table(*good(range(4))), recognise(NAMES), "BTCUSDT", now)

    assert (found.frame.height, found.unclosed) == (kept, 4 - kept)


def test_a_file_of_the_future_is_refused():
    with pytest.raises(DataError, match="only closed bars"):
        check_candles(table(*good(range(4))), recognise(NAMES), "BTCUSDT", T0)


def trades(named="side", **changes):
    columns = {
        "time": [T0, T0, T0 + timedelta(seconds=1)],
        "trade_id": ["1", "2", "3"],
        "price": ["10", "11", "12"],
        "quantity": ["1", "2", "3"],
        "side": ["buy", "SELL", "s"],
    } | changes
    frame = pl.DataFrame(columns).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    return check_trades(frame, recognise(["time", "id", "price", "amount", named]), "BTCUSDT")


def test_good_trades_come_back_as_numbers():
    found = trades()

    assert found.frame["side"].to_list() == [1, -1, -1]
    assert found.frame["trade_id"].to_list() == [1, 2, 3]


def test_a_resting_buyer_means_that_the_aggressor_sold():
    found = trades("is_buyer_maker", side=["True", "false", "true"])

    assert found.frame["side"].to_list() == [-1, 1, -1]


def test_equal_trades_are_dropped_and_others_with_their_id_refused():
    same = trades(trade_id=["1", "1", "3"], price=["10", "10", "12"], quantity=["1", "1", "3"],
                  side=["buy", "buy", "buy"])  # fmt: skip

    assert (same.frame.height, same.duplicates) == (2, 1)
    with pytest.raises(DataError, match="row 2 contradicts row 1"):
        trades(trade_id=["1", "1", "3"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"side": ["buy", "up", "sell"]}, "row 2: side is 'up'"),
        ({"trade_id": ["1", "x-2", "3"]}, "row 2: id is 'x-2', expected a whole number"),
        ({"price": ["10", "0", "3"]}, "row 2 .*positive price"),
        ({"quantity": ["10", "2", "inf"]}, "row 3 .*positive price and amount"),
        ({"price": ["10", "ten", "3"]}, "row 2: price is 'ten'"),
        ({"time": [T0, T0 - timedelta(hours=1), T0]}, "row 2: time goes backwards"),
    ],
)
def test_wrong_trades_are_refused_with_their_row(changes, words):
    with pytest.raises(DataError, match=words):
        trades(**changes)

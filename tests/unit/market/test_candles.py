"""Candles from trades, longer candles, gaps: against real files and by hand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from helios_core.domain.market import CANDLE_SCHEMA, TRADE_SCHEMA, Timeframe
from helios_core.errors import DataError, UsageError
from helios_core.market.candles import find_gaps, resample, trades_to_candles

T0 = datetime(2024, 1, 1, tzinfo=UTC)


def trades(rows):
    columns = ("ts", "trade_id", "price", "quantity")
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    named = frame.with_columns(pair=pl.lit("SIMX"), side=pl.lit(1))
    return named.select(*TRADE_SCHEMA).cast(TRADE_SCHEMA)


def minutes(count, start=T0, timeframe="1m"):
    rng = np.random.default_rng(3)
    close = 100 + rng.normal(0, 1, count).cumsum() * 0.01
    open_ = np.append(100.0, close)[:count]
    table = {
        "pair": ["SIMX"] * count,
        "timeframe": [timeframe] * count,
        "open_time": [start + timedelta(minutes=i) for i in range(count)],
        "open": open_,
        "high": np.maximum(open_, close) + rng.random(count),
        "low": np.minimum(open_, close) - rng.random(count),
        "close": close,
        "volume": rng.integers(1, 9, count),
    }
    return pl.DataFrame(table).cast(CANDLE_SCHEMA).select(*CANDLE_SCHEMA)


@pytest.fixture(scope="module")
def exchange(shared_data):
    """Trades of XRPETH over two and a half days, and the candles that the exchange made of them."""
    raw = pl.read_ipc(shared_data / "binance_XRPETH_trades_201910.feather")
    bought = raw.select(
        pair=pl.lit("XRPETH"),
        ts=pl.from_epoch("timestamp", "ms").dt.replace_time_zone("UTC"),
        trade_id=pl.col("id").cast(pl.Int64),
        price="price",
        quantity="amount",
        side=pl.when(pl.col("side") == "buy").then(1).otherwise(-1),
    )
    candles = pl.read_ipc(shared_data / "binance_XRPETH_1m_201910.feather")
    return bought.cast(TRADE_SCHEMA), candles


def test_real_trades_make_the_candles_of_the_exchange(exchange):
    made, published = trades_to_candles(exchange[0]), exchange[1]

    assert made.height == published.height == 2_469
    assert made["open_time"].equals(published["date"].cast(made.schema["open_time"]))
    for price in ("open", "high", "low", "close"):
        assert made[price].equals(published[price])
    np.testing.assert_allclose(made["volume"], published["volume"], rtol=1e-12)


def test_the_minutes_without_a_trade_are_1091_in_676_runs(exchange):
    gaps = find_gaps(trades_to_candles(exchange[0]))

    assert len(gaps) == 676
    assert sum(gap.missing for gap in gaps) == 1_091
    assert all((gap.end - gap.start) // timedelta(minutes=1) == gap.missing for gap in gaps)
    assert all(a.end < b.start for a, b in pairwise(gaps))


def test_trades_of_one_instant_count_in_the_order_of_their_ids():
    at = T0 + timedelta(seconds=59, microseconds=999_999)
    frame = trades([(T0, 5, 10.0, 1.0), (at, 9, 8.0, 1.0), (at, 7, 12.0, 2.0)])

    assert trades_to_candles(frame).row(0) == ("SIMX", "1m", T0, 10.0, 12.0, 8.0, 8.0, 4.0)


def test_a_trade_on_the_minute_opens_the_next_candle():
    later = T0 + timedelta(minutes=1)
    made = trades_to_candles(trades([(T0, 1, 1.0, 1.0), (later, 2, 2.0, 1.0)]))

    assert made["open_time"].to_list() == [T0, later]
    assert made["close"].to_list() == [1.0, 2.0]


def test_no_trades_make_no_candles():
    assert trades_to_candles(trades([])).equals(pl.DataFrame(schema=CANDLE_SCHEMA))


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.M15, Timeframe.H1])
def test_longer_candles_are_those_of_a_plain_loop(timeframe):
    frame = minutes(300, T0 + timedelta(minutes=7))
    frame = frame.filter(pl.col("open_time") != T0 + timedelta(minutes=100))
    width, expected = timeframe.minutes, []
    for start in range(0, 360, width):
        begin = T0 + timedelta(minutes=start)
        part = frame.filter(
            pl.col("open_time").is_between(begin, begin + timeframe.duration, "left")
        )
        if part.height == width:
            expected.append(
                ("SIMX", timeframe.value, begin, part["open"][0], max(part["high"]),
                 min(part["low"]), part["close"][-1], sum(part["volume"]))
            )  # fmt: skip
    made = resample(frame, timeframe)

    assert made.rows() == expected
    assert len(expected) in range(300 // width - 3, 300 // width)  # both ends and the hole


def test_a_frame_without_a_complete_set_has_no_longer_candle():
    assert resample(minutes(4), Timeframe.M5).equals(pl.DataFrame(schema=CANDLE_SCHEMA))
    assert resample(minutes(0), Timeframe.M5).is_empty()


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M15])
def test_candles_do_not_become_shorter_or_stay_as_they_are(timeframe):
    longer = resample(minutes(60), Timeframe.M15)

    with pytest.raises(UsageError, match="make longer ones"):
        resample(longer if timeframe == Timeframe.M15 else minutes(5), timeframe)


def test_gaps_name_the_first_missing_bar_and_the_first_that_is_there_again():
    frame = minutes(10).filter(~pl.int_range(pl.len()).is_in([2, 3, 7]))
    gaps = find_gaps(frame)

    assert [(g.start.minute, g.end.minute, g.missing) for g in gaps] == [(2, 4, 2), (7, 8, 1)]
    assert find_gaps(minutes(10)) == find_gaps(minutes(0)) == []


def test_a_candle_that_opens_between_two_bars_is_no_gap_but_an_error():
    with pytest.raises(DataError, match="opens at a multiple of 5m UTC"):
        find_gaps(minutes(3, timeframe="5m"))

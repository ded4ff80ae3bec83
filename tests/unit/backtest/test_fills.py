import inspect
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from helios_core.backtest.fills import PaperBroker, last_close, next_open
from helios_core.domain.market import CANDLE_SCHEMA, PairRules, Timeframe
from helios_core.domain.trading import Order, Side
from helios_core.errors import OrderError, StaleDataError
from helios_core.execution.config import ExecutionConfig

T0 = datetime(2025, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = PairRules("BTCUSDT", "BTC", "USDT", Decimal("0.01"), 5, Decimal("0.0001"), Decimal(1))
CONFIG = ExecutionConfig(half_spread_bps=2, slippage_bps=3, slippage_band=0.02)


def candles(closes, start=T0, opens=None):
    opens = opens or closes
    rows = [
        ("BTCUSDT", "1m", start + i * MINUTE, o, max(o, c), min(o, c), c, 1.0)
        for i, (o, c) in enumerate(zip(opens, closes, strict=True))
    ]
    return pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")


class FrameMarket:
    def __init__(self, frame):
        self.frame = frame

    def closed_candles(self, pair, timeframe, as_of, bars):
        return self.frame.filter(pl.col("open_time") + timeframe.duration <= as_of).tail(bars)


def order(side=Side.BUY, quantity="0.5", reference="100", **changes):
    made = Order(
        client_order_id="h-abc-0",
        decision_id="abc",
        leg=0,
        pair="BTCUSDT",
        side=side,
        kind="MARKET",
        quantity=Decimal(quantity),
        price=None,
        reference_price=Decimal(reference),
        created_at=T0 + 2 * MINUTE,
    )
    return replace(made, **changes)


def broker(price="100"):
    return PaperBroker(lambda pair, at: Decimal(price), lambda pair: RULES, CONFIG)


@pytest.mark.parametrize(
    ("side", "price", "fee"),
    [
        (Side.BUY, "100.05", "0.050025"),  # 0.1 % of 0.5 x 100.05 = 50.025
        (Side.SELL, "99.95", "0.049975"),  # 0.1 % of 0.5 x 99.95 = 49.975
    ],
)
def test_a_fill_worked_by_hand(side, price, fee):
    (fill,) = broker().execute((order(side),))

    assert (fill.price, fill.quantity) == (Decimal(price), Decimal("0.5"))
    assert (fill.fee_asset, fill.liquidity) == ("USDT", "taker")
    assert (fill.exec_id, fill.ts) == ("h-abc-0-1", T0 + 2 * MINUTE)
    assert fill.fee == Decimal(fee)


def test_the_same_order_is_executed_once_even_at_another_price():
    prices = iter([Decimal(100), Decimal(101)])
    paper = PaperBroker(lambda pair, at: next(prices), lambda pair: RULES, CONFIG)

    assert paper.execute((order(),)) == paper.execute((order(), order()))[:1]
    assert next(prices) == 101


def test_a_new_broker_after_a_crash_gives_the_same_fill():
    assert broker().execute((order(),)) == broker().execute((order(),))


def test_a_price_beyond_the_band_does_not_fill():
    """2 % around 100: a buy fills up to 102, and 101.95 costs 102.01 after spread and slippage."""
    assert broker("101.94").execute((order(),))[0].price == Decimal("102.00")
    assert broker("101.95").execute((order(),)) == ()
    assert broker("98.05").execute((order(Side.SELL),))[0].price == Decimal("98.00")
    assert broker("98.04").execute((order(Side.SELL),)) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "LIMIT", "price": Decimal(1)}, "takes market orders"),
        ({"quantity": Decimal("0.00001")}, "breaks the rules"),
        ({"quantity": Decimal("0.123456")}, "5 decimals"),
    ],
)
def test_an_order_that_the_venue_would_refuse_is_refused(changes, message):
    with pytest.raises(OrderError, match=message):
        broker().execute((order(**changes),))


def test_the_paper_broker_takes_no_credential():
    assert set(inspect.signature(PaperBroker).parameters) == {"prices", "rules", "config"}


def test_the_last_close_is_the_one_known_at_the_time_of_the_order():
    price = last_close(FrameMarket(candles([1.0, 2.0, 3.0])), Timeframe.M1, 5 * MINUTE)

    assert price("BTCUSDT", T0 + 2 * MINUTE) == 2
    assert price("BTCUSDT", T0 + 2 * MINUTE + timedelta(seconds=59)) == 2
    assert price("BTCUSDT", T0 + 3 * MINUTE) == 3


def test_an_old_or_missing_close_fills_nothing():
    price = last_close(FrameMarket(candles([1.0])), Timeframe.M1, 5 * MINUTE)

    with pytest.raises(StaleDataError):
        price("BTCUSDT", T0 + 7 * MINUTE)
    with pytest.raises(OrderError, match="no candle closed"):
        price("BTCUSDT", T0)


def test_the_next_open_is_that_of_the_first_bar_from_the_order_on():
    frame = candles([2.0, 4.0, 6.0], opens=[1.0, 3.0, 5.0])
    price = next_open({"BTCUSDT": frame.filter(pl.col("close") != 4.0)})

    assert price("BTCUSDT", T0) == 1
    assert price("BTCUSDT", T0 + MINUTE) == 5  # the bar at 12:01 has no trade
    assert price("BTCUSDT", T0 + 3 * MINUTE) == 6  # after the end: the last close
    with pytest.raises(OrderError, match="no candle of ETHUSDT"):
        price("ETHUSDT", T0)

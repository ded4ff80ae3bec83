from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from helios_core.backtest.memory import FrameMarket, MemoryLedger
from helios_core.domain.decisions import CycleRecord, Decision, StrategicView, TargetPortfolio
from helios_core.domain.market import Timeframe
from helios_core.domain.trading import Fill, Mode, Order, OrderState, Side
from helios_core.errors import NotFoundError, OrderError, StoreError
from helios_core.simulator.generator import generate, simulated_rules

T0 = datetime(2025, 1, 31, 12, tzinfo=UTC)
VIEW = StrategicView(
    T0, "unknown", 1.0, (), False, True, "no key", "none", "", T0 + timedelta(hours=1)
)
FLAT = TargetPortfolio(T0, (), (), (), "flat", "", ())


def order(leg, side, quantity):
    return Order(
        client_order_id=f"h-abc-{leg}",
        decision_id="abc",
        leg=leg,
        pair="BTCZAR",
        side=side,
        kind="MARKET",
        quantity=Decimal(quantity),
        price=None,
        reference_price=Decimal(100),
        created_at=T0,
    )


def fill(of, price, fee="0", part=None):
    quantity = Decimal(part) if part else of.quantity
    return Fill(
        f"{of.client_order_id}-{part or 'all'}", of.client_order_id, of.pair, of.side, T0,
        Decimal(price), quantity, Decimal(fee), "ZAR", "taker",
    )  # fmt: skip


def decision(*orders):
    return Decision(
        "abc", T0, Mode.BACKTEST, "main", "m-1", False, (), VIEW, (), FLAT, orders, (), "p", "f", T0
    )


@pytest.fixture
def ledger():
    return MemoryLedger()


def opened(ledger, *orders):
    account = ledger.account("main", "ZAR", 1_000.0)
    assert ledger.record_decision(decision(*orders), "run", account) is True
    return decision(*orders)


def test_a_book_worked_by_hand(ledger):
    """Buy 2 at 100 fee 1, buy 2 at 120 fee 1, sell 1 at 130 fee 2: cash 686, 3 held at 110."""
    a, b, c = order(0, Side.BUY, "2"), order(1, Side.BUY, "2"), order(2, Side.SELL, "1")
    made = opened(ledger, a, b, c)
    ledger.record_fills(made, (fill(a, "100", "1"), fill(b, "120", "1"), fill(c, "130", "2")))
    account = ledger.account("main", "ZAR", 5.0)
    (position,) = account.positions

    assert account.cash == 686
    assert (position.quantity, position.average_price) == (3, 110)


def test_writing_twice_changes_nothing(ledger):
    one = order(0, Side.BUY, "2")
    made = opened(ledger, one)
    ledger.record_fills(made, (fill(one, "100"),))
    before = (ledger.account("main", "ZAR", 1.0), ledger.find_cycle("abc"))
    ledger.record_fills(made, (fill(one, "100"),))

    assert ledger.record_decision(made, "other run", before[0]) is False
    assert ledger.account("main", "ZAR", 1.0) == before[0]
    assert ledger.find_cycle("abc") == before[1]


def test_orders_end_in_the_state_that_their_fills_prove(ledger):
    whole, part, none = order(0, Side.BUY, "2"), order(1, Side.BUY, "2"), order(2, Side.BUY, "2")
    made = opened(ledger, whole, part, none)
    ledger.record_fills(made, (fill(whole, "100"), fill(part, "100", part="1")))
    states = [o.state for o in ledger.find_cycle("abc").decision.orders]

    assert states == [OrderState.FILLED, OrderState.CANCELLED, OrderState.CANCELLED]


def test_a_book_cannot_owe_cash_or_coins(ledger):
    dear, short = order(0, Side.BUY, "11"), order(1, Side.SELL, "1")
    made = opened(ledger, dear, short)

    with pytest.raises(OrderError, match="cannot owe"):
        ledger.record_fills(made, (fill(dear, "100"),))
    with pytest.raises(OrderError, match="cannot owe"):
        ledger.record_fills(made, (fill(short, "100"),))


def test_the_high_water_mark_rises_with_a_closed_cycle_and_never_falls(ledger):
    one = order(0, Side.BUY, "2")
    made = opened(ledger, one)
    ledger.record_fills(made, (fill(one, "100"),))
    for price, peak in ((150.0, 1_100), (90.0, 1_100), (200.0, 1_200)):
        equity = 800 + 2 * price
        ledger.close_cycle(CycleRecord(made, "run", (), 1_000.0, equity, False), {"BTCZAR": price})

        assert ledger.account("main", "ZAR", 1.0).peak_equity == peak
        assert ledger.find_cycle("abc").equity_after == equity


def test_fills_of_an_unknown_decision_and_a_book_in_another_currency_are_refused(ledger):
    with pytest.raises(StoreError, match="before its fills"):
        ledger.record_fills(decision(), ())
    account = ledger.account("main", "ZAR", 1.0)
    with pytest.raises(StoreError, match="kept in ZAR"):
        ledger.account("main", "USDT", 1.0)
    with pytest.raises(StoreError, match="never opened"):
        MemoryLedger().record_decision(decision(), "run", account)


def test_a_market_of_frames_shows_only_what_has_closed():
    frame = generate("SIMXZAR", T0, 50, 1, 10.0)
    market = FrameMarket({"SIMXZAR": frame}, {"SIMXZAR": simulated_rules("SIMXZAR", "ZAR", 10.0)})
    as_of = T0 + timedelta(minutes=20, seconds=30)
    seen = market.closed_candles("SIMXZAR", Timeframe.M1, as_of, 5)

    assert seen.equals(frame.filter(frame["open_time"] <= T0 + timedelta(minutes=19)).tail(5))
    assert market.closed_candles("SIMXZAR", Timeframe.M5, as_of, 5).is_empty()
    with pytest.raises(NotFoundError, match="SIMXZAR"):
        market.closed_candles("NOSUCH", Timeframe.M1, as_of, 5)
    with pytest.raises(NotFoundError, match="SIMXZAR"):
        market.rules("NOSUCH")

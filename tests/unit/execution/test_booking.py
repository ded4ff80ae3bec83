from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from helios_core.domain.trading import Account, Fill, Order, OrderState, Position, Side
from helios_core.errors import OrderError
from helios_core.execution.booking import book_fill, filled_quantity, settled

T0 = datetime(2025, 1, 31, 12, tzinfo=UTC)
EMPTY = Account("main", "ZAR", Decimal(1_000), (), Decimal(1_000))
ORDER = Order(
    "h-1-0", "1", 0, "BTCZAR", Side.BUY, "MARKET", Decimal(2), None, Decimal(100), T0
)  # fmt: skip


def fill(side, quantity, price, fee="0", *, pair="BTCZAR", minutes=0, asset="ZAR"):
    return Fill(
        f"{pair}-{side}-{minutes}", "h-1-0", pair, Side(side), T0 + timedelta(minutes=minutes),
        Decimal(price), Decimal(quantity), Decimal(fee), asset, "taker",
    )  # fmt: skip


def book(*fills):
    account = EMPTY
    for one in fills:
        account = book_fill(account, one)
    return account


def test_a_book_worked_by_hand():
    """Buy 2 at 100 fee 1, buy 2 at 120 fee 1, sell 1 at 130 fee 2: cash 686, 3 held at 110."""
    account = book(
        fill("BUY", "2", "100", "1"), fill("BUY", "2", "120", "1", minutes=1),
        fill("SELL", "1", "130", "2", minutes=2),
    )  # fmt: skip

    assert account.cash == 686
    assert account.positions == (Position("BTCZAR", Decimal(3), Decimal(110), T0),)
    assert account.peak_equity == 1_000


def test_a_position_sold_out_is_gone_and_bought_again_opens_anew():
    account = book(fill("BUY", "2", "100"), fill("SELL", "2", "90", minutes=1))

    assert (account.cash, account.positions) == (980, ())
    again = book_fill(account, fill("BUY", "1", "80", minutes=2))
    assert again.positions == (
        Position("BTCZAR", Decimal(1), Decimal(80), T0 + timedelta(minutes=2)),
    )


def test_positions_are_in_the_order_of_their_pairs():
    account = book(fill("BUY", "1", "10", pair="XRPZAR"), fill("BUY", "1", "10", pair="ADAZAR"))

    assert [p.pair for p in account.positions] == ["ADAZAR", "XRPZAR"]


@pytest.mark.parametrize(
    "wrong",
    [fill("BUY", "11", "100"), fill("BUY", "10", "100", "0.01"), fill("SELL", "1", "100")],
)
def test_a_spot_book_can_owe_neither_cash_nor_coins(wrong):
    with pytest.raises(OrderError, match="cannot owe"):
        book_fill(EMPTY, wrong)


def test_all_of_the_cash_may_be_spent():
    assert book_fill(EMPTY, fill("BUY", "10", "100")).cash == 0


def test_a_fee_in_another_currency_is_not_guessed():
    with pytest.raises(OrderError, match="fee in BTC"):
        book_fill(EMPTY, fill("BUY", "1", "100", "0.01", asset="BTC"))
    assert book_fill(EMPTY, fill("BUY", "1", "100", "0", asset="BTC")).cash == 900


@pytest.mark.parametrize(
    ("quantity", "state"), [("2", OrderState.FILLED), ("1.5", OrderState.CANCELLED)]
)
@pytest.mark.parametrize(
    "before", [OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN, OrderState.PLACED]
)
def test_fills_prove_the_state_of_an_order(before, quantity, state):
    fills = (fill("BUY", quantity, "100"),)

    assert settled(replace(ORDER, state=before), fills).state is state


def test_an_answer_without_a_fill_is_a_cancel_and_a_final_state_stays():
    rejected = replace(ORDER, state=OrderState.REJECTED)

    assert settled(ORDER, ()).state is OrderState.CANCELLED
    assert settled(rejected, (fill("BUY", "2", "100"),)) is rejected


def test_fills_of_other_orders_do_not_count_and_too_many_are_refused():
    other = replace(fill("BUY", "2", "100"), client_order_id="h-1-1")

    assert filled_quantity(ORDER, (other, fill("BUY", "0.5", "100"))) == Decimal("0.5")
    with pytest.raises(OrderError, match="reconcile"):
        filled_quantity(ORDER, (fill("BUY", "2", "100"), fill("BUY", "0.5", "100")))

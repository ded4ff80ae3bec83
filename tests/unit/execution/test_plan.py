from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helios_core.domain.decisions import TargetPortfolio
from helios_core.domain.market import PairRules
from helios_core.domain.trading import Account, Position, Side
from helios_core.errors import OrderError
from helios_core.execution import plan
from helios_core.execution.config import ExecutionConfig
from helios_core.execution.costs import taker_fee, worst_price
from helios_core.execution.plan import Tradable, plan_orders

T0 = datetime(2025, 1, 31, 12, tzinfo=UTC)
DEEP = 1e12  # turnover that never binds
FREE = ExecutionConfig(max_order_share=1.0, max_participation=1.0)


def rules(pair="BTCZAR", **changes):
    defaults = {
        "base": pair[:-3],
        "quote": "ZAR",
        "tick_size": Decimal(1),
        "base_decimals": 8,
        "min_quantity": Decimal("0.000008"),
        "min_notional": Decimal(10),
    }
    return PairRules(pair=pair, **{**defaults, **changes})


def book(cash, **held):
    positions = tuple(Position(p, Decimal(str(q)), Decimal(1), T0) for p, q in held.items())
    return Account("main", "ZAR", Decimal(str(cash)), positions, Decimal(0))


def target(**moves):
    """Each keyword is pair=(current weight, wanted weight)."""
    current, weights = zip(*moves.values(), strict=True)
    return TargetPortfolio(T0, tuple(moves), current, weights, "mean_variance", "optimal", ())


def codes(result):
    return [skip.code for skip in result.skips]


def test_a_known_purchase():
    """Half of 100,000 at 1,000,000 is 0.05; 5 % more cash than the worst cost keeps it whole."""
    tradables = {"BTCZAR": Tradable(rules(), Decimal(1_000_000), DEEP)}
    result = plan_orders(
        target(BTCZAR=(0.0, 0.5)), book(100_000), Decimal(100_000), tradables, FREE, "abc"
    )
    order = result.orders[0]

    assert (order.side, order.quantity, order.kind) == (Side.BUY, Decimal("0.05"), "MARKET")
    assert order.client_order_id == "h-abc-0"
    assert order.reference_price == Decimal(1_000_000)
    assert result.skips == ()


def test_weights_that_stay_lead_to_no_order_and_no_skip():
    tradables = {"BTCZAR": Tradable(rules(), Decimal(1_000_000), DEEP)}
    held = target(BTCZAR=(1 / 3, 1 / 3))
    result = plan_orders(held, book(1, BTCZAR="0.1"), Decimal(100_001), tradables, FREE, "abc")

    assert result == plan.Plan((), ())


def test_weight_zero_sells_all_that_the_grid_allows():
    tradables = {"BTCZAR": Tradable(rules(base_decimals=4), Decimal(100), DEEP)}
    result = plan_orders(
        target(BTCZAR=(1.0, 0.0)), book(0, BTCZAR="12.34567"), Decimal(1_234), tradables, FREE, "a"
    )

    assert [(o.side, o.quantity) for o in result.orders] == [(Side.SELL, Decimal("12.3456"))]


def test_sells_go_before_buys_and_buys_do_not_spend_their_proceeds():
    tradables = {
        "BTCZAR": Tradable(rules("BTCZAR"), Decimal(1000), DEEP),
        "ETHZAR": Tradable(rules("ETHZAR"), Decimal(100), DEEP),
    }
    result = plan_orders(
        target(ETHZAR=(0.0, 0.9), BTCZAR=(0.9, 0.0)),
        book(1_000, BTCZAR="9"),
        Decimal(10_000),
        tradables,
        FREE,
        "abc",
    )

    assert [(o.leg, o.pair, o.side) for o in result.orders] == [
        (0, "BTCZAR", Side.SELL),
        (1, "ETHZAR", Side.BUY),
    ]
    assert result.orders[1].quantity * 100 < 1_000
    assert codes(result) == [plan.CASH]


def test_a_remainder_that_could_never_be_sold_is_sold_along():
    tradables = {"BTCZAR": Tradable(rules(min_quantity=Decimal(1)), Decimal(100), DEEP)}
    result = plan_orders(
        target(BTCZAR=(1.0, 0.05)), book(0, BTCZAR="10"), Decimal(1_000), tradables, FREE, "abc"
    )

    assert result.orders[0].quantity == 10


@pytest.mark.parametrize(
    ("changes", "move", "code"),
    [
        ({"min_notional": Decimal(1_001)}, (0.0, 0.1), plan.NOTIONAL_BELOW_MINIMUM),
        ({"min_quantity": Decimal("10.01")}, (0.0, 0.1), plan.QUANTITY_BELOW_MINIMUM),
        ({"base_decimals": 0}, (0.0, 0.0005), plan.QUANTITY_BELOW_MINIMUM),
        ({"tradable": False}, (0.0, 0.1), plan.PAIR_NOT_TRADABLE),
        ({}, (0.0, -0.1), plan.SHORT_NOT_ALLOWED),
    ],
)
def test_a_trade_that_the_venue_refuses_is_skipped_with_a_code(changes, move, code):
    tradables = {"BTCZAR": Tradable(rules(**changes), Decimal(100), DEEP)}
    result = plan_orders(target(BTCZAR=move), book(10_000), Decimal(10_000), tradables, FREE, "abc")

    assert result.orders == ()
    assert codes(result) == [code]


def test_a_trade_is_cut_to_its_share_of_turnover_and_of_equity():
    thin = {"BTCZAR": Tradable(rules(), Decimal(100), 2_000.0)}
    deep = {"BTCZAR": Tradable(rules(), Decimal(100), DEEP)}
    config = ExecutionConfig(max_participation=0.05, max_order_share=0.3)
    wish, cash = target(BTCZAR=(0.0, 0.9)), book(10_000)
    cut_by_market = plan_orders(wish, cash, Decimal(10_000), thin, config, "abc")
    cut_by_share = plan_orders(wish, cash, Decimal(10_000), deep, config, "abc")

    assert (cut_by_market.orders[0].quantity, codes(cut_by_market)) == (1, [plan.LIQUIDITY])
    assert (cut_by_share.orders[0].quantity, codes(cut_by_share)) == (30, [plan.ORDER_SHARE])


def test_orders_beyond_the_count_are_dropped_buys_first():
    tradables = {p: Tradable(rules(p), Decimal(100), DEEP) for p in ("AAAZAR", "BBBZAR")}
    config = ExecutionConfig(max_orders=1)
    result = plan_orders(
        target(AAAZAR=(0.0, 0.1), BBBZAR=(0.5, 0.0)),
        book(5_000, BBBZAR="50"),
        Decimal(10_000),
        tradables,
        config,
        "abc",
    )

    assert [(o.pair, o.side) for o in result.orders] == [("BBBZAR", Side.SELL)]
    assert [(s.pair, s.code) for s in result.skips] == [("AAAZAR", plan.ORDER_COUNT)]


def test_a_book_without_equity_and_a_pair_without_a_price_are_refused():
    with pytest.raises(OrderError, match="positive equity"):
        plan_orders(target(BTCZAR=(0.0, 0.5)), book(0), Decimal(0), {}, FREE, "abc")
    with pytest.raises(OrderError, match="BTCZAR, but its rules"):
        plan_orders(target(BTCZAR=(0.0, 0.5)), book(1), Decimal(1), {}, FREE, "abc")


PAIRS = ("AAAZAR", "BBBZAR", "CCCZAR")


@st.composite
def situations(draw):
    quantity = st.decimals("0", "1000", places=6)
    prices = {p: draw(st.decimals("0.01", "1000000", places=2)) for p in PAIRS}
    held = {p: draw(quantity) for p in PAIRS}
    account = book(draw(st.decimals("0", "1000000", places=4)), **held)
    equity = account.equity(prices)
    tradables = {
        p: Tradable(
            rules(
                p,
                base_decimals=draw(st.integers(0, 8)),
                min_quantity=draw(st.decimals("0", "2", places=3)),
                min_notional=draw(st.decimals("0", "100", places=2)),
                tradable=draw(st.booleans()),
            ),
            prices[p],
            draw(st.floats(0, 1e9)),
        )
        for p in PAIRS
    }
    moves = {
        p: (
            float(held[p] * prices[p] / equity) if equity else 0.0,
            draw(st.floats(-0.2, 1.0)),
        )
        for p in PAIRS
    }
    config = ExecutionConfig(
        max_participation=draw(st.floats(0.01, 1)), max_order_share=draw(st.floats(0.01, 1))
    )
    return target(**moves), account, equity, tradables, config


@given(situations())
def test_a_plan_never_spends_more_than_the_cash_nor_sells_more_than_is_held(situation):
    wish, account, equity, tradables, config = situation
    if equity == 0:
        return
    result = plan_orders(wish, account, equity, tradables, config, "abc")
    buys = [o for o in result.orders if o.side is Side.BUY]
    spent = sum(
        o.quantity
        * worst_price(o.reference_price, o.side, config)
        * (1 + taker_fee(tradables[o.pair].rules, config))
        for o in buys
    )

    assert spent <= account.cash
    for order in result.orders:
        if order.side is Side.SELL:
            assert order.quantity <= account.quantity(order.pair)


@given(situations())
def test_every_order_obeys_its_pair_and_every_wish_is_ordered_or_explained(situation):
    wish, account, equity, tradables, config = situation
    if equity == 0:
        return
    result = plan_orders(wish, account, equity, tradables, config, "abc")

    for leg, order in enumerate(result.orders):
        pair = tradables[order.pair].rules
        assert order.leg == leg
        assert order.quantity >= pair.min_quantity
        assert order.quantity * order.reference_price >= pair.min_notional
        assert order.quantity == round(order.quantity, pair.base_decimals)
        assert pair.tradable
    explained = {o.pair for o in result.orders} | {s.pair for s in result.skips}
    for pair, current, weight in zip(wish.pairs, wish.current, wish.weights, strict=True):
        nothing_to_sell = weight <= 0 and account.quantity(pair) == 0
        assert pair in explained or weight == current or nothing_to_sell


@given(situations())
def test_a_plan_moves_towards_its_target_and_not_beyond(situation):
    wish, account, equity, tradables, config = situation
    if equity == 0:
        return
    wanted = dict(zip(wish.pairs, wish.weights, strict=True))
    for order in plan_orders(wish, account, equity, tradables, config, "abc").orders:
        after = account.quantity(order.pair) + order.side.sign * order.quantity
        goal = Decimal(repr(max(wanted[order.pair], 0.0))) * equity / order.reference_price
        slack = (goal + account.quantity(order.pair)) * Decimal("1e-9") + Decimal("1e-12")
        least = tradables[order.pair].rules.min_quantity  # a smaller remainder is sold along

        if order.side is Side.BUY:
            assert after <= goal + slack
        else:
            assert after >= goal - slack or goal < least + slack

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helios_core.backtest.performance import (
    annual_volatility,
    buy_and_hold,
    max_drawdown,
    performance,
    round_trips,
    sharpe,
    simple_returns,
)
from helios_core.domain.trading import Fill, Side
from helios_core.errors import DataError

T0 = datetime(2025, 1, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
marks = hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(0.1, 1e6))


def fill(side, quantity, price, fee="0", pair="BTCZAR", minute=0):
    return Fill(
        exec_id=f"{pair}-{minute}",
        client_order_id=f"{pair}-{minute}",
        pair=pair,
        side=side,
        ts=T0 + timedelta(minutes=minute),
        price=Decimal(str(price)),
        quantity=Decimal(str(quantity)),
        fee=Decimal(fee),
        fee_asset="ZAR",
        liquidity="taker",
    )


def test_a_curve_worked_by_hand():
    """100, 110, 99, 118.8: returns .1, -.1, .2; mean .0667, sd .1528; the fall is 10 %."""
    result = performance(np.array([100.0, 110.0, 99.0, 118.8]), DAY, [])

    assert result.total_return == pytest.approx(0.188)
    assert result.max_drawdown == pytest.approx(0.10)
    assert result.annual_volatility == pytest.approx(math.sqrt(0.07 / 3) * math.sqrt(365))
    assert result.sharpe == pytest.approx((0.2 / 3) / math.sqrt(0.07 / 3) * math.sqrt(365))
    assert (result.turnover, result.fees, result.fills) == (0, 0, 0)
    assert math.isnan(result.hit_rate)


@given(marks)
def test_the_drawdown_is_the_worst_of_all_pairs_of_marks(equity):
    worst = max(
        1 - equity[j] / equity[i] for i in range(len(equity)) for j in range(i, len(equity))
    )

    assert max_drawdown(equity) == pytest.approx(worst, abs=1e-12)


@given(marks)
def test_returns_compound_to_the_total(equity):
    assert np.prod(1 + simple_returns(equity)) == pytest.approx(equity[-1] / equity[0])


def test_a_minute_of_gaussian_noise_annualizes_to_its_parameters():
    """mean m and sd s a minute: Sharpe m / s sqrt(525600), volatility s sqrt(525600)."""
    returns = np.random.default_rng(1).normal(2e-6, 5e-4, 400_000)
    returns += 2e-6 - returns.mean()
    returns = 2e-6 + (returns - 2e-6) * 5e-4 / returns.std(ddof=1)

    assert annual_volatility(returns, MINUTE) == pytest.approx(5e-4 * math.sqrt(525_600))
    assert sharpe(returns, MINUTE) == pytest.approx(2e-6 / 5e-4 * math.sqrt(525_600))


def test_a_book_that_never_moved_has_no_sharpe():
    result = performance(np.full(10, 100.0), MINUTE, [])

    assert (result.total_return, result.annual_volatility, result.max_drawdown) == (0, 0, 0)
    assert math.isnan(result.sharpe)
    assert math.isnan(annual_volatility(np.array([0.1]), MINUTE))


@pytest.mark.parametrize("equity", [[1.0], [1.0, 0.0], [1.0, math.nan], [[1.0, 2.0]]])
def test_a_curve_that_is_none_is_refused(equity):
    with pytest.raises(DataError, match="two finite positive marks"):
        simple_returns(np.array(equity))


def test_buy_and_hold_is_the_mean_of_relative_prices_after_the_cost():
    prices = np.array([[100.0, 10.0], [110.0, 10.0], [120.0, 5.0]])

    np.testing.assert_allclose(buy_and_hold(prices, 0.01), 0.99 * np.array([1.0, 1.05, 0.85]))


def test_round_trips_worked_by_hand():
    """Buy 1 at 100 and 1 at 200 with fee 1 each: average 151. Sell 1 at 160 with fee 2: 7."""
    fills = [
        fill(Side.BUY, 1, 100, "1"),
        fill(Side.BUY, 1, 200, "1", minute=1),
        fill(Side.SELL, 1, 160, "2", minute=2),
        fill(Side.SELL, 1, 150, "0", minute=3),
    ]
    trips = round_trips(fills)
    result = performance(np.array([302.0, 301.0]), MINUTE, fills)

    assert [trip.profit for trip in trips] == [7, -1]
    assert result.hit_rate == 0.5
    assert result.round_trips == 2
    assert result.fees == 4
    assert result.turnover == pytest.approx(610 / 301.5)


trades = st.lists(
    st.tuples(st.integers(1, 50), st.integers(1, 1000), st.integers(0, 9)), min_size=1, max_size=20
)


@given(trades)
def test_profits_of_a_closed_book_add_up_to_the_change_of_its_cash(bought):
    fills, cash = [], Decimal(0)
    for i, (quantity, price, fee) in enumerate(bought):
        fills.append(fill(Side.BUY, quantity, price, str(fee), minute=i))
        cash -= quantity * price + fee
    for i, (quantity, price, fee) in enumerate(reversed(bought)):
        fills.append(fill(Side.SELL, quantity, price + 1, str(fee), minute=100 + i))
        cash += quantity * (price + 1) - fee

    assert float(sum(t.profit for t in round_trips(fills))) == pytest.approx(float(cash))


def test_selling_what_was_never_bought_is_refused():
    with pytest.raises(DataError, match="only 0 was bought"):
        round_trips([fill(Side.SELL, 1, 100)])

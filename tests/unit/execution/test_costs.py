from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helios_core.domain.market import PairRules
from helios_core.domain.trading import Side
from helios_core.errors import ConfigError
from helios_core.execution.config import ExecutionConfig
from helios_core.execution.costs import exact, fill_price, round_trip_cost, taker_fee, worst_price

ZAR = PairRules("BTCZAR", "BTC", "ZAR", Decimal(1), 8, Decimal("0.000008"), Decimal(10))
USDT = PairRules("BTCUSDT", "BTC", "USDT", Decimal(1), 8, Decimal("0.00001"), Decimal(1))


def test_a_round_trip_in_rand_costs_what_the_venue_publishes():
    """VALR tier 1: a round trip as taker costs 0.70 % on BTCZAR, 0.20 % on crypto quotes."""
    free = ExecutionConfig(half_spread_bps=0, slippage_bps=0)

    assert round_trip_cost(ZAR, free) == 0.0070
    assert round_trip_cost(USDT, free) == 0.0020


def test_spread_and_slippage_are_paid_twice_on_top():
    config = ExecutionConfig(half_spread_bps=2, slippage_bps=3)

    assert round_trip_cost(USDT, config) == pytest.approx(0.0020 + 2 * 0.0005, abs=1e-15)


def test_a_fee_is_an_exact_decimal():
    assert taker_fee(ZAR, ExecutionConfig()) == Decimal("0.0035")
    assert exact(0.1) == Decimal("0.1")


def test_a_known_fill_price():
    config = ExecutionConfig(half_spread_bps=2, slippage_bps=3)

    assert fill_price(Decimal(100_001), Side.BUY, USDT, config) == Decimal(100_052)  # 100051.0005
    assert fill_price(Decimal(100_001), Side.SELL, USDT, config) == Decimal(99_950)  # 99950.9995


@given(
    reference=st.decimals("0.00000001", "10000000", places=8),
    tick=st.sampled_from([Decimal("1"), Decimal("0.01"), Decimal("0.0000001")]),
    side=st.sampled_from(list(Side)),
)
def test_a_fill_is_never_better_than_the_reference_and_lies_on_the_tick(reference, tick, side):
    rules = PairRules("XZAR", "X", "ZAR", tick, 8, Decimal(0), Decimal(0))
    price = fill_price(reference, side, rules, ExecutionConfig())

    assert price % tick == 0
    assert price >= tick
    assert (price - reference) * side.sign >= 0 or price == tick


def test_the_worst_price_is_against_us_on_both_sides():
    config = ExecutionConfig(slippage_band=0.02)

    assert worst_price(Decimal(100), Side.BUY, config) == Decimal("102.00")
    assert worst_price(Decimal(100), Side.SELL, config) == Decimal("98.00")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("taker_fee_fiat", -0.01),
        ("taker_fee_crypto", float("nan")),
        ("half_spread_bps", 501.0),
        ("slippage_band", 0.6),
        ("max_participation", 0.0),
        ("max_order_share", 1.5),
        ("max_orders", 0),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=field):
        ExecutionConfig(**{field: value})


def test_costs_beyond_the_band_are_refused_because_nothing_would_fill():
    with pytest.raises(ConfigError, match="no order would ever fill"):
        ExecutionConfig(half_spread_bps=150, slippage_bps=60, slippage_band=0.02)

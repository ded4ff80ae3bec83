"""What an order costs: fee, half spread and slippage, the same numbers for sizing and for fills."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from helios_core.domain.market import PairRules
from helios_core.domain.trading import Side
from helios_core.execution.config import ExecutionConfig

BASIS_POINT = Decimal("0.0001")
FIAT = frozenset({"ZAR", "R"})


def exact(number: float) -> Decimal:
    """Return the shortest decimal that reads as `number`: 0.1 gives exactly 0.1."""
    return Decimal(repr(float(number)))


def taker_fee(rules: PairRules, config: ExecutionConfig) -> Decimal:
    """Return the fee of a market order on the pair, as a fraction of its notional."""
    fee = config.taker_fee_fiat if rules.quote in FIAT else config.taker_fee_crypto
    return exact(fee)


def crossing(config: ExecutionConfig) -> Decimal:
    """Return half spread plus slippage, as a fraction of the price."""
    return (exact(config.half_spread_bps) + exact(config.slippage_bps)) * BASIS_POINT


def round_trip_cost(rules: PairRules, config: ExecutionConfig) -> float:
    """Return the cost of buying and selling again at market, as a fraction of the notional."""
    return float(2 * (taker_fee(rules, config) + crossing(config)))


def fill_price(
    reference: Decimal, side: Side, rules: PairRules, config: ExecutionConfig
) -> Decimal:
    """Return the price of a market order, half spread and slippage against us, on the tick.

    Parameters
    ----------
    reference : Decimal
        Last known price, quote per base; > 0.

    Returns
    -------
    Decimal
        Rounded up to the tick for a buy and down for a sell, at least one tick.
    """
    worse = reference * (1 + side.sign * crossing(config))
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return max(on_grid(worse, rules.tick_size, rounding), rules.tick_size)


def worst_price(reference: Decimal, side: Side, config: ExecutionConfig) -> Decimal:
    """Return the furthest price at which a market order is still filled."""
    return reference * (1 + side.sign * exact(config.slippage_band))


def quantity_step(rules: PairRules) -> Decimal:
    """Return the smallest quantity of base that the venue tells apart."""
    return Decimal(1).scaleb(-rules.base_decimals)


def on_grid(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    """Return `value` moved to a multiple of `step` in the direction of `rounding`."""
    return (value / step).to_integral_value(rounding) * step

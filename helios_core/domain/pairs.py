"""Trading rules that Helios knows without asking: they are replaced by what the exchange answers.

Tick sizes, smallest quantities and whether a pair is traded are VALR's of 2026-03-19. The smallest
notional is that of the quote currency where VALR published one, else zero: the smallest quantity
binds then. Quantities have 8 decimals, as in every published sample but that of BNB.
"""

from dataclasses import replace
from decimal import Decimal

from helios_core.domain.market import PairRules

MIN_NOTIONAL = {"ZAR": "10", "USDT": "1", "USDC": "1"}
BASE_DECIMALS = {"BNB": 4}

# base, quote, tick size, smallest quantity
_TRADED = (
    ("BTC", "ZAR", "1", "0.000008"),
    ("ETH", "ZAR", "1", "0.0002"),
    ("XRP", "ZAR", "0.01", "0.8"),
    ("SOL", "ZAR", "1", "0.003"),
    ("AVAX", "ZAR", "0.1", "0.0128"),
    ("BNB", "ZAR", "1", "0.0008"),
    ("DOGE", "ZAR", "0.0001", "1.5"),
    ("LINK", "ZAR", "0.01", "0.04"),
    ("LTC", "ZAR", "0.1", "0.005"),
    ("SHIB", "ZAR", "0.0000001", "44600"),
    ("TRX", "ZAR", "0.0001", "2"),
    ("XLM", "ZAR", "0.001", "1.2"),
    ("USDT", "ZAR", "0.0001", "0.5"),
    ("USDC", "ZAR", "0.0001", "0.5"),
    ("BTC", "USDT", "1", "0.00001"),
    ("ETH", "USDT", "0.01", "0.0002"),
    ("XRP", "USDT", "0.0001", "0.8"),
    ("SOL", "USDT", "0.01", "0.003"),
    ("AVAX", "USDT", "0.001", "0.02"),
    ("BNB", "USDT", "0.1", "0.0008"),
    ("DOGE", "USDT", "0.00001", "4"),
    ("BTC", "USDC", "1", "0.000008"),
    ("ETH", "USDC", "0.01", "0.0002"),
    ("XRP", "USDC", "0.0001", "0.8"),
    ("SOL", "USDC", "0.01", "0.003"),
    ("BNB", "USDC", "0.1", "0.0008"),
    ("ETH", "BTC", "0.000001", "0.0002"),
)
# listed once and kept for research data: nothing may be ordered
_INACTIVE = (
    ("XRP", "BTC", "0.00000001", "13"),
    ("XRP", "ETH", "0.00000001", "5"),
)
# generated markets: as `simulator.generator.simulated_rules` at the price that they open at
_SIMULATED = (
    ("SIMBTC", "USDT", "0.1", "0.00016667"),
    ("SIMETH", "USDT", "0.01", "0.00333333"),
    ("SIMBTC", "ZAR", "1", "0.00000833"),
    ("SIMETH", "ZAR", "0.1", "0.00025000"),
)


def builtin_rules() -> tuple[PairRules, ...]:
    """Return the rules of the common VALR spot pairs, two inactive ones and the simulated ones."""
    listed = [_rules(*row) for row in _TRADED]
    inactive = [replace(_rules(*row), tradable=False) for row in _INACTIVE]
    simulated = [
        replace(_rules(*row), min_notional=Decimal(10), simulated=True) for row in _SIMULATED
    ]
    return (*listed, *inactive, *simulated)


def _rules(base: str, quote: str, tick: str, quantity: str) -> PairRules:
    return PairRules(
        pair=f"{base}{quote}",
        base=base,
        quote=quote,
        tick_size=Decimal(tick),
        base_decimals=BASE_DECIMALS.get(base, 8),
        min_quantity=Decimal(quantity),
        min_notional=Decimal(MIN_NOTIONAL.get(quote, "0")),
    )

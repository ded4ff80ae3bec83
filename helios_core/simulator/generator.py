"""Generated markets for tests and for a desk without data; the same seed gives the same candles.

One-minute returns follow a GARCH(1,1) with Student t shocks inside a calm and a turbulent regime.
Highs and lows are each drawn from the law of the extreme of a Brownian bridge, volume has a daily
shape and follows the size of the return, and a few quiet minutes have no candle at all, as on a
thin exchange. An alpha can be planted: the correlation of the next standardized return with an
exponentially weighted sum of the past ones, which any momentum feature can see.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import numpy as np
import polars as pl

from helios_core.domain.market import (
    CANDLE_SCHEMA,
    CandleFrame,
    FloatArray,
    PairRules,
    Timeframe,
    require_candles,
)
from helios_core.errors import UsageError

Seed = int | np.random.Generator

MINUTE_SIGMA = 0.0006  # unconditional, calm regime: about 43 % a year
ARCH, GARCH = 0.08, 0.90
FREEDOM = 5.0  # degrees of freedom of the shocks
TURBULENCE = 2.0  # factor on sigma in the turbulent regime
ENTER, LEAVE = (
    1 / 4320,
    1 / 720,
)  # chance a minute to change regime: three days calm, half a day not
SIMULATED_PRICES = {"SIMBTCUSDT": 60_000.0, "SIMETHUSDT": 3_000.0}  # first opens
MEMORY = 0.5 ** (1 / 30)  # of the planted momentum: half-life of 30 minutes
QUIET = 0.004  # chance of a minute without a trade at the usual volume
VOLUME = 400_000.0  # quote currency in a usual minute


def generate(
    pair: str, start: datetime, minutes: int, seed: Seed, price0: float, alpha: float = 0.0
) -> CandleFrame:
    """Return one-minute candles of one generated pair.

    Parameters
    ----------
    pair : str
        Symbol; generated ones begin with SIM.
    start : datetime
        First open time, aware, a whole minute.
    minutes : int
        Length of the grid; a few minutes of it have no candle.
    seed : int or numpy Generator
        Source of all randomness.
    price0 : float
        First open, quote per base.
    alpha : float
        Planted information coefficient: correlation of the next standardized return with the
        momentum of the past ones, 0 to 0.5. 0 leaves returns without any predictable mean.

    Raises
    ------
    UsageError
        If an argument is out of range.
    """
    frames = generate_market({pair: price0}, start, minutes, seed, alpha=alpha, correlation=0.0)
    return frames[pair]


def generate_market(
    prices: Mapping[str, float],
    start: datetime,
    minutes: int,
    seed: Seed,
    *,
    alpha: float = 0.0,
    correlation: float = 0.6,
) -> dict[str, CandleFrame]:
    """Return candles of several pairs whose shocks share one factor.

    Parameters
    ----------
    prices : mapping of pair to first open
        The order of the pairs matters to the seed.
    correlation : float
        Correlation of the Gaussian shocks of any two pairs, [0, 1); that of returns is about 0.85
        of it, because each pair draws its own tails.
    """
    _require(start, minutes, alpha, correlation)
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(minutes)
    frames = {}
    for pair, price0 in prices.items():
        if not (math.isfinite(price0) and price0 > 0):
            raise UsageError(f"{pair} needs a positive first price, found {price0}")
        own = rng.standard_normal(minutes)
        mixed = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
        # a t shock is a Gaussian over an independent chi; scaled to unit variance
        tails = np.sqrt((FREEDOM - 2) / rng.chisquare(FREEDOM, minutes))
        sigma, returns = _returns(mixed * tails, _regime(rng, minutes), alpha)
        frames[pair] = _candles(pair, start, price0, sigma, returns, rng)
    return frames


def simulated_rules(pair: str, quote: str, price: float) -> PairRules:
    """Return rules like VALR's for a generated pair that trades near `price`."""
    tick = Decimal(10) ** max(min(math.floor(math.log10(price)) - 5, 0), -8)
    return PairRules(
        pair=pair,
        base=pair.removesuffix(quote),
        quote=quote,
        tick_size=tick,
        base_decimals=8,
        min_quantity=(Decimal(10) / Decimal(repr(price))).quantize(Decimal("0.00000001")),
        min_notional=Decimal(10),
        simulated=True,
    )


def _require(start: datetime, minutes: int, alpha: float, correlation: float) -> None:
    if start.utcoffset() is None or start.second or start.microsecond:
        raise UsageError(f"start must be an aware time on a whole minute, found {start!r}")
    if not 2 <= minutes <= 10_000_000:
        raise UsageError(f"minutes must be from 2 to 10,000,000, found {minutes}")
    if not 0.0 <= alpha <= 0.5:
        raise UsageError(f"alpha must be from 0 to 0.5, found {alpha}")
    if not 0.0 <= correlation < 1.0:
        raise UsageError(f"correlation must be at least 0 and below 1, found {correlation}")


def _regime(rng: np.random.Generator, minutes: int) -> FloatArray:
    """Return the factor on sigma, shape (minutes,): a two-state Markov chain that starts calm."""
    factor = np.ones(minutes)
    at, turbulent = 0, False
    while at < minutes:
        stay = int(rng.geometric(LEAVE if turbulent else ENTER))
        if turbulent:
            factor[at : at + stay] = TURBULENCE
        at, turbulent = at + stay, not turbulent
    return factor


def feedback(alpha: float, memory: float = MEMORY) -> float:
    """Return the weight k of momentum in the next return, so that their correlation is `alpha`.

    With ``u[t] = memory u[t-1] + e[t]`` and ``e[t] = k u[t-1] + sqrt(1 - alpha^2) z[t]``, `u` is an
    AR(1) with coefficient ``memory + k``; asking for unit variance of `e` and correlation `alpha`
    gives ``k^2 + 2 alpha^2 memory k = alpha^2 (1 - memory^2)``. The root keeps `u` stationary.
    """
    a = alpha * alpha
    return math.sqrt(a * a * memory * memory + a * (1 - memory * memory)) - a * memory


def _returns(shocks: FloatArray, regime: FloatArray, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Return sigma and log return of each minute, both of shape (minutes,)."""
    k, noise = feedback(alpha), math.sqrt(1 - alpha * alpha)
    omega = 1 - ARCH - GARCH  # of a variance of 1; the scale comes with MINUTE_SIGMA
    variance, momentum = 1.0, 0.0
    sigma, standardized = np.empty(len(shocks)), np.empty(len(shocks))
    for t, z in enumerate(shocks.tolist()):
        e = k * momentum + noise * z
        momentum = MEMORY * momentum + e
        sigma[t], standardized[t] = math.sqrt(variance), e
        variance = omega + (ARCH * z * z + GARCH) * variance
    sigma *= MINUTE_SIGMA * regime
    return sigma, sigma * standardized


def _candles(
    pair: str,
    start: datetime,
    price0: float,
    sigma: FloatArray,
    returns: FloatArray,
    rng: np.random.Generator,
) -> CandleFrame:
    closes = math.log(price0) + np.cumsum(returns)
    opens = np.concatenate([[math.log(price0)], closes[:-1]])
    # reflection principle: the high h of a Brownian bridge from o to c has the survival function
    # exp(-2 (h - o) (h - c) / sigma^2), inverted here; the low is its mirror, drawn on its own
    up, down = rng.standard_exponential((2, len(returns)))
    spread = (closes - opens) ** 2
    high = (opens + closes + np.sqrt(spread + 2 * sigma**2 * up)) / 2
    low = (opens + closes - np.sqrt(spread + 2 * sigma**2 * down)) / 2
    open_, close = np.exp(opens), np.exp(closes)
    volume = _volume(start, np.abs(returns) / MINUTE_SIGMA, rng)
    kept = rng.random(len(returns)) >= QUIET * np.minimum(VOLUME / volume, 20.0)
    kept[[0, -1]] = True
    times = pl.datetime_range(
        start, interval="1m", closed="left", eager=True, time_zone="UTC",
        end=start + Timeframe.M1.duration * len(returns),
    )  # fmt: skip
    frame = pl.DataFrame(
        {
            "pair": pair,
            "timeframe": Timeframe.M1.value,
            "open_time": times,
            "open": open_,
            "high": np.maximum.reduce([np.exp(high), open_, close]),  # exp may lose the last bit
            "low": np.minimum.reduce([np.exp(low), open_, close]),
            "close": close,
            "volume": volume / close,
        },
        schema=CANDLE_SCHEMA,
    )
    return require_candles(frame.filter(pl.Series(kept)))


def _volume(start: datetime, surprise: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return quote volume, shape (minutes,): peaks at 14:00 UTC, thrice its trough; log-normal."""
    minute = (start.hour * 60 + start.minute + np.arange(len(surprise))) % 1440
    daily = 1 + 0.5 * np.cos(2 * np.pi * (minute - 14 * 60) / 1440)
    noise = np.exp(rng.normal(-0.5 * 0.6**2, 0.6, len(surprise)))
    return np.asarray(VOLUME * daily * noise * (0.5 + 0.5 * surprise))

"""From wanted weights to a target: trade only when it is worth its cost, reduce risk always."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from helios_core.domain.decisions import Stage, TargetPortfolio
from helios_core.domain.market import FloatArray
from helios_core.errors import PortfolioError
from helios_core.portfolio.config import PortfolioConfig
from helios_core.portfolio.mean_variance import Solution

ROUNDING = 1e-12  # a book without cash may add up to this much more than its equity


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """What a book holds and how far tier 3 lets it go; arrays of shape (N,), in order of `pairs`.

    Attributes
    ----------
    current : ndarray
        Weights held now, fraction of equity.
    upper : ndarray
        Largest weight that tier 3 allows, >= 0.
    cost : ndarray
        Of one trade, fraction of its notional.
    """

    as_of: datetime
    pairs: tuple[str, ...]
    current: FloatArray
    upper: FloatArray
    cost: FloatArray


def band_half_width(weight: FloatArray, cost: FloatArray, risk_aversion: float) -> FloatArray:
    """Return how far a weight may stray before trading pays: ``(3 c w^2 (1-w)^2 / 2g)^(1/3)``.

    Parameters
    ----------
    weight : ndarray of shape (N,)
        Wanted share of equity, 0 to 1.
    cost : ndarray of shape (N,)
        Proportional cost of a trade, fraction.
    risk_aversion : float
        Relative risk aversion, > 0.

    References
    ----------
    Janecek, Shreve (2004), "Asymptotic analysis for optimal investment and consumption with
    transaction costs".
    """
    square = (weight * (1 - weight)) ** 2
    return np.asarray(np.cbrt(3 * cost * square / (2 * risk_aversion)))


def rebalance(holding: Holding, wanted: Solution, config: PortfolioConfig) -> TargetPortfolio:
    """Return the weights to trade to: the nearest edge of the band around what is wanted.

    A weight inside its band stays. One above the limit of tier 3 comes down to it whatever the
    band says, and if the bands together would hold more than ``max_gross``, what exceeds the
    wanted weights is given up in proportion.

    Returns
    -------
    TargetPortfolio
        With the stages optimizer, band, risk_reduction and gross of each pair. No weight exceeds
        its limit.

    Raises
    ------
    PortfolioError
        If the arrays do not have one entry for each pair.
    """
    _require_shapes(holding, wanted)
    current, upper = holding.current, holding.upper
    width = band_half_width(np.clip(wanted.weights, 0, 1), holding.cost, config.risk_aversion)
    banded = np.clip(current, wanted.weights - width, wanted.weights + width)
    allowed = np.clip(banded, 0.0, upper)
    final = _within_gross(allowed, np.minimum(wanted.weights, upper), config.max_gross)
    return TargetPortfolio(
        as_of=holding.as_of,
        pairs=holding.pairs,
        current=_floats(current),
        weights=_floats(final),
        method=wanted.method,
        status=wanted.status,
        stages=_stages(
            holding.pairs,
            (
                ("optimizer", upper, wanted.weights, ("",) * len(upper)),
                ("band", wanted.weights, banded, tuple(f"+-{w:.4f}" for w in width)),
                ("risk_reduction", banded, allowed, ("limit of tier 3",) * len(upper)),
                ("gross", allowed, final, (f"at most {config.max_gross:g}",) * len(upper)),
            ),
        ),
    )


def _within_gross(weights: FloatArray, wanted: FloatArray, max_gross: float) -> FloatArray:
    """Return weights whose sum is at most `max_gross`, given up where they exceed what is wanted.

    If the wanted weights themselves are too many, all are scaled.
    """
    excess = np.maximum(weights - wanted, 0.0)
    over = float(weights.sum()) - max_gross
    if over <= ROUNDING:
        return weights
    total = float(excess.sum())
    lowered = weights - excess * (min(over / total, 1.0) if total > 0 else 0.0)
    left = float(lowered.sum())
    return np.asarray(lowered * min(max_gross / left, 1.0))


def _stages(
    pairs: tuple[str, ...],
    steps: tuple[tuple[str, FloatArray, FloatArray, tuple[str, ...]], ...],
) -> tuple[tuple[str, Stage], ...]:
    return tuple(
        (pair, Stage(name, float(before[i]), float(after[i]), note[i]))
        for i, pair in enumerate(pairs)
        for name, before, after, note in steps
    )


def _floats(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _require_shapes(holding: Holding, wanted: Solution) -> None:
    arrays = (holding.current, holding.upper, holding.cost, wanted.weights)
    if any(array.shape != (len(holding.pairs),) for array in arrays):
        raise PortfolioError(
            f"rebalancing {len(holding.pairs)} pairs needs one weight, limit and cost for each, "
            f"found shapes {[array.shape for array in arrays]}"
        )

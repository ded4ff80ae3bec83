"""Kelly sizing of a trade that ends at a take-profit, at a stop, or by time.

Arrays are (T, 3) in the order up, down, time-out. What is not a number, or not a probability,
gives size zero.
"""

from dataclasses import dataclass

import numpy as np

from helios_core.domain.market import FloatArray
from helios_core.risk.config import RiskConfig

STEPS = 80  # halvings: the bracket shrinks below the spacing of doubles
LARGEST = 1000.0  # stake where nothing can be lost; the caps of leverage follow
TOLERANCE = 1e-5  # how far probabilities may be from summing to 1


@dataclass(frozen=True, slots=True, eq=False)
class KellySize:
    """Sizes of one side of the market over time, arrays of shape (T,).

    Attributes
    ----------
    edge : ndarray
        Expected return of the trade net of cost, fraction.
    error : ndarray
        Standard error of that.
    raw : ndarray
        Share of equity that maximizes expected log growth, >= 0.
    shrunk : ndarray
        What is left of it after the doubt about the edge and the Kelly fraction.
    """

    edge: FloatArray
    error: FloatArray
    raw: FloatArray
    shrunk: FloatArray


def size_trades(
    probabilities: FloatArray, gain: FloatArray, loss: FloatArray, cost: float, config: RiskConfig
) -> KellySize:
    """Return edge and size of trades that win `gain` or lose `loss`, before limits.

    Parameters
    ----------
    probabilities : ndarray of shape (T, 3)
        Calibrated, of the take-profit, the stop and the time-out.
    gain, loss : ndarray of shape (T,)
        Distance of the two barriers, fractions > 0. A time-out is taken to return nothing.
    cost : float
        Round trip, fraction; paid in every outcome.
    """
    unusable = ~(np.isfinite(gain) & np.isfinite(loss) & (gain > 0) & (loss > 0))
    gain, loss = np.where(unusable, np.nan, gain), np.where(unusable, np.nan, loss)
    p = toward_base_rate(probabilities, gain, loss, config)
    x = np.stack([gain, -loss, np.zeros_like(gain)], axis=1) - cost  # (T, 3)
    edge = (p * x).sum(axis=1)
    error = edge_error(p, x, config)
    raw = growth_optimal(p, x, limit=LARGEST)
    return KellySize(edge, error, raw, shrink(raw, edge, error, config.kelly_fraction))


def toward_base_rate(
    probabilities: FloatArray, gain: FloatArray, loss: FloatArray, config: RiskConfig
) -> FloatArray:
    """Return probabilities drawn toward those of a price that goes nowhere, shape (T, 3).

    Such a price meets the upper barrier first with probability loss / (gain + loss). The chance of
    a time-out is kept. Weights are ``effective_samples`` and ``prior_samples``.
    """
    timeout = probabilities[:, 2]
    up = loss / (gain + loss)
    base = np.stack([(1 - timeout) * up, (1 - timeout) * (1 - up), timeout], axis=1)
    trust = config.effective_samples / (config.effective_samples + config.prior_samples)
    return np.asarray(trust * probabilities + (1 - trust) * base)


def edge_error(p: FloatArray, x: FloatArray, config: RiskConfig) -> FloatArray:
    """Return the standard error of the mean of x, shape (T,).

    The variance of one outcome over the effective samples, and the calibration error times the
    distance between the barriers.
    """
    mean = (p * x).sum(axis=1)
    variance = np.maximum((p * x**2).sum(axis=1) - mean**2, 0.0)
    misjudged = config.calibration_error * (x[:, 0] - x[:, 1])
    return np.asarray(np.sqrt(variance / config.effective_samples + misjudged**2))


def growth_optimal(p: FloatArray, x: FloatArray, *, limit: float) -> FloatArray:
    """Return the f in [0, limit] that maximizes ``sum p_i log(1 + f x_i)``, shape (T,).

    The derivative falls in f, so bisection finds its root; where it is still positive at `limit`,
    the limit is the answer. Rows that are not finite or not probabilities give 0.

    Parameters
    ----------
    p, x : ndarray of shape (T, K)
        Probabilities, and returns of a unit stake as fractions.
    limit : float
        Largest stake, > 0.

    References
    ----------
    Kelly (1956), "A new interpretation of information rate".
    """
    usable = np.isfinite(p).all(axis=1) & np.isfinite(x).all(axis=1)
    usable &= (p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) <= TOLERANCE)
    usable &= (p * x).sum(axis=1) > 0  # NaN compares false
    size = np.zeros(len(p))
    if usable.any():
        size[usable] = _bisect(p[usable], x[usable], limit)
    return size


def _bisect(p: FloatArray, x: FloatArray, limit: float) -> FloatArray:
    """Return where the slope of expected log growth crosses zero, for rows where it starts > 0."""
    worst = np.where(p > 0, -x, 0.0).max(axis=1)
    low = np.zeros(len(p))
    high = np.minimum(limit, 1 / np.maximum(worst, 1 / limit / 2))
    gained = p * x
    for _ in range(STEPS):
        middle = (low + high) / 2
        growth = np.where(p > 0, 1 + middle[:, None] * x, 1.0)
        rising = (gained / growth).sum(axis=1) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return low


def shrink(raw: FloatArray, edge: FloatArray, error: FloatArray, fraction: float) -> FloatArray:
    """Return ``fraction * raw * edge^2 / (edge^2 + error^2)``, and 0 unless edge > error.

    References
    ----------
    Baker, McHale (2013), "Optimal betting under parameter uncertainty".
    """
    trusted = edge > error  # NaN compares false
    ratio = np.divide(error, edge, out=np.ones_like(edge), where=trusted)
    return np.where(trusted, fraction * raw / (1 + ratio**2), 0.0)

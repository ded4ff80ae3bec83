"""Covariance of the pairs: shrunk, weighted correlations times forecast volatility."""

from dataclasses import dataclass

import numpy as np

from helios_core.domain.market import FloatArray
from helios_core.errors import PortfolioError
from helios_core.portfolio.config import PortfolioConfig


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Second moments of N pairs over one horizon.

    Attributes
    ----------
    cov : ndarray of shape (N, N)
        Covariance of returns over the horizon of the sigmas that it was built from.
    correlation : ndarray of shape (N, N)
        Positive definite, ones on the diagonal.
    shrinkage : float
        Weight of the identity in the correlations, 0 to 1.
    rows : int
        Bars that the correlations rest on.
    note : str
        Empty, or what was assumed because data was missing.
    """

    cov: FloatArray
    correlation: FloatArray
    shrinkage: float
    rows: int
    note: str = ""


def moments(returns: FloatArray, sigma: FloatArray, config: PortfolioConfig) -> Moments:
    """Return the covariance ``D R D`` of N pairs.

    Parameters
    ----------
    returns : ndarray of shape (W, N)
        Log returns of one bar, oldest first; rows with a value that is not finite are left out.
    sigma : ndarray of shape (N,)
        Forecast standard deviation over the horizon. A pair whose sigma is not known (not finite
        or not positive) takes the largest known one, so that it is never the safe choice.

    Raises
    ------
    PortfolioError
        If the shapes do not agree or there is no pair.
    """
    if returns.ndim != 2 or returns.shape[1:] != sigma.shape or not len(sigma):
        raise PortfolioError(
            f"moments need returns of shape (bars, pairs) and one sigma for each pair, found "
            f"{returns.shape} and {sigma.shape}"
        )
    scale, notes = _known_sigma(sigma)
    rows = returns[np.isfinite(returns).all(axis=1)]
    if len(rows) < config.min_rows:
        count = len(sigma)
        correlation = np.full((count, count), config.assumed_correlation)
        np.fill_diagonal(correlation, 1.0)
        shrinkage = 1.0
        notes.append(
            f"{len(rows)} bars are known for every pair, {config.min_rows} are needed: "
            f"correlations of {config.assumed_correlation:g} are assumed"
        )
    else:
        correlation, shrinkage = shrunk_correlation(rows, config.half_life)
    correlation = clip_spectrum(correlation, config.max_condition)
    cov = correlation * np.outer(scale, scale)
    return Moments(cov, correlation, shrinkage, len(rows), "; ".join(notes))


def shrunk_correlation(returns: FloatArray, half_life: float) -> tuple[FloatArray, float]:
    """Return the correlations of `returns`, shrunk toward the identity, and the weight of that.

    Returns are scaled to a weighted mean square of one; their mean is taken as zero, which over
    bars of a minute it is. With equal weights the shrinkage is the one of Ledoit and Wolf; with
    weights w it replaces 1/W by the sum of the squared weights.

    Parameters
    ----------
    returns : ndarray of shape (W, N)
        Finite, oldest first.
    half_life : float
        Bars after which a row counts half.

    References
    ----------
    Ledoit, Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices".
    """
    age = np.arange(len(returns) - 1, -1, -1)
    weights = 0.5 ** (age / half_life)
    weights /= weights.sum()
    power = np.sqrt(weights @ returns**2)
    scaled = returns / np.where(power > 0, power, 1.0)  # (W, N)
    sample = (scaled * weights[:, None]).T @ scaled  # (N, N)
    target = np.trace(sample) / len(sample) * np.eye(len(sample))
    distance = float(((sample - target) ** 2).sum())
    norms = (scaled**2).sum(axis=1)
    errors = norms**2 - 2 * np.einsum("ti,ij,tj->t", scaled, sample, scaled) + (sample**2).sum()
    noise = float(weights**2 @ errors)
    shrinkage = min(noise, distance) / distance if distance > 0 else 1.0
    mixed = (1 - shrinkage) * sample + shrinkage * target
    np.fill_diagonal(mixed, 1.0)  # a pair that never moved keeps its place, uncorrelated
    return mixed, shrinkage


def clip_spectrum(correlation: FloatArray, max_condition: float) -> FloatArray:
    """Return the matrix with small eigenvalues raised and ones on the diagonal again, symmetric.

    Parameters
    ----------
    correlation : ndarray of shape (N, N)
        Symmetric, not necessarily positive definite.
    max_condition : float
        No eigenvalue stays below the largest one divided by this.
    """
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
    floor = values[-1] / max_condition
    if values[0] >= floor:
        return correlation
    raised = (vectors * np.maximum(values, floor)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(raised))
    result = raised * np.outer(scale, scale)
    return np.asarray((result + result.T) / 2)


def _known_sigma(sigma: FloatArray) -> tuple[FloatArray, list[str]]:
    known = np.isfinite(sigma) & (sigma > 0)
    if known.all():
        return sigma, []
    largest = float(sigma[known].max()) if known.any() else 1.0
    note = f"{int((~known).sum())} pairs without a volatility take the largest known, {largest:g}"
    return np.where(known, sigma, largest), [note]

"""Long-only mean-variance weights under cost, turnover and the limits of tier 3.

The problem is written for cvxpy once for each number of pairs and kept compiled; a solve fills in
its parameters. cvxpy takes seconds to import, so that waits until something is to be solved.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from helios_core.domain.market import FloatArray
from helios_core.errors import PortfolioError
from helios_core.portfolio.config import PortfolioConfig

# Weights err like the square root of the duality gap where a bound is barely active, so the gap is
# asked to be tiny; where rounding stops that, as on a feasible set without an interior, the
# solver's own accuracy has to do.
ACCURACIES: tuple[dict[str, float], ...] = (
    {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12},
    {"tol_gap_abs": 1e-8, "tol_gap_rel": 1e-8, "tol_feas": 1e-8},
)
SNAP = 1e-7  # weights this close to a bound or to where they were are put exactly there


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Weights that the optimizer wants, shape (N,).

    ``method`` is mean_variance, flat (nothing may be held) or kept (no solution: what is held, cut
    to the limits); ``status`` is the solver's word or the reason.
    """

    weights: FloatArray
    method: str
    status: str


@dataclass(frozen=True, slots=True, eq=False)
class _Compiled:
    problem: Any  # cvxpy.Problem
    weights: Any  # cvxpy.Variable
    parameters: dict[str, Any]  # cvxpy.Parameter


def solve(
    mu: FloatArray,
    cov: FloatArray,
    upper: FloatArray,
    current: FloatArray,
    cost: FloatArray,
    config: PortfolioConfig,
) -> Solution:
    """Return the weights w that maximize ``mu'w - gamma/2 w'Cw - cost'|w - current|``.

    Subject to ``0 <= w <= upper``, ``sum(w) <= max_gross`` and ``sum|w - start| <= max_turnover``,
    where ``start`` is `current` cut down to the limits: what the limits demand does not use up
    turnover, so a solution always exists.

    Parameters
    ----------
    mu : ndarray of shape (N,)
        Expected return over the horizon, before the cost of trading.
    cov : ndarray of shape (N, N)
        Covariance over the same horizon, positive definite.
    upper : ndarray of shape (N,)
        Largest weight of each pair, the size of tier 3; >= 0.
    current : ndarray of shape (N,)
        Weights held now.
    cost : ndarray of shape (N,)
        Of trading one unit of weight, >= 0; infinity forbids trading beyond what limits demand.

    Returns
    -------
    Solution
        If the solver fails, `start` with method "kept".

    Raises
    ------
    PortfolioError
        If shapes differ or a number is not usable.
    """
    _require_inputs(mu, cov, upper, current, cost)
    start = reduced(current, upper, config.max_gross)
    if not upper.any():
        return Solution(start, "flat", "no pair may be held")
    factor = _factor(cov)
    if factor is None:
        return Solution(start, "kept", "the covariance is not positive definite; nothing is bought")
    gamma = config.risk_aversion
    scale = max(float(np.abs(mu).max()), gamma * float(np.diag(cov).max()))
    prohibitive = 10 * (1 + gamma * float(np.abs(cov).max()) * len(mu) / scale)
    weights, status = _optimize(
        {
            "mu": mu / scale,
            "factor": factor.T * np.sqrt(gamma / scale),
            "upper": upper,
            "current": current,
            "start": start,
            "cost": np.minimum(cost / scale, prohibitive),
            "gross": np.array(config.max_gross),
            "turnover": np.array(config.max_turnover),
        }
    )
    if weights is None:
        return Solution(start, "kept", f"{status}; nothing is bought")
    return Solution(_snapped(weights, upper, start), "mean_variance", status)


def reduced(current: FloatArray, upper: FloatArray, max_gross: float) -> FloatArray:
    """Return what may stay of `current` without buying anything, shape (N,)."""
    kept = np.clip(current, 0.0, upper)
    gross = float(kept.sum())
    return np.asarray(kept * (max_gross / gross) if gross > max_gross else kept)


def _optimize(values: dict[str, FloatArray]) -> tuple[FloatArray | None, str]:
    """Return the solver's weights, None if it found none, and its status."""
    cp = _cvxpy()

    compiled = _compile(len(values["mu"]))
    for name, value in values.items():
        compiled.parameters[name].value = value
    status = ""
    for accuracy in ACCURACIES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # repeats the status read below
                # A warm start would make the last digits depend on what was solved before.
                compiled.problem.solve(solver=cp.CLARABEL, warm_start=False, **accuracy)
        except cp.SolverError as error:
            status = f"the solver gave up: {error}"
            continue
        found = compiled.weights.value
        if compiled.problem.status == cp.OPTIMAL and np.isfinite(found).all():
            return np.asarray(found, dtype=np.float64), str(compiled.problem.status)
        status = f"the solver ended {compiled.problem.status}"
    return None, status


def _cvxpy() -> Any:  # noqa: ANN401 - its functions are not typed
    import cvxpy

    return cvxpy


@lru_cache(maxsize=32)
def _compile(count: int) -> _Compiled:
    """Return the problem of `count` pairs with parameters for all numbers."""
    cp = _cvxpy()

    weights = cp.Variable(count)
    trade = cp.Variable(count)  # its own variable: a cost times a parameter inside is not DPP
    shapes: dict[str, tuple[int, ...]] = {
        "mu": (count,),
        "factor": (count, count),
        "upper": (count,),
        "current": (count,),
        "start": (count,),
        "cost": (count,),
        "gross": (),
        "turnover": (),
    }
    p = {n: cp.Parameter(shape, nonneg=n == "cost") for n, shape in shapes.items()}
    objective = (
        p["mu"] @ weights - cp.sum_squares(p["factor"] @ weights) / 2 - p["cost"] @ cp.abs(trade)
    )
    constraints = [
        trade == weights - p["current"],
        weights >= 0,
        weights <= p["upper"],
        cp.sum(weights) <= p["gross"],
        cp.norm1(weights - p["start"]) <= p["turnover"],
    ]
    return _Compiled(cp.Problem(cp.Maximize(objective), constraints), weights, p)


def _factor(cov: FloatArray) -> FloatArray | None:
    """Return the lower Cholesky factor, None if there is none."""
    try:
        return np.asarray(np.linalg.cholesky(cov))
    except np.linalg.LinAlgError:
        return None


def _snapped(weights: FloatArray, upper: FloatArray, start: FloatArray) -> FloatArray:
    """Return the weights without the dust of an interior-point method."""
    exact = np.clip(weights, 0.0, upper)
    for place in (np.zeros_like(upper), upper, start):
        exact = np.where(np.abs(exact - place) < SNAP, place, exact)
    return np.asarray(exact)


def _require_inputs(
    mu: FloatArray, cov: FloatArray, upper: FloatArray, current: FloatArray, cost: FloatArray
) -> None:
    count = len(mu)
    shapes = [a.shape for a in (mu, cov, upper, current, cost)]
    if not count or shapes != [(count,), (count, count), (count,), (count,), (count,)]:
        raise PortfolioError(
            f"an optimization over {count} pairs needs one mu, upper, current and cost for each "
            f"and a square covariance; found shapes {shapes}"
        )
    for name, values in (("mu", mu), ("cov", cov), ("upper", upper), ("current", current)):
        if not np.isfinite(values).all():
            raise PortfolioError(
                f"{name} must be finite, found {values[~np.isfinite(values)][0]}; leave out pairs "
                f"that tier 3 vetoed or give them upper 0 and mu 0"
            )
    if (upper < 0).any() or not (cost >= 0).all():
        raise PortfolioError(
            f"upper and cost must not be negative, smallest found {upper.min()} and {cost.min()}"
        )

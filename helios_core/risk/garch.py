"""GARCH(1,1): fit through `arch`, accept or refuse the fit, filter and forecast variance.

``r_t = mu + e_t``, ``h_{t+1} = omega + alpha e_t^2 + beta h_t``, Gaussian quasi-likelihood. The
recursion starts from the mean square of the residuals, as in the benchmark of Fiorentini,
Calzolari and Panattoni (1996).
"""

import math
import warnings
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from helios_core.domain.market import FloatArray
from helios_core.errors import RiskError
from helios_core.risk.config import VolatilityConfig


@dataclass(frozen=True, slots=True)
class GarchParams:
    """Parameters in the units of the returns: mu a fraction, omega its square."""

    mu: float
    omega: float
    alpha: float
    beta: float

    @property
    def persistence(self) -> float:
        """Share of a variance shock that is left a step later."""
        return self.alpha + self.beta

    @property
    def long_run(self) -> float:
        """Variance that forecasts go to; infinite when shocks do not fade."""
        return self.omega / (1 - self.persistence) if self.persistence < 1 else math.inf

    @property
    def half_life(self) -> float:
        """Steps until half of a variance shock is gone."""
        if self.persistence >= 1:
            return math.inf
        return math.log(0.5) / math.log(self.persistence) if self.persistence > 0 else 0.0


@dataclass(frozen=True, slots=True)
class GarchFit:
    """Result of one fit. `params` is None when nothing was fitted; use it only if `accepted`."""

    params: GarchParams | None
    accepted: bool
    reason: str  # why it was refused, empty when accepted
    rows: int
    log_likelihood: float  # in the units of the returns, NaN when nothing was fitted


def fit_garch(returns: FloatArray, config: VolatilityConfig) -> GarchFit:
    """Fit a GARCH(1,1) with constant mean and say whether its forecasts may be used.

    The returns are scaled to unit variance for the optimizer, which otherwise stops early.

    Parameters
    ----------
    returns : ndarray of shape (T,)
        Log returns, oldest first; values that are not finite are left out.

    Returns
    -------
    GarchFit
        Refused for too few rows, returns that do not move, an optimizer that did not converge,
        parameters or a Hessian that are not finite, persistence or half-life out of range, or a
        next variance too far from the EWMA.
    """
    known = returns[np.isfinite(returns)]
    rows = len(known)
    if rows < config.min_blocks:
        return _refused(f"{rows} returns are known, a fit needs {config.min_blocks}", rows)
    spread = float(known.std())
    if not spread > 1e-12:
        return _refused("the returns do not move", rows)
    result, hessian_finite = _fit_scaled(known / spread)
    mu, omega, alpha, beta = (float(value) for value in result.params)
    params = GarchParams(mu * spread, omega * spread**2, alpha, beta)
    likelihood = float(result.loglikelihood) - rows * math.log(spread)
    if not hessian_finite:
        reason = "the Hessian is not finite"
    elif result.convergence_flag != 0:
        reason = f"the optimizer did not converge (flag {result.convergence_flag})"
    else:
        reason = _refusal(params, known, config)
    return GarchFit(params, not reason, reason, rows, likelihood)


def variance_step(variance: float, residual: float, params: GarchParams) -> float:
    """Return the next variance; a residual that is not known (NaN) counts as expected."""
    square = residual * residual if math.isfinite(residual) else variance
    return params.omega + params.alpha * square + params.beta * variance


def start_variance(returns: FloatArray, params: GarchParams) -> float:
    """Return the variance before the first return: one step from the mean square residual."""
    known = returns[np.isfinite(returns)]
    if not len(known):
        return params.long_run
    return params.omega + params.persistence * float(np.mean((known - params.mu) ** 2))


def filter_variance(
    returns: FloatArray, params: GarchParams, start: float | None = None
) -> FloatArray:
    """Return the variance of each return given those before it, and that of the one to come.

    Parameters
    ----------
    returns : ndarray of shape (T,)
        NaN where one is missing.
    params : GarchParams
        Known before the first return, or at least fixed.
    start : float or None
        Variance of the first return; by default that of `start_variance`, which looks at all of
        `returns` and so belongs to returns that are all known.

    Returns
    -------
    ndarray of shape (T + 1,)
        The last value is the one-step forecast.
    """
    first = start_variance(returns, params) if start is None else start
    residuals = (returns - params.mu).tolist()
    path = accumulate(residuals, lambda h, e: variance_step(h, e, params), initial=first)
    return np.fromiter(path, dtype=np.float64, count=len(residuals) + 1)


def forecast_variance(next_variance: float, params: GarchParams, steps: int) -> FloatArray:
    """Return the expected variances of the next `steps` returns, shape (steps,).

    ``h_{t+k} = s + (alpha + beta)^(k-1) (h_{t+1} - s)`` with the long-run variance s.

    Raises
    ------
    RiskError
        If shocks do not fade (alpha + beta >= 1) or `steps` is below 1.
    """
    if steps < 1 or params.persistence >= 1:
        raise RiskError(
            f"a forecast needs at least one step and alpha + beta < 1, found {steps} steps and "
            f"{params.persistence:.4f}"
        )
    decay = params.persistence ** np.arange(steps)
    return np.asarray(params.long_run + decay * (next_variance - params.long_run))


def ewma_variance(returns: FloatArray, decay: float, warmup: int) -> FloatArray:
    """Return the exponentially weighted mean square up to and including each return, shape (T,).

    NaN until `warmup` returns are known; it starts from their mean square. A missing return
    leaves the value as it was.
    """
    out = np.full(len(returns), np.nan)
    known = np.flatnonzero(np.isfinite(returns))
    if len(known) < warmup:
        return out
    first = known[warmup - 1]
    level = float(np.mean(returns[known[:warmup]] ** 2))
    out[first] = level
    for i, value in enumerate(returns[first + 1 :].tolist(), start=first + 1):
        if math.isfinite(value):
            level = decay * level + (1 - decay) * value * value
        out[i] = level
    return out


def _fit_scaled(scaled: FloatArray) -> tuple[Any, bool]:
    from arch import arch_model

    model = arch_model(scaled, mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is in the convergence flag
        backcast = float(np.mean((scaled - scaled.mean()) ** 2))
        result = model.fit(disp="off", show_warning=False, backcast=backcast)
        return result, bool(np.isfinite(result.param_cov.to_numpy()).all())


def _refusal(params: GarchParams, returns: FloatArray, config: VolatilityConfig) -> str:
    """Return why parameters must not be used, empty if they may."""
    if not all(math.isfinite(x) for x in (params.mu, params.omega, params.alpha, params.beta)):
        return f"a parameter is not finite: {params}"
    if params.omega <= 0 or min(params.alpha, params.beta) < 0:
        return f"omega {params.omega:.3g} must be positive, alpha and beta not negative"
    if not config.min_persistence <= params.persistence <= config.max_persistence:
        return (
            f"alpha + beta is {params.persistence:.4f}, accepted are {config.min_persistence:g} "
            f"to {config.max_persistence:g}"
        )
    if not config.min_half_life <= params.half_life <= config.max_half_life:
        return (
            f"a shock halves in {params.half_life:.1f} blocks, accepted are "
            f"{config.min_half_life:g} to {config.max_half_life:g}"
        )
    return _off_ewma(params, returns, config)


def _off_ewma(params: GarchParams, returns: FloatArray, config: VolatilityConfig) -> str:
    """Return what is wrong with the next variance beside the EWMA, empty if nothing is."""
    simple = ewma_variance(returns, config.block_decay, config.ewma_warmup_blocks)[-1]
    ratio = float(filter_variance(returns, params)[-1] / simple) if simple > 0 else math.nan
    if 1 / config.max_ratio <= ratio <= config.max_ratio:
        return ""
    return (
        f"the next variance is {ratio:.3g} times the EWMA, accepted are "
        f"{1 / config.max_ratio:g} to {config.max_ratio:g}"
    )


def _refused(reason: str, rows: int) -> GarchFit:
    return GarchFit(None, accepted=False, reason=reason, rows=rows, log_likelihood=math.nan)

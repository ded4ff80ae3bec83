import json
import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from arch import arch_model
from arch.univariate.base import ARCHModel

from helios_core.errors import RiskError
from helios_core.risk import garch
from helios_core.risk.config import VolatilityConfig
from helios_core.risk.garch import (
    GarchParams,
    ewma_variance,
    filter_variance,
    fit_garch,
    forecast_variance,
    start_variance,
    variance_step,
)

CONFIG = VolatilityConfig()
KNOWN = GarchParams(mu=0.0, omega=2e-6, alpha=0.08, beta=0.88)


def simulated(params, rows, seed=0):
    rng = np.random.default_rng(seed)
    out, variance = np.empty(rows), params.long_run
    for t in range(rows):
        residual = math.sqrt(variance) * rng.normal()
        out[t] = params.mu + residual
        variance = params.omega + params.alpha * residual**2 + params.beta * variance
    return out


def test_the_filter_is_the_conditional_variance_of_arch():
    returns = simulated(KNOWN, 800) * 100
    params = GarchParams(mu=0.01, omega=0.03, alpha=0.1, beta=0.85)
    theirs = arch_model(returns, rescale=False).fix([0.01, 0.03, 0.1, 0.85])
    variance = np.asarray(theirs.conditional_volatility) ** 2
    ours = filter_variance(returns, params, start=float(variance[0]))

    np.testing.assert_allclose(ours[:-1], variance, rtol=1e-10)


def test_forecasts_in_closed_form_are_those_of_arch():
    returns = simulated(KNOWN, 800) * 100
    params = GarchParams(mu=0.01, omega=0.03, alpha=0.1, beta=0.85)
    fixed = arch_model(returns, rescale=False).fix([0.01, 0.03, 0.1, 0.85])
    theirs = fixed.forecast(horizon=30).variance.to_numpy()[-1]
    start = float(np.asarray(fixed.conditional_volatility)[0]) ** 2
    ahead = filter_variance(returns, params, start=start)[-1]

    np.testing.assert_allclose(forecast_variance(ahead, params, 30), theirs, rtol=1e-10)


def test_the_fit_agrees_with_the_published_benchmark(shared_data):
    """Bollerslev-Ghysels data, Fiorentini, Calzolari and Panattoni (1996).

    They start from the mean square around the mu under trial, `arch` from that around the sample
    mean; the constant term moves with it in the fifth digit.
    """
    oracle = json.loads((shared_data / "oracles.json").read_text())["garch_fcp"]
    returns = np.loadtxt(shared_data / "dem2gbp_bollerslev_ghysels.csv")
    fit = fit_garch(returns, CONFIG)
    published = oracle["params"]
    found = [fit.params.mu, fit.params.omega, fit.params.alpha, fit.params.beta]

    assert fit.accepted
    assert fit.rows == 1974
    assert found == pytest.approx(oracle["arch_backcast_fixed"]["params"], rel=5e-4)
    assert found[1:] == pytest.approx([published[k] for k in ("omega", "alpha", "beta")], rel=5e-5)
    assert found[0] == pytest.approx(published["mu"], abs=2e-5)
    assert fit.log_likelihood == pytest.approx(oracle["loglik"], abs=2e-3)


def test_the_start_is_one_step_from_the_mean_square():
    returns = np.array([0.01, -0.02, 0.03])
    square = (0.01**2 + 0.02**2 + 0.03**2) / 3

    assert start_variance(returns, KNOWN) == pytest.approx(2e-6 + 0.96 * square)
    assert start_variance(np.array([np.nan]), KNOWN) == KNOWN.long_run


def test_a_fit_finds_the_parameters_that_made_the_data():
    fit = fit_garch(simulated(KNOWN, 8000), CONFIG)

    assert fit.accepted
    assert fit.params.persistence == pytest.approx(0.96, abs=0.02)
    assert math.sqrt(fit.params.long_run) == pytest.approx(math.sqrt(KNOWN.long_run), rel=0.1)


def test_the_unit_of_the_returns_does_not_matter():
    returns = simulated(KNOWN, 1000)
    small, large = fit_garch(returns / 1000, CONFIG), fit_garch(returns * 1000, CONFIG)

    assert small.params.alpha == pytest.approx(large.params.alpha, abs=1e-6)
    assert small.params.omega * 1e12 == pytest.approx(large.params.omega, rel=1e-4)
    assert small.log_likelihood - large.log_likelihood == pytest.approx(1000 * math.log(1e6))


@pytest.mark.parametrize(
    ("returns", "why"),
    [
        (np.zeros(400), "do not move"),
        (np.full(400, 0.01), "do not move"),
        (simulated(KNOWN, 249), "249 returns are known, a fit needs 250"),
        (np.where(np.arange(400) % 2, np.nan, 0.01), "200 returns are known"),
        (np.random.default_rng(3).normal(0, np.repeat([1.0, 5.0], 500)), "accepted are"),
        (simulated(GarchParams(0.0, 1e-4, 0.0, 0.0), 600, seed=1), "accepted are"),
    ],
    ids=["zero", "constant", "short", "half missing", "a variance that jumps", "white noise"],
)
def test_a_fit_that_must_not_be_used_says_why(returns, why):
    fit = fit_garch(returns, CONFIG)

    assert not fit.accepted
    assert why in fit.reason


def test_a_forecast_far_from_the_ewma_is_refused():
    returns = simulated(KNOWN, 600)
    strict = VolatilityConfig(max_ratio=1.0)

    assert "times the EWMA" in fit_garch(returns, strict).reason


def test_a_shock_that_lasts_too_long_is_refused():
    patient = VolatilityConfig(max_half_life=5.0)

    assert "a shock halves in" in fit_garch(simulated(KNOWN, 2000), patient).reason


@pytest.mark.parametrize(
    ("params", "hessian_finite", "why"),
    [
        ((0.0, 0.1, 0.1, 0.8), False, "Hessian is not finite"),
        ((0.0, math.nan, 0.1, 0.8), True, "not finite"),
        ((0.0, 0.0, 0.1, 0.8), True, "must be positive"),
        ((0.0, 0.1, -0.1, 0.9), True, "not negative"),
    ],
)
def test_an_answer_of_the_optimizer_that_makes_no_sense_is_refused(
    params, hessian_finite, why, monkeypatch
):
    answer = SimpleNamespace(params=params, loglikelihood=-1.0, convergence_flag=0)
    monkeypatch.setattr(garch, "_fit_scaled", lambda _: (answer, hessian_finite))

    assert why in fit_garch(simulated(KNOWN, 300), CONFIG).reason


def test_an_optimizer_that_did_not_converge_is_refused(monkeypatch):
    """`arch` is told to stop after one iteration."""
    fit = ARCHModel.fit

    def hurried(self, **kwargs):
        return fit(self, **kwargs, options={"maxiter": 1})

    monkeypatch.setattr(ARCHModel, "fit", hurried)

    assert "did not converge" in fit_garch(simulated(KNOWN, 500), CONFIG).reason


def test_a_missing_return_counts_as_what_was_expected():
    """E[e^2] is the variance itself, so the step is a forecast step."""
    ahead = forecast_variance(5e-5, KNOWN, 2)[1]

    assert variance_step(5e-5, math.nan, KNOWN) == pytest.approx(ahead)


def test_the_half_life_is_when_half_of_a_shock_is_left():
    path = forecast_variance(2 * KNOWN.long_run, KNOWN, 40) / KNOWN.long_run - 1
    steps = int(np.argmax(path < 0.5))

    assert steps - 1 < KNOWN.half_life <= steps


def test_shocks_that_do_not_fade_have_no_forecast():
    endless = GarchParams(0.0, 1e-6, 0.2, 0.8)

    assert endless.half_life == endless.long_run == math.inf
    with pytest.raises(RiskError, match="alpha"):
        forecast_variance(1e-4, endless, 3)


def test_the_ewma_is_its_definition():
    """The level after n returns is the weighted sum over all of them."""
    returns = np.array([0.01, -0.02, 0.005, 0.03, -0.01])
    level = (returns[:2] ** 2).mean()
    expected = level * 0.9**3 + sum(0.1 * 0.9 ** (4 - i) * returns[i] ** 2 for i in (2, 3, 4))
    found = ewma_variance(returns, 0.9, 2)

    assert np.isnan(found[0])
    assert found[1] == pytest.approx(level)
    assert found[-1] == pytest.approx(expected)


def test_a_missing_return_leaves_the_ewma_as_it_was():
    found = ewma_variance(np.array([0.01, 0.02, np.nan, 0.01]), 0.9, 2)

    assert found[2] == found[1]
    assert np.isnan(ewma_variance(np.array([0.01, np.nan]), 0.9, 2)).all()


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("risk.assess", "arch"), ("portfolio.rebalance", "cvxpy"), ("portfolio.moments", "sklearn")],
)
def test_importing_a_tier_loads_no_heavy_library(module, heavy, project_root):
    code = f"import sys, helios_core.{module}; sys.exit({heavy!r} in sys.modules)"

    subprocess.run([sys.executable, "-c", code], cwd=project_root, check=True)

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helios_core.risk.config import RiskConfig
from helios_core.risk.kelly import (
    edge_error,
    growth_optimal,
    shrink,
    size_trades,
    toward_base_rate,
)

CONFIG = RiskConfig()


def optimal(p, x, limit=1000.0):
    return float(growth_optimal(np.array([p]), np.array([x]), limit=limit)[0])


def test_the_biased_coin_of_the_literature(shared_data):
    coin = json.loads((shared_data / "oracles.json").read_text())["kelly"]["coin"]
    p = coin["p"]
    f = optimal([p, 1 - p], [1.0, -1.0])

    assert f == pytest.approx(coin["f"], abs=1e-12)
    assert p * math.log1p(f) + (1 - p) * math.log1p(-f) == pytest.approx(coin["g"], abs=1e-15)


def test_many_small_bets_approach_the_continuous_formula(shared_data):
    """A binomial step of length dt with the drift and spread of the stock, over the riskless."""
    oracle = json.loads((shared_data / "oracles.json").read_text())["kelly"]["continuous"]
    dt = 1e-6
    drift, spread = (oracle["mu"] - oracle["r"]) * dt, oracle["sigma"] * math.sqrt(dt)
    f = optimal([0.5, 0.5], [drift + spread, drift - spread])

    assert f == pytest.approx(oracle["f"], rel=1e-5)


@given(p=st.floats(0.01, 0.99), gain=st.floats(1e-3, 2.0), loss=st.floats(1e-3, 0.9))
def test_two_outcomes_have_a_closed_form(p, gain, loss):
    q = 1 - p
    closed = max((p * gain - q * loss) / (gain * loss), 0.0)

    assert optimal([p, q], [gain, -loss], limit=1e6) == pytest.approx(closed, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("p", "x"),
    [
        ((0.5, 0.3, 0.2), (0.10, -0.08, -0.002)),
        ((0.4, 0.35, 0.25), (0.3, -0.2, 0.01)),
        ((0.34, 0.33, 0.33), (1.5, -0.9, -0.1)),
    ],
)
def test_three_outcomes_agree_with_a_grid_search_of_expected_log_growth(p, x):
    grid = np.linspace(0, 1 / -min(x) - 1e-6, 400_001)
    growth = sum(pi * np.log1p(grid * xi) for pi, xi in zip(p, x, strict=True))

    assert optimal(p, x) == pytest.approx(grid[np.argmax(growth)], abs=2 * grid[1])


def test_a_bet_that_cannot_lose_stops_at_the_limit():
    assert optimal([0.9, 0.0, 0.1], [0.1, -0.5, 0.0], limit=7.0) == pytest.approx(7.0)


@pytest.mark.parametrize(
    "p", [(np.nan, 0.5, 0.5), (0.7, 0.7, 0.1), (-0.1, 0.6, 0.5), (1 / 3, 1 / 3, 1 / 3)]
)
def test_what_is_no_probability_or_no_edge_gives_nothing(p):
    assert optimal(p, (0.01, -0.01, 0.0)) == 0.0


def test_rows_do_not_see_each_other():
    rng = np.random.default_rng(0)
    p = rng.dirichlet((4, 3, 2), 50)
    x = np.stack([rng.uniform(0.01, 0.1, 50), -rng.uniform(0.01, 0.1, 50), np.zeros(50)], axis=1)
    p[7] = np.nan
    together = growth_optimal(p, x, limit=100.0)

    assert together[7] == 0.0
    assert together.tolist() == [optimal(p[i], x[i], limit=100.0) for i in range(50)]


@given(
    gain=st.floats(1e-4, 0.5),
    loss=st.floats(1e-4, 0.5),
    timeout=st.floats(0, 0.99),
)
def test_the_base_rate_has_no_edge(gain, loss, timeout):
    """A martingale gains nothing on average, so a prior with all the weight leaves no edge."""
    believer = RiskConfig(prior_samples=1e9, effective_samples=1.0)
    hit = 1 - timeout
    p = toward_base_rate(
        np.array([[hit, 0.0, timeout]]), np.array([gain]), np.array([loss]), believer
    )

    assert p.sum() == pytest.approx(1)
    assert p[0] @ [gain, -loss, 0] == pytest.approx(0, abs=1e-8)


def test_the_prior_counts_as_samples():
    p = toward_base_rate(
        np.array([[0.6, 0.2, 0.2]]), np.array([0.02]), np.array([0.01]),
        RiskConfig(effective_samples=300, prior_samples=100),
    )  # fmt: skip

    assert p[0, 0] == pytest.approx((300 * 0.6 + 100 * 0.8 / 3) / 400)


def test_the_error_of_an_edge_is_that_of_a_sample_mean():
    """Monte Carlo: the spread of the mean of n draws."""
    p, x = np.array([0.5, 0.3, 0.2]), np.array([0.02, -0.015, -0.002])
    config = RiskConfig(effective_samples=100, calibration_error=0.0)
    rng = np.random.default_rng(1)
    means = rng.choice(x, size=(40_000, 100), p=p).mean(axis=1)
    found = float(edge_error(p[None], x[None], config)[0])

    assert found == pytest.approx(means.std(), rel=0.02)


def test_doubt_about_calibration_adds_to_the_error():
    p, x = np.array([[0.5, 0.3, 0.2]]), np.array([[0.02, -0.015, -0.002]])
    sure = edge_error(p, x, RiskConfig(calibration_error=0.0))
    doubting = edge_error(p, x, RiskConfig(calibration_error=0.1))

    assert doubting[0] ** 2 - sure[0] ** 2 == pytest.approx((0.1 * 0.035) ** 2)


def test_shrinkage_is_the_best_factor_for_an_edge_known_with_error():
    """Baker and McHale: growth of k f* with f* = m / v, m normal around mu, is largest there.

    Expected growth is ``E[k m / v] mu - k^2 E[m^2] / 2v``; a grid over k finds its maximum.
    """
    mu, error = 0.02, 0.015
    grid = np.linspace(0, 1, 100_001)
    growth = grid * mu * mu - grid**2 * (mu**2 + error**2) / 2
    factor = shrink(np.array([1.0]), np.array([mu]), np.array([error]), 1.0)[0]

    assert factor == pytest.approx(grid[np.argmax(growth)], abs=1e-4)


def test_an_edge_within_its_error_gives_nothing():
    raw, edge = np.ones(4), np.array([0.01, 0.01, np.nan, 0.01])
    found = shrink(raw, edge, np.array([0.01, 0.02, 0.001, np.nan]), 0.25)

    assert found.tolist() == [0.0, 0.0, 0.0, 0.0]


def test_a_known_trade_is_sized_by_hand():
    """No prior, no error: a quarter of the closed form for two outcomes net of cost."""
    config = RiskConfig(prior_samples=0, effective_samples=1e9, calibration_error=0.0)
    found = size_trades(
        np.array([[0.6, 0.4, 0.0]]), np.array([0.03]), np.array([0.02]), 0.002, config
    )
    gain, loss = 0.028, 0.022

    assert found.edge[0] == pytest.approx(0.6 * gain - 0.4 * loss)
    assert found.raw[0] == pytest.approx((0.6 * gain - 0.4 * loss) / (gain * loss))
    assert found.shrunk[0] == pytest.approx(found.raw[0] / 4, rel=1e-6)


@pytest.mark.parametrize("gain", [0.0, -0.01, np.nan, np.inf])
def test_a_barrier_that_is_none_gives_nothing(gain):
    found = size_trades(
        np.array([[0.6, 0.2, 0.2]]), np.array([gain]), np.array([0.02]), 0.002, CONFIG
    )

    assert found.raw[0] == found.shrunk[0] == 0.0

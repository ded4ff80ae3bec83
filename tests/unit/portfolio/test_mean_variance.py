import itertools
import json
from dataclasses import replace

import cvxpy
import numpy as np
import pytest
from scipy.optimize import linprog

from helios_core.errors import PortfolioError
from helios_core.portfolio import mean_variance
from helios_core.portfolio.config import PortfolioConfig
from helios_core.portfolio.mean_variance import reduced, solve

CONFIG = PortfolioConfig()
FREE = PortfolioConfig(max_turnover=2.0)


def problem(count, seed):
    """Random numbers of the size that minute bars have."""
    rng = np.random.default_rng(seed)
    loading = rng.normal(size=(count, count))
    cov = (loading @ loading.T + 0.5 * np.eye(count)) * 1e-5
    current = rng.uniform(0, 0.8 / count, count) * (rng.random(count) < 0.6)
    upper = rng.uniform(0, 0.35, count) * (rng.random(count) < 0.8)
    return rng.normal(0, 1e-4, count), cov, upper, current, rng.uniform(0, 1e-4, count)


def objective(w, mu, cov, current, cost, config):
    return mu @ w - config.risk_aversion / 2 * w @ cov @ w - cost @ np.abs(w - current)


def linear_gain(w, inputs, config):
    """How much more the objective, linear around w, promises elsewhere: zero only at the optimum.

    The conditions of Karush, Kuhn and Tucker for a concave objective with the kinks of the cost,
    as a linear program over (v, t, s) with t >= |v - current| and s >= |v - start|.
    """
    mu, cov, upper, current, cost = inputs
    count = len(mu)
    gradient = mu - config.risk_aversion * cov @ w
    start = reduced(current, upper, config.max_gross)
    eye, zero = np.eye(count), np.zeros((count, count))
    rows = [[eye, -eye, zero], [-eye, -eye, zero], [eye, zero, -eye], [-eye, zero, -eye]]
    ones, none = np.ones((1, count)), np.zeros((1, count))
    matrix = np.vstack([np.block(rows), np.hstack([ones, none, none]),
                        np.hstack([none, none, ones])])  # fmt: skip
    limits = np.concatenate([current, -current, start, -start,
                             [config.max_gross, config.max_turnover]])  # fmt: skip
    bounds = [(0, u) for u in upper] + [(0, None)] * (2 * count)
    best = linprog(np.concatenate([-gradient, cost, np.zeros(count)]), matrix, limits,
                   bounds=bounds)  # fmt: skip
    assert best.success
    return -best.fun - (gradient @ w - cost @ np.abs(w - current))


def test_inside_the_bounds_it_is_the_closed_form():
    """Without cost the optimum is ``inv(gamma C) mu``."""
    cov = np.array([[4e-5, 1e-5], [1e-5, 9e-5]])
    wanted = np.array([0.2, 0.15])
    mu = CONFIG.risk_aversion * cov @ wanted
    found = solve(mu, cov, np.full(2, 0.35), np.zeros(2), np.zeros(2), FREE)

    assert found.method == "mean_variance"
    np.testing.assert_allclose(found.weights, wanted, atol=1e-8)


def test_a_cost_moves_the_closed_form_by_the_cost():
    """Buying, the expected return is lower by the cost: ``inv(gamma C) (mu - c)``."""
    cov, cost = np.array([[4e-5, 1e-5], [1e-5, 9e-5]]), np.array([3e-6, 4e-6])
    mu = CONFIG.risk_aversion * cov @ np.array([0.2, 0.15])
    expected = np.linalg.solve(CONFIG.risk_aversion * cov, mu - cost)
    found = solve(mu, cov, np.full(2, 0.35), np.zeros(2), cost, FREE)

    np.testing.assert_allclose(found.weights, expected, atol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_no_point_of_a_grid_is_better(seed):
    mu, cov, upper, current, cost = problem(2, seed)
    mu = np.abs(mu) * 3
    upper = np.maximum(upper, 0.05)
    start = reduced(current, upper, 1.0)
    found = solve(mu, cov, upper, current, cost, CONFIG)
    axes = [np.linspace(0, u, 201) for u in upper]
    grid = [np.array(w) for w in itertools.product(*axes)]
    allowed = [w for w in grid if np.abs(w - start).sum() <= CONFIG.max_turnover and w.sum() <= 1]
    best = max(objective(w, mu, cov, current, cost, CONFIG) for w in allowed)

    assert objective(found.weights, mu, cov, current, cost, CONFIG) >= best - 1e-12


@pytest.mark.parametrize("count", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("seed", range(4))
def test_the_optimality_conditions_hold(count, seed):
    inputs = problem(count, 100 * count + seed)
    mu, cov, upper, current, _ = inputs
    found = solve(*inputs, CONFIG)
    start = reduced(current, upper, CONFIG.max_gross)
    scale = max(np.abs(mu).max(), CONFIG.risk_aversion * cov.diagonal().max())

    assert found.method == ("mean_variance" if upper.any() else "flat")
    assert linear_gain(found.weights, inputs, CONFIG) / scale < 1e-6
    assert (found.weights >= 0).all()
    assert (found.weights <= upper).all()
    assert found.weights.sum() <= 1 + 1e-9
    assert np.abs(found.weights - start).sum() <= CONFIG.max_turnover + 1e-8


def test_the_published_turning_points_of_the_frontier(shared_data):
    """Bailey and Lopez de Prado (2013); the last one is the portfolio of least variance.

    Adding a constant to every mean fills the budget, so ``lambda mean + 1`` with gamma 1 is their
    problem.
    """
    oracle = json.loads((shared_data / "oracles.json").read_text())["cla_bailey_ldp_2013"]
    mean, cov = np.array(oracle["mean"]), np.array(oracle["cov"])
    config = PortfolioConfig(risk_aversion=1.0, max_turnover=2.0)
    for point in oracle["turning_points"]:
        mu = point["lam"] * mean + 1
        found = solve(mu, cov, np.ones(10), np.zeros(10), np.zeros(10), config)
        np.testing.assert_allclose(found.weights, point["w"], atol=5e-6)
    risk = float(np.sqrt(found.weights @ cov @ found.weights))

    assert risk == pytest.approx(oracle["min_var_risk"], rel=1e-9)


def test_the_order_of_pairs_does_not_matter():
    mu, cov, upper, current, cost = problem(6, 3)
    order = np.array([3, 1, 5, 0, 4, 2])
    direct = solve(mu, cov, upper, current, cost, CONFIG).weights
    other = solve(
        mu[order], cov[np.ix_(order, order)], upper[order], current[order], cost[order], CONFIG
    ).weights

    np.testing.assert_allclose(other, direct[order], atol=1e-7)


@pytest.mark.parametrize("cost", [1.0, 1e6, np.inf])
def test_a_prohibitive_cost_gives_no_trade(cost):
    mu, cov, _, current, _ = problem(5, 7)
    found = solve(np.abs(mu), cov, np.full(5, 0.35), current, np.full(5, cost), CONFIG)

    np.testing.assert_array_equal(found.weights, current)


def test_what_a_limit_demands_is_sold_whatever_it_costs():
    current = np.array([0.3, 0.3])
    found = solve(
        np.array([1e-3, 1e-3]), np.eye(2) * 1e-5, np.array([0.1, 0.35]), current,
        np.full(2, np.inf), CONFIG,
    )  # fmt: skip

    np.testing.assert_array_equal(found.weights, [0.1, 0.3])


def test_forced_sales_do_not_use_up_turnover():
    """0.9 has to go; the 0.2 of turnover are still there for the other pair."""
    found = solve(
        np.array([1e-3, 1e-2]), np.eye(2) * 1e-5, np.array([0.0, 0.35]), np.array([0.9, 0.0]),
        np.zeros(2), CONFIG,
    )  # fmt: skip

    np.testing.assert_allclose(found.weights, [0.0, 0.2], atol=1e-7)


def test_nothing_may_be_held_needs_no_solver(monkeypatch):
    monkeypatch.setattr(mean_variance, "_optimize", None)
    found = solve(np.zeros(2), np.eye(2), np.zeros(2), np.array([0.3, 0.1]), np.zeros(2), CONFIG)

    assert found.method == "flat"
    np.testing.assert_array_equal(found.weights, [0.0, 0.0])


def test_a_failing_solver_keeps_weights_and_only_reduces(monkeypatch):
    monkeypatch.setattr(mean_variance, "_optimize", lambda _: (None, "the solver ended infeasible"))
    found = solve(
        np.array([1e-3, 1e-3]), np.eye(2) * 1e-5, np.array([0.1, 0.35]), np.array([0.3, 0.2]),
        np.zeros(2), CONFIG,
    )  # fmt: skip

    assert found.method == "kept"
    assert found.status.startswith("the solver ended infeasible")
    np.testing.assert_array_equal(found.weights, [0.1, 0.2])


def test_a_solver_that_stops_half_way_is_not_believed(monkeypatch):
    monkeypatch.setattr(mean_variance, "ACCURACIES", ({"max_iter": 1},))
    found = solve(*problem(3, 0), CONFIG)

    assert found.method == "kept"


def test_a_solver_that_raises_is_survived(monkeypatch):
    def broken(self, **_):
        raise cvxpy.SolverError("numbers out of range")

    monkeypatch.setattr(cvxpy.Problem, "solve", broken)
    found = solve(*problem(3, 0), CONFIG)

    assert found.method == "kept"
    assert "the solver gave up: numbers out of range" in found.status


def test_a_covariance_that_is_none_buys_nothing():
    found = solve(
        np.full(2, 1e-3), np.array([[1.0, 2.0], [2.0, 1.0]]), np.full(2, 0.35),
        np.array([0.1, 0.0]), np.zeros(2), CONFIG,
    )  # fmt: skip

    assert found.method == "kept"
    np.testing.assert_array_equal(found.weights, [0.1, 0.0])


def test_the_budget_cuts_what_is_held_in_proportion():
    kept = reduced(np.array([0.6, 0.3]), np.array([1.0, 1.0]), 0.6)

    np.testing.assert_allclose(kept, [0.4, 0.2])


def test_a_solution_is_the_same_when_asked_again():
    first = solve(*problem(4, 9), CONFIG)
    solve(*problem(4, 10), replace(CONFIG, risk_aversion=7.0))

    np.testing.assert_array_equal(solve(*problem(4, 9), CONFIG).weights, first.weights)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("mu", np.array([np.nan, 0.0]), "mu must be finite"),
        ("current", np.array([np.inf, 0.0]), "current must be finite"),
        ("upper", np.array([-0.1, 0.3]), "must not be negative"),
        ("cost", np.array([np.nan, 0.0]), "must not be negative"),
        ("cov", np.eye(3), "square covariance"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused(name, value, match):
    inputs = {"mu": np.zeros(2), "cov": np.eye(2), "upper": np.ones(2), "current": np.zeros(2),
              "cost": np.zeros(2)}  # fmt: skip
    with pytest.raises(PortfolioError, match=match):
        solve(**(inputs | {name: value}), config=CONFIG)

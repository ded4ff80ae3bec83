import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from helios_core.errors import PortfolioError
from helios_core.portfolio.config import PortfolioConfig
from helios_core.portfolio.moments import clip_spectrum, moments, shrunk_correlation

CONFIG = PortfolioConfig()
EQUAL = 1e12  # a half-life at which every row has the same weight


def correlated(rows, count, seed=0, rho=0.6):
    rng = np.random.default_rng(seed)
    market = rng.normal(size=(rows, 1))
    return 1e-3 * (np.sqrt(rho) * market + np.sqrt(1 - rho) * rng.normal(size=(rows, count)))


@pytest.mark.parametrize(("rows", "count"), [(300, 2), (300, 12), (30, 12), (1000, 5)])
def test_with_equal_weights_it_is_the_estimator_of_ledoit_and_wolf(rows, count):
    returns = correlated(rows, count)
    scaled = returns / np.sqrt((returns**2).mean(axis=0))
    theirs = LedoitWolf(assume_centered=True).fit(scaled)
    matrix, shrinkage = shrunk_correlation(returns, EQUAL)

    assert shrinkage == pytest.approx(theirs.shrinkage_, rel=1e-5)
    np.testing.assert_allclose(matrix, theirs.covariance_, atol=1e-6)


def test_recent_rows_count_more():
    """Old rows move together, recent ones apart; a short memory sees only the latter."""
    rng = np.random.default_rng(1)
    common = rng.normal(size=(2000, 1))
    old, recent = np.hstack([common, common]), rng.normal(size=(2000, 2))
    returns = np.vstack([old + 1e-3 * rng.normal(size=(2000, 2)), recent])

    assert shrunk_correlation(returns, EQUAL)[0][0, 1] > 0.4
    assert abs(shrunk_correlation(returns, 200.0)[0][0, 1]) < 0.15


def test_the_weights_are_those_of_a_half_life():
    """A mean square by hand, with weights 4, 2 and 1 back in time; off-diagonals shrink from it."""
    returns = np.array([[1.0, 0.5], [-0.5, -1.0], [2.0, 1.5]] * 100)
    weights = 0.5 ** np.arange(len(returns))[::-1]
    sample = (returns * weights[:, None]).T @ returns / weights.sum()
    expected = sample[0, 1] / np.sqrt(sample[0, 0] * sample[1, 1])
    matrix, shrinkage = shrunk_correlation(returns, 1.0)

    assert matrix[0, 1] == pytest.approx((1 - shrinkage) * expected)
    assert 0 < shrinkage < 1


def test_covariance_has_the_forecast_volatility_on_its_diagonal():
    sigma = np.array([0.01, 0.02, 0.005])
    found = moments(correlated(1000, 3), sigma, CONFIG)

    np.testing.assert_allclose(np.sqrt(np.diag(found.cov)), sigma)
    assert found.cov[0, 1] / (0.01 * 0.02) == pytest.approx(found.correlation[0, 1])
    assert found.rows == 1000
    assert found.note == ""


def test_one_pair_has_its_variance():
    found = moments(correlated(1000, 1), np.array([0.02]), CONFIG)

    np.testing.assert_allclose(found.cov, [[0.0004]])


def test_the_order_of_pairs_does_not_matter():
    returns, sigma = correlated(500, 4), np.array([0.01, 0.02, 0.03, 0.04])
    order = np.array([2, 0, 3, 1])
    found = moments(returns[:, order], sigma[order], CONFIG).cov

    np.testing.assert_allclose(found, moments(returns, sigma, CONFIG).cov[np.ix_(order, order)])


def test_a_matrix_that_is_no_correlation_becomes_one():
    """Signs that cannot hold together; the clipped matrix is positive definite."""
    impossible = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    fixed = clip_spectrum(impossible, 1e4)
    values = np.linalg.eigvalsh(fixed)

    assert np.linalg.eigvalsh(impossible)[0] < 0
    assert values[0] > 0
    assert values[-1] / values[0] <= 2e4
    np.testing.assert_allclose(np.diag(fixed), 1.0)


def test_a_good_matrix_is_left_alone():
    good = np.array([[1.0, 0.5], [0.5, 1.0]])

    assert clip_spectrum(good, 1e4) is good


def test_two_pairs_that_are_one_can_still_be_inverted():
    returns = np.repeat(correlated(500, 1), 2, axis=1)
    found = moments(returns, np.array([0.01, 0.01]), CONFIG)

    np.linalg.cholesky(found.cov)
    assert found.correlation[0, 1] > 0.99


def test_too_few_rows_assume_a_correlation_and_say_so():
    returns = correlated(1000, 2)
    returns[249:, 0] = np.nan
    found = moments(returns, np.array([0.01, 0.01]), CONFIG)

    assert found.correlation[0, 1] == CONFIG.assumed_correlation
    assert "249 bars are known for every pair, 250 are needed" in found.note


@pytest.mark.parametrize("unknown", [np.nan, 0.0, -1.0, np.inf])
def test_a_pair_of_unknown_volatility_is_never_the_safe_choice(unknown):
    found = moments(correlated(500, 3), np.array([0.01, unknown, 0.04]), CONFIG)

    assert found.cov[1, 1] == pytest.approx(0.04**2)
    assert "1 pairs without a volatility" in found.note


def test_a_pair_that_never_moves_does_not_spoil_the_others():
    returns = correlated(500, 3)
    returns[:, 1] = 0.0
    found = moments(returns, np.array([0.01, 0.02, 0.03]), CONFIG)

    assert np.isfinite(found.cov).all()
    assert found.correlation[0, 2] > 0.3


@pytest.mark.parametrize("shape", [(10, 2), (10, 0), (10,)])
def test_shapes_that_do_not_agree_are_refused(shape):
    with pytest.raises(PortfolioError, match="shape"):
        moments(np.zeros(shape), np.zeros(3 if shape != (10, 0) else 0), CONFIG)

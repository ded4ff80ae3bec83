import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from helios_core.errors import ModelError
from helios_core.network.metrics import (
    auc,
    block_indices,
    bootstrap_auc,
    bootstrap_means,
    brier,
    calibration_error,
    class_losses,
    diebold_mariano,
    log_loss,
    reliability,
)


@pytest.fixture
def forecasts():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.02, 0.98, 500).round(2)  # rounding makes ties
    return rng.random(500) < p, p


def test_auc_with_ties_agrees_with_sklearn(forecasts):
    truth, p = forecasts

    assert auc(truth, p) == pytest.approx(roc_auc_score(truth, p), abs=1e-12)


def test_weighted_auc_agrees_with_sklearn(forecasts):
    truth, p = forecasts
    weight = np.random.default_rng(1).integers(0, 4, len(p)).astype(float)

    assert auc(truth, p, weight) == pytest.approx(
        roc_auc_score(truth, p, sample_weight=weight), abs=1e-12
    )


def test_log_loss_and_brier_agree_with_sklearn(forecasts):
    truth, p = forecasts

    assert log_loss(truth, p) == pytest.approx(sklearn_log_loss(truth, p), rel=1e-12)
    assert brier(truth, p) == pytest.approx(brier_score_loss(truth, p), rel=1e-12)


def test_three_class_losses_agree_with_sklearn():
    rng = np.random.default_rng(2)
    p = rng.dirichlet([1, 2, 1], 300)
    outcome = rng.integers(-1, 2, 300)

    assert class_losses(outcome, p).mean() == pytest.approx(
        sklearn_log_loss(outcome, p, labels=[-1, 0, 1]), rel=1e-12
    )


def test_one_class_or_nothing_is_nan_not_a_number_that_looks_good():
    empty = np.array([], bool)

    assert math.isnan(auc(np.array([True, True]), np.array([0.1, 0.2])))
    assert math.isnan(auc(empty, empty.astype(float)))
    assert math.isnan(log_loss(empty, empty.astype(float)))
    assert math.isnan(calibration_error(empty, empty.astype(float)))


def test_a_forecast_that_is_always_off_by_a_tenth_has_that_error():
    truth = np.tile([True] * 4 + [False] * 6, 60)

    assert calibration_error(truth, np.full(600, 0.5)) == pytest.approx(0.1, abs=1e-12)


def test_reliability_bins_are_equal_in_size_and_rise(forecasts):
    table = reliability(*forecasts, bins=10)

    assert [b.count for b in table] == [50] * 10
    assert [b.forecast for b in table] == sorted(b.forecast for b in table)


def test_blocks_have_the_asked_mean_length_and_wrap_around():
    rng = np.random.default_rng(3)
    drawn = [block_indices(400, 20.0, rng) for _ in range(200)]
    breaks = np.mean([np.count_nonzero((np.diff(d) % 400) != 1) + 1 for d in drawn])

    assert breaks == pytest.approx(400 / 20, rel=0.1)
    assert min(d.min() for d in drawn) == 0
    assert max(d.max() for d in drawn) == 399


def test_bootstrap_of_independent_values_finds_the_textbook_standard_error():
    values = np.random.default_rng(4).normal(0, 2, 900)
    means = bootstrap_means(values, block=1, resamples=2000, rng=np.random.default_rng(5))

    assert means.std() == pytest.approx(values.std() / 30, rel=0.06)


def test_bootstrap_of_an_autoregression_finds_its_long_run_error():
    """For AR(1) the standard error of the mean is sigma / (1 - phi) / sqrt(n)."""
    rng = np.random.default_rng(6)
    values = np.zeros(20_000)
    for t in range(1, len(values)):
        values[t] = 0.8 * values[t - 1] + rng.normal()
    means = bootstrap_means(values, block=100, resamples=600, rng=np.random.default_rng(7))

    assert means.std() == pytest.approx(1 / 0.2 / math.sqrt(20_000), rel=0.15)


def test_auc_interval_covers_the_truth_and_shrinks_with_samples():
    """Two unit normals one apart: AUC = Phi(1 / sqrt 2) = 0.7602."""

    def interval(n):
        rng = np.random.default_rng(8)
        truth = rng.random(n) < 0.5
        score = rng.normal(truth, 1)
        used = rng.random(n) < 0.8
        return bootstrap_auc(truth, score, used, block=5, resamples=300, rng=rng)

    small, large = interval(300), interval(6000)

    assert small.low < 0.7602 < small.high
    assert large.low < 0.7602 < large.high
    assert (large.high - large.low) < 0.35 * (small.high - small.low)


def test_a_direction_without_two_classes_has_no_interval():
    truth, score = np.ones(50, bool), np.linspace(0, 1, 50)
    found = bootstrap_auc(truth, score, truth, block=2, resamples=50, rng=np.random.default_rng(0))

    assert math.isnan(found.point)
    assert math.isnan(found.low)


def test_a_class_that_most_resamples_lose_has_no_interval():
    truth = np.zeros(60, bool)
    truth[0] = True
    found = bootstrap_auc(
        truth, np.arange(60.0), ~np.zeros(60, bool), block=30, resamples=80,
        rng=np.random.default_rng(0),
    )  # fmt: skip

    assert found.point == 0.0
    assert math.isnan(found.low)


def test_diebold_mariano_agrees_with_newey_west_of_statsmodels():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import statsmodels.api as sm
    rng = np.random.default_rng(9)
    gap = np.convolve(rng.normal(0.03, 1, 600), np.ones(5) / 5, mode="same")
    fitted = sm.OLS(gap, np.ones(600)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 7, "use_correction": False}
    )

    assert diebold_mariano(np.zeros(600), gap, 7) == pytest.approx(
        1 - 0.5 * (1 + math.erf(fitted.tvalues[0] / math.sqrt(2))), abs=1e-9
    )


def test_equal_losses_are_no_evidence_and_too_few_are_unknown():
    assert diebold_mariano(np.ones(10), np.ones(10), 3) == 1.0
    assert diebold_mariano(np.zeros(10), np.ones(10), 3) == 0.0
    assert math.isnan(diebold_mariano(np.ones(2), np.ones(2), 1))


@pytest.mark.parametrize(("length", "block"), [(0, 5.0), (10, 0.5), (10, math.nan)])
def test_a_bootstrap_of_nothing_is_refused(length, block):
    with pytest.raises(ModelError, match=">= 1"):
        block_indices(length, block, np.random.default_rng(0))

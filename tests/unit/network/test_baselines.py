import numpy as np
import pytest

from helios_core.network.baselines import BASELINES, Forecast, fit_baselines
from helios_core.network.metrics import auc
from helios_core.network.samples import build_dataset


@pytest.fixture
def fitted(planted, small_config):
    data = build_dataset([planted.features], [planted.candles], small_config)
    half = len(data.samples) // 2
    train, test = data.samples.take(np.arange(half)), data.samples.take(np.arange(half, 2 * half))
    rows = data.values[train.row], data.values[test.row]
    return train, test, fit_baselines(train, rows[0], test, rows[1])


def test_all_baselines_answer_with_probabilities(fitted):
    _, test, forecasts = fitted

    assert tuple(forecasts) == BASELINES
    for forecast in forecasts.values():
        assert forecast.classes.shape == (len(test), 3)
        assert forecast.classes.sum(axis=1) == pytest.approx(1.0)
        assert forecast.classes.min() >= 0


def test_the_majority_is_the_share_in_training(fitted):
    train, _, forecasts = fitted
    hits = (train.outcome != 0).sum()

    assert forecasts["majority"].p_hit[0] == pytest.approx((hits + 1) / (len(train) + 2))
    assert np.ptp(forecasts["majority"].p_up) == 0


def test_logistic_regression_finds_the_planted_drift_and_volatility_has_no_direction(fitted):
    _, test, forecasts = fitted
    hit, up = test.outcome != 0, test.outcome > 0

    assert auc(up[hit], forecasts["logistic"].p_up[hit]) > 0.8
    assert np.ptp(forecasts["volatility"].p_up) == 0


def test_one_class_in_training_gives_its_share_not_an_error(fitted):
    train, test, _ = fitted
    hits = train.take(np.flatnonzero(train.outcome != 0))
    rows = np.zeros((len(hits), 2), np.float32), np.zeros((len(test), 2), np.float32)
    forecasts = fit_baselines(hits, rows[0], test, rows[1])

    assert forecasts["logistic"].p_hit == pytest.approx((len(hits) + 1) / (len(hits) + 2))


def test_classes_are_sell_hold_buy():
    forecast = Forecast(np.array([0.4]), np.array([0.75]))

    assert forecast.classes[0] == pytest.approx([0.1, 0.6, 0.3])

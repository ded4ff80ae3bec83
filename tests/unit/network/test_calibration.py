import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.special import softmax as scipy_softmax

from helios_core.errors import ModelError
from helios_core.network.calibration import (
    COLDEST,
    HOTTEST,
    fit_class_temperature,
    fit_temperature,
    sigmoid,
    softmax,
)


def test_probabilities_agree_with_scipy_also_far_out():
    logit = np.array([-800.0, -3.0, 0.0, 2.5, 800.0])
    rows = np.array([[1000.0, 0.0, -5.0], [0.1, 0.2, 0.3]])

    assert sigmoid(logit) == pytest.approx(expit(logit), abs=1e-15)
    assert softmax(rows) == pytest.approx(scipy_softmax(rows, axis=1), abs=1e-15)


def test_a_logit_that_is_twice_too_loud_is_cooled_by_two():
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, 60_000)
    truth = rng.random(60_000) < expit(honest)

    assert fit_temperature(2 * honest, truth) == pytest.approx(2.0, rel=0.03)


def test_temperature_agrees_with_a_numerical_minimum():
    rng = np.random.default_rng(1)
    logit = rng.normal(0.3, 2, 400)
    truth = rng.random(400) < expit(0.6 * logit - 0.2)

    def loss(t):
        return np.mean(np.logaddexp(0, -np.where(truth, 1, -1) * logit / t))

    best = minimize_scalar(loss, bounds=(0.1, 20), method="bounded", options={"xatol": 1e-9}).x

    assert fit_temperature(logit, truth) == pytest.approx(best, rel=1e-4)


def test_class_temperature_agrees_with_a_numerical_minimum():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (500, 3))
    label = np.array([rng.choice(3, p=p) for p in scipy_softmax(logits / 1.7, axis=1)])

    def loss(t):
        return -np.log(scipy_softmax(logits / t, axis=1)[np.arange(500), label]).mean()

    best = minimize_scalar(loss, bounds=(0.1, 20), method="bounded", options={"xatol": 1e-9}).x

    assert fit_class_temperature(logits, label) == pytest.approx(best, rel=1e-4)


def test_logits_worse_than_chance_go_hot_and_separable_ones_cold():
    logit = np.array([-2.0, -1.0, 1.0, 2.0])

    assert fit_temperature(logit, logit < 0) == pytest.approx(HOTTEST)
    assert COLDEST <= fit_temperature(logit, logit > 0) < 0.05


@pytest.mark.parametrize("logit", [np.array([]), np.array([0.0, np.nan])])
def test_nothing_to_fit_on_is_refused(logit):
    with pytest.raises(ModelError, match="more labels"):
        fit_temperature(logit, logit > 0)

"""What a model must beat: forecasts that need no network, fitted on the same training part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helios_core.domain.market import BoolArray, Float32Array, FloatArray
from helios_core.network.samples import Samples

LogisticInput = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Probability that a barrier is met, and that it is the upper one given a hit; shape (N,)."""

    p_hit: FloatArray
    p_up: FloatArray

    @property
    def classes(self) -> FloatArray:
        """Probabilities of SELL, HOLD, BUY, shape (N, 3), rows sum to 1."""
        buy = self.p_hit * self.p_up
        return np.stack([self.p_hit - buy, 1.0 - self.p_hit, buy], axis=1)


BASELINES = ("majority", "volatility", "momentum", "logistic")


def fit_baselines(
    train: Samples, train_rows: Float32Array, test: Samples, test_rows: Float32Array
) -> dict[str, Forecast]:
    """Fit every baseline on `train` and forecast `test`.

    majority
        Shares of the training part.
    volatility
        Logistic regression of "hit" on log volatility and log barrier width; no direction.
    momentum
        Share of up moves after a rising and after a falling past, so it is reversal if that pays.
    logistic
        Logistic regressions (C = 0.01) of "hit" and of the direction on the deciding row.

    Parameters
    ----------
    train_rows, test_rows : ndarray of shape (N, F)
        Scaled feature rows at the decision, NaN where missing.
    """
    hit = train.outcome != 0
    up = train.outcome > 0
    share_hit, share_up = _share(hit), _share(up[hit])
    flat = np.ones(len(test))
    state, later = _volatility_state(train), _volatility_state(test)
    rising = train.momentum > 0
    after_rise, after_fall = _share(up[hit & rising]), _share(up[hit & ~rising])
    rows = np.concatenate([np.nan_to_num(train_rows), state], axis=1)
    later_rows = np.concatenate([np.nan_to_num(test_rows), later], axis=1)
    return {
        "majority": Forecast(share_hit * flat, share_up * flat),
        "volatility": Forecast(_logistic(state, hit, later, 1.0), share_up * flat),
        "momentum": Forecast(share_hit * flat, np.where(test.momentum > 0, after_rise, after_fall)),
        "logistic": Forecast(
            _logistic(rows, hit, later_rows, 0.01),
            _logistic(rows[hit], up[hit], later_rows, 0.01),
        ),
    }


def _share(truth: BoolArray) -> float:
    return (float(truth.sum()) + 1.0) / (len(truth) + 2.0)  # Laplace: never quite 0 or 1


def _volatility_state(samples: Samples) -> FloatArray:
    width = np.maximum(samples.barrier_up, samples.barrier_down)
    return np.stack([np.log(samples.volatility + 1e-9), np.log(width)], axis=1)


def _logistic(x: LogisticInput, truth: BoolArray, later: LogisticInput, c: float) -> FloatArray:
    from sklearn.linear_model import LogisticRegression

    if truth.all() or not truth.any():
        return np.full(len(later), _share(truth))
    mean, std = x.mean(axis=0), x.std(axis=0)
    std = np.where(std > 1e-8, std, 1.0)
    model = LogisticRegression(C=c, max_iter=1000).fit((x - mean) / std, truth)
    return np.asarray(model.predict_proba((later - mean) / std)[:, 1], np.float64)

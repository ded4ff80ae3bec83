"""Temperature scaling: one number per head, fitted on validation, that makes forecasts honest.

Guo et al. (2017), "On Calibration of Modern Neural Networks", section 4.2.
"""

import math
from collections.abc import Callable

import numpy as np

from helios_core.domain.market import BoolArray, FloatArray, IntArray
from helios_core.errors import ModelError

COLDEST, HOTTEST = 0.02, 50.0  # beyond these a head carries no usable information anyway


def sigmoid(logit: FloatArray) -> FloatArray:
    """Return ``1 / (1 + exp(-logit))`` without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logit)), np.float64)


def softmax(logits: FloatArray) -> FloatArray:
    """Return probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float64)


def fit_temperature(logit: FloatArray, truth: BoolArray) -> float:
    """Return the T > 0 that makes ``sigmoid(logit / T)`` most likely.

    The likelihood is concave in 1/T, so the root of its slope is found by bisection. Logits that
    rank worse than chance end at the hottest allowed value, separable ones at the coldest.

    Raises
    ------
    ModelError
        If there are no samples or a logit is not finite.
    """
    _require_finite(logit)

    def slope(inverse: float) -> float:
        return float(np.mean((truth - sigmoid(inverse * logit)) * logit))

    return 1.0 / _root(slope)


def fit_class_temperature(logits: FloatArray, label: IntArray) -> float:
    """Return the T > 0 that makes ``softmax(logits / T)`` most likely; (N, C) and (N,)."""
    _require_finite(logits)
    true_logit = logits[np.arange(len(label)), label]

    def slope(inverse: float) -> float:
        expected = (softmax(inverse * logits) * logits).sum(axis=1)
        return float(np.mean(true_logit - expected))

    return 1.0 / _root(slope)


def _require_finite(logit: FloatArray) -> None:
    if not len(logit) or not np.isfinite(logit).all():
        raise ModelError(
            f"a temperature needs at least one finite logit, found {len(logit)} samples of which "
            f"{int(np.isfinite(logit).sum())} values are finite; give validation more labels"
        )


def _root(slope: Callable[[float], float]) -> float:
    """Return the root of a falling function of 1/T, bisected on a log scale."""
    low, high = math.log(1.0 / HOTTEST), math.log(1.0 / COLDEST)
    for _ in range(60):
        middle = 0.5 * (low + high)
        if slope(math.exp(middle)) > 0.0:
            low = middle
        else:
            high = middle
    return math.exp(0.5 * (low + high))

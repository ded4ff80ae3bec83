"""Scores of probability forecasts and their uncertainty when neighbors overlap in time."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helios_core.domain.market import BoolArray, FloatArray, IntArray
from helios_core.errors import ModelError

TINY = 1e-12  # keeps a logarithm finite when a forecast was certain and wrong


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate with the 2.5 % and 97.5 % quantiles of its bootstrap; NaN if unknown."""

    point: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability table: mean forecast, share that came true, samples."""

    forecast: float
    observed: float
    count: int


def auc(truth: BoolArray, score: FloatArray, weight: FloatArray | None = None) -> float:
    """Return the area under the ROC curve, ties counted half; NaN with one class only.

    Parameters
    ----------
    truth, score, weight : ndarray of shape (N,)
        Weights are sample counts or importances >= 0; None means one each.

    References
    ----------
    Hanley and McNeil (1982), "The meaning and use of the area under a ROC curve".
    """
    if not len(truth):
        return math.nan
    order = np.argsort(score, kind="stable")
    edges = _tie_edges(score[order])
    shares = np.ones(len(truth)) if weight is None else weight
    return _sorted_auc(truth[order], shares[order], edges)


def log_loss(truth: BoolArray, p: FloatArray) -> float:
    """Return the mean negative log likelihood of a binary forecast in nats; NaN when empty."""
    return _mean(binary_losses(truth, p))


def binary_losses(truth: BoolArray, p: FloatArray) -> FloatArray:
    """Return the negative log likelihood of each binary forecast, shape (N,)."""
    return np.asarray(-np.log(np.clip(np.where(truth, p, 1.0 - p), TINY, 1.0)), np.float64)


def class_losses(outcome: NDArray[np.integer], p: FloatArray) -> FloatArray:
    """Return the negative log likelihood of outcomes -1, 0, +1 under `p` of shape (N, 3)."""
    chosen = p[np.arange(len(outcome)), outcome + 1]
    return np.asarray(-np.log(np.clip(chosen, TINY, 1.0)), np.float64)


def brier(truth: BoolArray, p: FloatArray) -> float:
    """Return the mean squared error of a binary forecast (Brier 1950); NaN when empty."""
    return _mean((p - truth) ** 2)


def reliability(truth: BoolArray, p: FloatArray, bins: int = 15) -> tuple[Bin, ...]:
    """Return at most `bins` bins of equal size, sorted by forecast."""
    order = np.argsort(p, kind="stable")
    parts = np.array_split(order, bins) if len(order) else []
    return tuple(
        Bin(float(p[part].mean()), float(truth[part].mean()), len(part))
        for part in parts
        if len(part)
    )


def calibration_error(truth: BoolArray, p: FloatArray, bins: int = 15) -> float:
    """Return the expected calibration error over bins of equal size; NaN when empty.

    References
    ----------
    Nixon et al. (2019), "Measuring Calibration in Deep Learning", adaptive binning.
    """
    table = reliability(truth, p, bins)
    if not table:
        return math.nan
    off = sum(abs(b.forecast - b.observed) * b.count for b in table)
    return off / sum(b.count for b in table)


def block_indices(length: int, block: float, rng: np.random.Generator) -> IntArray:
    """Return one resample of ``range(length)`` in circular blocks of random length.

    Parameters
    ----------
    length : int
        Samples in time order.
    block : float
        Mean block length, at least the overlap of the labels; >= 1.
    rng : numpy.random.Generator
        Source of randomness.

    References
    ----------
    Politis and Romano (1994), "The Stationary Bootstrap".
    """
    if length < 1 or not block >= 1:
        raise ModelError(f"a bootstrap needs length and block >= 1, found {length} and {block}")
    jump = rng.random(length) < 1.0 / block
    jump[0] = True
    at = np.arange(length)
    origin = np.maximum.accumulate(np.where(jump, at, 0))
    start = rng.integers(0, length, length)
    return np.asarray((start[origin] + at - origin) % length, np.int64)


def bootstrap_auc(
    truth: BoolArray,
    score: FloatArray,
    used: BoolArray,
    *,
    block: float,
    resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Return the AUC over samples where `used`, with a stationary block bootstrap interval.

    Blocks are drawn over all samples in time order, so that `block` counts bars also when only
    some bars are used.
    """
    picked = np.flatnonzero(used)
    point = auc(truth[picked], score[picked])
    if math.isnan(point):
        return Interval(math.nan, math.nan, math.nan)
    order = picked[np.argsort(score[picked], kind="stable")]
    edges = _tie_edges(score[order])
    drawn = np.empty(resamples)
    for i in range(resamples):
        counts = np.bincount(block_indices(len(used), block, rng), minlength=len(used))
        drawn[i] = _sorted_auc(truth[order], counts[order].astype(np.float64), edges)
    return _interval(point, drawn)


def bootstrap_means(
    values: FloatArray, *, block: float, resamples: int, rng: np.random.Generator
) -> FloatArray:
    """Return the mean of each stationary block resample, shape (resamples,) or empty."""
    if not len(values):
        return np.empty(0)
    return np.array(
        [values[block_indices(len(values), block, rng)].mean() for _ in range(resamples)]
    )


def diebold_mariano(loss: FloatArray, rival: FloatArray, lag: int) -> float:
    """Return the one-sided p-value of "`loss` is smaller than `rival` on average".

    Newey-West variance with Bartlett weights up to `lag`, normal approximation. NaN below three
    samples; 1 when the losses do not differ.

    References
    ----------
    Diebold and Mariano (1995), "Comparing Predictive Accuracy", equation for S_1.
    """
    gap = rival - loss
    n = len(gap)
    if n < 3:
        return math.nan
    centered = gap - gap.mean()
    variance = float(centered @ centered) / n
    for k in range(1, min(lag, n - 1) + 1):
        variance += 2.0 * (1.0 - k / (lag + 1)) * float(centered[k:] @ centered[:-k]) / n
    if variance <= 0.0:
        return 1.0 if gap.mean() <= 0.0 else 0.0
    return 0.5 * math.erfc(float(gap.mean()) / math.sqrt(variance / n) / math.sqrt(2.0))


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _tie_edges(ranked: FloatArray) -> IntArray:
    first = np.ones(len(ranked), np.bool_)
    first[1:] = ranked[1:] != ranked[:-1]
    return np.flatnonzero(first)


def _sorted_auc(truth: BoolArray, weight: FloatArray, edges: IntArray) -> float:
    positive = np.add.reduceat(np.where(truth, weight, 0.0), edges)
    negative = np.add.reduceat(np.where(truth, 0.0, weight), edges)
    total = positive.sum() * negative.sum()
    if total <= 0.0:
        return math.nan
    below = np.cumsum(negative) - negative
    return float(positive @ (below + 0.5 * negative) / total)


def _interval(point: float, drawn: FloatArray) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if len(known) < 0.9 * len(drawn):  # a class is so rare that most resamples lose it
        return Interval(point, math.nan, math.nan)
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(point, float(low), float(high))

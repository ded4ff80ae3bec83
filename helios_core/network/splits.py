"""Splits in time that no label crosses, with a purge and an embargo between the parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from helios_core.domain.market import BoolArray, IntArray, TimeArray
from helios_core.errors import ModelError


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Positions of the samples of each part, rising in time; `*_start` are decision times.

    Every training label ends before `validation_start`, every validation label before `test_start`.
    """

    train: IntArray
    validation: IntArray
    test: IntArray
    validation_start: np.datetime64
    test_start: np.datetime64
    purged: int  # samples that fit no part because their label or the embargo crosses a boundary


def purged_split(
    as_of: TimeArray,
    end_time: TimeArray,
    *,
    validation_share: float,
    test_share: float,
    embargo: timedelta,
) -> Split:
    """Cut samples into three parts by decision time and drop what would leak.

    Parameters
    ----------
    as_of : ndarray of datetime64, shape (N,)
        Decision times; several pairs may share them.
    end_time : ndarray of datetime64, shape (N,)
        When each label was settled (t1), later than `as_of`.
    validation_share, test_share : float
        Shares of the time range between the first and the last decision.
    embargo : timedelta
        Left out after each boundary, so that a part does not look at bars that settled labels of
        the part before it.

    Raises
    ------
    ModelError
        If a part would be empty.
    """
    if not len(as_of):
        raise ModelError("a split needs samples, found none; import a longer history")
    first, last = as_of.min(), as_of.max()
    span = (last - first) / np.timedelta64(1, "us")
    test_cut = last - _microseconds(span * test_share)
    validation_cut = test_cut - _microseconds(span * validation_share)
    pause = np.timedelta64(embargo)
    validation_start, test_start = validation_cut + pause, test_cut + pause
    order = np.argsort(as_of, kind="stable")
    begins, ends = as_of[order], end_time[order]
    train = order[(begins < validation_cut) & (ends < validation_cut)]
    validation = order[(begins >= validation_start) & (ends < test_cut)]
    test = order[begins >= test_start]
    for name, part in (("train", train), ("validation", validation), ("test", test)):
        if not len(part):
            raise ModelError(
                f"the {name} part is empty: {len(as_of)} samples from {first} to {last} do not "
                f"leave room for an embargo of {embargo} after each boundary; import a longer "
                f"history or shorten train.embargo"
            )
    kept = len(train) + len(validation) + len(test)
    return Split(train, validation, test, validation_start, test_start, len(as_of) - kept)


def walk_forward(
    as_of: TimeArray,
    end_time: TimeArray,
    *,
    first_train: timedelta,
    step: timedelta,
    embargo: timedelta,
) -> Iterator[Split]:
    """Yield expanding-window splits whose validation and test parts each last `step`.

    The first fold trains on `first_train` of history; each fold moves on by `step`. Folds whose
    parts are empty, for example over a hole in the data, are skipped.
    """
    if not len(as_of):
        return
    pause, length = np.timedelta64(embargo), np.timedelta64(step)
    order = np.argsort(as_of, kind="stable")
    begins, ends = as_of[order], end_time[order]
    cut = begins[0] + np.timedelta64(first_train)
    while cut + length < begins[-1]:
        after = cut + length
        train = order[(begins < cut) & (ends < cut)]
        validation = order[(begins >= cut + pause) & (ends < after)]
        test = order[(begins >= after + pause) & (begins < after + length)]
        if len(train) and len(validation) and len(test):
            seen = int(np.count_nonzero(begins < after + length))
            purged = seen - len(train) - len(validation) - len(test)
            yield Split(train, validation, test, cut + pause, after + pause, purged)
        cut = after


def leaks(end_time: TimeArray, part: IntArray, next_start: np.datetime64) -> BoolArray:
    """Return which samples of `part` have a label that ends at or after `next_start`."""
    return np.asarray(end_time[part] >= next_start, np.bool_)


def _microseconds(value: float) -> np.timedelta64:
    return np.timedelta64(round(value), "us")

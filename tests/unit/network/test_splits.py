from datetime import timedelta

import numpy as np
import pytest

from helios_core.errors import ModelError
from helios_core.network.splits import leaks, purged_split, walk_forward

START = np.datetime64("2024-01-01T00:00", "us")
MINUTE = np.timedelta64(1, "m")


def times(count, length):
    as_of = START + np.arange(count) * MINUTE
    return as_of, as_of + length * MINUTE


def test_parts_of_a_regular_market_are_where_arithmetic_puts_them():
    """1001 minutes, shares .2 and .2: boundaries at minute 600 and 800, labels last 10."""
    as_of, end = times(1001, 10)
    split = purged_split(
        as_of, end, validation_share=0.2, test_share=0.2, embargo=timedelta(minutes=20)
    )

    assert (split.train[0], split.train[-1]) == (0, 589)
    assert (split.validation[0], split.validation[-1]) == (620, 789)
    assert (split.test[0], split.test[-1]) == (820, 1000)
    assert split.purged == 1001 - 590 - 170 - 181


def test_a_leak_is_found_when_there_is_one():
    _, end = times(100, 10)

    assert leaks(end, np.array([49, 50, 51]), START + 60 * MINUTE).tolist() == [False, True, True]


def test_pairs_that_share_the_clock_are_cut_at_the_same_time():
    as_of, end = times(500, 5)
    split = purged_split(
        np.concatenate([as_of, as_of]),
        np.concatenate([end, end]),
        validation_share=0.2,
        test_share=0.2,
        embargo=timedelta(minutes=5),
    )

    assert (np.sort(split.test % 500)[::2] == np.sort(split.test % 500)[1::2]).all()


@pytest.mark.parametrize("count", [0, 10, 60])
def test_a_history_that_is_too_short_is_told_so(count):
    as_of, end = times(count, 10)
    with pytest.raises(ModelError, match="longer"):
        purged_split(
            as_of, end, validation_share=0.2, test_share=0.2, embargo=timedelta(minutes=20)
        )


def test_walk_forward_expands_by_its_step():
    as_of, end = times(60 * 24 * 10, 10)
    folds = list(
        walk_forward(
            as_of,
            end,
            first_train=timedelta(days=4),
            step=timedelta(days=2),
            embargo=timedelta(hours=1),
        )
    )

    assert [len(f.train) for f in folds] == [4 * 1440 - 10, 6 * 1440 - 10]
    assert [len(f.test) for f in folds] == [2 * 1440 - 60] * 2
    assert list(walk_forward(as_of[:0], end[:0], first_train=timedelta(1), step=timedelta(1),
                             embargo=timedelta(0))) == []  # fmt: skip

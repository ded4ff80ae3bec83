"""Labels look forward exactly one horizon, and what is known at a decision never looks forward."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from helios_core.domain.market import CANDLE_SCHEMA
from helios_core.errors import ModelError
from helios_core.network.config import LabelConfig
from helios_core.network.labels import barriers, triple_barrier
from helios_core.network.splits import leaks, purged_split, walk_forward

CONFIG = LabelConfig(horizon=8, halflife=10, cost=1e-4)
T0 = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = np.timedelta64(1, "m")


def candles(seed, bars):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, bars)))
    opened = np.concatenate([[100.0], close[:-1]])
    return pl.DataFrame(
        {
            "pair": ["SIMBTCZAR"] * bars,
            "timeframe": ["1m"] * bars,
            "open_time": [T0 + timedelta(minutes=i) for i in range(bars)],
            "open": opened,
            "high": np.maximum(opened, close) * 1.0003,
            "low": np.minimum(opened, close) * 0.9997,
            "close": close,
            "volume": np.ones(bars),
        },
        schema=CANDLE_SCHEMA,
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 119), st.floats(0.5, 2.0))
def test_changing_the_future_leaves_barriers_and_settled_labels_alone(seed, cut, factor):
    frame = candles(seed, 120)
    prices = ["open", "high", "low", "close"]
    row = pl.int_range(pl.len())
    shocked = frame.with_columns(
        pl.when(row >= cut).then(pl.col(p) * factor).otherwise(pl.col(p)) for p in prices
    )
    before, after = triple_barrier(frame, CONFIG), triple_barrier(shocked, CONFIG)
    settled = cut - CONFIG.horizon  # labels decided earlier end before the change

    assert np.array_equal(
        np.stack(barriers(frame, CONFIG))[:, :cut],
        np.stack(barriers(shocked, CONFIG))[:, :cut],
        equal_nan=True,
    )
    for name in ("valid", "outcome", "end", "long_return", "short_return", "horizon_return"):
        assert np.array_equal(
            getattr(before, name)[:settled], getattr(after, name)[:settled], equal_nan=True
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 119))
def test_cutting_history_off_changes_no_label_that_it_still_settles(seed, cut):
    frame = candles(seed, 120)
    whole, part = triple_barrier(frame, CONFIG), triple_barrier(frame.head(cut), CONFIG)
    rows = np.flatnonzero(part.valid)

    assert not part.valid[cut - CONFIG.horizon :].any()
    for name in ("outcome", "touch", "end", "end_time", "long_return", "barrier_up"):
        assert np.array_equal(getattr(whole, name)[rows], getattr(part, name)[rows])


@st.composite
def samples(draw):
    count = draw(st.integers(5, 120))
    steps = draw(st.lists(st.integers(0, 30), min_size=count, max_size=count))
    lengths = draw(st.lists(st.integers(1, 60), min_size=count, max_size=count))
    as_of = np.datetime64("2024-01-01T00:00:00", "us") + np.cumsum(steps) * MINUTE
    order = draw(st.permutations(range(count)))
    as_of = as_of[list(order)]
    return as_of, as_of + np.array(lengths) * MINUTE


@settings(max_examples=150, deadline=None)
@given(samples(), st.integers(0, 90), st.floats(0.1, 0.4), st.floats(0.1, 0.4))
def test_no_label_reaches_into_the_next_part(made, embargo, validation, test):
    as_of, end = made
    pause = timedelta(minutes=embargo)
    try:
        split = purged_split(
            as_of, end, validation_share=validation, test_share=test, embargo=pause
        )
    except ModelError:
        return
    gap = np.timedelta64(pause)
    used = np.concatenate([split.train, split.validation, split.test])

    assert not leaks(end, split.train, split.validation_start).any()
    assert not leaks(end, split.validation, split.test_start).any()
    assert (end[split.train].max() + gap) < as_of[split.validation].min()
    assert (end[split.validation].max() + gap) < as_of[split.test].min()
    assert len(np.unique(used)) == len(used) == len(as_of) - split.purged


@settings(max_examples=80, deadline=None)
@given(samples(), st.integers(0, 60))
def test_no_fold_of_a_walk_forward_leaks(made, embargo):
    as_of, end = made
    folds = walk_forward(
        as_of,
        end,
        first_train=timedelta(hours=4),
        step=timedelta(hours=2),
        embargo=timedelta(minutes=embargo),
    )
    for split in folds:
        assert not leaks(end, split.train, split.validation_start).any()
        assert not leaks(end, split.validation, split.test_start).any()
        assert as_of[split.test].min() >= split.test_start

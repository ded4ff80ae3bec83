"""The live driver gives the rows of the batch driver, to the last bit."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from helios_core.errors import DataError
from helios_core.market.compute import compute_features
from helios_core.market.stream import FeatureStream
from helios_core.simulator.generator import generate

T0 = datetime(2025, 1, 1, tzinfo=UTC)
BAR = (10.0, 11.0, 9.0, 10.0, 1.0)


def rows_of(candles):
    table = candles.select("open", "high", "low", "close", "volume").to_numpy()
    return zip(candles["open_time"], table, strict=True)


def test_bar_by_bar_equals_all_at_once(known):
    candles = known.candles.head(2_500)
    stream = FeatureStream(candles["pair"][0])
    rows = np.array([stream.update(at, bar) for at, bar in rows_of(candles)])

    assert rows.dtype == np.float32
    assert np.array_equal(rows, compute_features(candles).values, equal_nan=True)


def test_a_stream_that_was_warmed_up_goes_on_where_the_history_ends(known):
    candles = known.candles
    stream = FeatureStream(candles["pair"][0])
    history = stream.warm_up(candles.head(5_000))
    rows = np.array([stream.update(at, bar) for at, bar in rows_of(candles.slice(5_000, 200))])

    expected = known.features.values[:5_200]
    assert np.array_equal(history.values, expected[:5_000], equal_nan=True)
    assert np.array_equal(rows, expected[5_000:], equal_nan=True)


def test_missing_minutes_are_filled_alike():
    candles = generate("SIMX", T0, 900, 5, 100.0)
    holed = candles.filter(~candles["open_time"].is_in(candles["open_time"][300:420].implode()))
    stream = FeatureStream("SIMX")
    rows = np.array([stream.update(at, bar) for at, bar in rows_of(holed)])

    assert np.array_equal(rows, compute_features(holed).values, equal_nan=True)


def test_a_row_is_not_changed_by_the_next_bar():
    stream = FeatureStream("SIMX")
    first = stream.update(T0, BAR)
    kept = first.copy()
    stream.update(T0 + timedelta(minutes=1), (10.0, 12.0, 8.0, 9.0, 2.0))

    assert np.array_equal(first, kept, equal_nan=True)


@pytest.mark.parametrize("late", [0, -1])
def test_a_bar_that_was_seen_is_refused(late):
    stream = FeatureStream("SIMX")
    stream.update(T0, BAR)

    with pytest.raises(DataError, match="in the order of time"):
        stream.update(T0 + timedelta(minutes=late), BAR)


@pytest.mark.parametrize(
    ("bar", "text"),
    [
        ((10.0, 9.0, 9.0, 10.0, 1.0), "impossible bar"),
        ((10.0, 11.0, 10.5, 10.0, 1.0), "impossible bar"),
        ((10.0, 11.0, float("nan"), 10.0, 1.0), "impossible bar"),
        ((10.0, float("inf"), 9.0, 10.0, 1.0), "impossible bar"),
        ((10.0, 11.0, 9.0, 10.0, -1.0), "impossible bar"),
        ((10.0, 11.0, 9.0, 10.0), "shape"),
    ],
)
def test_an_impossible_bar_is_refused_and_leaves_the_stream_as_it_was(bar, text):
    stream, other = FeatureStream("SIMX"), FeatureStream("SIMX")
    stream.update(T0, BAR)
    other.update(T0, BAR)
    next_minute = T0 + timedelta(minutes=1)
    with pytest.raises(DataError, match=text):
        stream.update(next_minute, bar)

    assert np.array_equal(
        stream.update(next_minute, BAR), other.update(next_minute, BAR), equal_nan=True
    )


def test_times_are_aware_and_whole_minutes():
    stream = FeatureStream("SIMX")

    with pytest.raises(DataError, match="aware"):
        stream.update(T0.replace(tzinfo=None), BAR)
    with pytest.raises(DataError, match="whole minute"):
        stream.update(T0 + timedelta(seconds=30), BAR)


def test_a_stream_takes_the_history_of_its_pair_once():
    candles = generate("SIMX", T0, 10, 5, 100.0)
    with pytest.raises(DataError, match="one of SIMY"):
        FeatureStream("SIMY").warm_up(candles)
    stream = FeatureStream("SIMX")
    stream.warm_up(candles)

    with pytest.raises(DataError, match="warmed up once"):
        stream.warm_up(candles)

"""Clock features at known moments."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import compute_features

BAR = [(1, 1, 1, 1, 1)]


def clock_of(frame):
    row = compute_features(frame).to_polars().row(0, named=True)
    return [row[name] for name in FEATURE_NAMES[85:]]


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        (datetime(2024, 12, 2, tzinfo=UTC), [0, 1, 0, 1, 1]),  # a Monday
        (datetime(2024, 12, 3, 6, 0, tzinfo=UTC), [1, 0, None, None, 1]),
        (datetime(2024, 12, 5, 12, 0, tzinfo=UTC), [0, -1, 0, -1, 1]),  # half of the week
        (datetime(2024, 12, 5, 12, 45, tzinfo=UTC), [None, None, None, None, 0.25]),
    ],
)
def test_the_close_of_a_bar_is_placed_in_day_week_and_hour(candle_frame, close, expected):
    found = clock_of(candle_frame(BAR, close - timedelta(minutes=1)))

    for value, wanted in zip(found, expected, strict=True):
        assert wanted is None or value == pytest.approx(wanted, abs=1e-6)


def test_sine_and_cosine_turn_with_the_calendar_of_python(known):
    closes = known.candles["open_time"] + timedelta(minutes=1)
    of_day = (closes.dt.hour().cast(int) * 60 + closes.dt.minute()).to_numpy()
    of_week = (closes.dt.weekday().cast(int) - 1).to_numpy() * 1440 + of_day
    expected = [
        np.sin(2 * np.pi * of_day / 1440), np.cos(2 * np.pi * of_day / 1440),
        np.sin(2 * np.pi * of_week / 10080), np.cos(2 * np.pi * of_week / 10080),
        1 - of_day % 60 / 60,
    ]  # fmt: skip

    for name, values in zip(FEATURE_NAMES[85:], expected, strict=True):
        np.testing.assert_allclose(known.column(name), values, atol=1e-6)

from dataclasses import replace

import numpy as np
import pytest

from helios_core.errors import ModelError
from helios_core.network.config import SHAPES, Shape
from helios_core.network.windows import fit_scaler, offsets, ready, to_grid

TINY = Shape(8, 1, 2, 8, windows=(4, 3, 2), patches=(2, 1, 1))


def test_windows_end_at_the_deciding_row_and_count_back_by_stride():
    one, five, fifteen = offsets(TINY)

    assert one.tolist() == [-3, -2, -1, 0]
    assert five.tolist() == [-10, -5, 0]
    assert fifteen.tolist() == [-15, 0]


@pytest.mark.parametrize("size", ["small", "production"])
def test_no_window_reaches_behind_the_lookback(size):
    shape = SHAPES[size]

    assert min(int(o.min()) for o in offsets(shape)) == 1 - shape.lookback


def test_a_missing_bar_becomes_a_nan_row_at_its_own_minute(planted, cut):
    keep = np.delete(np.arange(30), [7, 8])
    grid = to_grid(cut(planted.features, keep), TINY.lookback)
    first = TINY.lookback - 1

    assert np.isnan(grid.values[:first]).all()
    assert np.isnan(grid.values[first + 7 : first + 9]).all()
    assert np.array_equal(grid.values[grid.row], planted.features.values[keep], equal_nan=True)
    assert grid.row.tolist() == (keep + first).tolist()


def test_rows_off_the_grid_are_refused(planted, cut):
    frame = cut(planted.features, slice(0, 5))
    late = frame.open_time.copy()
    late[3] += np.timedelta64(10, "s")
    for times in (late, frame.open_time[::-1], np.repeat(frame.open_time[:1], 5)):
        with pytest.raises(ModelError, match="rise in steps of 1m"):
            to_grid(replace(frame, open_time=times), 4)


def test_no_rows_are_refused(planted, cut):
    with pytest.raises(ModelError, match="found none"):
        to_grid(cut(planted.features, slice(0, 0)), 4)


def test_scaled_columns_have_mean_zero_and_deviation_one():
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, (5000, 4)).astype(np.float32)
    values[::3, 1] = np.nan
    values[:, 2] = 7.0
    values[:, 3] = np.nan
    scaler = fit_scaler(values)
    scaled = scaler.apply(values)

    assert scaler.mean[:2] == pytest.approx(np.nanmean(values[:, :2], axis=0), rel=1e-5)
    assert scaler.std[:2] == pytest.approx(np.nanstd(values[:, :2], axis=0), rel=1e-5)
    assert (scaled[:, 2] == 0).all()
    assert scaler.active.tolist() == [True, True, True, False]
    assert np.isnan(scaled[::3, 1]).all()
    assert np.nanmax(np.abs(scaled)) <= 5.0


def test_a_scaler_of_only_nan_says_what_to_do():
    with pytest.raises(ModelError, match="compute features first"):
        fit_scaler(np.full((10, 3), np.nan, np.float32))


def test_a_row_is_ready_when_enough_of_the_active_features_are_there():
    values = np.array([[1, 1, 0], [1, np.nan, 0], [np.nan, np.nan, 0]], np.float32)

    assert ready(values, np.array([True, True, False]), 0.5).tolist() == [True, True, False]

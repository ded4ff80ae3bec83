"""The ninety features of a history of candles, and how much of them is known.

Features depend on the candles and on the catalogue alone, so that its fingerprint says everything
about how they were made.
"""

import numpy as np
import polars as pl

from helios_core.domain.market import (
    CandleFrame,
    FeatureFrame,
    Float32Array,
    FloatArray,
    IntArray,
    Timeframe,
    require_candles,
)
from helios_core.errors import DataError
from helios_core.market.catalogue import CATALOGUE, FEATURE_NAMES, FEATURE_SET

MINUTE = np.timedelta64(1, "m")
COLUMNS = ("open", "high", "low", "close", "volume")


def compute_features(candles: CandleFrame) -> FeatureFrame:
    """Return one row of normalized features for each one-minute candle.

    Row t depends on candles up to t alone: with more history behind it, or another future, it is
    the same to the last bit. A minute without a candle is seen by the kernels as a bar at the last
    close without volume, and has no row.

    Parameters
    ----------
    candles : CandleFrame
        One-minute candles of one pair.

    Returns
    -------
    FeatureFrame
        The 90 columns of the catalogue; NaN while warming up, where not known, not computed.

    Raises
    ------
    DataError
        If the frame is not valid, is empty, or holds another timeframe.
    """
    from helios_core.market.memory import new_state

    return append_features(new_state(), candles)


def append_features(state: FloatArray, candles: CandleFrame) -> FeatureFrame:
    """Return the features of candles that follow those that `state` has seen, and remember them."""
    from helios_core.market.step import drive

    minutes, bars = to_bars(candles)
    rows = np.full((len(bars), len(CATALOGUE)), np.nan, np.float32)
    scratch = np.full((1, len(CATALOGUE)), np.nan)
    drive(state, minutes, bars, scratch, rows)
    return _frame(candles, rows)


def raw_features(candles: CandleFrame) -> FloatArray:
    """Return the values before normalization, shape (T, 90), in the units of their definitions."""
    from helios_core.market.memory import new_state
    from helios_core.market.step import drive

    minutes, bars = to_bars(candles)
    rows = np.full((len(bars), len(CATALOGUE)), np.nan, np.float32)
    raws = np.full(rows.shape, np.nan)
    drive(new_state(), minutes, bars, raws, rows)
    return raws


def to_bars(candles: CandleFrame) -> tuple[IntArray, FloatArray]:
    """Return opens in minutes from 1970 UTC, shape (T,), and OHLCV as float64, shape (T, 5).

    Raises
    ------
    DataError
        If these are not one-minute candles of whole minutes.
    """
    if require_candles(candles).is_empty():
        raise DataError("features need candles, found none; bring data with `helios data import`")
    timeframe = candles["timeframe"][0]
    if timeframe != Timeframe.M1:
        raise DataError(
            f"features are computed from {Timeframe.M1} candles, found {timeframe}; the 5m and 15m "
            f"features are built from minutes inside"
        )
    opened = _opened(candles)
    minutes = opened.astype("datetime64[m]")
    if (minutes != opened).any():
        odd = opened[minutes != opened][0]
        raise DataError(f"a {timeframe} candle opens at a whole minute, found {odd}")
    bars = np.ascontiguousarray(candles.select(COLUMNS).to_numpy(), np.float64)
    return minutes.astype(np.int64), bars


def coverage(frame: FeatureFrame) -> pl.DataFrame:
    """Return for each feature how much of it is known, and its mean and deviation.

    Returns
    -------
    polars.DataFrame
        name, group, computed, finite_share (0 to 1), mean, std (null where nothing is known).
    """
    known = frame.mask
    counts = known.sum(axis=0)
    values = np.where(known, frame.values, 0.0).astype(np.float64)
    mean = values.sum(axis=0) / np.maximum(counts, 1)
    away = np.where(known, values - mean, 0.0)
    std = np.sqrt((away**2).sum(axis=0) / np.maximum(counts, 1))
    spec = {one.name: one for one in CATALOGUE}
    return pl.DataFrame(
        {
            "name": frame.names,
            "group": [spec[name].group for name in frame.names],
            "computed": [spec[name].computed for name in frame.names],
            "finite_share": counts / max(len(frame), 1),
            "mean": [m if n else None for m, n in zip(mean.tolist(), counts, strict=True)],
            "std": [s if n else None for s, n in zip(std.tolist(), counts, strict=True)],
        }
    )


def _opened(candles: CandleFrame) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    naive = candles["open_time"].dt.replace_time_zone(None).to_numpy()
    return naive.astype("datetime64[us]")


def _frame(candles: CandleFrame, rows: Float32Array) -> FeatureFrame:
    return FeatureFrame(
        pair=candles["pair"][0],
        timeframe=Timeframe.M1,
        open_time=_opened(candles),
        values=rows,
        names=FEATURE_NAMES,
        feature_set=FEATURE_SET,
    )

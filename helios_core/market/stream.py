"""The live driver: features bar by bar, with the very step that the batch driver loops."""

from datetime import datetime

import numpy as np

from helios_core.domain.market import CandleFrame, FeatureFrame, Float32Array, FloatArray
from helios_core.errors import DataError
from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import append_features


class FeatureStream:
    """Features of one pair as its bars close.

    Its rows equal those of `compute_features` over the same candles to the last bit.
    """

    def __init__(self, pair: str) -> None:
        from helios_core.market.memory import new_state
        from helios_core.market.step import take

        self.pair = pair
        self._take = take
        self._state = new_state()
        self._raw = np.full(len(FEATURE_NAMES), np.nan)
        self._last: int | None = None  # minute of the newest bar

    def warm_up(self, candles: CandleFrame) -> FeatureFrame:
        """Take in the history before the first live bar and return its features.

        Raises
        ------
        DataError
            If these are not one-minute candles of this pair, or the stream has seen bars already.
        """
        if self._last is not None:
            raise DataError(
                f"{self.pair}: a stream is warmed up once, before its first bar; make a new one"
            )
        if not candles.is_empty() and candles["pair"][0] != self.pair:
            raise DataError(
                f"the stream is one of {self.pair}, found candles of {candles['pair'][0]}"
            )
        features = append_features(self._state, candles)
        self._last = _minute(candles["open_time"][-1])
        return features

    def update(
        self, open_time: datetime, bar: tuple[float, float, float, float, float] | FloatArray
    ) -> Float32Array:
        """Take in a bar that has closed and return its row.

        Parameters
        ----------
        open_time : datetime
            Aware, a whole minute, later than that of the bar before; minutes may be missing.
        bar : sequence of 5 floats
            Open, high, low, close (quote per base), volume (base).

        Returns
        -------
        ndarray of float32, shape (90,)
            In the order of `FEATURE_NAMES`; NaN where not known.

        Raises
        ------
        DataError
            If the bar is not later than the one before, or is impossible.
        """
        minute = _minute(open_time)
        values = np.asarray(bar, np.float64)
        self._require(minute, values, open_time)
        row = np.full(len(FEATURE_NAMES), np.nan, np.float32)
        self._take(self._state, minute, values, self._raw, row)
        self._last = minute
        return row

    def _require(self, minute: int, bar: FloatArray, open_time: datetime) -> None:
        if self._last is not None and minute <= self._last:
            raise DataError(
                f"{self.pair}: bars come in the order of time, found {open_time:%Y-%m-%d %H:%MZ} "
                f"after {np.datetime64(self._last, 'm')}Z; leave out bars that were seen before"
            )
        if bar.shape != (5,):
            raise DataError(f"a bar is open, high, low, close, volume, found shape {bar.shape}")
        o, h, low, c, v = bar.tolist()
        # NaN fails each of these comparisons
        if not (0 < low <= min(o, c) and max(o, c) <= h < np.inf and 0 <= v < np.inf):
            raise DataError(
                f"{self.pair}: an impossible bar at {open_time:%Y-%m-%d %H:%MZ}: open {o}, "
                f"high {h}, low {low}, close {c}, volume {v}"
            )


def _minute(at: datetime) -> int:
    """Return the minute from 1970 UTC that an aware time names."""
    if at.utcoffset() is None:
        raise DataError(f"the open of a bar is an aware time, found {at!r}")
    minute, rest = divmod(at.timestamp(), 60)
    if rest:
        raise DataError(f"a one-minute bar opens at a whole minute, found {at}")
    return int(minute)

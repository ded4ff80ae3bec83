"""A feature row depends on the candles up to its own and on nothing else, to the last bit."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from helios_core.domain.market import CANDLE_SCHEMA
from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import compute_features
from helios_core.market.stream import FeatureStream

T0 = datetime(2024, 12, 1, tzinfo=UTC)
BARS = 700
PRICES = ["open", "high", "low", "close"]


def candles(seed, silence=0.0, bars=BARS):
    """A random walk on a grid of prices, so that ties happen; some minutes are missing."""
    rng = np.random.default_rng(seed)
    close = np.maximum(np.round(1000 + rng.normal(0, 2, bars).cumsum()), 10.0)
    opened = np.concatenate([[1000.0], close[:-1]])
    frame = pl.DataFrame(
        {
            "pair": ["SIMX"] * bars,
            "timeframe": ["1m"] * bars,
            "open_time": [T0 + timedelta(minutes=i) for i in range(bars)],
            "open": opened,
            "high": np.maximum(opened, close) + rng.integers(0, 3, bars),
            "low": np.minimum(opened, close) - rng.integers(0, 3, bars),
            "close": close,
            "volume": rng.integers(0, 4, bars) * rng.random(bars),
        },
        schema=CANDLE_SCHEMA,
    )
    there = rng.random(bars) >= silence
    there[0] = True
    return frame.filter(pl.Series(there))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.4), st.floats(0.02, 0.98))
def test_cutting_the_future_off_changes_no_row(seed, silence, share):
    frame = candles(seed, silence)
    cut = max(1, int(share * len(frame)))
    whole, part = compute_features(frame), compute_features(frame.head(cut))

    assert np.array_equal(whole.values[:cut], part.values, equal_nan=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.98), st.floats(0.1, 10), st.floats(0, 50))
def test_changing_the_future_changes_no_row_of_the_past(seed, share, factor, volume):
    frame = candles(seed)
    cut = int(share * len(frame))
    later = pl.int_range(pl.len()) >= cut
    shocked = frame.with_columns(
        *(pl.when(later).then(pl.col(p) * factor).otherwise(pl.col(p)) for p in PRICES),
        pl.when(later).then(pl.lit(volume)).otherwise(pl.col("volume")).alias("volume"),
    )
    before, after = compute_features(frame), compute_features(shocked)

    assert np.array_equal(before.values[:cut], after.values[:cut], equal_nan=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.9))
def test_the_stream_gives_the_rows_of_the_batch(seed, silence):
    frame = candles(seed, silence)
    stream = FeatureStream("SIMX")
    bars = frame.select(*PRICES, "volume").to_numpy()
    rows = [stream.update(at, bar) for at, bar in zip(frame["open_time"], bars, strict=True)]

    assert np.array_equal(np.array(rows), compute_features(frame).values, equal_nan=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.9))
def test_no_value_is_infinite_and_all_stay_in_range(seed, silence):
    values = compute_features(candles(seed, silence)).values
    finite = values[np.isfinite(values)]

    assert not np.isinf(values).any()
    assert np.abs(finite).max() <= 14  # the vortex indicator alone has no clip


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(-8, 20))
def test_features_do_not_depend_on_the_unit_of_the_price(seed, power):
    """A power of two scales without rounding; two features are stated in quote currency."""
    frame = candles(seed)
    scaled = frame.with_columns(pl.col(p) * 2.0**power for p in PRICES)
    columns = [i for i, name in enumerate(FEATURE_NAMES) if name not in {"amihud_60", "volume_fi"}]
    ours, theirs = compute_features(frame), compute_features(scaled)

    assert np.array_equal(ours.values[:, columns], theirs.values[:, columns], equal_nan=True)

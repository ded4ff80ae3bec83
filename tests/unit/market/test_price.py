"""Returns and bar shapes against pandas and by hand."""

import numpy as np
import pytest

from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import compute_features

LAGS = (1, 5, 15, 30, 60, 240)


@pytest.mark.parametrize("lag", LAGS)
def test_returns_are_log_returns_over_the_usual_move_of_so_many_bars(known, lag):
    close = known.bars["c"]
    raw = np.log(close / close.shift(lag))
    sigma = known.bars["r"].ewm(halflife=60, min_periods=60).std().shift(1)
    scaled = (raw / (sigma * np.sqrt(lag))).clip(-8, 8)

    known.agree(known.raw_column(f"ret_{lag}"), raw[known.at], lag, atol=1e-14)
    known.agree(known.column(f"ret_{lag}"), scaled[known.at], max(61, lag), rtol=1e-6)


def test_bar_shapes_are_shares_of_the_range(known):
    o, h, low, c = (known.bars[name].to_numpy()[known.at] for name in "ohlc")
    expected = {
        "bar_body": (c - o) / (h - low),
        "bar_upper_wick": (h - np.maximum(o, c)) / (h - low),
        "bar_lower_wick": (np.minimum(o, c) - low) / (h - low),
        "bar_clv": ((c - low) - (h - c)) / (h - low),
    }
    for name, values in expected.items():
        known.agree(known.raw_column(name), values, 0)
        known.agree(known.column(name), values, 0, rtol=1e-6, atol=1e-7)


def test_a_bar_without_range_has_no_body_and_no_wicks(candle_frame):
    features = compute_features(candle_frame([(5, 5, 5, 5, 1), (5, 6, 4, 5, 1)]))
    at = FEATURE_NAMES.index("bar_body")

    assert features.to_polars().row(0)[2 + at : 6 + at] == (0, 0, 0, 0)
    assert features.to_polars().row(1)[2 + at : 6 + at] == (0, 0.5, 0.5, 0)

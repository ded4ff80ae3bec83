"""The volatility group against `ta`, pandas and numpy."""

import numpy as np
import pandas as pd
import pytest
import ta

from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import raw_features


def sums(values, window):
    """Sums of each window by brute force; pandas drifts."""
    values = np.asarray(values, float)
    out = np.full(len(values), np.nan)
    out[window - 1 :] = np.lib.stride_tricks.sliding_window_view(values, window).sum(axis=1)
    return out


def garman_klass(b):
    return 0.5 * np.log(b["h"] / b["l"]) ** 2 - (2 * np.log(2) - 1) * np.log(b["c"] / b["o"]) ** 2


def semivariance(b):
    up, down = sums(b["r"].clip(lower=0) ** 2, 60), sums(b["r"].clip(upper=0) ** 2, 60)
    return (up - down) / (up + down)


def bipower(b):
    product = b["r"].abs() * b["r"].abs().shift(1)
    return 1 - np.pi / 2 * sums(product, 60) / sums(b["r"] ** 2, 60)


def ratio_of_volatility(b):
    return np.log(np.sqrt(sums(b["r"] ** 2, 15) / 15) / np.sqrt(sums(b["r"] ** 2, 240) / 240))


def acceleration(b):
    short, long = sums(garman_klass(b), 15) / 15, sums(garman_klass(b), 60) / 60
    return 0.5 * np.log(short / long)


def hlc(b):
    return b["h"], b["l"], b["c"]


RAW = {
    "volatility_bbw": (19, lambda b: ta.volatility.bollinger_wband(b["c"])),
    "volatility_bbp": (19, lambda b: ta.volatility.bollinger_pband(b["c"])),
    "volatility_dcp": (19, lambda b: ta.volatility.donchian_channel_pband(*hlc(b), window=20)),
    "volatility_atr": (13, lambda b: ta.volatility.average_true_range(*hlc(b))),
    "volatility_ui": (13, lambda b: ta.volatility.ulcer_index(b["c"])),
    "rv_15": (15, lambda b: np.sqrt(sums(b["r"] ** 2, 15))),
    "rv_60": (60, lambda b: np.sqrt(sums(b["r"] ** 2, 60))),
    "rv_ratio_15_240": (240, ratio_of_volatility),
    "gk_accel_60": (59, acceleration),
    "jump_60": (61, bipower),
    "semivar_60": (60, semivariance),
    "autocorr_60": (61, lambda b: b["r"].rolling(60).corr(b["r"].shift(1))),
}
RANKED = ("volatility_bbw", "volatility_ui", "rv_15", "rv_60")


@pytest.mark.parametrize("name", RAW)
def test_raw_values_are_those_of_the_oracle(known, name):
    first, oracle = RAW[name]
    loose = 1e-6 if name in {"volatility_bbw", "volatility_bbp", "autocorr_60"} else 1e-9  # pandas

    values = np.asarray(oracle(known.bars))[known.at]
    known.agree(known.raw_column(name), values, first, rtol=loose, atol=loose)


def ranked(values, window, least):
    """Distance from the median in robust deviations, the slow way."""
    out = np.full(len(values), np.nan)
    for t in range(len(values)):
        part = values[max(0, t - window + 1) : t + 1]
        part = part[~np.isnan(part)]
        if len(part) >= least and not np.isnan(values[t]):
            low, middle, high = np.percentile(part, [25, 50, 75])
            out[t] = np.clip((values[t] - middle) / ((high - low) / 1.349), -5, 5)
    return out


@pytest.mark.parametrize("name", [*RANKED, "volatility_atr"])
def test_levels_are_ranked_in_the_last_day(known, name):
    first, oracle = RAW[name]
    values = pd.Series(np.asarray(oracle(known.bars))).where(known.bars.index >= first)
    if name == "volatility_atr":
        values = values / known.bars["c"]
    expected = ranked(np.log(values + 1e-12).to_numpy(), 1440, 240)

    known.agree(known.column(name), expected[known.at], first + 239, rtol=1e-4, atol=1e-4)


def test_bounded_values_are_centered_and_clipped(known):
    for name, limit in (("volatility_bbp", 3), ("volatility_dcp", 1)):
        expected = (2 * known.raw_column(name) - 1).clip(-limit, limit)
        known.agree(known.column(name), expected, 19, rtol=1e-6, atol=1e-6)
    for name in ("rv_ratio_15_240", "gk_accel_60", "jump_60", "semivar_60", "autocorr_60"):
        known.agree(known.column(name), known.raw_column(name), RAW[name][0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("sheet", "name", "column", "first"),
    [
        ("atr", "volatility_atr", "ATR", 14),
        ("bbands", "volatility_bbp", "PercentageBand", 19),
        ("bbands", "volatility_bbw", "WidthBand", 19),
    ],
)
def test_worksheets_are_reproduced(worksheet, sheet, name, column, first):
    prices = ("High", "Low", "Close") if sheet == "atr" else ("Close",) * 3
    candles, table = worksheet(sheet, prices)
    ours = raw_features(candles)[:, FEATURE_NAMES.index(name)]

    np.testing.assert_allclose(ours[first:], table[column][first:], rtol=1e-4)


def test_a_price_that_stands_still_has_no_place_and_no_asymmetry(candle_frame):
    raw = raw_features(candle_frame([(5, 5, 5, 5, 1)] * 300))
    named = dict(zip(FEATURE_NAMES, raw[-1], strict=True))

    assert (named["volatility_bbw"], named["rv_60"], named["volatility_ui"]) == (0, 0, 0)
    for name in ("volatility_bbp", "volatility_dcp", "rv_ratio_15_240", "gk_accel_60", "jump_60",
                 "semivar_60", "autocorr_60"):  # fmt: skip
        assert np.isnan(named[name]), name

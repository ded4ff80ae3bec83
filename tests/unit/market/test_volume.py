"""The volume group against `ta`, pandas and numpy."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import ta

from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import compute_features, raw_features


def hlcv(b):
    return b["h"], b["l"], b["c"], b["v"]


def day_vwap(b):
    day = b["minute"] // 1440
    money, volume = (b["t"] * b["v"]).groupby(day).cumsum(), b["v"].groupby(day).cumsum()
    return money / volume


def surprise(b):
    logs = np.log(1 + b["v"])
    return (logs - logs.rolling(60).mean()) / logs.rolling(60).std()


def relative(b):
    return np.log(b["v"].rolling(15).mean() / b["v"].rolling(1440, min_periods=240).mean())


def amihud(b):
    return 1e6 * (b["r"].abs() / (b["c"] * b["v"] + 1)).rolling(60).mean()


RAW = {
    "volume_cmf": (19, lambda b: ta.volume.chaikin_money_flow(*hlcv(b))),
    "volume_mfi": (13, lambda b: ta.volume.money_flow_index(*hlcv(b))),
    "volume_fi": (13, lambda b: ta.volume.force_index(b["c"], b["v"])),
    "volume_vwap": (13, lambda b: ta.volume.volume_weighted_average_price(*hlcv(b))),
    "vwap_day": (0, day_vwap),
    "volume_z_60": (59, surprise),
    "volume_rel_1440": (239, relative),
    "momentum_pvo": (25, lambda b: ta.momentum.pvo(b["v"])),
    "momentum_pvo_hist": (33, lambda b: ta.momentum.pvo_hist(b["v"])),
    "amihud_60": (60, amihud),
}


@pytest.mark.parametrize("name", RAW)
def test_raw_values_are_those_of_the_oracle(known, name):
    first, oracle = RAW[name]

    known.agree(known.raw_column(name), oracle(known.bars)[known.at], first, rtol=1e-7, atol=1e-9)


def test_normalized_values_are_the_raw_ones_in_their_units(known):
    close = known.bars["c"].to_numpy()[known.at]
    atr = known.raw_column("volatility_atr")
    raw = {name: known.raw_column(name) for name in RAW}
    expected = {
        "volume_cmf": raw["volume_cmf"],
        "volume_mfi": raw["volume_mfi"] / 50 - 1,
        "volume_vwap": ((close - raw["volume_vwap"]) / atr).clip(-8, 8),
        "vwap_day": ((close - raw["vwap_day"]) / (atr * np.sqrt(30))).clip(-8, 8),
        "volume_z_60": raw["volume_z_60"].clip(-5, 5),
        "volume_rel_1440": raw["volume_rel_1440"].clip(-5, 5),
        "momentum_pvo": (raw["momentum_pvo"] / 100).clip(-3, 3),
        "momentum_pvo_hist": (raw["momentum_pvo_hist"] / 100).clip(-3, 3),
    }
    for name, values in expected.items():
        first = max(13, RAW[name][0]) if "vwap" in name else RAW[name][0]
        known.agree(known.column(name), values, first, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["volume_fi", "amihud_60"])
def test_levels_are_ranked_in_the_last_day(known, name):
    first, oracle = RAW[name]
    values = oracle(known.bars)
    values = np.sign(values) * np.log1p(values.abs()) if name == "volume_fi" else np.log(values)
    window = pd.Series(values).rolling(1440, min_periods=240)
    spread = (window.quantile(0.75) - window.quantile(0.25)) / 1.349
    expected = ((values - window.median()) / spread).clip(-5, 5)

    known.agree(known.column(name), expected[known.at], first + 239, rtol=1e-4, atol=1e-4)


def test_the_worksheet_of_the_money_flow_index_is_reproduced(worksheet):
    candles, table = worksheet("mfi", volume="Volume")
    ours = raw_features(candles)[:, FEATURE_NAMES.index("volume_mfi")]

    np.testing.assert_allclose(ours[14:], table["MFI"][14:], rtol=1e-4)


def test_without_any_volume_flow_and_average_price_are_not_known(candle_frame):
    prices = 100 + np.sin(np.arange(400))
    features = compute_features(candle_frame([(p, p + 1, p - 1, p, 0) for p in prices]))
    named = features.to_polars().row(-1, named=True)

    unknown = {name for name in FEATURE_NAMES[41:51] if named[name] is None}
    assert unknown == set(FEATURE_NAMES[41:51]) - {"amihud_60"}
    assert named["m5_volume_cmf"] is None
    assert named["momentum_rsi"] is not None


def test_the_average_price_of_the_day_starts_anew_at_midnight(candle_frame):
    start = datetime(2024, 12, 1, 23, 59, tzinfo=UTC)
    raw = raw_features(candle_frame([(1, 1, 1, 1, 9), (4, 4, 4, 4, 1), (8, 8, 8, 8, 3)], start))

    assert raw[:, FEATURE_NAMES.index("vwap_day")].tolist() == [1, 4, 7]

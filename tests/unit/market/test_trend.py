"""The trend group against `ta` and the published worksheets."""

import numpy as np
import pytest
import ta

from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import raw_features

EMA = ta.trend.ema_indicator


def hlc(b):
    return b["h"], b["l"], b["c"]


RAW = {
    "trend_macd": (25, lambda b: ta.trend.macd(b["c"])),
    "trend_macd_diff": (33, lambda b: ta.trend.macd_diff(b["c"])),
    "trend_ema_fast": (11, lambda b: EMA(b["c"], 12)),
    "trend_stc": (71, lambda b: ta.trend.stc(b["c"])),
    "ema_200": (199, lambda b: EMA(b["c"], 200)),
    "trend_adx": (27, lambda b: ta.trend.adx(*hlc(b))),
    "trend_vortex_ind_diff": (
        14,
        lambda b: ta.trend.vortex_indicator_pos(*hlc(b)) - ta.trend.vortex_indicator_neg(*hlc(b)),
    ),
    "trend_trix": (43, lambda b: ta.trend.trix(b["c"])),
    "trend_cci": (19, lambda b: ta.trend.cci(*hlc(b))),
    "trend_aroon_ind": (
        25, lambda b: ta.trend.AroonIndicator(b["h"], b["l"]).aroon_indicator()
    ),
    "trend_mass_index": (40, lambda b: ta.trend.mass_index(b["h"], b["l"])),
}  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_raw_values_are_those_of_ta(known, name):
    first, oracle = RAW[name]
    scale = float(known.bars["c"].iloc[0])  # differences of averages lose the digits of the price

    known.agree(
        known.raw_column(name), oracle(known.bars)[known.at], first, rtol=1e-7, atol=1e-12 * scale
    )


@pytest.mark.parametrize("name", ["trend_adx_pos", "trend_adx_neg"])
def test_directional_indices_are_those_of_ta_one_bar_earlier(known, name):
    """`ta` leaves the first value, that of bar 14, at 0; here it is known."""
    oracle = getattr(ta.trend, name.removeprefix("trend_"))(*hlc(known.bars)).to_numpy()
    ours = known.raw_column(name)

    assert np.isnan(ours[:14]).all()
    assert oracle[14] == 0 < ours[14]
    np.testing.assert_allclose(ours[15:], oracle[known.at][15:], rtol=1e-9)


def test_normalized_values_are_the_raw_ones_in_their_units(known):
    close = known.bars["c"].to_numpy()[known.at]
    atr = known.raw_column("volatility_atr")
    sigma = known.bars["r"].ewm(halflife=60, min_periods=60).std().shift(1).to_numpy()[known.at]
    raw = {name: known.raw_column(name) for name in FEATURE_NAMES[10:23]}
    expected = {
        "trend_macd": (raw["trend_macd"] / atr, 8),
        "trend_macd_diff": (raw["trend_macd_diff"] / atr, 5),
        "trend_ema_fast": ((close - raw["trend_ema_fast"]) / atr, 8),
        "trend_stc": (raw["trend_stc"] / 50 - 1, 1),
        "ema_200": ((close - raw["ema_200"]) / (4 * atr), 5),
        "trend_adx": (raw["trend_adx"] / 100, 1),
        "trend_adx_pos": (raw["trend_adx_pos"] / 100, 1),
        "trend_adx_neg": (raw["trend_adx_neg"] / 100, 1),
        "trend_vortex_ind_diff": (raw["trend_vortex_ind_diff"], np.inf),
        "trend_trix": (raw["trend_trix"] / 100 / sigma, 5),
        "trend_cci": (raw["trend_cci"] / 100, 4),
        "trend_aroon_ind": (raw["trend_aroon_ind"] / 100, 1),
        "trend_mass_index": (raw["trend_mass_index"] - 25, 5),
    }
    for name, (values, limit) in expected.items():
        np.testing.assert_allclose(
            known.column(name), np.clip(values, -limit, limit), rtol=1e-6, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize(
    ("sheet", "columns", "name", "column", "first"),
    [
        ("adx", ("High", "Low", "Close"), "trend_adx", "ADX", 27),
        ("adx", ("High", "Low", "Close"), "trend_adx_pos", "+DI14", 14),
        ("adx", ("High", "Low", "Close"), "trend_adx_neg", "-DI14", 14),
        ("macd", ("Close", "Close", "Close"), "trend_macd", "MACD_line", 25),
        (
            "macd",
            ("Close", "Close", "Close"),
            "trend_macd_diff",
            "MACD_diff",
            80,
        ),  # it starts the signal elsewhere
        ("cci", ("High", "Low", "Close"), "trend_cci", "CCI", 19),
    ],
)
def test_worksheets_are_reproduced(worksheet, sheet, columns, name, column, first):
    candles, table = worksheet(sheet, columns)
    ours = raw_features(candles)[:, FEATURE_NAMES.index(name)]

    np.testing.assert_allclose(ours[first:], table[column][first:], rtol=2e-4, atol=2e-4)

"""The momentum group against `ta` and the published worksheets."""

import numpy as np
import pytest
import ta

from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import compute_features, raw_features

RAW = {
    "momentum_rsi": (13, lambda b: ta.momentum.rsi(b["c"], 14)),
    "momentum_rsi_6": (5, lambda b: ta.momentum.rsi(b["c"], 6)),
    "momentum_stoch_rsi_k": (28, lambda b: ta.momentum.stochrsi_k(b["c"])),
    "momentum_uo": (28, lambda b: ta.momentum.ultimate_oscillator(b["h"], b["l"], b["c"])),
    "momentum_stoch": (13, lambda b: ta.momentum.stoch(b["h"], b["l"], b["c"])),
    "momentum_kama": (10, lambda b: ta.momentum.kama(b["c"])),
}


@pytest.mark.parametrize("name", RAW)
def test_raw_values_are_those_of_ta(known, name):
    first, oracle = RAW[name]

    known.agree(known.raw_column(name), oracle(known.bars)[known.at], first, rtol=1e-8, atol=1e-8)


def test_oscillators_are_centered_on_zero_and_kama_is_a_distance_in_true_ranges(known):
    close = known.bars["c"].to_numpy()[known.at]
    atr = ta.volatility.average_true_range(*(known.bars[name] for name in "hlc"))[known.at]
    distance = ((close - known.raw_column("momentum_kama")) / atr).clip(-8, 8)

    for name in ("momentum_rsi", "momentum_rsi_6", "momentum_uo", "momentum_stoch"):
        first = RAW[name][0]
        known.agree(
            known.column(name), known.raw_column(name) / 50 - 1, first, rtol=1e-6, atol=1e-6
        )
    places = 2 * known.raw_column("momentum_stoch_rsi_k") - 1
    known.agree(known.column("momentum_stoch_rsi_k"), places, 28, rtol=1e-6, atol=1e-6)
    known.agree(known.column("momentum_kama"), distance, 13, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("sheet", "name", "column", "first"),
    [("rsi", "momentum_rsi", "RSI", 14), ("kama", "momentum_kama", "KAMA", 10)],
)
def test_worksheets_are_reproduced(worksheet, sheet, name, column, first):
    candles, table = worksheet(sheet, ("Close", "Close", "Close"))
    ours = raw_features(candles)[:, FEATURE_NAMES.index(name)]

    np.testing.assert_allclose(ours[first:], table[column][first:], rtol=1e-4)


def test_a_price_that_only_rises_has_an_index_of_100_and_one_that_never_moved_has_none(
    candle_frame,
):
    rising = compute_features(candle_frame([(p, p, p, p, 1) for p in range(10, 40)]))
    still = compute_features(candle_frame([(5, 5, 5, 5, 1)] * 40))
    at = FEATURE_NAMES.index("momentum_rsi")

    assert (rising.values[13:, at] == 1.0).all()
    assert np.isnan(still.values[:, 23:29]).all()

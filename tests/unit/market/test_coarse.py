"""The 5 and 15 minute groups against `ta` on bars made by pandas, joined on their close."""

from datetime import timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
import ta

from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import compute_features

LAGS = {5: 36, 15: 96}
WINDOWS = {5: 288, 15: 96}


def longer(bars, width):
    """Complete bars of `width` minutes, and for each minute the row of the last one closed."""
    start = bars["minute"] // width
    grouped = bars.groupby(start)
    table = grouped.agg({"o": "first", "h": "max", "l": "min", "c": "last", "v": "sum"})
    table = table[grouped.size() == width]
    closed = (table.index.to_numpy() + 1) * width  # minute of the close
    row = np.searchsorted(closed, bars["minute"] + 1, side="right") - 1
    return table.reset_index(drop=True), row


def hlc(b):
    return b["h"], b["l"], b["c"]


def raw_of(bars, lag):
    close = bars["c"]
    return {
        "ret_1": (1, np.log(close / close.shift(1))),
        f"ret_{lag}": (lag, np.log(close / close.shift(lag))),
        "momentum_rsi": (13, ta.momentum.rsi(close, 14)),
        "trend_macd_diff": (33, ta.trend.macd_diff(close)),
        "trend_adx": (27, ta.trend.adx(*hlc(bars))),
        "volatility_bbp": (19, ta.volatility.bollinger_pband(close)),
        "volatility_atr": (13, ta.volatility.average_true_range(*hlc(bars))),
        "volume_cmf": (19, ta.volume.chaikin_money_flow(*hlc(bars), bars["v"])),
    }


def normalized(bars, lag, window):
    raw = {
        name: values.where(values.index >= at) for name, (at, values) in raw_of(bars, lag).items()
    }
    sigma = np.log(bars["c"]).diff().ewm(halflife=24, min_periods=24).std().shift(1)
    level = np.log(raw["volatility_atr"] / bars["c"] + 1e-12)
    ranks = level.rolling(window, min_periods=96)
    spread = (ranks.quantile(0.75) - ranks.quantile(0.25)) / 1.349
    return {
        "ret_1": (raw["ret_1"] / sigma).clip(-8, 8),
        f"ret_{lag}": (raw[f"ret_{lag}"] / (sigma * np.sqrt(lag))).clip(-8, 8),
        "momentum_rsi": raw["momentum_rsi"] / 50 - 1,
        "trend_macd_diff": (raw["trend_macd_diff"] / raw["volatility_atr"]).clip(-5, 5),
        "trend_adx": raw["trend_adx"] / 100,
        "volatility_bbp": (2 * raw["volatility_bbp"] - 1).clip(-3, 3),
        "volatility_atr": ((level - ranks.median()) / spread).clip(-5, 5),
        "volume_cmf": raw["volume_cmf"],
    }


def spread_over(values, row):
    """The value of the last closed bar at each minute, NaN before the first."""
    values = np.asarray(values, float)
    return np.where(row >= 0, values[np.maximum(row, 0)], np.nan)


@pytest.mark.parametrize("width", [5, 15])
def test_raw_values_are_those_of_the_oracle_on_bars_that_have_closed(known, width):
    bars, row = longer(known.bars, width)

    for name, (first, values) in raw_of(bars, LAGS[width]).items():
        expected = spread_over(values.where(values.index >= first), row)[known.at]
        np.testing.assert_allclose(
            known.raw_column(f"m{width}_{name}"), expected, rtol=1e-7, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("width", [5, 15])
def test_normalized_values_use_the_volatility_of_their_own_timeframe(known, width):
    bars, row = longer(known.bars, width)

    for name, values in normalized(bars, LAGS[width], WINDOWS[width]).items():
        expected = spread_over(values, row)[known.at]
        np.testing.assert_allclose(
            known.column(f"m{width}_{name}"), expected, rtol=1e-4, atol=1e-4, err_msg=name
        )


def test_a_bar_whose_first_minutes_are_not_there_is_left_out(known):
    """Starting in the middle of a 15 minute bar gives the same as starting with the next."""
    head, start = known.candles.head(2_000), known.candles["open_time"][0]
    coarse = [name for name in FEATURE_NAMES if name.startswith("m15_")]
    late, whole = (
        compute_features(head.filter(pl.col("open_time") >= start + timedelta(minutes=skipped)))
        .to_polars()
        .select(coarse)
        .tail(1000)
        for skipped in (7, 15)
    )

    assert late.equals(whole)
    assert late["m15_momentum_rsi"].null_count() == 0


def test_coarse_values_change_only_when_a_bar_closes(known):
    minute = pd.Series(known.bars["minute"].to_numpy()[known.at])
    known_rsi = pd.Series(known.column("m5_momentum_rsi"))
    changed = known_rsi.diff().fillna(0) != 0
    steps = minute.diff() == 1

    assert ((minute[changed & steps] + 1) % 5 == 0).all()

"""Candles, generated and real, with their features; the oracles see the same minutes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

from helios_core.domain.market import CANDLE_SCHEMA, FeatureFrame, require_candles
from helios_core.market.catalogue import FEATURE_NAMES
from helios_core.market.compute import compute_features, raw_features
from helios_core.simulator.generator import generate

START = datetime(2024, 12, 1, tzinfo=UTC)
BARS = 6_000


def _candle_frame(bars, start=START, pair="SIMBTCZAR"):
    """Candles of rows (open, high, low, close, volume), one a minute."""
    table = np.asarray(bars, float)
    named = dict(zip(("open", "high", "low", "close", "volume"), table.T, strict=True))
    times = [start + timedelta(minutes=i) for i in range(len(table))]
    frame = pl.DataFrame({"pair": pair, "timeframe": "1m", "open_time": times, **named})
    return require_candles(frame.cast(CANDLE_SCHEMA).select(*CANDLE_SCHEMA))


@dataclass
class Sample:
    """Features of `candles`, and `bars`: the same minutes without holes, as pandas."""

    candles: pl.DataFrame
    features: FeatureFrame
    raw: np.ndarray
    bars: pd.DataFrame  # o h l c v r t, a RangeIndex
    at: np.ndarray  # row of each candle in `bars`

    def column(self, name):
        return self.features.to_polars()[name].to_numpy().astype(float)

    def raw_column(self, name):
        return self.raw[:, FEATURE_NAMES.index(name)]

    def agree(self, ours, theirs, first, *, rtol=1e-9, atol=1e-9):
        """Assert that two columns are equal from minute `first` on, and ours is unknown before."""
        row = np.searchsorted(self.at, first)

        assert np.isnan(ours[:row]).all(), f"known before {first}"
        np.testing.assert_allclose(ours[row:], np.asarray(theirs)[row:], rtol=rtol, atol=atol)


def sample(candles):
    return Sample(
        candles, compute_features(candles), raw_features(candles), *without_holes(candles)
    )


def without_holes(candles):
    """Bars of every minute, written with pandas, and where in them the candles are."""
    table = pd.DataFrame(
        {name[0]: candles[name] for name in ("open", "high", "low", "close", "volume")},
        index=candles["open_time"].dt.timestamp("us").to_numpy() // 60_000_000,
    )
    table = table.reindex(np.arange(table.index[0], table.index[-1] + 1))
    table["v"] = table["v"].fillna(0.0)
    table["c"] = table["c"].ffill()
    for price in "ohl":
        table[price] = table[price].fillna(table["c"])
    at = np.searchsorted(table.index, candles["open_time"].dt.timestamp("us") // 60_000_000)
    table["minute"] = table.index
    table = table.reset_index(drop=True)
    table["r"] = np.log(table["c"]).diff()
    table["t"] = (table["h"] + table["l"] + table["c"]) / 3
    return table, at


@pytest.fixture(scope="session")
def candle_frame():
    return _candle_frame


@pytest.fixture(scope="session")
def worksheet(shared_data):
    """Read a published worksheet: its bars as minute candles, and its columns."""

    def read(name, prices=("High", "Low", "Close"), volume=None):
        table = pd.read_csv(shared_data / "worksheets" / f"cs-{name}.csv").dropna(subset=["Close"])
        high, low, close = (table[column].to_numpy() for column in prices)
        traded = table[volume] if volume else np.ones(len(table))
        rows = [close, np.maximum(high, close), np.minimum(low, close), close, traded]
        return _candle_frame(np.column_stack(rows)), table

    return read


@pytest.fixture(scope="session")
def real_candles(shared_data):
    """41,761 minutes of BTCUSDT; the file names the last millisecond of a minute, at +01:00."""
    raw = pl.read_csv(shared_data / "binance_spot_BTCUSDT_1m_202412.csv")
    closed = raw["close_datetime"].str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_zone="UTC")
    frame = raw.with_columns(
        pair=pl.lit("BTCUSDT"), timeframe=pl.lit("1m"), open_time=closed.dt.truncate("1m")
    )
    return require_candles(frame.select(*CANDLE_SCHEMA).cast(CANDLE_SCHEMA))


@pytest.fixture(scope="session")
def generated():
    """Four days with about 25 minutes that have no candle."""
    return sample(generate("SIMBTCZAR", START, BARS, 11, 1_200_000.0))


@pytest.fixture(scope="session")
def real(real_candles):
    return sample(real_candles.head(BARS))


@pytest.fixture(params=["generated", "real"])
def known(request):
    """A sample to compare with an oracle, generated or real."""
    return request.getfixturevalue(request.param)

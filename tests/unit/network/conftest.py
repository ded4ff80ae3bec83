from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from helios_core.domain.market import CANDLE_SCHEMA, FeatureFrame, Timeframe
from helios_core.network.config import LabelConfig, NetworkConfig, TrainConfig

T0 = datetime(2024, 3, 1, tzinfo=UTC)
NAMES = tuple(f"f{i}" for i in range(90))


def candles_from(opens, highs, lows, closes, *, minutes=None, pair="SIMBTCZAR"):
    """Candle frame from price lists; `minutes` gives the open times when some are missing."""
    at = range(len(opens)) if minutes is None else minutes
    return pl.DataFrame(
        {
            "pair": [pair] * len(opens),
            "timeframe": ["1m"] * len(opens),
            "open_time": [T0 + timedelta(minutes=int(m)) for m in at],
            "open": np.asarray(opens, float),
            "high": np.asarray(highs, float),
            "low": np.asarray(lows, float),
            "close": np.asarray(closes, float),
            "volume": np.ones(len(opens)),
        },
        schema=CANDLE_SCHEMA,
    )


def walk(rng, bars, *, drift=None, scale=1e-3, minutes=None, pair="SIMBTCZAR"):
    """Random walk candles whose log returns are `scale` times a normal, plus `drift`."""
    step = rng.normal(0, scale, bars) + (0 if drift is None else drift)
    close = 100 * np.exp(np.cumsum(step))
    opened = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opened, close) * (1 + np.abs(rng.normal(0, scale / 3, bars)))
    low = np.minimum(opened, close) * (1 - np.abs(rng.normal(0, scale / 3, bars)))
    return candles_from(opened, high, low, close, minutes=minutes, pair=pair)


@dataclass(frozen=True)
class Planted:
    """A market whose slow drift is visible, with noise, in feature 0."""

    candles: pl.DataFrame
    features: FeatureFrame


def planted_market(seed=0, bars=6000, *, strength=0.5, pair="SIMBTCZAR"):
    rng = np.random.default_rng(seed)
    state = np.zeros(bars)
    for t in range(1, bars):
        state[t] = 0.97 * state[t - 1] + rng.normal(0, 0.24)
    drift = strength * 1e-3 * np.concatenate([[0.0], state[:-1]])
    candles = walk(rng, bars, drift=drift, pair=pair)
    values = rng.normal(0, 1, (bars, 90)).astype(np.float32)
    values[:, 0] = state + rng.normal(0, 0.3, bars)
    values[:, 10:85] = np.nan
    values[:100, :5] = np.nan
    features = FeatureFrame(
        pair=pair,
        timeframe=Timeframe.M1,
        open_time=candles["open_time"].dt.replace_time_zone(None).to_numpy(),
        values=values,
        names=NAMES,
        feature_set="ab" * 32,
    )
    return Planted(candles, features)


SMALL = NetworkConfig(
    label=LabelConfig(horizon=15, cost=1e-4, halflife=50),
    train=TrainConfig(
        epochs=4,
        batch=128,
        learning_rate=2e-3,
        stride=2,
        warm_up=200,
        embargo=60,
        threads=1,
        bootstrap=60,
        device="cpu",
    ),
)


@pytest.fixture(scope="session")
def planted():
    return planted_market(bars=9000)  # enough that the test part shows skill whatever the seed


@pytest.fixture(scope="session")
def small_config():
    return SMALL


@pytest.fixture(scope="session")
def trained(planted):
    from helios_core.network.training import train

    return train([planted.features], [planted.candles], SMALL)


@pytest.fixture(scope="session")
def make_candles():
    return candles_from


@pytest.fixture(scope="session")
def make_walk():
    return walk


@pytest.fixture(scope="session")
def make_planted():
    return planted_market


@pytest.fixture(scope="session")
def cut():
    """Return the first (or with negative n the last) rows of a feature frame."""

    def rows(frame, piece):
        return replace(frame, open_time=frame.open_time[piece], values=frame.values[piece])

    return rows

"""Candles of a few minutes that every test of the store may write."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from helios_core.domain.market import CANDLE_SCHEMA, TRADE_SCHEMA, Timeframe
from helios_core.store.database import Database

T0 = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def bars():
    """Return a builder of candles at these numbers of bars after T0."""

    def build(numbers, pair="BTCUSDT", timeframe=Timeframe.M1, price=100.0):
        numbers = list(numbers)
        return pl.DataFrame(
            {
                "pair": [pair] * len(numbers),
                "timeframe": [timeframe.value] * len(numbers),
                "open_time": [T0 + n * timeframe.duration for n in numbers],
                "open": [price + n for n in numbers],
                "high": [price + n + 1 for n in numbers],
                "low": [price + n - 1 for n in numbers],
                "close": [price + n + 0.5 for n in numbers],
                "volume": [float(n % 7) for n in numbers],
            },
            schema=CANDLE_SCHEMA,
        )

    return build


@pytest.fixture
def ticks():
    """Return a builder of trades at these seconds after T0."""

    def build(seconds, pair="BTCUSDT", price=100.0):
        seconds = list(seconds)
        return pl.DataFrame(
            {
                "pair": [pair] * len(seconds),
                "ts": [T0 + timedelta(seconds=s) for s in seconds],
                "trade_id": range(1, len(seconds) + 1),
                "price": [price + i for i in range(len(seconds))],
                "quantity": [1.0 + i for i in range(len(seconds))],
                "side": [1 if i % 3 else -1 for i in range(len(seconds))],
            },
            schema=TRADE_SCHEMA,
        )

    return build


@pytest.fixture
def database(dsn):
    with Database(dsn, application="helios-test") as opened:
        yield opened

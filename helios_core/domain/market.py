"""Market types: timeframes, candles, trades, features, pair rules."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from helios_core.errors import DataError, UsageError

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
TimeArray = NDArray[np.datetime64]  # always datetime64[us], UTC


class Timeframe(StrEnum):
    """Length of a bar. Only these are stored; all of them divide a day."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    D1 = "1d"

    @property
    def duration(self) -> timedelta:
        """Length as a timedelta."""
        return timedelta(minutes=self.minutes)

    @property
    def minutes(self) -> int:
        """Length in whole minutes."""
        return {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "1d": 1440}[self.value]


UTC_MICROSECONDS = pl.Datetime("us", "UTC")

# A candle is named by the start of its bar, in UTC, and is stored only once the bar has closed.
CANDLE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "pair": pl.String,
    "timeframe": pl.String,
    "open_time": UTC_MICROSECONDS,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
}

# side is that of the aggressor: +1 bought, -1 sold. trade_id rises within a pair.
TRADE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "pair": pl.String,
    "ts": UTC_MICROSECONDS,
    "trade_id": pl.Int64,
    "price": pl.Float64,
    "quantity": pl.Float64,
    "side": pl.Int8,
}

CandleFrame = pl.DataFrame  # with CANDLE_SCHEMA, checked by `require_candles`
TradeFrame = pl.DataFrame  # with TRADE_SCHEMA, checked by `require_trades`


def require_candles(frame: pl.DataFrame) -> CandleFrame:
    """Return `frame` if it is a valid candle frame of one pair and timeframe, else raise.

    Raises
    ------
    DataError
        If the schema differs, times are not strictly rising, a price is not finite and positive,
        high or low does not enclose open and close, or volume is negative.
    """
    _require_schema(frame, CANDLE_SCHEMA, "candles")
    if frame.is_empty():
        return frame
    _require_single(frame, ("pair", "timeframe"))
    _require_rising(frame, "open_time", strict=True)
    prices = ["open", "high", "low", "close"]
    bad = frame.filter(
        ~pl.all_horizontal(pl.col(prices).is_finite() & (pl.col(prices) > 0))
        | (pl.col("high") < pl.max_horizontal("open", "close"))
        | (pl.col("low") > pl.min_horizontal("open", "close"))
        | ~(pl.col("volume").is_finite() & (pl.col("volume") >= 0))
    )
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise DataError(
            f"{bad.height} of {frame.height} candles are impossible; expected low <= open, close "
            f"<= high, positive finite prices, volume >= 0; the first one opens "
            f"{row['open_time']}: open {row['open']}, high {row['high']}, "
            f"low {row['low']}, close {row['close']}, "
            f"volume {row['volume']}"
        )
    return frame


def require_trades(frame: pl.DataFrame) -> TradeFrame:
    """Return `frame` if it is a valid trade frame of one pair, else raise ``DataError``."""
    _require_schema(frame, TRADE_SCHEMA, "trades")
    if frame.is_empty():
        return frame
    _require_single(frame, ("pair",))
    _require_rising(frame, "ts", strict=False)
    numbers = pl.col("price", "quantity")
    bad = frame.filter(
        ~pl.all_horizontal(numbers.is_finite() & (numbers > 0)) | ~pl.col("side").is_in([-1, 1])
    )
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise DataError(
            f"{bad.height} of {frame.height} trades are impossible; expected positive finite price "
            f"and quantity and side +1 or -1; the first one, at {row['ts']}: price {row['price']}, "
            f"quantity {row['quantity']}, side {row['side']}"
        )
    return frame


def _require_schema(
    frame: pl.DataFrame, schema: dict[str, pl.DataType | type[pl.DataType]], what: str
) -> None:
    if frame.schema != pl.Schema(schema):
        raise DataError(
            f"{what} need the columns {dict(pl.Schema(schema))}, found {dict(frame.schema)}"
        )
    if any(count for count in frame.null_count().row(0)):
        raise DataError(f"{what} must not hold nulls, found {frame.null_count().to_dicts()[0]}")


def _require_single(frame: pl.DataFrame, columns: tuple[str, ...]) -> None:
    for column in columns:
        if frame[column].n_unique() != 1:
            found = sorted(frame[column].unique().to_list())[:5]
            raise DataError(f"a frame holds one {column}, found {found}")


def _require_rising(frame: pl.DataFrame, column: str, *, strict: bool) -> None:
    step = frame[column].diff().drop_nulls()
    zero = timedelta(0)
    wrong = (step <= zero) if strict else (step < zero)
    if wrong.any():
        at = int(wrong.arg_true()[0]) + 1
        raise DataError(
            f"{column} must rise; row {at} is {frame[column][at]} after {frame[column][at - 1]}"
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of missing bars: `start` is the first missing open time, `end` is exclusive."""

    start: datetime
    end: datetime
    missing: int  # bars


@dataclass(frozen=True, slots=True)
class PairRules:
    """What the exchange accepts for one pair. Prices in quote, quantities in base."""

    pair: str
    base: str
    quote: str
    tick_size: Decimal
    base_decimals: int
    min_quantity: Decimal
    min_notional: Decimal
    tradable: bool = True
    simulated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFrame:
    """Features of one pair; a value is valid where it is finite, NaN while warming up or missing.

    Attributes
    ----------
    open_time : ndarray of datetime64[us], shape (T,)
        Start of each closed base bar, UTC. The row may be used from ``open_time + timeframe`` on.
    values : ndarray of float32, shape (T, F)
        Normalised features in the order of `names`.
    feature_set : str
        sha256 of the catalogue that made them.
    """

    pair: str
    timeframe: Timeframe
    open_time: TimeArray
    values: Float32Array
    names: tuple[str, ...]
    feature_set: str

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.open_time), len(self.names)):
            raise DataError(
                f"feature values must have shape ({len(self.open_time)}, {len(self.names)}), "
                f"found {self.values.shape}"
            )

    @property
    def mask(self) -> BoolArray:
        """True where a value may be used, shape (T, F)."""
        return np.asarray(np.isfinite(self.values))

    def __len__(self) -> int:
        return len(self.open_time)

    def to_polars(self) -> pl.DataFrame:
        """Return pair, open_time and one Float32 column a feature; null where not valid."""
        head = {
            "pair": pl.Series([self.pair] * len(self), dtype=pl.String),
            "open_time": pl.Series(self.open_time.astype("datetime64[us]")).dt.replace_time_zone(
                "UTC"
            ),
        }
        columns = {name: self.values[:, i] for i, name in enumerate(self.names)}
        return pl.DataFrame({**head, **columns}).with_columns(pl.col(self.names).fill_nan(None))


def parse_timeframe(text: str) -> Timeframe:
    """Return the timeframe named `text`, or raise ``UsageError`` with the accepted ones."""
    try:
        return Timeframe(text)
    except ValueError:
        accepted = ", ".join(Timeframe)
        raise UsageError(f"no timeframe {text!r}; accepted are {accepted}") from None

"""JSON of VALR's public routes as pydantic models, and their way into domain types.

Numbers arrive as strings. Fields that Helios does not read are ignored: the exchange adds some
without notice.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import polars as pl
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from helios_core.domain.market import (
    CANDLE_SCHEMA,
    CandleFrame,
    PairRules,
    Timeframe,
    require_candles,
)
from helios_core.errors import DataError

T = TypeVar("T")
PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def _number(value: object) -> object:
    """Take what reads as a plain number; "NaN" and a comma for thousands are refused."""
    if isinstance(value, str) and not PLAIN_NUMBER.fullmatch(value):
        raise ValueError("expected a plain decimal number")
    return value


def _microseconds(value: object) -> object:
    """Cut the fraction of a second to six digits; VALR sends up to nine."""
    return re.sub(r"(\.\d{6})\d+", r"\1", value) if isinstance(value, str) else value


Number = Annotated[Decimal, BeforeValidator(_number)]
Positive = Annotated[Decimal, BeforeValidator(_number), Field(gt=0)]
Instant = Annotated[AwareDatetime, BeforeValidator(_microseconds)]


class Message(BaseModel):
    """A piece of an answer; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PairMessage(Message):
    """One row of ``/v1/public/pairs``."""

    symbol: str
    base: str = Field(alias="baseCurrency")
    quote: str = Field(alias="quoteCurrency")
    active: bool
    min_base: Number = Field(alias="minBaseAmount")
    min_quote: Number = Field(alias="minQuoteAmount")
    tick_size: Positive = Field(alias="tickSize")
    base_decimals: int = Field(alias="baseDecimalPlaces", ge=0, le=24)
    kind: str = Field("SPOT", alias="currencyPairType")

    def rules(self) -> PairRules:
        """Return the pair as the desk knows it."""
        return PairRules(
            pair=self.symbol,
            base=self.base,
            quote=self.quote,
            tick_size=self.tick_size,
            base_decimals=self.base_decimals,
            min_quantity=self.min_base,
            min_notional=self.min_quote,
            tradable=self.active,
        )


class BucketMessage(Message):
    """One candle of ``/v1/public/{pair}/buckets``."""

    pair: str = Field(alias="currencyPairSymbol")
    seconds: int = Field(alias="bucketPeriodInSeconds")
    start: Instant = Field(alias="startTime")
    open: Positive
    high: Positive
    low: Positive
    close: Positive
    volume: Number


class TimeMessage(Message):
    """Answer of ``/v1/public/time``; `epochTime` is in seconds, `time` is finer."""

    time: Instant


class ErrorMessage(Message):
    """Body of a refused request."""

    code: int
    message: str = ""


PAIRS = TypeAdapter(list[PairMessage])
BUCKETS = TypeAdapter(list[BucketMessage])
TIME = TypeAdapter(TimeMessage)
ERROR = TypeAdapter(ErrorMessage)


def parse(adapter: TypeAdapter[T], payload: bytes, what: str) -> T:
    """Return the decoded payload.

    Raises
    ------
    DataError
        If it is not JSON of the expected shape; the first field at fault is named.
    """
    try:
        return adapter.validate_json(payload)
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole answer"
        raise DataError(
            f"VALR's {what} cannot be read: {where}: {first['msg']}, found "
            f"{str(first['input'])[:80]!r}. The exchange may have changed its format."
        ) from None


def candles(
    buckets: list[BucketMessage], pair: str, timeframe: Timeframe, now: datetime
) -> CandleFrame:
    """Return the closed bars among `buckets`, oldest first, each once.

    Parameters
    ----------
    buckets : list of BucketMessage
        In any order; a bar sent twice is taken once.
    now : datetime
        Time of the exchange; a bar that closes later is still open and is left out.

    Raises
    ------
    DataError
        If a bucket belongs to another pair or period, or two differ for the same bar.
    """
    seconds = timeframe.minutes * 60
    for bucket in buckets:
        if bucket.pair != pair or bucket.seconds != seconds:
            raise DataError(
                f"asked VALR for {pair} bars of {seconds} s, found one of {bucket.pair} with "
                f"{bucket.seconds} s"
            )
    rows = [
        (pair, timeframe.value, b.start, *map(float, (b.open, b.high, b.low, b.close, b.volume)))
        for b in buckets
        if b.start + timeframe.duration <= now
    ]
    frame = pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row").unique()
    return require_candles(frame.sort("open_time"))

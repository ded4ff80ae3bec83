"""Book messages of VALR's trade socket, read into the frames that `book.Book` takes.

Keys are those of the wire: the two feeds spell the same things differently. Digits stay text until
the frame is made, because the checksum is over the text.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from helios_core.valr.book import Entry, Frame
from helios_core.valr.messages import Message, parse


def _positive(digits: str) -> str:
    if not Decimal(digits):
        raise ValueError("expected a price above zero")
    return digits


Digits = Annotated[str, Field(pattern=r"^[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$")]
PriceDigits = Annotated[Digits, AfterValidator(_positive)]
Counter = Annotated[int, Field(ge=0, strict=True)]
Crc = Annotated[int, Field(ge=0, lt=2**32, strict=True)]


class L1Data(Message):
    """Content of an ``OB_L1_SNAPSHOT`` or ``OB_L1_DIFF``; rows are price and quantity."""

    lc: Counter
    a: tuple[tuple[PriceDigits, Digits], ...]
    b: tuple[tuple[PriceDigits, Digits], ...]
    sq: Counter
    cs: Crc


class L1Message(Message):
    """A frame of the feed by price; numbers rise by one."""

    type: Literal["OB_L1_SNAPSHOT", "OB_L1_DIFF"]
    ps: str
    d: L1Data

    def frame(self) -> Frame:
        """Return the frame as the book takes it."""
        bids, asks = (
            tuple(Entry(Decimal(p), "", Decimal(q), f"{p}:{q}") for p, q in rows)
            for rows in (self.d.b, self.d.a)
        )
        snapshot = self.type == "OB_L1_SNAPSHOT"
        return Frame(self.ps, snapshot, self.d.sq, 1, self.d.cs, self.d.lc, bids, asks)


class OrderRow(Message):
    """One order of the full book."""

    key: str = Field(alias="orderId", min_length=1)
    quantity: Digits


class PriceRow(Message):
    """The orders that changed at one price, in the order of their queue."""

    price: PriceDigits = Field(alias="Price")
    orders: tuple[OrderRow, ...] = Field(alias="Orders")


class FullData(Message):
    """Content of a ``FULL_ORDERBOOK_SNAPSHOT`` or ``FULL_ORDERBOOK_UPDATE``."""

    changed: Counter = Field(alias="LastChange")
    asks: tuple[PriceRow, ...] = Field(alias="Asks")
    bids: tuple[PriceRow, ...] = Field(alias="Bids")
    sequence: Counter = Field(alias="SequenceNumber")
    checksum: Crc = Field(alias="Checksum")


class FullMessage(Message):
    """A frame of the feed by order; numbers rise by the count of entries, removals included."""

    type: Literal["FULL_ORDERBOOK_SNAPSHOT", "FULL_ORDERBOOK_UPDATE"]
    pair: str = Field(alias="currencyPairSymbol")
    data: FullData

    def frame(self) -> Frame:
        """Return the frame as the book takes it."""
        bids, asks = (
            tuple(
                Entry(
                    Decimal(row.price), one.key, Decimal(one.quantity), f"{one.key}:{one.quantity}"
                )
                for row in rows
                for one in row.orders
            )
            for rows in (self.data.bids, self.data.asks)
        )
        step, data = len(bids) + len(asks), self.data
        snapshot = self.type == "FULL_ORDERBOOK_SNAPSHOT"
        return Frame(
            self.pair, snapshot, data.sequence, step, data.checksum, data.changed, bids, asks
        )


BOOK_MESSAGE: TypeAdapter[L1Message | FullMessage] = TypeAdapter(
    Annotated[L1Message | FullMessage, Field(discriminator="type")]
)


def read_frame(payload: bytes) -> Frame:
    """Return a book message of the trade socket as a frame.

    Raises
    ------
    DataError
        If it is of another type or shape, or a number is not a plain one, or is negative. The
        frame is then missing, which the book notices at the next one.
    """
    return parse(BOOK_MESSAGE, payload, "order book message").frame()

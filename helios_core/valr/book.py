"""The order book of one pair, rebuilt from a snapshot and the changes after it.

Two feeds of the trade socket fit: ``OB_L1_DIFF`` (a quantity per price) and
``FULL_ORDERBOOK_UPDATE`` (a quantity per order). Both number their frames and send a CRC32 of the
best 25 entries a side. A frame that does not follow, or a book that does not sum up, marks the book
stale, and only a new snapshot heals it: a book that may be wrong must never be quoted from.

The checksum is over the digits as they were sent, so they are kept beside the exact decimals.
`book_messages` reads the frames.
"""

import zlib
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal
from enum import StrEnum
from functools import reduce
from itertools import chain, islice, zip_longest
from typing import NamedTuple

from helios_core.errors import DataError

CHECKED_ENTRIES = 25  # a side
# longer than any sum of quantities that `book_messages` lets in, so that adding them is exact
EXACT = Context(prec=256)


class Entry(NamedTuple):
    """The new absolute quantity of one entry; zero removes it."""

    price: Decimal
    key: str  # the order; empty in a feed that has one entry a price
    quantity: Decimal
    text: str  # as the checksum spells it


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a book feed.

    Attributes
    ----------
    snapshot : bool
        True if the entries are the whole book.
    sequence : int
        Number of the frame.
    step : int
        What must lie between the number before and this one; not looked at in a snapshot.
    checksum : int or None
        CRC32 of the book after the frame; None in a feed that sends none.
    changed : int
        Time of the change by the exchange, milliseconds since 1970.
    """

    pair: str
    snapshot: bool
    sequence: int
    step: int
    checksum: int | None
    changed: int
    bids: tuple[Entry, ...]
    asks: tuple[Entry, ...]


class Level(NamedTuple):
    """A price in quote and the whole quantity offered there, in base."""

    price: Decimal
    quantity: Decimal


class Cause(StrEnum):
    """Why a book must not be used."""

    NO_SNAPSHOT = "no snapshot has come"
    DISCONNECTED = "the connection was lost"
    SEQUENCE = "a frame is missing, repeated or out of order"
    CHECKSUM = "the checksum does not match"
    CROSSED = "the best bid is not below the best ask"
    SILENCE = "nothing was heard for too long"


@dataclass(frozen=True, slots=True)
class Stale:
    """A cause with what was expected and what was found, for the log."""

    cause: Cause
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        detail = f", expected {self.expected}, found {self.found}" if self.expected else ""
        return f"{self.cause}{detail}"


class Side:
    """The entries of one side by price; at one price the oldest comes first.

    Parameters
    ----------
    entries : iterable of Entry
        In any order of prices; entries of zero are left out.
    highest_first : bool
        True for bids.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, highest_first: bool) -> None:
        self._highest_first = highest_first
        self._prices: list[Decimal] = []  # rising
        self._levels: dict[Decimal, dict[str, Entry]] = {}
        for entry in entries:
            self.put(entry)

    def put(self, entry: Entry) -> None:
        """Set or remove one entry; removing an unknown one does nothing."""
        level = self._levels.get(entry.price)
        if entry.quantity:
            if level is None:
                level = self._levels[entry.price] = {}
                insort(self._prices, entry.price)
            level[entry.key] = entry  # an order that changes keeps its place in the queue
        elif level is not None:
            level.pop(entry.key, None)
            if not level:
                del self._levels[entry.price]
                del self._prices[bisect_left(self._prices, entry.price)]

    def best_first(self) -> Iterator[dict[str, Entry]]:
        """Yield the entries price by price, the best price first."""
        prices = reversed(self._prices) if self._highest_first else iter(self._prices)
        return (self._levels[price] for price in prices)

    def best_price(self) -> Decimal | None:
        """Return the best price, None if the side is empty."""
        return self._prices[-1 if self._highest_first else 0] if self._prices else None

    def levels(self, count: int | None) -> tuple[Level, ...]:
        """Return the best `count` levels, all of them for None."""
        return tuple(_level(entries) for entries in islice(self.best_first(), count))


class Book:
    """The book of one pair; it is stale until the first snapshot.

    Parameters
    ----------
    pair : str
        Exchange symbol; frames of another pair are an error of the caller.

    Attributes
    ----------
    stale : Stale or None
        Why the book must not be used; None while every frame fitted.
    sequence : int
        Number of the newest frame that was taken.
    changed : int
        Time of that frame by the exchange, milliseconds; it may lie far back in a quiet market.
    """

    def __init__(self, pair: str) -> None:
        self.pair = pair
        self.stale: Stale | None = Stale(Cause.NO_SNAPSHOT)
        self.sequence = 0
        self.changed = 0
        self._heard: datetime | None = None
        self._bids, self._asks = Side(highest_first=True), Side(highest_first=False)

    def apply(self, frame: Frame, received: datetime) -> Stale | None:
        """Take in one frame and return why the book is stale, None if it is good.

        Anything but a snapshot is left out while the book is stale.

        Parameters
        ----------
        received : datetime
            Local time of arrival, aware.

        Raises
        ------
        DataError
            If the frame is of another pair.
        """
        if frame.pair != self.pair:
            raise DataError(f"the book of {self.pair} was given a frame of {frame.pair}")
        self.heard(received)
        if frame.snapshot:
            self._bids = Side(frame.bids, highest_first=True)
            self._asks = Side(frame.asks, highest_first=False)
        elif self.stale is not None:
            return self.stale
        elif frame.sequence != self.sequence + frame.step:
            expected = f"sequence {self.sequence + frame.step}"
            self.stale = Stale(Cause.SEQUENCE, expected, str(frame.sequence))
            return self.stale
        else:
            _put_all(self._bids.put, frame.bids)
            _put_all(self._asks.put, frame.asks)
        self.sequence, self.changed = frame.sequence, frame.changed
        self.stale = self._fault(frame.checksum)
        return self.stale

    def heard(self, at: datetime) -> None:
        """Note a sign of life of the connection, such as a PONG: a quiet book sends no frames."""
        if self._heard is None or at > self._heard:
            self._heard = at

    def disconnect(self) -> None:
        """Mark the book stale because its connection was lost; frames in between are gone."""
        self.stale = Stale(Cause.DISCONNECTED)

    def staleness(self, as_of: datetime, limit: timedelta) -> Stale | None:
        """Return why the book must not be used at `as_of`, None if it may be.

        Parameters
        ----------
        limit : timedelta
            Longest time since the last frame or sign of life.
        """
        if self.stale is not None or self._heard is None:
            return self.stale
        silence = as_of - self._heard
        if silence > limit:
            return Stale(Cause.SILENCE, f"at most {limit}", str(silence))
        return None

    def bids(self, count: int | None = None) -> tuple[Level, ...]:
        """Return the `count` highest bids, the highest first; all of them for None.

        Raises
        ------
        DataError
            If the book is stale.
        """
        return self._usable(self._bids).levels(count)

    def asks(self, count: int | None = None) -> tuple[Level, ...]:
        """Return the `count` lowest asks, the lowest first; all of them for None.

        Raises
        ------
        DataError
            If the book is stale.
        """
        return self._usable(self._asks).levels(count)

    def checksum(self) -> int:
        """Return the CRC32 of the best 25 entries a side, bid and ask in turn; 0 if empty."""
        sides = [
            islice(chain.from_iterable(map(dict.values, side.best_first())), CHECKED_ENTRIES)
            for side in (self._bids, self._asks)
        ]
        turns = chain.from_iterable(zip_longest(*sides))
        return zlib.crc32(":".join(entry.text for entry in turns if entry is not None).encode())

    def _usable(self, side: Side) -> Side:
        if self.stale is not None:
            raise DataError(
                f"the book of {self.pair} must not be used: {self.stale}; subscribe again, naming "
                "all pairs of the feed, and wait for the snapshot"
            )
        return side

    def _fault(self, checksum: int | None) -> Stale | None:
        if checksum is not None and checksum != (found := self.checksum()):
            return Stale(Cause.CHECKSUM, f"checksum {checksum}", str(found))
        bid, ask = self._bids.best_price(), self._asks.best_price()
        if bid is not None and ask is not None and bid >= ask:
            return Stale(Cause.CROSSED, f"a bid below {ask}", str(bid))
        return None


def _put_all(put: Callable[[Entry], None], entries: tuple[Entry, ...]) -> None:
    for entry in entries:
        put(entry)


def _level(entries: dict[str, Entry]) -> Level:
    found = list(entries.values())
    return Level(found[0].price, reduce(EXACT.add, (entry.quantity for entry in found)))

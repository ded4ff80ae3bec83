"""Books against a model of plain dictionaries, and against connections that lose frames."""

import json
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, zip_longest

from hypothesis import given
from hypothesis import strategies as st

from helios_core.valr.book import Book, Cause
from helios_core.valr.book_messages import read_frame

NOW = datetime(2026, 9, 23, tzinfo=UTC)
MIDDLE = 50  # bids below, asks above, so that no book is crossed
QUANTITIES = ["0", "0", "0.0", "1", "1.50", "2", "0.00001"]

# one change: price, order, quantity; more than 25 prices a side, so that some are not summed
changes = st.lists(
    st.tuples(
        st.integers(1, 99).filter(lambda price: price != MIDDLE),
        st.sampled_from("abc"),
        st.sampled_from(QUANTITIES),
    ),
    max_size=30,
)
streams = st.lists(changes, min_size=1, max_size=8)


class Model:
    """The feed as the exchange has it: a list of (price, order, quantity), searched in full."""

    def __init__(self, *, by_order):
        self.by_order, self.rows, self.sequence = by_order, [], 1000

    def change(self, batch):
        """Take in a batch and return its message."""
        if not self.by_order:
            batch = [(price, "", quantity) for price, _, quantity in batch]
        for price, order, quantity in batch:
            known = [i for i, row in enumerate(self.rows) if row[:2] == (price, order)]
            if not float(quantity):
                self.rows = [row for i, row in enumerate(self.rows) if i not in known]
            elif known:
                self.rows[known[0]] = (price, order, quantity)
            else:
                self.rows.append((price, order, quantity))
        self.sequence += len(batch) if self.by_order else 1
        return self.message("UPDATE" if self.by_order else "DIFF", batch)

    def side(self, *, bids):
        rows = [row for row in self.rows if (row[0] < MIDDLE) == bids]
        return sorted(rows, key=lambda row: -row[0] if bids else row[0])  # stable: queue kept

    def checksum(self):
        sides = [
            [f"{o if self.by_order else p}:{q}" for p, o, q in self.side(bids=bids)[:25]]
            for bids in (True, False)
        ]
        turns = chain.from_iterable(zip_longest(*sides))
        return zlib.crc32(":".join(text for text in turns if text).encode())

    def message(self, kind, batch):
        bids = [row for row in batch if row[0] < MIDDLE]
        asks = [row for row in batch if row[0] > MIDDLE]
        if not self.by_order:
            data = {"lc": 1, "sq": self.sequence, "cs": self.checksum()}
            data |= {k: [[str(p), q] for p, _, q in rows] for k, rows in (("a", asks), ("b", bids))}
            return json.dumps({"type": f"OB_L1_{kind}", "ps": "X", "d": data}).encode()
        data = {"LastChange": 1, "SequenceNumber": self.sequence, "Checksum": self.checksum()}
        for key, rows in (("Asks", asks), ("Bids", bids)):
            data[key] = [
                {"Price": str(p), "Orders": [{"orderId": o, "quantity": q}]} for p, o, q in rows
            ]
        message = {"type": f"FULL_ORDERBOOK_{kind}", "currencyPairSymbol": "X", "data": data}
        return json.dumps(message).encode()

    def levels(self, *, bids):
        sums = {}
        for price, _, quantity in self.side(bids=bids):
            sums[price] = sums.get(price, 0) + Decimal(quantity)
        return list(sums.items())


def recorded(stream, by_order):
    """A model after the whole stream, and the messages: a snapshot, then one a batch."""
    model = Model(by_order=by_order)
    model.change(stream[0])
    messages = [model.message("SNAPSHOT", model.rows)]
    messages += [model.change(batch) for batch in stream[1:]]
    return model, messages


def fed(messages):
    book = Book("X")
    for message in messages:
        book.apply(read_frame(message), NOW)
    return book


def same(book, model):
    return (
        list(book.bids()) == model.levels(bids=True)
        and list(book.asks()) == model.levels(bids=False)
        and book.sequence == model.sequence
    )


@given(streams, st.booleans())
def test_any_changes_give_the_book_of_the_model(stream, by_order):
    model, messages = recorded(stream, by_order)
    book = fed(messages)

    assert book.stale is None
    assert same(book, model)


@given(streams.filter(lambda s: len(s) > 2), st.booleans(), st.data())
def test_a_lost_repeated_or_swapped_message_is_noticed_or_harmless(stream, by_order, data):
    """Only the newest message can be lost unseen: nothing has come yet that does not follow."""
    model, messages = recorded(stream, by_order)
    at = data.draw(st.integers(1, len(messages) - 2))
    broken = data.draw(
        st.sampled_from(
            [
                messages[:at] + messages[at + 1 :],
                messages[: at + 1] + messages[at:],
                [*messages[:at], messages[at + 1], messages[at], *messages[at + 2 :]],
            ]
        )
    )
    book = fed(broken)

    assert book.stale is not None or same(book, model)


@given(streams.filter(lambda s: len(s) > 2), st.booleans(), st.data())
def test_every_break_of_the_order_of_filled_messages_is_noticed(stream, by_order, data):
    _, messages = recorded([[*batch, (1, "a", "1")] for batch in stream], by_order)
    at = data.draw(st.integers(1, len(messages) - 2))
    broken = data.draw(
        st.sampled_from([messages[:at] + messages[at + 1 :], messages[: at + 1] + messages[at:]])
    )

    assert fed(broken).stale.cause is Cause.SEQUENCE


@given(streams, st.booleans(), changes)
def test_after_any_break_a_snapshot_makes_the_book_right_again(stream, by_order, later):
    model, messages = recorded(stream, by_order)
    book = fed(messages)
    book.disconnect()
    book.apply(read_frame(model.change(later)), NOW)
    stale = book.stale
    book.apply(read_frame(model.message("SNAPSHOT", model.rows)), NOW)

    assert stale.cause is Cause.DISCONNECTED
    assert book.stale is None
    assert same(book, model)


@given(streams, st.integers(1, 49), st.booleans())
def test_a_quantity_that_was_changed_on_the_way_is_noticed(stream, price, by_order):
    """The best bid and ask are among the 25 that are summed."""
    model, messages = recorded(stream, by_order)
    book = fed(messages)
    message = model.change([(MIDDLE - 1, "a", "7.25"), (price, "b", "1")])
    book.apply(read_frame(message.replace(b"7.25", b"7.26")), NOW)

    assert book.stale is None or book.stale.cause is Cause.CHECKSUM
    assert (book.stale is None) == (price == MIDDLE - 1 and not by_order)  # overwritten at once

"""Life of an order as a table. What the venue has not said is UNKNOWN, never a guess.

A terminal state is reached only through evidence from the venue: an answer, an event of its order
feed, or an authoritative "no such order" once the time for late acceptance has passed. A timeout is
no evidence; it leads to UNKNOWN, and UNKNOWN is left by evidence alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from helios_core.domain.trading import OrderState
from helios_core.errors import OrderError


class OrderEvent(StrEnum):
    """What can happen to an order. All but SEND and SILENCE come from the venue."""

    SEND = "SEND"  # the first byte is about to leave
    SILENCE = "SILENCE"  # time-out, broken connection, unreadable answer
    ACCEPT = "ACCEPT"  # the venue has the order on its book
    FILL_PART = "FILL_PART"
    FILL = "FILL"
    CANCEL = "CANCEL"  # nothing more of it will trade; also a market order that met no price
    REJECT = "REJECT"  # the venue refused it and said why
    NOT_FOUND = "NOT_FOUND"  # authoritative, asked after the time for late acceptance


LOCAL_EVENTS = frozenset({OrderEvent.SEND, OrderEvent.SILENCE})
TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.ABANDONED}
)

_HEARD = {
    OrderEvent.ACCEPT: OrderState.PLACED,
    OrderEvent.FILL_PART: OrderState.PARTIALLY_FILLED,
    OrderEvent.FILL: OrderState.FILLED,
    OrderEvent.CANCEL: OrderState.CANCELLED,
    OrderEvent.REJECT: OrderState.REJECTED,
}
_RESTING = {
    OrderEvent.SILENCE: OrderState.UNKNOWN,
    OrderEvent.FILL_PART: OrderState.PARTIALLY_FILLED,
    OrderEvent.FILL: OrderState.FILLED,
    OrderEvent.CANCEL: OrderState.CANCELLED,
}
_ROWS: dict[OrderState, dict[OrderEvent, OrderState]] = {
    # an intent found at start-up may have left before the crash: it is UNKNOWN until asked for
    OrderState.INTENT: {
        OrderEvent.SEND: OrderState.SENT,
        OrderEvent.SILENCE: OrderState.UNKNOWN,
        OrderEvent.NOT_FOUND: OrderState.ABANDONED,
    },
    OrderState.SENT: {**_HEARD, OrderEvent.SILENCE: OrderState.UNKNOWN},
    OrderState.UNKNOWN: {
        **_HEARD,
        OrderEvent.SILENCE: OrderState.UNKNOWN,
        OrderEvent.NOT_FOUND: OrderState.REJECTED,
    },
    OrderState.PLACED: _RESTING,
    OrderState.PARTIALLY_FILLED: _RESTING,
}

TRANSITIONS: Mapping[tuple[OrderState, OrderEvent], OrderState] = MappingProxyType(
    {(state, event): after for state, row in _ROWS.items() for event, after in row.items()}
)


def advance(state: OrderState, event: OrderEvent) -> OrderState:
    """Return the state after `event`.

    Raises
    ------
    OrderError
        If the table has no such transition; nothing leaves a terminal state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        allowed = sorted(e.value for s, e in TRANSITIONS if s is state)
        expected = ", ".join(allowed) or "nothing, the state is final"
        raise OrderError(
            f"an order in state {state} cannot take {event}; it takes {expected}. "
            f"Reconcile the order with the venue."
        ) from None

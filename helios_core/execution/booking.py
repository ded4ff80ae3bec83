"""What fills do to a spot book: cash, positions and the states of orders, in exact decimals."""

from dataclasses import replace
from decimal import Decimal

from helios_core.domain.trading import Account, Fill, Order, OrderState, Position, Side
from helios_core.errors import OrderError
from helios_core.execution.states import TERMINAL, OrderEvent, advance


def book_fill(account: Account, fill: Fill) -> Account:
    """Return the book after one fill.

    A buy moves the average price, a sell leaves it; a position that is sold out is gone.

    Raises
    ------
    OrderError
        If the book would owe cash or coins, or the fee was not taken in its own currency.
    """
    if fill.fee and fill.fee_asset != account.quote:
        raise OrderError(
            f"fill {fill.exec_id} took its fee in {fill.fee_asset}; book {account.book} is kept in "
            f"{account.quote}, give the fee at its value there"
        )
    before = next((p for p in account.positions if p.pair == fill.pair), None)
    held = before.quantity if before else Decimal(0)
    after = held + fill.side.sign * fill.quantity
    cash = account.cash - fill.side.sign * fill.price * fill.quantity - fill.fee
    if after < 0 or cash < 0:
        raise OrderError(
            f"fill {fill.exec_id} would leave {after} {fill.pair} and {cash:.2f} {account.quote}; "
            f"a spot book cannot owe either"
        )
    others = [p for p in account.positions if p.pair != fill.pair]
    if after:
        others.append(_position(before, fill, after))
    positions = tuple(sorted(others, key=lambda p: p.pair))
    return replace(account, cash=cash, positions=positions)


def _position(before: Position | None, fill: Fill, after: Decimal) -> Position:
    if before is None:
        return Position(fill.pair, after, fill.price, fill.ts)
    if fill.side is Side.SELL:
        return replace(before, quantity=after)
    spent = before.quantity * before.average_price + fill.quantity * fill.price
    return replace(before, quantity=after, average_price=spent / after)


def filled_quantity(order: Order, fills: tuple[Fill, ...]) -> Decimal:
    """Return how much of the order its fills make up, base currency.

    Raises
    ------
    OrderError
        If they make up more than was ordered.
    """
    own = (f.quantity for f in fills if f.client_order_id == order.client_order_id)
    done = sum(own, Decimal(0))
    if done > order.quantity:
        raise OrderError(
            f"{order.client_order_id} ordered {order.quantity} {order.pair}, its fills make up "
            f"{done}; reconcile the order with the venue"
        )
    return done


def settled(order: Order, fills: tuple[Fill, ...]) -> Order:
    """Return the order in the state that its fills prove; an answer without any is a cancel."""
    if order.state in TERMINAL:
        return order
    event = (
        OrderEvent.FILL if filled_quantity(order, fills) == order.quantity else OrderEvent.CANCEL
    )
    state = order.state
    if state is OrderState.INTENT:
        state = advance(state, OrderEvent.SEND)
    return replace(order, state=advance(state, event))

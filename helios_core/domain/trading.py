"""Orders, fills, positions, accounts: everything here is Decimal."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal


class Mode(StrEnum):
    """Where orders go. Only bootstrap compares it."""

    BACKTEST = "backtest"
    PAPER = "paper"
    LIVE = "live"


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderState(StrEnum):
    """Life of an order; UNKNOWN means that the venue has not been heard."""

    INTENT = "INTENT"
    SENT = "SENT"
    PLACED = "PLACED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    ABANDONED = "ABANDONED"


OrderKind = Literal["LIMIT", "MARKET"]


@dataclass(frozen=True, slots=True)
class Order:
    """An order as planned. Price and quantity obey the pair's rules."""

    client_order_id: str  # pure function of decision and leg, [A-Za-z0-9-], at most 50 characters
    decision_id: str
    leg: int
    pair: str
    side: Side
    kind: OrderKind
    quantity: Decimal  # base
    price: Decimal | None  # quote per base; None for a market order
    reference_price: Decimal  # price the decision was made at
    created_at: datetime
    reason: str = ""
    state: OrderState = OrderState.INTENT


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order."""

    exec_id: str
    client_order_id: str
    pair: str
    side: Side
    ts: datetime
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Literal["maker", "taker"]


@dataclass(frozen=True, slots=True)
class Skip:
    """A trade that was not made, and the constraint that removed it."""

    pair: str
    code: str  # for example NOTIONAL_BELOW_MINIMUM
    reason: str


@dataclass(frozen=True, slots=True)
class Position:
    """Holding of one pair's base currency; average price in quote."""

    pair: str
    quantity: Decimal
    average_price: Decimal
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """Cash and positions of one book, all in one quote currency."""

    book: str
    quote: str
    cash: Decimal
    positions: tuple[Position, ...]
    peak_equity: Decimal  # high-water mark, quote currency

    def quantity(self, pair: str) -> Decimal:
        """Return the base quantity held of `pair`, zero when there is none."""
        return next((p.quantity for p in self.positions if p.pair == pair), Decimal(0))

    def equity(self, prices: dict[str, Decimal]) -> Decimal:
        """Return cash plus positions at `prices` (quote per base)."""
        return self.cash + sum((p.quantity * prices[p.pair] for p in self.positions), Decimal(0))

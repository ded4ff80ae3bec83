"""What the pure core needs from outside, as protocols; their contracts are in the docstrings."""

from datetime import datetime, timedelta
from typing import Protocol

from helios_core.domain.decisions import CycleRecord, Decision, StrategicView
from helios_core.domain.market import CandleFrame, PairRules, Timeframe
from helios_core.domain.trading import Account, Fill, Order


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the current time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations and deadlines."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; a replayed clock moves instead."""
        ...


class Ids(Protocol):
    """The only source of fresh identifiers."""

    def run_id(self, now: datetime) -> str:
        """Return a new id that sorts by time, for example ``20260131T120000-3f2a91c4``."""
        ...

    def nonce(self) -> str:
        """Return 32 unguessable hex digits."""
        ...


class Market(Protocol):
    """Market data as known at a time."""

    def closed_candles(
        self, pair: str, timeframe: Timeframe, as_of: datetime, bars: int
    ) -> CandleFrame:
        """Return at most the last `bars` candles closed at `as_of`, oldest first.

        Empty means that there are none; a database that is away raises ``DependencyError``.
        """
        ...

    def rules(self, pair: str) -> PairRules:
        """Return the venue's rules, or raise ``NotFoundError`` naming pairs that look alike."""
        ...


class Broker(Protocol):
    """Takes orders. A timeout is never reported as a rejection: it raises, the order is UNKNOWN."""

    def execute(self, orders: tuple[Order, ...]) -> tuple[Fill, ...]:
        """Send orders in sequence and return their fills.

        An order whose client id was already executed is not executed again; its fills are returned.
        """
        ...


class Ledger(Protocol):
    """The record of decisions, orders and fills; every write is idempotent."""

    def account(self, book: str, quote: str, opening_cash: float) -> Account:
        """Return cash and positions of `book`, opened with `opening_cash` at first use."""
        ...

    def find_cycle(self, decision_id: str) -> CycleRecord | None:
        """Return the recorded cycle of a decision, or None."""
        ...

    def record_decision(self, decision: Decision, run_id: str, account: Account) -> bool:
        """Commit the decision and its order intents in one transaction; False if already there."""
        ...

    def record_fills(self, decision: Decision, fills: tuple[Fill, ...]) -> None:
        """Commit fills, order states, positions and balances in one transaction."""
        ...

    def close_cycle(self, record: CycleRecord, marks: dict[str, float]) -> None:
        """Commit the portfolio after the cycle, with the prices that it was marked at."""
        ...


class Strategist(Protocol):
    """Tier 4 behind one port. Never raises for a missing key or a failing provider: it abstains."""

    def view(self, as_of: datetime, brief: str, valid_for: timedelta) -> StrategicView:
        """Return a view on the rendered brief."""
        ...

"""A ledger and a market in memory, behind the same ports as the database."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import polars as pl

from helios_core.domain.decisions import CycleRecord, Decision
from helios_core.domain.market import CandleFrame, PairRules, Timeframe
from helios_core.domain.trading import Account, Fill
from helios_core.errors import NotFoundError, StoreError
from helios_core.execution.booking import book_fill, settled
from helios_core.execution.costs import exact


class FrameMarket:
    """Market data from frames of one timeframe; answers only what was known at `as_of`."""

    def __init__(self, candles: Mapping[str, CandleFrame], rules: Mapping[str, PairRules]) -> None:
        self._candles, self._rules = dict(candles), dict(rules)

    def closed_candles(
        self, pair: str, timeframe: Timeframe, as_of: datetime, bars: int
    ) -> CandleFrame:
        """Return at most the last `bars` candles closed at `as_of`, oldest first."""
        frame = self._candles.get(pair)
        if frame is None:
            raise NotFoundError(f"no candles of {pair}; there are {sorted(self._candles)}")
        known = (pl.col("timeframe") == timeframe.value) & (
            pl.col("open_time") + timeframe.duration <= as_of
        )
        return frame.filter(known).tail(bars)

    def rules(self, pair: str) -> PairRules:
        """Return the rules of the pair."""
        if pair not in self._rules:
            raise NotFoundError(f"no rules of {pair}; there are {sorted(self._rules)}")
        return self._rules[pair]


class MemoryLedger:
    """The ledger of a backtest. Every write is idempotent, as in the database."""

    def __init__(self) -> None:
        self._books: dict[str, Account] = {}
        self._cycles: dict[str, CycleRecord] = {}
        self._fills: dict[str, Fill] = {}

    @property
    def cycles(self) -> tuple[CycleRecord, ...]:
        """All recorded cycles, oldest first."""
        return tuple(self._cycles.values())

    def account(self, book: str, quote: str, opening_cash: float) -> Account:
        """Return cash and positions of `book`, opened with `opening_cash` at first use."""
        cash = Decimal(repr(float(opening_cash)))
        kept = self._books.setdefault(book, Account(book, quote, cash, (), cash))
        if kept.quote != quote:
            raise StoreError(f"book {book} is kept in {kept.quote}, asked for in {quote}")
        return kept

    def find_cycle(self, decision_id: str) -> CycleRecord | None:
        """Return the recorded cycle; `equity_after` is NaN until it is closed."""
        return self._cycles.get(decision_id)

    def record_decision(self, decision: Decision, run_id: str, account: Account) -> bool:
        """Record the decision and its intents; False if it is already there."""
        if decision.decision_id in self._cycles:
            return False
        if account.book not in self._books:
            raise StoreError(f"book {account.book} was never opened; ask for its account first")
        unknown = float("nan")
        self._cycles[decision.decision_id] = CycleRecord(
            decision, run_id, (), unknown, unknown, replayed=False
        )
        return True

    def record_fills(self, decision: Decision, fills: tuple[Fill, ...]) -> None:
        """Record fills, order states, cash and positions; a known fill changes nothing."""
        known = self._cycles.get(decision.decision_id)
        if known is None:
            raise StoreError(f"decision {decision.decision_id} must be recorded before its fills")
        fresh = [fill for fill in fills if fill.exec_id not in self._fills]
        account = self._books[decision.book]
        for fill in fresh:
            account = book_fill(account, fill)
        everything = (*known.fills, *fresh)
        orders = tuple(settled(order, everything) for order in known.decision.orders)
        self._books[decision.book] = account  # only when nothing above was refused
        self._fills.update({fill.exec_id: fill for fill in fresh})
        self._cycles[decision.decision_id] = replace(
            known, decision=replace(known.decision, orders=orders), fills=everything
        )

    def close_cycle(self, record: CycleRecord, marks: dict[str, float]) -> None:
        """Record equity before and after, and raise the high-water mark."""
        identity = record.decision.decision_id
        self._cycles[identity] = replace(
            self._cycles[identity],
            equity_before=record.equity_before,
            equity_after=record.equity_after,
        )
        account = self._books[record.decision.book]
        worth = account.equity({pair: exact(price) for pair, price in marks.items()})
        self._books[account.book] = replace(account, peak_equity=max(account.peak_equity, worth))

"""The ledger of decisions, orders, fills and books in the database, behind `ports.Ledger`.

Each method is one transaction, and the writers of a book follow each other. Every write may be
repeated: what is already there stays, so a cycle that was cut off is finished by the next start.
"""

from collections.abc import Mapping
from decimal import Decimal

from psycopg.rows import class_row

from helios_core.domain.decisions import CycleRecord, Decision
from helios_core.domain.trading import Account, Fill, Mode, Position
from helios_core.errors import StoreError
from helios_core.execution.booking import book_fill, filled_quantity, settled
from helios_core.execution.costs import exact
from helios_core.store.database import Connection, Database, query
from helios_core.store.decisions import fill_row, find_cycle, is_recorded, refusals, write_decision
from helios_core.store.records import encode, jsonb

Key = dict[str, str]  # mode, book and exchange, as every statement on a book takes them


class StoredLedger:
    """Implements `ports.Ledger` on the database.

    Parameters
    ----------
    database : Database
        With the right to write.
    mode : Mode
        Whose books these are; a paper and a live book of one name have nothing in common.
    exchange : str
        Name of the venue that orders go to, for example "paper" or "VALR".
    """

    def __init__(self, database: Database, mode: Mode, exchange: str) -> None:
        self._database, self._mode, self._exchange = database, mode, exchange

    def account(self, book: str, quote: str, opening_cash: float) -> Account:
        """Return cash and positions of `book`, opened with `opening_cash` at first use.

        Raises
        ------
        StoreError
            If the book is kept in another currency.
        """
        key = self._key(self._mode, book)
        with self._database.connection() as conn:
            conn.execute(query("book_lock"), key)
            found = _account(conn, key)
            if found is None:
                cash = exact(opening_cash)
                found = Account(book, quote, cash, (), cash)
                conn.execute(query("book_open"), key | {"quote": quote, "cash": cash})
                conn.execute(query("balance_set"), key | {"asset": quote, "amount": cash})
        if found.quote != quote:
            raise StoreError(f"book {book} is kept in {found.quote}, asked for in {quote}")
        return found

    def find_cycle(self, decision_id: str) -> CycleRecord | None:
        """Return the recorded cycle; equity is NaN until it is closed.

        Raises
        ------
        StoreError
            If its record cannot be read.
        """
        with self._database.connection() as conn:
            return find_cycle(conn, decision_id)

    def record_decision(self, decision: Decision, run_id: str, account: Account) -> bool:
        """Commit the decision, every tier's answer and the order intents; False if it is there.

        Raises
        ------
        StoreError
            If the book was never opened or has changed since `account` was read, or the run, the
            model or a pair is not registered.
        """
        key = self._key(decision.mode, decision.book)
        with self._database.connection() as conn, refusals(f"decision {decision.decision_id}"):
            conn.execute(query("book_lock"), key)
            if is_recorded(conn, decision.decision_id):
                return False
            _require_unchanged(account, _account(conn, key))
            write_decision(conn, decision, run_id, account, self._exchange)
        return True

    def record_fills(self, decision: Decision, fills: tuple[Fill, ...]) -> None:
        """Commit fills, order states, positions and balances; a known fill changes nothing.

        Raises
        ------
        StoreError
            If the decision was not recorded, or a fill belongs to none of its orders.
        OrderError
            If the book would owe cash or coins, or an order got more than it asked for. Nothing of
            the call is kept then.
        """
        key = self._key(decision.mode, decision.book)
        with self._database.connection() as conn, refusals(f"fills of {decision.decision_id}"):
            conn.execute(query("book_lock"), key)
            known, account = find_cycle(conn, decision.decision_id), _account(conn, key)
            if known is None or account is None:
                raise StoreError(
                    f"decision {decision.decision_id} must be recorded before its fills"
                )
            _require_own(known.decision, fills)
            fresh = []
            for fill in fills:
                row = key | fill_row(fill) | {"run_id": known.run_id}
                if conn.execute(query("fill_record"), row).rowcount == 1:
                    account = book_fill(account, fill)
                    _write_position(conn, key, account, fill)
                    fresh.append(fill)
            if fresh:
                cash = {"asset": account.quote, "amount": account.cash}
                conn.execute(query("balance_set"), key | cash)
                conn.execute(query("book_touch"), key)
            _write_states(conn, known.decision, (*known.fills, *fresh))

    def close_cycle(self, record: CycleRecord, marks: dict[str, float]) -> None:
        """Commit equity before and after, a snapshot of the book, and its high-water mark.

        Raises
        ------
        StoreError
            If the cycle was not recorded, or a position has no mark.
        """
        decision = record.decision
        key = self._key(decision.mode, decision.book)
        identity = {"decision_id": decision.decision_id}
        outcome = {
            "equity_before": encode(record.equity_before),
            "equity_after": encode(record.equity_after),
        }
        with self._database.connection() as conn, refusals(f"cycle {decision.decision_id}"):
            conn.execute(query("book_lock"), key)
            account = _account(conn, key)
            closing = identity | {"outcome": jsonb(outcome)}
            if account is None or conn.execute(query("cycle_close"), closing).rowcount == 0:
                raise StoreError(f"decision {decision.decision_id} must be recorded to be closed")
            exposure = _worth(account, marks)
            book = {
                "ts": decision.as_of,
                "quote": account.quote,
                "equity": account.cash + exposure,
                "cash": account.cash,
                "exposure": exposure,
                "marks": jsonb(marks),
                "run_id": record.run_id,
            }
            conn.execute(query("snapshot_record"), key | identity | book)
            conn.execute(query("book_peak"), key | book)

    def _key(self, mode: Mode, book: str) -> Key:
        return {"mode": mode.value, "book": book, "exchange": self._exchange}


def _account(conn: Connection, key: Key) -> Account | None:
    """Return the book as it stands, None if it was never opened."""
    row = conn.execute(query("book_get"), key).fetchone()
    if row is None:
        return None
    quote, peak = row
    cash = conn.execute(query("balance_get"), key | {"asset": quote}).fetchone()
    if cash is None:
        raise StoreError(
            f"book {key['book']} has no cash at {key['exchange']}; it was opened for another venue"
        )
    with conn.cursor(row_factory=class_row(Position)) as cursor:
        positions = cursor.execute(query("positions_of_book"), key).fetchall()
    return Account(key["book"], quote, cash[0], tuple(positions), peak)


def _require_unchanged(seen: Account, stored: Account | None) -> None:
    """Raise if the book is not the one that was decided on: another cycle traded meanwhile."""
    if stored is None:
        raise StoreError(f"book {seen.book} was never opened; ask for its account first")
    if (seen.cash, seen.positions) != (stored.cash, stored.positions):
        raise StoreError(
            f"book {seen.book} changed while it was decided on, {seen.cash} {seen.quote} of cash "
            f"then and {stored.cash} now; run the cycle again"
        )


def _require_own(decision: Decision, fills: tuple[Fill, ...]) -> None:
    own = {order.client_order_id for order in decision.orders}
    for fill in fills:
        if fill.client_order_id not in own:
            raise StoreError(
                f"fill {fill.exec_id} belongs to {fill.client_order_id}, which is no order of "
                f"decision {decision.decision_id}"
            )


def _write_position(conn: Connection, key: Key, account: Account, fill: Fill) -> None:
    """Write what `fill` made of its pair's position, and the balance of its base currency."""
    held = account.quantity(fill.pair)
    if held:
        (position,) = (p for p in account.positions if p.pair == fill.pair)
        row = {
            "pair": position.pair,
            "quantity": position.quantity,
            "average_price": position.average_price,
            "opened_at": position.opened_at,
        }
        conn.execute(query("position_set"), key | row)
    else:
        conn.execute(query("position_close"), key | {"pair": fill.pair, "at": fill.ts})
    conn.execute(query("balance_of_pair"), key | {"pair": fill.pair, "amount": held})


def _write_states(conn: Connection, decision: Decision, fills: tuple[Fill, ...]) -> None:
    for order in decision.orders:
        row = {
            "client_order_id": order.client_order_id,
            "state": settled(order, fills).state.value,
            "filled": filled_quantity(order, fills),
        }
        conn.execute(query("order_settle"), row)


def _worth(account: Account, marks: Mapping[str, float]) -> Decimal:
    """Return the value of the positions at `marks`, quote currency."""
    missing = [p.pair for p in account.positions if p.pair not in marks]
    if missing:
        raise StoreError(f"book {account.book} holds {', '.join(missing)}, which has no mark")
    return sum((p.quantity * exact(marks[p.pair]) for p in account.positions), Decimal(0))

"""What only the database can prove of a book: transactions, races, and the rows left behind."""

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from helios_core.domain.decisions import CycleRecord
from helios_core.domain.trading import Account, Mode, OrderState
from helios_core.errors import OrderError, StoreError
from helios_core.store.books import StoredLedger
from helios_core.store.briefs import RecordedStrategist
from helios_core.store.ledger import list_orders
from helios_core.strategy.brief import digest
from helios_core.strategy.view import abstain

pytestmark = pytest.mark.db
RUN = "20250131T120000-aaaa0001"


def rows(conn, statement):
    return conn.execute(statement).fetchall()


def count(conn, table):
    return rows(conn, f"SELECT count(*) FROM {table}")[0][0]


def everything(conn):
    """All rows of the ledger, without the times at which they were touched."""
    tables = ("rebalancing_events", "orders", "trade_executions", "positions", "balances",
              "portfolio_state", "portfolio_snapshots", "aether_risk_decisions",
              "llm_strategic_decisions")  # fmt: skip
    return {t: sorted(rows(conn, f"SELECT to_jsonb(x)::text FROM {t} x")) for t in tables}


def test_a_decision_reads_back_equal_with_its_intents(stored, make):
    made = make.decision(make.order(0, "BUY", "2"), make.order(1, "BUY", "0.12345678"))
    account = stored.account("main", "ZAR", 1_000.0)

    assert stored.record_decision(made, RUN, account) is True
    found = stored.find_cycle("abc")
    assert repr(found.decision) == repr(made)  # repr, because a NaN is not equal to itself
    assert (found.run_id, found.fills, found.replayed) == (RUN, (), False)
    assert found.equity_before != found.equity_before
    assert stored.find_cycle("none") is None


def test_every_tier_leaves_a_row(stored, registered, make):
    account = stored.account("main", "ZAR", 1_000.0)
    stored.record_decision(make.decision(make.order(0, "BUY", "2")), RUN, account)

    assert rows(registered, "SELECT pair, size, binding, vetoed FROM aether_risk_decisions") == [
        ("BTCZAR", 0.25, "kelly", False)
    ]
    assert rows(
        registered, "SELECT regime, risk_multiplier, abstained FROM llm_strategic_decisions"
    ) == [("unknown", 0.5, True)]
    assert rows(
        registered, "SELECT mode, book, verdict, method, forced, run_id FROM rebalancing_events"
    ) == [("paper", "main", "1 order", "mean_variance", True, RUN)]
    assert rows(registered, "SELECT client_order_id, state, exchange FROM orders") == [
        ("h-abc-0", "INTENT", "paper")
    ]


def test_the_row_of_a_decision_keeps_the_book_that_it_was_made_for(stored, registered, make):
    account = stored.account("main", "ZAR", 1_000.0)
    stored.record_decision(make.decision(), RUN, account)

    assert rows(registered, "SELECT record->'account'->>'cash' FROM rebalancing_events") == [
        ("1000.0",)
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"model_id": "net-v9"}, "net-v9"), ({"book": "other"}, "never opened")],
)
def test_a_decision_on_what_is_not_registered_leaves_nothing(
    stored, registered, make, changes, message
):
    account = replace(stored.account("main", "ZAR", 1_000.0), book=changes.get("book", "main"))

    with pytest.raises(StoreError, match=message):
        stored.record_decision(make.decision(**changes), RUN, account)
    assert count(registered, "rebalancing_events") == 0


def test_an_order_in_an_unknown_pair_takes_its_decision_with_it(stored, registered, make):
    account = stored.account("main", "ZAR", 1_000.0)
    made = make.decision(make.order(0, "BUY", "1"), make.order(1, "BUY", "1", pair="NOSUCH"))

    with pytest.raises(StoreError, match=r"NOSUCH.*register"):
        stored.record_decision(made, RUN, account)
    assert (count(registered, "rebalancing_events"), count(registered, "orders")) == (0, 0)


def test_a_book_that_changed_while_it_was_decided_on_is_not_traded(stored, registered, make):
    seen = stored.account("main", "ZAR", 1_000.0)
    one = make.order(0, "BUY", "2")
    first = make.decision(one)
    stored.record_decision(first, RUN, seen)
    stored.record_fills(first, (make.fill(one, "100"),))
    second = make.decision(make.order(0, "BUY", "9", "def"), decision_id="def")

    with pytest.raises(StoreError, match=r"changed.*run the cycle again"):
        stored.record_decision(second, RUN, seen)
    assert count(registered, "orders") == 1


def test_books_of_two_modes_and_two_names_have_nothing_in_common(database, registered, make):
    paper = StoredLedger(database, Mode.PAPER, "paper")
    live = StoredLedger(database, Mode.LIVE, "VALR")
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    paper.record_decision(made, RUN, paper.account("main", "ZAR", 1_000.0))
    paper.record_fills(made, (make.fill(one, "100"),))

    assert live.account("main", "ZAR", 50.0).cash == 50
    assert paper.account("other", "ZAR", 70.0).cash == 70
    assert paper.account("main", "ZAR", 1.0).cash == 800


def test_a_decision_of_another_mode_is_refused(stored, make):
    account = stored.account("main", "ZAR", 1_000.0)

    with pytest.raises(StoreError, match="never opened"):
        stored.record_decision(make.decision(mode=Mode.LIVE), RUN, account)


def test_balances_follow_cash_and_coins_and_positions_are_closed_not_deleted(
    stored, registered, make
):
    """Buy 2 at 100 fee 1, sell 2 at 130 fee 2, buy 1 at 120: cash 1000-201+258-120 = 937."""
    a, b, c = make.order(0, "BUY", "2"), make.order(1, "SELL", "2"), make.order(2, "BUY", "1")
    made = make.decision(a, b, c)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    later = make.at + timedelta(minutes=5)
    fills = (
        make.fill(a, "100", "1"), make.fill(b, "130", "2", at=later), make.fill(c, "120", at=later)
    )  # fmt: skip
    stored.record_fills(made, fills)

    assert rows(registered, "SELECT asset, amount FROM balances ORDER BY asset") == [
        ("BTC", 1),
        ("ZAR", 937),
    ]
    found = rows(
        registered,
        "SELECT quantity, average_price, opened_at, closed_at FROM positions ORDER BY id",
    )
    assert found == [(0, 100, make.at, later), (1, 120, later, None)]


def test_a_fill_that_the_book_cannot_pay_takes_the_whole_call_back(stored, registered, make):
    a, b = make.order(0, "BUY", "2"), make.order(1, "BUY", "9")
    made = make.decision(a, b)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    before = everything(registered)

    with pytest.raises(OrderError, match="cannot owe"):
        stored.record_fills(made, (make.fill(a, "100"), make.fill(b, "100")))
    assert everything(registered) == before


def test_more_filled_than_ordered_is_refused(stored, registered, make):
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    fills = (make.fill(one, "100", part="1.5"), make.fill(one, "100", part="0.6"))

    with pytest.raises(OrderError, match="reconcile"):
        stored.record_fills(made, fills)
    assert count(registered, "trade_executions") == 0


def test_a_fill_of_somebody_elses_order_is_refused(stored, make):
    mine, other = make.order(0, "BUY", "2"), make.order(0, "BUY", "2", "def")
    made = make.decision(mine)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))

    with pytest.raises(StoreError, match="h-def-0"):
        stored.record_fills(made, (make.fill(other, "100"),))


def test_all_writes_twice_leave_the_same_rows(stored, registered, make):
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    account = stored.account("main", "ZAR", 1_000.0)
    record = CycleRecord(made, RUN, (), 1_000.0, 1_020.0, replayed=False)

    def write():
        stored.account("main", "ZAR", 5.0)
        stored.record_decision(made, RUN, account)
        stored.record_fills(made, (make.fill(one, "100", "1"),))
        stored.close_cycle(record, {"BTCZAR": 110.0})
        found = everything(registered)
        return {k: v for k, v in found.items() if k != "portfolio_state"}, stored.account(
            "main", "ZAR", 5.0
        )

    assert write() == write()


def test_a_closed_cycle_leaves_a_snapshot_of_the_book(stored, registered, make):
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    stored.record_fills(made, (make.fill(one, "100", "1"),))
    stored.close_cycle(CycleRecord(made, RUN, (), 1_000.0, 1_019.0, False), {"BTCZAR": 110.0})
    found = rows(registered, "SELECT ts, equity, cash, exposure, marks FROM portfolio_snapshots")

    assert found == [(make.at, 1_019, 799, 220, {"BTCZAR": 110.0})]
    cycle = stored.find_cycle("abc")
    assert (cycle.equity_before, cycle.equity_after) == (1_000.0, 1_019.0)


def test_a_position_without_a_mark_cannot_be_closed_over(stored, make):
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    stored.record_fills(made, (make.fill(one, "100"),))
    record = CycleRecord(made, RUN, (), 1_000.0, 1_000.0, False)

    with pytest.raises(StoreError, match=r"BTCZAR.*no mark"):
        stored.close_cycle(record, {})
    with pytest.raises(StoreError, match="must be recorded"):
        stored.close_cycle(replace(record, decision=make.decision(decision_id="x")), {})


def test_of_two_processes_on_one_decision_exactly_one_wins(database, registered, make):
    made = make.decision(make.order(0, "BUY", "2"))
    account = StoredLedger(database, Mode.PAPER, "paper").account("main", "ZAR", 1_000.0)
    start, won = threading.Barrier(6), []

    def race():
        own = StoredLedger(database, Mode.PAPER, "paper")
        start.wait()
        won.append(own.record_decision(made, RUN, account))

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [False] * 5 + [True]
    assert (count(registered, "rebalancing_events"), count(registered, "orders")) == (1, 1)


def test_fills_that_two_processes_bring_at_once_are_booked_once(database, registered, make):
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    ledger = StoredLedger(database, Mode.PAPER, "paper")
    ledger.record_decision(made, RUN, ledger.account("main", "ZAR", 1_000.0))
    start = threading.Barrier(4)

    def race():
        start.wait()
        StoredLedger(database, Mode.PAPER, "paper").record_fills(made, (make.fill(one, "100"),))

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ledger.account("main", "ZAR", 1.0).cash == 800
    assert count(registered, "trade_executions") == 1


def test_orders_are_listed_with_what_was_filled_of_them(stored, registered, make):
    """Half at 100, half at 110: 105 on average, fees 1 and 2."""
    one, none = make.order(0, "BUY", "2"), make.order(1, "BUY", "1")
    made = make.decision(one, none)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    halves = (make.fill(one, "100", "1", part="1"), make.fill(one, "110", "2", part="1.0"))
    stored.record_fills(made, halves)
    second, first = list_orders(registered, 5)

    assert (first.client_order_id, first.state, first.filled) == ("h-abc-0", "FILLED", 2)
    assert (first.average_price, first.fee) == (Decimal(105), 3)
    assert (second.state, second.filled, second.average_price) == ("CANCELLED", 0, None)
    assert len(list_orders(registered, 1)) == 1


def test_an_order_that_the_venue_was_never_heard_of_can_still_be_settled(stored, registered, make):
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    registered.execute("UPDATE orders SET state = 'UNKNOWN'")
    (found,) = stored.find_cycle("abc").decision.orders
    stored.record_fills(made, (make.fill(one, "100"),))

    assert found.state is OrderState.UNKNOWN
    assert stored.find_cycle("abc").decision.orders[0].state is OrderState.FILLED


def test_a_row_that_was_edited_by_hand_is_refused_with_a_sentence(stored, registered, make):
    stored.record_decision(make.decision(), RUN, stored.account("main", "ZAR", 1_000.0))
    registered.execute("UPDATE rebalancing_events SET record = record #- '{decision,risks}'")

    with pytest.raises(StoreError, match="not a Decision"):
        stored.find_cycle("abc")
    registered.execute("UPDATE rebalancing_events SET record = '{}'")
    with pytest.raises(StoreError, match="holds no decision"):
        stored.find_cycle("abc")


def test_a_book_opened_at_another_venue_is_refused(database, registered):
    StoredLedger(database, Mode.PAPER, "paper").account("main", "ZAR", 1_000.0)

    with pytest.raises(StoreError, match="another venue"):
        StoredLedger(database, Mode.PAPER, "VALR").account("main", "ZAR", 1_000.0)


def test_the_brief_is_kept_once_and_the_view_points_to_it(database, registered, stored, make):
    class Silent:
        def view(self, as_of, brief, valid_for):
            return abstain(as_of, "no key", valid_for, prompt_hash=digest(brief))

    strategist = RecordedStrategist(Silent(), database, RUN)
    view = strategist.view(make.at, "pair BTCZAR\n", timedelta(hours=1))
    strategist.view(make.at, "pair BTCZAR\n", timedelta(hours=1))
    account = stored.account("main", "ZAR", 1_000.0)
    stored.record_decision(make.decision(view=view), RUN, account)

    assert rows(registered, "SELECT brief, run_id FROM market_context_snapshots") == [
        ("pair BTCZAR\n", RUN)
    ]
    assert rows(registered, "SELECT context_sha256 FROM llm_strategic_decisions") == [
        (digest("pair BTCZAR\n"),)
    ]


def test_an_account_is_what_it_was_opened_with(stored):
    opened = stored.account("main", "ZAR", 0.1)

    assert opened == Account("main", "ZAR", Decimal("0.1"), (), Decimal("0.1"))
    assert stored.account("main", "ZAR", 99.0) == opened

"""A cycle on the database ledger that is cut off anywhere is finished by the next start."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from helios_core.backtest.memory import MemoryLedger
from helios_core.domain.trading import Mode, OrderState
from helios_core.errors import DependencyError
from helios_core.store.books import StoredLedger
from helios_core.store.registry import register_model

pytestmark = pytest.mark.db
WRITES = ("record_decision", "execute", "record_fills", "close_cycle")
SCRIPT = Path(__file__).with_name("cycle_desk.py")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def ledger(database, registered, card, cycle_desk):
    register_model(registered, replace(card, model_id="keen-1", name="keen", version="1"))
    for rules in cycle_desk.RULES.values():
        registered.execute(
            "INSERT INTO pair_rules (pair, base, quote, tick_size, base_decimals, min_quantity,"
            " min_notional, tradable, simulated) VALUES (%s, %s, %s, %s, %s, %s, %s, true, true)"
            " ON CONFLICT DO NOTHING",
            (rules.pair, rules.base, rules.quote, rules.tick_size, rules.base_decimals,
             rules.min_quantity, rules.min_notional),
        )  # fmt: skip
    return StoredLedger(database, Mode.PAPER, "paper")


@pytest.fixture(scope="module")
def undisturbed(cycle_desk):
    """The same cycle in memory, where nothing is cut off."""
    desk = cycle_desk.desk_on(MemoryLedger())
    return cycle_desk.run_cycle(desk, cycle_desk.PAIRS, cycle_desk.END), account(desk)


def account(desk):
    return desk.ledger.account("main", "ZAR", desk.policy.opening_cash)


def finish(cycle_desk, ledger):
    desk = cycle_desk.desk_on(ledger)
    return cycle_desk.run_cycle(desk, cycle_desk.PAIRS, cycle_desk.END), account(desk)


def count(conn, table):
    return conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_cycle_on_the_database_is_the_cycle_in_memory(ledger, cycle_desk, undisturbed):
    record, book = finish(cycle_desk, ledger)
    wanted, wanted_book = undisturbed

    assert len(wanted.fills) > 0
    assert record == wanted
    assert book == wanted_book
    stored = ledger.find_cycle(record.decision.decision_id)
    assert stored.decision.risks == wanted.decision.risks
    assert {order.state for order in stored.decision.orders} == {OrderState.FILLED}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", WRITES)
def test_a_cycle_cut_off_anywhere_is_finished_by_the_next_start(
    ledger, registered, cycle_desk, undisturbed, call, after
):
    def away():
        raise DependencyError("the process died here")

    desk = cycle_desk.cut(cycle_desk.desk_on(ledger), call, away, after=after)
    with pytest.raises(DependencyError):
        cycle_desk.run_cycle(desk, cycle_desk.PAIRS, cycle_desk.END)
    record, book = finish(cycle_desk, ledger)
    wanted, wanted_book = undisturbed

    assert record.fills == wanted.fills
    assert record.equity_after == wanted.equity_after
    assert book == wanted_book
    assert count(registered, "orders") == len(wanted.decision.orders)
    assert count(registered, "trade_executions") == len(wanted.fills)
    assert count(registered, "portfolio_snapshots") == 1
    assert finish(cycle_desk, ledger)[0].replayed is True


@pytest.mark.slow
@pytest.mark.parametrize("call", ["execute", "record_fills"])
def test_a_killed_process_leaves_its_intents_and_the_next_run_finishes_them(
    ledger, registered, dsn, cycle_desk, undisturbed, call
):
    account(cycle_desk.desk_on(ledger))
    killed = subprocess.run(
        [sys.executable, str(SCRIPT), dsn, call], cwd=ROOT, timeout=240, check=False
    )
    left = registered.execute("SELECT state FROM orders").fetchall()
    record, book = finish(cycle_desk, ledger)
    wanted, wanted_book = undisturbed

    assert killed.returncode == -signal.SIGKILL
    assert left == [("INTENT",)] * len(wanted.decision.orders)
    assert (record.fills, book) == (wanted.fills, wanted_book)
    assert record.replayed is True
    assert count(registered, "trade_executions") == len(wanted.fills)

"""What the daily report counts, against rows worked by hand."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from helios_core.domain.decisions import CycleRecord
from helios_core.domain.trading import Mode, Skip
from helios_core.store.ledger import fail_run, open_run
from helios_core.store.reports import EQUITY_SCHEMA, day_summary, equity_curve, list_decisions

pytestmark = pytest.mark.db
RUN = "20250131T120000-aaaa0001"
DAY = timedelta(days=1)


@pytest.fixture
def days(stored, registered, make):
    """Two cycles at noon and 13:00, one of them cut off, and one cycle on the next day."""
    for n, hours in enumerate((0, 1, 24)):
        one = make.order(0, "BUY", "1", f"d{n}")
        made = make.decision(one, decision_id=f"d{n}", as_of=make.at + timedelta(hours=hours))
        if n == 1:
            made = replace(made, skips=(Skip("ETHZAR", "INSIDE_BAND", "close enough"),))
        stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
        if n == 1:
            continue  # cut off after its intents
        stored.record_fills(made, (make.fill(one, "100", "1"),))
        record = CycleRecord(made, RUN, (), 1_000.0, 999.0 - n, False)
        stored.close_cycle(record, {"BTCZAR": 100.0 + n})
    return registered


@pytest.fixture
def day(make):
    start = make.at.replace(hour=0)
    return start, start + DAY


def test_a_day_is_counted_from_its_own_rows(days, run, day):
    for name, at in (("bad", day[0]), ("late", day[1])):
        open_run(days, replace(run, run_id=name, started_at=at), "nonce")
        fail_run(days, name, "killed")
    found = day_summary(days, Mode.PAPER, "main", *day)

    assert (found.cycles, found.decisions, found.orders, found.fills) == (1, 2, 2, 1)
    assert found.failed_runs == 1
    assert (found.newest, found.verdict) == ("d1", "1 order")
    assert found.skips == (Skip("ETHZAR", "INSIDE_BAND", "close enough"),)


def test_the_equity_curve_is_worked_by_hand(days, day):
    """1000-101 = 899 and one coin at 100; then 798 and two coins at 102."""
    curve = equity_curve(days, Mode.PAPER, "main")

    assert curve.schema == pl.Schema(EQUITY_SCHEMA)
    assert curve["equity"].to_list() == [999.0, 1002.0]
    assert curve["cash"].to_list() == [899.0, 798.0]
    assert curve["exposure"].to_list() == [100.0, 204.0]
    assert day_summary(days, Mode.PAPER, "main", *day).equity.equals(curve.head(1))


def test_a_day_without_anything_is_empty_and_not_an_error(registered, day):
    found = day_summary(registered, Mode.PAPER, "main", *day)

    assert (found.cycles, found.decisions, found.orders, found.fills) == (0, 0, 0, 0)
    assert (found.newest, found.verdict, found.skips) == (None, None, ())
    assert found.equity.is_empty()


def test_another_book_or_mode_counts_nothing_of_it(days, day):
    for mode, book in ((Mode.LIVE, "main"), (Mode.PAPER, "other")):
        assert day_summary(days, mode, book, *day).decisions == 0
        assert equity_curve(days, mode, book).is_empty()


def test_decisions_are_listed_newest_bar_first(days):
    found = list_decisions(days, 2)

    assert [(row.decision_id, row.orders, row.fills) for row in found] == [
        ("d2", 1, 1),
        ("d1", 1, 0),
    ]
    assert [row.equity_after for row in found] == [997.0, None]

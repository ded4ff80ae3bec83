"""The desk of a notebook, on generated candles in memory; no database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from helios_core.backtest.fills import PaperBroker, last_close
from helios_core.backtest.memory import FrameMarket, MemoryLedger
from helios_core.backtest.replay import ReplayClock, Silent
from helios_core.cycle import Desk, run_cycle
from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import Timeframe
from helios_core.domain.trading import Mode, OrderState
from helios_core.errors import DataError, StaleDataError, UsageError
from helios_core.forecast import Policy
from helios_core.simulator.generator import generate_market, simulated_rules
from helios_core.workbench.desk import (
    deciding_time,
    is_simulated,
    outlook,
    parse_time,
    recent_candles,
)

PRICES = {"SIMBTCZAR": 1_200_000.0, "SIMETHZAR": 40_000.0}
PAIRS = tuple(PRICES)
MINUTES = 3_000
T0 = datetime(2025, 1, 1, tzinfo=UTC)
END = T0 + timedelta(minutes=MINUTES)
POLICY = Policy(quote="ZAR", horizon=60, history=MINUTES, window=600)
RULES = {pair: simulated_rules(pair, "ZAR", price) for pair, price in PRICES.items()}


def keen(features, candles):
    """A model that is sure of a rise in every pair, far above the costs."""
    n = len(features)
    return SignalFrame(
        pair=features.pair,
        as_of=features.open_time + np.timedelta64(1, "m"),
        p_sell=np.full(n, 0.09),
        p_hold=np.full(n, 0.10),
        p_buy=np.full(n, 0.81),
        p_hit=np.full(n, 0.90),
        p_up=np.full(n, 0.90),
        barrier_up=np.full(n, 0.05),
        barrier_down=np.full(n, 0.03),
        horizon=60,
        model_id="keen-1",
    )


@pytest.fixture(scope="module")
def candles():
    return generate_market(PRICES, T0, MINUTES, 11)


def desk_on(candles, *, scorer=None, at=END, rules=RULES):
    market = FrameMarket(candles, rules)
    prices = last_close(market, Timeframe.M1, POLICY.max_age)
    return Desk(
        clock=ReplayClock(at),
        market=market,
        ledger=MemoryLedger(),
        broker=PaperBroker(prices, market.rules, POLICY.execution),
        strategist=Silent(),
        scorer=scorer,
        policy=POLICY,
        mode=Mode.PAPER,
        book="main",
        run_id="r1",
        model_id="keen-1" if scorer else None,
    )


def as_planned(decision):
    """A decision with its orders as they were before the broker saw them, as text.

    Text, because a cap that could not be computed is NaN, which equals nothing.
    """
    orders = tuple(replace(order, state=OrderState.INTENT) for order in decision.orders)
    return repr(replace(decision, orders=orders))


@pytest.mark.parametrize("scorer", [None, keen])
def test_the_outlook_is_what_the_cycle_then_decides(candles, scorer):
    desk = desk_on(candles, scorer=scorer)
    seen = outlook(desk, PAIRS, END)
    record = run_cycle(desk, PAIRS, END)

    assert as_planned(seen.decision) == as_planned(record.decision)
    assert bool(record.fills) is (scorer is not None)


def test_the_outlook_records_nothing_and_sends_nothing(candles):
    desk = desk_on(candles, scorer=keen)
    seen = outlook(desk, PAIRS, END)
    account = desk.ledger.account("main", "ZAR", POLICY.opening_cash)

    assert seen.decision.orders
    assert desk.ledger.cycles == ()
    assert (account.positions, float(account.cash)) == ((), POLICY.opening_cash)


def test_the_outlook_of_a_time_knows_nothing_that_came_later(candles):
    at = END - timedelta(minutes=100)
    known = {pair: frame.filter(pl.col("open_time") < at) for pair, frame in candles.items()}
    later, then = desk_on(candles, scorer=keen), desk_on(known, scorer=keen)

    assert repr(outlook(later, PAIRS, at).decision) == repr(outlook(then, PAIRS, at).decision)


def test_everything_of_the_outlook_is_found_by_pair(candles):
    seen = outlook(desk_on(candles, scorer=keen), PAIRS, END)

    assert set(seen.candles) == set(seen.features) == set(seen.known) == set(seen.risks)
    assert set(seen.candles) == set(PAIRS)
    assert all(seen.risks[pair].pair == pair for pair in PAIRS)
    assert all(pair in seen.brief for pair in PAIRS)


def test_without_a_model_no_feature_is_computed(candles):
    assert outlook(desk_on(candles), PAIRS, END).features == {}


def test_a_pair_that_is_too_old_is_not_looked_at(candles):
    late = END + POLICY.max_age + timedelta(minutes=1)

    with pytest.raises(StaleDataError, match="SIMBTCZAR: the newest candle closed"):
        outlook(desk_on(candles, at=late), PAIRS, late)


def test_the_time_that_is_asked_for_is_taken(candles):
    found = deciding_time(desk_on(candles), PAIRS, "2025-01-02T02:00:00+02:00")

    assert found == datetime(2025, 1, 2, tzinfo=UTC)
    assert found.tzinfo is UTC


def test_else_it_is_the_newest_close_that_all_pairs_have(candles):
    short = {**candles, PAIRS[1]: candles[PAIRS[1]].head(-7)}
    newest = short[PAIRS[1]]["open_time"][-1] + timedelta(minutes=1)

    assert newest < END
    assert deciding_time(desk_on(short), PAIRS) == newest
    assert deciding_time(desk_on(short), PAIRS[:1]) == END


def test_a_bar_that_is_still_open_does_not_decide(candles):
    desk = desk_on(candles, at=END - timedelta(seconds=1))
    last_closed = candles[PAIRS[0]]["open_time"][-2]

    assert deciding_time(desk, PAIRS[:1]) == last_closed + timedelta(minutes=1)


def test_a_pair_without_candles_says_where_to_get_them(candles):
    empty = {**candles, PAIRS[1]: candles[PAIRS[1]].head(0)}

    with pytest.raises(DataError, match=r"SIMETHZAR has no 1m candle yet.*11_ingest"):
        deciding_time(desk_on(empty), PAIRS)


def test_a_figure_gets_the_last_closed_bars(candles):
    at = END - timedelta(minutes=10)
    found = recent_candles(desk_on(candles), PAIRS, at, bars=50)
    closed = candles[PAIRS[0]].filter(pl.col("open_time") + timedelta(minutes=1) <= at)

    assert set(found) == set(PAIRS)
    assert found[PAIRS[0]].equals(closed.tail(50))


def test_one_generated_pair_marks_the_whole_page(candles):
    real = {PAIRS[0]: replace(RULES[PAIRS[0]], simulated=False)}
    desk = desk_on(candles, rules={**RULES, **real})

    assert is_simulated(desk, PAIRS)
    assert not is_simulated(desk, PAIRS[:1])


@pytest.mark.parametrize(
    "text",
    ["2025-01-31T12:00:00+00:00", "2025-01-31T12:00Z", "2025-01-31 14:00:00+02:00",
     "20250131T120000Z"],
)  # fmt: skip
def test_a_time_with_its_zone_is_read_as_utc(text):
    found = parse_time(text)

    assert found == datetime(2025, 1, 31, 12, tzinfo=UTC)
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    ["2025-01-31T12:00:00", "2025-01-31", "", "yesterday", "2025-13-01T00:00Z", "1738324800"],
)
def test_a_time_without_a_zone_and_what_is_no_time_are_refused(text):
    with pytest.raises(UsageError, match=r"a time is written with its zone.*found "):
        parse_time(text)

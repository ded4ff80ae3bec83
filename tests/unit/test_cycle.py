"""The shell around the decision: what is written when, and what a crash leaves behind."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from helios_core.backtest.fills import PaperBroker, last_close
from helios_core.backtest.memory import FrameMarket, MemoryLedger
from helios_core.backtest.replay import ReplayClock, Silent
from helios_core.cycle import Desk, run_cycle
from helios_core.decide import NO_MODEL
from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import Timeframe
from helios_core.domain.trading import Mode, OrderState, Side
from helios_core.errors import (
    DataError,
    DependencyError,
    NotFoundError,
    StaleDataError,
    StoreError,
    UsageError,
)
from helios_core.forecast import Policy
from helios_core.simulator.generator import generate_market, simulated_rules

PAIRS = ("SIMBTCZAR", "SIMETHZAR")
PRICES = {"SIMBTCZAR": 1_200_000.0, "SIMETHZAR": 40_000.0}
T0 = datetime(2025, 1, 1, tzinfo=UTC)
MINUTES = 3_000
END = T0 + timedelta(minutes=MINUTES)
POLICY = Policy(quote="ZAR", horizon=60, history=MINUTES, window=600)


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


def market_of(candles):
    rules = {pair: simulated_rules(pair, "ZAR", price) for pair, price in PRICES.items()}
    return FrameMarket(candles, rules)


@pytest.fixture
def desk(candles):
    market = market_of(candles)
    prices = last_close(market, Timeframe.M1, POLICY.max_age)
    return Desk(
        clock=ReplayClock(END),
        market=market,
        ledger=MemoryLedger(),
        broker=PaperBroker(prices, market.rules, POLICY.execution),
        strategist=Silent(),
        scorer=keen,
        policy=POLICY,
        mode=Mode.PAPER,
        book="main",
        run_id="run-1",
        model_id="keen-1",
    )


class Journal:
    """Wraps ledger and broker and writes down the order of their calls."""

    def __init__(self, inner, calls, fail_at=None):
        self.inner, self.calls, self.fail_at = inner, calls, fail_at

    def __getattr__(self, name):
        method = getattr(self.inner, name)

        def call(*args):
            self.calls.append(name)
            if name == self.fail_at:
                raise DependencyError("the process died here")
            return method(*args)

        return call


def journaled(desk, fail_at=None):
    calls = []
    wrapped = replace(
        desk,
        ledger=Journal(desk.ledger, calls, fail_at),
        broker=Journal(desk.broker, calls, fail_at),
    )
    return wrapped, calls


def account(desk):
    return desk.ledger.account("main", "ZAR", POLICY.opening_cash)


def test_a_cycle_buys_what_it_was_sure_of_and_the_book_adds_up(desk):
    record = run_cycle(desk, PAIRS, END)
    orders, book = record.decision.orders, account(desk)
    spent = sum(fill.price * fill.quantity + fill.fee for fill in record.fills)

    assert [order.side for order in orders] == [Side.BUY] * len(orders)
    assert {order.pair for order in orders} <= set(PAIRS)
    assert {order.state for order in orders} == {OrderState.FILLED}
    assert book.cash == Decimal(100_000) - spent
    assert {p.pair: p.quantity for p in book.positions} == {o.pair: o.quantity for o in orders}
    assert record.equity_before == 100_000
    assert record.equity_after < 100_000  # the costs
    assert record.replayed is False


def test_ids_are_functions_of_the_decision_and_the_leg(desk):
    decision = run_cycle(desk, PAIRS, END).decision

    assert len(decision.decision_id) == 16
    for leg, order in enumerate(decision.orders):
        assert order.client_order_id == f"h-{decision.decision_id}-{leg}"
        assert len(order.client_order_id) <= 50


def test_intents_are_committed_before_anything_is_sent(desk):
    wrapped, calls = journaled(desk)
    run_cycle(wrapped, PAIRS, END)
    writes = [call for call in calls if call not in {"account", "find_cycle"}]

    assert writes == ["record_decision", "execute", "record_fills", "close_cycle"]


def test_the_same_bar_again_returns_the_record_and_sends_nothing(desk):
    first = run_cycle(desk, PAIRS, END)
    before = account(desk)
    wrapped, calls = journaled(replace(desk, run_id="run-2"))
    again = run_cycle(wrapped, PAIRS, END)

    assert again.replayed is True
    assert (again.decision.decision_id, again.run_id) == (first.decision.decision_id, "run-1")
    assert again.fills == first.fills
    assert calls == ["find_cycle"]
    assert account(desk) == before


@pytest.mark.parametrize("fail_at", ["record_decision", "execute", "record_fills", "close_cycle"])
def test_a_cycle_cut_off_anywhere_is_finished_by_the_next_start(desk, candles, fail_at):
    undisturbed = replace(desk, ledger=MemoryLedger())
    wanted = run_cycle(undisturbed, PAIRS, END)
    wrapped, _ = journaled(desk, fail_at)
    with pytest.raises(DependencyError):
        run_cycle(wrapped, PAIRS, END)
    market = market_of(candles)
    prices = last_close(market, Timeframe.M1, POLICY.max_age)
    restarted = replace(desk, broker=PaperBroker(prices, market.rules, POLICY.execution))
    record = run_cycle(restarted, PAIRS, END)

    assert record.fills == wanted.fills
    assert record.equity_before == wanted.equity_before
    assert record.equity_after == wanted.equity_after
    assert account(restarted) == account(undisturbed)
    assert run_cycle(restarted, PAIRS, END).replayed is True


def test_another_process_that_was_first_wins_and_nothing_is_sent(desk):
    first = run_cycle(desk, PAIRS, END)

    class LateView(MemoryLedger):
        """Sees the cycle of the other process only when it tries to record its own."""

        def __init__(self, inner):
            self.inner, self.tried = inner, False

        def find_cycle(self, decision_id):
            return self.inner.find_cycle(decision_id) if self.tried else None

        def record_decision(self, decision, run_id, account):
            self.tried = True
            return self.inner.record_decision(decision, run_id, account)

        def account(self, book, quote, opening_cash):
            return MemoryLedger().account(book, quote, opening_cash)

    calls = []
    late = replace(desk, ledger=LateView(desk.ledger), broker=Journal(desk.broker, calls))
    record = run_cycle(late, PAIRS, END)

    assert (record.replayed, record.fills, calls) == (True, first.fills, [])


def test_without_a_model_the_desk_is_flat_and_says_why_for_every_pair(desk):
    record = run_cycle(replace(desk, scorer=None, model_id=None), PAIRS, END)
    decision = record.decision

    assert decision.verdict == "no promoted model: flat"
    assert (decision.orders, record.fills) == ((), ())
    assert decision.target.method == "flat"
    assert [(skip.pair, skip.code) for skip in decision.skips] == [(p, NO_MODEL) for p in PAIRS]
    assert all(signal.abstained for signal in decision.signals)
    assert record.equity_after == record.equity_before == 100_000


def test_without_a_model_a_position_is_left_alone(desk):
    run_cycle(desk, PAIRS, END - timedelta(minutes=60))
    held = account(desk)
    record = run_cycle(replace(desk, scorer=None, model_id=None), PAIRS, END)

    assert held.positions
    assert (record.decision.target.method, record.fills) == ("kept", ())
    assert account(desk).positions == held.positions


def test_a_pair_held_but_not_decided_on_is_valued_and_left_alone(desk):
    run_cycle(desk, PAIRS, END - timedelta(minutes=60))
    held = account(desk).quantity("SIMETHZAR")
    record = run_cycle(desk, ("SIMBTCZAR",), END)

    assert held > 0
    assert account(desk).quantity("SIMETHZAR") == held
    assert 95_000 < record.equity_before < 105_000


def test_a_model_that_turns_around_sells(desk):
    def gloomy(features, candles):
        kind = keen(features, candles)
        return replace(
            kind, p_buy=kind.p_sell, p_sell=kind.p_buy, p_up=1 - kind.p_up, model_id="gloomy-1"
        )

    run_cycle(desk, PAIRS, END - timedelta(minutes=60))
    record = run_cycle(replace(desk, scorer=gloomy, model_id="gloomy-1"), PAIRS, END)

    assert {order.side for order in record.decision.orders} == {Side.SELL}
    assert account(desk).positions == ()
    stored = desk.ledger.find_cycle(record.decision.decision_id)
    assert {order.state for order in stored.decision.orders} == {OrderState.FILLED}


def test_a_signal_that_is_not_a_number_keeps_the_position_and_buys_nothing(desk):
    def blind(features, candles):
        kind = keen(features, candles)
        return replace(kind, p_up=np.full(len(features), np.nan), model_id="blind-1")

    run_cycle(desk, PAIRS, END - timedelta(minutes=60))
    held = account(desk).positions
    record = run_cycle(replace(desk, scorer=blind, model_id="blind-1"), PAIRS, END)

    assert record.decision.orders == ()
    assert account(desk).positions == held
    assert [skip.code for skip in record.decision.skips] == ["NO_SIGNAL", "NO_SIGNAL"]


def test_the_strategist_can_halt_entries_and_lower_but_not_raise(desk):
    def views(**changes):
        class Strategist(Silent):
            def view(self, as_of, brief, valid_for):
                view = super().view(as_of, brief, valid_for)
                return replace(view, abstained=False, **changes)

        fresh = replace(desk, strategist=Strategist(), ledger=MemoryLedger())
        return run_cycle(fresh, PAIRS, END).decision.target.gross

    neutral = views(risk_multiplier=1.0)

    assert views(risk_multiplier=0.5) < neutral
    assert views(risk_multiplier=0.0) == 0.0
    assert views(halt_new_entries=True) == 0.0


def test_old_data_stops_the_cycle_before_anything_is_written(desk, candles):
    old = {pair: frame.head(frame.height - 30) for pair, frame in candles.items()}
    wrapped, calls = journaled(replace(desk, market=market_of(old)))

    with pytest.raises(StaleDataError, match="SIMBTCZAR"):
        run_cycle(wrapped, PAIRS, END)
    assert calls == ["find_cycle"]


def test_no_data_at_all_is_an_error_that_says_what_to_do(desk):
    later = generate_market(PRICES, END, 10, 1)

    with pytest.raises(DataError, match="helios data import"):
        run_cycle(replace(desk, market=market_of(later)), PAIRS, END)


def test_an_instant_is_one_decision_in_whatever_zone_it_is_given(desk):
    first = run_cycle(desk, PAIRS, END)
    again = run_cycle(desk, PAIRS, END.astimezone(timezone(timedelta(hours=2))))

    assert again.replayed
    assert again.decision == first.decision


def test_a_ledger_that_contradicts_itself_sends_nothing(desk):
    class Confused(MemoryLedger):
        def record_decision(self, decision, run_id, account):
            return False

    calls = []
    confused = replace(desk, ledger=Confused(), broker=Journal(desk.broker, calls))

    with pytest.raises(StoreError, match="cannot be found"):
        run_cycle(confused, PAIRS, END)
    assert calls == []


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        ({}, "keen-1 promoted"),
        ({"forced": True}, "keen-1 not promoted, used on request"),
        ({"scorer": None, "model_id": None}, "no promoted model"),
    ],
)
def test_the_strategist_is_told_the_risk_of_a_day_the_exposure_and_the_model(desk, changes, health):
    """Sigma of a day is recomputed here from the record: that of an hour times root 24."""
    briefs = []

    class Reader(Silent):
        def view(self, as_of, brief, valid_for):
            briefs.append(brief)
            return super().view(as_of, brief, valid_for)

    run_cycle(desk, PAIRS, END - timedelta(minutes=60))
    record = run_cycle(replace(desk, strategist=Reader(), **changes), PAIRS, END)
    lines = briefs[0].splitlines()
    pairs = [
        f"pair {risk.pair} sigma_day {100 * risk.sigma_horizon * math.sqrt(24):.4f}% "
        f"exposure {100 * weight:.4f}%"
        for risk, weight in zip(record.decision.risks, record.decision.target.current, strict=True)
    ]

    assert lines[0] == f"as_of {END:%Y-%m-%dT%H:%M:%SZ}"
    assert lines[3] == f"model {health}"
    assert lines[4:] == pairs


def test_the_future_is_never_read(desk, candles):
    as_of = END - timedelta(minutes=500)
    shocked = {
        pair: frame.with_columns(
            pl.when(pl.col("open_time") >= as_of).then(pl.col(c) * 7).otherwise(pl.col(c)).alias(c)
            for c in ("open", "high", "low", "close", "volume")
        )
        for pair, frame in candles.items()
    }
    plain = run_cycle(desk, PAIRS, as_of)
    other = replace(desk, market=market_of(shocked), ledger=MemoryLedger())

    assert run_cycle(other, PAIRS, as_of).decision == plain.decision


@pytest.mark.parametrize(
    ("pairs", "as_of", "message"),
    [
        ((), END, "distinct pairs"),
        (("SIMBTCZAR", "SIMBTCZAR"), END, "distinct pairs"),
        (PAIRS, END.replace(tzinfo=None), "aware"),
        (PAIRS, END + timedelta(minutes=1), "future"),
        (PAIRS, END - timedelta(seconds=30), r"close of a 1m bar.* 01:59:00"),
    ],
)
def test_a_wrong_call_is_refused(desk, pairs, as_of, message):
    with pytest.raises(UsageError, match=message):
        run_cycle(desk, pairs, as_of)


def test_a_pair_in_another_currency_needs_a_book_of_its_own(desk):
    with pytest.raises(UsageError, match="quoted in ZAR"):
        run_cycle(replace(desk, policy=replace(POLICY, quote="USDT")), PAIRS, END)


def test_a_pair_that_nobody_knows_is_not_found(desk):
    with pytest.raises(NotFoundError, match="NOSUCH"):
        run_cycle(desk, ("NOSUCH",), END)

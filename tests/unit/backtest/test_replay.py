"""Rule 2: one decision code. A backtest and a desk driven bar by bar decide the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from helios_core.backtest.fills import PaperBroker, last_close, next_open
from helios_core.backtest.memory import FrameMarket, MemoryLedger
from helios_core.backtest.replay import (
    History,
    ReplayClock,
    Silent,
    decision_times,
    run_backtest,
)
from helios_core.cycle import Desk, run_cycle
from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import Timeframe
from helios_core.domain.trading import Mode, Side
from helios_core.errors import DataError, UsageError
from helios_core.forecast import Policy, closes_of, forecast
from helios_core.market.compute import compute_features
from helios_core.simulator.generator import generate_market, simulated_rules

PRICES = {"SIMBTCZAR": 1_200_000.0, "SIMETHZAR": 40_000.0}
PAIRS = tuple(PRICES)
T0 = datetime(2025, 1, 1, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))
DAY = 1_440
MINUTES = 2 * DAY
POLICY = Policy(quote="ZAR", horizon=60, history=MINUTES, window=DAY)
RULES = {pair: simulated_rules(pair, "ZAR", price) for pair, price in PRICES.items()}


def fickle(features, candles):
    """A model whose opinion hangs on features and candles, so that any difference shows."""
    close = candles["close"].to_numpy()
    trend = close / np.array([close[max(0, i - 240)] for i in range(len(close))]) - 1
    tint = np.nan_to_num(features.values).sum(axis=1, dtype=np.float64)
    p_up = 0.5 + 0.45 * np.tanh(300 * trend + 1e-3 * np.tanh(tint))
    n = len(close)
    return SignalFrame(
        pair=features.pair,
        as_of=closes_of(candles, Timeframe.M1),
        p_sell=0.95 * (1 - p_up),
        p_hold=np.full(n, 0.05),
        p_buy=0.95 * p_up,
        p_hit=np.full(n, 0.95),
        p_up=p_up,
        barrier_up=np.full(n, 0.06),
        barrier_down=np.full(n, 0.04),
        horizon=60,
        model_id="fickle-1",
    )


@pytest.fixture(scope="module")
def history():
    candles = generate_market(PRICES, T0, MINUTES, 23)
    features = {pair: compute_features(frame) for pair, frame in candles.items()}
    return History(candles, features, RULES)


@pytest.fixture(scope="module")
def result(history):
    return run_backtest(history, fickle, POLICY, 60)


def stepped(history, prices, times):
    """Drive the cycle bar by bar, as a paper desk does; the market shows only what has closed."""
    market = FrameMarket(history.candles, RULES)
    clock = ReplayClock(T0)
    desk = Desk(
        clock=clock,
        market=market,
        ledger=MemoryLedger(),
        broker=PaperBroker(prices, market.rules, POLICY.execution),
        strategist=Silent(),
        scorer=fickle,
        policy=POLICY,
        mode=Mode.BACKTEST,
        book="backtest",
        run_id="stepped",
        model_id="fickle-1",
    )
    records = []
    for as_of in times:
        clock.move_to(as_of)
        records.append(run_cycle(desk, PAIRS, as_of))
    return records


@pytest.mark.parametrize("fills", ["next open", "last close"])
def test_a_day_replayed_at_once_equals_the_same_day_driven_bar_by_bar(history, fills):
    market = FrameMarket(history.candles, RULES)
    prices = {
        "next open": next_open(history.candles),
        "last close": last_close(market, Timeframe.M1, POLICY.max_age),
    }[fills]
    at_once = run_backtest(history, fickle, POLICY, 60, prices=prices)
    one_by_one = stepped(history, prices, at_once.at)

    assert len(at_once.at) >= 24
    assert at_once.fills
    for a, b in zip(at_once.records, one_by_one, strict=True):
        assert a.decision == b.decision
        assert (a.fills, a.equity_after) == (b.fills, b.equity_after)


def test_the_book_adds_up_to_the_last_cent(result, history):
    cash, held = Decimal(100_000), dict.fromkeys(PAIRS, Decimal(0))
    for fill in result.fills:
        sign = 1 if fill.side is Side.BUY else -1
        cash -= sign * fill.price * fill.quantity + fill.fee
        held[fill.pair] += sign * fill.quantity
    last = result.at[-1]
    closes = {
        pair: frame.filter(pl.col("open_time") < last)["close"][-1]
        for pair, frame in history.candles.items()
    }
    worth = cash + sum(held[pair] * Decimal(repr(closes[pair])) for pair in PAIRS)

    assert float(worth) == pytest.approx(result.equity[-1], rel=1e-12)
    assert min(held.values()) >= 0
    assert cash >= 0


def test_entries_fill_at_the_open_of_the_next_bar_against_us(result, history):
    for fill in result.fills:
        frame = history.candles[fill.pair]
        following = frame.filter(pl.col("open_time") >= fill.ts)["open"][0]
        edge = float(fill.price) / following - 1

        assert edge * fill.side.sign == pytest.approx(0.0005, abs=3e-5)


def test_decisions_fall_on_whole_hours_of_utc(result):
    assert all(at.minute == 0 and at.second == 0 for at in result.at)
    assert result.at[0] > T0 + timedelta(minutes=DAY)
    assert result.equity.shape == result.benchmark.shape == (len(result.at),)
    assert result.performance.fills == len(result.fills)
    assert all(skip.code for _, skip in result.skips)


def test_the_benchmark_is_the_mean_of_both_prices_after_one_purchase(result, history):
    def relative(pair):
        frame = history.candles[pair]
        first, last = (
            frame.filter(pl.col("open_time") < at)["close"][-1]
            for at in (result.at[0], result.at[-1])
        )
        return last / first

    cost = 0.0035 + 0.0005
    mean = (relative("SIMBTCZAR") + relative("SIMETHZAR")) / 2

    assert result.benchmark[0] == pytest.approx(100_000 * (1 - cost))
    assert result.benchmark[-1] == pytest.approx(100_000 * (1 - cost) * mean)
    assert result.benchmark_performance.total_return == pytest.approx(mean * (1 - cost) - 1)
    assert result.performance.total_return == pytest.approx(result.equity[-1] / 100_000 - 1)


def test_without_a_model_the_curve_is_flat_and_every_pair_is_explained(history):
    idle = run_backtest(history, None, POLICY, 240)

    assert set(idle.equity) == {100_000.0}
    assert idle.fills == ()
    assert len(idle.skips) == 2 * len(idle.at)


def test_changing_the_future_changes_no_past_decision(history, result):
    cut = result.at[len(result.at) // 2]
    candles = {
        pair: frame.with_columns(
            pl.when(pl.col("open_time") >= cut + timedelta(minutes=1))
            .then(pl.col(c) * 3)
            .otherwise(pl.col(c))
            .alias(c)
            for c in ("open", "high", "low", "close", "volume")
        )
        for pair, frame in history.candles.items()
    }
    features = {pair: compute_features(frame) for pair, frame in candles.items()}
    shocked = run_backtest(History(candles, features, RULES), fickle, POLICY, 60)
    past = [r.decision for r in result.records if r.decision.as_of <= cut]

    assert [r.decision for r in shocked.records][: len(past)] == past


def test_times_at_which_the_data_is_old_are_missed_and_counted(history):
    hole = (pl.col("open_time") >= T0 + timedelta(hours=30)) & (
        pl.col("open_time") < T0 + timedelta(hours=32)
    )
    candles = {pair: frame.filter(~hole) for pair, frame in history.candles.items()}
    holed = run_backtest(replace(history, candles=candles), None, POLICY, 60)

    assert holed.missed == (T0 + timedelta(hours=31), T0 + timedelta(hours=32))


def test_decision_times_begin_where_asked_and_end_with_the_data(history):
    forecasts = forecast(history.candles, {}, None, POLICY)
    start = T0 + timedelta(hours=30, minutes=7)
    times = decision_times(forecasts, POLICY, 15, start)

    assert times[0] == T0 + timedelta(hours=30, minutes=15)
    assert times[-1] == T0 + timedelta(minutes=MINUTES)
    assert {b - a for a, b in pairwise(times)} == {timedelta(minutes=15)}
    assert decision_times(forecasts, POLICY, 7, start.astimezone(INDIA)) == decision_times(
        forecasts, POLICY, 7, start
    )
    with pytest.raises(UsageError, match="every"):
        decision_times(forecasts, POLICY, 0, None)


def test_too_little_data_is_refused(history):
    short = {pair: frame.head(100) for pair, frame in history.candles.items()}

    with pytest.raises(DataError, match="window of 1440"):
        run_backtest(replace(history, candles=short), None, POLICY, 60)


def test_a_clock_goes_forward_only():
    clock = ReplayClock(T0)
    clock.sleep(90)

    assert clock.now() == T0 + timedelta(seconds=90)
    assert clock.monotonic() == 90
    with pytest.raises(UsageError, match="cannot go back"):
        clock.move_to(T0)

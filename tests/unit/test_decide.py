"""Rules of the decision that hold between the tiers; its properties are in test_cycle_pure."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from helios_core.decide import Snapshot, Worth, decide
from helios_core.domain.decisions import Signal, StrategicView
from helios_core.domain.trading import Account, Mode, Position, Side
from helios_core.execution.config import ExecutionConfig
from helios_core.forecast import Policy
from helios_core.risk.volatility import VolatilityPoint
from helios_core.simulator.generator import simulated_rules

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
PAIRS = ("SIMBTCZAR", "SIMETHZAR")
PRICE = 1_000.0
POLICY = Policy(quote="ZAR", horizon=60, window=100, history=1_000)
SURE = Signal(
    PAIRS[0], NOON, p_sell=0.09, p_hold=0.1, p_buy=0.81, p_hit=0.9, p_up=0.9, horizon=60,
    barrier_up=0.05, barrier_down=0.03, model_id="m-1",
)  # fmt: skip
SILENT = replace(SURE, model_id=None, reason="warming up")


def holding(pair, share, equity=100_000):
    return Position(pair, Decimal(repr(round(share * equity / PRICE, 8))), Decimal(PRICE), NOON)


def book(*positions, cash=None, peak=100_000):
    held = sum((p.quantity * Decimal(PRICE) for p in positions), Decimal(0))
    left = 100_000 - held if cash is None else Decimal(cash)
    return Account("main", "ZAR", left, positions, Decimal(peak))


def snapshot(account, *, signals=(SURE, SURE), marks=(), **changes):
    view = StrategicView(
        NOON, "neutral", 1.0, (), False, False, "a view", "test", "", NOON + timedelta(hours=1)
    )
    seen = Snapshot(
        as_of=NOON,
        mode=Mode.BACKTEST,
        book="main",
        pairs=PAIRS,
        rules=tuple(simulated_rules(pair, "ZAR", PRICE) for pair in PAIRS),
        signals=tuple(replace(s, pair=pair) for s, pair in zip(signals, PAIRS, strict=True)),
        volatility=(VolatilityPoint(6e-4, 6e-4 * math.sqrt(60), 60, "garch"),) * 2,
        prices=(PRICE, PRICE),
        turnover=(1e9, 1e9),
        returns=np.random.default_rng(5).normal(0, 6e-4, (100, 2)),
        marks=(*((pair, PRICE) for pair in PAIRS), *marks),
        account=account,
        view=view,
        model_id="m-1",
        forced=False,
        feature_set="f" * 64,
        data_as_of=NOON - timedelta(minutes=1),
    )
    return replace(seen, **changes)


def test_what_other_pairs_keep_takes_room_from_the_gross():
    """90 % sit in a pair that is not decided on; 10 % of a gross of 1 are left for each other."""
    other = holding("SIMXRPZAR", 0.9)
    alone = decide(snapshot(book()), POLICY).risks[0]
    crowded = decide(snapshot(book(other), marks=(("SIMXRPZAR", PRICE),)), POLICY).risks[0]

    assert alone.size > 0.1
    assert crowded.size == pytest.approx(0.1)
    assert crowded.binding == "gross"


def test_a_pair_without_a_signal_keeps_its_place_and_takes_room():
    held = snapshot(book(holding(PAIRS[1], 0.95)), signals=(SURE, SILENT))
    decision = decide(held, POLICY)

    assert decision.risks[0].size == pytest.approx(0.05)
    assert decision.target.weights[1] == decision.target.current[1] == pytest.approx(0.95)
    assert ("SIMETHZAR", "NO_SIGNAL") in [(skip.pair, skip.code) for skip in decision.skips]


@pytest.mark.parametrize(("peak", "sold"), [(117_000, False), (118_000, True)])
def test_beyond_the_drawdown_halt_a_pair_without_a_signal_is_sold_too(peak, sold):
    """The halt is at 15 %: 100,000 is 14.5 % below the first peak and 15.3 % below the second."""
    held = snapshot(book(holding(PAIRS[1], 0.5), peak=peak), signals=(SILENT, SILENT))
    orders = decide(held, POLICY).orders

    assert [(o.pair, o.side) for o in orders] == ([(PAIRS[1], Side.SELL)] if sold else [])


def test_a_view_that_has_expired_has_no_effect():
    fresh = snapshot(book())
    strict = replace(fresh.view, risk_multiplier=0.2, halt_new_entries=True)
    expired = replace(strict, as_of=NOON - timedelta(hours=2), valid_until=NOON)
    decision = decide(replace(fresh, view=expired), POLICY)

    assert decide(replace(fresh, view=strict), POLICY).orders == ()
    assert decision.target == decide(fresh, POLICY).target
    assert "expired" in decision.view.reason


def test_every_tier_charges_the_cost_of_the_same_trade():
    """With a fee of a tenth the edge is gone; with none, more is bought than at VALR's fee."""

    def bought(fee):
        execution = ExecutionConfig(taker_fee_fiat=fee)
        return decide(snapshot(book()), replace(POLICY, execution=execution)).target.gross

    assert bought(0.05) == 0.0
    assert bought(0.0) > bought(0.0035) > 0.0


def test_the_shares_of_a_book_without_equity_are_not_numbers():
    worth = Worth(book(cash=0, peak=0), {PAIRS[0]: PRICE})

    assert math.isnan(worth.weight(PAIRS[0]))
    assert math.isnan(worth.drawdown)


def test_a_book_is_worth_cash_and_positions():
    worth = Worth(book(holding(PAIRS[0], 0.25), peak=125_000), {PAIRS[0]: 2 * PRICE})

    assert worth.equity == 125_000
    assert worth.weight(PAIRS[0]) == pytest.approx(0.4)
    assert worth.drawdown == 0.0

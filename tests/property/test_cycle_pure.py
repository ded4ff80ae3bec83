"""`decide` is a function of its snapshot, and no input makes it do more than it was allowed."""

import math
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helios_core.decide import Snapshot, decide, decision_id
from helios_core.domain.decisions import Signal, StrategicView
from helios_core.domain.trading import Account, Mode, Position, Side
from helios_core.errors import SafetyError
from helios_core.execution.costs import taker_fee, worst_price
from helios_core.forecast import Policy
from helios_core.risk.volatility import VolatilityPoint
from helios_core.simulator.generator import simulated_rules

T0 = datetime(2025, 1, 31, 12, tzinfo=UTC)
PAIRS = ("SIMBTCZAR", "SIMETHZAR")
POLICY = Policy(quote="ZAR", horizon=60, window=100, history=1_000)
RETURNS = np.random.default_rng(5).normal(0, 0.0006, (100, 2))
QUIET = settings(max_examples=60, deadline=None)

probability = st.floats(0, 1)
barrier = st.floats(0.001, 0.2)


@st.composite
def signals(draw, pair):
    if draw(st.integers(0, 5)) == 0:
        return Signal(pair, T0, 0.0, 1.0, 0.0, 0.0, 0.5, 60, 0.0, 0.0, None, "warming up")
    hit, up = draw(probability), draw(probability)
    return Signal(
        pair, T0, hit * (1 - up), 1 - hit, hit * up, hit, up, 60,
        draw(barrier), draw(barrier), "m-1",
    )  # fmt: skip


@st.composite
def views(draw):
    return StrategicView(
        T0, "neutral", draw(st.floats(0, 1)), (), draw(st.booleans()), False, "a view", "test", "",
        T0 + timedelta(hours=1),
    )  # fmt: skip


@st.composite
def snapshots(draw):
    prices = (draw(st.floats(100, 2e6)), draw(st.floats(1, 1e5)))
    shares = (draw(st.sampled_from([0.0, 0.1, 0.4])), draw(st.sampled_from([0.0, 0.1, 0.4])))
    positions = tuple(
        Position(pair, Decimal(repr(round(share * 100_000 / price, 6))), Decimal(1), T0)
        for pair, price, share in zip(PAIRS, prices, shares, strict=True)
        if share
    )
    cash = Decimal(draw(st.integers(1_000, 100_000)))
    sigma = [draw(st.floats(1e-4, 5e-3)) for _ in PAIRS]
    return Snapshot(
        as_of=T0,
        mode=Mode.BACKTEST,
        book="main",
        pairs=PAIRS,
        rules=tuple(simulated_rules(p, "ZAR", x) for p, x in zip(PAIRS, prices, strict=True)),
        signals=tuple(draw(signals(pair)) for pair in PAIRS),
        volatility=tuple(VolatilityPoint(s, s * math.sqrt(60), 60, "ewma", "") for s in sigma),
        prices=prices,
        turnover=(draw(st.floats(0, 1e7)), draw(st.floats(0, 1e7))),
        returns=RETURNS,
        marks=tuple(zip(PAIRS, prices, strict=True)),
        account=Account("main", "ZAR", cash, positions, Decimal(draw(st.integers(0, 300_000)))),
        view=draw(views()),
        model_id="m-1",
        forced=False,
        feature_set="f" * 64,
        data_as_of=T0 - timedelta(minutes=1),
    )


@QUIET
@given(snapshots())
def test_the_same_snapshot_gives_the_same_decision_and_is_not_touched(snapshot):
    before = deepcopy(snapshot.returns)
    first = decide(snapshot, POLICY)

    assert decide(snapshot, POLICY) == first
    assert np.array_equal(snapshot.returns, before)


@QUIET
@given(snapshots())
def test_no_weight_grows_beyond_the_size_of_tier_3(snapshot):
    decision = decide(snapshot, POLICY)
    for now, weight, risk in zip(
        decision.target.current, decision.target.weights, decision.risks, strict=True
    ):
        assert weight <= max(now, risk.size, 0.0) + 1e-9


@QUIET
@given(snapshots())
def test_no_stage_after_kelly_raises_a_size(snapshot):
    for risk in decide(snapshot, POLICY).risks:
        assert abs(risk.size) <= abs(risk.kelly_shrunk) + 1e-12
        assert risk.stages[-1].name == "strategist"
        assert all(abs(stage.after) <= abs(stage.before) + 1e-12 for stage in risk.stages[1:])


@QUIET
@given(snapshots())
def test_buys_cost_at_most_the_cash_and_sells_at_most_the_position(snapshot):
    decision = decide(snapshot, POLICY)
    rules = dict(zip(PAIRS, snapshot.rules, strict=True))
    cost = Decimal(0)
    for order in decision.orders:
        if order.side is Side.SELL:
            assert order.quantity <= snapshot.account.quantity(order.pair)
            continue
        price = worst_price(order.reference_price, order.side, POLICY.execution)
        cost += order.quantity * price * (1 + taker_fee(rules[order.pair], POLICY.execution))

    assert cost <= snapshot.account.cash


@QUIET
@given(snapshots())
def test_every_pair_is_traded_or_explained_with_a_code(snapshot):
    decision = decide(snapshot, POLICY)
    spoken = {order.pair for order in decision.orders} | {skip.pair for skip in decision.skips}

    assert spoken == set(PAIRS)
    assert all(skip.code and skip.reason for skip in decision.skips)


@QUIET
@given(snapshots(), st.sampled_from(["sigma", "p_up", "p_hit", "barrier_up"]))
def test_a_number_that_is_none_buys_nothing(snapshot, where):
    if where == "sigma":
        point = replace(snapshot.volatility[0], sigma=math.nan, sigma_horizon=math.nan)
        broken = replace(snapshot, volatility=(point, snapshot.volatility[1]))
    else:
        signal = replace(snapshot.signals[0], **{where: math.nan})
        assume(not signal.abstained)
        broken = replace(snapshot, signals=(signal, snapshot.signals[1]))
    decision = decide(broken, POLICY)

    assert not [o for o in decision.orders if o.pair == PAIRS[0] and o.side is Side.BUY]


@QUIET
@given(snapshots())
def test_without_a_model_nothing_is_ordered(snapshot):
    silent = tuple(replace(s, model_id=None) for s in snapshot.signals)
    decision = decide(replace(snapshot, model_id=None, signals=silent), POLICY)

    assert decision.orders == ()
    assert decision.verdict == "no promoted model: flat"
    assert decision.target.weights == decision.target.current


@QUIET
@given(snapshots(), st.floats(0, 1))
def test_a_lower_multiplier_never_raises_a_size(snapshot, factor):
    lower = replace(snapshot.view, risk_multiplier=snapshot.view.risk_multiplier * factor)
    sizes = [risk.size for risk in decide(snapshot, POLICY).risks]
    lowered = [risk.size for risk in decide(replace(snapshot, view=lower), POLICY).risks]

    assert all(abs(b) <= abs(a) for a, b in zip(sizes, lowered, strict=True))


@QUIET
@given(snapshots())
def test_a_halt_of_entries_buys_nothing(snapshot):
    halted = replace(snapshot, view=replace(snapshot.view, halt_new_entries=True))

    assert not [o for o in decide(halted, POLICY).orders if o.side is Side.BUY]


@given(snapshots())
@settings(max_examples=10, deadline=None)
def test_a_book_without_equity_decides_nothing(snapshot):
    broke = replace(snapshot, account=Account("main", "ZAR", Decimal(0), (), Decimal(1)))

    with pytest.raises(SafetyError, match="nothing can be sized"):
        decide(broke, POLICY)


IDENTITY = (Mode.PAPER, "main", T0, PAIRS, ("m-1", False), POLICY)


@pytest.mark.parametrize(
    ("place", "other"),
    [
        (0, Mode.LIVE),
        (1, "second"),
        (2, T0 + timedelta(minutes=1)),
        (3, PAIRS[::-1]),
        (4, ("m-2", False)),
        (4, ("m-1", True)),
        (4, (None, False)),
        (5, replace(POLICY, horizon=61)),
    ],
)
def test_the_id_of_a_decision_changes_with_each_of_its_inputs(place, other):
    changed = list(IDENTITY)
    changed[place] = other

    assert decision_id(*IDENTITY) == decision_id(*IDENTITY)
    assert decision_id(*changed) != decision_id(*IDENTITY)


def test_the_hash_of_a_policy_is_that_of_its_numbers():
    assert Policy(quote="ZAR", horizon=60).hash == Policy(quote="ZAR", horizon=60).hash
    assert Policy(quote="ZAR", horizon=60).hash != Policy(quote="ZAR", horizon=61).hash
    assert len(POLICY.hash) == 64

"""No step between Kelly and the target raises a size, and what is not a number gives none."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helios_core.domain.decisions import Signal
from helios_core.portfolio.config import PortfolioConfig
from helios_core.portfolio.mean_variance import solve
from helios_core.portfolio.moments import moments
from helios_core.portfolio.rebalance import Holding, rebalance
from helios_core.risk.assess import assess
from helios_core.risk.config import RiskConfig
from helios_core.risk.limits import RiskAccount
from helios_core.risk.volatility import VolatilityPoint

NOON = datetime(2024, 12, 20, 12, tzinfo=UTC)
HORIZON = 60
ROUNDING = 1e-9

fractions = st.floats(0, 1)
costs = st.floats(0, 0.02)
accounts = st.builds(
    RiskAccount,
    drawdown=st.floats(-0.1, 0.3),
    daily_loss=st.floats(-0.1, 0.1),
    halted=st.booleans(),
    losses_in_a_row=st.integers(0, 10),
    other_gross=st.floats(0, 1.5),
)
configs = st.builds(
    RiskConfig,
    kelly_fraction=st.floats(0.01, 1),
    effective_samples=st.floats(10, 1e6),
    prior_samples=st.floats(0, 1e4),
    target_volatility=st.floats(0.01, 5),
    allow_short=st.booleans(),
)


@st.composite
def signals(draw):
    weights = np.array([draw(st.floats(1e-3, 1)) for _ in range(3)])
    sell, hold, buy = (float(p) for p in weights / weights.sum())
    return Signal(
        pair=draw(st.sampled_from(["BTCZAR", "BTCUSDTPERP"])), as_of=NOON,
        p_sell=sell, p_hold=hold, p_buy=buy, p_hit=buy + sell, p_up=0.5, horizon=HORIZON,
        barrier_up=draw(st.floats(1e-4, 0.5)), barrier_down=draw(st.floats(1e-4, 0.5)),
        model_id="net-1",
    )  # fmt: skip


@st.composite
def volatilities(draw):
    sigma = draw(st.floats(1e-7, 0.05))
    return VolatilityPoint(sigma, sigma * math.sqrt(HORIZON), HORIZON, "garch")


@given(signals(), volatilities(), accounts, costs, configs)
def test_no_stage_after_kelly_raises_a_size(signal, volatility, account, cost, config):
    decision = assess(signal, volatility, account, cost, config)

    assert abs(decision.kelly_shrunk) <= abs(decision.kelly_raw)
    for stage in decision.stages:
        assert abs(stage.after) <= abs(stage.before)
        assert stage.after * stage.before >= 0
    for one, following in zip(decision.stages, decision.stages[1:], strict=False):
        assert following.before == one.after
    assert abs(decision.size) <= min(config.max_weight, config.max_gross)
    assert decision.size >= 0 or config.allow_short


@given(signals(), volatilities(), accounts, costs, configs, st.floats(1, 100))
def test_more_volatility_never_raises_a_size(signal, volatility, account, cost, config, factor):
    wilder = replace(
        volatility,
        sigma=volatility.sigma * factor,
        sigma_horizon=volatility.sigma_horizon * factor,
    )
    calm = assess(signal, volatility, account, cost, config)
    wild = assess(signal, wilder, account, cost, config)

    assert abs(wild.size) <= abs(calm.size)


@given(signals(), volatilities(), costs, configs, fractions)
def test_a_less_likely_outcome_never_raises_a_size(signal, volatility, cost, config, share):
    """Both barriers become less likely by the same share, the time-out takes the rest."""
    faint = replace(
        signal,
        p_buy=signal.p_buy * share,
        p_sell=signal.p_sell * share,
        p_hold=1 - (signal.p_buy + signal.p_sell) * share,
    )
    loud = assess(signal, volatility, RiskAccount(), cost, config)
    quiet = assess(faint, volatility, RiskAccount(), cost, config)

    assert abs(quiet.size) <= abs(loud.size) + ROUNDING


@given(signals(), volatilities(), accounts, costs, configs, st.floats(0, 0.5))
def test_cost_and_drawdown_never_raise_a_size(signal, volatility, account, cost, config, more):
    base = assess(signal, volatility, account, cost, config)
    deeper = replace(account, drawdown=account.drawdown + more)
    costly = assess(signal, volatility, account, min(cost + more, 0.9), config)

    assert abs(assess(signal, volatility, deeper, cost, config).size) <= abs(base.size)
    assert abs(costly.size) <= abs(base.size) + ROUNDING


@given(
    signals(),
    volatilities(),
    st.sampled_from(["p_sell", "p_hold", "p_buy", "p_hit", "p_up", "barrier_up", "barrier_down"]),
    st.sampled_from([math.nan, math.inf, -math.inf]),
)
def test_a_signal_with_a_hole_gives_no_size(signal, volatility, name, value):
    decision = assess(
        replace(signal, **{name: value}), volatility, RiskAccount(), 0.001, RiskConfig()
    )

    assert decision.vetoed
    assert decision.size == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
@given(signal=signals(), volatility=volatilities())
def test_any_other_number_with_a_hole_gives_no_size(signal, volatility, value):
    config = RiskConfig()
    decisions = [
        assess(signal, replace(volatility, sigma=value), RiskAccount(), 0.001, config),
        assess(signal, replace(volatility, sigma_horizon=value), RiskAccount(), 0.001, config),
        assess(signal, volatility, RiskAccount(drawdown=value), 0.001, config),
        assess(signal, volatility, RiskAccount(daily_loss=value), 0.001, config),
        assess(signal, volatility, RiskAccount(other_gross=value), 0.001, config),
        assess(signal, volatility, RiskAccount(), value, config),
    ]

    assert all(decision.vetoed and decision.size == 0.0 for decision in decisions)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    count=st.integers(1, 5),
    seed=st.integers(0, 10_000),
)
def test_the_portfolio_never_exceeds_a_size_or_grows_beyond_cash(data, count, seed):
    rng = np.random.default_rng(seed)
    upper = np.array(data.draw(st.lists(st.floats(0, 0.35), min_size=count, max_size=count)))
    current = np.array(data.draw(st.lists(st.floats(0, 0.5), min_size=count, max_size=count)))
    assume(current.sum() <= 1)
    config = PortfolioConfig(max_turnover=data.draw(st.floats(0, 2)))
    sigma = rng.uniform(1e-4, 0.05, count)
    cost = rng.uniform(0, 0.005, count)
    cov = moments(rng.normal(0, 1e-3, (300, count)), sigma, config).cov
    wanted = solve(rng.normal(0, 0.01, count), cov, upper, current, cost, config)
    holding = Holding(NOON, tuple(f"SIM{i}" for i in range(count)), current, upper, cost)
    target = rebalance(holding, wanted, config)

    assert all(0 <= w <= u for w, u in zip(target.weights, upper, strict=True))
    assert sum(target.weights) <= 1 + ROUNDING
    assert wanted.method in {"mean_variance", "flat"}

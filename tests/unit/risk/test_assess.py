import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from helios_core.domain.decisions import Signal
from helios_core.errors import RiskError
from helios_core.risk.assess import assess
from helios_core.risk.config import RiskConfig
from helios_core.risk.limits import Denial, RiskAccount
from helios_core.risk.volatility import VolatilityPoint

AS_OF = datetime(2024, 12, 20, 12, tzinfo=UTC)
CALM = VolatilityPoint(5e-4, 5e-4 * math.sqrt(60), 60, "garch")
CONFIG = RiskConfig()
BUY = Signal(
    pair="BTCZAR", as_of=AS_OF, p_sell=0.2, p_hold=0.2, p_buy=0.6, p_hit=0.8, p_up=0.75,
    horizon=60, barrier_up=0.02, barrier_down=0.015, model_id="net-1",
)  # fmt: skip
SELL = replace(BUY, p_sell=0.6, p_buy=0.2, barrier_up=0.015, barrier_down=0.02)


def sized(signal=BUY, volatility=CALM, account=None, cost=0.002, config=CONFIG):
    return assess(signal, volatility, account or RiskAccount(), cost, config)


def test_a_good_signal_gets_a_size_and_every_stage_is_on_record():
    decision = sized()
    names = [stage.name for stage in decision.stages]

    assert names == ["kelly", "direction", "volatility_target", "leverage", "concentration",
                     "gross", "losing_streak", "drawdown", "daily_loss", "hard_limits"]  # fmt: skip
    assert 0 < decision.size <= 0.35
    assert decision.size == decision.stages[-1].after
    assert not decision.vetoed
    for before, after in zip(decision.stages, decision.stages[1:], strict=False):
        assert after.before == before.after


def test_the_volatility_target_binds_by_the_formula():
    """20 % a year over a pair that moves 0.1 % a minute, 72.5 % a year."""
    wild = replace(CALM, sigma=1e-3, sigma_horizon=1e-3 * math.sqrt(60))
    decision = sized(volatility=wild)

    assert decision.binding == "volatility_target"
    assert decision.size == pytest.approx(0.2 / (1e-3 * math.sqrt(525_600)))
    assert dict(decision.leverage_caps)["volatility_target"] == decision.size


def test_the_edge_is_net_of_cost():
    free, paid = sized(cost=0.0), sized(cost=0.002)

    assert free.expected_return - paid.expected_return == pytest.approx(0.002)


def test_a_short_edge_is_not_taken_on_spot():
    decision = sized(SELL)

    assert decision.kelly_shrunk < 0
    assert decision.size == 0.0
    assert decision.binding == "direction"
    assert decision.note.startswith(Denial.SHORT_NOT_ALLOWED)
    assert not decision.vetoed


def test_a_short_edge_mirrors_a_long_one_where_shorts_are_allowed():
    config = RiskConfig(allow_short=True)

    assert sized(SELL, config=config).size == -sized(BUY, config=config).size
    assert sized(SELL, config=config).expected_return == -sized().expected_return


def test_an_edge_within_its_error_is_not_taken():
    decision = sized(replace(BUY, p_buy=0.35, p_sell=0.3, p_hold=0.35))

    assert decision.size == 0.0
    assert decision.note.startswith(Denial.EDGE_WITHIN_ERROR)
    assert not decision.vetoed


@pytest.mark.parametrize(
    ("signal", "volatility", "account", "cost", "code"),
    [
        (replace(BUY, model_id=None, reason="no promoted model"), CALM, RiskAccount(), 0.002,
         Denial.SIGNAL_ABSTAINED),
        (replace(BUY, p_buy=math.nan), CALM, RiskAccount(), 0.002, Denial.SIGNAL_UNUSABLE),
        (replace(BUY, p_buy=0.9), CALM, RiskAccount(), 0.002, Denial.SIGNAL_UNUSABLE),
        (replace(BUY, barrier_up=0.0), CALM, RiskAccount(), 0.002, Denial.SIGNAL_UNUSABLE),
        (replace(BUY, barrier_down=1.0), CALM, RiskAccount(), 0.002, Denial.SIGNAL_UNUSABLE),
        (replace(BUY, barrier_down=math.nan), CALM, RiskAccount(), 0.002, Denial.SIGNAL_UNUSABLE),
        (BUY, replace(CALM, sigma=math.nan), RiskAccount(), 0.002, Denial.VOLATILITY_UNKNOWN),
        (BUY, replace(CALM, sigma_horizon=0.0), RiskAccount(), 0.002, Denial.VOLATILITY_UNKNOWN),
        (BUY, CALM, RiskAccount(drawdown=math.nan), 0.002, Denial.ACCOUNT_UNUSABLE),
        (BUY, CALM, RiskAccount(daily_loss=math.inf), 0.002, Denial.ACCOUNT_UNUSABLE),
        (BUY, CALM, RiskAccount(), math.nan, Denial.COST_UNUSABLE),
        (BUY, CALM, RiskAccount(), -0.1, Denial.COST_UNUSABLE),
    ],
)  # fmt: skip
def test_unusable_inputs_are_vetoed_with_a_code(signal, volatility, account, cost, code):
    decision = sized(signal, volatility, account, cost)

    assert decision.vetoed
    assert decision.size == decision.kelly_raw == decision.expected_return == 0.0
    assert decision.note.startswith(code)
    assert decision.stages[0].note == decision.note


def test_an_abstaining_signal_may_look_another_horizon_ahead():
    """Nothing is computed from it, so nothing can be mixed up."""
    assert sized(replace(BUY, model_id=None, horizon=7)).vetoed


def test_a_volatility_of_another_horizon_is_a_defect_of_the_caller():
    with pytest.raises(RiskError, match="60 bars ahead"):
        sized(volatility=replace(CALM, horizon=30))


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (RiskAccount(drawdown=0.2), Denial.DRAWDOWN_HALT),
        (RiskAccount(drawdown=0.1, halted=True), Denial.DRAWDOWN_HALT),
        (RiskAccount(daily_loss=0.05), Denial.DAILY_LOSS_STOP),
    ],
)
def test_a_stopped_account_vetoes(account, code):
    decision = sized(account=account)

    assert decision.vetoed
    assert decision.size == 0.0
    assert decision.note.startswith(code)


def test_the_reason_of_a_volatility_fallback_is_in_the_note():
    decision = sized(volatility=replace(CALM, method="ewma", note="alpha + beta is 1.0000"))

    assert decision.note == "ewma volatility: alpha + beta is 1.0000"
    assert decision.volatility_method == "ewma"

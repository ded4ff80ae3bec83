from datetime import UTC, datetime, timedelta

from helios_core.llm.abstain import NO_KEY, AbstainingStrategist
from helios_core.ports import Strategist
from helios_core.strategy.brief import digest

NOON = datetime(2024, 12, 20, 12, tzinfo=UTC)


def test_without_a_key_the_view_is_neutral_and_says_so():
    strategist: Strategist = AbstainingStrategist()
    view = strategist.view(NOON, "drawdown 0%\n", timedelta(hours=1))

    assert view.abstained
    assert view.risk_multiplier == 1.0
    assert view.reason == NO_KEY
    assert view.provider == "none"
    assert view.prompt_hash == digest("drawdown 0%\n")
    assert view.valid_until == NOON + timedelta(hours=1)


def test_another_reason_can_be_given():
    view = AbstainingStrategist("backtests ask no provider").view(NOON, "", timedelta(hours=1))

    assert view.reason == "backtests ask no provider"

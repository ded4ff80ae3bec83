from datetime import UTC, datetime, timedelta

from helios_core.strategy.view import abstain

NOON = datetime(2024, 12, 20, 12, tzinfo=UTC)


def test_an_abstention_changes_nothing_and_says_why():
    view = abstain(NOON, "no key", timedelta(hours=4))

    assert view.abstained
    assert view.risk_multiplier == 1.0
    assert view.tilts == ()
    assert not view.halt_new_entries
    assert view.regime == "unknown"
    assert view.reason == "no key"
    assert view.valid_until == NOON + timedelta(hours=4)

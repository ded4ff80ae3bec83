import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helios_core.domain.decisions import StrategicView, Tilt
from helios_core.strategy.config import StrategyConfig
from helios_core.strategy.governor import govern
from helios_core.strategy.view import abstain

NOON = datetime(2024, 12, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONFIG = StrategyConfig()
VIEW = StrategicView(
    as_of=NOON, regime="risk_off", risk_multiplier=0.5, tilts=(), halt_new_entries=False,
    abstained=False, reason="volatility rose", provider="test", prompt_hash="ab",
    valid_until=NOON + HOUR,
)  # fmt: skip

numbers = st.floats(allow_nan=True, allow_infinity=True)
tilts = st.builds(Tilt, st.sampled_from(["BTCZAR", "ETHZAR", "XRPZAR", "SOLZAR"]), numbers, numbers)
moments = st.timedeltas(-6 * HOUR, 6 * HOUR).map(lambda offset: NOON + offset)
views = st.builds(
    StrategicView,
    as_of=moments, regime=st.sampled_from(["risk_on", "stress", "buy everything"]),
    risk_multiplier=numbers, tilts=st.lists(tilts, max_size=8).map(tuple),
    halt_new_entries=st.booleans(), abstained=st.booleans(), reason=st.text(max_size=5),
    provider=st.just("test"), prompt_hash=st.just("ab"), valid_until=moments,
)  # fmt: skip


@given(view=views, before=st.none() | views, as_of=moments)
def test_whatever_a_strategist_says_risk_can_only_go_down(view, before, as_of):
    previous = None if before is None else govern(before, None, CONFIG)
    found = govern(view, previous, CONFIG, as_of=as_of)

    assert 0 <= found.risk_multiplier <= 1
    assert len(found.tilts) <= 3
    assert len({tilt.pair for tilt in found.tilts}) == len(found.tilts)
    assert all(abs(tilt.bps) <= 50 + 1e-9 for tilt in found.tilts)
    assert all(0 <= tilt.confidence <= 0.25 for tilt in found.tilts)
    assert sum(tilt.bps for tilt in found.tilts) == pytest.approx(0, abs=1e-9)
    assert found.valid_until - found.as_of <= CONFIG.valid_for


@pytest.mark.parametrize(("asked", "given_"), [(-1.0, 0.0), (0.4, 0.4), (1.0, 1.0), (7.0, 1.0)])
def test_the_multiplier_is_cut(asked, given_):
    assert govern(replace(VIEW, risk_multiplier=asked), None, CONFIG).risk_multiplier == given_


def test_the_multiplier_falls_at_once_and_rises_slowly():
    low = govern(replace(VIEW, risk_multiplier=0.2, valid_until=NOON + 4 * HOUR), None, CONFIG)
    later = replace(VIEW, as_of=NOON + 2 * HOUR, valid_until=NOON + 4 * HOUR, risk_multiplier=1.0)
    lower = replace(later, risk_multiplier=0.0)

    assert govern(later, low, CONFIG).risk_multiplier == pytest.approx(0.2 + 2 * 0.25)
    assert govern(lower, low, CONFIG).risk_multiplier == 0.0


def test_an_expired_view_is_neutral():
    found = govern(VIEW, None, CONFIG, as_of=NOON + HOUR)

    assert found.abstained
    assert found.risk_multiplier == 1.0
    assert "expired" in found.reason


def test_a_view_of_last_time_does_not_slow_a_rise_once_it_has_expired():
    low = govern(replace(VIEW, risk_multiplier=0.0), None, CONFIG)
    later = replace(VIEW, as_of=NOON + 2 * HOUR, valid_until=NOON + 3 * HOUR, risk_multiplier=1.0)

    assert govern(later, low, CONFIG).risk_multiplier == 1.0


def test_a_silent_strategist_leaves_the_valid_view_in_force():
    low = govern(VIEW, None, CONFIG)
    silence = abstain(NOON + HOUR / 2, "timed out", HOUR)
    found = govern(govern(silence, low, CONFIG), low, CONFIG, as_of=NOON + HOUR / 2)

    assert found.risk_multiplier == 0.5
    assert found.as_of == NOON
    assert govern(silence, low, CONFIG).reason.endswith("since then: timed out")


def test_an_answer_that_is_no_number_is_neutral():
    found = govern(replace(VIEW, risk_multiplier=math.nan), None, CONFIG)

    assert found.abstained
    assert found.risk_multiplier == 1.0
    assert found.prompt_hash == "ab"


def test_a_regime_that_is_none_is_unknown():
    assert govern(replace(VIEW, regime="to the moon"), None, CONFIG).regime == "unknown"


def test_known_tilts():
    """Cut to 50, 0 and -25, whose mean is 8.33; the confidence to 0.25."""
    asked = (Tilt("BTCZAR", 400.0, 0.9), Tilt("ETHZAR", 0.0, 0.1), Tilt("XRPZAR", -25.0, 0.1))
    found = govern(replace(VIEW, tilts=asked), None, CONFIG).tilts

    assert [t.bps for t in found] == pytest.approx([41.667, -8.333, -33.333], abs=1e-3)
    assert [t.confidence for t in found] == [0.25, 0.1, 0.1]


def test_centered_tilts_stay_within_the_bound():
    """50, -50, -50 around their mean are 66.7, -33.3, -33.3: scaled back to 50."""
    asked = tuple(Tilt(p, b, 0.1) for p, b in (("A", 50.0), ("B", -50.0), ("C", -50.0)))
    found = govern(replace(VIEW, tilts=asked), None, CONFIG).tilts

    assert [t.bps for t in found] == pytest.approx([50.0, -25.0, -25.0])


def test_an_abstention_keeps_its_reason():
    found = govern(abstain(NOON, "no key", HOUR), None, CONFIG)

    assert found == abstain(NOON, "no key", HOUR)

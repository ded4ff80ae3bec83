import math

import numpy as np
import pytest

from helios_core.errors import RiskError
from helios_core.risk import limits
from helios_core.risk.config import RiskConfig
from helios_core.risk.limits import Denial, RiskAccount

CONFIG = RiskConfig()


@pytest.mark.parametrize(
    ("fall", "left"), [(0.0, 0.3), (-0.01, 0.3), (0.03, 0.24), (0.075, 0.15), (0.1499, 0.0002)]
)
def test_size_falls_linearly_with_the_drawdown(fall, left):
    assert limits.drawdown(0.3, RiskAccount(drawdown=fall), CONFIG).after == pytest.approx(left)


def test_a_drawdown_halt_ends_only_after_half_of_it_is_recovered():
    path = np.array([0.0, 0.14, 0.15, 0.14, 0.08, 0.0751, 0.0749, 0.10, 0.149, 0.2, 0.01])
    expected = [0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]

    assert limits.drawdown_halts(path, CONFIG).tolist() == [bool(x) for x in expected]


def test_a_halt_flattens_and_says_when_it_ends():
    stage = limits.drawdown(0.3, RiskAccount(drawdown=0.10, halted=True), CONFIG)

    assert stage.after == 0.0
    assert stage.note.startswith(Denial.DRAWDOWN_HALT)
    assert "until below 7.50%" in stage.note


def test_a_drawdown_that_is_not_known_halts():
    assert limits.is_halted(math.nan, False, CONFIG)


def test_drawdowns_of_several_books_at_once_are_refused():
    with pytest.raises(RiskError, match="one series"):
        limits.drawdown_halts(np.zeros((3, 2)), CONFIG)


@pytest.mark.parametrize(("lost", "left"), [(-0.02, 0.3), (0.0299, 0.3), (0.03, 0.0), (0.2, 0.0)])
def test_the_daily_loss_stop_flattens(lost, left):
    stage = limits.daily_loss(0.3, RiskAccount(daily_loss=lost), CONFIG)

    assert stage.after == left
    assert stage.note.startswith(Denial.DAILY_LOSS_STOP) == (left == 0)


@pytest.mark.parametrize(("size", "left"), [(0.2, 0.2), (0.5, 0.35), (-0.5, -0.35), (0.0, 0.0)])
def test_one_pair_is_capped_with_its_sign(size, left):
    assert limits.concentration(size, CONFIG).after == left


@pytest.mark.parametrize(("taken", "left"), [(0.0, 0.3), (0.8, 0.2), (1.0, 0.0), (1.4, 0.0)])
def test_other_pairs_leave_what_they_leave(taken, left):
    stage = limits.gross(0.3, RiskAccount(other_gross=taken), CONFIG)

    assert stage.after == pytest.approx(left)
    assert stage.note.startswith(Denial.GROSS_EXHAUSTED) == (left == 0)


@pytest.mark.parametrize(("losses", "left"), [(0, 0.3), (5, 0.3), (6, 0.15), (20, 0.15)])
def test_a_losing_streak_halves_the_size(losses, left):
    stage = limits.losing_streak(0.3, RiskAccount(losses_in_a_row=losses), CONFIG)

    assert stage.after == left


def test_short_sizes_leave_only_when_allowed():
    assert limits.direction(-0.1, CONFIG).after == 0.0
    assert limits.direction(-0.1, CONFIG).note.startswith(Denial.SHORT_NOT_ALLOWED)
    assert limits.direction(-0.1, RiskConfig(allow_short=True)).after == -0.1


@pytest.mark.parametrize(
    ("pair", "size", "left"),
    [
        ("BTCZAR", 5.0, 0.35),
        ("BTCZAR", math.nan, 0.0),
        ("BTCZAR", math.inf, 0.0),
        ("BTCUSDTPERP", -5.0, -0.35),
    ],
)
def test_hard_limits_hold_whatever_comes(pair, size, left):
    assert limits.hard_limits(size, pair, CONFIG).after == left

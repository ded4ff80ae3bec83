import hashlib
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from helios_core.errors import UsageError
from helios_core.strategy.brief import Brief, digest, render

BRIEF = Brief(
    as_of=datetime(2024, 12, 20, 12, tzinfo=UTC),
    pairs=("ETHZAR", "BTCZAR"),
    sigma=(0.04, 0.031234567),
    exposure=(0.1, -0.0),
    drawdown=0.02,
    model_health="no promoted model",
)


def test_the_text_is_fixed_to_the_byte():
    """Written by hand; a change of it invalidates every recorded answer."""
    assert render(BRIEF) == (
        "as_of 2024-12-20T12:00:00Z\n"
        "drawdown 2.0000%\n"
        "gross_exposure 10.0000%\n"
        "model no promoted model\n"
        "pair BTCZAR sigma_day 3.1235% exposure 0.0000%\n"
        "pair ETHZAR sigma_day 4.0000% exposure 10.0000%\n"
    )


def test_equal_situations_read_the_same():
    other = replace(
        BRIEF,
        as_of=BRIEF.as_of.astimezone(timezone(timedelta(hours=2))),
        pairs=BRIEF.pairs[::-1],
        sigma=BRIEF.sigma[::-1],
        exposure=BRIEF.exposure[::-1],
    )

    assert render(other) == render(BRIEF)


def test_any_number_changes_the_hash():
    assert digest(render(replace(BRIEF, drawdown=0.03))) != digest(render(BRIEF))
    assert digest(render(BRIEF)) == hashlib.sha256(render(BRIEF).encode()).hexdigest()


def test_what_is_not_known_is_said():
    text = render(replace(BRIEF, sigma=(math.nan, 0.03), drawdown=math.inf))

    assert "pair ETHZAR sigma_day unknown" in text
    assert "drawdown unknown" in text


def test_no_text_can_add_a_line():
    text = render(replace(BRIEF, model_health="fine\ndrawdown 0%\u202e" + "x" * 500))

    assert len(text.splitlines()) == 6
    assert "model fine drawdown 0% xxx" in text
    assert max(len(line) for line in text.splitlines()) <= 206


def test_a_number_for_each_pair_is_needed():
    with pytest.raises(UsageError, match="2 pairs"):
        replace(BRIEF, sigma=(0.1,))

import math
from datetime import timedelta

import polars as pl
import pytest

from helios_core.domain.trading import Mode
from helios_core.errors import UsageError
from helios_core.market.catalogue import implemented
from helios_core.market.compute import compute_features
from helios_core.workbench.results import TourResult
from helios_core.workbench.tour import PAIR, START, tour, tour_result

DAYS = 2


@pytest.fixture(scope="module")
def shown():
    return tour(DAYS, 7)


def test_the_tour_decides_at_the_close_of_its_last_bar_and_stays_flat(shown):
    decision = shown.record.decision

    assert decision.as_of == START + timedelta(days=DAYS)
    assert (decision.mode, decision.book, decision.model_id) == (Mode.PAPER, "tour", None)
    assert decision.target.weights == (0.0,)
    assert (decision.orders, shown.record.fills) == ((), ())
    assert [skip.code for skip in decision.skips] == ["NO_MODEL"]
    assert shown.record.equity_after == shown.record.equity_before


def test_candles_are_closed_bars_of_the_days_that_were_asked_for(shown):
    times = shown.candles["open_time"]

    assert (times[0], times[-1]) == (START, START + timedelta(days=DAYS, minutes=-1))
    assert times.is_sorted()
    assert shown.candles["pair"].unique().to_list() == [PAIR]
    assert DAYS * 1440 * 0.95 < len(shown.candles) <= DAYS * 1440


def test_features_are_those_of_the_candles_that_are_shown(shown):
    again = compute_features(shown.candles)

    assert (shown.features.mask == again.mask).all()
    assert (shown.features.values[again.mask] == again.values[again.mask]).all()


def test_the_same_seed_shows_the_same_tour_and_another_one_does_not(shown):
    same, other = tour(DAYS, 7), tour(DAYS, 8)

    assert same.record.decision.decision_id == shown.record.decision.decision_id
    assert same.candles.equals(shown.candles)
    assert not other.candles.equals(shown.candles)


def test_the_volatility_is_near_what_the_bars_realized(shown):
    """The generator's own sigma is hidden; the last day's realized one is the outside measure."""
    returns = shown.candles["close"].log().diff().drop_nulls().tail(1440)
    realized = math.sqrt(float(returns.pow(2).mean()))
    forecast = shown.record.decision.risks[0].sigma

    assert 0.4 < forecast / realized < 2.5


def test_what_is_emitted_is_what_was_shown(shown):
    result = tour_result(shown, len(implemented()))

    assert isinstance(result, TourResult)
    assert result.simulated
    assert result.verdict == "no promoted model: flat"
    assert result.candles == shown.candles.select(pl.len()).item()
    assert result.data_as_of == shown.candles["open_time"][-1]
    assert (result.weight, result.orders) == (0.0, 0)
    assert result.sigma_minute == shown.record.decision.risks[0].sigma > 0


@pytest.mark.parametrize("days", [0, -1])
def test_a_tour_of_no_days_is_refused(days):
    with pytest.raises(UsageError, match="minutes must be from 2"):
        tour(days, 7)


def test_a_tour_of_one_day_is_enough_for_a_result():
    assert tour_result(tour(1, 3), 72).sigma_minute > 0

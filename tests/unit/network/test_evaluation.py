import math

import numpy as np
import pytest

from helios_core.network.baselines import Forecast
from helios_core.network.evaluation import (
    Trades,
    best_direction,
    choose_threshold,
    daily_net,
    expected_gross,
    pick_trades,
    score_forecast,
    superiority,
    trade_summary,
)
from helios_core.network.samples import build_dataset


@pytest.fixture
def samples(planted, small_config):
    return build_dataset([planted.features], [planted.candles], small_config).samples


@pytest.fixture
def random_forecast(samples):
    rng = np.random.default_rng(0)
    return Forecast(rng.uniform(0.2, 0.8, len(samples)), rng.uniform(0.2, 0.8, len(samples)))


def test_expected_move_is_probability_times_distance(samples, random_forecast):
    p = random_forecast
    expected = p.p_hit * (p.p_up * samples.barrier_up - (1 - p.p_up) * samples.barrier_down)

    assert expected_gross(samples, p) == pytest.approx(expected)


def test_trades_never_overlap_and_none_is_missed(samples, random_forecast):
    threshold = 2e-4
    trades = pick_trades(samples, random_forecast, threshold)
    begin, end = samples.as_of[trades.sample], samples.end_time[trades.sample]
    wanted = np.abs(expected_gross(samples, random_forecast)) > threshold
    taken = set(trades.sample.tolist())

    assert len(trades) > 50
    assert (begin[1:] >= end[:-1]).all()
    for i in np.flatnonzero(wanted):
        busy = ((begin <= samples.as_of[i]) & (samples.as_of[i] < end)).any()

        assert busy or int(i) in taken


def test_knowing_the_outcome_earns_exactly_the_barriers(samples):
    hit = samples.outcome != 0
    oracle = Forecast(hit * 1.0, (samples.outcome > 0) * 1.0)
    trades = pick_trades(samples, oracle, 0.0)
    outcome = samples.outcome[trades.sample]
    distance = np.where(outcome > 0, samples.barrier_up[trades.sample],
                        samples.barrier_down[trades.sample])  # fmt: skip

    assert (trades.side == outcome).all()
    assert trades.gross == pytest.approx(distance)


def test_the_threshold_depends_on_nothing_but_the_samples_it_is_given(samples, random_forecast):
    half = np.arange(len(samples) // 2)
    part = Forecast(random_forecast.p_hit[half], random_forecast.p_up[half])

    assert choose_threshold(samples.take(half), part, 1e-4) == choose_threshold(
        samples.take(half), Forecast(part.p_hit.copy(), part.p_up.copy()), 1e-4
    )
    assert choose_threshold(samples.take(half[:5]), Forecast(part.p_hit[:5], part.p_up[:5]), 0) >= 0


def test_daily_net_sums_to_all_trades(samples, random_forecast):
    trades = pick_trades(samples, random_forecast, 0.0)
    daily = daily_net(samples, trades, 1e-4)
    days = samples.as_of[-1].astype("M8[D]") - samples.as_of[0].astype("M8[D]")

    assert daily.sum() == pytest.approx((trades.gross - 1e-4).sum())
    assert len(daily) == days.astype(int) + 1


def test_superiority_is_certain_for_a_sure_gain_and_absent_for_none():
    rng = np.random.default_rng(0)
    zero = np.zeros(30)

    assert superiority(zero + 0.01, zero, resamples=50, rng=rng) == 1.0
    assert superiority(zero, zero, resamples=50, rng=rng) == 0.0
    assert math.isnan(superiority(zero[:1], zero[:1], resamples=50, rng=rng))


def test_no_trade_has_no_mean_and_says_so_as_null():
    nothing = Trades(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))

    assert math.isnan(nothing.net_mean(0.001))
    assert trade_summary(nothing, 0.001, 0.0)["net_bps"] is None


def test_summary_counts_sides_and_subtracts_the_cost_once():
    trades = Trades(np.arange(3), np.array([1, -1, 1]), np.array([0.004, -0.001, 0.003]))
    found = trade_summary(trades, 0.002, 0.0)

    assert (found["long"], found["short"], found["win_rate"]) == (2, 1, pytest.approx(2 / 3))
    assert found["net_bps"] == pytest.approx(0.0, abs=1e-9)
    assert found["net_stressed_bps"] == pytest.approx(-10.0)
    assert found["net_long_bps"] == pytest.approx(15.0)


def test_a_constant_direction_has_no_auc_and_does_not_count_as_best(samples, random_forecast):
    flat = Forecast(random_forecast.p_hit, np.full(len(samples), 0.5))
    rng = np.random.default_rng(0)
    score = score_forecast(samples, flat, block=15, resamples=50, rng=rng)

    assert math.isnan(score.direction_auc)
    assert score.to_json()["direction_low"] is None
    assert best_direction({"flat": score}) == 0.5

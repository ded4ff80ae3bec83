import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helios_core.errors import RiskError
from helios_core.risk.config import RiskConfig, VolatilityConfig
from helios_core.risk.garch import GarchParams, filter_variance, fit_garch, start_variance
from helios_core.risk.volatility import forecast_volatility, point_at

T0 = np.datetime64("2024-03-01T00:00", "us")
MINUTE = np.timedelta64(60_000_000, "us")
SMALL = RiskConfig(volatility=VolatilityConfig(window_blocks=250, block_minutes=5))


def minutes(bars, start=0):
    return T0 + (start + np.arange(bars)) * MINUTE


def clustered(bars, seed=0, block=5, scale=1e-3):
    """Minute returns whose variance follows a GARCH(1,1) over blocks of minutes."""
    rng = np.random.default_rng(seed)
    params = GarchParams(0.0, 0.04 * scale**2 * block, 0.10, 0.86)
    out, variance = np.empty((bars // block + 1, block)), params.long_run
    for row in out:
        row[:] = rng.normal(0, math.sqrt(variance / block), block)
        variance = params.omega + params.alpha * row.sum() ** 2 + params.beta * variance
    return out.ravel()[:bars]


def quiet(bars):
    """Minute returns of one size: there is no variance to model, and no fit is accepted."""
    return np.where(np.arange(bars) % 2, 1e-4, -1e-4)


def test_independent_returns_have_their_own_standard_deviation():
    rng = np.random.default_rng(5)
    found = forecast_volatility(rng.normal(0, 1e-3, 20_000), 60, RiskConfig())

    assert np.sqrt(np.mean(found.sigma[2000:] ** 2)) == pytest.approx(1e-3, rel=0.05)
    assert np.sqrt(np.mean(found.sigma_horizon[2000:] ** 2)) == pytest.approx(
        1e-3 * math.sqrt(60), rel=0.05
    )


def test_garch_forecasts_clustered_variance_better_than_the_ewma_does():
    """QLIKE, the loss that does not depend on the noise of realized variance."""
    returns = clustered(40_000, block=15)
    only_ewma = RiskConfig(volatility=VolatilityConfig(window_blocks=9999, min_blocks=9999))
    rows = np.arange(6000, len(returns) - 60, 60)
    realized = np.array([(returns[i + 1 : i + 61] ** 2).sum() for i in rows])

    def loss(config):
        forecast = forecast_volatility(returns, 60, config, open_time=minutes(len(returns)))
        ratio = realized / forecast.sigma_horizon[rows] ** 2
        return float(np.mean(ratio - np.log(ratio) - 1))

    assert loss(RiskConfig()) < loss(only_ewma)


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 3100), start=st.integers(0, 2000), shock=st.floats(-5, 50))
def test_volatility_of_the_past_ignores_the_future(cut, start, shock):
    returns, times = clustered(3200), minutes(3200, start)
    shocked = np.concatenate([returns[:-cut], returns[-cut:] * shock])
    full = forecast_volatility(returns, 30, SMALL, open_time=times)
    changed = forecast_volatility(shocked, 30, SMALL, open_time=times)
    short = forecast_volatility(returns[:-cut], 30, SMALL, open_time=times[:-cut])
    keep = len(returns) - cut

    for name in ("sigma", "sigma_horizon", "method"):
        np.testing.assert_array_equal(getattr(full, name)[:keep], getattr(changed, name)[:keep])
        np.testing.assert_array_equal(getattr(full, name)[:keep], getattr(short, name))


def test_a_short_history_gives_what_a_long_one_gave():
    """A live decision reads recent bars, a backtest all of them."""
    returns, times = clustered(12_000, seed=2), minutes(12_000, 77)
    full = forecast_volatility(returns, 30, SMALL, open_time=times)
    recent = forecast_volatility(returns[-5000:], 30, SMALL, open_time=times[-5000:])
    fresh = np.array([not full.reasons[i] for i in full.reason[-1000:]])

    assert fresh.sum() > 500
    np.testing.assert_array_equal(recent.sigma[-1000:][fresh], full.sigma[-1000:][fresh])


def test_the_horizon_is_the_sum_over_its_bars():
    """Brute force: walk the forecast of every bar ahead, block by block."""
    returns = clustered(3000, seed=1)
    found = forecast_volatility(returns, 33, SMALL, open_time=minutes(3000))
    row = 2882  # the block under way has 3 of its 5 bars behind it, the refit is at 2880
    blocks = returns.reshape(-1, 5).sum(axis=1)
    past = blocks[576 - 250 : 576]
    params = fit_garch(past, SMALL.volatility).params
    ahead = filter_variance(past, params, start_variance(past, params))[-1]
    total, variance = 0.0, ahead
    for i in range(33):
        if i and (3 + i) % 5 == 0:
            variance = params.omega + params.persistence * variance
        total += variance / 5

    assert found.method[row] == "garch"
    assert found.sigma[row] == pytest.approx(math.sqrt(ahead / 5), rel=1e-12)
    assert found.sigma_horizon[row] == pytest.approx(math.sqrt(total), rel=1e-12)


@pytest.mark.parametrize("horizon", [1, 4, 5, 6, 60])
def test_without_a_fit_the_horizon_grows_with_the_square_root(horizon):
    found = forecast_volatility(clustered(400), horizon, SMALL)
    level = found.method == "ewma"

    assert level.sum() > 250
    np.testing.assert_allclose(
        found.sigma_horizon[level], found.sigma[level] * math.sqrt(horizon), rtol=1e-12
    )


def test_methods_follow_what_is_known():
    found = forecast_volatility(clustered(3000, seed=1), 10, SMALL, open_time=minutes(3000))

    assert list(dict.fromkeys(found.method.tolist())) == ["none", "rolling", "ewma", "garch"]
    assert np.isnan(found.sigma[:19]).all()
    assert np.isfinite(found.sigma[19:]).all()
    assert found.refits[0].row == 1440
    assert "of 2 GARCH fits accepted" in found.note


def test_a_refused_fit_leaves_a_reason_at_every_bar():
    found = forecast_volatility(quiet(3000), 10, SMALL, open_time=minutes(3000))
    point = point_at(found, -1)

    assert point.method == "ewma"
    assert point.note == found.refits[-1].fit.reason != ""
    assert found.refits[-1].fit.reason in found.note


def test_accepted_parameters_stand_in_for_a_week_and_no_longer():
    config = replace(SMALL, volatility=replace(SMALL.volatility, max_age_minutes=1440))
    returns = np.concatenate([clustered(1440 * 2, seed=1), quiet(4400)])
    found = forecast_volatility(returns, 10, config, open_time=minutes(len(returns)))
    notes = [point_at(found, 1440 * day + 700).note for day in (2, 3, 4)]

    assert found.refits[1].fit.accepted
    assert notes[0] == ""
    assert "24 hours old" in notes[1]
    assert found.method[1440 * 4 + 700] == "ewma"


def test_blocks_without_bars_are_bridged():
    returns, times = clustered(3000), minutes(3000)
    kept = np.ones(3000, dtype=bool)
    kept[1000:1400] = False
    found = forecast_volatility(returns[kept], 10, SMALL, open_time=times[kept])

    assert np.isfinite(found.sigma[100:]).all()


def test_unknown_returns_do_not_spread():
    returns = clustered(3000)
    returns[500:503] = np.nan
    found = forecast_volatility(returns, 10, SMALL, open_time=minutes(3000))

    assert np.isfinite(found.sigma[100:]).all()


def test_a_price_that_does_not_move_has_no_volatility():
    found = forecast_volatility(np.zeros(3000), 10, SMALL, open_time=minutes(3000))

    assert found.sigma[-1] == 0.0
    assert "do not move" in point_at(found, -1).note


def test_no_bars_give_no_rows():
    assert len(forecast_volatility(np.array([]), 10, SMALL)) == 0


def test_times_that_do_not_rise_are_refused():
    with pytest.raises(RiskError, match="rise"):
        forecast_volatility(np.zeros(3), 1, SMALL, open_time=minutes(3)[::-1])
    with pytest.raises(RiskError, match="3 returns"):
        forecast_volatility(np.zeros(3), 1, SMALL, open_time=minutes(4))
    with pytest.raises(RiskError, match="horizon"):
        forecast_volatility(np.zeros(3), 0, SMALL)

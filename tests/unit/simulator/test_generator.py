import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from helios_core.domain.market import require_candles
from helios_core.errors import UsageError
from helios_core.simulator.generator import (
    MEMORY,
    feedback,
    generate,
    generate_market,
    simulated_rules,
)

T0 = datetime(2025, 1, 1, tzinfo=UTC)
MONTH = 43_200


@pytest.fixture(scope="module")
def quiet():
    return generate("SIMBTCZAR", T0, MONTH, 7, 1_200_000.0)


@pytest.fixture(scope="module")
def planted():
    return generate("SIMBTCZAR", T0, MONTH, 7, 1_200_000.0, alpha=0.1)


def log_returns(frame):
    return np.diff(np.log(frame["close"].to_numpy()))


def autocorrelation(x, lag):
    x = x - x.mean()
    return float((x[lag:] * x[:-lag]).mean() / x.var())


def momentum(x, memory):
    """The textbook recursion, written apart from the generator."""
    total, out = 0.0, np.empty(len(x))
    for i, value in enumerate(x):
        total = memory * total + value
        out[i] = total
    return out


def test_the_same_seed_gives_the_same_market_and_another_seed_another():
    first = generate("SIMBTCZAR", T0, 500, 1, 100.0)

    assert first.equals(generate("SIMBTCZAR", T0, 500, 1, 100.0))
    assert first.equals(generate("SIMBTCZAR", T0, 500, np.random.default_rng(1), 100.0))
    assert not first.equals(generate("SIMBTCZAR", T0, 500, 2, 100.0))


def test_candles_are_valid_on_the_minute_grid_with_real_gaps(quiet):
    require_candles(quiet)
    step = quiet["open_time"].diff().drop_nulls()
    missing = MONTH - quiet.height

    assert quiet["open_time"][0] == T0
    assert quiet["open_time"][-1] == T0 + timedelta(minutes=MONTH - 1)
    assert (step.dt.total_seconds() % 60 == 0).all()
    assert 50 < missing < 0.03 * MONTH
    assert (step > timedelta(minutes=1)).sum() > 20
    assert (quiet["volume"] > 0).all()


def test_a_bar_opens_where_the_one_before_closed(quiet):
    adjacent = quiet["open_time"].diff().dt.total_minutes().to_numpy()[1:] == 1
    opens, closes = quiet["open"].to_numpy()[1:], quiet["close"].to_numpy()[:-1]

    np.testing.assert_allclose(opens[adjacent], closes[adjacent], rtol=1e-12)


def test_returns_have_heavy_tails_and_clustered_volatility(quiet):
    r = log_returns(quiet)
    z = (r - r.mean()) / r.std()
    noise = 1 / math.sqrt(len(r))

    assert (z**4).mean() > 4
    assert all(autocorrelation(np.abs(r), lag) > 10 * noise for lag in (1, 5, 30))


def test_highs_and_lows_agree_with_the_variance_of_the_closes(quiet):
    """Parkinson: E[(ln high/low)^2] = 4 ln 2 sigma^2; drawn apart, the two extremes stay close."""
    high_low = np.log(quiet["high"] / quiet["low"]).to_numpy()
    body = np.log(quiet["close"] / quiet["open"]).to_numpy()
    parkinson = (high_low**2).mean() / (4 * math.log(2))

    assert parkinson == pytest.approx((body**2).mean(), rel=0.15)


def test_volume_has_a_daily_shape(quiet):
    hour = quiet.with_columns(
        hour=pl.col("open_time").dt.hour(), quote=pl.col("volume") * pl.col("close")
    )
    by_hour = hour.group_by("hour").agg(pl.col("quote").median()).sort("hour")["quote"]

    assert 1.5 < by_hour[14] / by_hour[2] < 6


def test_without_alpha_returns_cannot_be_predicted_from_their_past(quiet):
    """Signs are free of the changing variance, so 1 / sqrt(n) is their standard error."""
    signs = np.sign(log_returns(quiet))
    noise = 1 / math.sqrt(len(signs))
    trend = momentum(signs, MEMORY)

    assert all(abs(autocorrelation(signs, lag)) < 4 * noise for lag in range(1, 11))
    assert abs(np.corrcoef(trend[:-1], signs[1:])[0, 1]) < 4 * noise


def test_a_planted_alpha_is_found_at_its_size(planted):
    r = log_returns(planted)
    trend = momentum(r, MEMORY)[:-1]
    ranks = np.corrcoef(trend.argsort().argsort(), r[1:].argsort().argsort())[0, 1]

    assert 0.06 < ranks < 0.12
    assert autocorrelation(np.sign(r), 1) > 0.0


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.3])
def test_the_planted_correlation_is_exact_in_the_linear_model(alpha):
    """Two million Gaussian steps of the recursion, simulated here, against the closed form."""
    k, rng = feedback(alpha), np.random.default_rng(3)
    noise = (math.sqrt(1 - alpha**2) * rng.standard_normal(2_000_000)).tolist()
    u, before, drawn = 0.0, [], []
    for z in noise:
        e = k * u + z
        before.append(u)
        drawn.append(e)
        u = MEMORY * u + e

    assert np.corrcoef(before, drawn)[0, 1] == pytest.approx(alpha, abs=0.01)
    assert np.std(drawn) == pytest.approx(1.0, abs=0.02)
    assert feedback(0.0) == 0.0


def test_pairs_of_a_market_move_together_and_alone_when_asked():
    """For Gaussians of correlation c, E[sign sign] = 2 / pi asin(c); tails drop out of signs."""
    prices = {"SIMBTCZAR": 1e6, "SIMETHZAR": 5e4}

    def agreement(level):
        frames = generate_market(prices, T0, 20_000, 5, correlation=level)
        both = frames["SIMBTCZAR"].join(frames["SIMETHZAR"], on="open_time", suffix="_b")
        a = np.sign((both["close"] - both["open"]).to_numpy())
        b = np.sign((both["close_b"] - both["open_b"]).to_numpy())
        return float((a * b).mean())

    assert agreement(0.6) == pytest.approx(2 / math.pi * math.asin(0.6), abs=0.03)
    assert abs(agreement(0.0)) < 0.03


@pytest.mark.parametrize("price", [1_200_000.0, 9.87, 0.00031])
def test_rules_of_a_generated_pair_fit_its_price(price):
    rules = simulated_rules("SIMXZAR", "ZAR", price)

    assert (rules.base, rules.quote, rules.simulated) == ("SIMX", "ZAR", True)
    assert float(rules.tick_size) < price * 1e-4
    assert rules.min_quantity % Decimal(1).scaleb(-rules.base_decimals) == 0
    assert float(rules.min_quantity) * price == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": datetime(2025, 1, 1)}, "aware"),  # noqa: DTZ001 - the naive time is the point
        ({"start": T0 + timedelta(seconds=1)}, "whole minute"),
        ({"minutes": 1}, "minutes must be"),
        ({"alpha": 0.6}, "alpha must be"),
        ({"price0": 0.0}, "positive first price"),
    ],
)
def test_an_argument_out_of_range_is_refused(changes, message):
    arguments = {"pair": "SIMXZAR", "start": T0, "minutes": 10, "seed": 1, "price0": 1.0}

    with pytest.raises(UsageError, match=message):
        generate(**{**arguments, **changes})
    with pytest.raises(UsageError, match="correlation"):
        generate_market({"SIMXZAR": 1.0}, T0, 10, 1, correlation=1.0)

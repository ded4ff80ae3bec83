"""Tiers 2 and 3 over time: what a row may know; a short history says what a long one does."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import CANDLE_SCHEMA, FeatureFrame, Timeframe
from helios_core.errors import ConfigError, DataError
from helios_core.forecast import Policy, closes_of, forecast, log_returns, opens_of, volatility_of
from helios_core.risk.config import RiskConfig, VolatilityConfig
from helios_core.simulator.generator import generate_market

T0 = datetime(2025, 1, 1, tzinfo=UTC)
PRICES = {"SIMBTCZAR": 1_200_000.0, "SIMETHZAR": 40_000.0}
MINUTES = 7_000
SMALL = RiskConfig(volatility=VolatilityConfig(block_minutes=5, window_blocks=250))
POLICY = Policy(quote="ZAR", horizon=60, risk=SMALL, window=600, history=4_003)


@pytest.fixture(scope="module")
def candles():
    return generate_market(PRICES, T0, MINUTES, 17)


def walk(bars, seed=1, *, minutes=None, jump=(0, 0.0)):
    """Candles of a random walk with 0.1 % a minute; a jump is (row, log size)."""
    steps = np.random.default_rng(seed).normal(0, 1e-3, bars)
    steps[jump[0]] += jump[1]
    close = 100 * np.exp(np.cumsum(steps))
    at = range(bars) if minutes is None else minutes
    times = [T0 + timedelta(minutes=int(m)) for m in at]
    columns = dict.fromkeys(("open", "high", "low", "close"), close)
    frame = {"pair": "SIMX", "timeframe": "1m", "open_time": times, **columns, "volume": 1.0}
    return pl.DataFrame(frame, schema=CANDLE_SCHEMA)


def features_of(frame):
    opened = opens_of(frame)
    values = np.zeros((len(opened), 1), np.float32)
    return FeatureFrame(frame["pair"][0], Timeframe.M1, opened, values, ("f",), "ab")


def scorer(p_up):
    def score(features, candles):
        n = len(features)
        p = np.full(n, p_up) if np.isscalar(p_up) else p_up
        known = {"barrier_up": np.full(n, 0.02), "barrier_down": np.full(n, 0.02)}
        return SignalFrame(
            features.pair, closes_of(candles, Timeframe.M1), p_sell=0.5 * (1 - p), p_buy=0.5 * p,
            p_hold=np.full(n, 0.5), p_hit=np.full(n, 0.5), p_up=p, horizon=30, model_id="m-1",
            **known,
        )  # fmt: skip

    return score


def test_a_short_history_says_what_a_long_one_does(candles):
    """A desk reads the last bars, a backtest all of them; blocks and refits hang on the clock."""
    recent = {pair: frame.tail(POLICY.history) for pair, frame in candles.items()}
    long, short = (forecast(frames, {}, None, POLICY) for frames in (candles, recent))
    compared = 0
    for a, b in zip(long.pairs, short.pairs, strict=True):
        fresh = np.array([not a.volatility.reasons[i] for i in a.volatility.reason[-500:]])
        for name in ("sigma", "sigma_horizon"):
            one, other = (getattr(f.volatility, name)[-500:] for f in (a, b))
            np.testing.assert_array_equal(one[fresh], other[fresh])
        np.testing.assert_array_equal(a.turnover[-500:], b.turnover[-500:])
        compared += int(fresh.sum())

    assert compared >= 300
    as_of = T0 + timedelta(minutes=MINUTES)
    np.testing.assert_array_equal(long.window(as_of, 600), short.window(as_of, 600))


def test_a_pair_that_trades_rarely_does_not_look_calm():
    """The oracle is the standard deviation that the walk was made with."""
    frame = walk(12_000)
    kept = np.random.default_rng(3).random(frame.height) < 0.7
    sigma = volatility_of(frame.filter(pl.Series(kept)), POLICY).sigma[3_000:]

    assert np.sqrt(np.mean(sigma**2)) == pytest.approx(1e-3, rel=0.07)


@pytest.mark.parametrize(("hole", "counted"), [(120, False), (2, True)])
def test_a_return_over_a_long_hole_is_not_taken_for_one_of_a_minute(hole, counted):
    minutes = np.arange(3_000)
    minutes[1_500:] += hole
    calm = volatility_of(walk(3_000, minutes=minutes), POLICY).sigma[1_500 + 12]
    jumped = volatility_of(walk(3_000, minutes=minutes, jump=(1_500, 0.2)), POLICY)

    assert (jumped.sigma[1_500 + 12] > 2 * calm) == counted
    assert math.isfinite(jumped.sigma[-1])


def test_the_first_return_is_not_known_and_the_others_are_those_of_the_closes():
    found = log_returns(np.array([1.0, math.e, 1.0]))

    assert math.isnan(found[0])
    assert found[1:] == pytest.approx([1.0, -1.0])


def test_turnover_is_the_mean_of_the_bars_that_are_there(candles):
    frame = candles["SIMBTCZAR"]
    found = forecast({"SIMBTCZAR": frame}, {}, None, POLICY).pairs[0].turnover
    quote = (frame["close"] * frame["volume"]).to_numpy()

    for row in (0, 5, 598, 599, 600, 5_000):
        assert found[row] == pytest.approx(quote[max(0, row - 599) : row + 1].mean(), rel=1e-12)


def test_returns_are_between_the_bars_that_all_pairs_have():
    one, other = walk(50, 1), walk(50, 2).with_columns(pl.lit("SIMY").alias("pair"))
    other = other.filter(pl.Series(np.arange(50) != 20))
    policy = replace(POLICY, window=5, history=100)
    found = forecast({"SIMX": one, "SIMY": other}, {}, None, policy)
    last = T0 + timedelta(minutes=22)  # close of bar 21
    expected = [
        [
            math.log(f["close"][b] / f["close"][a])
            for f, (a, b) in zip((one, other), rows, strict=True)
        ]
        for rows in (((18, 19), (18, 19)), ((19, 21), (19, 20)))
    ]

    assert len(found.common_at) == 49
    np.testing.assert_allclose(found.window(last, 2), expected, rtol=1e-9)
    assert found.window(last, 100).shape == (20, 2)
    assert found.window(T0, 100).shape == (0, 2)


def test_a_row_is_used_from_the_close_of_its_bar_on():
    one = forecast({"SIMX": walk(50)}, {}, None, POLICY).pairs[0]

    assert one.row_at(T0 + timedelta(seconds=59)) == -1
    assert one.row_at(T0 + timedelta(minutes=1)) == 0
    assert one.row_at(T0 + timedelta(minutes=10, seconds=59)) == 9
    assert one.row_at(T0 + timedelta(days=9)) == 49


def test_a_signal_is_the_models_and_abstains_where_it_has_none():
    frame = walk(50)
    p_up = np.full(50, 0.7)
    p_up[10] = np.nan
    one = forecast({"SIMX": frame}, {"SIMX": features_of(frame)}, scorer(p_up), POLICY).pairs[0]
    silent = forecast({"SIMX": frame}, {}, None, POLICY).pairs[0]

    assert (one.signal(9, 60).p_buy, one.signal(9, 60).horizon) == (pytest.approx(0.35), 30)
    assert one.signal(10, 60).abstained
    assert "warming up" in one.signal(10, 60).reason
    assert silent.signal(9, 60).reason == "no promoted model"
    assert silent.signal(9, 60).as_of == T0 + timedelta(minutes=10)


def test_a_bar_without_features_has_no_signal():
    frame = walk(50)

    def late(features, candles):
        return scorer(0.7)(features, candles.slice(1))

    given = {"SIMX": features_of(frame.slice(1))}
    one = forecast({"SIMX": frame}, given, late, POLICY).pairs[0]

    assert one.signal(0, 60).abstained
    assert not one.signal(1, 60).abstained


@pytest.mark.parametrize(
    ("frame", "score", "message"),
    [
        (walk(9).head(0), None, "found none"),
        (walk(9).with_columns(pl.lit("5m").alias("timeframe")), None, "found 5m"),
        (walk(9), scorer(0.5), "no features to score"),
    ],
)
def test_what_cannot_be_forecast_is_refused(frame, score, message):
    with pytest.raises(DataError, match=message):
        forecast({"SIMX": frame}, {}, score, POLICY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 0}, "horizon"),
        ({"window": 1}, "window"),
        ({"window": 5_000}, "history"),
        ({"max_age": timedelta(-1)}, "max_age"),
        ({"opening_cash": math.nan}, "opening_cash"),
        ({"timeframe": Timeframe.M5}, "bar_minutes"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(POLICY, **changes)

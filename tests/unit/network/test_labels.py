import math

import numpy as np
import pytest

from helios_core.errors import ModelError
from helios_core.network.config import LabelConfig
from helios_core.network.labels import (
    BOTH,
    DOWN,
    TIME_OUT,
    UP,
    bar_volatility,
    barriers,
    triple_barrier,
    uniqueness,
)


def brute_force(candles, up, down, horizon, t):
    """Outcome, settling row, long and short return of one label, read from the definition."""
    rows = candles.to_dicts()
    entry = rows[t + 1]["open"]
    for i in range(t + 1, t + horizon + 1):
        bar = rows[i]
        above, below = bar["high"] >= entry * (1 + up), bar["low"] <= entry * (1 - down)
        stop_long = min(entry * (1 - down), bar["open"]) / entry - 1
        stop_short = 1 - max(entry * (1 + up), bar["open"]) / entry
        if above and below:
            return 0, BOTH, i, stop_long, stop_short
        if above:
            return 1, UP, i, up, stop_short
        if below:
            return -1, DOWN, i, stop_long, down
    move = rows[t + horizon]["close"] / entry - 1
    return 0, TIME_OUT, t + horizon, move, -move


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_walk_through_every_bar(make_walk, seed):
    rng = np.random.default_rng(seed)
    minutes = np.delete(np.arange(400), [150, 151, 300])
    candles = make_walk(rng, 397, minutes=minutes)
    config = LabelConfig(horizon=12, cost=1e-4, halflife=20, k_up=0.8, k_down=0.6)
    labels = triple_barrier(candles, config)
    seen = {int(k) for k in labels.touch[labels.valid]}
    rows = np.flatnonzero(labels.valid)
    expected = [
        brute_force(candles, labels.barrier_up[t], labels.barrier_down[t], 12, t) for t in rows
    ]
    found = zip(
        labels.outcome[rows],
        labels.touch[rows],
        labels.end[rows],
        labels.long_return[rows],
        labels.short_return[rows],
        strict=True,
    )

    assert seen >= {TIME_OUT, UP, DOWN}
    assert len(rows) > 200
    for got, want in zip(found, expected, strict=True):
        assert got == pytest.approx(want, abs=1e-12)


def test_a_label_never_spans_a_hole_or_the_end(make_walk):
    minutes = np.delete(np.arange(300), [200])
    candles = make_walk(np.random.default_rng(0), 299, minutes=minutes)
    labels = triple_barrier(candles, LabelConfig(horizon=10, halflife=20))
    minute = {int(m) for m, ok in zip(minutes, labels.valid, strict=True) if ok}

    assert minute == set(range(21, 190)) | set(range(201, 290))


def test_a_bar_that_meets_both_barriers_is_hold_and_charges_both_stops(make_candles):
    calm = [100.0 + 0.1 * (i % 2) for i in range(30)]
    highs, lows = [c + 0.1 for c in calm], [c - 0.1 for c in calm]
    highs[25], lows[25] = 120.0, 80.0
    candles = make_candles(calm, highs, lows, calm)
    labels = triple_barrier(candles, LabelConfig(horizon=4, halflife=10, cost=0.01))

    assert (labels.touch[23], labels.outcome[23], labels.end[23]) == (BOTH, 0, 25)
    assert labels.long_return[23] == pytest.approx(-0.03)
    assert labels.short_return[23] == pytest.approx(-0.03)
    assert labels.net_return[23] == pytest.approx(-0.04)


def test_a_stop_that_is_jumped_over_fills_at_the_open(make_candles):
    calm = [100.0 + 0.1 * (i % 2) for i in range(40)]
    prices = calm[:25] + [90.0] * 15
    candles = make_candles(prices, [p + 0.2 for p in prices], [p - 0.2 for p in prices], prices)
    labels = triple_barrier(candles, LabelConfig(horizon=4, halflife=10, cost=0.01))

    assert labels.outcome[23 - 1] == -1
    assert labels.long_return[22] == pytest.approx(90.0 / prices[23] - 1)
    assert labels.short_return[22] == pytest.approx(0.03)


def test_barriers_are_never_nearer_than_the_cost_floor(make_walk):
    candles = make_walk(np.random.default_rng(1), 500, scale=1e-5)
    _, up, down = barriers(candles, LabelConfig(cost=0.002, cost_multiple=3, halflife=20))

    assert np.nanmax(up) == np.nanmin(up) == pytest.approx(0.006)
    assert np.nanmax(down) == pytest.approx(0.006)


def test_volatility_is_the_weighted_mean_of_squares_one_bar_late(make_walk):
    candles = make_walk(np.random.default_rng(2), 120)
    returns = np.diff(np.log(candles["close"].to_numpy()))
    t = 90
    past = returns[: t - 1]  # return i ends at bar i + 1; the newest allowed ends at bar t - 1
    weight = 0.5 ** (np.arange(len(past))[::-1] / 30)
    expected = math.sqrt(np.sum(weight * past**2) / np.sum(weight))

    assert bar_volatility(candles, LabelConfig(halflife=30))[t] == pytest.approx(
        expected, rel=1e-12
    )


def test_a_return_across_a_hole_does_not_count_as_volatility(make_candles):
    flat = [100.0] * 50 + [200.0] * 50
    minutes = [*range(50), *range(60, 110)]
    candles = make_candles(flat, flat, flat, flat, minutes=minutes)
    known = bar_volatility(candles, LabelConfig(halflife=10))

    assert np.nanmax(known) == 0.0


def test_uniqueness_agrees_with_counting_labels_bar_by_bar():
    rng = np.random.default_rng(3)
    start = np.sort(rng.integers(0, 80, 40))
    end = start + rng.integers(1, 15, 40)
    alive = [sum(s < bar <= e for s, e in zip(start, end, strict=True)) for bar in range(100)]
    expected = [
        np.mean([1 / alive[b] for b in range(s + 1, e + 1)])
        for s, e in zip(start, end, strict=True)
    ]

    assert uniqueness(start, end, 100) == pytest.approx(expected)


def test_labels_one_after_the_other_are_each_a_whole_sample():
    start = np.arange(0, 50, 5)

    assert uniqueness(start, start + 5, 60).sum() == pytest.approx(10)


def test_no_candles_is_told_apart_from_no_labels(make_walk):
    empty = make_walk(np.random.default_rng(0), 3).head(0)

    with pytest.raises(ModelError, match="import market data"):
        triple_barrier(empty, LabelConfig())


def test_labels_do_not_need_torch():
    import subprocess
    import sys

    code = (
        "import sys; import helios_core.network.labels, helios_core.network.splits, "
        "helios_core.network.metrics, helios_core.network.gates, helios_core.network.report; "
        "sys.exit('torch' in sys.modules or 'numba' in sys.modules or 'sklearn' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_times_are_those_of_the_candles(make_walk):
    candles = make_walk(np.random.default_rng(4), 200)
    labels = triple_barrier(candles, LabelConfig(horizon=10, halflife=20))
    closes = candles["open_time"].dt.offset_by("1m").dt.replace_time_zone(None)

    assert (labels.as_of == closes.to_numpy()).all()
    assert (labels.end_time[labels.valid] > labels.as_of[labels.valid]).all()

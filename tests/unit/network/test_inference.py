import math
from dataclasses import replace

import numpy as np
import pytest

from helios_core.errors import ModelError
from helios_core.network.inference import score, signal_at
from helios_core.network.labels import barriers

TOLERANCE = 1e-6  # a row may sit elsewhere in its batch, where the processor rounds differently
ARRAYS = ("p_sell", "p_hold", "p_buy", "p_hit", "p_up", "barrier_up", "barrier_down")


@pytest.fixture(scope="module")
def frame(trained, planted):
    return score(trained.model, planted.features, planted.candles)


def test_probabilities_sum_to_one_and_factor(frame):
    known = np.isfinite(frame.p_hit)
    total = (frame.p_sell + frame.p_hold + frame.p_buy)[known]

    assert known.sum() > 5000
    assert total == pytest.approx(np.ones(len(total)), abs=1e-12)
    assert frame.p_buy[known] == pytest.approx((frame.p_hit * frame.p_up)[known], abs=1e-12)


@pytest.mark.parametrize("end", [5000, 5477, 6000])
def test_the_last_row_alone_equals_its_row_in_the_whole_history(frame, trained, planted, cut, end):
    need = trained.model.config.shape.lookback
    piece = slice(end - need, end)
    tail = score(
        trained.model, cut(planted.features, piece), planted.candles.slice(end - 1500, 1500)
    )

    for name in ARRAYS:
        assert getattr(tail, name)[-1] == pytest.approx(
            getattr(frame, name)[end - 1], abs=TOLERANCE
        )


def test_the_future_does_not_change_a_signal(frame, trained, planted):
    values = planted.features.values.copy()
    values[3000:] *= -3
    shocked = score(trained.model, replace(planted.features, values=values), planted.candles)

    for name in ARRAYS:
        assert np.array_equal(
            getattr(frame, name)[:3000], getattr(shocked, name)[:3000], equal_nan=True
        )


def test_barriers_are_those_of_the_labels(frame, trained, planted):
    _, up, down = barriers(planted.candles, trained.model.config.label)

    assert np.array_equal(frame.barrier_up, up, equal_nan=True)
    assert np.array_equal(frame.barrier_down, down, equal_nan=True)


def test_a_signal_names_the_close_of_its_bar(frame, trained, planted):
    signal = signal_at(frame, -1)
    last = planted.candles["open_time"][-1]

    assert (signal.as_of - last).total_seconds() == 60
    assert signal.as_of.tzinfo is not None
    assert signal.model_id == trained.model.model_id
    assert not signal.abstained


def test_a_row_that_warms_up_abstains_and_says_why(frame):
    signal = signal_at(frame, 0)

    assert signal.abstained
    assert (signal.p_sell, signal.p_hold, signal.p_buy) == (0.0, 1.0, 0.0)
    assert "warming up" in signal.reason


def test_missing_candles_or_features_are_nan_not_a_guess(trained, planted):
    values = planted.features.values.copy()
    values[4000] = np.nan
    holes = planted.candles.filter(
        planted.candles["open_time"] != planted.candles["open_time"][4500]
    )
    found = score(trained.model, replace(planted.features, values=values), holes)
    empty = score(trained.model, planted.features, planted.candles.head(0))

    assert math.isnan(found.p_hit[4000])
    assert math.isnan(found.p_hit[4500])
    assert math.isfinite(found.p_hit[4501])
    assert np.isnan(empty.p_hit).all()


def test_a_pair_that_was_not_trained_on_is_scored_as_unknown(frame, trained, make_planted):
    other = make_planted(0, pair="SIMXRPZAR")
    found = score(trained.model, other.features, other.candles)

    assert np.isfinite(found.p_hit[-1])
    assert found.p_hit[-1] != frame.p_hit[-1]


def test_other_features_or_candles_are_refused(trained, planted, make_planted):
    stale = replace(planted.features, feature_set="00" * 32)
    other = make_planted(0, 100, pair="SIMXRPZAR")

    with pytest.raises(ModelError, match="train a new model"):
        score(trained.model, stale, planted.candles)
    with pytest.raises(ModelError, match="same pair"):
        score(trained.model, planted.features, other.candles)

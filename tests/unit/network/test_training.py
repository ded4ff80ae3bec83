import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from helios_core.errors import ModelError
from helios_core.network.config import LabelConfig, TrainConfig
from helios_core.network.gates import judge
from helios_core.network.samples import build_dataset
from helios_core.network.training import _thinned, evaluate, train


def test_a_planted_drift_is_found(trained):
    assert trained.report.model.direction_auc > 0.7
    assert trained.report.model.direction_low > 0.6
    assert trained.report.model.log_loss < trained.report.baselines["majority"].log_loss


def test_a_short_test_part_is_refused_however_good_it_looks(trained):
    verdict = judge(trained.model.model_id, trained.evidence)

    assert {"days", "trades"} <= {c.name for c in verdict.checks if not c.passed}
    assert trained.evidence.leaked == 0


def test_the_same_inputs_give_the_same_weights(make_planted, small_config):
    market = make_planted(1, 3000)
    config = replace(small_config, train=replace(small_config.train, epochs=1))
    seen = []
    runs = [
        train([market.features], [market.candles], config, progress=seen.append) for _ in range(2)
    ]
    one, two = (r.model.net.state_dict() for r in runs)
    other = train(
        [market.features], [market.candles],
        replace(config, train=replace(config.train, seed=8)),
    )  # fmt: skip

    assert all(torch.equal(one[k], two[k]) for k in one)
    assert runs[0].version == runs[1].version != other.version
    assert [e.number for e in seen] == [1, 1]


def test_thinning_keeps_every_pair_whatever_the_number_of_pairs(make_planted, small_config):
    """A stride over the samples of two pairs in time order would take one pair only."""
    markets = [make_planted(seed, 3000, pair=pair) for seed, pair in ((1, "SIMA"), (2, "SIMB"))]
    config = replace(small_config, train=replace(small_config.train, epochs=1, stride=2))
    data = build_dataset([m.features for m in markets], [m.candles for m in markets], config)
    kept = _thinned(data.samples, 2)
    numbers, counts = np.unique(kept.pair, return_counts=True)

    assert numbers.tolist() == [1, 2]
    assert abs(counts[0] - counts[1]) < 0.1 * counts.sum()
    assert len(kept) == pytest.approx(len(data.samples) / 2, rel=0.02)


def test_garbage_in_the_test_part_does_not_reach_scaler_weights_or_temperatures(
    make_planted, small_config
):
    market = make_planted(1, 3000)
    config = replace(small_config, train=replace(small_config.train, epochs=1))
    clean = train([market.features], [market.candles], config)
    values = market.features.values.copy()
    values[2600:] = 1e3 * np.sign(values[2600:])
    spoiled = train([replace(market.features, values=values)], [market.candles], config)
    one, two = clean.model.net.state_dict(), spoiled.model.net.state_dict()

    assert np.array_equal(clean.model.scaler.mean, spoiled.model.scaler.mean)
    assert np.array_equal(clean.model.scaler.std, spoiled.model.scaler.std)
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert clean.model.calibration == spoiled.model.calibration
    assert clean.report.threshold == spoiled.report.threshold


def test_metrics_are_plain_json_and_name_every_part(trained):
    found = json.loads(json.dumps(trained.metrics, allow_nan=False))

    assert found["parts"]["train"]["last"] < found["parts"]["validation"]["first"]
    assert set(found["baselines"]) == {"majority", "volatility", "momentum", "logistic"}
    assert 0 < found["effective_samples"] < found["parts"]["trained_on"]


def test_evaluating_again_on_the_same_data_gives_the_same_report(trained, planted):
    again = evaluate(trained.model, [planted.features], [planted.candles])

    assert again.to_json() == trained.report.to_json()


def test_evaluating_on_other_data_is_refused(trained, make_planted):
    other = make_planted(9)

    with pytest.raises(ModelError, match="other data"):
        evaluate(trained.model, [other.features], [other.candles])


def test_a_market_that_never_reaches_a_barrier_says_what_to_change(planted, small_config):
    far = replace(small_config, label=LabelConfig(horizon=15, cost=0.1))

    with pytest.raises(ModelError, match=r"found 0 SELL.*label.cost"):
        train([planted.features], [planted.candles], far)


def test_a_short_history_says_what_to_do(planted, small_config):
    late = replace(small_config, train=TrainConfig(warm_up=8900, embargo=60, device="cpu"))

    with pytest.raises(ModelError, match="longer history"):
        train([planted.features], [planted.candles], late)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_without_a_device_is_refused(planted, small_config):
    wish = replace(small_config, train=replace(small_config.train, device="cuda"))

    with pytest.raises(ModelError, match="no CUDA device"):
        train([planted.features], [planted.candles], wish)

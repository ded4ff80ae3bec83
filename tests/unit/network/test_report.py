"""The gate, proven: forecasts that know nothing never pass it, a planted edge does."""

from dataclasses import replace

import numpy as np
import pytest

from helios_core.network.baselines import Forecast
from helios_core.network.calibration import sigmoid
from helios_core.network.config import LabelConfig, NetworkConfig, TrainConfig
from helios_core.network.gates import judge
from helios_core.network.report import Exam, measure
from helios_core.network.samples import Samples

CONFIG = NetworkConfig(
    label=LabelConfig(horizon=60, cost=2e-4), train=TrainConfig(bootstrap=100, embargo=60)
)
HALF_HOURS = 48 * 130  # 130 days
WIDTH = 0.004


def market(rng, skill):
    """Outcomes every half hour; `skill` is how loud the log odds of a move and its side are."""
    hit_odds, up_odds = rng.normal(-0.2, skill, HALF_HOURS), rng.normal(0, skill, HALF_HOURS)
    hit = rng.random(HALF_HOURS) < sigmoid(hit_odds)
    up = rng.random(HALF_HOURS) < sigmoid(up_odds)
    outcome = np.where(hit, np.where(up, 1, -1), 0).astype(np.int8)
    as_of = np.datetime64("2024-01-01", "us") + np.arange(HALF_HOURS) * np.timedelta64(30, "m")
    drift = rng.normal(0, 1e-3, HALF_HOURS)
    width = np.full(HALF_HOURS, WIDTH)
    gross = np.where(outcome == 0, drift, outcome * WIDTH)
    index = np.arange(HALF_HOURS)
    samples = Samples(
        row=index, pair=np.ones(HALF_HOURS, np.int64), start=index, end=index + 1,
        as_of=as_of, end_time=as_of + np.timedelta64(60, "m"), outcome=outcome,
        barrier_up=width, barrier_down=width, long_return=gross, short_return=-gross,
        net_return=gross, horizon_return=gross, volatility=width, momentum=drift,
    )  # fmt: skip
    return samples, Forecast(sigmoid(hit_odds), sigmoid(up_odds))


def exam(seed, skill, *, guess):
    rng = np.random.default_rng(seed)
    (before, known_before), (test, known) = market(rng, skill), market(rng, skill)
    if guess:
        _, known_before = market(rng, 1.0)
        _, known = market(rng, 1.0)
    share = float((before.outcome != 0).mean())
    flat = np.ones(HALF_HOURS)
    plain = {
        "volatility": Forecast(share * flat, 0.5 * flat),
        "momentum": Forecast(share * flat, 0.5 + 0.01 * np.sign(test.momentum)),
    }
    return Exam(before, known_before, test, known, plain, (1.0, 1.0), "ab" * 32, 0)


def test_fifty_models_of_random_labels_are_all_refused():
    verdicts = [judge(f"m-{i}", measure(exam(i, 0.0, guess=True), CONFIG).evidence)
                for i in range(50)]  # fmt: skip

    assert [v.model_id for v in verdicts if v.passed] == []


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_edge_is_promoted(seed):
    report = measure(exam(seed, 1.0, guess=False), CONFIG)
    verdict = judge("planted", report.evidence)

    assert verdict.passed, verdict.reason
    assert report.evidence.trades == len(report.trades) >= 200


def test_a_planted_edge_is_refused_when_the_cost_eats_it():
    dear = replace(CONFIG, label=LabelConfig(horizon=60, cost=0.004))
    verdict = judge("dear", measure(exam(0, 1.0, guess=False), dear).evidence)

    assert "net_of_stressed_cost" in verdict.reason


def test_a_report_is_plain_json_with_every_baseline():
    import json

    found = measure(exam(0, 1.0, guess=False), CONFIG).to_json()

    assert set(found["baselines"]) == {"volatility", "momentum"}
    assert sum(b["count"] for b in found["hit_table"]) == HALF_HOURS
    assert json.loads(json.dumps(found, allow_nan=False)) == found

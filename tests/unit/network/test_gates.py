import json
import math
from dataclasses import fields, replace

import pytest

from helios_core.errors import ModelError
from helios_core.network.gates import GateEvidence, gate_evidence, judge

GOOD = GateEvidence(
    feature_set="ab" * 32,
    serving_feature_set="ab" * 32,
    label_schema="cd" * 32,
    serving_label_schema="cd" * 32,
    leaked=0,
    direction_auc=0.58,
    direction_auc_low=0.55,
    baseline_direction_auc=0.53,
    log_loss=0.9,
    volatility_log_loss=0.95,
    log_loss_p_value=0.001,
    trades=300,
    days=120.0,
    net_mean=0.0008,
    net_mean_stressed=0.0001,
    calibration_error=0.02,
    temperature_hit=1.1,
    temperature_direction=0.9,
    superiority=0.97,
)

SPOILED = {
    "no_leak": {"leaked": 1},
    "feature_schema": {"serving_feature_set": "ef" * 32},
    "label_schema": {"serving_label_schema": ""},
    "direction_auc": {"direction_auc_low": 0.51, "baseline_direction_auc": 0.5},
    "direction_baseline": {"baseline_direction_auc": 0.55},
    "log_loss": {"log_loss": 0.95},
    "trades": {"trades": 199},
    "days": {"days": 89.9},
    "net_of_cost": {"net_mean": 0.0},
    "net_of_stressed_cost": {"net_mean_stressed": -1e-9},
    "superiority": {"superiority": 0.89},
    "calibration": {"calibration_error": 0.0301},
    "temperature": {"temperature_direction": 5.01},
}


def test_evidence_that_meets_every_limit_passes():
    assert judge("helios-1", GOOD).passed


@pytest.mark.parametrize("name", SPOILED)
def test_each_check_refuses_alone(name):
    verdict = judge("helios-1", replace(GOOD, **SPOILED[name]))

    assert [c.name for c in verdict.checks if not c.passed] == [name]
    assert name in verdict.reason


def test_every_check_has_a_case_here():
    assert {c.name for c in judge("helios-1", GOOD).checks} == set(SPOILED)


@pytest.mark.parametrize("name", [f.name for f in fields(GateEvidence) if f.type in (float, int)])
def test_what_is_not_known_does_not_pass(name):
    verdict = judge("helios-1", replace(GOOD, **{name: math.nan}))

    assert verdict.passed is (name == "direction_auc")  # only its lower bound is judged


def test_a_p_value_that_is_too_large_refuses():
    assert not judge("helios-1", replace(GOOD, log_loss_p_value=0.05)).passed


def test_evidence_survives_json_with_unknown_values():
    odd = replace(GOOD, net_mean=math.nan)
    back = gate_evidence(json.loads(json.dumps(odd.to_json(), allow_nan=False)))

    assert math.isnan(back.net_mean)
    assert replace(back, net_mean=0.0) == replace(odd, net_mean=0.0)


@pytest.mark.parametrize("change", [{"trades": None}, {"luck": 1.0}])
def test_evidence_with_other_fields_is_refused(change):
    plain = {**GOOD.to_json(), **change}
    if "trades" in change:
        del plain["trades"]

    with pytest.raises(ModelError, match="evaluate the model again"):
        gate_evidence(plain)

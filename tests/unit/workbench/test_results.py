import json
import math
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from helios_core.workbench.notebooks import list_notebooks
from helios_core.workbench.results import RESULTS, Result, RiskResult, TourResult

TOUR = {
    "verdict": "no promoted model: flat",
    "simulated": True,
    "data_as_of": "2025-01-14T23:59:00Z",
    "candles": 20_000,
    "features": 72,
    "sigma_minute": 0.0006,
    "weight": 0.0,
    "orders": 0,
}
RISK = {
    "verdict": "at most nothing",
    "simulated": True,
    "as_of": datetime(2025, 1, 31, tzinfo=UTC),
    "sigma": {"BTCZAR": 0.001},
    "method": {"BTCZAR": "garch"},
    "size": {"BTCZAR": 0.0},
    "binding": {"BTCZAR": "signal"},
}


def test_every_notebook_has_a_type_of_result_and_the_other_way_round():
    assert sorted(RESULTS) == list_notebooks()


def test_no_two_notebooks_share_a_type():
    assert len(set(RESULTS.values())) == len(RESULTS)


@pytest.mark.parametrize("kind", RESULTS.values(), ids=lambda kind: kind.__name__)
def test_every_result_says_what_came_out_and_whether_the_market_was_generated(kind):
    assert issubclass(kind, Result)
    assert {"verdict", "simulated"} <= {n for n, f in kind.model_fields.items() if f.is_required()}


@pytest.mark.parametrize("kind", [Result, *RESULTS.values()], ids=lambda kind: kind.__name__)
def test_a_field_that_nobody_declared_is_refused(kind):
    assert kind.model_config["extra"] == "forbid"
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        kind.model_validate({"sharpe_ratio_of_the_century": 9.0})


def test_a_result_survives_the_ledger():
    """The ledger keeps JSON; what is read again is what was emitted."""
    emitted = RiskResult.model_validate({**RISK, "sigma": {"BTCZAR": 0.001, "ETHZAR": None}})
    kept = json.loads(emitted.model_dump_json())

    assert RiskResult.model_validate(kept) == emitted
    assert kept["as_of"] == "2025-01-31T00:00:00Z"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_could_not_be_computed_is_refused(number):
    """JSON would turn it into null, which the reader of the result does not expect."""
    with pytest.raises(ValidationError, match="finite number"):
        TourResult.model_validate({**TOUR, "sigma_minute": number})
    with pytest.raises(ValidationError, match="finite number"):
        RiskResult.model_validate({**RISK, "size": {"BTCZAR": number}})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"verdict": ""}, "verdict"),
        ({"candles": 1.5}, "candles"),
        ({"data_as_of": "yesterday"}, "data_as_of"),
        ({"weight": None}, "weight"),
    ],
)
def test_a_field_of_another_type_is_named(change, field):
    with pytest.raises(ValidationError, match=field):
        TourResult.model_validate({**TOUR, **change})


def test_a_result_cannot_be_changed_after_it_was_made():
    with pytest.raises(ValidationError, match="frozen"):
        TourResult.model_validate(TOUR).weight = 1.0

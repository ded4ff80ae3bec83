import pytest

from helios_core.errors import UsageError
from helios_core.orchestration.answers import Deployment
from helios_core.orchestration.parameters import parse_flow_parameters

SCHEMA = {
    "properties": {
        "pairs": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        "seed": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "share": {"type": "number"},
        "force_model": {"type": "boolean"},
        "as_of": {"type": "string"},
        "mode": {"type": "string", "enum": ["paper", "live"]},
        "about": {"type": "object"},
    }
}
TRADE = Deployment(id="1", name="trade", flow_id="f", parameter_openapi_schema=SCHEMA)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pairs=BTCZAR,ETHZAR", ["BTCZAR", "ETHZAR"]),
        ('pairs=["BTCZAR"]', ["BTCZAR"]),
        ("pairs=BTCZAR", ["BTCZAR"]),
        ("seed=7", 7),
        ("share=0.5", 0.5),
        ("force_model=yes", True),
        ("force_model=False", False),
        ("as_of=2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00+00:00"),
        ("as_of=a=b", "a=b"),
        ("as_of=", ""),
        ("mode=live", "live"),
        ('about={"a": 1}', {"a": 1}),
    ],
)
def test_a_text_is_read_by_the_type_of_the_parameter(text, expected):
    name = text.partition("=")[0]

    assert parse_flow_parameters(TRADE, [text]) == {name: expected}


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["seed"], "name=value"),
        (["=1"], "name=value"),
        (["seed=1", "seed=2"], "twice"),
        (["sead=1"], "did you mean seed"),
        (["zzz=1"], "it has pairs"),
        (["seed=many"], "integer"),
        (["seed=1.5"], "integer"),
        (["share=half"], "number"),
        (["force_model=maybe"], "boolean"),
        (["mode=backtest"], "paper, live"),
        (["pairs=[1"], "array"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(texts, reason):
    with pytest.raises(UsageError, match=reason):
        parse_flow_parameters(TRADE, texts)

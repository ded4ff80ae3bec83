from dataclasses import fields

import pytest

from helios_core.errors import ConfigError
from helios_core.risk.config import RiskConfig, VolatilityConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kelly_fraction", 0.0),
        ("kelly_fraction", float("nan")),
        ("max_weight", 1.01),
        ("max_drawdown", 0.0),
        ("target_volatility", float("inf")),
        ("max_leverage", -1.0),
    ],
)
def test_a_risk_setting_out_of_range_is_named(field, value):
    with pytest.raises(ConfigError, match=field):
        RiskConfig(**{field: value})


@pytest.mark.parametrize("config", [RiskConfig, VolatilityConfig])
def test_every_number_has_a_range(config):
    """NaN lies in no range, so each numeric field must refuse it."""
    for field in fields(config):
        if field.type in (int, float):
            with pytest.raises(ConfigError, match=field.name):
                config(**{field.name: float("nan")})


@pytest.mark.parametrize(
    "wrong",
    [
        {"block_minutes": 7, "bar_minutes": 5},
        {"refit_minutes": 100, "block_minutes": 15},
        {"min_blocks": 500, "window_blocks": 400},
        {"min_persistence": 0.9, "max_persistence": 0.8},
    ],
)
def test_volatility_settings_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        VolatilityConfig(**wrong)


def test_the_decay_of_a_block_compounds_to_that_of_an_hour():
    config = VolatilityConfig(block_minutes=15, ewma_decay_hourly=0.97)

    assert config.block_decay**4 == pytest.approx(0.97)

from dataclasses import fields
from datetime import timedelta

import pytest

from helios_core.errors import ConfigError
from helios_core.strategy.config import StrategyConfig


@pytest.mark.parametrize("name", [field.name for field in fields(StrategyConfig)])
@pytest.mark.parametrize("value", [float("nan"), -1.0, 1e6])
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(ConfigError, match=f"strategy {name}"):
        StrategyConfig(**{name: value})


def test_validity_is_in_minutes():
    assert StrategyConfig(valid_minutes=90).valid_for == timedelta(hours=1.5)

from dataclasses import fields

import pytest

from helios_core.errors import ConfigError
from helios_core.portfolio.config import PortfolioConfig


@pytest.mark.parametrize("name", [field.name for field in fields(PortfolioConfig)])
@pytest.mark.parametrize("value", [float("nan"), -1.0, float("inf")])
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(ConfigError, match=f"portfolio {name}"):
        PortfolioConfig(**{name: value})

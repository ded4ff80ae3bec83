"""Limits of what a decision may read."""

import pytest

from helios_core.errors import ConfigError
from helios_core.market.config import MarketConfig


def test_the_defaults_read_a_fortnight_and_accept_bars_of_five_minutes():
    config = MarketConfig()

    assert (config.max_age_minutes, config.history) == (5, 14 * 1440)


@pytest.mark.parametrize(
    "field",
    [{"max_age_minutes": -1}, {"max_age_minutes": 10_081}, {"history": 4_319}],
    ids=lambda field: next(iter(field)),
)
def test_a_value_out_of_range_names_its_field_and_limits(field):
    with pytest.raises(ConfigError, match=f"market {next(iter(field))} must be from"):
        MarketConfig(**field)

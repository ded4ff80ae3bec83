import math

import pytest

from helios_core.risk.config import RiskConfig
from helios_core.risk.leverage import leverage, liquidation_cap, spread
from helios_core.risk.volatility import VolatilityPoint

CONFIG = RiskConfig()


def point(sigma_day):
    """An hour ahead, with the volatility of a day given."""
    sigma = sigma_day / math.sqrt(1440)
    return VolatilityPoint(sigma, sigma * math.sqrt(60), 60, "garch")


@pytest.mark.parametrize(("sigma_day", "most"), [(0.04, 3.8), (0.08, 2.4)])
def test_the_liquidation_rule_gives_the_tabled_leverage(sigma_day, most):
    """Maintenance margin 10 %, four daily standard deviations away."""
    assert liquidation_cap(sigma_day, CONFIG) == pytest.approx(most, abs=0.05)


def test_volatility_scales_with_the_square_root_of_time():
    assert spread(point(0.04), CONFIG, "day") == pytest.approx(0.04)
    assert spread(point(0.04), CONFIG, "year") == pytest.approx(0.04 * math.sqrt(365))


@pytest.mark.parametrize(
    ("pair", "kelly", "sigma_day", "binding", "value"),
    [
        ("BTCUSDTPERP", 0.1, 0.02, "kelly", 0.1),
        ("BTCUSDTPERP", 9.0, 0.02, "volatility_target", 0.2 / (0.02 * math.sqrt(365))),
        ("BTCUSDTPERP", 9.0, 0.001, "policy", 3.0),
        ("BTCZAR", 9.0, 0.001, "spot", 1.0),
    ],
)
def test_the_smallest_cap_binds(pair, kelly, sigma_day, binding, value):
    found = leverage(pair, kelly, point(sigma_day), CONFIG)

    assert found.binding == binding
    assert found.value == pytest.approx(value)
    assert found.value == min(cap for _, cap in found.caps)


def test_liquidation_binds_where_the_target_is_loose():
    found = leverage("BTCUSDTPERP", 9.0, point(0.08), RiskConfig(target_volatility=10.0))

    assert found.binding == "liquidation"
    assert found.value == pytest.approx(1 / 0.42)


def test_spot_has_no_leverage_and_a_perpetual_may():
    names = [name for name, _ in leverage("BTCUSDTPERP", 1.0, point(0.02), CONFIG).caps]

    assert "spot" not in names

from dataclasses import replace

import pytest

from helios_core.errors import ConfigError
from helios_core.network.config import (
    SHAPES,
    LabelConfig,
    NetworkConfig,
    TrainConfig,
    network_config,
)


def test_a_config_survives_its_own_json():
    config = NetworkConfig(size="production", label=LabelConfig(horizon=30, cost=0.007))

    assert network_config(config.to_json()) == config


@pytest.mark.parametrize("change", [{"colour": 1}, {"label": {"horizons": 3}}, {"label": None}])
def test_json_that_is_not_a_config_is_refused_by_name(change):
    with pytest.raises(ConfigError, match="fields of NetworkConfig"):
        network_config({**NetworkConfig().to_json(), **change})


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: LabelConfig(horizon=0), "horizon"),
        (lambda: LabelConfig(cost=float("nan")), "cost"),
        (lambda: LabelConfig(cost_multiple=2.9), "cost_multiple"),
        (lambda: LabelConfig(cost=0.2, cost_multiple=5), "smallest barrier"),
        (lambda: TrainConfig(test_share=0.9), "test_share"),
        (lambda: TrainConfig(device="tpu"), "device"),
        (lambda: NetworkConfig(size="huge"), "size"),
        (lambda: NetworkConfig(train=TrainConfig(embargo=10)), "embargo"),
        (lambda: NetworkConfig(feeds=((5, 5),)), "feeds"),
    ],
)
def test_a_value_out_of_range_is_named(make, word):
    with pytest.raises(ConfigError, match=word):
        make()


def test_the_label_schema_changes_with_every_rule():
    plain = LabelConfig()
    others = [replace(plain, **c) for c in ({"horizon": 61}, {"cost": 0.003}, {"k_up": 1.1})]

    assert len({plain.schema, *(o.schema for o in others)}) == 4


def test_the_production_shape_has_37_tokens_and_sees_16_hours():
    shape = SHAPES["production"]

    assert (shape.tokens, shape.lookback) == (37, 1 + 63 * 15)

from dataclasses import replace

import numpy as np
import pytest

from helios_core.errors import ModelError
from helios_core.network.samples import barrier_context, build_dataset, sample_weights


def test_every_sample_points_at_its_own_features(planted, small_config):
    data = build_dataset([planted.features], [planted.candles], small_config)
    bar = np.timedelta64(1, "m")
    at = np.searchsorted(planted.features.open_time, data.samples.as_of - bar)

    assert np.array_equal(
        data.values[data.samples.row], planted.features.values[at], equal_nan=True
    )
    assert at.min() >= small_config.train.warm_up


def test_two_pairs_share_the_block_and_never_each_others_windows(make_planted, small_config):
    markets = [make_planted(i, 1500, pair=p) for i, p in enumerate(("SIMBTCZAR", "SIMETHZAR"))]
    data = build_dataset([m.features for m in markets], [m.candles for m in markets], small_config)
    lookback = small_config.shape.lookback
    second = data.samples.row[data.samples.pair == 2]
    boundary = lookback - 1 + 1500

    assert data.samples.row[data.samples.pair == 1].max() < boundary
    assert second.min() - lookback + 1 >= boundary
    assert np.isnan(data.values[boundary : boundary + lookback - 1]).all()
    assert (np.diff(data.samples.as_of) >= np.timedelta64(0)).all()


def test_weights_are_uniqueness_times_root_return_times_age(planted, small_config):
    data = build_dataset([planted.features], [planted.candles], small_config)
    apart = data.samples.take(np.arange(0, len(data.samples), 20))  # 20 minutes, labels last 15
    weight, effective = sample_weights(apart, age_days=1e9)
    root = np.sqrt(np.abs(apart.net_return))

    assert effective == pytest.approx(len(apart))
    assert weight == pytest.approx(root / root.mean())


def test_old_samples_weigh_less(planted, small_config):
    data = build_dataset([planted.features], [planted.candles], small_config)
    even, _ = sample_weights(data.samples, age_days=1e9)
    aged, _ = sample_weights(data.samples, age_days=1.0)
    ratio = aged / even
    days = (data.samples.as_of[-1] - data.samples.as_of[0]) / np.timedelta64(1, "D")

    assert ratio[-1] / ratio[0] == pytest.approx(np.exp(days))


def test_context_tells_volatility_and_how_many_of_them_a_barrier_is_away():
    found = barrier_context(np.array([0.01]), np.array([0.02]), np.array([0.005]))

    assert found[0] == pytest.approx(np.log([0.01, 2.0, 0.5]), rel=1e-6)


def test_content_changes_with_any_price_or_feature(planted, small_config):
    def content(features, candles):
        return build_dataset([features], [candles], small_config).content

    values = planted.features.values.copy()
    values[3000, 0] += 1e-3
    raised = planted.candles.with_columns(high=planted.candles["high"] * 1.0000001)
    found = {
        content(planted.features, planted.candles),
        content(replace(planted.features, values=values), planted.candles),
        content(planted.features, raised),
    }

    assert len(found) == 3
    assert content(planted.features, planted.candles) in found


def test_what_does_not_belong_together_is_refused_with_advice(planted, small_config, cut):
    features, candles = planted.features, planted.candles
    other = candles.with_columns(pair=candles["pair"].str.replace("BTC", "ETH"))
    narrow = replace(features, values=features.values[:, :5], names=features.names[:5])
    blind = replace(features, values=np.full_like(features.values, np.nan))
    later = replace(features, open_time=features.open_time + np.timedelta64(400, "D"))
    cases = [
        ([], [], "one candle frame"),
        ([features], [other], "same pair"),
        ([features], [candles.head(0)], "import market data"),
        ([narrow], [candles], "expected 90 features"),
        ([blind], [candles], "features are NaN"),
        ([later], [candles], "opens with a candle"),
        ([cut(features, slice(0, 150))], [candles], "longer history"),
        ([features] * 64, [candles] * 64, "raise max_pairs"),
    ]
    for frames, bars, word in cases:
        with pytest.raises(ModelError, match=word):
            build_dataset(frames, bars, small_config)

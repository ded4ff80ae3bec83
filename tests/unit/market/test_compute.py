"""What a feature frame promises: rows, warm-up, ranges, masks, missing minutes."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from helios_core.domain.market import Timeframe
from helios_core.errors import DataError
from helios_core.market.candles import resample
from helios_core.market.catalogue import CATALOGUE, FEATURE_NAMES, FEATURE_SET, implemented
from helios_core.market.compute import compute_features, coverage
from helios_core.market.config import SETTLED, MarketConfig
from helios_core.simulator.generator import generate

T0 = datetime(2025, 1, 1, tzinfo=UTC)


def limit_of(spec):
    """What the catalogue promises; a value that is bounded by itself lies in [-1, 1]."""
    if spec.name == "trend_vortex_ind_diff":
        return np.inf
    if "rz(" in spec.normalization:
        return 5
    if "clip " in spec.normalization and "clip 0" not in spec.normalization:
        return float(spec.normalization.rsplit("clip ", 1)[1])
    return 1


def test_there_is_a_row_for_each_candle_and_a_column_for_each_feature(known):
    features = known.features
    opened = known.candles["open_time"].dt.replace_time_zone(None).to_numpy()

    assert features.names == FEATURE_NAMES
    assert features.feature_set == FEATURE_SET
    assert features.timeframe == Timeframe.M1
    assert features.values.dtype == np.float32
    assert np.array_equal(features.open_time, opened)


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_a_column_is_known_from_its_warm_up_on_or_never(real, spec):
    """Real minutes without holes: a fixed number of bars, and nothing unknown after it."""
    found = np.isfinite(real.column(spec.name))

    assert not found[: spec.warm_up].any()
    assert found[spec.warm_up :].all() == spec.computed
    assert found.any() == spec.computed


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_normalized_values_lie_within_their_range(known, spec):
    values = known.column(spec.name)
    values = values[np.isfinite(values)]

    assert len(values) == 0 or np.abs(values).max() <= limit_of(spec)


def test_candle_and_time_features_vary_and_none_copies_another(real_candles):
    values = compute_features(real_candles.slice(0, 12_000)).values[2_000:]
    values = values[:, [FEATURE_NAMES.index(name) for name in implemented()]].astype(float)
    correlation = np.abs(np.corrcoef(values.T)) - np.eye(values.shape[1])
    pairs = {
        frozenset((implemented()[i], implemented()[j])) for i, j in np.argwhere(correlation > 0.975)
    }

    assert np.isfinite(values).all()
    assert values.std(axis=0).min() > 0.05
    assert pairs == {frozenset(("trend_cci", "volatility_bbp"))}


def test_where_the_history_began_shows_no_longer_in_what_is_traded(real_candles):
    """Live reads `history` bars, a backtest all of them; training skips 4,320."""
    history = MarketConfig().history
    start = len(real_candles) - history
    everything = compute_features(real_candles).values[start:]
    recent = compute_features(real_candles.slice(start)).values
    skipped = np.abs(everything - recent)[SETTLED:]

    np.testing.assert_allclose(recent[-1], everything[-1], atol=1e-6)
    assert np.nanmax(skipped) < 1e-3
    assert np.nanmean(skipped > 1e-6) < 0.02  # the deviation of 15-minute returns fades slowest


def test_a_minute_without_a_candle_counts_as_a_bar_without_volume_and_has_no_row(known):
    """Leaving out the candles that say nothing changes no row of the others."""
    quiet = pl.int_range(pl.len()).is_in([700, 701, 1500, 2222])
    close = pl.when(~quiet).then("close").forward_fill()
    told = known.candles.head(3_000).with_columns(
        *(pl.when(quiet).then(close).otherwise(p).alias(p) for p in ("open", "high", "low")),
        close=close,
        volume=pl.when(quiet).then(0.0).otherwise("volume"),
    )
    left_out = compute_features(told.filter(~quiet))
    kept = compute_features(told)
    rows = ~told.select(quiet).to_series().to_numpy()

    assert len(left_out) == len(kept) - 4
    assert np.array_equal(left_out.values, kept.values[rows], equal_nan=True)


@pytest.mark.parametrize(("missing", "restarts"), [(1_440, False), (1_441, True)])
def test_after_a_day_without_candles_everything_starts_anew(missing, restarts):
    before = generate("SIMX", T0, 2_000, 1, 100.0)
    again = before["open_time"][-1] + timedelta(minutes=missing + 1)
    after = generate("SIMX", again, 800, 2, 100.0)
    features = compute_features(pl.concat([before, after])).values[len(before) :]
    fresh = compute_features(after).values

    assert np.array_equal(features, fresh, equal_nan=True) == restarts


def test_bars_without_volume_or_range_leave_no_infinite_value_and_no_false_zero(candle_frame):
    """Half an illiquid day: the price moves every 90 minutes, otherwise nothing is traded."""
    prices = 100 + np.repeat(np.arange(40) % 3, 90)
    rows = [(p, p, p, p, float(i % 90 == 0)) for i, p in enumerate(prices)]
    features = compute_features(candle_frame(rows))
    last = features.to_polars().row(-1, named=True)

    assert not np.isinf(features.values).any()
    assert last["bar_body"] == last["bar_clv"] == 0
    for name in ("momentum_stoch", "volatility_bbp", "volatility_dcp", "trend_cci", "volume_cmf",
                 "volume_vwap", "jump_60", "autocorr_60", "trend_vortex_ind_diff"):  # fmt: skip
        assert last[name] is None, name


def test_one_candle_gives_one_row(candle_frame):
    features = compute_features(candle_frame([(1, 2, 1, 2, 3)]))
    known = [name for name, fine in zip(FEATURE_NAMES, features.mask[0], strict=True) if fine]

    assert known == [
        "bar_body", "bar_upper_wick", "bar_lower_wick", "bar_clv",
        "t_tod_sin", "t_tod_cos", "t_dow_sin", "t_dow_cos", "t_to_funding",
    ]  # fmt: skip


def test_other_timeframes_odd_times_and_no_candles_are_refused(known, candle_frame):
    with pytest.raises(DataError, match="computed from 1m candles, found 5m"):
        compute_features(resample(known.candles, Timeframe.M5))
    with pytest.raises(DataError, match="opens at a whole minute"):
        compute_features(candle_frame([(1, 1, 1, 1, 1)], T0 + timedelta(seconds=5)))
    with pytest.raises(DataError, match="found none"):
        compute_features(known.candles.head(0))


def test_coverage_counts_what_is_known(real):
    table = coverage(real.features)
    rsi = table.row(FEATURE_NAMES.index("momentum_rsi"), named=True)
    book = table.row(FEATURE_NAMES.index("ob_spread_bps"), named=True)
    values = real.column("momentum_rsi")

    assert table["name"].to_list() == list(FEATURE_NAMES)
    assert (rsi["group"], rsi["computed"]) == ("momentum", True)
    assert rsi["finite_share"] == pytest.approx(1 - 13 / len(values))
    assert rsi["mean"] == pytest.approx(np.nanmean(values))
    assert rsi["std"] == pytest.approx(np.nanstd(values))
    assert (book["computed"], book["finite_share"], book["mean"]) == (False, 0, None)

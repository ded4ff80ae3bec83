from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest

from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import FeatureFrame, Timeframe
from helios_core.errors import DataError, NotFoundError, StoreError
from helios_core.market.catalogue import FEATURE_NAMES, FEATURE_SET
from helios_core.store import research
from helios_core.store.copying import Merged

T0 = datetime(2024, 1, 1, tzinfo=UTC)
FAR = datetime(2030, 1, 1, tzinfo=UTC)
M1 = Timeframe.M1
MODEL = """
INSERT INTO ml_models (model_id, name, version, weights_sha256, feature_set, label_schema, config,
    metrics, data_from, data_to, seed, commit, parameters, trained_at)
VALUES ('net-1', 'net', '1', '', '', '', '{}', '{}', now(), now(), 1, '', 1, now())
"""


def times(rows):
    return np.datetime64("2024-01-01T00:00", "us") + np.arange(rows) * np.timedelta64(60, "s")


def features(rows, seed=1, **changes):
    values = np.random.default_rng(seed).normal(size=(rows, 90)).astype(np.float32)
    values[:3, :40] = np.nan  # warming up
    values[:, 89] = np.nan  # not computed
    fields = {
        "pair": "BTCUSDT", "timeframe": M1, "open_time": times(rows), "values": values,
        "names": FEATURE_NAMES, "feature_set": FEATURE_SET,
    }  # fmt: skip
    return FeatureFrame(**(fields | changes))


def signals(rows):
    probabilities = np.random.default_rng(2).dirichlet([1, 1, 1], rows).T
    p_sell, p_hold, p_buy = probabilities
    p_sell[:2] = np.nan
    flat = np.full(rows, 0.01)
    return SignalFrame(
        pair="BTCUSDT", as_of=times(rows), p_sell=p_sell, p_hold=p_hold, p_buy=p_buy,
        p_hit=1 - p_hold, p_up=np.full(rows, 0.5), barrier_up=flat, barrier_down=flat, horizon=15,
        model_id="net-1",
    )  # fmt: skip


def test_a_feature_set_is_saved_once(db):
    names = [f"f{i}" for i in range(90)]
    first = research.save_feature_set(db, "a" * 64, names)

    assert research.save_feature_set(db, "a" * 64, names) == first
    assert research.feature_set(db, "a" * 64) == (first, tuple(names))


def test_a_hash_with_other_names_is_refused(db):
    with pytest.raises(StoreError, match="new version"):
        research.save_feature_set(db, FEATURE_SET, [f"f{i}" for i in range(90)])


def test_features_survive_the_store_bit_for_bit(db):
    written = features(500)
    done = research.write_features(db, written, "run-1")
    found = research.read_features(db, "BTCUSDT", M1, FEATURE_SET, T0, FAR)

    assert done == Merged(500, 0, 0)
    assert found.values.dtype == np.float32
    assert found.open_time.dtype == np.dtype("datetime64[us]")
    np.testing.assert_array_equal(found.values.view(np.uint32), written.values.view(np.uint32))
    np.testing.assert_array_equal(found.open_time, written.open_time)


def test_features_written_twice_change_no_row_also_under_another_run(db):
    state = "SELECT xmin::text, ctid::text, run_id FROM engineered_features ORDER BY open_time"
    research.write_features(db, features(50), "run-1")
    before = db.execute(state).fetchall()
    done = research.write_features(db, features(50), "run-2")

    assert done == Merged(0, 0, 50)
    assert db.execute(state).fetchall() == before


def test_changed_features_are_replaced_and_get_the_new_run(db):
    research.write_features(db, features(50), "run-1")
    done = research.write_features(db, features(50, seed=2), "run-2")
    runs = db.execute("SELECT DISTINCT run_id FROM engineered_features").fetchall()

    assert (done, runs) == (Merged(0, 50, 0), [("run-2",)])


def test_a_range_of_features_holds_its_start_and_not_its_end(db):
    research.write_features(db, features(10), None)
    ends = T0 + timedelta(minutes=3), T0 + timedelta(minutes=6)
    found = research.read_features(db, "BTCUSDT", M1, FEATURE_SET, *ends)

    np.testing.assert_array_equal(found.open_time, times(10)[3:6])


def test_no_features_are_an_empty_frame(db):
    found = research.read_features(db, "BTCUSDT", M1, FEATURE_SET, T0, FAR)

    assert found.values.shape == (0, 90)
    assert research.write_features(db, features(0), "run-1") == Merged(0, 0, 0)


def test_features_of_another_catalogue_are_refused(db):
    with pytest.raises(NotFoundError, match="helios db migrate"):
        research.write_features(db, features(5, feature_set="b" * 64), None)
    with pytest.raises(DataError, match="named otherwise"):
        research.write_features(db, features(5, names=FEATURE_NAMES[::-1]), None)


def test_predictions_are_stored_once_and_only_where_they_are_usable(db):
    db.execute(MODEL)
    written = signals(20)
    first = research.write_predictions(db, written, M1, "run-1")
    second = research.write_predictions(db, written, M1, "run-2")
    rows = db.execute(
        "SELECT ts, p_sell, p_buy, horizon FROM ml_predictions ORDER BY ts"
    ).fetchall()

    assert (first, second) == (Merged(18, 0, 0), Merged(0, 0, 18))
    assert [row[1:] for row in rows] == [
        (float(s), float(b), 15) for s, b in zip(written.p_sell[2:], written.p_buy[2:], strict=True)
    ]
    assert rows[0][0] == T0 + timedelta(minutes=2)


def test_predictions_of_an_unregistered_model_are_refused(db):
    with pytest.raises(psycopg.errors.ForeignKeyViolation), db.transaction():
        research.write_predictions(db, signals(5), M1, None)


def test_volatility_is_stored_once_and_only_where_it_is_finite(db):
    sigma = np.array([np.nan, 0.01, 0.02, np.inf])
    written = ("BTCUSDT", "garch", (times(4), sigma))
    first = research.write_volatility(db, *written, horizon=15, run_id="run-1")
    second = research.write_volatility(db, *written, horizon=15, run_id="run-2")
    rows = db.execute("SELECT ts, sigma, run_id FROM volatility_forecasts ORDER BY ts").fetchall()

    assert (first, second) == (Merged(2, 0, 0), Merged(0, 0, 2))
    assert rows == [
        (T0 + timedelta(minutes=1), 0.01, "run-1"), (T0 + timedelta(minutes=2), 0.02, "run-1")
    ]  # fmt: skip

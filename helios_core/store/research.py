"""What research leaves in the store: feature sets, features, predictions, volatility forecasts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import BoolArray, FeatureFrame, FloatArray, TimeArray, Timeframe
from helios_core.errors import DataError, NotFoundError, StoreError
from helios_core.store.copying import Merged, copy_out, merge
from helios_core.store.database import Connection, query

NOTHING = Merged(0, 0, 0)
PROBABILITIES = ("p_sell", "p_hold", "p_buy", "p_hit", "p_up", "barrier_up", "barrier_down")


def save_feature_set(conn: Connection, sha256: str, names: Sequence[str]) -> int:
    """Make a catalogue of features known and return its number.

    Raises
    ------
    StoreError
        If the hash is known with other names: it is a hash of the names and more.
    """
    params = {"sha256": sha256, "names": list(names)}
    conn.execute(query("feature_set_save"), params)
    number, stored = feature_set(conn, sha256)
    if stored != tuple(names):
        raise StoreError(
            f"feature set {sha256[:12]} is stored with other names; give the catalogue a new "
            f"version, so that it gets a new hash"
        )
    return number


def feature_set(conn: Connection, sha256: str) -> tuple[int, tuple[str, ...]]:
    """Return number and names of a catalogue, or raise ``NotFoundError``."""
    row = conn.execute(query("feature_set"), {"sha256": sha256}).fetchone()
    if row is None:
        raise NotFoundError(
            f"the database does not know the feature set {sha256[:12]}; run `helios db migrate`"
        )
    return int(row[0]), tuple(row[1])


def write_features(conn: Connection, frame: FeatureFrame, run_id: str | None) -> Merged:
    """Store features idempotently; rows that are stored with equal values keep their run.

    Raises
    ------
    NotFoundError
        If the feature set of `frame` is not known.
    DataError
        If its names are not those of the feature set.
    """
    number, names = feature_set(conn, frame.feature_set)
    if names != frame.names:
        raise DataError(
            f"features of {frame.pair} are named otherwise than feature set "
            f"{frame.feature_set[:12]}; compute them with the catalogue that has this hash"
        )
    if not len(frame):
        return NOTHING
    data = {
        "pair": frame.pair,
        "timeframe": frame.timeframe.value,
        "open_time": frame.open_time,
        "set_id": np.full(len(frame), number, dtype=np.int32),
        "v": frame.values,
        **_run(run_id, len(frame)),
    }
    key = ("pair", "timeframe", "open_time", "set_id")
    return merge(conn, "engineered_features", list(data), data, key=key, update=("v",))


def read_features(
    conn: Connection,
    pair: str,
    timeframe: Timeframe,
    feature_set_hash: str,
    start: datetime,
    end: datetime,
) -> FeatureFrame:
    """Return the features of bars that open in [start, end), oldest first.

    Raises
    ------
    NotFoundError
        If the feature set is not known.
    """
    number, names = feature_set(conn, feature_set_hash)
    params = {
        "pair": pair, "timeframe": timeframe.value, "set_id": number, "start": start, "end": end
    }  # fmt: skip
    kinds = {"open_time": "timestamptz", "v": f"float4[{len(names)}]"}
    rows = copy_out(conn, query("features_between"), params, kinds)
    return FeatureFrame(
        pair=pair,
        timeframe=timeframe,
        open_time=rows["open_time"].dt.replace_time_zone(None).to_numpy(),
        values=rows["v"].to_numpy().reshape(len(rows), len(names)),
        names=names,
        feature_set=feature_set_hash,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What came of signals: the barrier that was met (-1, 0, 1) and the net return, shape (T,)."""

    y_true: NDArray[np.int8]
    realized: FloatArray

    def columns(self, rows: BoolArray) -> Mapping[str, NDArray[Any]]:
        """Return the columns of these rows as the table names them."""
        return {"y_true": self.y_true[rows].astype(np.int16), "realised": self.realized[rows]}


def write_predictions(
    conn: Connection,
    signals: SignalFrame,
    timeframe: Timeframe,
    run_id: str | None,
    outcomes: Outcomes | None = None,
) -> Merged:
    """Store the signals of a registered model idempotently; times while it warms up have no row.

    Parameters
    ----------
    outcomes : Outcomes, optional
        What came of each signal, where it is known already.

    Raises
    ------
    psycopg.errors.ForeignKeyViolation
        If the model is not registered.
    """
    columns = {name: np.asarray(getattr(signals, name), np.float64) for name in PROBABILITIES}
    usable = np.isfinite(np.stack(list(columns.values()))).all(axis=0)
    rows = int(usable.sum())
    if not rows:
        return NOTHING
    data = {
        "pair": signals.pair,
        "timeframe": timeframe.value,
        "model_id": signals.model_id,
        "horizon": np.full(rows, signals.horizon, dtype=np.int32),
        "ts": signals.as_of[usable],
        **{name: values[usable] for name, values in columns.items()},
        **(outcomes.columns(np.asarray(usable)) if outcomes else {}),
        **_run(run_id, rows),
    }
    key = ("pair", "timeframe", "model_id", "horizon", "ts")
    return merge(conn, "ml_predictions", list(data), data, key=key, update=PROBABILITIES)


def write_volatility(
    conn: Connection,
    pair: str,
    method: str,
    forecasts: tuple[TimeArray, FloatArray],
    *,
    horizon: int,
    run_id: str | None,
) -> Merged:
    """Store volatility forecasts idempotently; times without a finite one have no row.

    Parameters
    ----------
    forecasts : tuple of ndarray, each of shape (T,)
        Close of the bar that the forecast was made at (UTC), and the standard deviation of the log
        return over the next `horizon` bars.
    """
    times, sigma = forecasts
    usable = np.isfinite(sigma)
    rows = int(usable.sum())
    if not rows:
        return NOTHING
    data = {
        "pair": pair,
        "method": method,
        "horizon": np.full(rows, horizon, dtype=np.int32),
        "ts": times[usable],
        "sigma": sigma[usable],
        **_run(run_id, rows),
    }
    key = ("pair", "method", "horizon", "ts")
    return merge(conn, "volatility_forecasts", list(data), data, key=key, update=("sigma",))


def _run(run_id: str | None, rows: int) -> Mapping[str, Any]:
    """Return the column with the run, or none: it is null then."""
    return {} if run_id is None or not rows else {"run_id": run_id}

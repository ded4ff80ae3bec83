"""Why an order exists: the chain from it to the notebook, model, data and commit, by one query."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from helios_core.domain.decisions import Decision, Signal
from helios_core.errors import NotFoundError
from helios_core.store.database import Connection, query
from helios_core.store.lookalikes import similar
from helios_core.store.records import decode

LOOKED_AT = 2_000  # newest ids among which look-alikes are sought
NONE = "-"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """One step of the chain."""

    link: str  # order, fills, target, risk, view, signal, model, features, data, run, ...
    id: str
    summary: str


@dataclass(frozen=True, slots=True)
class Trace:
    """What led to an order, from the order back to the commit."""

    client_order_id: str
    lines: tuple[Link, ...]


def why(conn: Connection, client_order_id: str) -> Trace:
    """Return the chain behind an order, from the database alone.

    Raises
    ------
    NotFoundError
        If there is no such order; ids that look like it are named.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("trace_order"), {"client_order_id": client_order_id}).fetchone()
    if row is None:
        ids = conn.execute(query("order_ids"), {"limit": LOOKED_AT}).fetchall()
        near = similar(client_order_id, (one[0] for one in ids))
        raise NotFoundError(
            f"there is no order {client_order_id}{near}; `helios orders` shows the newest"
        )
    decision = decode(Decision, row["record"]["decision"])
    lines = (
        _order(row),
        _fills(row),
        _target(row, decision),
        _risk(row),
        _view(row),
        _signal(row, decision),
        _model(row),
        _features(row),
        _data(row),
        _run(row),
        _notebook(row),
        _commit(row),
    )
    return Trace(client_order_id, lines)


def _order(row: Row) -> Link:
    what = f"{row['side']} {_plain(row['quantity'])} {row['pair']} {row['kind']}"
    where = f"{row['mode']} book {row['book']} at {row['exchange']}"
    state = f"{row['state']}, {_plain(row['filled'])} filled"
    return Link("order", row["client_order_id"], f"{what}, {where}, {state}")


def _fills(row: Row) -> Link:
    if not row["fills"]:
        return Link("fills", NONE, "nothing was filled")
    price, decided = row["average_price"], row["reference_price"]
    summary = (
        f"{row['fills']} at {_plain(price)} on average, decided at {_plain(decided)}, "
        f"fee {_plain(row['fee'])} {row['fee_asset']}"
    )
    return Link("fills", ", ".join(row["exec_ids"]), summary)


def _target(row: Row, decision: Decision) -> Link:
    target = decision.target
    weights = dict(zip(target.pairs, zip(target.current, target.weights, strict=True), strict=True))
    before, after = weights.get(row["pair"], (float("nan"), float("nan")))
    summary = (
        f"{row['pair']} from {before:.4f} to {after:.4f} of equity by {row['method']} "
        f"({row['status']}), decided for {_time(row['ts'])} under policy {row['policy_hash'][:12]}"
    )
    return Link("target", row["decision_id"], summary)


def _risk(row: Row) -> Link:
    if row["risk_id"] is None:
        return Link("risk", NONE, "tier 3 left no row for this pair")
    verdict = "vetoed" if row["vetoed"] else f"size {row['size']:.4f}"
    summary = (
        f"{verdict}, bound by {row['binding']}; raw Kelly {row['kelly_raw']:.4f}, "
        f"sigma of a bar {row['sigma']:.6f}"
    )
    return Link("risk", str(row["risk_id"]), summary)


def _view(row: Row) -> Link:
    if row["view_id"] is None:
        return Link("view", NONE, "tier 4 left no row")
    brief = f", brief {row['context_sha256'][:12]}" if row["context_sha256"] else ""
    if row["abstained"]:
        summary = f"abstained: {row['view_reason']}{brief}"
    else:
        summary = f"{row['regime']} by {row['provider']}: {row['view_reason']}{brief}"
    return Link("view", str(row["view_id"]), f"{summary}; risk times {row['risk_multiplier']:g}")


def _signal(row: Row, decision: Decision) -> Link:
    signal = next((s for s in decision.signals if s.pair == row["pair"]), None)
    if signal is None:
        return Link("signal", NONE, "tier 2 gave none for this pair")
    name = f"{signal.pair}@{_time(signal.as_of)}"
    if signal.abstained:
        return Link("signal", name, f"abstained: {signal.reason}")
    return Link("signal", name, _probabilities(signal))


def _probabilities(signal: Signal) -> str:
    return (
        f"sell {signal.p_sell:.3f}, hold {signal.p_hold:.3f}, buy {signal.p_buy:.3f} over "
        f"{signal.horizon} bars, barriers +{signal.barrier_up:.4f} and -{signal.barrier_down:.4f}"
    )


def _model(row: Row) -> Link:
    if row["model_id"] is None:
        return Link("model", NONE, "no promoted model")
    judged = row["passed"] is not None
    gate = f"gate: {row['gate_reason']}" if judged else "never judged by the gate"
    use = "FORCED, not promoted" if row["forced"] else "promoted"
    summary = (
        f"{use}; {gate}; trained {_time(row['trained_at'])} on {_time(row['data_from'])} to "
        f"{_time(row['data_to'])} by run {row['model_run_id'] or NONE}, "
        f"weights {row['weights_sha256'][:12]}"
    )
    return Link("model", row["model_id"], summary)


def _features(row: Row) -> Link:
    if row["set_id"] is None:
        return Link("features", row["feature_set"], "a feature set that the store does not name")
    summary = f"feature set {row['set_id']} of {row['set_size']} features"
    return Link("features", row["feature_set"], summary)


def _data(row: Row) -> Link:
    known = f"newest candle used opened {_time(row['data_as_of'])}"
    if row["source"] is not None:
        known += f", {row['pair']} closed at {row['close']:g}, source {row['source']}"
    return Link("data", row["data_as_of"].isoformat(), known)


def _run(row: Row) -> Link:
    parameters = ", ".join(f"{key}={value}" for key, value in sorted(row["parameters"].items()))
    flow = f"flow run {row['flow_run_id']}" if row["flow_run_id"] else "no flow run"
    summary = (
        f"{row['notebook']}({parameters}), {flow}, started {_time(row['started_at'])}, "
        f"{row['run_state']}: {row['outcome'] or 'nothing emitted yet'}"
    )
    return Link("run", row["run_id"], summary)


def _notebook(row: Row) -> Link:
    if row["notebook_path"] is None:
        return Link("notebook", NONE, f"no executed copy: the run is {row['run_state']}")
    return Link("notebook", row["notebook_path"], f"sha256 {row['notebook_sha256']}")


def _commit(row: Row) -> Link:
    state = "with uncommitted changes" if row["dirty"] else "clean"
    return Link("commit", row["commit"], state)


def _plain(number: Decimal) -> str:
    """Return a decimal without an exponent, trailing zeros or digits that division made."""
    rounded = round(number, 10).normalize()
    return f"{rounded:f}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%MZ}"

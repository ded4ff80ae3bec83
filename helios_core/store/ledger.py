"""The run ledger: a row for each notebook run, opened before it starts and closed by its nonce.

A completed run needs the nonce that opened it, of which the row keeps the sha256 only. Whatever
else happens to a run, it ends as failed with a reason, if need be when the next one starts.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row

from helios_core.domain.runs import Json, RunRecord
from helios_core.errors import NotFoundError, StoreError
from helios_core.logs import logger
from helios_core.store.database import Connection, query
from helios_core.store.lookalikes import similar
from helios_core.store.records import jsonb, storable_text

LOOKED_AT = 2_000  # newest ids among which look-alikes are sought


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as a list shows it; quantities in base, prices in quote per base."""

    client_order_id: str
    created_at: datetime
    mode: str
    book: str
    pair: str
    side: str
    quantity: Decimal
    filled: Decimal
    average_price: Decimal | None  # of its fills
    fee: Decimal
    state: str
    decision_id: str
    run_id: str


def open_run(conn: Connection, run: RunRecord, nonce: str) -> None:
    """Record a run that is about to start; repeating it with the same nonce changes nothing.

    Raises
    ------
    StoreError
        If the id is already taken by another run.
    """
    secret = _sha256(nonce)
    values = {**asdict(run), "parameters": jsonb(run.parameters), "nonce_sha256": secret}
    if conn.execute(query("run_open"), values).rowcount == 1:
        return
    row = conn.execute(query("run_nonce"), {"run_id": run.run_id}).fetchone()
    if row is None or row[0] != secret:
        raise StoreError(f"run {run.run_id} was opened before; every run needs an id of its own")


def close_run(conn: Connection, run_id: str, nonce: str, result: Json) -> bool:
    """Complete a run with what its last cell emitted.

    Returns
    -------
    bool
        True only if the run was open and the nonce is the one that it was opened with.

    Raises
    ------
    StoreError
        If `result` has no verdict, or a data cut-off that is not a time.
    """
    verdict = result.get("verdict")
    if not isinstance(verdict, str) or not verdict:
        raise StoreError(f"the result of run {run_id} needs a verdict, found {sorted(result)}")
    feature_set = result.get("feature_set")
    values = {
        "run_id": run_id,
        "nonce_sha256": _sha256(nonce),
        "outcome": storable_text(verdict),
        "result": jsonb(result),
        "data_as_of": _time_of(result, "data_as_of"),
        "feature_set": feature_set if isinstance(feature_set, str) else None,
    }
    return conn.execute(query("run_close"), values).rowcount == 1


def fail_run(conn: Connection, run_id: str, reason: str) -> bool:
    """End a run that did not emit; False if it had ended before, which stays as it is."""
    values = {"run_id": run_id, "reason": storable_text(reason)}
    return conn.execute(query("run_fail"), values).rowcount == 1


def attach_notebook(conn: Connection, run_id: str, path: str, sha256: str) -> None:
    """Record where the executed notebook of a run is kept, and its hash.

    Raises
    ------
    NotFoundError
        If there is no such run.
    """
    values = {"run_id": run_id, "path": path, "sha256": sha256}
    if conn.execute(query("run_attach"), values).rowcount == 0:
        raise _unknown_run(conn, run_id)


def get_run(conn: Connection, run_id: str) -> RunRecord:
    """Return the row of a run.

    Raises
    ------
    NotFoundError
        If there is no such run; ids that look like it are named.
    """
    with conn.cursor(row_factory=class_row(RunRecord)) as cursor:
        found = cursor.execute(query("run_get"), {"run_id": run_id}).fetchone()
    if found is None:
        raise _unknown_run(conn, run_id)
    return found


def list_runs(conn: Connection, limit: int) -> list[RunRecord]:
    """Return the newest runs, newest first."""
    with conn.cursor(row_factory=class_row(RunRecord)) as cursor:
        return cursor.execute(query("runs_newest"), {"limit": limit}).fetchall()


def newest_result(conn: Connection, notebook: str) -> Json | None:
    """Return what the newest completed run of a notebook emitted, None if there is none."""
    row = conn.execute(query("run_newest_result"), {"notebook": notebook}).fetchone()
    found: Json | None = row[0] if row else None
    return found


def runs_of_flows(conn: Connection, flow_run_ids: Sequence[str]) -> list[RunRecord]:
    """Return the notebook runs of these Prefect flow runs, oldest first."""
    with conn.cursor(row_factory=class_row(RunRecord)) as cursor:
        found = cursor.execute(query("runs_of_flows"), {"flow_run_ids": list(flow_run_ids)})
        return found.fetchall()


def reap_dead_runs(conn: Connection, owner_is_alive: Callable[[str], bool]) -> list[str]:
    """Fail the open runs whose owner has died, and return their ids.

    Parameters
    ----------
    owner_is_alive : callable
        Whether the process that a row names as its owner still lives.
    """
    reaped = []
    for run_id, owner in conn.execute(query("runs_running")).fetchall():
        if owner_is_alive(owner):
            continue
        if fail_run(conn, run_id, f"its process was killed or died without a word ({owner})"):
            reaped.append(run_id)
    if reaped:
        logger("store").warning("dead runs closed as failed", runs=reaped)
    return reaped


def list_orders(conn: Connection, limit: int) -> list[OrderRow]:
    """Return the newest orders with what was filled of them, newest first."""
    with conn.cursor(row_factory=class_row(OrderRow)) as cursor:
        return cursor.execute(query("orders_newest"), {"limit": limit}).fetchall()


def _unknown_run(conn: Connection, run_id: str) -> NotFoundError:
    rows: list[tuple[Any, ...]] = conn.execute(query("run_ids"), {"limit": LOOKED_AT}).fetchall()
    near = similar(run_id, (row[0] for row in rows))
    return NotFoundError(f"there is no run {run_id}{near}; `helios runs list` shows the newest")


def _time_of(result: Json, name: str) -> datetime | None:
    """Return an ISO 8601 time of a result, UTC where it does not say."""
    value = result.get(name)
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise StoreError(f"{name} of a result must be an ISO 8601 time, found {value!r}") from None
    return at if at.utcoffset() is not None else at.replace(tzinfo=UTC)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""The model registry: cards, recorded gate verdicts, and which model is the champion.

Verdicts are append-only and a model is promoted only on the newest one of its own. There is at most
one champion of a name; the model that it replaces is retired in the same transaction.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from helios_core.domain.runs import Check, Json, ModelCard, Verdict
from helios_core.errors import GateError, NotFoundError, StoreError, UsageError
from helios_core.logs import logger
from helios_core.store.database import Connection, query
from helios_core.store.lookalikes import similar
from helios_core.store.records import decode, encode, jsonb

COMPONENT = "tier2_network"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model as a list shows it."""

    model_id: str
    name: str
    version: str
    state: str  # candidate | rejected | shadow | champion | retired
    parameters: int
    trained_at: datetime
    data_from: datetime
    data_to: datetime
    gate: str | None  # "passed", "refused: ..." or None when it was never judged
    run_id: str | None
    config: Json
    metrics: Json


def register_model(conn: Connection, card: ModelCard) -> None:
    """Add a model as a candidate; the same model again changes nothing.

    Raises
    ------
    StoreError
        If the id is registered with other weights: verdicts hang on those.
    """
    values = {**asdict(card), "config": jsonb(card.config), "metrics": jsonb(card.metrics)}
    if conn.execute(query("model_register"), values).rowcount == 1:
        return
    known = get_model(conn, card.model_id)
    if known.weights_sha256 != card.weights_sha256:
        raise StoreError(
            f"{card.model_id} is registered with weights {known.weights_sha256[:12]}, found "
            f"{card.weights_sha256[:12]}; restore the old file, or train with another seed"
        )


def get_model(conn: Connection, model_id: str) -> ModelCard:
    """Return the card of a model.

    Raises
    ------
    NotFoundError
        If it is not registered; ids that look like it are named.
    """
    found = _card(conn, "model_get", {"model_id": model_id})
    if found is None:
        raise _unknown_model(conn, model_id)
    return found


def list_models(conn: Connection) -> list[ModelRow]:
    """Return all models, the newest first."""
    with conn.cursor(row_factory=class_row(ModelRow)) as cursor:
        return cursor.execute(query("models_list")).fetchall()


def newest_model(conn: Connection, name: str) -> ModelCard | None:
    """Return the model of this name that was trained last, whatever its gate said.

    A retired model is left out: somebody decided against it.
    """
    return _card(conn, "model_newest", {"name": name})


def champion(conn: Connection, name: str) -> ModelCard | None:
    """Return the promoted model of this name; None means that there is none to trade on."""
    return _card(conn, "model_champion", {"name": name})


def record_verdict(conn: Connection, verdict: Verdict, run_id: str | None) -> str:
    """Append the verdict of a gate and return its id; the same evidence is judged once.

    A candidate that was refused becomes rejected; a rejected model that passes on new evidence is
    a candidate again. Only `promote` makes a champion, and nothing here takes its place from it.

    Raises
    ------
    NotFoundError
        If the model is not registered.
    """
    get_model(conn, verdict.model_id)
    identity = verdict_id(verdict)
    values = {
        "verdict_id": identity,
        "model_id": verdict.model_id,
        "passed": verdict.passed,
        "reason": verdict.reason,
        "checks": jsonb(encode(verdict.checks)),
        "evidence": jsonb(verdict.evidence),
        "run_id": run_id,
    }
    with conn.transaction():
        if conn.execute(query("verdict_record"), values).rowcount == 1:
            judged = {"model_id": verdict.model_id, "passed": verdict.passed}
            conn.execute(query("model_judged"), judged)
    return identity


def verdict_id(verdict: Verdict) -> str:
    """Return 32 hex digits that name a verdict by its model and its evidence."""
    parts = [verdict.model_id, verdict.evidence]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def latest_verdict(conn: Connection, model_id: str) -> Verdict | None:
    """Return the newest recorded verdict on a model; None if it was never judged."""
    row = conn.execute(query("verdict_latest"), {"model_id": model_id}).fetchone()
    if row is None:
        return None
    _, checks, evidence = row
    return Verdict(model_id, tuple(decode(Check, check) for check in checks), evidence)


def promote(conn: Connection, model_id: str, actor: str, reason: str) -> None:
    """Make a model the champion of its name, and retire the one that it replaces.

    Raises
    ------
    UsageError
        If nobody, or no reason, is named.
    NotFoundError
        If it is not registered.
    GateError
        If the newest recorded verdict on it did not pass, or there is none.
    """
    _require_signed(actor, reason)
    with conn.transaction():
        states = _locked(conn, model_id)
        _require_passed(model_id, latest_verdict(conn, model_id))
        if states[model_id] == "champion":
            return
        replaced = next((one for one, state in states.items() if state == "champion"), None)
        if replaced is not None:
            conn.execute(query("model_state"), {"model_id": replaced, "state": "retired"})
        conn.execute(query("model_state"), {"model_id": model_id, "state": "champion"})
        about: Json = {"model_id": model_id, "actor": actor, "reason": reason, "replaced": replaced}
        _record_event(conn, "model_promoted", about)


def retire(conn: Connection, model_id: str, actor: str, reason: str) -> None:
    """Take a model out of use for good; without a champion the desk is flat.

    Raises
    ------
    UsageError
        If nobody, or no reason, is named.
    NotFoundError
        If it is not registered.
    """
    _require_signed(actor, reason)
    with conn.transaction():
        states = _locked(conn, model_id)
        if states[model_id] == "retired":
            return
        conn.execute(query("model_state"), {"model_id": model_id, "state": "retired"})
        about: Json = {
            "model_id": model_id,
            "actor": actor,
            "reason": reason,
            "state": states[model_id],
        }
        _record_event(conn, "model_retired", about)


def _require_signed(actor: str, reason: str) -> None:
    if not actor.strip() or not reason.strip():
        raise UsageError("a decision on a model needs who decides and why: --actor and --reason")


def _require_passed(model_id: str, verdict: Verdict | None) -> None:
    if verdict is None:
        raise GateError(
            f"{model_id} was never judged; run `helios notebook run 22_evaluate` before it is "
            f"promoted"
        )
    if not verdict.passed:
        raise GateError(f"{model_id} is not promoted, its gate said: {verdict.reason}")


def _locked(conn: Connection, model_id: str) -> dict[str, str]:
    """Lock all versions of a model and return their states."""
    states: dict[str, str] = dict(conn.execute(query("model_lock"), {"model_id": model_id}))
    if model_id not in states:
        raise _unknown_model(conn, model_id)
    return states


def _record_event(conn: Connection, event: str, about: Json) -> None:
    values = {
        "level": "info",
        "component": COMPONENT,
        "event": event,
        "fields": jsonb(about),
        "run_id": None,
    }
    conn.execute(query("event_record"), values)
    logger(COMPONENT).info(event.replace("_", " "), **about)


def _card(conn: Connection, name: str, values: dict[str, Any]) -> ModelCard | None:
    with conn.cursor(row_factory=class_row(ModelCard)) as cursor:
        return cursor.execute(query(name), values).fetchone()


def _unknown_model(conn: Connection, model_id: str) -> NotFoundError:
    near = similar(model_id, (row[0] for row in conn.execute(query("model_ids"))))
    return NotFoundError(f"there is no model {model_id}{near}; `helios model list` shows them all")

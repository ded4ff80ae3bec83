"""One cycle as rows: the decision, every tier's answer, its order intents, and reading it again.

The row of a decision keeps it whole, with the book that it was made for, so that it can be replayed
from the row alone; the other tables hold the same answers in columns that can be asked about.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import psycopg
from psycopg.rows import dict_row

from helios_core.domain.decisions import CycleRecord, Decision, RiskDecision
from helios_core.domain.trading import Account, Fill, Order, OrderState, Side
from helios_core.errors import StoreError
from helios_core.store.database import Connection, query
from helios_core.store.records import decode, encode, jsonb, storable_text

Row = dict[str, Any]


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn a row that the tables refuse into a sentence about `what`."""
    try:
        yield
    except psycopg.IntegrityError as error:
        detail = error.diag.message_detail or error.diag.message_primary or str(error)
        missing = isinstance(error, psycopg.errors.ForeignKeyViolation)
        fix = "; register the run, model or pair that it names first" if missing else ""
        raise StoreError(f"{what} cannot be recorded: {detail.strip().rstrip('.')}{fix}") from error


def is_recorded(conn: Connection, decision_id: str) -> bool:
    """Return whether a decision has a row."""
    found = conn.execute(query("decision_exists"), {"decision_id": decision_id}).fetchone()
    return found is not None


def write_decision(
    conn: Connection, decision: Decision, run_id: str, account: Account, exchange: str
) -> None:
    """Insert a decision that has no row yet; `account` is the book it was made for."""
    shared = {
        "decision_id": decision.decision_id,
        "mode": decision.mode.value,
        "book": decision.book,
        "exchange": exchange,
        "run_id": run_id,
    }
    conn.execute(query("decision_record"), shared | _decision_row(decision, account))
    for risk in decision.risks:
        conn.execute(query("risk_record"), shared | _risk_row(risk))
    conn.execute(query("view_record"), shared | _view_row(decision))
    for order in decision.orders:
        conn.execute(query("order_record"), shared | _order_row(order))


def find_cycle(conn: Connection, decision_id: str) -> CycleRecord | None:
    """Return a recorded cycle with its orders as they stand now, or None.

    Equity is NaN until the cycle is closed.

    Raises
    ------
    StoreError
        If its record cannot be read.
    """
    identity = {"decision_id": decision_id}
    row = conn.execute(query("cycle_get"), identity).fetchone()
    if row is None:
        return None
    record, outcome, run_id = row
    if not isinstance(record, dict) or "decision" not in record:
        raise StoreError(f"the row of decision {decision_id} holds no decision; it was edited")
    decision = decode(Decision, record["decision"])
    states = dict(conn.execute(query("cycle_orders"), identity).fetchall())
    orders = tuple(
        replace(order, state=OrderState(states[order.client_order_id])) for order in decision.orders
    )
    return CycleRecord(
        decision=replace(decision, orders=orders),
        run_id=run_id,
        fills=_fills(conn, decision_id),
        equity_before=_equity(outcome, "equity_before"),
        equity_after=_equity(outcome, "equity_after"),
        replayed=False,
    )


def fill_row(fill: Fill) -> Row:
    """Return the columns of a fill."""
    plain = {field.name: getattr(fill, field.name) for field in fields(fill)}
    return plain | {"side": fill.side.value}


def _decision_row(decision: Decision, account: Account) -> Row:
    return {
        "ts": decision.as_of,
        "verdict": storable_text(decision.verdict),
        "method": decision.target.method,
        "status": storable_text(decision.target.status),
        "model_id": decision.model_id,
        "forced": decision.forced,
        "feature_set": decision.feature_set,
        "data_as_of": decision.data_as_of,
        "policy_hash": decision.policy_hash,
        "record": jsonb({"decision": encode(decision), "account": encode(account)}),
    }


def _risk_row(risk: RiskDecision) -> Row:
    return {
        "pair": risk.pair,
        "ts": risk.as_of,
        "sigma": float(risk.sigma),
        "kelly_raw": float(risk.kelly_raw),
        "kelly_shrunk": float(risk.kelly_shrunk),
        "leverage": float(risk.leverage),
        "binding": risk.binding,
        "size": float(risk.size),
        "vetoed": bool(risk.vetoed),
        "record": jsonb(encode(risk)),
    }


def _view_row(decision: Decision) -> Row:
    view = decision.view
    return {
        "ts": view.as_of,
        "prompt_hash": view.prompt_hash,
        "provider": view.provider,
        "regime": view.regime,
        "risk_multiplier": float(view.risk_multiplier),
        "abstained": bool(view.abstained),
        "reason": storable_text(view.reason),
        "valid_until": view.valid_until,
        "record": jsonb(encode(view)),
    }


def _order_row(order: Order) -> Row:
    return {
        "client_order_id": order.client_order_id,
        "leg": order.leg,
        "pair": order.pair,
        "side": order.side.value,
        "kind": order.kind,
        "quantity": order.quantity,
        "price": order.price,
        "reference_price": order.reference_price,
        "state": order.state.value,
        "reason": storable_text(order.reason),
        "created_at": order.created_at,
    }


def _fills(conn: Connection, decision_id: str) -> tuple[Fill, ...]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("cycle_fills"), {"decision_id": decision_id}).fetchall()
    return tuple(Fill(**row | {"side": Side(row["side"])}) for row in rows)


def _equity(outcome: Row | None, name: str) -> float:
    value = None if outcome is None else outcome.get(name)
    return math.nan if value is None else float(value)

"""The rows that a ledger rests on, and builders of decisions, orders and fills."""

import runpy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from helios_core.domain.decisions import (
    Decision,
    RiskDecision,
    Signal,
    Stage,
    StrategicView,
    TargetPortfolio,
)
from helios_core.domain.runs import ModelCard, RunRecord
from helios_core.domain.trading import Fill, Mode, Order, Side, Skip
from helios_core.store import ledger, registry
from helios_core.store.books import StoredLedger
from helios_core.store.database import Database

T0 = datetime(2025, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def database(dsn):
    with Database(dsn, application="helios-tests") as one:
        yield one


@pytest.fixture
def conn(database):
    with database.autocommit() as one:
        yield one


RUN = RunRecord(
    run_id="20250131T120000-aaaa0001",
    notebook="61_trading_cycle",
    parameters={"pairs": ["BTCZAR"], "force_model": True},
    parameters_hash="p-hash",
    commit="c0ffee",
    dirty=True,
    feature_set=None,
    data_as_of=None,
    environment_hash="e-hash",
    seed=7,
    flow_run_id="flow-1",
    state="running",
    started_at=T0,
    ended_at=None,
    outcome="",
    result=None,
    notebook_path=None,
    notebook_sha256=None,
    owner="host:1:2.00",
)
CARD = ModelCard(
    model_id="net-v1",
    name="net",
    version="v1",
    weights_sha256="ab" * 32,
    feature_set="f-set",
    label_schema="l-schema",
    config={"width": 8, "horizon": 60},
    metrics={"auc": 0.5},
    data_from=T0 - timedelta(days=30),
    data_to=T0 - timedelta(days=1),
    seed=7,
    commit="c0ffee",
    parameters=1234,
    trained_at=T0,
    run_id=None,
)


@pytest.fixture
def run():
    return RUN


@pytest.fixture
def card():
    return CARD


@pytest.fixture
def registered(conn):
    """A run, a model and two pairs, which decisions and orders refer to."""
    ledger.open_run(conn, RUN, "nonce")
    registry.register_model(conn, CARD)
    conn.execute(
        "INSERT INTO pair_rules (pair, base, quote, tick_size, base_decimals, min_quantity,"
        " min_notional, tradable, simulated) VALUES"
        " ('BTCZAR', 'BTC', 'ZAR', 1, 8, 0.0001, 10, true, false),"
        " ('ETHZAR', 'ETH', 'ZAR', 1, 8, 0.001, 10, true, false) ON CONFLICT DO NOTHING"
    )
    return conn


@pytest.fixture
def stored(database, registered):
    return StoredLedger(database, Mode.PAPER, "paper")


def order(leg, side, quantity, decision_id="abc", pair="BTCZAR"):
    return Order(
        client_order_id=f"h-{decision_id}-{leg}",
        decision_id=decision_id,
        leg=leg,
        pair=pair,
        side=Side(side),
        kind="MARKET",
        quantity=Decimal(quantity),
        price=None,
        reference_price=Decimal(100),
        created_at=T0,
    )


def fill(of, price, fee="0", part=None, at=T0):
    quantity = Decimal(part) if part else of.quantity
    return Fill(
        f"{of.client_order_id}-{part or 'all'}", of.client_order_id, of.pair, of.side, at,
        Decimal(price), quantity, Decimal(fee), "ZAR", "taker",
    )  # fmt: skip


def decision(*orders, decision_id="abc", book="main", **changes):
    view = StrategicView(
        T0, "unknown", 0.5, (), False, True, "no key", "none", "", T0 + timedelta(hours=1)
    )
    signal = Signal("BTCZAR", T0, 0.1, 0.2, 0.7, 0.8, 0.875, 60, 0.02, 0.01, "net-v1")
    risk = RiskDecision(
        pair="BTCZAR",
        as_of=T0,
        sigma=0.001,
        sigma_horizon=0.008,
        volatility_method="garch",
        expected_return=0.012,
        kelly_raw=1.5,
        kelly_shrunk=0.4,
        stages=(Stage("kelly", 1.5, 0.4, "shrunk"),),
        leverage=1.0,
        leverage_caps=(("venue", 1.0), ("drawdown", float("nan"))),
        binding="kelly",
        size=0.25,
        vetoed=False,
    )
    target = TargetPortfolio(
        T0, ("BTCZAR",), (0.0,), (0.25,), "mean_variance", "optimal",
        (("BTCZAR", Stage("band", 0.25, 0.25)),),
    )  # fmt: skip
    made = Decision(
        decision_id=decision_id,
        as_of=T0,
        mode=Mode.PAPER,
        book=book,
        model_id="net-v1",
        forced=True,
        signals=(signal,),
        view=view,
        risks=(risk,),
        target=target,
        orders=orders,
        skips=(Skip("ETHZAR", "NO_EDGE", "size 0.0000 after kelly"),),
        policy_hash="policy-hash",
        feature_set="f-set",
        data_as_of=T0 - timedelta(minutes=1),
    )
    return replace(made, **changes)


@pytest.fixture
def make():
    """Builders of orders, fills and decisions."""
    return SimpleNamespace(order=order, fill=fill, decision=decision, at=T0)


@pytest.fixture(scope="session")
def cycle_desk():
    """The script that runs a whole cycle on a generated market, as a module."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("cycle_desk.py"))))

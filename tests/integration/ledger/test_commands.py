"""`helios runs`, `orders`, `why` and `model` over rows of the ledger, with their exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helios_core.domain.runs import Check, Verdict
from helios_core.store.registry import champion, record_verdict

pytestmark = pytest.mark.db
ROOT = Path(__file__).parents[3]
RUN = "20250131T120000-aaaa0001"


@pytest.fixture
def helios(dsn, tmp_path):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS_")}
    environment = {
        **kept,
        "HELIOS_DATABASE_URL": dsn,
        "HELIOS_HOME": str(tmp_path / "home"),
        "HELIOS_ENV_FILE": str(tmp_path / ".env"),
    }

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "helios_core.cli.app", *arguments],
            env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return call


@pytest.fixture
def traded(stored, make):
    one = make.order(0, "BUY", "2")
    made = make.decision(one)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    stored.record_fills(made, (make.fill(one, "100", "1"),))


def test_the_order_its_run_and_its_reasons_are_printed(helios, traded):
    orders = json.loads(helios("orders", "--json").stdout)
    runs = json.loads(helios("runs", "list", "--json").stdout)
    reasons = helios("why", "h-abc-0")

    assert [(o["client_order_id"], o["state"], o["fee"]) for o in orders] == [
        ("h-abc-0", "FILLED", "1")
    ]
    assert [(r["run_id"], r["state"]) for r in runs] == [(RUN, "running")]
    assert reasons.returncode == 0, reasons.stderr
    for word in ("h-abc-0", "net-v1", "kelly", RUN, "c0ffee"):
        assert word in reasons.stdout


def test_an_unknown_order_and_run_are_not_found_with_look_alikes(helios, traded):
    order, run = helios("why", "h-abc-9"), helios("runs", "show", "2025")

    assert (order.returncode, run.returncode) == (4, 4)
    assert "h-abc-9; similar: h-abc-0" in " ".join(order.stderr.split())
    assert f"similar: {RUN}" in " ".join(run.stderr.split())
    assert "Traceback" not in order.stderr + run.stderr


def test_a_model_that_its_gate_refused_is_not_promoted(helios, registered):
    record_verdict(registered, Verdict("net-v1", (Check("auc", False, "> 1", "0"),), {}), None)
    promotion = helios("model", "promote", "net-v1", "--reason", "hope", "--actor", "ann")
    listed = json.loads(helios("model", "list", "--json").stdout)

    assert promotion.returncode == 7
    assert "auc (0, needs > 1)" in " ".join(promotion.stderr.split())
    assert [(m["model_id"], m["gate"]) for m in listed] == [
        ("net-v1", "refused: auc (0, needs > 1)")
    ]
    assert champion(registered, "net") is None

"""`helios why`: from an order to the commit, by the database alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from helios_core.domain.runs import Check, Verdict
from helios_core.errors import NotFoundError
from helios_core.store.ledger import attach_notebook, close_run
from helios_core.store.registry import record_verdict
from helios_core.store.trace import why

pytestmark = pytest.mark.db
RUN = "20250131T120000-aaaa0001"
CHAIN = ("order", "fills", "target", "risk", "view", "signal", "model", "features", "data", "run",
         "notebook", "commit")  # fmt: skip


@pytest.fixture
def traded(stored, registered, make):
    """A forced decision of a refused model with one order filled in two parts."""
    refused = Verdict("net-v1", (Check("days", False, ">= 90", "2.1"),), {"days": 2.1})
    record_verdict(registered, refused, None)
    names = [f"name_{n}" for n in range(90)]
    registered.execute("INSERT INTO feature_sets (sha256, names) VALUES ('f-set', %s)", (names,))
    registered.execute(
        "INSERT INTO market_ohlc VALUES ('BTCZAR', '1m', %s, 99, 101, 98, 100.5, 3, 'candles.csv')",
        (make.at - timedelta(minutes=1),),
    )
    one, unfilled = make.order(0, "BUY", "2"), make.order(1, "BUY", "1")
    made = make.decision(one, unfilled)
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    parts = (make.fill(one, "100", "1", part="1"), make.fill(one, "110", "2", part="1.0"))
    stored.record_fills(made, parts)
    return registered


def test_the_chain_goes_from_the_order_to_the_commit(traded):
    close_run(traded, RUN, "nonce", {"verdict": "2 orders"})
    attach_notebook(traded, RUN, "runs/20250131/61_trading_cycle.ipynb", "ab" * 32)
    found = why(traded, "h-abc-0")
    said = {line.link: (line.id, line.summary) for line in found.lines}
    sets = "SELECT set_id FROM feature_sets WHERE sha256 = 'f-set'"
    number = traded.execute(sets).fetchone()[0]

    assert tuple(line.link for line in found.lines) == CHAIN
    assert said["order"] == (
        "h-abc-0",
        "BUY 2 BTCZAR MARKET, paper book main at paper, FILLED, 2 filled",
    )
    assert said["fills"] == (
        "h-abc-0-1, h-abc-0-1.0",
        "2 at 105 on average, decided at 100, fee 3 ZAR",
    )
    assert said["target"][0] == "abc"
    assert "BTCZAR from 0.0000 to 0.2500 of equity by mean_variance" in said["target"][1]
    assert "size 0.2500, bound by kelly" in said["risk"][1]
    assert said["view"][1] == "abstained: no key; risk times 0.5"
    assert "buy 0.700 over 60 bars" in said["signal"][1]
    assert said["model"][0] == "net-v1"
    assert "FORCED, not promoted; gate: refused by days (2.1, needs >= 90)" in said["model"][1]
    assert said["features"] == ("f-set", f"feature set {number} of 90 features")
    assert said["data"][0] == "2025-01-31T11:59:00+00:00"
    assert "closed at 100.5, source candles.csv" in said["data"][1]
    assert said["run"][0] == RUN
    assert "flow run flow-1" in said["run"][1]
    assert "force_model=True" in said["run"][1]
    assert said["notebook"] == (
        "runs/20250131/61_trading_cycle.ipynb",
        "sha256 " + "ab" * 32,
    )
    assert said["commit"] == ("c0ffee", "with uncommitted changes")


def test_what_is_not_there_is_said_and_never_invented(traded):
    said = {line.link: line.summary for line in why(traded, "h-abc-1").lines}

    assert said["fills"] == "nothing was filled"
    assert said["notebook"] == "no executed copy: the run is running"
    assert said["run"].endswith("running: nothing emitted yet")


def test_a_verdict_after_the_decision_is_no_reason_for_it(traded):
    later = Verdict("net-v1", (Check("days", True, ">= 90", "91"),), {"days": 91})
    record_verdict(traded, later, None)
    said = {line.link: line.summary for line in why(traded, "h-abc-0").lines}

    assert "refused by days" in said["model"]


def test_a_bare_order_without_model_row_or_candle_still_has_its_chain(stored, registered, make):
    made = make.decision(
        make.order(0, "SELL", "1"),
        signals=(),
        risks=(),
        model_id=None,
        view=replace(make.decision().view, abstained=False, provider="claude", regime="stress"),
    )
    stored.record_decision(made, RUN, stored.account("main", "ZAR", 1_000.0))
    found = why(registered, "h-abc-0")
    said = {line.link: line.summary for line in found.lines}

    assert tuple(line.link for line in found.lines) == CHAIN
    assert said["model"] == "no promoted model"
    assert said["signal"] == "tier 2 gave none for this pair"
    assert said["risk"] == "tier 3 left no row for this pair"
    assert said["view"] == "stress by claude: no key; risk times 0.5"
    assert said["features"] == "a feature set that the store does not name"
    assert said["data"] == "newest candle used opened 2025-01-31T11:59Z"


def test_an_order_that_is_not_there_names_those_that_look_alike(traded):
    with pytest.raises(NotFoundError, match=r"h-abd-0; similar: h-abc-0, h-abc-1") as caught:
        why(traded, "h-abd-0")
    assert caught.value.exit_code == 4

"""Every notebook of the desk, one after the other on one database, with small parameters."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from helios_core.domain.market import Timeframe
from helios_core.store import ledger, market, registry
from helios_core.store.trace import why
from helios_core.workbench.notebooks import list_notebooks
from helios_core.workbench.provenance import code_state
from helios_core.workbench.results import RESULTS

pytestmark = [
    pytest.mark.notebook,
    pytest.mark.db,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

DAYS = 12  # the seed is one whose test part has every outcome often enough to be measured
AT = {"as_of": "the newest bar at which the candidate likes a pair better than usual"}
FORCED = {"force_model": True} | AT
STEPS = (
    ("ingest", "11_ingest", {"days": DAYS, "seed": 5}),
    ("features", "12_features", {}),
    ("train", "21_train", {"epochs": 1}),
    ("evaluate", "22_evaluate", {}),
    ("risk", "31_risk", FORCED),
    ("view", "41_view", AT),
    ("portfolio", "51_portfolio", FORCED),
    ("cycle", "61_trading_cycle", AT),
    ("again", "61_trading_cycle", AT),
    ("forced", "61_trading_cycle", FORCED),
    ("backtest", "62_backtest", {"force_model": True, "every": 240}),
    ("report", "71_daily_report", {}),
    ("tour", "00_tour", {"days": 2}),
)
END = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def counts(database):
    """Return a function that counts the rows of every table but that of the runs."""

    def count():
        with database.connection() as conn:
            names = conn.execute(
                "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'helios'::regnamespace"
                " AND c.relkind IN ('r', 'p') AND c.relname <> 'runs' ORDER BY 1"
            ).fetchall()
            return {
                name: conn.execute(f"SELECT count(*) FROM helios.{name}").fetchone()[0]
                for (name,) in names
            }

    return count


@pytest.fixture(scope="module")
def chain(execute, counts):
    """Run the steps; each has its run and the numbers of rows after it."""
    done, rows = {}, {}
    for step, notebook, parameters in STEPS:
        at = {"as_of": done["evaluate"].result["newest_lean"]} if "as_of" in parameters else {}
        done[step] = execute(notebook, parameters | at, timeout=300)
        rows[step] = counts()
        assert done[step].state == "completed", f"{notebook}: {done[step].error}"
    return done, rows


@pytest.fixture(scope="module")
def results(chain):
    """What each step emitted, as its type."""
    done, _ = chain
    return {
        step: RESULTS[notebook].model_validate(done[step].result) for step, notebook, _ in STEPS
    }


def test_every_notebook_is_run():
    assert sorted({notebook for _, notebook, _ in STEPS}) == list_notebooks()


def test_every_result_is_of_its_type_and_says_that_the_market_was_generated(results):
    assert all(result.simulated for result in results.values())
    assert all(result.verdict for result in results.values())


def test_every_executed_copy_is_the_one_that_the_ledger_knows(chain, database):
    done, _ = chain
    with database.connection() as conn:
        rows = {step: ledger.get_run(conn, run.run_id) for step, run in done.items()}

    for step, run in done.items():
        about = json.loads(run.path.read_text())["metadata"]["helios"]
        assert rows[step].state == about["state"] == "completed"
        assert rows[step].notebook_path == str(run.path)
        assert rows[step].notebook_sha256 == hashlib.sha256(run.path.read_bytes()).hexdigest()
        assert about["outcome"] == run.outcome


def test_no_cell_of_any_copy_raised_and_every_named_figure_is_a_picture(chain, results):
    done, _ = chain
    cells = [c for run in done.values() for c in json.loads(run.path.read_text())["cells"]]
    kinds = {output["output_type"] for c in cells for output in c.get("outputs", [])}
    pictures = [Path(path) for result in results.values() for path in result.figures.values()]

    assert "error" not in kinds
    assert len(pictures) >= len(done)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_what_was_ingested_is_what_everything_after_it_used(results, database):
    ingest = results["ingest"]
    with database.connection() as conn:
        stored = sum(
            market.read_candles(conn, pair, Timeframe.M1, END - timedelta(days=DAYS), END).height
            for pair in ingest.pairs
        )

    assert ingest.rows == stored == results["features"].rows
    assert ingest.rows + ingest.missing == DAYS * 1440 * len(ingest.pairs)
    for step in ("risk", "view", "portfolio", "cycle", "forced"):
        assert results[step].as_of == results["evaluate"].newest_lean <= END
        # a minute without a trade has no candle; the policy allows five of them
        assert timedelta(0) < results[step].as_of - results[step].data_as_of < timedelta(minutes=6)


def test_the_gate_judges_the_stored_model_as_its_training_did(results, database):
    train, judged = results["train"], results["evaluate"]
    with database.connection() as conn:
        card = registry.get_model(conn, train.model_id)
        champion = registry.champion(conn, card.name)

    assert judged.model_id == train.model_id
    assert judged.passed == train.gate_passed
    assert judged.checks_passed <= judged.checks
    assert (card.parameters, card.seed) == (train.parameters, train.seed)
    assert train.start < card.data_from < card.data_to <= train.end <= END
    assert champion is None  # nothing is promoted by a notebook


def test_without_a_promoted_model_the_desk_stays_flat(results):
    cycle = results["cycle"]

    assert (cycle.model_id, cycle.forced, cycle.replayed) == (None, False, False)
    assert set(cycle.weights.values()) == {0.0}
    assert (cycle.orders, cycle.fills) == ([], 0)
    assert cycle.verdict == "no promoted model: flat"
    assert all("NO_MODEL" in skip for skip in cycle.skips)


def test_the_same_bar_decided_again_is_the_same_decision_and_writes_no_row(chain, results):
    _, rows = chain
    first, second = results["cycle"], results["again"]

    assert second.replayed
    assert second.decision_id == first.decision_id
    assert rows["again"] == rows["cycle"]


def test_a_forced_model_orders_on_paper_and_pays_for_it(results):
    forced, train = results["forced"], results["train"]

    assert (forced.forced, forced.model_id, forced.mode) == (True, train.model_id, "paper")
    assert forced.book.endswith("-sim")
    assert len(forced.orders) == forced.fills > 0
    assert 0.9 * forced.equity_before < forced.equity_after < forced.equity_before


def test_tiers_looked_at_alone_show_what_the_cycle_then_used(results):
    assert results["portfolio"].weights == results["forced"].weights
    for pair, weight in results["forced"].weights.items():
        assert abs(weight) <= abs(results["risk"].size[pair]) + 1e-9


def test_the_backtest_looks_at_nothing_that_its_model_was_trained_on(results, database):
    with database.connection() as conn:
        card = registry.get_model(conn, results["train"].model_id)
    parts = card.metrics["parts"]

    assert results["backtest"].model_id == card.model_id
    assert results["backtest"].start >= datetime.fromisoformat(parts["test"]["first"])
    assert results["backtest"].start > datetime.fromisoformat(parts["validation"]["last"])
    assert results["backtest"].end <= END


def test_the_report_counts_what_the_cycles_did(results):
    report, forced = results["report"], results["forced"]

    assert report.day == f"{forced.as_of:%Y-%m-%d}"
    assert (report.cycles, report.decisions) == (2, 2)
    assert (report.orders, report.fills) == (len(forced.orders), forced.fills)
    assert report.equity == pytest.approx(forced.equity_after)
    assert report.why_nothing is None


def test_an_order_leads_to_its_run_its_notebook_its_model_and_its_commit(chain, results, database):
    run, forced = chain[0]["forced"], results["forced"]
    sha256 = hashlib.sha256(run.path.read_bytes()).hexdigest()
    for order in forced.orders:
        with database.connection() as conn:
            links = {line.link: line for line in why(conn, order).lines}

        assert links["order"].id == order
        assert links["target"].id == forced.decision_id
        assert links["model"].id == forced.model_id
        assert f"by run {chain[0]['train'].run_id}" in links["model"].summary
        assert "FORCED, not promoted" in links["model"].summary
        assert links["data"].id == forced.data_as_of.isoformat()
        assert links["run"].id == run.run_id
        assert "61_trading_cycle" in links["run"].summary
        assert links["notebook"].id == str(run.path)
        assert links["notebook"].summary == f"sha256 {sha256}"
        assert links["commit"].id == code_state().commit

"""Every command that reads or writes the store, as a person calls it, on one database."""

import json
import os
import runpy
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from helios_core import __version__
from helios_core.domain.pairs import builtin_rules
from helios_core.domain.runs import ModelCard, RunRecord
from helios_core.domain.trading import Mode
from helios_core.market.catalogue import CATALOGUE, FEATURE_SET, render_markdown
from helios_core.store import ledger, market, registry
from helios_core.store.books import StoredLedger
from helios_core.store.database import Database
from helios_core.workbench.notebooks import list_notebooks

pytestmark = pytest.mark.db

ROOT = Path(__file__).parents[3]
CYCLE = runpy.run_path(str(ROOT / "tests" / "integration" / "ledger" / "cycle_desk.py"))
CANARY = "canary-4f1d"
FAILED = "20250131T110000-bbbb0002"
T0 = datetime(2024, 1, 1, tzinfo=UTC)
RUN = RunRecord(
    run_id=CYCLE["RUN"],
    notebook="61_trading_cycle",
    parameters={"pairs": list(CYCLE["PAIRS"]), "note": "[bold]brackets[/nonsense]"},
    parameters_hash="p",
    commit="c0ffee",
    dirty=False,
    feature_set=None,
    data_as_of=None,
    environment_hash="e",
    seed=7,
    flow_run_id=None,
    state="running",
    started_at=T0,
    ended_at=None,
    outcome="",
    result=None,
    notebook_path=None,
    notebook_sha256=None,
    owner="another-host:1:2.00",
)
CARD = ModelCard(
    model_id=CYCLE["MODEL"],
    name="keen",
    version="1",
    weights_sha256="ab" * 32,
    feature_set=FEATURE_SET,
    label_schema="l",
    config={"width": 8},
    metrics={"auc": 0.5, "unknown": None},
    data_from=T0 - timedelta(days=30),
    data_to=T0 - timedelta(days=1),
    seed=7,
    commit="c0ffee",
    parameters=1234,
    trained_at=T0,
    run_id=CYCLE["RUN"],
)
FILE = """open_time,open,high,low,close,volume
2024-01-01 00:00:00+00:00,100,101,99,100.5,3
2024-01-01 00:01:00+00:00,100.5,102,100,101,2
2024-01-01 00:04:00+00:00,101,103,100,102,1
"""


@pytest.fixture(scope="module")
def prepared(databases):
    """A database with candles that have a gap, a cycle with orders, and a model."""
    name = databases.create()
    dsn = databases.address(name, "owner")
    with Database(dsn, application="helios-test") as database:
        with database.connection() as conn:
            ledger.open_run(conn, RUN, "nonce")
            ledger.open_run(conn, replace(RUN, run_id=FAILED), "other")
            ledger.fail_run(conn, FAILED, "cell 3 raised E: [/nonsense]")
            registry.register_model(conn, CARD)
            market.upsert_pair_rules(conn, list(CYCLE["RULES"].values()))
        stored = StoredLedger(database, Mode.PAPER, "paper")
        CYCLE["run_cycle"](CYCLE["desk_on"](stored), CYCLE["PAIRS"], CYCLE["END"])
    yield dsn
    databases.drop(name)


@pytest.fixture(scope="module")
def environment(prepared, tmp_path_factory):
    home = tmp_path_factory.mktemp("cli")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS_")}
    return {
        **kept,
        "HELIOS_DATABASE_URL": prepared,
        "HELIOS_HOME": str(home / "home"),
        "HELIOS_ENV_FILE": str(home / ".env"),
        "HELIOS_FLOWS__PORT": str(free_port()),
    }


def free_port():
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def call(environment):
    """Return a function that calls `helios` and gives what it printed."""

    def run(*arguments, **extra):
        done = subprocess.run(
            [sys.executable, "-m", "helios_core.cli.app", *arguments],
            env={**environment, **extra},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def ask(call):
    """Return a function that calls `helios ... --json` and gives the object."""

    def run(*arguments, **extra):
        return strict(call(*arguments, "--json", **extra))

    return run


def strict(text):
    """Read JSON as other languages do: NaN and Infinity are no numbers."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def imported(call, ask, tmp_path_factory):
    """What two imports of the same file said, the second as JSON."""
    file = tmp_path_factory.mktemp("files") / "candles.csv"
    file.write_text(FILE)
    first = call("data", "import", str(file), "--pair", "BTCUSDT")
    return first, ask("data", "import", str(file), "--pair", "BTCUSDT")


def test_an_import_says_what_it_did_and_again_that_nothing_changed(imported):
    first, again = imported

    assert "1m candles: 3 new, 0 changed, 0 unchanged" in first
    assert "gaps: 2 bars in 1 runs" in first
    assert again["written"]["1m"] == {"inserted": 0, "updated": 0, "unchanged": 3}
    assert (again["pair"], again["missing"], again["gap_runs"]) == ("BTCUSDT", 2, 1)


def test_coverage_counts_bars_and_gaps(imported, ask, call):
    (own,) = [c for c in ask("data", "coverage") if c["pair"] == "BTCUSDT"]

    assert (own["timeframe"], own["rows"], own["gaps"], own["missing"]) == ("1m", 3, 1, 2)
    assert datetime.fromisoformat(own["first"]) == T0
    assert "BTCUSDT" in call("data", "coverage")


def test_gaps_are_listed_with_their_cause(imported, ask, call):
    (gap,) = ask("data", "gaps", "--pair", "BTCUSDT")

    assert datetime.fromisoformat(gap["start"]) == T0 + timedelta(minutes=2)
    assert (gap["missing"], gap["cause"]) == (2, "missing")
    assert "2 bars missing in 1 runs" in call("data", "gaps", "--pair", "BTCUSDT")
    assert ask("data", "gaps", "--pair", "BTCUSDT", "--timeframe", "1h") == []


def test_pairs_are_those_that_the_store_knows(ask, call):
    found = {row["pair"]: row for row in ask("data", "pairs")}

    assert {rule.pair for rule in builtin_rules()} <= set(found)
    assert found["SIMBTCZAR"]["simulated"]
    assert "SIMBTCZAR" in call("data", "pairs")


def test_db_status_counts_the_rows_of_every_table(imported, ask, call):
    found = ask("db", "status")
    rows = {table["table"]: table["rows"] for table in found["tables"]}

    assert found["server"].startswith("PostgreSQL ")
    assert found["level"] in {"plain", "apache", "community"}
    assert (found["pending"], found["applied"] > 0) == ([], True)
    assert (rows["orders"], rows["market_ohlc"]) == (2, 3)
    assert "market_ohlc" in call("db", "status")


def test_migrating_again_applies_nothing(call):
    assert call("db", "migrate") == "the schema is up to date\n"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_exported_table_holds_what_the_store_holds(imported, call, tmp_path, suffix):
    file = tmp_path / f"candles{suffix}"
    said = call("db", "export", "market_ohlc", str(file))
    frame = pl.read_csv(file) if suffix == ".csv" else pl.read_parquet(file)

    assert said == f"3 rows of market_ohlc written to {file}\n"
    assert sorted(frame["close"].to_list()) == [100.5, 101.0, 102.0]


def test_runs_are_listed_newest_first_and_shown_whole(ask, call):
    found = ask("runs", "list")
    shown = ask("runs", "show", RUN.run_id)
    states = {run["run_id"]: run["state"] for run in found}

    assert (states[RUN.run_id], states[FAILED]) == ("running", "failed")
    assert [run["started_at"] for run in found] == sorted(
        (run["started_at"] for run in found), reverse=True
    )
    assert (shown["commit"], shown["seed"], shown["parameters"]) == ("c0ffee", 7, RUN.parameters)
    assert "[bold]brackets[/nonsense]" in call("runs", "show", RUN.run_id)
    assert "[/nonsense]" in call("runs", "list")
    assert len(ask("runs", "list", "--limit", "1")) == 1


def test_orders_lead_to_their_run(ask, call):
    found = ask("orders")
    chain = {line["link"]: line for line in ask("why", found[0]["client_order_id"])["lines"]}

    assert {order["pair"] for order in found} == set(CYCLE["PAIRS"])
    assert {(order["state"], order["mode"], order["side"]) for order in found} == {
        ("FILLED", "paper", "BUY")
    }
    assert all(float(order["filled"]) == float(order["quantity"]) > 0 for order in found)
    assert chain["run"]["id"] == RUN.run_id
    assert chain["model"]["id"] == CARD.model_id
    assert chain["commit"]["id"] == "c0ffee"
    assert found[0]["client_order_id"] in call("orders")
    assert "c0ffee" in call("why", found[0]["client_order_id"])


def test_models_are_listed_with_their_state(ask, call):
    (model,) = ask("model", "list")

    assert (model["model_id"], model["parameters"]) == (CARD.model_id, 1234)
    assert CARD.model_id in call("model", "list")


def test_features_are_those_of_the_catalogue(ask, call):
    found = ask("features", "list")

    assert found["feature_set"] == FEATURE_SET
    assert [f["name"] for f in found["features"]] == [spec.name for spec in CATALOGUE]
    assert call("features", "doc") == render_markdown()


def test_notebooks_are_listed_with_their_defaults(ask, call):
    found = ask("notebook", "list")

    assert list(found) == list_notebooks()
    assert found["61_trading_cycle"]["mode"] == "paper"
    assert "length of the generated market" in call("notebook", "list")


def test_the_settings_in_force_never_hold_a_secret(ask, call, environment):
    extra = {
        "HELIOS_LLM__ANTHROPIC_API_KEY": CANARY,
        "HELIOS_FLOWS__DATABASE_URL": f"postgresql+asyncpg://p:{CANARY}@127.0.0.1/prefect",
    }
    shown = ask("config", "show", **extra)
    printed = call("config", "show", **extra) + call("config", "validate", **extra)

    assert CANARY not in json.dumps(shown) + printed
    assert environment["HELIOS_DATABASE_URL"] not in json.dumps(shown) + printed
    assert shown["HELIOS_LLM__ANTHROPIC_API_KEY"] == "[redacted]"
    assert shown["HELIOS_HOME"] == environment["HELIOS_HOME"]


def test_doctor_reports_versions_level_migrations_disk_and_clock(ask):
    found = ask("doctor")
    checks = {finding["name"]: finding for finding in found["findings"]}

    assert found["healthy"] is True
    assert found["versions"]["helios-desk"] == __version__
    assert all(version != "not installed" for version in found["versions"].values())
    assert {"python", "database", "database level", "migrations", "disk", "clock"} <= set(checks)
    assert checks["migrations"]["found"].endswith("applied, 0 pending")
    assert checks["clock"]["found"].endswith("s from the database's clock")


def test_prefect_that_is_down_is_a_state_and_no_failure(ask):
    found = ask("flow", "status")

    assert (found["server"]["running"], found["worker"]["running"]) == (False, False)
    assert found["ui"].startswith("http://127.0.0.1:")


def test_an_own_database_is_not_stopped(call):
    assert "Helios does not stop it" in call("db", "down")


def test_the_version_is_that_of_the_package(call):
    assert call("version") == f"{__version__}\n"


AWAY = {"HELIOS_DATABASE_URL": "postgresql://app:hunter2@127.0.0.1:9/helios"}
MISTAKES = [
    (5, AWAY, ["data", "pairs"]),
    (5, AWAY, ["db", "status", "--json"]),
    (5, AWAY, ["db", "up"]),
    (5, AWAY, ["runs", "list", "--json"]),
    (5, AWAY, ["why", "h-1-0"]),
    (5, AWAY, ["notebook", "run", "00_tour"]),
    (1, AWAY, ["doctor", "--json"]),
    (3, {"HELIOS_FLOWS__PORT": "abc"}, ["runs", "list"]),
    (3, {"HELIOS_NONSENSE": "1"}, ["config", "show"]),
    (3, {"HELIOS_HOME": "/dev/null"}, ["doctor"]),
    (4, {}, ["data", "gaps", "--pair", "BTCUSD"]),
    (2, {}, ["data", "gaps", "--pair", "BTCUSDT", "--timeframe", "7m"]),
    (4, {}, ["runs", "show", "20250131T120000-aaaa0002"]),
    (4, {}, ["db", "export", "market_ohcl", "out.csv"]),
    (2, {}, ["db", "export", "market_ohlc", "out.xlsx"]),
    (2, {}, ["runs", "list", "--limit", "0"]),
    (4, {}, ["model", "promote", "keen-2", "--reason", "x", "--actor", "me"]),
    (7, {}, ["model", "promote", "keen-1", "--reason", "x", "--actor", "me"]),
    (2, {}, ["model", "promote", "keen-1"]),
    (5, {}, ["flow", "run", "nope"]),
    (5, {}, ["flow", "list"]),
    (4, {}, ["demo", "--data", "nowhere.csv"]),
    (2, {}, ["frobnicate"]),
]


@pytest.mark.parametrize(
    ("code", "extra", "arguments"), MISTAKES, ids=[" ".join(m[2]) + f" {m[0]}" for m in MISTAKES]
)
def test_no_failure_exits_0_or_shows_a_traceback(environment, code, extra, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "helios_core.cli.app", *arguments],
        env={**environment, **extra},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert done.stderr.strip() or "--json" in arguments


def test_a_notebook_that_fails_does_not_exit_0(environment, tmp_path):
    """Also as JSON, which then says so too."""
    done = subprocess.run(
        [sys.executable, "-m", "helios_core.cli.app", "notebook", "run", "00_tour", "-p", "days=0",
         "--json"],
        env={**environment, "HELIOS_RUNS": str(tmp_path / "runs")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    said = strict(done.stdout)

    assert done.returncode == 1
    assert said["state"] == "failed"
    assert "UsageError: minutes must be from 2" in said["outcome"]
    assert "00_tour failed" in done.stderr
    assert Path(said["path"]).is_file()


@pytest.mark.notebook
def test_a_notebook_that_ends_well_prints_its_result(call, ask, tmp_path):
    runs = {"HELIOS_RUNS": str(tmp_path / "runs")}
    said = ask("notebook", "run", "00_tour", "-p", "days=1", **runs)

    assert (said["state"], said["outcome"]) == ("completed", "no promoted model: flat")
    assert said["result"]["simulated"] is True
    assert Path(said["path"]).is_relative_to(tmp_path / "runs")

"""`helios demo` on a desk of its own: killed in four ways, finished, and run again.

The candles are generated, so that the test needs no data; they come through a file, like a user's.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import pytest

from helios_core.bootstrap import embedded_server
from helios_core.orchestration.processes import processes_with
from helios_core.settings import Settings, load_settings
from helios_core.simulator.generator import generate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.db,
    pytest.mark.notebook,
    pytest.mark.timeout(1500),
]

ROOT = Path(__file__).parents[2]
DAYS = 18


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class ScratchDesk:
    settings: Settings
    environment: dict[str, str]
    file: Path

    def helios(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "helios_core.cli.app", *arguments],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def demo(self) -> subprocess.Popen:
        return self.helios("demo", "--json", "--data", str(self.file))

    def rows(self, statement: str) -> list[tuple]:
        server = embedded_server(self.settings)
        server.start()
        with psycopg.connect(server.dsn(role="ro"), options="-c search_path=helios") as conn:
            return conn.execute(statement).fetchall()

    def wait_for_run(self, notebook: str, known: set[str], demo: subprocess.Popen) -> str:
        """Return the id of a new run of a notebook whose kernel is at work."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            assert demo.poll() is None, demo.communicate()
            if (self.settings.home / "pg" / "ro.password").exists():
                try:
                    running = self.rows(
                        f"SELECT run_id FROM runs WHERE state = 'running' "
                        f"AND notebook = '{notebook}'"
                    )
                except psycopg.Error:
                    running = []  # not migrated yet
                for (run_id,) in running:
                    if run_id not in known and self.kernel(run_id) is not None:
                        return run_id
            time.sleep(0.2)
        raise AssertionError(f"{notebook} did not start")

    def kernel(self, run_id: str) -> psutil.Process | None:
        found = processes_with(HELIOS_RUN_ID=run_id)
        return next((p for p, _ in found if "ipykernel_launcher" in " ".join(p.cmdline())), None)


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[ScratchDesk]:
    home = tmp_path_factory.mktemp("desk")
    file = home / "BTCUSDT-1m.csv"
    candles = generate("BTCUSDT", datetime(2025, 1, 1, tzinfo=UTC), DAYS * 1440, 3, 60_000.0)
    candles.select("open_time", "open", "high", "low", "close", "volume").write_csv(file)
    port = str(free_port())
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS_")} | {
        "HELIOS_HOME": str(home / "helios"),
        "HELIOS_RUNS": str(home / "runs"),
        "HELIOS_MODELS": str(home / "models"),
        "HELIOS_FLOWS__PORT": port,
        "HELIOS_ENV_FILE": str(home / ".env"),
    }
    settings = load_settings(
        home=home / "helios", runs=home / "runs", models=home / "models", flows={"port": port}
    )
    made = ScratchDesk(settings, environment, file)
    try:
        yield made
    finally:
        made.helios("flow", "down").communicate(timeout=120)
        server = embedded_server(settings)
        server.stop()
        shutil.rmtree(server.cluster, ignore_errors=True)


def ended(demo: subprocess.Popen, seconds: float = 420) -> tuple[int, str, str]:
    out, err = demo.communicate(timeout=seconds)
    assert "Traceback" not in err, err
    return demo.returncode, out, err


def test_a_demo_that_was_killed_in_every_way_finishes_when_it_is_run_again(desk):
    demo = desk.demo()
    first = desk.wait_for_run("12_features", set(), demo)
    desk.kernel(first).kill()
    code, _, err = ended(demo)

    assert code == 1
    assert "12_features" in err

    demo = desk.demo()
    second = desk.wait_for_run("12_features", {first}, demo)
    os.kill(embedded_server(desk.settings).status().pid, signal.SIGKILL)
    code, _, err = ended(demo)

    assert code in (1, 5), err

    demo = desk.demo()
    desk.wait_for_run("12_features", {first, second}, demo)
    worker = json.loads((desk.settings.home / "prefect" / "worker.pid").read_text())["pid"]
    os.kill(worker, signal.SIGKILL)
    code, _, err = ended(demo)

    assert code == 5
    assert "helios flow up" in err

    code, out, err = ended(desk.demo())
    summary = json.loads(out)

    assert code == 0, err
    assert len(summary["runs"]) == 14
    assert summary["cycle"] == "no promoted model: flat"
    assert summary["orders"] != "none"
    for path in (Path(run["path"]) for run in summary["runs"]):
        assert path.is_file()
    # a notebook may outlive the kill of its database, which is started again, or of its worker
    assert desk.rows(f"SELECT state FROM runs WHERE run_id = '{first}'") == [("failed",)]
    flows = json.loads(desk.helios("flow", "list", "--json").communicate(timeout=60)[0])
    assert "Crashed" in {run["state"] for run in flows}
    assert desk.rows("SELECT count(*) FROM runs WHERE state = 'running'") == [(0,)]

    counts = (
        "SELECT (SELECT count(*) FROM market_ohlc), (SELECT count(*) FROM engineered_features), "
        "(SELECT count(*) FROM gap_ledger), (SELECT count(*) FROM ml_models), "
        "(SELECT count(*) FROM ml_predictions), (SELECT count(*) FROM rebalancing_events), "
        "(SELECT count(*) FROM orders), (SELECT count(*) FROM trade_executions)"
    )
    before = desk.rows(counts)
    code, out, err = ended(desk.demo())
    again = json.loads(out)

    assert code == 0, err
    assert desk.rows(counts) == before
    assert again["orders"] == summary["orders"]
    assert "nothing was sent again" in again["forced cycle"]
    assert " 0 new" in again["data"]

    why = desk.helios("why", summary["orders"].split(", ")[0], "--json")
    links = {
        line["link"]: line["id"] for line in json.loads(why.communicate(timeout=60)[0])["lines"]
    }
    cycles = [run for run in summary["runs"] if run["notebook"] == "61_trading_cycle"]

    assert links["run"] == cycles[-1]["run_id"]
    assert links["notebook"] == cycles[-1]["path"]

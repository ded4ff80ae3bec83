"""Each mistake a person can make ends with the documented code and one sentence, no traceback."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CANDLES = """open_time,open,high,low,close,volume
2024-01-01 00:00:00+00:00,100,101,99,100.5,3
2024-01-01 00:01:00+00:00,100.5,102,100,101,2
2024-01-01 00:02:00+00:00,101,103,100,102,1
"""


@pytest.fixture
def environment(dsn, tmp_path):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS_")}
    return {
        **kept,
        "HELIOS_DATABASE_URL": dsn,
        "HELIOS_HOME": str(tmp_path / "home"),
        "HELIOS_ENV_FILE": str(tmp_path / ".env"),
    }


def helios(environment, *arguments, **extra):
    return subprocess.run(
        [sys.executable, "-m", "helios_core.cli.app", *arguments],
        env={**environment, **extra},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def refused(done, code, *words):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert re.search(word, done.stderr), done.stderr


@pytest.fixture
def candles(tmp_path):
    def write(text=CANDLES):
        file = tmp_path / "candles.csv"
        file.write_text(text)
        return str(file)

    return write


def test_help_needs_less_than_half_a_cpu_second(environment):
    script = (
        "import resource, subprocess, sys;"
        "subprocess.run([sys.executable, '-m', 'helios_core.cli.app', '--help'],"
        " stdout=subprocess.DEVNULL, check=True);"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime)"
    )
    seconds = min(
        float(subprocess.check_output([sys.executable, "-c", script], cwd=ROOT)) for _ in range(3)
    )

    assert seconds < 0.5


def test_help_imports_nothing_heavy(environment):
    script = (
        "import sys, helios_core.cli.app;"
        "print([m for m in ('torch', 'prefect', 'pandas', 'polars', 'cvxpy', 'arch', 'psycopg',"
        " 'papermill', 'matplotlib') if m in sys.modules])"
    )

    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


@pytest.mark.db
class TestImport:
    def test_a_good_file_is_imported_once(self, environment, candles):
        first = helios(environment, "data", "import", candles(), "--pair", "BTCUSDT")
        second = helios(environment, "data", "import", candles(), "--pair", "BTCUSDT")

        assert first.returncode == second.returncode == 0, first.stderr + second.stderr
        assert "3 unchanged" in second.stdout

    def test_a_missing_file_is_not_found(self, environment):
        refused(
            helios(environment, "data", "import", "nowhere.csv", "--pair", "BTCUSDT"),
            4, r"Error: .*nowhere\.csv.*\(code 4\)",
        )  # fmt: skip

    def test_a_wrong_column_is_told_with_what_was_found(self, environment, candles):
        file = candles(CANDLES.replace("close", "schluss"))
        refused(
            helios(environment, "data", "import", file, "--pair", "BTCUSDT"), 1, "schluss", "close"
        )

    def test_text_in_a_price_is_told_with_its_row(self, environment, candles):
        file = candles(CANDLES.replace("100.5,102", "oops,102"))
        refused(helios(environment, "data", "import", file, "--pair", "BTCUSDT"), 1, "oops", "row")

    def test_time_going_backwards_is_refused(self, environment, candles):
        lines = CANDLES.splitlines()
        file = candles("\n".join([lines[0], lines[2], lines[1], lines[3]]) + "\n")
        refused(helios(environment, "data", "import", file, "--pair", "BTCUSDT"), 1, "2024-01-01")

    def test_an_unknown_pair_is_not_found_and_look_alikes_are_named(self, environment, candles):
        refused(helios(environment, "data", "import", candles(), "--pair", "BTCUSD"), 4, "BTCUSDT")

    def test_a_refused_file_leaves_nothing_behind(self, environment, candles):
        file = candles(CANDLES.replace("100.5,102", "oops,102"))
        helios(environment, "data", "import", file, "--pair", "ETHUSDT")
        found = helios(environment, "data", "coverage", "--json")

        assert "ETHUSDT" not in found.stdout


@pytest.mark.db
class TestEverythingElse:
    def test_an_unknown_parameter_stops_before_anything_runs(self, environment):
        done = helios(environment, "notebook", "run", "61_trading_cycle", "-p", "pairz=BTCUSDT")
        refused(done, 2, "pairz", "pairs")

    def test_an_ill_typed_parameter_is_a_usage_error(self, environment):
        done = helios(environment, "notebook", "run", "21_train", "-p", "epochs=many")
        refused(done, 2, "epochs", "many")

    def test_an_unknown_notebook_is_not_found(self, environment):
        done = helios(environment, "notebook", "run", "61_trading_cycl")
        refused(done, 4, "61_trading_cycle")

    def test_an_unknown_order_is_not_found(self, environment):
        helios(environment, "db", "migrate")
        refused(helios(environment, "why", "h-nothing-0"), 4, "h-nothing-0")

    def test_an_unknown_option_is_a_usage_error(self, environment):
        refused(helios(environment, "data", "coverage", "--colour"), 2, "colour")

    def test_an_unknown_bench_is_not_found(self, environment):
        refused(helios(environment, "bench", "stor"), 4, "store")

    def test_promotion_without_a_passed_gate_is_refused(self, environment):
        helios(environment, "db", "migrate")
        done = helios(
            environment, "model", "promote", "none-1", "--reason", "try", "--actor", "test"
        )
        refused(done, 4, "none-1")


def test_a_broken_env_file_names_the_setting(environment, tmp_path):
    (tmp_path / ".env").write_text("HELIOS_FLOWS__PORT=abc\n")
    refused(helios(environment, "config", "validate"), 3, "HELIOS_FLOWS__PORT", "abc")


def test_an_unreachable_database_is_a_dependency_error(environment):
    done = helios(
        environment,
        "data",
        "coverage",
        HELIOS_DATABASE_URL="postgresql://app:hunter2@127.0.0.1:9/helios",
    )
    refused(done, 5, r"127\.0\.0\.1")
    assert "hunter2" not in done.stderr


def test_an_address_that_is_none_is_told_without_its_password(environment):
    done = helios(
        environment, "data", "coverage", HELIOS_DATABASE_URL="postgres//app:hunter2@host/helios"
    )
    refused(done, 5, "postgresql://")
    assert "hunter2" not in done.stderr


@pytest.mark.db
def test_a_taken_port_is_a_dependency_error(environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(helios(environment, "lab", "--port", port), 5, port, "HELIOS_NOTEBOOKS__LAB_PORT")
        done = helios(environment, "flow", "up", HELIOS_FLOWS__PORT=port)
        refused(done, 5, port, "HELIOS_FLOWS__PORT")

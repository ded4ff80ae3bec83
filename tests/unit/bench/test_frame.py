"""The frame with benches that are made up: what counts, in which order, and what it prints."""

import importlib
import json
import math
import sys
import time
from contextlib import contextmanager
from types import ModuleType

import pytest

from helios_core.bench import frame
from helios_core.bench.frame import (
    Bench,
    BenchReport,
    DisagreementError,
    Figure,
    Side,
    Timing,
    cpu_cost,
    print_report,
    require_peer,
    run_bench,
    speed,
)
from helios_core.errors import DependencyError, NotFoundError, UsageError


def spin(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class Made:
    """A bench of two sides that writes down what is called."""

    def __init__(self, *, agree=True, ours=0.002, peer=0.010):
        self.calls = []
        self.cleaned = False
        self._agree, self._seconds = agree, {"ours": ours, "peer": peer}

    @contextmanager
    def prepare(self, context):
        self.calls.append(dict(context))
        try:
            yield Bench(
                agreements={"result": self._compare},
                sides=tuple(self._side(name) for name in ("ours", "peer")),
                figures=lambda t: {
                    "vs_peer": speed(t["ours"], t["peer"], "peer", unit="rows", note="goal >= 2"),
                    "cpu_vs_peer": cpu_cost(t["ours"], t["peer"], "peer", unit="rows", note=""),
                },
                packages=("polars",),
                versions={"server": "18"},
            )
        finally:
            self.cleaned = True

    def _compare(self):
        self.calls.append("compare")
        if not self._agree:
            raise DisagreementError("ours gave 1, the peer 2")
        return "both gave 1"

    def _side(self, name):
        def work():
            self.calls.append(name)
            spin(self._seconds[name])

        return Side(name, work, 1000.0, lambda: self.calls.append(f"reset {name}"))


@pytest.fixture
def register(monkeypatch):
    def add(made):
        module = ModuleType("made_bench")
        module.prepare = made.prepare
        monkeypatch.setitem(sys.modules, "made_bench", module)
        monkeypatch.setitem(frame.BENCHES, "made", "made_bench")
        return made

    return add


def test_results_are_compared_before_anything_is_timed_and_sides_take_turns(register):
    made = register(Made(ours=0, peer=0))
    report = run_bench("made", {"dsn": "here"}, repeats=5)

    turn = ["reset ours", "ours", "reset peer", "peer"]
    assert made.calls == [{"dsn": "here"}, "compare", *(turn * 5)]
    assert report.agreement == {"result": "both gave 1"}
    assert made.cleaned


def test_a_disagreement_ends_with_an_error_no_time_and_a_clean_desk(register):
    made = register(Made(agree=False))
    with pytest.raises(DisagreementError, match="the peer 2") as caught:
        run_bench("made", {})

    assert "ours" not in made.calls
    assert made.cleaned
    assert caught.value.exit_code == 1


def test_a_side_that_uses_five_times_the_cpu_is_seen_as_such(register):
    register(Made(ours=0.004, peer=0.020))
    figures = run_bench("made", {}).figures

    assert figures["cpu_vs_peer"].value == pytest.approx(0.2, rel=0.25)
    assert figures["vs_peer"].value > 2


def test_the_fastest_run_counts():
    ours = Timing(1000.0, walls=(4.0, 2.0, 3.0), cpus=(1.0, 1.5, 0.5))
    peer = Timing(100.0, walls=(2.0, 1.0, 9.0), cpus=(0.5, 0.2, 0.4))
    fast, cheap = (f(ours, peer, "peer", unit="rows", note="") for f in (speed, cpu_cost))

    assert (fast.ours, fast.peer, fast.value) == (500.0, 100.0, 5.0)
    assert (cheap.ours, cheap.peer) == (pytest.approx(500.0), pytest.approx(2000.0))
    assert cheap.value == pytest.approx(0.25)


def test_the_report_is_one_json_object_of_the_documented_shape(register):
    register(Made(ours=0, peer=0))
    report = json.loads(run_bench("made", {}).to_json())

    assert list(report) == ["name", "machine", "versions", "figures", "agreement"]
    assert report["name"] == "made"
    assert set(report["versions"]) == {"python", "polars", "server"}
    assert set(report["machine"]) == {"processor", "cores", "system", "load_1m"}
    assert list(report["figures"]["vs_peer"]) == [
        "value", "unit", "ours", "peer", "peer_name", "note",
    ]  # fmt: skip


def test_a_figure_that_is_not_finite_is_null_in_json():
    figure = Figure(math.inf, "x", math.nan, None, None, "")
    plain = json.loads(BenchReport("b", {}, {}, {"k": figure}, {}).to_json())

    assert plain["figures"]["k"]["value"] is None
    assert plain["figures"]["k"]["ours"] is None


def test_people_see_every_figure_and_what_agreed(register, capsys):
    register(Made(ours=0, peer=0))
    print_report(run_bench("made", {}))
    out = capsys.readouterr().out

    for word in ("vs_peer", "cpu_vs_peer", "goal >= 2", "agreement on result: both gave 1"):
        assert word in out


def test_an_unknown_bench_names_those_there_are():
    with pytest.raises(NotFoundError, match="store"):
        run_bench("stor", {})


def test_fewer_than_five_repeats_are_refused(register):
    made = register(Made())
    with pytest.raises(UsageError, match="at least 5"):
        run_bench("made", {}, repeats=4)

    assert made.calls == []


def test_a_missing_peer_says_what_to_install():
    with pytest.raises(DependencyError, match=r"nowhere_to_be_found.*pip install -e \.\[bench\]"):
        require_peer("nowhere_to_be_found.dbapi")


def test_every_named_bench_is_a_module_that_prepares():
    for module in frame.BENCHES.values():
        assert callable(importlib.import_module(module).prepare)

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import trade as trade_module
from flows.ingest import ingest
from flows.report import report
from flows.research import research
from flows.trade import floor_to_bar, trade
from helios_core.errors import NotebookError

DUE = datetime(2026, 1, 31, 12, 2, 30, 123456, tzinfo=UTC)


@pytest.fixture
def due(monkeypatch):
    monkeypatch.setattr(trade_module, "_refusal", lambda: None)
    monkeypatch.setattr(trade_module, "_due", lambda: DUE)


def test_ingest_hands_the_file_and_its_layout_to_the_notebook(notebooks):
    done = ingest.fn(pairs=["BTCUSDT"], source="file", file="a.csv", time="close", tz="+01:00")

    assert notebooks.calls == [
        (
            "11_ingest",
            {
                "pairs": ["BTCUSDT"],
                "source": "file",
                "file": "a.csv",
                "time": "close",
                "tz": "+01:00",
            },
        )
    ]
    assert list(done) == ["11_ingest"]


def test_research_judges_the_model_that_was_just_trained(notebooks):
    notebooks.answers["21_train"] = {"model_id": "heliosnet-3f2a"}
    research.fn(pairs=["BTCZAR"], epochs=2)

    assert notebooks.calls == [
        ("12_features", {"pairs": ["BTCZAR"]}),
        ("21_train", {"pairs": ["BTCZAR"], "epochs": 2}),
        ("22_evaluate", {"model_id": "heliosnet-3f2a"}),
    ]


def test_report_runs_the_backtest_and_the_day(notebooks):
    report.fn(pairs=["BTCZAR"], day="2026-01-31")

    assert notebooks.calls == [
        ("62_backtest", {"pairs": ["BTCZAR"]}),
        ("71_daily_report", {"pairs": ["BTCZAR"], "day": "2026-01-31"}),
    ]


def test_a_cycle_decides_for_the_minute_that_it_was_due_never_for_now(notebooks, due):
    trade.fn(pairs=["BTCZAR"])

    assert [name for name, _ in notebooks.calls] == [
        "31_risk",
        "41_view",
        "51_portfolio",
        "61_trading_cycle",
    ]
    assert {p["as_of"] for _, p in notebooks.calls} == {"2026-01-31T12:02:00+00:00"}
    assert notebooks.calls[-1][1]["mode"] == "paper"
    assert not any("force_model" in p for _, p in notebooks.calls)


def test_a_time_that_is_given_is_taken_as_it_is(notebooks, due):
    trade.fn(pairs=["BTCZAR"], as_of="2024-12-30T00:00:00+00:00", force_model=True)

    assert {p["as_of"] for _, p in notebooks.calls} == {"2024-12-30T00:00:00+00:00"}
    assert notebooks.calls[-1][1]["force_model"] is True


def test_a_failed_notebook_ends_the_flow_before_anything_is_ordered(notebooks, due):
    notebooks.answers["31_risk"] = NotebookError("31_risk failed")
    with pytest.raises(NotebookError):
        trade.fn(pairs=["BTCZAR"])

    assert [name for name, _ in notebooks.calls] == ["31_risk"]


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60))
def test_a_bar_ends_at_a_whole_minute_not_later_than_the_run_was_due(at, offset):
    elsewhere = timezone(timedelta(minutes=offset))
    try:
        shifted = at.astimezone(elsewhere)
    except OverflowError:
        return
    floored = floor_to_bar(shifted)

    assert floored.utcoffset() == timedelta(0)
    assert (floored.second, floored.microsecond) == (0, 0)
    assert timedelta(0) <= at - floored < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("tags", "auto", "late", "reason"),
    [
        ([], False, timedelta(hours=3), None),
        (["auto-scheduled"], False, timedelta(0), "HELIOS_TRADING__AUTO_TRADING"),
        (["auto-scheduled"], True, timedelta(seconds=20), None),
        (["auto-scheduled"], True, timedelta(hours=3), "missed"),
    ],
)
def test_a_scheduled_cycle_needs_leave_and_is_not_made_up_for(
    monkeypatch, notebooks, tags, auto, late, reason
):
    run = SimpleNamespace(tags=tags, scheduled_start_time=DUE)
    settings = SimpleNamespace(trading=SimpleNamespace(auto_trading=auto))
    clock = SimpleNamespace(now=lambda: DUE + late)
    monkeypatch.setattr("prefect.runtime.flow_run", run)
    monkeypatch.setattr("helios_core.settings.load_settings", lambda: settings)
    monkeypatch.setattr("helios_core.bootstrap.SystemClock", lambda: clock)
    done = trade.fn(pairs=["BTCZAR"])

    if reason is None:
        assert len(notebooks.calls) == 4
    else:
        assert notebooks.calls == []
        assert (done.name, done.is_completed()) == ("Skipped", True)
        assert reason in done.message

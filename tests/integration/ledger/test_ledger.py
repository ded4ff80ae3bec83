"""The run ledger: who may close a run, and what becomes of one that nobody closed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from helios_core.errors import NotFoundError, StoreError
from helios_core.store.ledger import (
    attach_notebook,
    close_run,
    fail_run,
    get_run,
    list_runs,
    open_run,
    reap_dead_runs,
)

pytestmark = pytest.mark.db
NONCE = "00112233445566778899aabbccddeeff"
RESULT = {
    "verdict": "2 orders",
    "simulated": False,
    "data_as_of": "2025-01-31T11:59:00Z",
    "feature_set": "f-set",
}


def test_an_opened_run_reads_back_as_it_was(conn, run):
    open_run(conn, run, NONCE)

    assert get_run(conn, run.run_id) == run


def test_the_nonce_itself_is_nowhere_in_the_database(conn, run):
    open_run(conn, run, NONCE)
    row = conn.execute("SELECT to_jsonb(r)::text FROM runs r").fetchone()

    assert NONCE not in row[0]


def test_the_right_nonce_completes_a_run_with_its_result(conn, run):
    open_run(conn, run, NONCE)
    before = conn.execute("SELECT now()").fetchone()[0]

    assert close_run(conn, run.run_id, NONCE, RESULT) is True
    done = get_run(conn, run.run_id)
    assert (done.state, done.outcome, done.result) == ("completed", "2 orders", RESULT)
    assert done.data_as_of == datetime(2025, 1, 31, 11, 59, tzinfo=UTC)
    assert done.feature_set == "f-set"
    assert before <= done.ended_at <= before + timedelta(minutes=1)


def test_a_wrong_nonce_an_unknown_run_and_a_second_emit_close_nothing(conn, run):
    open_run(conn, run, NONCE)

    assert close_run(conn, run.run_id, "f" * 32, RESULT) is False
    assert close_run(conn, "no-such-run", NONCE, RESULT) is False
    assert get_run(conn, run.run_id).state == "running"
    assert close_run(conn, run.run_id, NONCE, RESULT) is True
    assert close_run(conn, run.run_id, NONCE, {**RESULT, "verdict": "other"}) is False
    assert get_run(conn, run.run_id).outcome == "2 orders"


@pytest.mark.parametrize("result", [{}, {"verdict": ""}, {"verdict": 3}])
def test_a_result_without_a_verdict_is_refused(conn, run, result):
    open_run(conn, run, NONCE)

    with pytest.raises(StoreError, match="verdict"):
        close_run(conn, run.run_id, NONCE, result)


def test_a_data_cut_off_that_is_no_time_is_refused(conn, run):
    open_run(conn, run, NONCE)

    with pytest.raises(StoreError, match="ISO 8601"):
        close_run(conn, run.run_id, NONCE, {**RESULT, "data_as_of": "yesterday"})


def test_a_failed_run_keeps_its_reason_and_cannot_be_completed_later(conn, run):
    open_run(conn, run, NONCE)

    assert fail_run(conn, run.run_id, "the kernel died") is True
    assert fail_run(conn, run.run_id, "again") is False
    assert close_run(conn, run.run_id, NONCE, RESULT) is False
    done = get_run(conn, run.run_id)
    assert (done.state, done.outcome) == ("failed", "the kernel died")
    assert done.ended_at is not None


def test_a_completed_run_cannot_be_failed_later(conn, run):
    open_run(conn, run, NONCE)
    close_run(conn, run.run_id, NONCE, RESULT)

    assert fail_run(conn, run.run_id, "late") is False
    assert get_run(conn, run.run_id).state == "completed"


def test_text_that_postgresql_refuses_is_replaced_and_not_lost(conn, run):
    open_run(conn, run, NONCE)
    fail_run(conn, run.run_id, "cut\0off \ud800 here")

    assert get_run(conn, run.run_id).outcome == "cut\ufffdoff ? here"


def test_opening_twice_is_harmless_with_the_same_nonce_only(conn, run):
    open_run(conn, run, NONCE)
    open_run(conn, run, NONCE)

    with pytest.raises(StoreError, match="opened before"):
        open_run(conn, run, "f" * 32)
    assert len(list_runs(conn, 10)) == 1


def test_the_executed_notebook_is_attached(conn, run):
    open_run(conn, run, NONCE)
    attach_notebook(conn, run.run_id, "runs/20250131/x.ipynb", "ab" * 32)
    found = get_run(conn, run.run_id)

    assert (found.notebook_path, found.notebook_sha256) == ("runs/20250131/x.ipynb", "ab" * 32)
    with pytest.raises(NotFoundError):
        attach_notebook(conn, "no-such-run", "x", "y")


def test_a_run_that_is_not_there_names_those_that_look_alike(conn, run):
    open_run(conn, run, NONCE)

    with pytest.raises(NotFoundError, match=f"20250131T12.*similar: {run.run_id}") as caught:
        get_run(conn, "20250131T12")
    assert caught.value.exit_code == 4
    with pytest.raises(NotFoundError, match="helios runs list"):
        get_run(conn, "zzz")


def test_runs_are_listed_newest_first(conn, run):
    for minutes in (5, 1, 9):
        at = run.started_at + timedelta(minutes=minutes)
        open_run(conn, replace(run, run_id=f"r-{minutes}", started_at=at), NONCE)

    assert [one.run_id for one in list_runs(conn, 2)] == ["r-9", "r-5"]


def test_runs_of_dead_owners_are_failed_and_others_left_alone(conn, run):
    for name, owner in (("a", "dead"), ("b", "alive"), ("c", "dead")):
        open_run(conn, replace(run, run_id=name, owner=owner), NONCE)
    close_run(conn, "c", NONCE, RESULT)

    assert reap_dead_runs(conn, lambda owner: owner == "alive") == ["a"]
    assert [get_run(conn, name).state for name in "abc"] == ["failed", "running", "completed"]
    assert "killed" in get_run(conn, "a").outcome
    assert reap_dead_runs(conn, lambda owner: owner == "alive") == []

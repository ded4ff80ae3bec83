"""The model registry: a champion needs a recorded verdict that passed."""

import math
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from helios_core.domain.runs import Check, Verdict
from helios_core.errors import GateError, NotFoundError, StoreError, UsageError
from helios_core.network.gates import GateEvidence, judge
from helios_core.store.registry import (
    champion,
    get_model,
    latest_verdict,
    list_models,
    newest_model,
    promote,
    record_verdict,
    register_model,
    retire,
)

pytestmark = pytest.mark.db


def verdict(model_id, *, passed, evidence=1.0):
    checks = (Check("days", True, ">= 90", "91"), Check("auc", passed, "> 0.51", "0.49"))
    return Verdict(model_id, checks, {"auc": evidence})


@pytest.fixture
def models(conn, card):
    """Three versions, the third the newest."""
    cards = [
        replace(
            card,
            model_id=f"net-v{n}",
            version=f"v{n}",
            weights_sha256=f"{n}" * 64,
            trained_at=card.trained_at + timedelta(days=n),
        )
        for n in (1, 2, 3)
    ]
    for one in cards:
        register_model(conn, one)
    return cards


def states(conn):
    return {row.model_id: row.state for row in list_models(conn)}


def events(conn):
    return conn.execute("SELECT event, fields FROM system_events ORDER BY id").fetchall()


def test_a_card_reads_back_as_it_was_and_registering_again_changes_nothing(conn, card):
    register_model(conn, card)
    register_model(conn, card)

    assert get_model(conn, card.model_id) == card
    assert len(list_models(conn)) == 1


def test_the_same_id_with_other_weights_is_refused(conn, card):
    register_model(conn, card)

    with pytest.raises(StoreError, match="another seed"):
        register_model(conn, replace(card, weights_sha256="cd" * 32))


def test_a_model_that_is_not_there_names_those_that_look_alike(conn, models):
    with pytest.raises(NotFoundError, match="similar: net-v3, net-v2, net-v1"):
        get_model(conn, "net-v")


def test_a_model_without_a_verdict_is_not_promoted(conn, models):
    with pytest.raises(GateError, match="never judged") as caught:
        promote(conn, "net-v1", "ann", "looks good")
    assert caught.value.exit_code == 7
    assert champion(conn, "net") is None
    assert events(conn) == []


def test_a_refused_model_is_rejected_and_not_promoted(conn, models):
    record_verdict(conn, verdict("net-v1", passed=False), None)

    with pytest.raises(GateError, match=r"auc \(0\.49, needs > 0\.51\)"):
        promote(conn, "net-v1", "ann", "looks good")
    assert states(conn)["net-v1"] == "rejected"


def test_a_model_that_passed_becomes_champion_with_who_and_why(conn, models):
    record_verdict(conn, verdict("net-v1", passed=True), None)

    assert champion(conn, "net") is None
    promote(conn, "net-v1", "ann", "beats flat")
    assert champion(conn, "net") == models[0]
    about = {"model_id": "net-v1", "actor": "ann", "reason": "beats flat", "replaced": None}
    assert events(conn) == [("model_promoted", about)]


def test_promoting_the_champion_again_changes_nothing(conn, models):
    record_verdict(conn, verdict("net-v1", passed=True), None)
    promote(conn, "net-v1", "ann", "beats flat")
    promote(conn, "net-v1", "ann", "beats flat")

    assert len(events(conn)) == 1


def test_the_next_champion_retires_the_old_one(conn, models):
    for name in ("net-v1", "net-v2"):
        record_verdict(conn, verdict(name, passed=True), None)
        promote(conn, name, "ann", "better")

    assert states(conn) == {"net-v1": "retired", "net-v2": "champion", "net-v3": "candidate"}
    assert events(conn)[-1][1]["replaced"] == "net-v1"


def test_only_the_newest_verdict_counts(conn, models):
    record_verdict(conn, verdict("net-v1", passed=True, evidence=1.0), None)
    record_verdict(conn, verdict("net-v1", passed=False, evidence=2.0), None)

    with pytest.raises(GateError):
        promote(conn, "net-v1", "ann", "it passed once")
    record_verdict(conn, verdict("net-v1", passed=True, evidence=3.0), None)
    assert states(conn)["net-v1"] == "candidate"
    promote(conn, "net-v1", "ann", "new evidence")
    assert states(conn)["net-v1"] == "champion"


def test_verdicts_of_one_transaction_keep_their_order(conn, models):
    with conn.transaction():
        for n in range(5):
            record_verdict(conn, verdict("net-v1", passed=n == 4, evidence=float(n)), None)

    assert latest_verdict(conn, "net-v1").evidence == {"auc": 4.0}


def test_the_same_evidence_is_judged_once(conn, models):
    first = record_verdict(conn, verdict("net-v1", passed=True), None)
    again = record_verdict(conn, verdict("net-v1", passed=True), None)
    other = record_verdict(conn, verdict("net-v2", passed=True), None)

    assert first == again != other
    assert conn.execute("SELECT count(*) FROM gate_verdicts").fetchone() == (2,)


def test_a_verdict_of_the_gate_reads_back_as_it_was(conn, models):
    evidence = GateEvidence(
        feature_set="f", serving_feature_set="f", label_schema="l", serving_label_schema="l",
        leaked=0, direction_auc=0.52, direction_auc_low=math.nan, baseline_direction_auc=0.5,
        log_loss=1.0, volatility_log_loss=1.1, log_loss_p_value=0.01, trades=250, days=120.5,
        net_mean=1e-4, net_mean_stressed=-1e-5, calibration_error=0.01, temperature_hit=1.0,
        temperature_direction=1.0, superiority=0.95,
    )  # fmt: skip
    made = judge("net-v1", evidence)
    record_verdict(conn, made, None)

    assert latest_verdict(conn, "net-v1") == made
    assert latest_verdict(conn, "net-v2") is None
    assert made.passed is False


def test_a_verdict_on_an_unknown_model_is_not_found(conn, models):
    with pytest.raises(NotFoundError, match="net-v9"):
        record_verdict(conn, verdict("net-v9", passed=True), None)


def test_an_empty_gate_never_passes(conn, models):
    record_verdict(conn, Verdict("net-v1", (), {}), None)

    with pytest.raises(GateError):
        promote(conn, "net-v1", "ann", "nothing refused it")


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("ann", " ")])
def test_nobody_or_no_reason_promotes_and_retires_nothing(conn, models, actor, reason):
    record_verdict(conn, verdict("net-v1", passed=True), None)

    for act in (promote, retire):
        with pytest.raises(UsageError):
            act(conn, "net-v1", actor, reason)
    assert states(conn)["net-v1"] == "candidate"


def test_a_retired_champion_leaves_the_desk_without_one(conn, models):
    record_verdict(conn, verdict("net-v3", passed=True), None)
    promote(conn, "net-v3", "ann", "better")
    retire(conn, "net-v3", "bob", "drifts")
    retire(conn, "net-v3", "bob", "drifts")

    assert champion(conn, "net") is None
    assert [name for name, _ in events(conn)] == ["model_promoted", "model_retired"]
    assert newest_model(conn, "net") == models[1]


def test_the_newest_model_is_the_last_trained_whatever_its_gate_said(conn, models):
    record_verdict(conn, verdict("net-v3", passed=False), None)

    assert newest_model(conn, "net") == models[2]
    assert newest_model(conn, "other") is None


def test_the_list_says_what_the_gate_said(conn, models):
    record_verdict(conn, verdict("net-v1", passed=True), None)
    record_verdict(conn, verdict("net-v2", passed=False), None)

    assert [(row.model_id, row.gate) for row in list_models(conn)] == [
        ("net-v3", None),
        ("net-v2", "refused: auc (0.49, needs > 0.51)"),
        ("net-v1", "passed"),
    ]


def test_a_verdict_that_was_recorded_cannot_be_changed_even_by_the_owner(conn, models):
    record_verdict(conn, verdict("net-v1", passed=False), None)

    for statement in ("UPDATE gate_verdicts SET passed = true", "DELETE FROM gate_verdicts"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            conn.execute(statement)

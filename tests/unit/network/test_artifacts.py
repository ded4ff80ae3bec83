import hashlib
import json
import struct
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from helios_core.errors import ModelError, NotFoundError
from helios_core.network.artifacts import (
    CARD,
    WEIGHTS,
    Origin,
    load_model,
    model_directory,
    read_card,
    save_model,
)
from helios_core.network.gates import gate_evidence
from helios_core.network.inference import score

ORIGIN = Origin(datetime(2024, 5, 1, tzinfo=UTC), commit="abc", run_id="run-1")


@pytest.fixture
def saved(trained, tmp_path):
    return save_model(trained, tmp_path, "helios", ORIGIN), tmp_path


def test_a_loaded_model_scores_bit_for_bit_like_the_trained_one(saved, trained, planted):
    card, root = saved
    one = score(trained.model, planted.features, planted.candles)
    two = score(load_model(root, card), planted.features, planted.candles)

    assert np.array_equal(one.p_hit, two.p_hit, equal_nan=True)
    assert np.array_equal(one.p_up, two.p_up, equal_nan=True)


def test_the_card_on_disk_is_the_card_returned(saved):
    card, root = saved
    found = read_card(model_directory(root, card) / CARD)

    assert found == card
    assert card.model_id == f"helios-{card.version}"
    assert gate_evidence(found.metrics["evidence"]).feature_set == card.feature_set


def test_nothing_but_the_two_files_is_left(saved):
    card, root = saved
    files = sorted(str(p.relative_to(root / "helios")) for p in root.rglob("*") if p.is_file())

    assert files == [f"{card.version}/{CARD}", f"{card.version}/{WEIGHTS}"]


def test_the_sha256_is_that_of_the_file(saved):
    card, root = saved
    raw = (model_directory(root, card) / WEIGHTS).read_bytes()

    assert card.weights_sha256 == hashlib.sha256(raw).hexdigest()


def test_saving_again_keeps_the_first_copy(saved, trained):
    card, root = saved
    later = save_model(trained, root, "helios", replace(ORIGIN, run_id="run-2"))

    assert later == card


def test_a_damaged_copy_is_replaced_when_saved_again(saved, trained):
    card, root = saved
    (model_directory(root, card) / WEIGHTS).write_bytes(b"")
    later = save_model(trained, root, "helios", replace(ORIGIN, run_id="run-2"))

    assert later.run_id == "run-2"
    assert load_model(root, later).model_id == card.model_id


def test_a_failed_write_leaves_nothing_behind(trained, tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("helios_core.network.artifacts.os.fsync", full_disk)
    with pytest.raises(ModelError, match="No space left"):
        save_model(trained, tmp_path, "helios", ORIGIN)

    assert [p for p in tmp_path.rglob("*") if p.is_file() or p.name.startswith(".")] == []


def flip(raw):
    return raw[:-5] + bytes([raw[-5] ^ 1]) + raw[-4:]


@pytest.mark.parametrize(
    "damage", [flip, lambda raw: raw[:-100], lambda raw: b"", lambda r: r + b"x"]
)
def test_changed_or_cut_weights_are_refused(saved, damage):
    card, root = saved
    path = model_directory(root, card) / WEIGHTS
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(ModelError, match="changed or cut"):
        load_model(root, card)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 40,
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        b"\x80\x04\x95\x00",
    ],
)
def test_a_foreign_file_is_refused_even_with_a_matching_hash(saved, raw):
    card, root = saved
    (model_directory(root, card) / WEIGHTS).write_bytes(raw)
    forged = replace(card, weights_sha256=hashlib.sha256(raw).hexdigest())

    with pytest.raises(ModelError, match="train the model again"):
        load_model(root, forged)


def test_a_card_with_another_config_is_refused(saved):
    card, root = saved
    config = {**card.config, "size": "production"}

    with pytest.raises(ModelError, match="does not describe its weights"):
        load_model(root, replace(card, config=config))


def test_another_feature_set_is_refused(saved):
    card, root = saved

    with pytest.raises(ModelError, match="train a new model"):
        load_model(root, card, feature_set="00" * 32)
    assert load_model(root, card, feature_set=card.feature_set)


def test_missing_files_are_not_found(saved):
    card, root = saved

    with pytest.raises(NotFoundError, match="train it again"):
        load_model(root / "elsewhere", card)
    with pytest.raises(NotFoundError, match="train a model first"):
        read_card(root / "card.json")


@pytest.mark.parametrize("name", ["../evil", "", ".hidden", "a/b"])
def test_a_name_cannot_leave_the_registry(trained, tmp_path, name):
    with pytest.raises(ModelError, match="letters, digits"):
        save_model(trained, tmp_path, name, ORIGIN)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model_id": 3}'])
def test_a_file_that_is_not_a_card_is_refused(tmp_path, text):
    path = tmp_path / CARD
    path.write_text(text)

    with pytest.raises(ModelError, match="not a model card"):
        read_card(path)


def test_the_card_has_no_nan(saved):
    card, root = saved
    text = (model_directory(root, card) / CARD).read_text()

    def refuse(word):
        raise AssertionError(word)

    assert json.loads(text, parse_constant=refuse)

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helios_core import logs


@pytest.fixture(autouse=True)
def closed_log_files():
    yield
    logs.configure_logs(None)


def lines(folder, component):
    return [json.loads(line) for line in (folder / f"{component}.log").read_text().splitlines()]


def test_each_component_writes_to_its_own_file(tmp_path):
    logs.configure_logs(tmp_path, style="json")
    logs.logger("store").info("migrated", files=3)
    logs.logger("trading").info("cycle", orders=0)

    assert [line["event"] for line in lines(tmp_path, "store")] == ["migrated"]
    assert [line["event"] for line in lines(tmp_path, "trading")] == ["cycle"]


def test_the_run_id_is_on_every_line_after_it_was_bound(tmp_path):
    logs.configure_logs(tmp_path, style="json")
    logs.bind_run("20260101T000000-abcd")
    logs.logger("flows").info("started")

    assert lines(tmp_path, "flows")[0]["run_id"] == "20260101T000000-abcd"


@given(st.text(st.characters(categories=["L", "N"]), min_size=8))
def test_a_secret_never_reaches_a_line(secret):
    event = {
        "event": f"connect postgresql://app:{secret}@localhost/helios password={secret}",
        "api_key": secret,
        "nested": {"auth_token": secret, "list": [f"secret={secret}"]},
    }
    shown = logs.redact(None, "info", event)

    assert f":{secret}@" not in shown["event"]
    assert f"={secret}" not in json.dumps(shown)
    assert shown["api_key"] == shown["nested"]["auth_token"] == logs.MASK


def test_lines_of_the_standard_library_are_redacted_too(tmp_path):
    logs.configure_logs(tmp_path, style="json")
    logging.getLogger("helios.store").info("opened %s", "postgresql://app:hunter2@host/db")

    assert "hunter2" not in (tmp_path / "store.log").read_text()


def test_files_rotate_at_their_size_and_old_ones_go(tmp_path):
    logs.configure_logs(tmp_path, style="json", max_bytes=1_000, keep=2)
    for number in range(100):
        logs.logger("store").info("line", number=number)

    assert len(list(tmp_path.glob("store.log*"))) == 3


def test_a_timed_block_is_logged_with_seconds_also_when_it_fails(tmp_path):
    logs.configure_logs(tmp_path, style="json")
    with pytest.raises(ValueError, match="broken"), logs.timed(logs.logger("store"), "copy"):
        raise ValueError("broken")
    line = lines(tmp_path, "store")[0]

    assert (line["event"], line["outcome"]) == ("copy", "failed")
    assert line["seconds"] >= 0


def test_an_unknown_component_is_refused():
    with pytest.raises(ValueError, match="tier1_data"):
        logs.logger("tier9")

import base64
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from helios_core.orchestration.artifacts import (
    artifact_key,
    banner,
    first_image,
    render_page,
    shrink,
    table_rows,
)

RESULT = {
    "verdict": "flat: no promoted model",
    "simulated": True,
    "mode": "paper",
    "weights": {"BTCZAR": 0.123456789},
    "orders": [],
    "model_id": None,
    "forced": False,
    "figures": {"a": "runs/a.png"},
}


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(buffer, format="png")
    return buffer.getvalue()


def executed(path: Path, *images: bytes) -> Path:
    outputs = [{"data": {"image/png": base64.b64encode(image).decode()}} for image in images]
    cells = [{"cell_type": "markdown"}, {"outputs": [{"name": "stdout"}]}, {"outputs": outputs}]
    path.write_text(json.dumps({"cells": cells}))
    return path


def run(path: Path, state: str = "completed", outcome: str = "done", result=RESULT):
    return SimpleNamespace(run_id="r-1", state=state, outcome=outcome, result=result, path=path)


def test_a_page_says_the_mode_the_verdict_the_numbers_and_where_the_notebook_is(tmp_path):
    path = executed(tmp_path / "61.ipynb", png(2000, 1000))
    page = render_page("61_trading_cycle", {"pairs": ["BTCZAR"]}, run(path), "http://lab/61")

    assert page.startswith("# PAPER | SIMULATED market\n")
    assert "flat: no promoted model" in page
    assert "| weights | BTCZAR: 0.123457 |" in page
    assert "| model\\_id | - |" in page
    assert f"[61.ipynb](http://lab/61) (`{path}`)" in page
    assert "runs/a.png" not in page


def test_the_figure_of_a_page_is_an_image_no_wider_than_the_limit(tmp_path):
    path = executed(tmp_path / "61.ipynb", png(2000, 1000), png(10, 10))
    page = render_page("61", {}, run(path), None)
    coded = re.search(r"!\[first figure\]\(data:image/png;base64,([^)]+)\)", page)[1]

    assert Image.open(io.BytesIO(base64.b64decode(coded))).size == (900, 450)


def test_a_failed_run_has_a_page_with_the_reason_and_no_numbers(tmp_path):
    broken = run(tmp_path / "absent.ipynb", "failed", "cell 3 raised <b>KeyError</b>", None)
    page = render_page("21_train", {"mode": "paper"}, broken, None)

    assert "**FAILED**: cell 3 raised \\<b\\>KeyError" in page
    assert "data:image" not in page
    assert "| result |" not in page


@pytest.mark.parametrize(
    ("parameters", "result", "expected"),
    [
        ({}, {}, "PAPER"),
        ({"mode": "live"}, {}, "LIVE"),
        ({"mode": "paper"}, {"mode": "backtest", "simulated": True}, "BACKTEST | SIMULATED market"),
    ],
)
def test_the_banner_takes_what_the_notebook_says_first(parameters, result, expected):
    assert banner(parameters, result) == expected


@pytest.mark.parametrize("text", ["", "{}", '{"cells": [1]}', '{"cells": [{"outputs": [{}]}]}'])
def test_a_notebook_without_a_readable_image_gives_none(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)

    assert first_image(path) is None


def test_what_is_no_image_is_left_out():
    assert shrink(b"not a png") is None


def test_rows_leave_out_what_the_page_shows_elsewhere():
    rows = {row["result"]: row["value"] for row in table_rows(RESULT)}

    assert rows == {
        "mode": "paper",
        "weights": "BTCZAR: 0.123457",
        "orders": "-",
        "model_id": "-",
        "forced": "False",
    }


def test_a_key_has_lower_case_letters_digits_and_dashes_only():
    assert artifact_key("61_Trading cycle") == "61-trading-cycle"

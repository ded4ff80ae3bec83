"""What a flow run shows of a notebook: mode, verdict, numbers, its first figure, where it is."""

import base64
import binascii
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from helios_core.domain.runs import Json, JsonValue

if TYPE_CHECKING:
    from helios_core.workbench.engine import RunResult

FIGURE_WIDTH = 900  # pixels; the figure is kept in Prefect's database, once for each run
HIDDEN = frozenset({"figures", "verdict", "simulated"})  # shown elsewhere on the page


def artifact_key(notebook: str) -> str:
    """Return the key of a notebook's artifacts: Prefect takes lower case and dashes only."""
    return "".join(c if c.isalnum() else "-" for c in notebook.lower()).strip("-")


def render_page(notebook: str, parameters: Json, run: "RunResult", link: str | None) -> str:
    """Return the markdown page of one executed notebook.

    Parameters
    ----------
    link : str, optional
        Address under which JupyterLab shows the executed notebook.
    """
    result = run.result or {}
    state = "completed" if run.state == "completed" else f"**FAILED**: {_plain(run.outcome)}"
    shown = f"[{run.path.name}]({link})" if link else f"`{run.path.name}`"
    parts = [
        f"# {banner(parameters, result)}",
        f"**{notebook}** · run `{run.run_id}` · {state}",
        _plain(str(result["verdict"])) if "verdict" in result else "",
        _table(result),
        _figure(run.path),
        f"Executed notebook: {shown} (`{run.path}`)",
        f"Parameters: `{json.dumps(parameters, default=str)}`",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def banner(parameters: Json, result: Json) -> str:
    """Return the mode of a run, and SIMULATED if a generated market is part of it."""
    mode = result.get("mode") or parameters.get("mode") or "paper"
    simulated = ["SIMULATED market"] if result.get("simulated") else []
    return " | ".join([str(mode).upper(), *simulated])


def table_rows(result: Json) -> list[dict[str, str]]:
    """Return the emitted result as rows of a table."""
    shown = {name: value for name, value in result.items() if name not in HIDDEN}
    return [{"result": name, "value": _cell(value)} for name, value in shown.items()]


def first_image(notebook: Path) -> bytes | None:
    """Return the first PNG among the outputs of an executed notebook, None if there is none."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        images = [output.get("data", {}).get("image/png") for output in outputs]
        found = next((image for image in images if image), None)
        return base64.b64decode("".join(found)) if found else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return None  # a page without its figure is better than no page


def shrink(png: bytes, width: int = FIGURE_WIDTH) -> bytes | None:
    """Return the image not wider than `width` pixels, in few colors; None if it is no image."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(png)) as image:
            picture = image.convert("RGB")
    except (UnidentifiedImageError, OSError):
        return None
    if picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.quantize(colors=128).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _figure(notebook: Path) -> str:
    png = first_image(notebook)
    small = shrink(png) if png else None
    if small is None:
        return ""
    return f"![first figure](data:image/png;base64,{base64.b64encode(small).decode()})"


def _table(result: Json) -> str:
    rows = table_rows(result)
    if not rows:
        return ""
    lines = [f"| {_plain(row['result'])} | {_plain(row['value'])} |" for row in rows]
    return "\n".join(["| result | value |", "|---|---|", *lines])


def _cell(value: JsonValue) -> str:
    if value is None or value in ([], {}):
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_cell(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    return str(value)


def _plain(text: str) -> str:
    """Return text as one line that markdown does not take for a table, tag or link."""
    line = " ".join(text.split())
    for mark in "\\`*_[]|<>":
        line = line.replace(mark, "\\" + mark)
    return line

"""Notebooks by name, and their parameters: what is declared, what is accepted, what is refused.

papermill only warns about a parameter that the notebook does not have, so a typing error would
trade the default pair. Here every name and type is checked before anything runs.
"""

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from helios_core.domain.runs import Json, JsonValue
from helios_core.errors import NotebookError, NotFoundError, UsageError
from helios_core.settings import PROJECT

NOTEBOOKS = PROJECT / "notebooks"
TAG = "parameters"
SECRET_WORDS = frozenset(
    {"secret", "key", "apikey", "token", "password", "passwd", "pwd", "passphrase", "credential"}
)
SCALARS = frozenset({str, bool, int, float})
TRUE, FALSE = frozenset({"true", "yes", "1", "on"}), frozenset({"false", "no", "0", "off"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of the parameters cell."""

    name: str
    default: JsonValue
    help: str

    @property
    def kind(self) -> str:
        """Type of the default, as people write it."""
        if isinstance(self.default, list):
            return f"list of {type(self.default[0]).__name__ if self.default else 'str'}"
        return type(self.default).__name__


def list_notebooks(folder: Path = NOTEBOOKS) -> list[str]:
    """Return the names of all notebooks, sorted."""
    return sorted(path.stem for path in folder.glob("*.ipynb"))


def find_notebook(name: str | Path, folder: Path = NOTEBOOKS) -> Path:
    """Return the file of a notebook: a name in `folder`, or the path of any ``.ipynb`` file.

    Raises
    ------
    NotFoundError
        If there is none; names that look alike are in the message.
    """
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    known = list_notebooks(folder)
    if path.stem in known and len(path.parts) == 1:
        return folder / f"{path.stem}.ipynb"
    near = get_close_matches(path.stem, known, n=2, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}."
    raise NotFoundError(f"no notebook {str(name)!r}; {hint}")


def notebook_parameters(name: str | Path) -> list[Parameter]:
    """Return what the cell tagged ``parameters`` declares, in its order.

    Raises
    ------
    NotFoundError
        If there is no such notebook.
    NotebookError
        If it cannot be read, or the cell holds anything but ``name = literal  # help``.
    """
    path = find_notebook(name)
    source = _parameters_cell(path)
    helps = _comments(source)
    found = []
    for node in ast.parse(source).body:
        target = _target(node)
        if target is None:
            raise NotebookError(
                f"{path.stem}: the parameters cell may hold only lines such as "
                f"`days = 30  # help`, found `{ast.unparse(node)}`"
            )
        found.append(Parameter(*target, helps.get(node.end_lineno or 0, "")))
    return found


def parse_parameters(name: str | Path, pairs: Sequence[str]) -> Json:
    """Return typed values of ``name=value`` texts, each read by the type of its default.

    A list is written ``a,b`` or as JSON; a bool as true or false.

    Raises
    ------
    UsageError
        If a text has no ``=``, a name is given twice or is unknown, or a value has a wrong type.
    """
    declared = {p.name: p for p in notebook_parameters(name)}
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"a parameter is written name=value, found {pair!r}")
        if key in found:
            raise UsageError(f"the parameter {key} is given twice; give it once")
        found[key] = _read(declared[key], text) if key in declared else text
    return check_parameters(name, found)


def check_parameters(name: str | Path, parameters: Mapping[str, Any]) -> Json:
    """Return `parameters` with the types of their defaults, or refuse them.

    Raises
    ------
    UsageError
        If a name is unknown or speaks of a secret, or a value has another type than the default.
    """
    declared = {p.name: p for p in notebook_parameters(name)}
    stem = Path(name).stem
    checked: Json = {}
    for key, value in parameters.items():
        _refuse_secret(key)
        if key not in declared:
            near = get_close_matches(key, declared, n=1)
            has = ", ".join(declared) or "none"
            hint = f"Did you mean {near[0]}?" if near else f"It has {has}."
            raise UsageError(f"{stem} has no parameter {key!r}. {hint}")
        checked[key] = _as_kind(declared[key], value, stem)
    return checked


def require_emit_last(name: str | Path) -> None:
    """Refuse a notebook that would close its run while cells of it are still to come.

    A notebook without `emit` is not refused: the ledger has the last word on whether it was called.

    Raises
    ------
    NotebookError
        If `emit` is called twice, or not by the last line of the last code cell.
    """
    path = find_notebook(name)
    code = [cell["source"] for cell in _cells(path) if cell.get("cell_type") == "code"]
    trees = [tree for tree in map(_tree, code) if tree.body]
    calls = [node for tree in trees for node in ast.walk(tree) if _is_emit(node)]
    if not calls:
        return
    end = trees[-1].body[-1]
    if len(calls) > 1 or not (isinstance(end, ast.Expr) and end.value is calls[0]):
        raise NotebookError(
            f"{path.stem}: `emit` closes the run, so it is called once, by the last line of the "
            f"last code cell; found {len(calls)} {'call' if len(calls) == 1 else 'calls'}"
        )


def _is_emit(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="emit")):
            return True
        case _:
            return False


def _tree(source: str) -> ast.Module:
    """Return the syntax tree of a cell; an empty one of a cell that is not plain Python."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def _refuse_secret(name: str) -> None:
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
    if any(word in SECRET_WORDS or word.removesuffix("s") in SECRET_WORDS for word in words):
        raise UsageError(
            f"{name!r} looks like a secret; parameters are kept in the ledger and in the executed "
            f"notebook. Put it into `.env` or a file named by its HELIOS_..._FILE variable."
        )


def _as_kind(parameter: Parameter, value: Any, notebook: str) -> JsonValue:  # noqa: ANN401
    default = parameter.default
    if isinstance(default, list):
        kind = type(default[0]) if default else str
        if isinstance(value, list | tuple):
            fitted = [_fit(item, kind) for item in value]
            if None not in fitted:
                return fitted
    elif (single := _fit(value, type(default))) is not None:
        return single
    raise UsageError(
        f"{notebook}: the parameter {parameter.name} is {_article(parameter.kind)} such as "
        f"{default!r}, found {value!r}"
    )


def _fit(value: Any, kind: type) -> JsonValue:  # noqa: ANN401
    """Return `value` as `kind`, None if it is of another type; a bool is not a number."""
    if isinstance(value, bool):
        return value if kind is bool else None
    if kind is float and isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str) and not _is_text(value):
        return None
    return value if isinstance(value, kind) and isinstance(value, str | int) else None


def _is_text(value: str) -> bool:
    """Return whether ledger and notebook can keep a text: a file name may hold other bytes."""
    return "\0" not in value and value.encode(errors="replace").decode() == value


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _read(parameter: Parameter, text: str) -> Any:  # noqa: ANN401
    """Return `text` as the type of the default; the text itself if it is not of that type."""
    if not isinstance(parameter.default, list):
        return _read_single(text, type(parameter.default))
    kind = type(parameter.default[0]) if parameter.default else str
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return [_read_single(item.strip(), kind) for item in text.split(",") if item.strip()]


def _read_single(text: str, kind: type) -> Any:  # noqa: ANN401
    if kind is bool:
        lowered = text.lower()
        return True if lowered in TRUE else False if lowered in FALSE else text
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text


def _parameters_cell(path: Path) -> str:
    tagged = [c for c in _cells(path) if TAG in c.get("metadata", {}).get("tags", [])]
    source: str = tagged[0]["source"] if tagged else ""
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise NotebookError(f"{path}: the parameters cell is not Python: {error}") from error
    return source


def _cells(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook, the source of each as one text."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [{**cell, "source": "".join(cell["source"])} for cell in cells]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotebookError(f"{path} cannot be read as a notebook: {error}") from error


def _target(node: ast.stmt) -> tuple[str, JsonValue] | None:
    """Return name and value of ``name = literal``, else None."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is not None:
            pass
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            pass
        case _:
            return None
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError):
        return None
    items = literal if isinstance(literal, list) else [literal]
    plain = all(type(item) in SCALARS for item in items)
    return (name, literal) if plain and len({type(item) for item in items}) <= 1 else None


def _comments(source: str) -> dict[int, str]:
    """Return the comment of each line that has one."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}

"""What ruff cannot see: file length, names of classes, notebooks, words."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from helios_core.settings import RESERVED, variable_names

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for top in ("helios_core", "flows") for p in (ROOT / top).rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BANNED_SUFFIXES = ("Utils", "Helper", "Helpers", "Manager", "Factory", "Service", "Engine", "Base")
BANNED_FILES = {"utils", "helpers", "common", "base", "manager", "factory", "service", "misc"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_has_at_most_350_lines(path):
    assert len(path.read_text().splitlines()) <= 350


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_class_or_file_has_a_name_that_says_nothing(path):
    classes = [n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ClassDef)]

    assert not [c for c in classes if c.endswith(BANNED_SUFFIXES)]
    assert path.stem not in BANNED_FILES


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_broad_except_and_no_pickle(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert not re.search(r"\b(Exception|BaseException|everything)\b", caught), node.lineno
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "pickle" not in ast.unparse(node)


def test_torch_is_imported_only_by_the_network():
    importers = [
        p
        for p in SOURCES
        if re.search(r"^\s*(import|from) torch\b", p.read_text(), re.MULTILINE)
        and "network" not in p.parts
    ]

    assert importers == []


def test_mode_is_compared_in_bootstrap_only():
    def compares(path: Path) -> bool:
        found = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Compare)]
        sides = [ast.unparse(side) for node in found for side in (node.left, *node.comparators)]
        subjects = [
            ast.unparse(node.subject)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Match)
        ]
        return any(re.fullmatch(r"(.*\.)?mode", text) for text in (*sides, *subjects))

    comparers = [name(p) for p in SOURCES if p.name != "bootstrap.py" and compares(p)]

    assert comparers == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_is_committed_without_outputs(path):
    if path.stem == "00_tour":
        pytest.skip("the tour is the one notebook committed with outputs")
    book = json.loads(path.read_text())
    code = [c for c in book["cells"] if c["cell_type"] == "code"]

    assert all(c["outputs"] == [] and c["execution_count"] is None for c in code)
    assert "papermill" not in book["metadata"]


def test_no_committed_file_names_a_path_of_somebodys_machine():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    pattern = re.compile(r"/(home|Users|root)/[a-z]")
    texts = [
        ROOT / p for p in listed if Path(p).suffix in {".py", ".md", ".ipynb", ".sql", ".toml"}
    ]
    found = [name(p) for p in texts if p.exists() and pattern.search(p.read_text())]

    assert set(found) <= {"tests/style/test_house_style.py"}


def test_every_variable_that_the_code_names_is_a_setting():
    """Advice such as "raise HELIOS_..." must not lead to a name that is refused."""
    known = variable_names() | RESERVED
    named = {(name(p), v) for p in SOURCES for v in re.findall(r"\bHELIOS_[A-Z]\w+", p.read_text())}

    assert {(p, v) for p, v in named if v not in known and not v.endswith("_")} == set()

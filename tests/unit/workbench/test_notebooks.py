import ast
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from helios_core.errors import NotebookError, NotFoundError, UsageError
from helios_core.workbench.notebooks import (
    NOTEBOOKS,
    check_parameters,
    find_notebook,
    list_notebooks,
    notebook_parameters,
    parse_parameters,
    require_emit_last,
)

CELL = """\
pairs = ["BTCZAR"]  # exchange symbols
days = 28  # to fetch
alpha = 0.5  # information: 0 is none
force = False  # on request
as_of = ""  # ISO 8601
"""


@pytest.fixture
def tiny(write_notebook):
    return write_notebook(CELL)


def test_a_parameter_has_the_value_and_the_comment_of_its_line(tiny):
    found = {p.name: (p.default, p.kind, p.help) for p in notebook_parameters(tiny)}

    assert found == {
        "pairs": (["BTCZAR"], "list of str", "exchange symbols"),
        "days": (28, "int", "to fetch"),
        "alpha": (0.5, "float", "information: 0 is none"),
        "force": (False, "bool", "on request"),
        "as_of": ("", "str", "ISO 8601"),
    }


def test_a_hash_within_a_text_is_no_comment(write_notebook):
    (found,) = notebook_parameters(write_notebook('channel = "#one"'))

    assert (found.default, found.help) == ("#one", "")


def test_a_value_over_several_lines_has_the_comment_of_its_last_one(write_notebook):
    (found,) = notebook_parameters(write_notebook('pairs = [\n    "A",\n    "B",\n]  # both'))

    assert (found.default, found.help) == (["A", "B"], "both")


def test_a_negative_number_and_an_annotation_are_literals_too(write_notebook):
    found = notebook_parameters(write_notebook("low: float = -1.5  # x\nseed: int = 7"))

    assert [(p.name, p.default) for p in found] == [("low", -1.5), ("seed", 7)]


@pytest.mark.parametrize(
    "line",
    [
        "days = 4 * 7",
        "import os",
        "days = len('abc')",
        "days: int",
        "a = b = 1",
        "a, b = 1, 2",
        "days = None",
        "days = {'a': 1}",
        "days = {[]: 1}",
        "days = [1, 'two']",
        "days = [[1], [2]]",
        "days = [None]",
        "print('hello')",
    ],
)
def test_a_parameters_cell_holds_literals_only(write_notebook, line):
    with pytest.raises(NotebookError, match=r"tiny: the parameters cell may hold only lines"):
        notebook_parameters(write_notebook(line))


def test_a_cell_that_is_not_python_is_named(write_notebook):
    with pytest.raises(NotebookError, match=r"the parameters cell is not Python"):
        notebook_parameters(write_notebook("days = = 1"))


def test_a_notebook_without_a_tagged_cell_has_no_parameters(write_notebook):
    path = write_notebook("days = 1", tags=())

    assert notebook_parameters(path) == []
    with pytest.raises(UsageError, match=r"tiny has no parameter 'days'. It has none"):
        check_parameters(path, {"days": 2})


@pytest.mark.parametrize("text", ["not json", "[]", "{}", '{"cells": [{}]}', '{"cells": [7]}'])
def test_a_file_that_is_no_notebook_is_refused(tmp_path, text):
    path = tmp_path / "broken.ipynb"
    path.write_text(text)

    with pytest.raises(NotebookError, match=r"broken.ipynb cannot be read as a notebook"):
        notebook_parameters(path)


def test_the_source_of_a_cell_may_be_a_list_of_lines(tmp_path):
    cell = {"cell_type": "code", "source": ["a = 1\n", "b = 2"]}
    path = tmp_path / "lines.ipynb"
    path.write_text(json.dumps({"cells": [{**cell, "metadata": {"tags": ["parameters"]}}]}))

    assert [p.name for p in notebook_parameters(path)] == ["a", "b"]


def test_a_notebook_is_found_by_name_or_as_a_file(tiny):
    assert find_notebook("61_trading_cycle") == NOTEBOOKS / "61_trading_cycle.ipynb"
    assert find_notebook("61_trading_cycle.ipynb") == NOTEBOOKS / "61_trading_cycle.ipynb"
    assert find_notebook(str(tiny)) == tiny.resolve()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("61_trading_cycl", "did you mean 61_trading_cycle"),
        ("", "there are 00_tour, 11_ingest"),
        ("nowhere/61_trading_cycle", "did you mean 61_trading_cycle"),
        ("../notebooks/61_trading_cycle", "no notebook"),
    ],
)
def test_an_unknown_notebook_is_not_found_and_look_alikes_are_named(name, hint):
    with pytest.raises(NotFoundError, match=hint):
        find_notebook(name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pairs=BTCZAR", ["BTCZAR"]),
        ("pairs=BTCZAR,ETHZAR", ["BTCZAR", "ETHZAR"]),
        ("pairs= BTCZAR , ETHZAR ,", ["BTCZAR", "ETHZAR"]),
        ('pairs=["BTCZAR", "ETHZAR"]', ["BTCZAR", "ETHZAR"]),
        ("pairs=", []),
        ("days=7", 7),
        ("days=-7", -7),
        ("alpha=0.25", 0.25),
        ("alpha=1", 1.0),
        ("alpha=1e-3", 0.001),
        ("force=true", True),
        ("force=Yes", True),
        ("force=0", False),
        ("as_of=2025-01-31T12:00:00+00:00", "2025-01-31T12:00:00+00:00"),
        ("as_of=a=b", "a=b"),
        ("as_of=7", "7"),
        ("as_of=", ""),
    ],
)
def test_a_text_is_read_by_the_type_of_the_default(tiny, text, value):
    name = text.partition("=")[0]
    found = parse_parameters(tiny, [text])

    assert found == {name: value}
    assert type(found[name]) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("days=many", r"tiny: the parameter days is an int such as 28, found 'many'"),
        ("days=1.5", r"days is an int such as 28, found '1.5'"),
        ("days=", r"days is an int such as 28, found ''"),
        ("days=true", r"days is an int such as 28, found 'true'"),
        ("alpha=nan", r"alpha is a float such as 0.5, found nan"),
        ("alpha=inf", r"alpha is a float such as 0.5, found inf"),
        ("force=maybe", r"force is a bool such as False, found 'maybe'"),
        ("pairs=[1, 2]", r"pairs is a list of str such as \['BTCZAR'\], found \[1, 2\]"),
        ("pairs=[BTCZAR", r"pairs is a list of str .*found '\[BTCZAR'"),
        ("dayz=7", r"tiny has no parameter 'dayz'. Did you mean days\?"),
        ("zebra=7", r"tiny has no parameter 'zebra'. It has pairs, days, alpha, force, as_of"),
        ("days", r"a parameter is written name=value, found 'days'"),
        ("=7", r"a parameter is written name=value, found '=7'"),
    ],
)
def test_an_unknown_or_ill_typed_parameter_is_refused_with_what_was_expected(tiny, text, message):
    with pytest.raises(UsageError, match=message):
        parse_parameters(tiny, [text])


def test_a_parameter_is_given_once(tiny):
    with pytest.raises(UsageError, match="the parameter days is given twice"):
        parse_parameters(tiny, ["days=1", "days=2"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("days", True),
        ("days", 7.0),
        ("days", "7"),
        ("days", None),
        ("days", [7]),
        ("alpha", float("nan")),
        ("force", 1),
        ("as_of", 7),
        ("as_of", "2025\0"),
        ("as_of", "\udcff.csv"),
        ("pairs", ["\udcff"]),
        ("pairs", "BTCZAR"),
        ("pairs", ["BTCZAR", None]),
        ("pairs", {"BTCZAR": 1}),
    ],
)
def test_a_value_of_another_type_is_refused(tiny, name, value):
    with pytest.raises(UsageError, match=f"tiny: the parameter {name} is an? "):
        check_parameters(tiny, {name: value})


def test_a_whole_number_is_a_float_and_a_tuple_is_a_list(tiny):
    found = check_parameters(tiny, {"alpha": 1, "pairs": ("A", "B")})

    assert found == {"alpha": 1.0, "pairs": ["A", "B"]}
    assert type(found["alpha"]) is float


@pytest.mark.parametrize(
    "name",
    ["api_key", "apiKey", "API_KEY", "secret", "valr_secret", "token", "tokens", "db_password2",
     "credentials", "pwd"],
)  # fmt: skip
def test_a_name_that_speaks_of_a_secret_is_refused_before_it_is_even_looked_up(tiny, name):
    with pytest.raises(UsageError, match=r"looks like a secret.*HELIOS_\.\.\._FILE") as refused:
        parse_parameters(tiny, [f"{name}=hunter2"])

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["monkey", "keyboard", "tokenizer", "epochs"])
def test_a_name_that_merely_contains_such_a_word_is_not(tiny, name):
    with pytest.raises(UsageError, match="has no parameter"):
        parse_parameters(tiny, [f"{name}=1"])


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = {
    "pairs": st.lists(TEXTS, max_size=4),
    "days": st.integers(),
    "alpha": st.floats(allow_nan=False, allow_infinity=False),
    "force": st.booleans(),
    "as_of": TEXTS,
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.fixed_dictionaries({}, optional=VALUES))
def test_what_is_written_is_what_is_read(tiny, chosen):
    """A list goes as JSON, everything else as Python prints it."""
    texts = [
        f"{name}={json.dumps(value) if isinstance(value, list) else value}"
        for name, value in chosen.items()
    ]

    assert parse_parameters(tiny, texts) == chosen


@given(st.one_of(*VALUES.values()))
def test_the_notebook_sees_the_value_that_was_checked(value):
    assert ast.literal_eval(PythonTranslator.translate(value)) == value


@pytest.mark.parametrize("name", list_notebooks())
def test_every_notebook_declares_literals_with_a_help_comment(name):
    declared = notebook_parameters(name)

    assert declared
    assert [p.name for p in declared if not p.help] == []


@pytest.mark.parametrize("name", list_notebooks())
def test_every_notebook_closes_its_run_with_its_last_line(name):
    book = json.loads(find_notebook(name).read_text())
    last = [c for c in book["cells"] if c["cell_type"] == "code"][-1]
    require_emit_last(name)

    assert "".join(last["source"]).splitlines()[-1].startswith("emit(")


@pytest.mark.parametrize(
    "cells",
    [
        ("a = 1", "x = 2"),
        ("a = 1", "x = 2\nemit(x)"),
        ("a = 1", "emit(x)", "# the end"),
        ("a = 1", "%time 1", "emit(x)"),
        ("a = 1", "logger.emit(x)", "emit(x)"),
    ],
)
def test_a_notebook_may_emit_in_its_last_line_or_leave_it_to_the_ledger(write_notebook, cells):
    require_emit_last(write_notebook(*cells))


@pytest.mark.parametrize(
    ("cells", "calls"),
    [
        (("a = 1", "emit(x)", "y = 2"), "1 call"),
        (("a = 1", "emit(x)\ny = 2"), "1 call"),
        (("a = 1", "for x in y:\n    emit(x)"), "1 call"),
        (("a = 1", "emit(x)", "emit(y)"), "2 calls"),
        (("a = 1", "emit(x); emit(y)"), "2 calls"),
    ],
)
def test_a_run_is_not_closed_while_there_is_more_to_do(write_notebook, cells, calls):
    with pytest.raises(NotebookError, match=rf"tiny: `emit` closes the run.*found {calls}$"):
        require_emit_last(write_notebook(*cells))

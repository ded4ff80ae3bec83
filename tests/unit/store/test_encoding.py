"""Binary COPY against a row-by-row writer of the format that PostgreSQL documents."""

import struct
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helios_core.errors import StoreError
from helios_core.store.decoding import RowDecoder
from helios_core.store.encoding import BLOCK_ROWS, SIGNATURE, TRAILER, encode

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
PACK = {"int8": ">q", "int4": ">i", "int2": ">h", "float8": ">d", "float4": ">f", "bool": ">?"}
MOMENTS = st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2200-01-01"))
VALUES = {
    "int8": (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    "int4": (pl.Int32, st.integers(-(2**31), 2**31 - 1)),
    "int2": (pl.Int16, st.integers(-(2**15), 2**15 - 1)),
    "float8": (pl.Float64, st.floats()),
    "float4": (pl.Float32, st.floats(width=32)),
    "bool": (pl.Boolean, st.booleans()),
    "text": (pl.String, st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9)),
    "timestamptz": (pl.Datetime("us", "UTC"), MOMENTS.map(lambda m: m.replace(tzinfo=UTC))),
}


def written(kind, value):
    """Return one field as the documentation of COPY describes it."""
    if value is None:
        return struct.pack(">i", -1)
    if kind == "text":
        body = value.encode()
    elif kind == "timestamptz":
        body = struct.pack(">q", (value - EPOCH) // timedelta(microseconds=1))
    elif kind.endswith("[]"):
        scalar, oid = kind[:-2], {"float4[]": 700, "float8[]": 701}[kind]
        items = b"".join(written(scalar, item) for item in value)
        body = struct.pack(">iiiii", 1, 0, oid, len(value), 1) + items
    else:
        body = struct.pack(PACK[kind], value)
    return struct.pack(">i", len(body)) + body


def written_rows(columns):
    kinds, values = list(columns), list(columns.values())
    return [
        struct.pack(">h", len(kinds))
        + b"".join(written(kind, value) for kind, value in zip(kinds, row, strict=True))
        for row in zip(*values, strict=True)
    ]


@st.composite
def tables(draw):
    """Draw a few columns of different types, with and without nulls, of one length."""
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True))
    rows = draw(st.integers(1, 20))
    columns = {}
    for kind in kinds:
        cell = VALUES[kind][1]
        if draw(st.booleans()):
            cell = st.none() | cell
        columns[kind] = draw(st.lists(cell, min_size=rows, max_size=rows))
    return columns


def frame(columns):
    return pl.DataFrame(
        [pl.Series(kind, values, dtype=VALUES[kind][0]) for kind, values in columns.items()]
    )


def encoded(kinds, data):
    return b"".join(encode(kinds, data))


@given(tables())
def test_any_table_is_written_as_the_documentation_says(columns):
    found = encoded({kind: kind for kind in columns}, frame(columns))

    assert found == SIGNATURE + b"".join(written_rows(columns)) + TRAILER


@given(tables(), st.integers(0, 2**32))
def test_any_table_is_read_back_however_the_bytes_are_cut(columns, seed):
    """A server sends each row as a message 'd' with its length; a read may end anywhere."""
    stream = b"".join(b"d" + struct.pack(">i", len(row) + 4) + row for row in written_rows(columns))
    decoder = RowDecoder({kind: kind for kind in columns})
    rng, held, at = np.random.default_rng(seed), b"", 0
    while at < len(stream):
        step = int(rng.integers(1, len(stream) + 1))
        held, at = held + stream[at : at + step], at + step
        held = held[decoder.feed(memoryview(held)) :] if held else held

    assert held == b""
    assert decoder.finish().equals(frame(columns), null_equal=True)


@pytest.mark.parametrize("kind", ["float4[]", "float8[]"])
def test_vectors_are_written_with_dimension_and_element_type(kind):
    dtype = np.float32 if kind == "float4[]" else np.float64
    values = np.array([[1.5, np.nan, -0.0], [2.5, np.inf, 1e-30]], dtype=dtype)
    found = encoded({"v": kind}, {"v": values})

    assert found == SIGNATURE + b"".join(written_rows({kind: values.tolist()})) + TRAILER


@pytest.mark.parametrize("rows", [1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1])
def test_blocks_join_without_a_seam(rows):
    numbers = np.arange(rows)
    found = encoded({"n": "int8", "t": "text"}, {"n": numbers, "t": "same"})
    expected = written_rows({"int8": numbers.tolist(), "text": ["same"] * rows})

    assert found == SIGNATURE + b"".join(expected) + TRAILER


def test_no_rows_are_signature_and_trailer():
    assert encoded({"n": "int8"}, {"n": np.empty(0, np.int64)}) == SIGNATURE + TRAILER


def test_times_without_a_value_are_null():
    times = np.array(["2024-01-01", "NaT"], dtype="datetime64[us]")
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    found = encoded({"t": "timestamptz"}, {"t": times})

    assert found == SIGNATURE + b"".join(written_rows({"timestamptz": [moment, None]})) + TRAILER


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("int2", np.array([40_000]), "range"),
        ("int4", np.array([2**31]), "range"),
        ("int8", np.array([1.5]), "int8"),
        ("float8", np.array(["1"]), "float8"),
        ("float4", np.array([1e300]), "too small"),
        ("timestamptz", np.array([1, 2], np.int32), "timestamptz"),
        ("float4[]", np.zeros(3), "shape"),
        ("numeric", np.zeros(1), "knows"),
    ],
)
def test_values_that_do_not_fit_their_type_are_refused(kind, values, words):
    with pytest.raises(StoreError, match=words):
        encoded({"x": kind}, {"x": values})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"a": np.zeros(2)}, "missing are .'b'"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, "one length"),
        ({"a": "x", "b": "y"}, "must not be a single string"),
    ],
)
def test_columns_must_be_there_and_of_one_length(data, words):
    with pytest.raises(StoreError, match=words):
        encoded({"a": "float8", "b": "float8"}, data)


def test_bytes_that_look_like_the_head_of_a_row_are_not_taken_for_one():
    """A text that holds whole frames of this very table must not split its row."""
    fake = "d\0\0\0\x0f\0\2\0\0\0\1x\0\0\0\1".replace("\0", "\1")
    columns = {"text": [fake * n for n in range(1, 30)], "int2": [0x64] * 29}
    stream = b"".join(b"d" + struct.pack(">i", len(r) + 4) + r for r in written_rows(columns))
    decoder = RowDecoder({"text": "text", "int2": "int2"})

    assert decoder.feed(memoryview(stream)) == len(stream)
    assert decoder.finish().equals(frame(columns))

import struct

import numpy as np
import pytest

from helios_core.errors import StoreError
from helios_core.store.decoding import RowDecoder, find_rows


def message(*fields):
    row = struct.pack(">h", len(fields))
    row += b"".join(
        struct.pack(">i", -1) if f is None else struct.pack(">i", len(f)) + f for f in fields
    )
    return b"d" + struct.pack(">i", len(row) + 4) + row


def test_false_heads_inside_of_values_are_dropped():
    """The first value holds a complete frame; only the true ones follow from each other."""
    inner = message(b"x" * 8)
    stream = message(inner) + message(b"y" * 40) + message(inner * 2)
    starts, end = find_rows(np.frombuffer(stream, np.uint8), 1)

    assert starts.tolist() == [0, len(message(inner)), len(message(inner) + message(b"y" * 40))]
    assert end == len(stream)


def test_an_incomplete_last_row_is_left():
    whole = message(b"a") + message(b"bcd")
    decoder = RowDecoder({"t": "text"})

    assert decoder.feed(memoryview(whole + message(b"later")[:-1])) == len(whole)
    assert decoder.finish()["t"].to_list() == ["a", "bcd"]


@pytest.mark.parametrize("field", [b"1234", b"", b"123456789"])
def test_a_value_of_another_width_is_refused(field):
    decoder = RowDecoder({"n": "int8"})

    with pytest.raises(StoreError):
        decoder.feed(memoryview(message(field) + message(struct.pack(">q", 1))))


def test_an_infinite_time_is_refused():
    decoder = RowDecoder({"t": "timestamptz"})

    with pytest.raises(StoreError, match="infinite"):
        decoder.feed(memoryview(message(struct.pack(">q", 2**63 - 1))))


@pytest.mark.parametrize(
    "array",
    [
        struct.pack(">iii", 0, 0, 700),  # empty
        struct.pack(">iiiiiiif", 2, 0, 700, 1, 1, 1, 1, 1.0),  # two dimensions
    ],
)
def test_arrays_of_another_shape_are_refused(array):
    decoder = RowDecoder({"v": "float4[]"})

    with pytest.raises(StoreError):
        decoder.feed(memoryview(message(array)))


def test_another_number_of_fields_is_not_a_row():
    decoder = RowDecoder({"a": "text", "b": "text"})

    assert decoder.feed(memoryview(message(b"only one"))) == 0


def test_nothing_decoded_is_an_empty_frame_with_types():
    found = RowDecoder({"t": "timestamptz", "v": "float4[3]", "n": "int2", "s": "text"}).finish()

    assert found.is_empty()
    assert [str(dtype) for dtype in found.dtypes] == [
        "Datetime(time_unit='us', time_zone='UTC')", "Array(Float32, shape=(3,))", "Int16", "String"
    ]  # fmt: skip

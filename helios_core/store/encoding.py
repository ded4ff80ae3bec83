"""Rows of numpy or polars columns as PostgreSQL's binary COPY format, a block at a time.

A row is a field count, then each field's length and big-endian bytes. Rows of one width are one
structured array, so encoding is a byte swap per column; rows of different widths are placed by
offsets that are computed for a whole block. No loop runs over rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from helios_core.errors import StoreError

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
EPOCH_SHIFT = 946_684_800_000_000  # microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch
BLOCK_ROWS = 8_192  # a block of usual width stays in the second-level cache
NULL = -1

# PostgreSQL type -> (type on the wire, type in memory)
SCALARS = {
    "timestamptz": (">i8", "<i8"),
    "int8": (">i8", "<i8"),
    "int4": (">i4", "<i4"),
    "int2": (">i2", "<i2"),
    "float8": (">f8", "<f8"),
    "float4": (">f4", "<f4"),
    "bool": ("u1", "u1"),
}
ELEMENT_OIDS = {"float4": 700, "float8": 701}

Data = pl.DataFrame | Mapping[str, "ArrayLike | pl.Series | str"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a block, ready to be placed.

    ``lengths`` is None when every row is ``wire.itemsize`` bytes long. Otherwise it has one entry
    a row, -1 for null, and a text column's ``values`` are its bytes back to back.
    """

    values: NDArray[Any]
    wire: np.dtype[Any]
    lengths: NDArray[np.int64] | None


def vector_type(kind: str, size: int) -> np.dtype[Any]:
    """Return the wire record of a one-dimensional array of `size` floats without nulls."""
    item = [("length", ">i4"), ("value", SCALARS[kind][0])]
    return np.dtype([("head", ">i4", (5,)), ("items", item, (size,))])


def split_kind(kind: str) -> tuple[str, int | None]:
    """Return the element type and length of ``float4[90]``; the length of ``float4[]`` is 0."""
    if not kind.endswith("]"):
        return kind, None
    element, _, size = kind[:-1].partition("[")
    return element, int(size or 0)


def encode(columns: Mapping[str, str], data: Data) -> Iterator[bytes]:
    """Yield signature, blocks of rows and trailer of a binary COPY.

    Parameters
    ----------
    columns : mapping of str to str
        Column and its PostgreSQL type: a key of `SCALARS`, ``text``, or ``float4[]``/``float8[]``.
    data : polars.DataFrame or mapping
        A column each: values of shape (rows,), of shape (rows, N) for arrays, or one string for a
        text column that is the same on every row. NaT and polars' null become NULL, NaN stays NaN.

    Raises
    ------
    StoreError
        If columns are missing, differ in length, or hold values that their type cannot.
    """
    rows = count_rows(columns, data)
    yield SIGNATURE
    for start in range(0, rows, BLOCK_ROWS):
        size = min(BLOCK_ROWS, rows - start)
        fields = [
            _field(name, kind, _slice(data[name], start, size), size)
            for name, kind in columns.items()
        ]
        constant = all(field.lengths is None for field in fields)
        block = _fixed(fields, size) if constant else _scattered(fields, size)
        yield block.tobytes()
    yield TRAILER


def count_rows(columns: Mapping[str, str] | Sequence[str], data: Data) -> int:
    """Return the number of rows of `data`, after checking that it holds all `columns`."""
    names = data.columns if isinstance(data, pl.DataFrame) else list(data)
    missing = [name for name in columns if name not in names]
    if missing or not columns:
        raise StoreError(f"COPY needs the columns {list(columns)}, missing are {missing}")
    sizes = {len(data[name]) for name in columns if not isinstance(data[name], str)}  # type: ignore[arg-type]
    if len(sizes) != 1:
        raise StoreError(
            f"COPY needs columns of one length, found the lengths {sorted(sizes)}; "
            f"at least one column must not be a single string"
        )
    return int(sizes.pop())


def _slice(values: Any, start: int, size: int) -> Any:  # noqa: ANN401 - any kind of column
    return values if isinstance(values, str) else values[start : start + size]


def _field(name: str, kind: str, values: Any, rows: int) -> Field:  # noqa: ANN401 - likewise
    try:
        if kind == "text":
            return _text(values, rows)
        if split_kind(kind)[1] is not None:
            return _vector(kind, values)
        return _scalar(kind, values)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"column {name} does not hold values of type {kind}: {error}") from error


def _scalar(kind: str, values: Any) -> Field:  # noqa: ANN401 - likewise
    if kind not in SCALARS:
        raise TypeError(f"binary COPY knows {', '.join(SCALARS)}, text and arrays of floats")
    wire, memory = SCALARS[kind]
    array, null = _as_array(kind, values)
    target = np.dtype(memory)
    if kind == "timestamptz":
        array, null = _microseconds(array, null)
    elif not _compatible(array.dtype, kind):
        raise TypeError(f"found {array.dtype}")
    if target.kind == "i" and array.dtype.itemsize > target.itemsize and array.size:
        limits = np.iinfo(target)
        if array.min() < limits.min or array.max() > limits.max:
            raise OverflowError(f"{array.min()} to {array.max()} is outside of its range")
    dtype = np.dtype(wire)
    if null is None or not null.any():
        return Field(array, dtype, None)
    return Field(array, dtype, np.where(null, NULL, dtype.itemsize).astype(np.int64))


def _as_array(kind: str, values: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:  # noqa: ANN401
    """Return a column as numpy and its null mask; nulls hold a zero."""
    if not isinstance(values, pl.Series):
        return np.asarray(values), None
    if kind == "timestamptz":
        values = values.dt.cast_time_unit("us").to_physical()
    if not values.null_count():
        return values.to_numpy(), None
    null = values.is_null().to_numpy()
    return values.fill_null(False if values.dtype == pl.Boolean else 0).to_numpy(), null


def _microseconds(
    array: NDArray[Any], null: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Return microseconds since 2000; numpy's NaT is a null."""
    if array.dtype.kind == "M":
        null = np.isnat(array)
        array = np.where(null, np.datetime64(0, "us"), array.astype("datetime64[us]"))
        array = array.view(np.int64)
    if array.dtype != np.int64:
        raise TypeError(f"found {array.dtype}, expected datetimes")
    return array - EPOCH_SHIFT, null


def _compatible(found: np.dtype[Any], kind: str) -> bool:
    accepted = {"bool": "b", "float4": "fiu", "float8": "fiu"}.get(kind, "iu")
    return found.kind in accepted


def _vector(kind: str, values: Any) -> Field:  # noqa: ANN401 - likewise
    element, size = split_kind(kind)
    if isinstance(values, pl.Series):
        if values.null_count():
            raise ValueError("an array column must not hold nulls")
        values = values.to_numpy()
    array = np.asarray(values)
    if array.ndim != 2 or size not in {0, array.shape[1]} or array.shape[1] == 0:
        raise ValueError(f"found shape {array.shape}, expected (rows, {size or 'N'})")
    if array.dtype.kind not in "fiu":
        raise TypeError(f"found {array.dtype}")
    return Field(array, vector_type(element, array.shape[1]), None)


def _text(values: Any, rows: int) -> Field:  # noqa: ANN401 - likewise
    if isinstance(values, str):
        one = values.encode()
        if one:
            return Field(np.full(rows, np.void(one)), np.dtype(f"V{len(one)}"), None)
        return Field(np.empty(0, np.uint8), np.dtype("u1"), np.zeros(rows, np.int64))
    if not isinstance(values, pl.Series):
        values = pl.Series(np.asarray(values).tolist(), dtype=pl.String)
    if values.dtype != pl.String:
        values = values.cast(pl.String)  # categories and enums
    lengths = values.str.len_bytes().cast(pl.Int64).fill_null(NULL).to_numpy()
    joined = values.fill_null("").str.join("").item().encode()
    first = int(lengths[0])
    if first > 0 and bool((lengths == first).all()):
        return Field(np.frombuffer(joined, dtype=f"V{first}"), np.dtype(f"V{first}"), None)
    return Field(np.frombuffer(joined, np.uint8), np.dtype("u1"), lengths)


def _store(target: NDArray[Any], field: Field, chosen: NDArray[np.bool_] | None = None) -> None:
    """Write a column's values, or the `chosen` ones, to an array of its wire type."""
    values = field.values if chosen is None else field.values[chosen]
    try:
        with np.errstate(over="raise"):
            if field.wire.names is None:
                target[...] = values
                return
            target["items"]["value"] = values
    except FloatingPointError:
        raise StoreError(
            f"a value is outside of the range of {field.wire}; the column's type is too small"
        ) from None
    element = field.wire["items"].base["value"].itemsize
    target["head"] = (1, 0, ELEMENT_OIDS[f"float{element}"], values.shape[1], 1)
    target["items"]["length"] = element


def _fixed(fields: Sequence[Field], rows: int) -> NDArray[Any]:
    """Lay rows of equal width side by side: one structured array, filled column by column."""
    parts: list[tuple[str, Any]] = [("count", ">i2")]
    for i, field in enumerate(fields):
        parts += [(f"length{i}", ">i4"), (f"value{i}", field.wire)]
    out = np.empty(rows, dtype=parts)
    out["count"] = len(fields)
    for i, field in enumerate(fields):
        out[f"length{i}"] = field.wire.itemsize
        _store(out[f"value{i}"], field)
    return out


def _scattered(fields: Sequence[Field], rows: int) -> NDArray[np.uint8]:
    """Place rows of different widths at offsets summed up from the lengths of their fields."""
    widths = np.full(rows, 2 + 4 * len(fields), dtype=np.int64)
    for field in fields:
        widths += field.wire.itemsize if field.lengths is None else np.maximum(field.lengths, 0)
    at = np.cumsum(widths) - widths
    out = np.empty(int(widths.sum()), dtype=np.uint8)
    every_byte(out, ">i2")[at] = len(fields)
    at += 2
    for field in fields:
        lengths = field.wire.itemsize if field.lengths is None else field.lengths
        every_byte(out, ">i4")[at] = lengths
        at += 4
        if field.lengths is not None and field.wire.itemsize == 1 and field.values.dtype == "u1":
            out[spans(at, field.lengths)] = field.values
        else:
            chosen = None if field.lengths is None else field.lengths >= 0
            places = at if chosen is None else at[chosen]
            values = np.empty(len(places), dtype=field.wire)
            _store(values, field, chosen)
            every_byte(out, field.wire)[places] = values
        at += np.maximum(lengths, 0)
    return out


def every_byte(buffer: NDArray[np.uint8], dtype: np.dtype[Any] | str) -> NDArray[Any]:
    """Return a view with an item of `dtype` starting at every byte of `buffer`."""
    item = np.dtype(dtype)
    count = max(len(buffer) - item.itemsize + 1, 0)
    return np.ndarray(shape=(count,), dtype=item, buffer=buffer, strides=(1,))


def spans(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indexes of all bytes of the spans, one after the other; negative is empty."""
    sizes = np.maximum(lengths, 0)
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()))

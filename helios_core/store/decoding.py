"""Binary COPY frames to polars columns, a block at a time and without a loop over rows.

A frame is the server's message ``d``, its length, and one row. While all rows of a block are
equally wide (no null, no text of changing length) a block is one structured array. Otherwise the
starts of the rows are found first: every place that looks like the head of a row is a candidate,
and the candidates that do not follow from the one before them are dropped.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from helios_core.errors import StoreError
from helios_core.store.encoding import (
    EPOCH_SHIFT,
    NULL,
    SCALARS,
    every_byte,
    spans,
    split_kind,
    vector_type,
)

FRAME = 5  # message type and length
ROW = 7  # frame and field count
DATA = ord("d")
INFINITE = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)


class RowDecoder:
    """Collects rows of known types from blocks of COPY frames.

    Parameters
    ----------
    columns : mapping of str to str
        Name and PostgreSQL type of each column, as for `encoding.encode`.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = dict(columns)
        self._parts: dict[str, list[pl.Series]] = {name: [] for name in columns}
        self.rows = 0

    def feed(self, view: memoryview) -> int:
        """Take the complete row frames at the start of `view`; return the bytes taken."""
        data = np.frombuffer(view, dtype=np.uint8)
        taken = 0
        while len(data) - taken >= ROW and data[taken] == DATA:
            rest = data[taken:]
            step = self._feed_equal(rest)
            if step * 2 < len(rest):  # mixed widths: the general way for all that is left
                step += self._feed_mixed(rest[step:])
            if step == 0:
                break
            taken += step
        return taken

    def finish(self) -> pl.DataFrame:
        """Return all rows as one frame."""
        series = [
            pl.concat(parts, rechunk=True) if parts else self._empty(name)
            for name, parts in self._parts.items()
        ]
        return pl.DataFrame(series)

    def _empty(self, name: str) -> pl.Series:
        element, size = split_kind(self._columns[name])
        if size is not None:
            inner = pl.Float32 if element == "float4" else pl.Float64
            return pl.Series(name, [], dtype=pl.Array(inner, size))
        if element == "text":
            return pl.Series(name, [], dtype=pl.String)
        values = np.empty(0, dtype=SCALARS[element][1])
        return _scalar_series(name, element, values, None)

    def _feed_equal(self, data: NDArray[np.uint8]) -> int:
        """Take the leading rows that have field lengths equal to the first row's."""
        lengths = self._first_lengths(data)
        if lengths is None:
            return 0
        record = _record(lengths)
        count = len(data) // record.itemsize
        if count == 0:
            return 0
        rows = np.frombuffer(data, dtype=record, count=count)
        same = (rows["kind"] == DATA) & (rows["frame"] == record.itemsize - 1)
        same &= rows["count"] == len(lengths)
        for i, length in enumerate(lengths):
            same &= rows[f"length{i}"] == length
        if not same.all():
            count = int(np.argmin(same))
            rows = rows[:count]
        for i, (name, kind) in enumerate(self._columns.items()):
            absent = np.ones(count, dtype=bool) if lengths[i] == NULL else None
            values = rows[f"value{i}"] if lengths[i] > 0 else None
            self._append(name, kind, values, absent, count)
        self.rows += count
        return count * record.itemsize

    def _first_lengths(self, data: NDArray[np.uint8]) -> tuple[int, ...] | None:
        """Return the field lengths of the first row, None if it is not complete or not a row."""
        if int.from_bytes(data[FRAME:ROW].tobytes(), "big") != len(self._columns):
            return None
        at, lengths = ROW, []
        for _ in self._columns:
            length = int.from_bytes(data[at : at + 4].tobytes(), "big", signed=True)
            lengths.append(length)
            at += 4 + max(length, 0)
            if at > len(data):
                return None
        return tuple(lengths)

    def _feed_mixed(self, data: NDArray[np.uint8]) -> int:
        starts, end = find_rows(data, len(self._columns))
        if not len(starts):
            return 0
        at = starts + ROW
        for name, kind in self._columns.items():
            if at.max() + 4 > end:
                raise _misfit(name, kind)
            lengths = every_byte(data, ">i4")[at].astype(np.int64)
            at += 4
            if (at + np.maximum(lengths, 0)).max() > end or lengths.min() < NULL:
                raise _misfit(name, kind)
            self._gather(name, kind, data, at, lengths)
            at += np.maximum(lengths, 0)
        if at[-1] != end or (at[:-1] != starts[1:]).any():
            raise StoreError("the rows of a COPY do not fill their frames; name all its columns")
        self.rows += len(starts)
        return end

    def _gather(
        self,
        name: str,
        kind: str,
        data: NDArray[np.uint8],
        at: NDArray[np.int64],
        lengths: NDArray[np.int64],
    ) -> None:
        absent = lengths == NULL
        if kind == "text":
            self._parts[name].append(_texts(name, data, at, lengths))
            return
        present = ~absent
        widths = lengths[present]
        if not len(widths):
            self._append(name, kind, None, absent, len(at))
            return
        wire = _wire(kind, int(widths[0]))
        if (widths != wire.itemsize).any():
            raise _misfit(name, kind)
        values = np.zeros(len(at), dtype=wire)
        values[present] = every_byte(data, wire)[at[present]]
        self._append(name, kind, values, absent if absent.any() else None, len(at))

    def _append(
        self,
        name: str,
        kind: str,
        values: NDArray[Any] | None,
        absent: NDArray[np.bool_] | None,
        rows: int,
    ) -> None:
        """Add decoded values of one column; no values means that all are null or empty text."""
        element, size = split_kind(kind)
        if values is None:
            if size is None and (kind == "text" or absent is not None):
                nothing = None if absent is not None else ""
                empty = self._empty(name)
                self._parts[name].append(empty.extend_constant(nothing, rows))
                return
            raise StoreError(f"the array column {name} is null or empty; select it as text")
        if size is not None:
            self._parts[name].append(_vector_series(name, element, values, absent))
        elif kind == "text":
            self._parts[name].append(_constant_texts(name, values))
        else:
            if values.dtype.itemsize != np.dtype(SCALARS[kind][0]).itemsize:
                raise _misfit(name, kind)
            native = np.ascontiguousarray(values).view(SCALARS[kind][0]).astype(SCALARS[kind][1])
            self._parts[name].append(_scalar_series(name, kind, native, absent))


def find_rows(data: NDArray[np.uint8], fields: int) -> tuple[NDArray[np.int64], int]:
    """Return where complete rows start in `data`, which begins with one, and where they end.

    Bytes inside of a value can look like the head of a row. True heads follow from each other by
    their lengths, so a candidate that the one before does not lead to is dropped.
    """
    high, low = divmod(fields, 256)
    body = len(data) - ROW + 1
    looks = (data[:body] == DATA) & (data[FRAME : FRAME + body] == high)
    looks &= data[FRAME + 1 : FRAME + 1 + body] == low
    starts = np.flatnonzero(looks)
    sizes = every_byte(data, ">i4")[starts + 1].astype(np.int64)
    possible = (sizes >= 6 + 4 * fields) & (starts + 1 + sizes <= len(data))
    starts, ends = starts[possible], (starts + 1 + sizes)[possible]
    if not len(starts) or starts[0] != 0:
        return starts[:0], 0
    while True:
        broken = np.flatnonzero(starts[1:] != ends[:-1])
        if not len(broken):
            return starts, int(ends[-1])
        last = int(broken[0])
        following = int(np.searchsorted(starts, ends[last]))
        if following == len(starts) or starts[following] != ends[last]:
            return starts[: last + 1], int(ends[last])
        inside = slice(last + 1, following)
        starts, ends = np.delete(starts, inside), np.delete(ends, inside)


@lru_cache(maxsize=64)
def _record(lengths: tuple[int, ...]) -> np.dtype[Any]:
    """Return the record of one frame whose fields have these lengths, values as raw bytes."""
    parts: list[tuple[str, Any]] = [("kind", "u1"), ("frame", ">i4"), ("count", ">i2")]
    for i, length in enumerate(lengths):
        parts.append((f"length{i}", ">i4"))
        if length > 0:
            parts.append((f"value{i}", f"V{length}"))
    return np.dtype(parts)


def _wire(kind: str, width: int) -> np.dtype[Any]:
    element, size = split_kind(kind)
    if size is None:
        return np.dtype(SCALARS[kind][0])
    return vector_type(element, max((width - 20) // (4 + int(element[-1])), 0))


def _misfit(name: str, kind: str) -> StoreError:
    return StoreError(f"the column {name} of a COPY does not hold values of type {kind}")


def _scalar_series(
    name: str, kind: str, native: NDArray[Any], absent: NDArray[np.bool_] | None
) -> pl.Series:
    if kind == "timestamptz":
        if len(native) and (native.min() == INFINITE[0] or native.max() == INFINITE[1]):
            raise StoreError(f"the column {name} holds an infinite time; filter it out")
        series = pl.Series(name, native + EPOCH_SHIFT).cast(pl.Datetime("us", "UTC"))
    else:
        series = pl.Series(name, native.astype(bool) if kind == "bool" else native)
    return series if absent is None else _mask(series, absent)


def _vector_series(
    name: str, element: str, raw: NDArray[Any], absent: NDArray[np.bool_] | None
) -> pl.Series:
    """Return an array column; raw items hold the wire bytes of one array each."""
    wire = _wire(f"{element}[]", raw.dtype.itemsize)
    if wire.itemsize != raw.dtype.itemsize or wire["items"].shape[0] == 0:
        raise StoreError(
            f"the column {name} has an array that is empty, holds nulls or has two dimensions"
        )
    rows = np.ascontiguousarray(raw).view(wire)
    present = rows if absent is None else rows[~absent]
    size = wire["items"].shape[0]
    if (present["head"][:, 0] != 1).any() or (present["head"][:, 3] != size).any():
        raise StoreError(f"the arrays of the column {name} differ in length or hold nulls")
    values = np.ascontiguousarray(rows["items"]["value"].astype(SCALARS[element][1]))
    dtype = pl.Array(pl.Float32 if element == "float4" else pl.Float64, size)
    series = pl.Series(name, values, dtype=dtype)
    return series if absent is None else _mask(series, absent)


def _texts(
    name: str, data: NDArray[np.uint8], at: NDArray[np.int64], lengths: NDArray[np.int64]
) -> pl.Series:
    """Return the texts at these places; PostgreSQL's text never holds a zero byte."""
    sizes = np.maximum(lengths, 0)
    joined = np.zeros(int(sizes.sum()) + len(at), dtype=np.uint8)
    places = np.cumsum(sizes + 1) - sizes - 1
    joined[spans(places, sizes)] = data[spans(at, sizes)]
    series = _split(name, joined)
    absent = lengths == NULL
    return _mask(series, absent) if absent.any() else series


def _constant_texts(name: str, raw: NDArray[Any]) -> pl.Series:
    """Return texts of one length."""
    width = raw.dtype.itemsize
    letters = np.ascontiguousarray(raw).view(np.uint8).reshape(len(raw), width)
    if (letters == letters[0]).all():
        return pl.Series(name, [letters[0].tobytes().decode()]).new_from_index(0, len(raw))
    joined = np.zeros((len(raw), width + 1), dtype=np.uint8)
    joined[:, :-1] = letters
    return _split(name, joined.reshape(-1))


def _split(name: str, joined: NDArray[np.uint8]) -> pl.Series:
    whole = pl.Series(name, [joined[:-1].tobytes().decode()])
    return whole.str.split("\0").explode()


def _mask(series: pl.Series, absent: NDArray[np.bool_]) -> pl.Series:
    """Return the series with nulls where `absent`."""
    keep = pl.Series("keep", ~absent)
    return pl.select(pl.when(keep).then(series).alias(series.name)).to_series()

"""Bulk reads and writes by binary COPY, for polars and numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from helios_core.errors import StoreError
from helios_core.store.decoding import RowDecoder
from helios_core.store.encoding import SIGNATURE, TRAILER, Data, count_rows, encode
from helios_core.store.stream import read_copy, reads_plainly, widen

KINDS = {
    16: "bool", 20: "int8", 21: "int2", 23: "int4", 25: "text", 700: "float4", 701: "float8",
    1021: "float4[]", 1022: "float8[]", 1043: "text", 1184: "timestamptz",
}  # fmt: skip
INCOMING = "helios_incoming"

Connection = psycopg.Connection[Any]
Schema = Mapping[str, Any]  # column -> polars type, or PostgreSQL type by name


@dataclass(frozen=True, slots=True)
class Merged:
    """What `merge` did with the rows it was given."""

    inserted: int
    updated: int
    unchanged: int


def copy_in(
    conn: Connection, table: str, columns: Sequence[str] | Mapping[str, str], data: Data
) -> int:
    """Write rows to `table` by binary COPY and return how many.

    Parameters
    ----------
    table : str
        Name of the table, with its schema if that is not on the search path.
    columns : sequence of str, or mapping of str to str
        Columns to fill; a mapping names their PostgreSQL types too, which saves a look-up.
    data : polars.DataFrame or mapping
        A column each: values of shape (rows,), of shape (rows, N) for ``float4[]``, or one string
        for a text column that is the same on every row. NaT and polars' null become NULL.

    Raises
    ------
    StoreError
        If a column is missing or its values do not fit its type.
    psycopg.Error
        If the table refuses a row.
    """
    kinds = columns if isinstance(columns, Mapping) else _table_kinds(conn, table, columns)
    rows = count_rows(kinds, data)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        _table(table), _names(kinds)
    )
    widen(conn)
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for block in encode(kinds, data):
            copy.write(block)
    return rows


def copy_out(
    conn: Connection,
    statement: bytes,
    params: Mapping[str, Any] | None = None,
    schema: Schema | None = None,
) -> pl.DataFrame:
    """Return the rows of a SELECT as a frame, read by binary COPY.

    Parameters
    ----------
    statement : bytes
        A SELECT with named placeholders, from ``sql/queries``.
    schema : mapping, optional
        Column to polars type: the result has these columns, cast to these types. Column to name of
        a PostgreSQL type (a key of `encoding.SCALARS`, ``text``, ``float4[]``, ``float8[]``):
        the server is not asked for the types. Default: names and types of the statement.

    Returns
    -------
    polars.DataFrame
        Times are ``Datetime("us", "UTC")``; arrays of floats are polars arrays, which ``to_numpy``
        gives with shape (rows, N).

    Raises
    ------
    StoreError
        If a column has a type that binary COPY does not know, or `schema` names other columns.
    """
    bound = psycopg.ClientCursor(conn).mogrify(statement, params).encode()
    select = bound.strip().rstrip(b";") + b"\n"  # a last line may be a comment
    named = schema is not None and all(isinstance(kind, str) for kind in schema.values())
    kinds = dict(schema or {}) if named else _statement_kinds(conn, select)
    decoder = RowDecoder(kinds)
    command = b"COPY (" + select + b") TO STDOUT (FORMAT BINARY)"
    if reads_plainly(conn):
        read_copy(conn, command, decoder)
    else:
        _read_through_libpq(conn, command, decoder)
    frame = decoder.finish()
    if schema is None or named:
        return frame
    if list(schema) != frame.columns:
        raise StoreError(f"expected the columns {list(schema)}, the query has {frame.columns}")
    return frame.cast(pl.Schema(schema))


def merge(
    conn: Connection,
    table: str,
    columns: Sequence[str],
    data: Data,
    *,
    key: Sequence[str],
    update: bool | Sequence[str] = True,
) -> Merged:
    """Write rows idempotently: COPY to a temporary table, then INSERT ... ON CONFLICT.

    Parameters
    ----------
    columns : sequence of str
        Columns to fill; the others take their defaults.
    key : sequence of str
        The unique columns that decide whether a row is there already.
    update : bool or sequence of str
        Whether a row that is there with other values is overwritten or left as it is. Columns:
        it is overwritten when one of these differs; the others only say where a row came from.

    Raises
    ------
    StoreError
        If `data` holds one key twice, which has no single right answer.
    """
    target, incoming, names = _table(table), sql.Identifier("pg_temp", INCOMING), _names(columns)
    kinds = _table_kinds(conn, table, columns)
    # CREATE ... AS would lose to a leftover of a failed call in the same transaction
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(incoming))
    conn.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM {} WITH NO DATA").format(
            sql.Identifier(INCOMING), names, target
        )
    )
    total = copy_in(conn, f"pg_temp.{INCOMING}", kinds, data)
    known = conn.execute(
        sql.SQL("SELECT count(*) FROM {} JOIN {} USING ({})").format(incoming, target, _names(key))
    ).fetchone()
    existing = int(known[0]) if known else 0
    rest = [name for name in columns if name not in key]
    compared = rest if isinstance(update, bool) else list(update)
    action = _overwrite(rest, compared) if update and compared else sql.SQL("DO NOTHING")
    try:
        written = conn.execute(
            sql.SQL("INSERT INTO {} AS stored ({}) SELECT {} FROM {} ON CONFLICT ({}) {}").format(
                target, names, names, incoming, _names(key), action
            )
        ).rowcount
    except psycopg.errors.CardinalityViolation as error:
        raise StoreError(
            f"rows for {table} hold one {', '.join(key)} twice; remove the duplicates first"
        ) from error
    conn.execute(sql.SQL("DROP TABLE {}").format(incoming))
    inserted = total - existing if action != sql.SQL("DO NOTHING") else written
    return Merged(inserted, written - inserted, total - written)


def _overwrite(columns: Sequence[str], compared: Sequence[str]) -> sql.Composed:
    """Return the action that writes `columns` of the rows that differ in one of `compared`."""
    sets = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns
    )
    old, new = (
        sql.SQL(", ").join(sql.SQL(side + ".{}").format(sql.Identifier(name)) for name in compared)
        for side in ("stored", "excluded")
    )
    return sql.SQL("DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(sets, old, new)


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def _names(columns: Sequence[str] | Mapping[str, str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _table_kinds(conn: Connection, table: str, columns: Sequence[str]) -> dict[str, str]:
    statement = sql.SQL("SELECT {} FROM {}").format(_names(columns), _table(table))
    return _statement_kinds(conn, statement.as_string(conn).encode())


def _statement_kinds(conn: Connection, select: bytes) -> dict[str, str]:
    """Ask the server for the names and types of a statement's columns."""
    cursor = conn.execute(b"SELECT * FROM (" + select + b") AS shape LIMIT 0")
    found = [(column.name, column.type_code) for column in cursor.description or ()]
    unknown = [name for name, code in found if code not in KINDS]
    if unknown:
        raise StoreError(
            f"binary COPY cannot read or write the columns {unknown}; cast them to text or float8"
        )
    if len({name for name, _ in found}) != len(found):
        raise StoreError(f"a query names a column twice: {[name for name, _ in found]}")
    return {name: KINDS[code] for name, code in found}


def _read_through_libpq(conn: Connection, command: bytes, decoder: RowDecoder) -> None:
    """Feed `decoder` where the socket is encrypted; libpq gives one object a row."""
    with conn.cursor() as cursor, cursor.copy(command) as copy:
        rows = [bytes(block) for block in copy]
    rows[0] = rows[0][len(SIGNATURE) :]
    frames = b"".join(
        b"d" + (len(row) + 4).to_bytes(4, "big") + row for row in rows if row not in {b"", TRAILER}
    )
    if decoder.feed(memoryview(frames)) != len(frames):
        raise StoreError("the rows of a COPY do not have the columns that were asked for")

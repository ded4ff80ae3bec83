"""Tables and views as Parquet or CSV files."""

import os
from pathlib import Path

import polars as pl
from psycopg import sql

from helios_core.errors import NotFoundError, UsageError
from helios_core.store.copying import copy_out
from helios_core.store.database import SCHEMA, Connection, Database, query
from helios_core.store.lookalikes import similar

# read as they are; every other type is written as text, which keeps each digit of a numeric
NATIVE = {
    "boolean", "smallint", "integer", "bigint", "real", "double precision", "text",
    "timestamp with time zone", "real[]",
}  # fmt: skip
FLOATS = {"double precision[]"}


def export_table(database: Database, table: str, file: Path) -> int:
    """Write all rows of a table or view to `file` and return how many.

    Numbers of any precision, JSON and most arrays become text; in Parquet, arrays of floats stay
    lists. The file appears when it is complete.

    Raises
    ------
    UsageError
        If `file` ends neither with .parquet nor with .csv, or its folder does not exist.
    NotFoundError
        If there is no such table or view; those that look alike are named.
    """
    kind = file.suffix.lower()
    if kind not in {".parquet", ".csv"}:
        raise UsageError(f"{file} must end with .parquet or .csv")
    if not file.parent.is_dir():
        raise UsageError(f"the folder {file.parent} does not exist; make it first")
    with database.connection() as conn:
        conn.execute(query("bulk_begin"))
        frame = _read(conn, table)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        if kind == ".parquet":
            frame.write_parquet(fresh)
        else:
            _as_text(frame).write_csv(fresh, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
        fresh.rename(file)
    finally:
        fresh.unlink(missing_ok=True)
    return frame.height


def _read(conn: Connection, table: str) -> pl.DataFrame:
    columns = conn.execute(query("columns_of"), {"table": table}).fetchall()
    if not columns:
        known = [row[0] for row in conn.execute(query("tables"))]
        raise NotFoundError(
            f"no table {table!r}{similar(table, known)}; `helios db status` lists them all"
        )
    parts = [
        sql.Identifier(name)
        if kind in NATIVE
        else sql.SQL("{0}::text AS {0}").format(sql.Identifier(name))
        for name, kind in columns
    ]
    statement = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(parts), sql.Identifier(SCHEMA, table)
    )
    frame = copy_out(conn, statement.as_string(conn).encode())
    lists = [name for name, kind in columns if kind in FLOATS]
    return frame.with_columns(pl.col(name).pipe(_floats) for name in lists)


def _floats(arrays: pl.Expr) -> pl.Expr:
    """Return text like ``{1.5,NaN}`` as lists of floats; vectors may differ in length."""
    return arrays.str.strip_chars("{}").str.split(",").list.eval(pl.element().cast(pl.Float64))


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with lists as JSON text, which is what a cell of a CSV can hold."""
    lists = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(
        pl.format("[{}]", pl.col(name).cast(pl.List(pl.String)).list.join(",")).alias(name)
        for name in lists
    )

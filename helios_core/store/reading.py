"""Files of market data as they are: CSV, Parquet and Feather to a frame, nothing converted yet."""

from pathlib import Path

import polars as pl

from helios_core.errors import DataError, NotFoundError
from helios_core.store.layouts import HEADERLESS

FEATHER_1 = b"FEA1"
FORMATS = ".csv, .csv.gz, .parquet, .feather or .arrow"


def read_table(file: Path) -> pl.DataFrame:
    """Return all columns of `file`; those of a CSV are text, so that a bad number keeps its face.

    Raises
    ------
    NotFoundError
        If there is no such file.
    DataError
        If it is of another kind, damaged, empty, or a CSV without a header that is not Binance's.
    """
    if not file.is_file():
        state = "is a folder" if file.is_dir() else "does not exist"
        raise NotFoundError(f"the file {file} {state}; name a {FORMATS} file")
    suffixes = [suffix.lower() for suffix in file.suffixes[-2:]]
    try:
        frame = _read(file, suffixes)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            f"{file.name} cannot be read: {reason[0]}; get it again or save it anew "
            f"as UTF-8 {FORMATS}"
        ) from error
    if frame.is_empty():
        raise DataError(f"{file.name} has columns {', '.join(frame.columns)}, but no rows")
    return frame


def _read(file: Path, suffixes: list[str]) -> pl.DataFrame:
    if suffixes and suffixes[-1] == ".parquet":
        return pl.read_parquet(file)
    if suffixes and suffixes[-1] in {".feather", ".arrow", ".ipc"}:
        with file.open("rb") as handle:
            if handle.read(4) == FEATHER_1:
                raise DataError(
                    f"{file.name} is Feather version 1; save it as version 2 (pandas' to_feather)"
                )
        return pl.read_ipc(file)
    if suffixes and (suffixes[-1] == ".csv" or suffixes == [".csv", ".gz"]):
        return _read_csv(file)
    raise DataError(f"{file.name} is none of {FORMATS}; convert it first")


def _read_csv(file: Path) -> pl.DataFrame:
    head = pl.read_csv(file, has_header=False, infer_schema=False, n_rows=1)
    first = [text or "" for text in head.row(0)]
    if not any(map(_is_value, first)):
        return pl.read_csv(file, infer_schema=False)
    if len(first) not in HEADERLESS:
        raise DataError(
            f"{file.name} has no header: its first line is {','.join(first)}; put a line with the "
            f"names of the columns before it, for example open_time,open,high,low,close,volume"
        )
    names = list(HEADERLESS[len(first)])
    return pl.read_csv(file, has_header=False, infer_schema=False, new_columns=names)


def _is_value(text: str) -> bool:
    """Whether this is a number, which no column is named."""
    try:
        float(text)
    except ValueError:
        return False
    return True

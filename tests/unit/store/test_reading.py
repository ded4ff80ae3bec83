import gzip

import polars as pl
import pytest

from helios_core.errors import DataError, NotFoundError
from helios_core.store.reading import read_table

TEXT = "date,open,high,low,close,volume\n2024-01-01,1,2,0.5,1.5,10\n"


def test_the_formats_hold_the_same(tmp_path):
    table = pl.DataFrame({"date": ["2024-01-01"], "open": ["1"]})
    table.write_csv(tmp_path / "a.csv")
    table.write_parquet(tmp_path / "a.parquet")
    table.write_ipc(tmp_path / "a.feather")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))

    for name in ("a.csv", "a.parquet", "a.feather", "a.csv.gz"):
        assert read_table(tmp_path / name).equals(table)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT, encoding="utf-8-sig")

    assert read_table(tmp_path / "a.csv").columns[0] == "date"


def test_a_binance_kline_file_without_header_gets_its_names(tmp_path):
    (tmp_path / "k.csv").write_text("1733011200000,1,2,0.5,1.5,10,1733011259999,15,3,5,7,0\n")
    table = read_table(tmp_path / "k.csv")

    assert table.height == 1
    assert table.columns[:7] == [
        "open_time",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "close_time",
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"date,open\n\xff\xfe,1\n", "utf-8"),
        ("a.csv", b"", "cannot be read"),
        ("a.csv", b"date,open\n", "no rows"),
        ("a.csv", b"date,open\n1,2,3\n", "cannot be read"),
        ("a.csv", b"2024-01-01,1\n", "no header"),
        ("a.parquet", b"not parquet at all", "cannot be read"),
        ("a.feather", b"ARROW1 and then nothing", "cannot be read"),
        ("a.feather", b"FEA1 the old one", "version 1"),
        ("a.xlsx", b"PK", "none of"),
        ("a", b"date\n", "none of"),
    ],
)
def test_what_cannot_be_read_is_a_data_error(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=words):
        read_table(tmp_path / name)


def test_a_truncated_file_is_a_data_error(tmp_path):
    table = pl.DataFrame({"date": range(10_000)})
    table.write_parquet(tmp_path / "a.parquet")
    table.write_ipc(tmp_path / "a.feather")
    for name in ("a.parquet", "a.feather"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])

        with pytest.raises(DataError):
            read_table(tmp_path / name)


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_missing_file_is_not_found(tmp_path, name):
    with pytest.raises(NotFoundError, match=r"name a \.csv"):
        read_table(tmp_path / name)

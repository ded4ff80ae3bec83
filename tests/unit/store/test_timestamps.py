"""Times as files have them, against the standard library's own parser and zone data."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helios_core.errors import DataError, UsageError
from helios_core.store.timestamps import to_utc

T = datetime(2024, 12, 1, 0, 0, 59, 999000, tzinfo=timezone(timedelta(hours=1)))


FIRST, NEAR, LAST = (datetime.fromisoformat(f"{year}-02-01") for year in (2009, 2035, 2098))


def column(values, dtype=None):
    return pl.Series("when", values, dtype=dtype)


@pytest.mark.parametrize(
    "text",
    [
        "2024-12-01 00:00:59.999000+01:00",
        "2024-12-01T00:00:59.999+0100",
        "2024-11-30T23:00:59.999Z",
        "2024-11-30 23:00:59.999 UTC",
        " 2024-11-30 23:00:59.999 ",
        "1733007659999",
    ],
)
def test_one_moment_may_be_written_in_many_ways(text):
    assert to_utc(column([text]), None).to_list() == [T.astimezone(UTC)]


@pytest.mark.parametrize(
    ("count", "dtype"),
    [
        (1733007659, pl.Int64),
        (1733007659.0, pl.Float64),
        (1733007659000, pl.Int64),
        (1733007659000000, pl.Int64),
        (1733007659000000000, pl.Int64),
        (1733007659, pl.UInt32),
    ],
)
def test_the_size_of_a_count_tells_its_unit(count, dtype):
    found = to_utc(column([count], dtype), None)

    assert found.to_list() == [datetime(2024, 11, 30, 23, 0, 59, tzinfo=UTC)]


@given(
    st.datetimes(FIRST, LAST),
    st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)
def test_any_written_offset_is_honored(moment, zone):
    aware = moment.replace(tzinfo=zone)

    assert to_utc(column([aware.isoformat(sep=" ")]), None).to_list() == [aware.astimezone(UTC)]


@given(
    st.datetimes(FIRST, NEAR),
    st.sampled_from(["Africa/Johannesburg", "Asia/Kolkata", "America/Phoenix"]),
)
def test_naive_times_are_placed_in_their_zone(moment, zone):
    expected = moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)

    assert to_utc(column([moment]), zone).to_list() == [expected]
    assert to_utc(column([moment.isoformat()]), zone).to_list() == [expected]


@pytest.mark.parametrize(("tz", "hour"), [("+02:00", 10), ("-0530", 17), ("UTC+1", 11), (None, 12)])
def test_a_zone_may_be_an_offset(tz, hour):
    found = to_utc(column(["2024-01-01 12:00"]), tz).to_list()[0]

    assert (found.hour, found.minute) == (hour, 30 if tz == "-0530" else 0)


def test_a_date_is_its_first_moment():
    assert to_utc(column([date(2024, 1, 2)]), None).to_list() == [datetime(2024, 1, 2, tzinfo=UTC)]
    assert to_utc(column(["2024-01-02"]), None).to_list() == [datetime(2024, 1, 2, tzinfo=UTC)]


def test_aware_columns_keep_their_moment_whatever_the_zone_says():
    moment = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("America/New_York"))

    assert to_utc(column([moment]), "Asia/Tokyo").to_list() == [moment.astimezone(UTC)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["2024-01-01 00:00", "yesterday"], "row 2: when 'yesterday' is no time"),
        (["2024-01-01 00:00", None], "row 2: when None is missing"),
        (["2024-01-01 00:00Z", "2024-01-01 00:01"], "row 2: .* has no offset"),
        (["2008-12-31 00:00"], "row 1: .* outside of the years"),
        ([12, 13], "no count of s, ms, us"),
        ([1_700_000_000, 1_700_000_060_000], "no count of s, ms, us"),
        ([True, False], "expected times"),
    ],
)
def test_what_is_no_time_is_refused(values, words):
    with pytest.raises(DataError, match=words):
        to_utc(column(values), None)


@pytest.mark.parametrize(
    ("text", "word"),
    [("2024-10-27 01:30:00", "ambiguous"), ("2024-03-31 01:30:00", "non-existent")],
)
def test_a_time_that_is_not_unique_in_its_zone_is_refused(text, word):
    with pytest.raises(DataError, match=word):
        to_utc(column([text]), "Europe/London")


@pytest.mark.parametrize("tz", ["Mars/Olympus", "two hours", "/etc/passwd"])
def test_an_unknown_zone_is_a_usage_error(tz):
    with pytest.raises(UsageError, match="Africa/Johannesburg"):
        to_utc(column(["2024-01-01 00:00"]), tz)

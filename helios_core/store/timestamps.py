"""Times in files, however they are written, as microseconds in UTC."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from helios_core.domain.market import UTC_MICROSECONDS
from helios_core.errors import DataError, UsageError

EARLIEST = datetime.fromisoformat("2009-01-03T00:00:00+00:00")  # the first block of Bitcoin
LATEST = datetime.fromisoformat("2100-01-01T00:00:00+00:00")
# the count since 1970 of a time in these years tells its unit; factor to microseconds
UNITS = ((1e9, 1e10, 1_000_000.0), (1e12, 1e13, 1_000.0), (1e15, 1e16, 1.0), (1e18, 1e19, 1e-3))
_OFFSET = re.compile(r"^(?:UTC)?(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?$")
_WRITTEN = r"(Z|z| ?UTC|[+-]\d{2}:?\d{2})$"


def to_utc(times: pl.Series, tz: str | None) -> pl.Series:
    """Return `times` as aware UTC times in microseconds.

    Parameters
    ----------
    times : polars.Series
        Datetimes, dates, counts since 1970 in s, ms, us or ns, or text with any of these or an
        ISO 8601 time.
    tz : str, optional
        Zone of times that carry none, an IANA name or an offset such as ``+01:00``; default UTC.

    Raises
    ------
    DataError
        If a time is missing, cannot be read, is not unique in its zone, or is outside of 2009 to
        2099; the row is named.
    UsageError
        If there is no such zone.
    """
    zone = _zone(tz)
    _refuse(times, times.is_null(), "is missing")
    if times.dtype == pl.String:
        stripped = times.str.strip_chars()
        counted = stripped.cast(pl.Int64, strict=False)
        found = _counted(counted) if not counted.null_count() else _written(stripped, zone)
    elif times.dtype.is_numeric():
        found = _counted(times)
    elif times.dtype.is_temporal() and times.dtype != pl.Time:
        found = _dated(times, zone)
    else:
        raise DataError(f"the column {times.name} holds {times.dtype}, expected times")
    _refuse(times, ~found.is_between(EARLIEST, LATEST), "is outside of the years 2009 to 2099")
    return found.cast(UTC_MICROSECONDS).rename("time")


def _zone(tz: str | None) -> str | timedelta:
    """Return the name of a zone, or the offset that its times are ahead of UTC."""
    offset = _OFFSET.match(tz or "")
    if offset is not None:
        ahead = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"] or 0))
        return ahead if offset["sign"] == "+" else -ahead
    try:
        return ZoneInfo(tz or "UTC").key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"no time zone {tz!r}; name one as Africa/Johannesburg or as +02:00"
        ) from None


def _counted(times: pl.Series) -> pl.Series:
    low, high = float(times.min()), float(times.max())  # type: ignore[arg-type]
    for least, most, factor in UNITS:
        if least <= low and high < most:
            if times.dtype.is_integer() and factor >= 1:
                counts = times.cast(pl.Int64) * int(factor)
            else:
                counts = (times.cast(pl.Float64) * factor).round().cast(pl.Int64)
            return counts.cast(UTC_MICROSECONDS)
    raise DataError(
        f"the column {times.name} runs from {low:g} to {high:g}, which is no count of s, ms, us or "
        f"ns since 1970 in the years 2001 to 2286"
    )


def _written(times: pl.Series, zone: str | timedelta) -> pl.Series:
    """Read ISO 8601 text; either all times carry an offset from UTC, or none does."""
    offset = times.str.extract(_WRITTEN).str.strip_chars()
    body = times.str.replace(_WRITTEN, "").str.replace("T", " ", literal=True)
    width = body.str.len_bytes()
    padded = pl.select(
        pl.when(width == 10).then(body + " 00:00:00").when(width == 16).then(body + ":00")
        .otherwise(body)
    ).to_series()  # fmt: skip
    naive = padded.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    _refuse(times, naive.is_null(), "is no time; expected for example 2024-12-31T23:59:00+00:00")
    carried = offset.is_not_null()
    if not carried.any():
        return _localized(naive, zone)
    _refuse(times, ~carried, "has no offset from UTC, others have")
    return (naive - _ahead(offset)).dt.replace_time_zone("UTC")


def _ahead(offset: pl.Series) -> pl.Series:
    """Return how far times with these written offsets are ahead of UTC."""
    digits = offset.str.replace_all(r"[^\d]", "")
    hours = digits.str.slice(0, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(2, 2).cast(pl.Int64, strict=False).fill_null(0)
    sign = offset.str.starts_with("-").cast(pl.Int64) * -2 + 1
    return (sign * (hours * 60 + minutes) * 60_000_000).cast(pl.Duration("us"))


def _dated(times: pl.Series, zone: str | timedelta) -> pl.Series:
    moments = times.cast(pl.Datetime("us")) if times.dtype == pl.Date else times
    moments = moments.dt.cast_time_unit("us")
    aware = getattr(moments.dtype, "time_zone", None) is not None
    return moments.dt.convert_time_zone("UTC") if aware else _localized(moments, zone)


def _localized(naive: pl.Series, zone: str | timedelta) -> pl.Series:
    if isinstance(zone, timedelta):
        return (naive - zone).dt.replace_time_zone("UTC")
    try:
        return naive.dt.replace_time_zone(zone).dt.convert_time_zone("UTC")
    except pl.exceptions.ComputeError as error:
        raise DataError(
            f"the column {naive.name} cannot be placed in {zone}: {str(error).splitlines()[0]} "
            f"Give times with their offset from UTC, or in UTC"
        ) from error


def _refuse(times: pl.Series, wrong: pl.Series, what: str) -> None:
    if wrong.any():
        at = int(wrong.arg_true()[0])
        raise DataError(f"row {at + 1}: {times.name} {times[at]!r} {what}")

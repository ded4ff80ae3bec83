"""Candles of any timeframe into the store, and the longer bars that one-minute ones complete."""

from datetime import datetime, timedelta

from helios_core.domain.market import CandleFrame, Timeframe
from helios_core.market.candles import resample
from helios_core.store.copying import Merged
from helios_core.store.database import Connection
from helios_core.store.market import Cause, read_candles, write_candles

DERIVED = (Timeframe.M5, Timeframe.M15)


def write_bars(
    conn: Connection,
    candles: CandleFrame,
    source: str,
    *,
    cause: Cause = "missing",
    run_id: str | None = None,
) -> dict[str, Merged]:
    """Store candles and, of one-minute ones, the 5m and 15m bars of which every minute is there.

    Minutes that are stored already count too, so a file that ends in the middle of a bar and one
    that goes on from there make it whole.

    Returns
    -------
    dict
        What became of the rows, by timeframe; the one of `candles` first.

    Raises
    ------
    DataError
        If `candles` is not a valid candle frame.
    """
    if candles.is_empty():
        return {}
    timeframe = candles["timeframe"][0]
    written = {timeframe: write_candles(conn, candles, source, cause=cause, run_id=run_id)}
    if timeframe == Timeframe.M1:
        longest = DERIVED[-1].duration
        start = floor_time(candles["open_time"][0], longest)
        end = floor_time(candles["open_time"][-1], longest) + longest
        minutes = read_candles(conn, candles["pair"][0], Timeframe.M1, start, end)
        for longer in DERIVED:
            bars = resample(minutes, longer)
            written[longer.value] = write_candles(conn, bars, source, cause=cause, run_id=run_id)
    return written


def floor_time(moment: datetime, step: timedelta) -> datetime:
    """Return the start of the bar of length `step`, which divides a day, that holds `moment`."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step

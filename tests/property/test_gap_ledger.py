"""The gap ledger against a list of minutes kept in Python, after writes in any order."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helios_core.domain.market import CANDLE_SCHEMA, Timeframe
from helios_core.store.market import gaps, write_candles

T0 = datetime(2024, 1, 1, tzinfo=UTC)
WRITES = st.lists(
    st.tuples(
        st.sets(st.integers(0, 30), min_size=1, max_size=8),
        st.sampled_from(["missing", "no_trade", "exchange_down"]),
    ),
    min_size=1,
    max_size=5,
)


def bars(numbers):
    flat = [100.0] * len(numbers)
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), flat)
    times = [T0 + timedelta(minutes=n) for n in sorted(numbers)]
    frame = pl.DataFrame({"pair": "BTCUSDT", "timeframe": "1m", "open_time": times, **columns})
    return frame.select(list(CANDLE_SCHEMA)).cast(pl.Schema(CANDLE_SCHEMA))


def runs(causes):
    """Return (first minute, minutes, cause) of each longest run of minutes with one cause."""
    found = []
    for minute in sorted(causes):
        if found and sum(found[-1][:2]) == minute and found[-1][2] == causes[minute]:
            found[-1] = (found[-1][0], found[-1][1] + 1, causes[minute])
        else:
            found.append((minute, 1, causes[minute]))
    return found


@pytest.mark.db
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(writes=WRITES)
def test_the_ledger_is_what_is_missing_between_the_stored_bars_and_why(db, writes):
    held: set[int] = set()
    known: dict[int, str] = {}
    with db.transaction(force_rollback=True):
        for numbers, cause in writes:
            write_candles(db, bars(numbers), "test", cause=cause)
            held |= numbers
            if cause != "missing":
                known |= dict.fromkeys(range(min(numbers), max(numbers)), cause)
            missing = set(range(min(held), max(held))) - held
            expected = runs({minute: known.get(minute, "missing") for minute in missing})
            rows = gaps(db, "BTCUSDT", Timeframe.M1)

            assert [
                ((row.start - T0) // timedelta(minutes=1), row.missing, row.cause) for row in rows
            ] == expected
            assert all(row.end - row.start == timedelta(minutes=row.missing) for row in rows)

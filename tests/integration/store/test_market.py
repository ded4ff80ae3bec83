from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from helios_core.domain.market import Gap, PairRules, Timeframe
from helios_core.domain.pairs import builtin_rules
from helios_core.errors import DataError, DependencyError, NotFoundError, SafetyError
from helios_core.store import market
from helios_core.store.copying import Merged
from helios_core.store.database import Database
from helios_core.store.market import Coverage, GapRow, StoredMarket

T0 = datetime(2024, 1, 1, tzinfo=UTC)
FAR = datetime(2030, 1, 1, tzinfo=UTC)
M1 = Timeframe.M1


def minute(n):
    return T0 + timedelta(minutes=n)


def gap(start, end, cause="missing"):
    return GapRow(minute(start), minute(end), end - start, cause)


def test_rules_survive_to_the_last_digit(db):
    for rule in builtin_rules():
        assert market.pair_rules(db, rule.pair) == rule


def test_rules_are_replaced_by_newer_ones(db):
    newer = PairRules("BTCZAR", "BTC", "ZAR", Decimal("0.5"), 6, Decimal("0.1"), Decimal(20), False)
    market.upsert_pair_rules(db, [newer])

    assert market.pair_rules(db, "BTCZAR") == newer


@pytest.mark.parametrize("name", ["BTCUSD", "btcusdt", "BTC/USDT"])
def test_an_unknown_pair_names_look_alikes(db, name):
    with pytest.raises(NotFoundError, match=rf"{name}.*BTCUSDT"):
        market.pair_rules(db, name)


def test_known_pairs_are_sorted(db):
    found = market.known_pairs(db)

    assert found == sorted(rule.pair for rule in builtin_rules())


def test_candles_survive_the_store_to_the_last_bit(db, bars):
    written = bars(range(50), price=100.1 + 0.2)
    market.write_candles(db, written, "test")

    assert market.read_candles(db, "BTCUSDT", M1, T0, FAR).equals(written)


def test_nothing_stored_is_an_empty_frame_of_the_same_schema(db, bars):
    empty = market.read_candles(db, "BTCUSDT", M1, T0, FAR)

    assert empty.is_empty()
    assert empty.schema == bars([1]).schema
    assert market.write_candles(db, empty, "test") == Merged(0, 0, 0)


def test_a_range_holds_its_start_and_not_its_end(db, bars):
    market.write_candles(db, bars(range(10)), "test")
    found = market.read_candles(db, "BTCUSDT", M1, minute(3), minute(6))

    assert found["open_time"].to_list() == [minute(3), minute(4), minute(5)]


def test_writing_twice_changes_no_row(db, bars):
    state = "SELECT xmin::text, ctid::text, * FROM market_ohlc ORDER BY open_time"
    first = market.write_candles(db, bars(range(100)), "one")
    before = db.execute(state).fetchall()
    second = market.write_candles(db, bars(range(100)), "another file")

    assert (first, second) == (Merged(100, 0, 0), Merged(0, 0, 100))
    assert db.execute(state).fetchall() == before


def test_a_corrected_candle_replaces_the_stored_one(db, bars):
    market.write_candles(db, bars(range(5)), "one")
    corrected = bars([2], price=200.0)
    done = market.write_candles(db, corrected, "two")

    assert done == Merged(0, 1, 0)
    assert market.read_candles(db, "BTCUSDT", M1, minute(2), minute(3)).equals(corrected)


def test_timeframes_and_pairs_do_not_mix(db, bars):
    market.write_candles(db, bars(range(5)), "test")
    market.write_candles(db, bars(range(3), timeframe=Timeframe.H1), "test")
    market.write_candles(db, bars(range(2), pair="ETHUSDT"), "test")

    assert market.read_candles(db, "BTCUSDT", M1, T0, FAR).height == 5
    assert market.read_candles(db, "BTCUSDT", Timeframe.H1, T0, FAR).height == 3
    assert market.read_candles(db, "ETHUSDT", M1, T0, FAR).height == 2


def test_invalid_candles_are_not_stored(db, bars):
    with pytest.raises(DataError):
        market.write_candles(db, bars([2, 1]), "test")


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_a_bar_that_is_still_open_is_never_returned(db, bars, timeframe):
    market.write_candles(db, bars(range(10), timeframe=timeframe), "test")
    step = timeframe.duration
    instant = timedelta(microseconds=1)
    cases = {
        T0 + 5 * step - instant: [2, 3],  # bar 4 closes one microsecond later
        T0 + 5 * step: [3, 4],
        T0 + 6 * step - instant: [3, 4],
        T0 + step: [0],
        T0 + step - instant: [],
        FAR: [8, 9],
    }
    found = {
        as_of: market.closed_candles(db, "BTCUSDT", timeframe, as_of, 2)["open_time"].to_list()
        for as_of in cases
    }

    assert found == {as_of: [T0 + n * step for n in numbers] for as_of, numbers in cases.items()}


def test_trades_survive_the_store(db, ticks):
    written = ticks([0, 0, 1, 65])
    first = market.write_trades(db, written, "test")
    second = market.write_trades(db, written, "test")

    assert market.read_trades(db, "BTCUSDT", T0, FAR).equals(written)
    assert (first, second) == (Merged(4, 0, 0), Merged(0, 0, 4))
    assert market.read_trades(db, "BTCUSDT", T0, minute(1)).height == 3


class TestGapLedger:
    def test_holes_between_candles_are_recorded(self, db, bars):
        market.write_candles(db, bars([0, 1, 5, 6, 8]), "test")

        assert market.gaps(db, "BTCUSDT", M1) == [gap(2, 5), gap(7, 8)]

    def test_filling_a_hole_closes_its_row(self, db, bars):
        market.write_candles(db, bars([0, 5]), "test")
        market.write_candles(db, bars([1, 2, 3, 4]), "test")

        assert market.gaps(db, "BTCUSDT", M1) == []

    def test_filling_a_part_shrinks_or_splits_it(self, db, bars):
        market.write_candles(db, bars([0, 10]), "test")
        market.write_candles(db, bars([4, 5]), "test")

        assert market.gaps(db, "BTCUSDT", M1) == [gap(1, 4), gap(6, 10)]

    def test_the_hole_between_two_files_is_recorded_whichever_comes_first(self, db, bars):
        market.write_candles(db, bars([20, 21]), "later")
        market.write_candles(db, bars([0, 1]), "earlier")

        assert market.gaps(db, "BTCUSDT", M1) == [gap(2, 20)]

    def test_a_known_cause_is_kept_by_a_file_that_knows_less(self, db, bars):
        market.write_candles(db, bars([0, 5]), "trades", cause="no_trade")
        market.write_candles(db, bars([0, 5, 9]), "candles")

        assert market.gaps(db, "BTCUSDT", M1) == [gap(1, 5, "no_trade"), gap(6, 9)]

    def test_a_file_that_knows_the_cause_corrects_it_within_its_span(self, db, bars):
        market.write_candles(db, bars([0, 5, 6, 20]), "candles")
        market.write_candles(db, bars([5, 6, 10]), "trades", cause="no_trade")

        assert market.gaps(db, "BTCUSDT", M1) == [
            gap(1, 5), gap(7, 10, "no_trade"), gap(11, 20)
        ]  # fmt: skip

    def test_a_lost_socket_stays_the_cause_of_what_is_still_missing(self, db, bars):
        market.write_candles(db, bars([0, 30]), "test")
        market.record_gaps(
            db, "BTCUSDT", M1, [Gap(minute(1), minute(30), 29)], "socket_lost", "run-1"
        )
        market.write_candles(db, bars(range(10, 20)), "test")

        assert market.gaps(db, "BTCUSDT", M1) == [
            gap(1, 10, "socket_lost"), gap(20, 30, "socket_lost")
        ]  # fmt: skip

    def test_writing_twice_changes_no_row_of_the_ledger(self, db, bars):
        state = "SELECT xmin::text, ctid::text, * FROM gap_ledger ORDER BY gap_start"
        market.write_candles(db, bars([0, 3, 9]), "one", cause="no_trade", run_id="run-1")
        before = db.execute(state).fetchall()
        market.write_candles(db, bars([0, 3, 9]), "one", cause="no_trade", run_id="run-2")

        assert db.execute(state).fetchall() == before

    def test_the_ledger_equals_brute_force_after_writes_in_any_order(self, db, bars):
        held: set[int] = set()
        for part in ([50, 51, 58], [3, 9, 10], [52, 53, 80], [11, 12, 49], [3, 4], [0], [60, 57]):
            market.write_candles(db, bars(sorted(part)), "test")
            held |= set(part)
        missing = [n for n in range(min(held), max(held)) if n not in held]
        runs = [n for n in missing if n - 1 not in missing]
        found = market.gaps(db, "BTCUSDT", M1)

        assert [row.start for row in found] == [minute(n) for n in runs]
        assert sum(row.missing for row in found) == len(missing)

    def test_other_pairs_and_timeframes_are_left_alone(self, db, bars):
        market.write_candles(db, bars([0, 5]), "test")
        market.write_candles(db, bars([0, 5], pair="ETHUSDT"), "test")
        market.write_candles(db, bars([0, 5], timeframe=Timeframe.H1), "test")
        market.write_candles(db, bars([1, 2, 3, 4]), "test")

        assert [row.missing for row in market.gaps(db, "ETHUSDT", M1)] == [4]
        assert [row.missing for row in market.gaps(db, "BTCUSDT", Timeframe.H1)] == [4]


def test_coverage_has_a_row_for_each_pair_and_timeframe(db, bars):
    market.write_candles(db, bars([0, 1, 5, 6, 8]), "b.csv")
    market.write_candles(db, bars([9]), "a.csv")
    market.write_candles(db, bars([0, 2], timeframe=Timeframe.M15), "c.csv")

    assert market.coverage(db) == [
        Coverage("BTCUSDT", "1m", "a.csv, b.csv", T0, minute(9), 6, 2, 4),
        Coverage("BTCUSDT", "15m", "c.csv", T0, minute(30), 2, 1, 1),
    ]


def test_only_simulated_candles_may_be_forgotten(db, bars):
    market.write_candles(db, bars([0, 1, 5], pair="SIMBTCUSDT"), "seed=1")
    market.write_candles(db, bars([7], pair="SIMBTCUSDT"), "seed=2")
    removed = market.forget_other_sources(db, "SIMBTCUSDT", "seed=2")

    assert removed == 3
    assert market.gaps(db, "SIMBTCUSDT", M1) == []
    assert market.read_candles(db, "SIMBTCUSDT", M1, T0, FAR).height == 1
    with pytest.raises(SafetyError, match="BTCUSDT is a real market"):
        market.forget_other_sources(db, "BTCUSDT", "seed=2")


def test_the_port_reads_the_store(database, bars):
    with database.connection() as conn:
        market.write_candles(conn, bars(range(5)), "test")
    stored = StoredMarket(database)

    assert stored.closed_candles("BTCUSDT", M1, minute(4), 2)["open_time"][-1] == minute(3)
    assert stored.rules("XRPETH").tradable is False
    with pytest.raises(NotFoundError):
        stored.rules("NOPE")


def test_a_database_that_is_away_is_a_dependency_error():
    with Database("postgresql://u:secret@127.0.0.1:9/x", application="helios-test") as database:
        stored = StoredMarket(database)

        with pytest.raises(DependencyError, match=r"127\.0\.0\.1:9/x") as error:
            stored.rules("BTCUSDT")
    assert "secret" not in str(error.value)

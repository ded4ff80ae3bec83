"""What a refresh does while a job of the server refreshes the same rollup."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg.errors import LockNotAvailable

from helios_core.store.database import query
from helios_core.store.rollups import ROLLUPS, TRIES, refresh_rollups

T0 = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 1, 1, 6, 7, tzinfo=UTC)


class Server:
    """A database with all rollups, whose first refreshes are refused."""

    def __init__(self, refusals=0, stored=ROLLUPS):
        self.refusals, self.stored = refusals, stored
        self.refreshed, self.pauses = [], 0

    def autocommit(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def execute(self, statement, params=None):
        if statement == query("rollup_refresh"):
            if self.refusals:
                self.refusals -= 1
                raise LockNotAvailable
            self.refreshed.append((params["view"], params["start"], params["end"]))
        elif statement == query("rollups_stored"):
            return [(name,) for name in self.stored]
        elif statement == query("rollups_server"):
            return self
        else:
            self.pauses += 1
        return None

    def fetchone(self):
        return bool(self.stored), NOW, "0"


def test_each_rollup_follows_the_one_that_it_is_computed_from():
    server = Server()

    assert refresh_rollups(server, T0, T0) == ROLLUPS
    assert [view for view, _, _ in server.refreshed] == [f"helios.{name}" for name in ROLLUPS]


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        (0, 0, (0, 15)),
        (14, 15, (0, 30)),
        (61, 359, (60, 345)),  # the server's time is minute 367: the newest two bars are left out
    ],
)
def test_whole_bars_of_fifteen_minutes_are_refreshed_but_not_the_newest(first, last, span):
    server = Server()
    refresh_rollups(server, T0 + timedelta(minutes=first), T0 + timedelta(minutes=last))

    assert {(start, end) for _, start, end in server.refreshed} == {
        (T0 + timedelta(minutes=span[0]), T0 + timedelta(minutes=span[1]))
    }


def test_rows_of_the_newest_bars_alone_refresh_nothing():
    server = Server()

    assert refresh_rollups(server, NOW - timedelta(minutes=20), NOW) == ()
    assert server.refreshed == []


def test_a_refused_refresh_is_tried_again():
    server = Server(refusals=2)

    assert refresh_rollups(server, T0, T0) == ROLLUPS
    assert server.pauses == 2


def test_a_rollup_that_stays_busy_is_left_to_the_job_that_holds_it():
    server = Server(refusals=TRIES)

    assert refresh_rollups(server, T0, T0) == ROLLUPS[1:]


def test_a_role_that_owns_no_rollup_refreshes_none():
    assert refresh_rollups(Server(stored=()), T0, T0) == ()

"""The three views, on cases worked by hand."""

from datetime import timedelta
from decimal import Decimal

import pytest

pytestmark = pytest.mark.db


def test_active_positions_are_marked_at_the_newest_one_minute_close(registered, make):
    """2 BTC bought at 100, last close 110: worth 220, 20 gained. A closed one is not shown."""
    conn = registered
    conn.execute(
        "INSERT INTO positions (mode, book, pair, quantity, average_price, opened_at, closed_at)"
        " VALUES ('paper', 'main', 'BTCZAR', 2, 100, %(at)s, NULL),"
        " ('paper', 'main', 'ETHZAR', 0, 100, %(at)s, %(at)s)",
        {"at": make.at},
    )
    for minutes, timeframe, close in ((0, "1m", 105), (1, "1m", 110), (2, "5m", 999)):
        conn.execute(
            "INSERT INTO market_ohlc VALUES ('BTCZAR', %s, %s, 100, 1000, 90, %s, 1, 'test')",
            (timeframe, make.at + timedelta(minutes=minutes), close),
        )
    found = conn.execute(
        "SELECT pair, quantity, mark, marked_at, value, unrealised FROM v_active_positions"
    ).fetchall()

    assert found == [("BTCZAR", 2, 110, make.at + timedelta(minutes=1), 220, 20)]


def test_a_position_without_a_candle_has_no_value_instead_of_zero(registered, make):
    registered.execute(
        "INSERT INTO positions (mode, book, pair, quantity, average_price, opened_at)"
        " VALUES ('paper', 'main', 'ETHZAR', 1, 10, %s)",
        (make.at,),
    )

    assert registered.execute("SELECT mark, value FROM v_active_positions").fetchall() == [
        (None, None)
    ]


def test_performance_takes_the_last_equity_of_each_day(registered, make):
    """Days end at 100, 110, 99: returns 0.1 and -0.1; below the peak of 110 by a tenth."""
    for days, hours, equity in ((0, 0, 90), (0, 5, 100), (1, 0, 110), (2, 0, 120), (2, 1, 99)):
        registered.execute(
            "INSERT INTO portfolio_snapshots VALUES"
            " ('paper', 'main', %s, 'd', 'ZAR', %s, 0, 0, '{}', NULL)",
            (make.at + timedelta(days=days, hours=hours), equity),
        )
    found = registered.execute(
        "SELECT equity, daily_return, drawdown FROM v_portfolio_performance ORDER BY day"
    ).fetchall()

    assert [row[0] for row in found] == [100, 110, 99]
    assert found[0][1] is None
    assert [row[1] for row in found[1:]] == [Decimal("0.1"), Decimal("-0.1")]
    assert [row[2] for row in found] == [0, 0, Decimal("-0.1")]


def test_accuracy_is_worked_by_hand(registered, make):
    """Three scored rows and one open.

    Truths +1, -1, 0 with (sell, hold, buy, hit): (.1 .2 .7 .8), (.2 .2 .6 .8), (.3 .4 .3 .6).
    Direction: one of two right. Hit error: (.2 + .2 + .6) / 3. Brier: (.01+.04+.09) = .14,
    (.64+.04+.36) = 1.04, (.09+.36+.09) = .54; mean 1.72 / 3.
    """
    scored = [
        (0.1, 0.2, 0.7, 0.8, 1),
        (0.2, 0.2, 0.6, 0.8, -1),
        (0.3, 0.4, 0.3, 0.6, 0),
        (0.9, 0.1, 0.0, 0.9, None),
    ]
    for minutes, (sell, hold, buy, hit, truth) in enumerate(scored):
        registered.execute(
            "INSERT INTO ml_predictions (pair, timeframe, model_id, horizon, ts, p_sell, p_hold,"
            " p_buy, p_hit, p_up, barrier_up, barrier_down, y_true)"
            " VALUES ('BTCZAR', '1m', 'net-v1', 60, %s, %s, %s, %s, %s, 0.5, 0.01, 0.01, %s)",
            (make.at + timedelta(minutes=minutes), sell, hold, buy, hit, truth),
        )
    found = registered.execute(
        "SELECT scored, direction_hit_rate, hit_mean_absolute_error, brier FROM v_ml_accuracy"
    ).fetchone()

    assert found[0] == 3
    assert float(found[1]) == 0.5
    assert found[2] == pytest.approx(1.0 / 3)
    assert found[3] == pytest.approx(1.72 / 3)

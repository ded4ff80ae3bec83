from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import polars as pl
import pytest

from helios_core.domain.decisions import (
    CycleRecord,
    Decision,
    RiskDecision,
    Signal,
    Stage,
    StrategicView,
    TargetPortfolio,
)
from helios_core.domain.market import PairRules
from helios_core.domain.runs import Check, Verdict
from helios_core.domain.trading import Fill, Mode, Order, Side, Skip
from helios_core.execution.config import ExecutionConfig
from helios_core.workbench import tables

AT = datetime(2025, 1, 31, 12, tzinfo=UTC)
PAIRS = ("BTCZAR", "ETHZAR")


def signal(pair, **changes):
    known = Signal(pair, AT, 0.1, 0.2, 0.7, 0.8, 0.875, 60, 0.02, 0.0125, "net-v1")
    return replace(known, **changes)


def risk(pair, **changes):
    known = RiskDecision(
        pair=pair,
        as_of=AT,
        sigma=0.00123,
        sigma_horizon=0.0085,
        volatility_method="garch",
        expected_return=0.012,
        kelly_raw=1.5,
        kelly_shrunk=0.4,
        stages=(Stage("kelly", 1.5, 0.4, "shrunk"), Stage("cap", 0.4, 0.25)),
        leverage=1.0,
        leverage_caps=(("venue", 1.0),),
        binding="cap",
        size=0.25,
        vetoed=False,
        note="fitted",
    )
    return replace(known, **changes)


def order(leg, pair, side):
    return Order(
        client_order_id=f"h-{leg}", decision_id="d", leg=leg, pair=pair, side=side, kind="MARKET",
        quantity=Decimal("0.015"), price=None, reference_price=Decimal(100), created_at=AT,
    )  # fmt: skip


FILL = Fill("e1", "h-0", "BTCZAR", Side.BUY, AT, Decimal("101.5"), Decimal("0.015"),
            Decimal("0.0053"), "ZAR", "taker")  # fmt: skip
TARGET = TargetPortfolio(
    AT, PAIRS, (0.05, 0.0), (0.25, -0.1), "mean_variance", "optimal",
    (
        ("BTCZAR", Stage("cap", 0.4, 0.25)),
        ("BTCZAR", Stage("band", 0.25, 0.25)),
        ("BTCZAR", Stage("rounding", 0.3, 0.2999)),
    ),
)  # fmt: skip
DECISION = Decision(
    decision_id="d",
    as_of=AT,
    mode=Mode.PAPER,
    book="main",
    model_id="net-v1",
    forced=False,
    signals=(signal("BTCZAR"), signal("ETHZAR", model_id=None, reason="no model: flat")),
    view=StrategicView(AT, "unknown", 1.0, (), False, True, "no key", "none", "", AT),
    risks=(risk("BTCZAR"), risk("ETHZAR", stages=(), size=0.0, binding="signal", note="")),
    target=TARGET,
    orders=(order(0, "BTCZAR", Side.BUY), order(1, "ETHZAR", Side.SELL)),
    skips=(Skip("ETHZAR", "NO_EDGE", "size 0.0000 after kelly"),),
    policy_hash="p",
    feature_set="f",
    data_as_of=AT,
)
EMPTY = replace(
    DECISION, signals=(), risks=(), orders=(), skips=(),
    target=TargetPortfolio(AT, (), (), (), "flat", "none", ()),
)  # fmt: skip


def rows(shown):
    return shown.frame.rows()


def test_a_table_has_a_row_for_each_mapping_in_the_order_of_the_columns():
    shown = tables.table([{"b": "2", "a": "1", "c": "x"}, {"a": "3", "b": "4"}], ("a", "b"))

    assert shown.frame.columns == ["a", "b"]
    assert rows(shown) == [("1", "2"), ("3", "4")]


def test_a_table_without_rows_keeps_its_columns():
    shown = tables.table([], ("pair", "why"))

    assert shown.frame.columns == ["pair", "why"]
    assert rows(shown) == []
    assert "pair" in repr(shown)
    assert "why" in shown._repr_html_()


def test_a_table_is_displayed_whole_and_leaves_the_settings_of_polars_alone():
    long = [{"n": str(n), "text": f"{n:03d}" + "x" * 100} for n in range(60)]
    before = pl.Config.save()
    shown = tables.table(long, ("n", "text"))

    assert all(row["text"] in repr(shown) for row in long)
    assert all(row["text"] in shown._repr_html_() for row in long)
    assert pl.Config.save() == before


def test_html_of_a_table_is_escaped():
    shown = tables.table([{"why": "<script>alert(1)</script>"}], ("why",))

    assert "<script>" not in shown._repr_html_()


def test_what_is_stored_of_the_wanted_pairs_only():
    held = [
        SimpleNamespace(
            pair=pair, timeframe="1m", source="valr", first=AT, last=AT + timedelta(hours=1),
            rows=59, gaps=1, missing=2,
        )
        for pair in (*PAIRS, "XRPZAR")
    ]  # fmt: skip
    shown = tables.stored(held, PAIRS)

    assert rows(shown) == [
        (pair, "1m", "valr", "2025-01-31 12:00Z", "2025-01-31 13:00Z", "59", "1", "2")
        for pair in PAIRS
    ]


def test_a_signal_shows_its_model_and_an_abstention_its_reason():
    assert rows(tables.signals(DECISION)) == [
        ("BTCZAR", "0.700", "0.200", "0.100", "200.0", "125.0", "model net-v1"),
        ("ETHZAR", "0.700", "0.200", "0.100", "200.0", "125.0", "no model: flat"),
    ]


def test_every_stage_of_sizing_is_a_row_in_percent_of_equity():
    assert rows(tables.sizing(DECISION)) == [
        ("BTCZAR", "kelly", "150.000", "40.000", "shrunk"),
        ("BTCZAR", "cap", "40.000", "25.000", ""),
    ]


def test_volatility_is_in_basis_points():
    assert rows(tables.volatility(DECISION)) == [
        ("BTCZAR", "12.300", "85.0", "garch", "cap", "25.000", "fitted"),
        ("ETHZAR", "12.300", "85.0", "garch", "signal", "0.000", ""),
    ]


def test_weights_name_the_stages_that_changed_them_and_no_others():
    assert rows(tables.weights(DECISION)) == [
        ("BTCZAR", "5.000", "25.000", "cap 0.4000 to 0.2500; rounding 0.3000 to 0.2999"),
        ("ETHZAR", "0.000", "-10.000", ""),
    ]


def test_an_order_shows_its_fill_or_that_it_has_none():
    record = CycleRecord(DECISION, "r1", (FILL,), 100_000.0, 99_999.0, replayed=False)

    assert rows(tables.orders(record)) == [
        ("h-0", "BTCZAR", "BUY", "0.015", "101.5", "0.0053 ZAR", "filled"),
        ("h-1", "ETHZAR", "SELL", "0.015", "-", "-", "not filled"),
    ]


def test_a_trade_that_was_not_made_says_why():
    assert rows(tables.left_alone(DECISION.skips)) == [
        ("ETHZAR", "NO_EDGE", "size 0.0000 after kelly")
    ]


def test_a_check_is_passed_or_refused():
    verdict = Verdict("m", (Check("auc", True, "> 0.5", "0.6"), Check("cost", False, "> 0", "-1")))

    assert rows(tables.checks(verdict)) == [
        ("auc", "passed", "> 0.5", "0.6"),
        ("cost", "REFUSED", "> 0", "-1"),
    ]


def test_the_model_stands_above_its_baselines():
    def score(number):
        return SimpleNamespace(
            log_loss=number, hit_auc=0.6, direction_auc=0.51, direction_low=0.482,
            direction_high=0.538, accuracy=0.4,
        )  # fmt: skip

    report = SimpleNamespace(model=score(0.91), baselines={"volatility": score(0.92)})

    assert rows(tables.scores(report)) == [
        ("HeliosNet", "0.9100", "0.600", "0.510", "0.482 to 0.538", "0.400"),
        ("volatility", "0.9200", "0.600", "0.510", "0.482 to 0.538", "0.400"),
    ]


def test_a_ratio_that_could_not_be_computed_is_not_shown_as_zero():
    ours = SimpleNamespace(
        total_return=0.0, annual_volatility=0.0, sharpe=float("nan"), max_drawdown=0.0,
        turnover=0.0, fees=12.5, fills=3, hit_rate=float("nan"),
    )  # fmt: skip
    theirs = SimpleNamespace(**{**vars(ours), "total_return": -0.0245})
    shown = rows(
        tables.performance(SimpleNamespace(performance=ours, benchmark_performance=theirs))
    )

    assert ("total return %", "0.000", "-2.450") in shown
    assert ("Sharpe ratio", "-", "-") in shown
    assert ("share of winning trips %", "-", "-") in shown
    assert ("fills", "3", "3") in shown
    assert ("fees", "12.500", "12.500") in shown


def test_reasons_are_counted_most_frequent_first():
    skips = [(AT, Skip("A", "NO_EDGE", "x")), (AT, Skip("B", "STALE", "y"))] + [
        (AT, Skip("B", "NO_EDGE", f"size {n}")) for n in range(3)
    ]

    assert rows(tables.reasons(SimpleNamespace(skips=skips))) == [
        ("B", "NO_EDGE", "3"),
        ("A", "NO_EDGE", "1"),
        ("B", "STALE", "1"),
    ]


def test_a_day_shows_its_counts():
    done = SimpleNamespace(
        decisions=3, cycles=2, orders=4, fills=1, failed_runs=0, verdict=None, skips=()
    )

    assert [count for _, count in rows(tables.day(done))] == ["3", "2", "4", "1", "0", "-"]


def test_a_round_trip_costs_twice_fee_half_spread_and_slippage():
    rule = PairRules(
        pair="BTCZAR", base="BTC", quote="ZAR", tick_size=Decimal(1), base_decimals=8,
        min_quantity=Decimal("0.0001"), min_notional=Decimal(10), simulated=False,
    )  # fmt: skip
    config = ExecutionConfig(taker_fee_fiat=0.0035, half_spread_bps=2.0, slippage_bps=3.0)

    assert rows(tables.rules(SimpleNamespace(rules=(rule,)), config)) == [
        ("BTCZAR", "1", "0.0001", "10 ZAR", "80.0")  # 2 (35 + 2 + 3)
    ]


EMPTY_REPLAY = SimpleNamespace(skips=())
EMPTY_RECORD = CycleRecord(EMPTY, "r1", (), 1.0, 1.0, replayed=False)


@pytest.mark.parametrize(
    ("shown", "first", "width"),
    [
        (tables.stored([], PAIRS), "pair", 8),
        (tables.signals(EMPTY), "pair", 7),
        (tables.sizing(EMPTY), "pair", 5),
        (tables.volatility(EMPTY), "pair", 7),
        (tables.weights(EMPTY), "pair", 4),
        (tables.orders(EMPTY_RECORD), "order", 7),
        (tables.left_alone(()), "pair", 3),
        (tables.checks(Verdict("m", ())), "check", 4),
        (tables.reasons(EMPTY_REPLAY), "pair", 3),
        (tables.rules(SimpleNamespace(rules=()), ExecutionConfig()), "pair", 5),
    ],
)
def test_nothing_to_show_still_has_its_columns(shown, first, width):
    assert rows(shown) == []
    assert (shown.frame.columns[0], shown.frame.width) == (first, width)

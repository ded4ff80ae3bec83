"""Figures: every axis is named, nothing is cut off, what is drawn is what was given."""

import math
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from matplotlib.dates import date2num

from helios_core.backtest.performance import max_drawdown, performance
from helios_core.domain.decisions import (
    CycleRecord,
    Decision,
    RiskDecision,
    SignalFrame,
    Stage,
    StrategicView,
    TargetPortfolio,
    Tilt,
)
from helios_core.domain.market import UTC_MICROSECONDS, FeatureFrame, Gap, Timeframe
from helios_core.domain.runs import Check, Verdict
from helios_core.domain.trading import Fill, Mode, Order, OrderState, Side, Skip
from helios_core.errors import UsageError
from helios_core.network.evaluation import Score
from helios_core.network.metrics import Bin
from helios_core.simulator.generator import generate_market
from helios_core.workbench import plots
from helios_core.workbench.plots.curves import underwater
from helios_core.workbench.plots.features import pairwise_correlation
from helios_core.workbench.plots.style import times

T0 = datetime(2025, 1, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
BARS = 600
PRICES = {"SIMBTCZAR": 1_200_000.0, "SIMETHZAR": 40_000.0}
MARKET = generate_market(PRICES, T0, BARS, 11)
CANDLES = MARKET["SIMBTCZAR"]
END = T0 + BARS * MINUTE
RNG = np.random.default_rng(5)
NAN = math.nan
ROOM = 0.02  # inches, less than a line is wide


@dataclass(frozen=True)
class Stored:
    pair: str
    timeframe: str
    first: datetime
    last: datetime


def fill(side, at, price, pair="SIMBTCZAR"):
    return Fill(
        f"{at:%H%M}", "c1", pair, side, at, Decimal(str(price)), Decimal("0.01"), Decimal(1),
        "ZAR", "taker",
    )  # fmt: skip


def features(values):
    return FeatureFrame(
        pair="BTCUSDT",
        timeframe=Timeframe.M1,
        open_time=np.datetime64("2025-01-01", "us")
        + np.arange(len(values)) * np.timedelta64(1, "m"),
        values=values.astype(np.float32),
        names=tuple(f"momentum_oscillator_{i:02d}" for i in range(values.shape[1])),
        feature_set="ab" * 32,
    )


def signals(buy, sell):
    n = len(buy)
    return SignalFrame(
        pair="SIMBTCZAR",
        as_of=np.datetime64("2025-01-01", "us") + np.arange(1, n + 1) * np.timedelta64(1, "m"),
        p_sell=sell, p_hold=1 - buy - sell, p_buy=buy, p_hit=buy + sell, p_up=buy / (buy + sell),
        barrier_up=np.full(n, 0.02), barrier_down=np.full(n, 0.02), horizon=60,
        model_id="heliosnet-0a1b2c3d4e5f",
    )  # fmt: skip


def score(log_loss, area, low, high):
    return Score(0.6, area, low, high, log_loss, 0.2, 0.01, 0.02, 0.4)


def epoch(number, train, validation):
    return SimpleNamespace(
        number=number, of=8, train_loss=train, validation_loss=validation, best=validation
    )


BUY = np.concatenate([np.full(100, NAN), RNG.uniform(0.1, 0.4, BARS - 100)])
SELL = np.concatenate([np.full(100, NAN), RNG.uniform(0.1, 0.4, BARS - 100)])
VALUES = RNG.normal(size=(400, 90))
VALUES[:, 70:] = NAN
SHARE = np.isfinite(VALUES).mean(axis=0)
SIGMA = np.concatenate([np.full(50, NAN), RNG.uniform(4e-4, 9e-4, BARS - 50)])
METHOD = np.array(["none"] * 50 + ["rolling"] * 100 + ["ewma"] * 150 + ["garch"] * 300)
BINS = tuple(Bin(x, x + 0.02, 40) for x in np.linspace(0.3, 0.7, 15))
CHECKS = tuple(
    Check(f"check_number_{i}", i % 2 == 0, "needs " * 20, "found " * 20) for i in range(13)
)
SKIPS = tuple(Skip("SIMETHZAR", "NOTIONAL_BELOW_MINIMUM", "9.20 ZAR " * 30) for _ in range(7))
STAGES = (
    Stage("kelly", 8.0, 1.6, "edge 0.002, standard error 0.001 " * 4),
    Stage("direction", 1.6, 1.6),
    Stage("volatility_target", 1.6, 0.25, "20 % a year allows 0.25"),
    Stage("hard_limits", 0.25, 0.25),
)
RISK = RiskDecision(
    pair="SIMBTCZAR", as_of=END, sigma=5e-4, sigma_horizon=4e-3, volatility_method="garch",
    expected_return=0.004, kelly_raw=8.0, kelly_shrunk=1.6, stages=STAGES, leverage=0.25,
    leverage_caps=(("kelly", 1.6), ("volatility_target", 0.25), ("policy", 3.0)),
    binding="volatility_target", size=0.25, vetoed=False,
)  # fmt: skip
VIEW = StrategicView(
    END, "risk_off", 0.55, (Tilt("BTCZAR", 30, 0.2), Tilt("ETHZAR", -30, 0.1)), True, False,
    "Funding is stretched and breadth fell. " * 8, "claude", "ab", END + 4 * timedelta(hours=1),
)  # fmt: skip
TARGET = TargetPortfolio(
    END, tuple(PRICES), (0.10, 0.0), (0.25, 0.12), "mean_variance", "optimal " * 20,
    (("SIMBTCZAR", Stage("optimizer", 0.3, 0.25)), ("SIMETHZAR", Stage("optimizer", 0.2, 0.12))),
)  # fmt: skip
NOTHING = replace(TARGET, pairs=(), current=(), weights=(), stages=())
ORDER = Order(
    "h-1", "d", 0, "SIMBTCZAR", Side.BUY, "LIMIT", Decimal("0.01230000"), Decimal("1203000"),
    Decimal("1202500"), END, state=OrderState.FILLED,
)  # fmt: skip
DECISION = Decision(
    "ab" * 8, END, Mode.PAPER, "main", "net-1", False, (), VIEW, (RISK,), TARGET, (ORDER,), SKIPS,
    "hash", "set", END,
)  # fmt: skip
RECORD = CycleRecord(DECISION, "run-1", (fill(Side.BUY, END, 1_203_000),), 1e5, 1e5, replayed=False)
IDLE = replace(RECORD, fills=(), decision=replace(DECISION, orders=(), target=NOTHING))
EQUITY = 1e5 * np.cumprod(1 + RNG.normal(0, 0.002, 48))
BOOK = pl.DataFrame(
    {"ts": [T0 + timedelta(hours=i) for i in range(48)], "equity": EQUITY},
    schema={"ts": UTC_MICROSECONDS, "equity": pl.Float64},
)


def backtest():
    from helios_core.backtest.replay import BacktestResult

    other = EQUITY[::-1].copy()
    step = timedelta(hours=1)
    return BacktestResult(
        at=tuple(BOOK["ts"]), equity=EQUITY, benchmark=other, records=(RECORD,),
        missed=(T0 + timedelta(hours=5),), performance=performance(EQUITY, step, ()),
        benchmark_performance=performance(other, step, ()),
    )  # fmt: skip


def known():
    from helios_core.forecast import Policy, forecast

    policy = Policy(quote="ZAR", horizon=60, history=BARS, window=100)
    return forecast({"SIMBTCZAR": CANDLES}, {}, None, policy).pairs[0]


STORED = [Stored("BTCUSDT", "1m", T0, T0 + 30 * DAY), Stored("BTCUSDT", "5m", T0, T0 + 9 * DAY)]
GAPS = {"BTCUSDT": [Gap(T0 + 3 * DAY, T0 + 3 * DAY + MINUTE, 1)]}

DRAWN = {
    "candles": lambda: plots.candles(CANDLES, fills=[fill(Side.BUY, END - MINUTE, 1_200_000)]),
    "one candle": lambda: plots.candles(CANDLES.head(1)),
    "coverage_map": lambda: plots.coverage_map(STORED, GAPS),
    "feature_coverage": lambda: plots.feature_coverage(
        features(VALUES).names, SHARE, ["price"] * 40 + ["trend"] * 30 + ["order book"] * 20
    ),
    "coverage_of": lambda: plots.coverage_of(features(VALUES)),
    "correlation": lambda: plots.correlation(features(VALUES)),
    "distributions": lambda: plots.distributions(features(VALUES)),
    "loss_curves": lambda: plots.loss_curves([epoch(1, 2.2, 1.1), epoch(2, 2.0, NAN)]),
    "reliability": lambda: plots.reliability({"hit": BINS, "direction": BINS[:1]}),
    "baseline_bars": lambda: plots.baseline_bars(
        score(0.98, 0.52, 0.50, 0.54), {"volatility": score(0.99, NAN, NAN, NAN)}
    ),
    "gate": lambda: plots.gate(Verdict("heliosnet-" + "a" * 80, CHECKS)),
    "signal_strip": lambda: plots.signal_strip(signals(BUY, SELL), CANDLES),
    "volatility": lambda: plots.volatility(CANDLES["open_time"], SIGMA[: len(CANDLES)],
                                           SIGMA[: len(CANDLES)], METHOD[: len(CANDLES)]),
    "volatility_of": lambda: plots.volatility_of(known()),
    "sizing_waterfall": lambda: plots.sizing_waterfall(RISK),
    "limits": lambda: plots.limits(RISK),
    "view_dial": lambda: plots.view_dial(VIEW),
    "targets": lambda: plots.targets(TARGET),
    "orders": lambda: plots.orders(RECORD, MARKET),
    "equity": lambda: plots.equity(backtest()),
    "book_equity": lambda: plots.book_equity(BOOK),
    "book_equity of one cycle": lambda: plots.book_equity(BOOK.head(1)),
}  # fmt: skip

EMPTY = {
    "candles": lambda: plots.candles(CANDLES.clear()),
    "coverage_map": lambda: plots.coverage_map([], {}),
    "feature_coverage": lambda: plots.feature_coverage([], [], []),
    "correlation": lambda: plots.correlation(features(np.full((5, 4), NAN))),
    "distributions": lambda: plots.distributions(features(np.full((5, 4), NAN))),
    "loss_curves": lambda: plots.loss_curves([]),
    "loss_curves without an end": lambda: plots.loss_curves([epoch(1, NAN, NAN)]),
    "reliability": lambda: plots.reliability({}),
    "gate": lambda: plots.gate(Verdict("m", ())),
    "signal_strip without candles": lambda: plots.signal_strip(signals(BUY, SELL), CANDLES.clear()),
    "signal_strip without signals": lambda: plots.signal_strip(
        signals(BUY * NAN, SELL * NAN), CANDLES
    ),
    "volatility": lambda: plots.volatility([], np.array([])),
    "volatility unknown": lambda: plots.volatility([T0], np.array([NAN])),
    "limits": lambda: plots.limits(replace(RISK, leverage_caps=())),
    "sizing_waterfall": lambda: plots.sizing_waterfall(replace(RISK, stages=())),
    "targets": lambda: plots.targets(NOTHING),
    "orders": lambda: plots.orders(IDLE, {}),
    "orders without candles": lambda: plots.orders(RECORD, {}),
    "book_equity": lambda: plots.book_equity(BOOK.clear()),
}


def words(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def line(ax, name):
    return next(found for found in ax.lines if str(found.get_label()).startswith(name))


@pytest.mark.parametrize("name", [*DRAWN, *(f"{name}, empty" for name in EMPTY)])
def test_every_axis_is_named_and_nothing_is_cut_off(name):
    figure = (DRAWN | {f"{k}, empty": v for k, v in EMPTY.items()})[name]()
    figure.draw_without_rendering()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()

    assert figure.get_suptitle()
    assert drawn.x0 > -ROOM
    assert drawn.y0 > -ROOM
    assert drawn.x1 < width + ROOM
    assert drawn.y1 < height + ROOM
    for ax in figure.axes:
        if ax.axison and ax.get_label() != "<colorbar>":
            assert ax.get_ylabel()
            assert ax.get_xlabel() or ax.get_subplotspec().rowspan.stop < len(figure.axes)


@pytest.mark.parametrize("name", EMPTY)
def test_a_figure_without_data_says_so(name):
    assert any(text.startswith("no data") for text in words(EMPTY[name]()))


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_with_data_does_not_claim_to_have_none(name):
    assert not any(text.startswith("no data") for text in words(DRAWN[name]()))


def test_drawing_loads_neither_pyplot_nor_torch_nor_the_database():
    script = (
        "import sys, helios_core.workbench.plots;"
        "print([m for m in ('matplotlib.pyplot', 'torch', 'psycopg') if m in sys.modules])"
    )

    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_candles_span_low_to_high_and_open_to_close():
    shown = CANDLES.tail(50)
    wicks, bodies = plots.candles(CANDLES, bars=50).axes[0].collections
    low, high = np.array([path.vertices[:, 1] for path in wicks.get_paths()]).T
    body = np.array([path.vertices[:4, 1] for path in bodies.get_paths()])

    assert low.tolist() == shown["low"].to_list()
    assert high.tolist() == shown["high"].to_list()
    assert body[:, 0].tolist() == shown["open"].to_list()
    assert body[:, 2].tolist() == shown["close"].to_list()


def test_only_fills_of_the_pair_and_the_time_shown_are_marked():
    inside = END - 5 * MINUTE
    fills = [
        fill(Side.BUY, inside, 1_200_000),
        fill(Side.BUY, T0, 1_100_000),
        fill(Side.BUY, inside, 40_000, pair="SIMETHZAR"),
    ]
    marks = line(plots.candles(CANDLES, bars=50, fills=fills).axes[0], "buy filled")

    assert marks.get_ydata().tolist() == [1_200_000]
    assert marks.get_xdata().tolist() == [date2num(np.datetime64("2025-01-01T09:55"))]


def test_coverage_spans_the_last_bar_and_shows_even_one_missing_minute():
    stored, missing = plots.coverage_map(STORED, GAPS).axes[0].collections
    start, end = stored.get_paths()[0].get_extents().intervalx
    hole = missing.get_paths()[0].get_extents()

    assert end - start == pytest.approx((30 * DAY + MINUTE) / DAY, abs=1e-9)
    assert hole.x0 - start == pytest.approx(3.0)
    assert hole.width == pytest.approx(MINUTE / DAY, rel=1e-4)
    assert missing.get_linewidth()[0] > 0


def test_feature_coverage_draws_each_share():
    bars = DRAWN["feature_coverage"]().axes[0].patches

    assert [bar.get_height() for bar in bars] == SHARE.tolist()


def test_correlation_agrees_with_numpy_where_all_is_known():
    x = RNG.normal(size=(300, 6)) * [1, 2, 1, 1e3, 1, 1] + [0, 0, 50, 0, 0, 0]
    x[:, 1] += x[:, 0]

    assert pairwise_correlation(x) == pytest.approx(np.corrcoef(x.T), abs=1e-12)


def test_correlation_uses_the_rows_that_both_know():
    x = RNG.normal(size=(200, 5))
    x[RNG.random(x.shape) < 0.3] = NAN
    x[:, 4] = 7.0
    x[2:, 3] = NAN
    found = pairwise_correlation(x)
    both = np.isfinite(x[:, 0]) & np.isfinite(x[:, 1])

    assert found[0, 1] == pytest.approx(np.corrcoef(x[both, 0], x[both, 1])[0, 1], abs=1e-12)
    assert np.isnan(found[4]).all()
    assert np.isnan(found[3]).all()


def test_the_kept_epoch_is_the_one_of_lowest_validation_loss():
    history = [epoch(1, 2.2, 1.10), epoch(2, 2.1, 1.05), epoch(3, 2.0, NAN), epoch(4, 1.9, 1.06)]
    left, right = plots.loss_curves(history).axes

    assert left.lines[0].get_ydata().tolist() == [2.2, 2.1, 2.0, 1.9]
    assert line(right, "kept").get_ydata().tolist() == [1.05]
    assert line(right, "kept").get_xdata().tolist() == [2]


def test_a_baseline_without_direction_has_no_answer_instead_of_a_dot():
    figure = DRAWN["baseline_bars"]()

    assert words(figure).count("no answer") == 1
    assert [float(dot.get_xdata()[0]) for dot in figure.axes[0].lines] == [0.98, 0.99]


def test_a_gate_shows_every_check_by_shape_and_words():
    ax = DRAWN["gate"]().axes[0]

    assert [mark.get_marker() for mark in ax.lines] == ["o", "X"] * 6 + ["o"]
    assert "check number 12" in words(DRAWN["gate"]())


def test_signals_are_drawn_at_their_close_buy_up_and_sell_down():
    ax = DRAWN["signal_strip"]().axes[1]

    assert line(ax, "BUY").get_ydata() == pytest.approx(BUY, nan_ok=True)
    assert line(ax, "SELL").get_ydata() == pytest.approx(-SELL, nan_ok=True)
    assert line(ax, "BUY").get_xdata()[0] == date2num(np.datetime64("2025-01-01T00:01"))


def test_volatility_is_in_basis_points_and_methods_do_not_overlap():
    at = [T0 + i * MINUTE for i in range(BARS)]
    ax, strip = plots.volatility(at, SIGMA, None, METHOD).axes
    spans = [(span.get_x(), span.get_x() + span.get_width()) for span in strip.patches]

    assert line(ax, "forecast").get_ydata() == pytest.approx(SIGMA * 1e4, nan_ok=True)
    assert [end for _, end in spans[:-1]] == pytest.approx([start for start, _ in spans[1:]])
    assert len(spans) == 4


def test_realized_volatility_is_that_of_the_bars_after_the_forecast():
    found = known()
    ax = plots.volatility_of(found, ahead=30).axes[0]
    drawn = line(ax, "realized over the 30 bars after").get_ydata()
    after = [math.log(b / a) for a, b in zip(found.close[99:], found.close[100:], strict=False)]

    assert drawn[99] == pytest.approx(1e4 * math.sqrt(sum(r * r for r in after[:30]) / 30))
    assert np.isnan(drawn[-30:]).all()
    assert np.isfinite(drawn[:-30]).all()


def test_the_waterfall_draws_every_stage_before_and_after():
    ax = DRAWN["sizing_waterfall"]().axes[0]
    widths = [bar.get_width() for bar in ax.patches]

    assert widths[:4] == [8.0, 1.6, 1.6, 0.25]
    assert widths[4:8] == [1.6, 1.6, 0.25, 0.25]
    assert "longer bars run out" in ax.get_xlabel()


def test_targets_and_cash_add_up_to_equity():
    ax = DRAWN["targets"]().axes[0]
    now, wanted = (np.array([bar.get_width() for bar in group]) for group in ax.containers)

    assert now == pytest.approx([0.10, 0.0, 0.90])
    assert wanted == pytest.approx([0.25, 0.12, 0.63])
    assert line(ax, "most that risk").get_xdata() == pytest.approx([0.3, 0.2])


def test_a_cycle_shows_orders_fills_and_why_the_rest_was_not_done():
    figure = DRAWN["orders"]()
    first, last = figure.axes

    assert line(first, "BUY 0.0123 limit, filled").get_ydata()[0] == 1_203_000
    assert line(first, "buy filled (1)").get_ydata().tolist() == [1_203_000]
    assert last.get_xlabel().count("NOTIONAL_BELOW_MINIMUM") == 5
    assert "and 2 more" in last.get_xlabel()


def test_equity_is_drawn_beside_its_benchmark():
    curve, under = DRAWN["equity"]().axes

    assert line(curve, "policy").get_ydata().tolist() == EQUITY.tolist()
    assert line(curve, "buy and hold").get_ydata().tolist() == EQUITY[::-1].tolist()
    assert -under.lines[0].get_ydata().min() == pytest.approx(max_drawdown(EQUITY))


def test_underwater_is_measured_from_the_highest_mark_so_far():
    curve = np.array([100.0, 110.0, NAN, 99.0, 121.0])

    assert underwater(curve) == pytest.approx([0, 0, NAN, -0.1, 0], nan_ok=True)


def test_times_of_any_zone_are_drawn_in_utc():
    local = datetime(2025, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    series = pl.Series([local]).dt.convert_time_zone("Africa/Johannesburg")

    assert times([local])[0] == np.datetime64("2025-01-01T00:00")
    assert times(series)[0] == np.datetime64("2025-01-01T00:00")


def test_a_book_frame_without_its_columns_is_refused():
    with pytest.raises(UsageError, match="equity"):
        plots.book_equity(pl.DataFrame({"ts": [T0]}))


def test_an_unknown_feature_is_refused():
    with pytest.raises(UsageError, match="tomorrow"):
        plots.distributions(features(VALUES), ["tomorrow"])

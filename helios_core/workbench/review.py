"""Look back: what the policy would have earned on stored data, and what a book did in a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from helios_core.backtest.replay import BacktestResult, History, run_backtest
from helios_core.bootstrap import ModelChoice, book_of, choose_model, load_scorer, policy_for
from helios_core.domain.trading import Mode
from helios_core.network.config import network_config
from helios_core.store import market
from helios_core.store.reports import DaySummary, day_summary, equity_curve
from helios_core.workbench.desk import parse_time
from helios_core.workbench.history import StoredHistory, features_of, load_history
from helios_core.workbench.results import BacktestSummary, ReportResult
from helios_core.workbench.run import RunContext
from helios_core.workbench.training import finite, unseen_since


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A replayed policy and what it was replayed on."""

    history: StoredHistory
    model: ModelChoice
    result: BacktestResult

    @property
    def quote(self) -> str:
        """Currency of the replayed book."""
        return next(iter(self.history.rules.values())).quote


def replay(
    run: RunContext,
    pairs: Sequence[str],
    *,
    start: str,
    end: str,
    every: int,
    force_model: bool,
) -> Replay:
    """Replay stored history through the code that decides on paper.

    Parameters
    ----------
    start : str
        First decision; empty: with a model the first time that it never saw in training, without
        one as soon as there is enough history.
    every : int
        Bars between two decisions.
    """
    history = load_history(run, pairs, end=end)
    model = choose_model(run.database, force_model=force_model)
    first = parse_time(start) if start else None
    scorer, horizon, features = None, None, {}
    if model.card is not None:
        scorer = load_scorer(run.settings, model.card)
        horizon = network_config(model.card.config).label.horizon
        features = features_of(history.candles)
        first = first or unseen_since(model.card)
    quote = next(iter(history.rules.values())).quote
    policy = policy_for(run.settings, quote, horizon)
    replayed = History(history.candles, features, history.rules)
    return Replay(history, model, run_backtest(replayed, scorer, policy, every, start=first))


def backtest_summary(replayed: Replay) -> BacktestSummary:
    """Return what 62_backtest emits."""
    result, ours = replayed.result, replayed.result.performance
    hold = result.benchmark_performance.total_return
    return BacktestSummary(
        verdict=(
            f"{ours.total_return:+.2%} after costs with {ours.fills} fills, holding the pairs "
            f"{hold:+.2%}; {replayed.model.reason}"
        ),
        simulated=replayed.history.simulated,
        data_as_of=replayed.history.newest,
        pairs=list(replayed.history.pairs),
        start=result.at[0],
        end=result.at[-1],
        cycles=len(result.records),
        model_id=replayed.model.card.model_id if replayed.model.card else None,
        total_return=finite(ours.total_return),
        buy_and_hold_return=finite(hold),
        sharpe=finite(ours.sharpe),
        max_drawdown=finite(ours.max_drawdown),
        fees=ours.fees,
        fills=ours.fills,
    )


@dataclass(frozen=True, slots=True, eq=False)
class DailyReport:
    """What a book did on one UTC day; `equity` is that of all its cycles, oldest first."""

    day: str
    book: str
    quote: str
    simulated: bool
    summary: DaySummary
    equity: pl.DataFrame


def daily_report(run: RunContext, pairs: Sequence[str], day: str) -> DailyReport:
    """Return the report of the paper book of `pairs`.

    Parameters
    ----------
    day : str
        UTC, for example 2025-01-31; empty: that of the newest decision, or today without one.

    Raises
    ------
    UsageError
        If the day is not a date, or the pairs do not fit into one book.
    """
    with run.database.connection() as conn:
        rules = [market.pair_rules(conn, pair) for pair in pairs]
        book = book_of(run.settings, rules)
        equity = equity_curve(conn, Mode.PAPER, book)
        newest = equity["ts"][-1] if equity.height else run.clock.now()
        start = parse_time(f"{day}T00:00:00+00:00") if day else _midnight(newest)
        summary = day_summary(conn, Mode.PAPER, book, start, start + timedelta(days=1))
    return DailyReport(
        day=f"{start:%Y-%m-%d}",
        book=book,
        quote=rules[0].quote,
        simulated=rules[0].simulated,
        summary=summary,
        equity=equity,
    )


def report_result(report: DailyReport) -> ReportResult:
    """Return what 71_daily_report emits."""
    done, last = report.summary, report.summary.equity
    equity = float(last["equity"][-1]) if last.height else None
    worth = f"worth {equity:,.2f} {report.quote}" if equity is not None else "without a cycle"
    reasons = [f"{skip.pair}: {skip.code}" for skip in done.skips]
    nothing = "; ".join(reasons) or done.verdict or "no cycle was run"
    return ReportResult(
        verdict=(
            f"{report.day}: cycles {done.cycles}, orders {done.orders}, fills {done.fills}, "
            f"failed runs {done.failed_runs}; book {report.book} {worth}"
        ),
        simulated=report.simulated,
        day=report.day,
        book=report.book,
        equity=equity,
        cycles=done.cycles,
        decisions=done.decisions,
        orders=done.orders,
        fills=done.fills,
        failed_runs=done.failed_runs,
        why_nothing=None if done.orders else nothing,
    )


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)

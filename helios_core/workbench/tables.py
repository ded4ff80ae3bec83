"""Tables of the notebooks: what a tier decided, one row a pair, stage, check or order."""

import html
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from helios_core.domain.decisions import CycleRecord, Decision
from helios_core.domain.runs import Verdict
from helios_core.domain.trading import Skip
from helios_core.execution.costs import round_trip_cost

if TYPE_CHECKING:
    from helios_core.backtest.replay import BacktestResult
    from helios_core.decide import Snapshot
    from helios_core.execution.config import ExecutionConfig
    from helios_core.network.report import Report
    from helios_core.store.market import Coverage
    from helios_core.store.reports import DaySummary

BPS = 1e4
WIDTH = 160  # characters of a text before it is cut


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A frame that is displayed whole, without the types of its columns."""

    frame: pl.DataFrame

    def __repr__(self) -> str:
        with _format():
            return str(self.frame)

    def _repr_html_(self) -> str:
        head = "".join(_cell("th", name) for name in self.frame.columns)
        body = "".join(
            f"<tr>{''.join(_cell('td', cell) for cell in row)}</tr>" for row in self.frame.rows()
        )
        body = body or f"<tr>{_cell('td', 'none')}</tr>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, content: object) -> str:
    return f'<{tag} style="text-align:left">{html.escape(str(content))}</{tag}>'


def _format() -> pl.Config:
    return pl.Config(
        tbl_rows=100,
        tbl_cols=30,
        fmt_str_lengths=WIDTH,
        tbl_width_chars=WIDTH,
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_formatting="UTF8_BORDERS_ONLY",
    )


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    """Return rows as a table with these columns, also when there is no row."""
    listed = [[row[column] for column in columns] for row in rows]
    return Table(pl.DataFrame(listed, schema=list(columns), orient="row", infer_schema_length=None))


def stored(coverage: "Iterable[Coverage]", pairs: Sequence[str]) -> Table:
    """Return what the store has of `pairs`, one row a timeframe and source."""
    columns = ("pair", "timeframe", "source", "first", "last", "rows", "gaps", "missing")
    rows = [
        {column: _text(getattr(item, column)) for column in columns}
        for item in coverage
        if item.pair in pairs
    ]
    return table(rows, columns)


def signals(decision: Decision) -> Table:
    """Return tier 2's answer for each pair; an abstention says why."""
    columns = ("pair", "P(BUY)", "P(HOLD)", "P(SELL)", "barrier up bps", "barrier down bps", "why")
    rows = [
        {
            "pair": signal.pair,
            "P(BUY)": _number(signal.p_buy),
            "P(HOLD)": _number(signal.p_hold),
            "P(SELL)": _number(signal.p_sell),
            "barrier up bps": _number(signal.barrier_up * BPS, 1),
            "barrier down bps": _number(signal.barrier_down * BPS, 1),
            "why": signal.reason or f"model {signal.model_id}",
        }
        for signal in decision.signals
    ]
    return table(rows, columns)


def sizing(decision: Decision) -> Table:
    """Return every stage of sizing of every pair, shares of equity."""
    rows = [
        {
            "pair": risk.pair,
            "stage": stage.name,
            "before %": _number(100 * stage.before),
            "after %": _number(100 * stage.after),
            "note": stage.note,
        }
        for risk in decision.risks
        for stage in risk.stages
    ]
    return table(rows, ("pair", "stage", "before %", "after %", "note"))


def volatility(decision: Decision) -> Table:
    """Return tier 3's volatility of each pair, and the method behind it."""
    rows = [
        {
            "pair": risk.pair,
            "sigma of a bar bps": _number(risk.sigma * BPS),
            "sigma of the horizon bps": _number(risk.sigma_horizon * BPS, 1),
            "method": risk.volatility_method,
            "binding": risk.binding,
            "size %": _number(100 * risk.size),
            "note": risk.note,
        }
        for risk in decision.risks
    ]
    columns = ("pair", "sigma of a bar bps", "sigma of the horizon bps", "method", "binding",
               "size %", "note")  # fmt: skip
    return table(rows, columns)


def weights(decision: Decision) -> Table:
    """Return held and wanted weights, and what each constraint of tier 5 changed."""
    target = decision.target
    notes = {
        pair: "; ".join(
            f"{stage.name} {stage.before:.4f} to {stage.after:.4f}"
            for name, stage in target.stages
            if name == pair and stage.bound
        )
        for pair in target.pairs
    }
    rows = [
        {
            "pair": pair,
            "held %": _number(100 * held),
            "target %": _number(100 * wanted),
            "changed by": notes[pair],
        }
        for pair, held, wanted in zip(target.pairs, target.current, target.weights, strict=True)
    ]
    return table(rows, ("pair", "held %", "target %", "changed by"))


def orders(record: CycleRecord) -> Table:
    """Return the orders of a cycle with their fills."""
    columns = ("order", "pair", "side", "quantity", "price", "fee", "state")
    filled = {fill.client_order_id: fill for fill in record.fills}
    rows = []
    for order in record.decision.orders:
        fill = filled.get(order.client_order_id)
        rows.append(
            {
                "order": order.client_order_id,
                "pair": order.pair,
                "side": order.side.value,
                "quantity": str(order.quantity),
                "price": str(fill.price) if fill else "-",
                "fee": f"{fill.fee:.4f} {fill.fee_asset}" if fill else "-",
                "state": "filled" if fill else "not filled",
            }
        )
    return table(rows, columns)


def checks(verdict: Verdict) -> Table:
    """Return every check of the gate: what was required, what was found."""
    rows = [
        {
            "check": check.name,
            "verdict": "passed" if check.passed else "REFUSED",
            "required": check.required,
            "found": check.found,
        }
        for check in verdict.checks
    ]
    return table(rows, ("check", "verdict", "required", "found"))


def scores(report: "Report") -> Table:
    """Return the skill of the model beside its baselines on the test part."""
    columns = ("forecast", "log-loss", "hit AUC", "direction AUC", "95 % interval", "accuracy")
    rows = [
        {
            "forecast": name,
            "log-loss": _number(score.log_loss, 4),
            "hit AUC": _number(score.hit_auc),
            "direction AUC": _number(score.direction_auc),
            "95 % interval": f"{_number(score.direction_low)} to {_number(score.direction_high)}",
            "accuracy": _number(score.accuracy),
        }
        for name, score in {"HeliosNet": report.model, **report.baselines}.items()
    ]
    return table(rows, columns)


def performance(result: "BacktestResult") -> Table:
    """Return the replayed policy beside holding the pairs."""
    columns = ("figure", "policy", "buy and hold")
    ours, theirs = result.performance, result.benchmark_performance
    shown = {
        "total return %": ("total_return", 100.0),
        "annual volatility %": ("annual_volatility", 100.0),
        "Sharpe ratio": ("sharpe", 1.0),
        "largest drawdown %": ("max_drawdown", 100.0),
        "turnover": ("turnover", 1.0),
        "fees": ("fees", 1.0),
        "share of winning trips %": ("hit_rate", 100.0),
    }
    rows = [
        {
            "figure": name,
            "policy": _number(scale * getattr(ours, field)),
            "buy and hold": _number(scale * getattr(theirs, field)),
        }
        for name, (field, scale) in shown.items()
    ]
    fills = {"figure": "fills", "policy": str(ours.fills), "buy and hold": str(theirs.fills)}
    return table([*rows, fills], columns)


def reasons(result: "BacktestResult") -> Table:
    """Return how often each reason kept a pair from being traded."""
    counted = Counter((skip.pair, skip.code) for _, skip in result.skips)
    rows = [
        {"pair": pair, "code": code, "decisions": str(times)}
        for (pair, code), times in counted.most_common()
    ]
    return table(rows, ("pair", "code", "decisions"))


def day(summary: "DaySummary") -> Table:
    """Return what a book did in a day."""
    shown = {
        "decisions": summary.decisions,
        "cycles that were finished": summary.cycles,
        "orders": summary.orders,
        "fills": summary.fills,
        "failed runs of any notebook": summary.failed_runs,
        "verdict of the newest cycle": summary.verdict or "-",
    }
    return table([{"what": k, "found": str(v)} for k, v in shown.items()], ("what", "found"))


def left_alone(skips: Iterable[Skip]) -> Table:
    """Return every trade that was not made, and what removed it."""
    rows = [{"pair": s.pair, "code": s.code, "reason": s.reason} for s in skips]
    return table(rows, ("pair", "code", "reason"))


def rules(seen: "Snapshot", config: "ExecutionConfig") -> Table:
    """Return what the venue asks of each pair and what a round trip costs."""
    rows = [
        {
            "pair": rule.pair,
            "tick": str(rule.tick_size),
            "smallest quantity": str(rule.min_quantity),
            "smallest notional": f"{rule.min_notional} {rule.quote}",
            "round trip bps": _number(round_trip_cost(rule, config) * BPS, 1),
        }
        for rule in seen.rules
    ]
    return table(rows, ("pair", "tick", "smallest quantity", "smallest notional", "round trip bps"))


def _number(value: float, digits: int = 3) -> str:
    """Return a number for people; a dash where it could not be computed."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _text(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%MZ}" if hasattr(value, "strftime") else str(value)

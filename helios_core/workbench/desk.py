"""The desk as a notebook opens it: at what time it decides, and what it would decide.

`outlook` goes through the same steps as `cycle.run_cycle` up to the decision and records nothing,
so that a tier can be looked at alone and shows what the cycle will use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from helios_core.bootstrap import open_desk
from helios_core.cycle import Desk, brief_of, features_of, read_candles, snapshot
from helios_core.decide import Snapshot, decide
from helios_core.domain.decisions import Decision, RiskDecision
from helios_core.domain.market import CandleFrame, FeatureFrame
from helios_core.errors import DataError, UsageError
from helios_core.forecast import Forecasts, PairForecast, forecast
from helios_core.store import ledger, market
from helios_core.strategy.brief import render
from helios_core.workbench.run import current_run


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What the desk sees at one time and would decide; mappings are by pair."""

    candles: dict[str, CandleFrame]
    features: dict[str, FeatureFrame]  # empty without a model
    forecasts: Forecasts
    seen: Snapshot
    brief: str  # as the strategist reads it
    decision: Decision

    @property
    def known(self) -> dict[str, PairForecast]:
        """Volatility and signals of each pair over time, up to the decision."""
        return {one.pair: one for one in self.forecasts.pairs}

    @property
    def risks(self) -> dict[str, RiskDecision]:
        """Tier 3's answer for each pair."""
        return {risk.pair: risk for risk in self.decision.risks}


def trading_desk(pairs: Sequence[str], *, mode: str = "paper", force_model: bool = False) -> Desk:
    """Return the desk of this run for `pairs`.

    Raises
    ------
    UsageError
        If the pairs do not fit into one book, or the mode is unknown.
    NotFoundError
        If a pair is unknown.
    SafetyError
        If live trading is asked for.
    """
    run = current_run()
    return open_desk(
        run.settings,
        run.database,
        run.clock,
        pairs,
        mode=mode,
        run_id=run.run_id,
        force_model=force_model,
    )


def chosen_pairs(pairs: Sequence[str]) -> list[str]:
    """Return `pairs`; without any, those of the newest ingest, or else the only ones stored.

    Raises
    ------
    UsageError
        If nothing was ingested and the stored pairs do not make one book, or there are none.
    """
    if pairs:
        return list(pairs)
    run = current_run()
    with run.database.connection() as conn:
        newest = ledger.newest_result(conn, "11_ingest")
        stored = sorted({item.pair for item in market.coverage(conn) if item.timeframe == "1m"})
        rules = [market.pair_rules(conn, pair) for pair in stored]
    if newest and isinstance(newest.get("pairs"), list):
        return [str(pair) for pair in newest["pairs"]]  # type: ignore[union-attr]
    if len({(rule.quote, rule.simulated) for rule in rules}) == 1:
        return stored
    found = f"stored are {', '.join(stored)}" if stored else "bring data with 11_ingest first"
    raise UsageError(f"say which pairs, for example pairs=BTCUSDT; {found}")


def deciding_time(desk: Desk, pairs: Sequence[str], as_of: str = "") -> datetime:
    """Return when to decide, UTC: `as_of` if it is given, else the newest close all pairs have.

    Raises
    ------
    UsageError
        If `as_of` is not an aware time in ISO 8601.
    DataError
        If a pair has no candle.
    """
    if as_of:
        return parse_time(as_of)
    timeframe = desk.policy.timeframe
    closes = []
    for pair in pairs:
        last = desk.market.closed_candles(pair, timeframe, desk.clock.now(), 1)
        if last.is_empty():
            raise DataError(
                f"{pair} has no {timeframe} candle yet; bring data with `helios data import`, or "
                f"run the notebook 11_ingest"
            )
        closes.append(last["open_time"][-1] + timeframe.duration)
    newest: datetime = min(closes)
    return newest


def outlook(desk: Desk, pairs: Sequence[str], as_of: datetime) -> Outlook:
    """Return what `run_cycle` would see and decide at `as_of`; orders nothing, records nothing.

    Raises
    ------
    StaleDataError
        If the newest closed bar of a pair is older than the policy allows.
    """
    candles = {pair: read_candles(desk.market, pair, as_of, desk.policy) for pair in pairs}
    features = features_of(candles, desk)
    forecasts = forecast(candles, features, desk.scorer, desk.policy)
    seen = snapshot(desk, forecasts, as_of)
    known = dict(zip(seen.pairs, seen.volatility, strict=True))
    brief = render(brief_of(desk, as_of, known, seen.worth))
    return Outlook(candles, features, forecasts, seen, brief, decide(seen, desk.policy))


def recent_candles(
    desk: Desk, pairs: Sequence[str], as_of: datetime, bars: int = 240
) -> dict[str, CandleFrame]:
    """Return the last closed bars of each pair at `as_of`, for a figure."""
    timeframe = desk.policy.timeframe
    return {pair: desk.market.closed_candles(pair, timeframe, as_of, bars) for pair in pairs}


def is_simulated(desk: Desk, pairs: Sequence[str]) -> bool:
    """Return whether a generated market is among `pairs`."""
    return any(desk.market.rules(pair).simulated for pair in pairs)


def parse_time(text: str) -> datetime:
    """Return an aware time in ISO 8601 as UTC, or raise ``UsageError``."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise UsageError(
            f"a time is written with its zone, for example 2025-01-31T12:00:00+00:00, found "
            f"{text!r}"
        )
    return found.astimezone(UTC)

"""Stored history as research uses it: candles of several pairs, their features, their rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from helios_core.domain.market import CandleFrame, FeatureFrame, PairRules, Timeframe
from helios_core.errors import DataError, UsageError
from helios_core.logs import logger
from helios_core.market.catalogue import FEATURE_NAMES, FEATURE_SET, implemented
from helios_core.market.compute import compute_features
from helios_core.store import market, research
from helios_core.workbench.desk import parse_time
from helios_core.workbench.results import FeaturesResult
from helios_core.workbench.run import RunContext

log = logger("tier1_data")


@dataclass(frozen=True, slots=True, eq=False)
class StoredHistory:
    """Candles in ``[start, end)`` and what is known of their pairs; mappings are by pair."""

    pairs: tuple[str, ...]
    start: datetime
    end: datetime
    timeframe: Timeframe
    candles: dict[str, CandleFrame]
    rules: dict[str, PairRules]

    @property
    def simulated(self) -> bool:
        """Whether a generated market is among the pairs."""
        return any(rule.simulated for rule in self.rules.values())

    @property
    def newest(self) -> datetime:
        """Open time of the newest candle."""
        found: datetime = max(frame["open_time"][-1] for frame in self.candles.values())
        return found


def load_history(
    run: RunContext, pairs: Sequence[str], start: str = "", end: str = ""
) -> StoredHistory:
    """Return the stored one-minute candles of `pairs`.

    Parameters
    ----------
    start, end : str
        Open times ``[start, end)``, ISO 8601 with zone; empty: what all pairs have.

    Raises
    ------
    UsageError
        If there is no pair, or the range is empty.
    DataError
        If a pair has no candle in the range.
    NotFoundError
        If a pair is unknown.
    """
    if not pairs:
        raise UsageError("research needs at least one pair, for example pairs=BTCUSDT")
    timeframe = Timeframe.M1
    with run.database.connection() as conn:
        rules = {pair: market.pair_rules(conn, pair) for pair in pairs}
        spans = [_span(market.coverage(conn), pair, timeframe) for pair in pairs]
        first = parse_time(start) if start else max(span[0] for span in spans)
        last = parse_time(end) if end else min(span[1] for span in spans)
        if first >= last:
            raise UsageError(f"the range from {first} to {last} is empty; give start before end")
        candles = {pair: market.read_candles(conn, pair, timeframe, first, last) for pair in pairs}
    for pair, frame in candles.items():
        if frame.is_empty():
            raise DataError(f"{pair} has no {timeframe} candle from {first} to {last}")
    return StoredHistory(tuple(pairs), first, last, timeframe, candles, rules)


def build_features(run: RunContext, history: StoredHistory) -> dict[str, FeatureFrame]:
    """Return the features of every pair and keep them in the store; idempotent."""
    features = features_of(history.candles)
    with run.database.connection() as conn:
        for frame in features.values():
            kept = research.write_features(conn, frame, run.run_id)
            log.info("features stored", pair=frame.pair, rows=len(frame), new=kept.inserted)
    return features


def features_of(candles: Mapping[str, CandleFrame]) -> dict[str, FeatureFrame]:
    """Return the features of every pair."""
    return {pair: compute_features(frame) for pair, frame in candles.items()}


def features_result(history: StoredHistory, features: Mapping[str, FeatureFrame]) -> FeaturesResult:
    """Return what 12_features emits."""
    computed = implemented()
    at = [FEATURE_NAMES.index(name) for name in computed]
    known = sum(int(frame.mask[:, at].sum()) for frame in features.values())
    rows = sum(len(frame) for frame in features.values())
    coverage = known / (rows * len(at)) if rows and at else 0.0
    return FeaturesResult(
        verdict=f"{len(at)} of 90 features for {rows} bars, {coverage:.1%} of their values known",
        simulated=history.simulated,
        data_as_of=history.newest,
        pairs=list(history.pairs),
        feature_set=FEATURE_SET,
        rows=rows,
        implemented=len(at),
        coverage=coverage,
    )


def _span(
    coverage: Sequence[market.Coverage], pair: str, timeframe: Timeframe
) -> tuple[datetime, datetime]:
    """Return the first open and the last close that the store has of a pair."""
    own = [c for c in coverage if c.pair == pair and c.timeframe == timeframe.value]
    if not own:
        raise DataError(
            f"{pair} has no {timeframe} candle yet; bring data with `helios data import`, or run "
            f"the notebook 11_ingest"
        )
    step: timedelta = timeframe.duration
    return min(c.first for c in own), max(c.last for c in own) + step

"""The chain of the tiers in memory, on a generated market: no database, no network, no key."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from helios_core.backtest.fills import PaperBroker, last_close
from helios_core.backtest.memory import FrameMarket, MemoryLedger
from helios_core.backtest.replay import ReplayClock
from helios_core.cycle import Desk, run_cycle
from helios_core.domain.decisions import CycleRecord
from helios_core.domain.market import CandleFrame, FeatureFrame
from helios_core.domain.trading import Mode
from helios_core.forecast import Policy
from helios_core.llm.abstain import AbstainingStrategist
from helios_core.market.compute import compute_features
from helios_core.simulator.generator import generate_market, simulated_rules
from helios_core.workbench.results import TourResult

START = datetime(2025, 1, 1, tzinfo=UTC)
QUOTE = "USDT"
PRICES = {"SIMBTCUSDT": 60_000.0}
PAIR = "SIMBTCUSDT"


@dataclass(frozen=True, slots=True, eq=False)
class Tour:
    """One pair of a generated market, and the cycle that was run on it."""

    candles: CandleFrame
    features: FeatureFrame
    record: CycleRecord


def tour(days: int, seed: int) -> Tour:
    """Generate `days` of one pair, compute its features and run one cycle without a model."""
    minutes = days * 1440
    candles = generate_market(PRICES, START, minutes, seed)
    market = FrameMarket(candles, {p: simulated_rules(p, QUOTE, x) for p, x in PRICES.items()})
    policy = Policy(quote=QUOTE, horizon=60, history=minutes)
    as_of = START + timedelta(minutes=minutes)
    prices = last_close(market, policy.timeframe, policy.max_age)
    desk = Desk(
        clock=ReplayClock(as_of),
        market=market,
        ledger=MemoryLedger(),
        broker=PaperBroker(prices, market.rules, policy.execution),
        strategist=AbstainingStrategist(),
        scorer=None,
        policy=policy,
        mode=Mode.PAPER,
        book="tour",
        run_id="tour",
    )
    frame = candles[PAIR]
    features = compute_features(frame)
    return Tour(frame, features, run_cycle(desk, [PAIR], as_of))


def tour_result(shown: Tour, implemented: int) -> TourResult:
    """Return what 00_tour emits."""
    decision = shown.record.decision
    return TourResult(
        verdict=decision.verdict,
        simulated=True,
        data_as_of=decision.data_as_of,
        candles=len(shown.candles),
        features=implemented,
        sigma_minute=decision.risks[0].sigma,
        weight=decision.target.weights[0],
        orders=len(decision.orders),
    )

"""The cycle: read what is known, decide, commit the decision, execute, record. The only shell.

Order of writes: the decision and its order intents are committed before anything is sent; fills
and the portfolio follow. A cycle that was cut off is finished from its recorded intents, never
decided again; one that is complete is returned as it is, and nothing is sent.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from helios_core.decide import Snapshot, Worth, decide, decision_id
from helios_core.domain.decisions import CycleRecord, Decision
from helios_core.domain.market import CandleFrame, FeatureFrame, PairRules
from helios_core.domain.trading import Account, Mode
from helios_core.errors import DataError, StaleDataError, StoreError, UsageError
from helios_core.execution.costs import exact
from helios_core.execution.states import TERMINAL
from helios_core.forecast import Forecasts, Policy, Scorer, forecast, instant
from helios_core.logs import logger
from helios_core.market.catalogue import FEATURE_SET
from helios_core.market.compute import compute_features
from helios_core.ports import Broker, Clock, Ledger, Market, Strategist
from helios_core.risk.leverage import spread
from helios_core.risk.volatility import VolatilityPoint, point_at
from helios_core.strategy.brief import Brief, render

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logger("trading")


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a cycle needs from outside; bootstrap puts it together."""

    clock: Clock
    market: Market
    ledger: Ledger
    broker: Broker
    strategist: Strategist
    scorer: Scorer | None
    policy: Policy
    mode: Mode
    book: str
    run_id: str
    forced: bool = False  # the model was not promoted and is used on request
    model_id: str | None = None  # of the scorer


def run_cycle(desk: Desk, pairs: tuple[str, ...] | list[str], as_of: datetime) -> CycleRecord:
    """Decide and execute for the bar that closed at `as_of`; running it again changes nothing.

    Parameters
    ----------
    pairs : sequence of str
        Distinct symbols, all quoted in the policy's currency.
    as_of : datetime
        Close of the deciding bar, aware.

    Raises
    ------
    StaleDataError
        If the newest closed bar of a pair is older than ``policy.max_age``.
    UsageError
        If `as_of` lies in the future or within a bar, or the pairs do not fit the policy.
    """
    pairs = tuple(pairs)
    _require_call(desk, pairs, as_of)
    as_of = as_of.astimezone(UTC)  # one instant is one decision, in whatever zone it was given
    identity = decision_id(
        desk.mode, desk.book, as_of, pairs, (desk.model_id, desk.forced), desk.policy
    )
    known = desk.ledger.find_cycle(identity)
    if known is not None:
        return _finish(desk, known)
    started = desk.clock.monotonic()
    candles = {pair: read_candles(desk.market, pair, as_of, desk.policy) for pair in pairs}
    features = features_of(candles, desk)
    forecasts = forecast(candles, features, desk.scorer, desk.policy)
    record = settle(desk, snapshot(desk, forecasts, as_of))
    log.info(
        "cycle finished",
        decision=record.decision.decision_id,
        verdict=record.decision.verdict,
        fills=len(record.fills),
        seconds=round(desk.clock.monotonic() - started, 3),
    )
    return record


def read_candles(market: Market, pair: str, as_of: datetime, policy: Policy) -> CandleFrame:
    """Return the bars known at `as_of`.

    Raises
    ------
    StaleDataError
        If the newest one is older than the policy allows.
    DataError
        If there is none.
    """
    candles = market.closed_candles(pair, policy.timeframe, as_of, policy.history)
    if candles.is_empty():
        raise DataError(
            f"{pair} has no {policy.timeframe} candle closed at {as_of:%Y-%m-%d %H:%MZ}; "
            f"bring data with `helios data import`"
        )
    newest: datetime = candles["open_time"][-1] + policy.timeframe.duration
    if as_of - newest > policy.max_age:
        raise StaleDataError(pair, newest, as_of, policy.max_age)
    return candles


def features_of(candles: Mapping[str, CandleFrame], desk: Desk) -> dict[str, FeatureFrame]:
    """Return the features of each pair; none when no model will look at them."""
    if desk.scorer is None:
        return {}
    return {pair: compute_features(frame) for pair, frame in candles.items()}


def snapshot(desk: Desk, forecasts: Forecasts, as_of: datetime) -> Snapshot:
    """Return what is known at `as_of`: a row of the forecasts, the book and the view.

    Raises
    ------
    StaleDataError
        If a pair's newest bar is older than the policy allows.
    """
    policy = desk.policy
    rows = [one.row_at(as_of) for one in forecasts.pairs]
    for one, row in zip(forecasts.pairs, rows, strict=True):
        newest = instant(one.closed_at[max(row, 0)])
        if row < 0 or as_of - newest > policy.max_age:
            raise StaleDataError(one.pair, newest, as_of, policy.max_age)
    account = desk.ledger.account(desk.book, policy.quote, policy.opening_cash)
    here = list(zip(forecasts.pairs, rows, strict=True))
    prices = {one.pair: float(one.close[row]) for one, row in here}
    signals = tuple(one.signal(row, policy.horizon) for one, row in here)
    volatility = tuple(point_at(one.volatility, row) for one, row in here)
    worth = Worth(account, marks(desk, account, as_of, prices))
    brief = brief_of(desk, as_of, dict(zip(prices, volatility, strict=True)), worth)
    newest_close = max(one.closed_at[row] for one, row in here)
    return Snapshot(
        as_of=as_of,
        mode=desk.mode,
        book=desk.book,
        pairs=tuple(prices),
        rules=tuple(rules_of(desk, pair) for pair in prices),
        signals=signals,
        volatility=volatility,
        prices=tuple(prices.values()),
        turnover=tuple(float(one.turnover[row]) for one, row in here),
        returns=forecasts.window(as_of, policy.window),
        marks=tuple(worth.marks.items()),
        account=account,
        view=desk.strategist.view(as_of, render(brief), policy.view_lifetime),
        model_id=desk.model_id,
        forced=desk.forced,
        feature_set=FEATURE_SET,
        data_as_of=instant(newest_close) - policy.timeframe.duration,
    )


def brief_of(
    desk: Desk, as_of: datetime, volatility: Mapping[str, VolatilityPoint], worth: Worth
) -> Brief:
    """Return what the strategist is told about the pairs of `volatility`."""
    health = f"{desk.model_id} promoted" if desk.model_id else "no promoted model"
    if desk.forced:
        health = f"{desk.model_id} not promoted, used on request"
    return Brief(
        as_of=as_of,
        pairs=tuple(volatility),
        sigma=tuple(spread(point, desk.policy.risk, "day") for point in volatility.values()),
        exposure=tuple(worth.weight(pair) for pair in volatility),
        drawdown=worth.drawdown,
        model_health=health,
    )


def rules_of(desk: Desk, pair: str) -> PairRules:
    """Return the rules of a pair that fits the book, or raise ``UsageError``."""
    rules = desk.market.rules(pair)
    if rules.quote != desk.policy.quote:
        raise UsageError(
            f"{pair} is quoted in {rules.quote}, book {desk.book} is kept in {desk.policy.quote}; "
            f"trade it in a book of its own"
        )
    return rules


def marks(
    desk: Desk, account: Account, as_of: datetime, known: Mapping[str, float]
) -> dict[str, float]:
    """Return last prices of the pairs decided on and of those only held, the latter at any age."""
    found = dict(known)
    for pair in sorted({position.pair for position in account.positions} - set(known)):
        last = desk.market.closed_candles(pair, desk.policy.timeframe, as_of, 1)
        if last.is_empty():
            raise DataError(
                f"book {desk.book} holds {pair}, which has no candle at {as_of:%Y-%m-%d %H:%MZ}; "
                f"the book cannot be valued without a price"
            )
        found[pair] = float(last["close"][0])
    return found


def settle(desk: Desk, seen: Snapshot) -> CycleRecord:
    """Decide on `seen`, commit, execute and record."""
    decision = decide(seen, desk.policy)
    if not desk.ledger.record_decision(decision, desk.run_id, seen.account):
        known = desk.ledger.find_cycle(decision.decision_id)  # another process was first
        if known is None:
            raise StoreError(
                f"decision {decision.decision_id} is said to be recorded and cannot be found; "
                f"nothing was sent. Check the ledger with `helios doctor`."
            )
        return replace(known, replayed=True)
    return _execute(desk, decision, dict(seen.marks), float(seen.equity))


def _execute(
    desk: Desk, decision: Decision, prices: dict[str, float], equity_before: float
) -> CycleRecord:
    fills = desk.broker.execute(decision.orders)
    desk.ledger.record_fills(decision, fills)
    account = desk.ledger.account(desk.book, desk.policy.quote, desk.policy.opening_cash)
    after = account.equity({pair: exact(price) for pair, price in prices.items()})
    record = CycleRecord(decision, desk.run_id, fills, equity_before, float(after), replayed=False)
    desk.ledger.close_cycle(record, prices)
    kept = desk.ledger.find_cycle(decision.decision_id)  # its orders have the states of their fills
    return record if kept is None else replace(kept, replayed=False)


def _finish(desk: Desk, known: CycleRecord) -> CycleRecord:
    """Return a recorded cycle; one that a crash cut off is executed from its intents first."""
    filled = {fill.client_order_id for fill in known.fills}
    open_orders = [
        order
        for order in known.decision.orders
        if order.state not in TERMINAL and order.client_order_id not in filled
    ]
    if not open_orders and math.isfinite(known.equity_after):
        return replace(known, replayed=True)
    log.warning(
        "cycle taken up again",
        decision=known.decision.decision_id,
        open_orders=len(open_orders),
    )
    decision = known.decision
    account = desk.ledger.account(desk.book, desk.policy.quote, desk.policy.opening_cash)
    prices = marks(desk, account, decision.as_of, _last_prices(desk, decision))
    before = known.equity_before
    if not math.isfinite(before):
        before = float(_equity_before(account, known, prices))
    return replace(_execute(desk, decision, prices, before), replayed=True)


def _equity_before(account: Account, known: CycleRecord, prices: Mapping[str, float]) -> Decimal:
    """Return what the book was worth at `prices` without the fills that are recorded already."""
    marks = {pair: exact(price) for pair, price in prices.items()}
    gained = (
        fill.side.sign * fill.quantity * (marks[fill.pair] - fill.price) - fill.fee
        for fill in known.fills
    )
    return account.equity(marks) - sum(gained, Decimal(0))


def _last_prices(desk: Desk, decision: Decision) -> dict[str, float]:
    pairs = decision.target.pairs
    candles = {p: read_candles(desk.market, p, decision.as_of, desk.policy) for p in pairs}
    return {pair: float(frame["close"][-1]) for pair, frame in candles.items()}


def _require_call(desk: Desk, pairs: tuple[str, ...], as_of: datetime) -> None:
    if as_of.utcoffset() is None:
        raise UsageError(f"as_of must be an aware time, for example 2025-01-31T12:00Z, not {as_of}")
    if as_of > desk.clock.now():
        raise UsageError(
            f"as_of {as_of:%Y-%m-%d %H:%MZ} lies in the future; decide once the bar has closed"
        )
    within = (as_of - EPOCH) % desk.policy.timeframe.duration
    if within:
        raise UsageError(
            f"as_of must be the close of a {desk.policy.timeframe} bar, found {as_of}; the last "
            f"one was {as_of - within:%Y-%m-%d %H:%M:%S%z}"
        )
    if not pairs or len(set(pairs)) != len(pairs):
        raise UsageError(f"a cycle needs distinct pairs, found {list(pairs)}")

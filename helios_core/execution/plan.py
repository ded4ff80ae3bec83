"""From target weights to orders that the venue accepts, sells before buys, Decimal throughout.

Buys are paid from the cash at hand at the worst price that still fills, never from the proceeds of
sells that have not filled yet; moving from one full position into another takes two cycles.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from helios_core.domain.decisions import TargetPortfolio
from helios_core.domain.market import PairRules
from helios_core.domain.trading import Account, Order, Side, Skip
from helios_core.errors import OrderError
from helios_core.execution.config import ExecutionConfig
from helios_core.execution.costs import exact, on_grid, quantity_step, taker_fee, worst_price

PAIR_NOT_TRADABLE = "PAIR_NOT_TRADABLE"
SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
LIQUIDITY = "LIQUIDITY"
ORDER_SHARE = "ORDER_SHARE"
CASH = "CASH"
QUANTITY_BELOW_MINIMUM = "QUANTITY_BELOW_MINIMUM"
NOTIONAL_BELOW_MINIMUM = "NOTIONAL_BELOW_MINIMUM"
ORDER_COUNT = "ORDER_COUNT"

SHY = Decimal("0.999999999999")  # a quotient of decimals may be rounded up; cash must not be


@dataclass(frozen=True, slots=True)
class Tradable:
    """What planning has to know of one pair."""

    rules: PairRules
    price: Decimal  # last known, quote per base
    turnover: float  # quote currency that usually trades over the horizon


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders in the sequence they are sent, and every trade that was cut or dropped."""

    orders: tuple[Order, ...]
    skips: tuple[Skip, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A wanted trade on its way to an order."""

    tradable: Tradable
    side: Side
    quantity: Decimal
    held: Decimal

    @property
    def pair(self) -> str:
        return self.tradable.rules.pair

    @property
    def notional(self) -> Decimal:
        return self.quantity * self.tradable.price


def plan_orders(
    target: TargetPortfolio,
    account: Account,
    equity: Decimal,
    tradables: Mapping[str, Tradable],
    config: ExecutionConfig,
    decision_id: str,
) -> Plan:
    """Return the market orders that move `account` towards `target`.

    Parameters
    ----------
    target : TargetPortfolio
        Weights as fractions of `equity`; a pair whose weight equals its current one is left alone,
        weight 0 sells all that is held.
    equity : Decimal
        Cash plus positions at the last known prices, quote currency, > 0.
    tradables : mapping of pair to Tradable
        One for each pair of the target.

    Returns
    -------
    Plan
        Quantities are multiples of the pair's step and at least its minimum. The buys together
        cost at most the cash, fees included, at any price that is still filled. No sell is larger
        than the position.

    Raises
    ------
    OrderError
        If equity is not positive or a pair of the target has no tradable.
    """
    if equity <= 0:
        raise OrderError(f"orders need a positive equity, found {equity} in book {account.book}")
    skips: list[Skip] = []
    drafts = _drafts(target, account, equity, tradables, skips)
    drafts = [_cut_to_liquidity(draft, config, skips) for draft in drafts]
    drafts = [_cut_to_order_share(draft, equity, config, skips) for draft in drafts]
    sells = [_rounded(draft) for draft in drafts if draft.side is Side.SELL]
    buys = _cut_to_cash([d for d in drafts if d.side is Side.BUY], account.cash, config, skips)
    accepted = [draft for draft in (*sells, *buys) if _venue_accepts(draft, skips)]
    for draft in accepted[config.max_orders :]:
        skips.append(
            Skip(draft.pair, ORDER_COUNT, f"a decision has at most {config.max_orders} orders")
        )
    orders = _number(accepted[: config.max_orders], decision_id, target.as_of)
    return Plan(orders, tuple(skips))


def _drafts(
    target: TargetPortfolio,
    account: Account,
    equity: Decimal,
    tradables: Mapping[str, Tradable],
    skips: list[Skip],
) -> list[_Draft]:
    drafts = []
    for pair, current, weight in zip(target.pairs, target.current, target.weights, strict=True):
        if weight == current:
            continue
        if pair not in tradables:
            raise OrderError(f"the target holds {pair}, but its rules and price are not known")
        tradable, held = tradables[pair], account.quantity(pair)
        if not tradable.rules.tradable:
            skips.append(Skip(pair, PAIR_NOT_TRADABLE, "the venue does not trade the pair now"))
            continue
        if weight < 0:
            skips.append(
                Skip(pair, SHORT_NOT_ALLOWED, f"a spot book cannot hold {weight:.4f}; took 0")
            )
        draft = _draft(tradable, held, current, max(weight, 0.0), equity)
        if draft.quantity > 0:
            drafts.append(draft)
    return drafts


def _draft(
    tradable: Tradable, held: Decimal, current: float, weight: float, equity: Decimal
) -> _Draft:
    if weight == 0.0:
        return _Draft(tradable, Side.SELL, held, held)
    wanted = (exact(weight) - exact(current)) * equity / tradable.price
    if wanted > 0:
        return _Draft(tradable, Side.BUY, wanted, held)
    quantity = min(-wanted, held)
    if held - quantity < tradable.rules.min_quantity:
        quantity = held  # what would stay could never be sold
    return _Draft(tradable, Side.SELL, quantity, held)


def _cut_to_liquidity(draft: _Draft, config: ExecutionConfig, skips: list[Skip]) -> _Draft:
    limit = exact(config.max_participation) * exact(draft.tradable.turnover)
    why = f"{config.max_participation:.1%} of the turnover over the horizon"
    return _cut(draft, limit, LIQUIDITY, why, skips)


def _cut_to_order_share(
    draft: _Draft, equity: Decimal, config: ExecutionConfig, skips: list[Skip]
) -> _Draft:
    if draft.side is Side.SELL:
        return draft
    limit = exact(config.max_order_share) * equity
    return _cut(draft, limit, ORDER_SHARE, f"{config.max_order_share:.0%} of equity", skips)


def _cut_to_cash(
    buys: list[_Draft], cash: Decimal, config: ExecutionConfig, skips: list[Skip]
) -> list[_Draft]:
    """Shrink all buys by one factor until they are affordable at the worst price, then round."""
    need = sum((_worst_cost(draft, config) for draft in buys), Decimal(0))
    if need <= cash:
        return [_rounded(draft) for draft in buys]
    factor = max(cash, Decimal(0)) / need * SHY
    why = f"the cash at hand, {cash:.2f}, for buys that may cost {need:.2f}"
    return [_rounded(_cut(draft, draft.notional * factor, CASH, why, skips)) for draft in buys]


def _worst_cost(draft: _Draft, config: ExecutionConfig) -> Decimal:
    price = worst_price(draft.tradable.price, draft.side, config)
    return draft.quantity * price * (1 + taker_fee(draft.tradable.rules, config))


def _cut(draft: _Draft, limit: Decimal, code: str, why: str, skips: list[Skip]) -> _Draft:
    if draft.notional <= limit:
        return draft
    quote = draft.tradable.rules.quote
    skips.append(
        Skip(
            draft.pair,
            code,
            f"{draft.side} of {draft.notional:.2f} {quote} cut to {limit:.2f}: {why}",
        )
    )
    return replace(draft, quantity=limit / draft.tradable.price)


def _rounded(draft: _Draft) -> _Draft:
    step = quantity_step(draft.tradable.rules)
    return replace(draft, quantity=on_grid(draft.quantity, step, ROUND_FLOOR))


def _venue_accepts(draft: _Draft, skips: list[Skip]) -> bool:
    rules = draft.tradable.rules
    if draft.quantity <= 0 or draft.quantity < rules.min_quantity:
        found = f"{draft.quantity} {rules.base}, the venue takes at least {rules.min_quantity}"
        skips.append(Skip(draft.pair, QUANTITY_BELOW_MINIMUM, f"{draft.side} {found}"))
        return False
    if draft.notional < rules.min_notional:
        found = f"{draft.notional:.2f} {rules.quote}, the venue takes at least {rules.min_notional}"
        skips.append(Skip(draft.pair, NOTIONAL_BELOW_MINIMUM, f"{draft.side} {found}"))
        return False
    return True


def _number(drafts: Iterable[_Draft], decision_id: str, created_at: datetime) -> tuple[Order, ...]:
    return tuple(
        Order(
            client_order_id=f"h-{decision_id}-{leg}",
            decision_id=decision_id,
            leg=leg,
            pair=draft.pair,
            side=draft.side,
            kind="MARKET",
            quantity=draft.quantity,
            price=None,
            reference_price=draft.tradable.price,
            created_at=created_at,
            reason="towards the target weight",
        )
        for leg, draft in enumerate(drafts)
    )

"""The paper broker: fills at a known price with the costs of the desk; takes no credential."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from helios_core.domain.market import CandleFrame, PairRules, Timeframe
from helios_core.domain.trading import Fill, Order
from helios_core.errors import OrderError, StaleDataError
from helios_core.execution.config import ExecutionConfig
from helios_core.execution.costs import exact, fill_price, taker_fee, worst_price
from helios_core.forecast import moment
from helios_core.ports import Market

PriceSource = Callable[[str, datetime], Decimal]
"""Returns the price of a pair that an order created at the time given would meet."""


def last_close(market: Market, timeframe: Timeframe, max_age: timedelta) -> PriceSource:
    """Return a source of the last close known when the order was created: paper trading."""

    def price(pair: str, at: datetime) -> Decimal:
        frame = market.closed_candles(pair, timeframe, at, 1)
        if frame.is_empty():
            raise OrderError(f"{pair} has no candle closed at {at:%Y-%m-%d %H:%MZ} to fill at")
        closed = frame["open_time"][-1] + timeframe.duration
        if at - closed > max_age:
            raise StaleDataError(pair, closed, at, max_age)
        return exact(frame["close"][-1])

    return price


def next_open(candles: Mapping[str, CandleFrame]) -> PriceSource:
    """Return a source of the open of the first bar that starts at or after the order: backtests.

    After the end of the data it is the last close.
    """
    times = {
        pair: frame["open_time"].dt.replace_time_zone(None).to_numpy()
        for pair, frame in candles.items()
    }
    opens = {pair: frame["open"].to_numpy() for pair, frame in candles.items()}

    def price(pair: str, at: datetime) -> Decimal:
        if pair not in times or not len(times[pair]):
            raise OrderError(f"the replayed data has no candle of {pair} to fill at")
        i = int(np.searchsorted(times[pair], moment(at), side="left"))
        if i < len(times[pair]):
            return exact(opens[pair][i])
        return exact(candles[pair]["close"][-1])

    return price


class PaperBroker:
    """Fills market orders at once, whole, at a price from `prices` made worse by the costs.

    Fees are taken in quote currency. (The exchange takes the fee of a buy in base; its value is
    the same, and the position stays on the venue's grid.) An order whose price has left the
    slippage band around its reference price is not filled, as on the exchange.

    Ids and prices are functions of the order alone, so an order that is executed again after a
    crash gives the same fill, and the ledger keeps it once.
    """

    def __init__(
        self,
        prices: PriceSource,
        rules: Callable[[str], PairRules],
        config: ExecutionConfig,
    ) -> None:
        self._prices, self._rules, self._config = prices, rules, config
        self._executed: dict[str, tuple[Fill, ...]] = {}

    def execute(self, orders: tuple[Order, ...]) -> tuple[Fill, ...]:
        """Return the fills of `orders`, in their sequence; none for one that met no price.

        Raises
        ------
        OrderError
            If an order is not a market order or breaks the rules of its pair.
        """
        fills: list[Fill] = []
        for order in orders:
            if order.client_order_id not in self._executed:
                self._executed[order.client_order_id] = self._fill(order)
            fills.extend(self._executed[order.client_order_id])
        return tuple(fills)

    def _fill(self, order: Order) -> tuple[Fill, ...]:
        rules = self._rules(order.pair)
        _require_acceptable(order, rules)
        price = fill_price(
            self._prices(order.pair, order.created_at), order.side, rules, self._config
        )
        limit = worst_price(order.reference_price, order.side, self._config)
        if (price - limit) * order.side.sign > 0:
            return ()
        return (
            Fill(
                exec_id=f"{order.client_order_id}-1",
                client_order_id=order.client_order_id,
                pair=order.pair,
                side=order.side,
                ts=order.created_at,
                price=price,
                quantity=order.quantity,
                fee=price * order.quantity * taker_fee(rules, self._config),
                fee_asset=rules.quote,
                liquidity="taker",
            ),
        )


def _require_acceptable(order: Order, rules: PairRules) -> None:
    if order.kind != "MARKET":
        raise OrderError(
            f"{order.client_order_id} is a {order.kind} order; the paper broker has no book for it "
            f"to rest on and takes market orders"
        )
    steps = order.quantity.scaleb(rules.base_decimals)
    if order.quantity < rules.min_quantity or steps != steps.to_integral_value():
        raise OrderError(
            f"{order.client_order_id}: {order.quantity} {rules.base} breaks the rules of "
            f"{order.pair}, at least {rules.min_quantity} with {rules.base_decimals} decimals"
        )

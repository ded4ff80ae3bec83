"""Figure of a cycle: which orders it sent, at which prices, and what it left undone."""

import textwrap
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helios_core.domain.decisions import CycleRecord
from helios_core.domain.market import CandleFrame
from helios_core.domain.trading import Order, Side
from helios_core.workbench.plots.market import draw_candles, draw_fills
from helios_core.workbench.plots.style import (
    BUY_COLOR,
    GRAY,
    SELL_COLOR,
    days,
    label,
    legend,
    nothing,
    panels,
    plain_numbers,
    stamp,
    utc_axis,
)

PANELS = 4
SKIPS = 5


def orders(record: CycleRecord, candles: Mapping[str, CandleFrame], *, bars: int = 120) -> Figure:
    """Return the orders and fills of a cycle on the candles before it, and the trades not made.

    Parameters
    ----------
    candles : mapping of pair to candles
        Pairs with orders are drawn first, at most four pairs in all.
    """
    decision = record.decision
    traded = list(dict.fromkeys(order.pair for order in decision.orders))
    pairs = [*traded, *(p for p in decision.target.pairs if p not in traded)][:PANELS]
    again = ", replayed" if record.replayed else ""
    figure, axes = panels(
        f"Cycle of {stamp(decision.as_of)}, book {decision.book} ({decision.mode.value}): "
        f"{decision.verdict}{again}",
        (1.0,) * max(len(pairs), 1),
        size=(9.5, 1.3 + 2.4 * max(len(pairs), 1)),
    )
    if not pairs:
        nothing(axes[0], "no data: the cycle looked at no pair")
    for ax, pair in zip(axes, pairs, strict=False):
        _panel(ax, record, pair, candles.get(pair), bars)
    for ax in axes:
        label(ax, y=f"{ax.get_ylabel()}price, quote per base")
    utc_axis(axes[-1])
    label(axes[-1], x=_undone(record))
    return figure


def _panel(
    ax: Axes, record: CycleRecord, pair: str, candles: CandleFrame | None, bars: int
) -> None:
    ax.set_ylabel(f"{pair}\n")
    sent = [order for order in record.decision.orders if order.pair == pair]
    if candles is None or candles.is_empty():
        nothing(ax, f"no data: no candle of {pair}")
        return
    shown = candles.tail(bars)
    draw_candles(ax, shown)
    decided = float(days([record.decision.as_of])[0])
    ax.axvline(decided, color=GRAY, linestyle="--", linewidth=0.9, label="decision")
    for order in sent:
        _level(ax, order)
    done = [fill for fill in record.fills if fill.pair == pair]
    draw_fills(ax, done, shown)
    ax.margins(x=0.02)
    plain_numbers(ax)
    legend(ax)


def _level(ax: Axes, order: Order) -> None:
    """Draw the price an order was sent at as a line over the panel."""
    price = float(order.reference_price if order.price is None else order.price)
    color = BUY_COLOR if order.side is Side.BUY else SELL_COLOR
    words = f"{order.side.value} {order.quantity.normalize():f} {order.kind.lower()}"
    ax.axhline(
        price, color=color, linewidth=0.9, linestyle=":",
        label=f"{words}, {order.state.value.lower()}",
    )  # fmt: skip


def _undone(record: CycleRecord) -> str:
    skips = record.decision.skips
    lines = [f"{skip.pair}: {skip.code}, {skip.reason}" for skip in skips[:SKIPS]]
    if len(skips) > SKIPS:
        lines.append(f"and {len(skips) - SKIPS} more trades that were not made")
    short = [textwrap.shorten(line, 130, placeholder=" ...") for line in lines]
    return "\n".join(["time, UTC", *short])

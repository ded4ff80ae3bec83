"""Kernels of the volume group: money flow, average price, unusual volume, illiquidity."""

import math

from helios_core.domain.market import Float32Array, FloatArray
from helios_core.market import memory as m
from helios_core.market.jit import kernel
from helios_core.market.memory import Bar, Memory
from helios_core.market.rolling import (
    clip,
    deviation,
    log_ratio,
    mean,
    push,
    ratio,
    tail,
    total,
)
from helios_core.market.smoothing import ema
from helios_core.market.volatility import LEAST, ranked, ranked_log

NAN = math.nan


@kernel
def volume(memory: Memory, bar: Bar, minute: int, raw: FloatArray, row: Float32Array) -> None:
    """Fill the ten columns of the group."""
    cells = memory.cells
    raw[0] = chaikin(memory, bar)
    raw[1] = money_flow(memory, bar)
    raw[2] = ema(cells, m.FORCE, 13, (bar.close - bar.last_close) * bar.volume)
    raw[3] = average_price(memory, bar.end)
    raw[4] = day_average_price(cells, bar, minute)
    raw[5] = surprise(memory, bar)
    raw[6] = relative(memory, bar)
    raw[7], raw[8] = oscillator(cells, bar.volume)
    raw[9] = illiquidity(memory, bar)

    row[0] = clip(raw[0], -1.0, 1.0)
    row[1] = clip(raw[1] / 50.0 - 1.0, -1.0, 1.0)
    row[2] = ranked(memory, m.RANK_FORCE, signed_log(raw[2]), LEAST)
    row[3] = clip(ratio(bar.close - raw[3], bar.atr), -8.0, 8.0)
    row[4] = clip(ratio(bar.close - raw[4], bar.atr * math.sqrt(30.0)), -8.0, 8.0)
    row[5] = clip(raw[5], -5.0, 5.0)
    row[6] = clip(raw[6], -5.0, 5.0)
    row[7] = clip(raw[7] / 100.0, -3.0, 3.0)
    row[8] = clip(raw[8] / 100.0, -3.0, 3.0)
    row[9] = ranked_log(memory, m.RANK_ILLIQUID, raw[9], LEAST)


@kernel
def signed_log(value: float) -> float:
    """Return sign(x) ln(1 + abs(x))."""
    return math.copysign(math.log1p(abs(value)), value)


@kernel
def chaikin(memory: Memory, bar: Bar) -> float:
    """Return the Chaikin money flow of 20 bars; a bar without range adds no flow."""
    rings, end = memory.rings, bar.end
    height = bar.high - bar.low
    place = 0.0 if height == 0.0 else (2.0 * bar.close - bar.high - bar.low) / height
    push(rings, m.FLOW, end, place * bar.volume)
    return ratio(total(tail(rings, m.FLOW, end, 20)), total(tail(rings, m.VOLUMES, end, 20)))


@kernel
def money_flow(memory: Memory, bar: Bar) -> float:
    """Return the money flow index of 14 bars, 0 to 100; NaN when no money moved."""
    rings, end = memory.rings, bar.end
    last = rings[m.TYPICAL, end - 1]
    sign = 0.0
    if bar.typical > last:
        sign = 1.0
    elif bar.typical < last:
        sign = -1.0
    push(rings, m.MONEY, end, sign * bar.typical * bar.volume)
    up = down = 0.0
    for money in tail(rings, m.MONEY, end, 14):
        if money < 0.0:
            down -= money
        else:
            up += money  # a NaN comes here and stays
    if math.isnan(up) or up + down == 0.0:
        return NAN
    return 100.0 if down == 0.0 else 100.0 - 100.0 / (1.0 + up / down)


@kernel
def average_price(memory: Memory, end: int) -> float:
    """Return the volume-weighted average of the typical price of 14 bars."""
    prices, volumes = tail(memory.rings, m.TYPICAL, end, 14), tail(memory.rings, m.VOLUMES, end, 14)
    money = 0.0
    for i in range(14):
        money += prices[i] * volumes[i]
    return ratio(money, total(volumes))


@kernel
def day_average_price(cells: FloatArray, bar: Bar, minute: int) -> float:
    """Return the volume-weighted average price since midnight, or since the first bar."""
    day = minute // m.DAY_BARS
    if cells[m.DAY] != day:
        cells[m.DAY] = day
        cells[m.DAY + 1] = cells[m.DAY + 2] = 0.0
    cells[m.DAY + 1] += bar.typical * bar.volume
    cells[m.DAY + 2] += bar.volume
    return ratio(cells[m.DAY + 1], cells[m.DAY + 2])


@kernel
def surprise(memory: Memory, bar: Bar) -> float:
    """Return the z score of ln(1 + V) in its last 60 values."""
    push(memory.rings, m.LOG_VOLUMES, bar.end, math.log1p(bar.volume))
    values = tail(memory.rings, m.LOG_VOLUMES, bar.end, 60)
    return ratio(values[-1] - mean(values), deviation(values, 1))


@kernel
def relative(memory: Memory, bar: Bar) -> float:
    """Return the logarithm of the mean volume of 15 bars over that of a day, or what there is."""
    seen = int(memory.cells[m.COUNT])
    end = m.DAY_BARS + seen % m.DAY_BARS
    push(memory.day, 0, end, bar.volume)
    if seen + 1 < LEAST:
        return NAN
    bars = min(seen + 1, m.DAY_BARS)
    usual = total(tail(memory.day, 0, end, bars)) / bars
    return log_ratio(total(tail(memory.rings, m.VOLUMES, bar.end, 15)) / 15.0, usual)


@kernel
def oscillator(cells: FloatArray, value: float) -> tuple[float, float]:
    """Return the percentage volume oscillator (12, 26) and its distance to its average of 9."""
    fast, slow = ema(cells, m.PVO, 12, value), ema(cells, m.PVO + 2, 26, value)
    line = 100.0 * ratio(fast - slow, slow)
    return line, line - ema(cells, m.PVO + 4, 9, line)


@kernel
def illiquidity(memory: Memory, bar: Bar) -> float:
    """Return Amihud's price impact over 60 bars, per million of quote currency."""
    rings, end = memory.rings, bar.end
    push(rings, m.ILLIQUID, end, abs(bar.ret) / (bar.close * bar.volume + 1.0))
    return 1e6 * total(tail(rings, m.ILLIQUID, end, 60)) / 60.0

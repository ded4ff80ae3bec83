"""Kernels of the 5 and 15 minute groups: build the bar from minutes, compute, hold the result."""

from helios_core.domain.market import Float32Array, FloatArray
from helios_core.market import memory as m
from helios_core.market.bars import observe
from helios_core.market.jit import kernel
from helios_core.market.memory import Memory
from helios_core.market.momentum import rsi
from helios_core.market.price import log_return
from helios_core.market.rolling import clip, ratio
from helios_core.market.trend import adx, macd
from helios_core.market.volatility import bands, ranked_log
from helios_core.market.volume import chaikin

LEAST = 96  # known values in the ranked window
HALFLIFE = 24


@kernel
def coarse(
    memory: Memory, minute: int, bar: FloatArray, minutes: int, raw: FloatArray, row: Float32Array
) -> None:
    """Take in one minute and fill the eight columns with those of the last complete bar.

    Parameters
    ----------
    minute : int
        Open of the minute, counted from 1970 UTC.
    bar : ndarray of shape (5,)
        Its open, high, low, close and volume.
    minutes : int
        Length of the coarse bar.
    """
    bucket = memory.cells[m.BUCKET : m.BUCKET + 6]
    collect(bucket, minute % minutes == 0, bar)
    # a bar whose first minutes were not seen has too few of them and is left out
    if minute % minutes == minutes - 1 and bucket[5] == minutes:
        close_bar(memory, bucket, 36 if minutes == 5 else 96)
    for i in range(8):
        raw[i] = memory.held[0, i]
        row[i] = memory.held[1, i]


@kernel
def collect(bucket: FloatArray, first: bool, bar: FloatArray) -> None:
    """Add a minute to the bar that is being built, or begin one."""
    if first:
        bucket[:5] = bar
        bucket[5] = 1.0
        return
    bucket[1] = max(bucket[1], bar[1])
    bucket[2] = min(bucket[2], bar[2])
    bucket[3] = bar[3]
    bucket[4] += bar[4]
    bucket[5] += 1.0


@kernel
def close_bar(memory: Memory, bucket: FloatArray, lag: int) -> None:
    """Compute the eight values of a complete bar; `lag` is that of the long return."""
    raw, row = memory.held[0], memory.held[1]
    bar = observe(memory, bucket[:5], HALFLIFE, HALFLIFE)
    raw[0], row[0] = log_return(memory, bar, 1)
    raw[1], row[1] = log_return(memory, bar, lag)
    raw[2] = rsi(memory.cells, m.RSI, 14, bar)
    raw[3] = macd(memory.cells, bar.close)[1]
    raw[4] = adx(memory.cells, bar)[0]
    raw[5] = bands(memory, bar)[1]
    raw[6] = bar.atr
    raw[7] = chaikin(memory, bar)
    row[2] = clip(raw[2] / 50.0 - 1.0, -1.0, 1.0)
    row[3] = clip(ratio(raw[3], bar.atr), -5.0, 5.0)
    row[4] = clip(raw[4] / 100.0, 0.0, 1.0)
    row[5] = clip(2.0 * raw[5] - 1.0, -3.0, 3.0)
    row[6] = ranked_log(memory, 0, bar.atr / bar.close, LEAST)
    row[7] = clip(raw[7], -1.0, 1.0)
    memory.cells[m.COUNT] += 1.0

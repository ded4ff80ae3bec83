"""Kernel of the time group: where the close of a bar lies in the day, the week and the hour."""

import math

from helios_core.domain.market import Float32Array, FloatArray
from helios_core.market.jit import kernel

DAY, WEEK, HOUR = 1_440, 10_080, 60  # minutes
MONDAY = 3 * DAY  # 1970-01-01 was a Thursday


@kernel
def session(minute: int, raw: FloatArray, row: Float32Array) -> None:
    """Fill the five columns of the group; `minute` is that of the open, counted from 1970 UTC."""
    close = minute + 1
    day = 2.0 * math.pi * (close % DAY) / DAY
    week = 2.0 * math.pi * ((close + MONDAY) % WEEK) / WEEK
    raw[0], raw[1] = math.sin(day), math.cos(day)
    raw[2], raw[3] = math.sin(week), math.cos(week)
    raw[4] = 1.0 - (close % HOUR) / HOUR  # VALR pays funding on the hour
    for i in range(5):
        row[i] = raw[i]

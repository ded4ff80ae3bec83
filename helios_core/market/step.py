"""The step of tier 1, ``(state, bar) -> row``, and the two entry points that drive it.

`drive` loops the step over history, `take` calls it once. Both are compiled from the same source
in strict arithmetic, so a row is the same to the last bit whoever asked for it.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from helios_core.domain.market import Float32Array, FloatArray, IntArray
from helios_core.market import memory as m
from helios_core.market.bars import observe
from helios_core.market.catalogue import RESTART_AFTER
from helios_core.market.coarse import coarse
from helios_core.market.jit import entry, kernel
from helios_core.market.memory import State, forget, view
from helios_core.market.momentum import momentum
from helios_core.market.price import price
from helios_core.market.session import session
from helios_core.market.trend import trend
from helios_core.market.volatility import volatility
from helios_core.market.volume import volume

Drive = Callable[[FloatArray, IntArray, FloatArray, FloatArray, Float32Array], int]
Take = Callable[[FloatArray, int, FloatArray, FloatArray, Float32Array], int]

HALFLIFE = 60  # of sigma, bars; as many returns must be known


@kernel
def step(state: State, minute: int, bar: FloatArray, raw: FloatArray, row: Float32Array) -> None:
    """Take in one minute and fill the 90 raw and normalized values.

    Parameters
    ----------
    minute : int
        Open of the bar, minutes from 1970 UTC; one after that of the bar before.
    bar : ndarray of shape (5,)
        Open, high, low, close, volume.
    raw, row : ndarray of shape (90,)
        The columns of order book and trades are left alone.
    """
    base = state.base
    seen = observe(base, bar, HALFLIFE, HALFLIFE)
    price(base, seen, raw[0:10], row[0:10])
    trend(base, seen, raw[10:23], row[10:23])
    momentum(base, seen, raw[23:29], row[23:29])
    volatility(base, seen, raw[29:41], row[29:41])
    volume(base, seen, minute, raw[41:51], row[41:51])
    coarse(state.five, minute, bar, 5, raw[51:59], row[51:59])
    coarse(state.fifteen, minute, bar, 15, raw[59:67], row[59:67])
    session(minute, raw[85:90], row[85:90])
    base.cells[m.COUNT] += 1.0
    base.cells[m.CLOCK] = minute


@kernel
def feed(
    flat: FloatArray, state: State, minute: int, bar: FloatArray, raw: FloatArray, row: Float32Array
) -> None:
    """Take in a bar that may follow a hole.

    Missing minutes count as bars at the last close without volume; too many of them, and all is
    forgotten. `state` is the view of `flat`.
    """
    missing = minute - state.base.cells[m.CLOCK] - 1
    if not missing <= RESTART_AFTER:  # NaN before the first bar
        forget(flat)
        missing = 0.0
    quiet = state.base.cells[m.QUIET : m.QUIET + 5]
    quiet[:4] = state.base.cells[m.LAST + 2]
    quiet[4] = 0.0
    for at in range(minute - int(missing), minute + 1):
        step(state, at, bar if at == minute else quiet, raw, row)


def source_version() -> int:
    """Return a number that changes with the source of any kernel."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    return int.from_bytes(digest.digest()[:7])


def _entries(version: int) -> tuple[Drive, Take]:
    # numba keys its cache by what an entry encloses: `version` brings in the kernels' source
    @entry
    def drive(
        flat: FloatArray, minutes: IntArray, bars: FloatArray, raws: FloatArray, rows: Float32Array
    ) -> int:
        state = view(flat)
        for t in range(len(minutes)):
            feed(flat, state, minutes[t], bars[t], raws[t % len(raws)], rows[t])
        return version

    @entry
    def take(
        flat: FloatArray, minute: int, bar: FloatArray, raw: FloatArray, row: Float32Array
    ) -> int:
        feed(flat, view(flat), minute, bar, raw, row)
        return version

    return drive, take


drive, take = _entries(source_version())

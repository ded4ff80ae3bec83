"""The entry points: what their machine code is kept under, and that nothing loads them early."""

import subprocess
import sys

import numpy as np

from helios_core.market.memory import new_state
from helios_core.market.step import drive, source_version, take


def test_kept_machine_code_belongs_to_the_source_of_all_kernels():
    """numba keys its cache by the enclosed values of a function; a rename there would go unseen."""
    for entry in (drive, take):
        enclosed = [cell.cell_contents for cell in entry.py_func.__closure__]

        assert enclosed == [source_version()]


def test_both_drivers_fill_the_same_row_and_the_state_is_all_they_remember():
    bar, minute = np.array([10.0, 11.0, 9.0, 10.5, 3.0]), 28_000_000
    looped, called = new_state(), new_state()
    rows, raws = np.full((3, 90), np.nan, np.float32), np.full((3, 90), np.nan)
    drive(looped, np.arange(minute, minute + 3), np.tile(bar, (3, 1)), raws, rows)
    row, raw = np.full(90, np.nan, np.float32), np.full(90, np.nan)
    for i in range(3):
        take(called, minute + i, bar, raw, row)

    assert np.array_equal(looped, called, equal_nan=True)
    assert np.array_equal(rows[-1], row, equal_nan=True)
    assert np.array_equal(raws[-1], raw, equal_nan=True)


def test_importing_the_tier_does_not_load_the_compiler():
    code = (
        "import sys, helios_core.market.compute, helios_core.market.stream, "
        "helios_core.market.candles; print('numba' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "False"

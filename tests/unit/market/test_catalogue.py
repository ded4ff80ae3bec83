"""The catalogue says what the columns are, and its fingerprint changes when they do."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

from helios_core.market.catalogue import (
    CATALOGUE,
    CATALOGUE_VERSION,
    FEATURE_NAMES,
    FEATURE_SET,
    fingerprint,
    implemented,
    render_markdown,
)


def test_there_are_ninety_features_in_ten_groups():
    sizes = Counter(spec.group for spec in CATALOGUE)

    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 90
    assert list(sizes.items()) == [
        ("price", 10), ("trend", 13), ("momentum", 6), ("volatility", 12), ("volume", 10),
        ("5-minute", 8), ("15-minute", 8), ("order book", 11), ("trades", 7), ("time", 5),
    ]  # fmt: skip


def test_candles_and_the_clock_fill_72_of_them():
    waiting = {spec.group for spec in CATALOGUE if not spec.computed}

    assert len(implemented()) == 72
    assert waiting == {"order book", "trades"}
    assert (FEATURE_NAMES[67], FEATURE_NAMES[78], FEATURE_NAMES[85]) == (
        "ob_spread_bps", "tr_imbalance_1", "t_tod_sin",
    )  # fmt: skip


def test_every_feature_settles_within_the_bars_that_training_skips():
    assert max(spec.warm_up for spec in CATALOGUE) < 4_320
    assert max(spec.converged or 0 for spec in CATALOGUE) < 4_320


def test_the_fingerprint_changes_with_any_field_and_with_the_version():
    first, *rest = CATALOGUE
    others = {
        fingerprint((replace(first, definition="ln(C)"), *rest), CATALOGUE_VERSION),
        fingerprint((replace(first, computed=False), *rest), CATALOGUE_VERSION),
        fingerprint((*rest, first), CATALOGUE_VERSION),
        fingerprint(CATALOGUE, CATALOGUE_VERSION + 1),
    }

    assert re.fullmatch("[0-9a-f]{64}", FEATURE_SET)
    assert fingerprint(CATALOGUE, CATALOGUE_VERSION) == FEATURE_SET
    assert len(others | {FEATURE_SET}) == 5


def test_the_documentation_of_the_features_is_current(project_root):
    """`helios features doc > docs/features.md` brings it up to date."""
    assert (project_root / "docs" / "features.md").read_text() == render_markdown()


def test_the_catalogue_imports_nothing_heavy():
    code = (
        "import sys, helios_core.market.catalogue, helios_core.market.config; "
        "print([m for m in ('numba', 'polars', 'numpy', 'ta', 'pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"

"""The catalogue of tier 1: what the 90 columns of a feature row mean, and its fingerprint.

It imports nothing heavy, so that the command line and the documentation can read it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import groupby

from helios_core.market.config import SETTLED
from helios_core.market.definitions import GROUPS

CATALOGUE_VERSION = 1  # raise it when a kernel changes what it returns under the same definition


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One column.

    Attributes
    ----------
    warm_up : int
        First base bar that can be finite, counted from 0.
    converged : int or None
        Base bars after which the raw value no longer shows where history began, to about 1e-6;
        None where it hangs on a window alone.
    reference : str
        Whose definition it is; empty for a plain formula.
    computed : bool
        False while no kernel fills the column: it stays NaN, and every reader masks it.
    """

    name: str
    group: str
    definition: str
    source: str
    timeframe: str
    normalization: str
    warm_up: int
    converged: int | None
    reference: str
    computed: bool


CATALOGUE: tuple[FeatureSpec, ...] = tuple(
    FeatureSpec(
        name, group, definition, source, timeframe, normalization, warm_up, settled, ref, computed
    )
    for group, timeframe, rows, computed in GROUPS
    for name, definition, source, normalization, warm_up, settled, ref in rows
)

FEATURE_NAMES: tuple[str, ...] = tuple(spec.name for spec in CATALOGUE)


def fingerprint(catalogue: tuple[FeatureSpec, ...], version: int) -> str:
    """Return the sha256 of a catalogue as canonical JSON: equal columns have equal fingerprints."""
    plain = {"version": version, "features": [asdict(spec) for spec in catalogue]}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


FEATURE_SET: str = fingerprint(CATALOGUE, CATALOGUE_VERSION)


def implemented() -> tuple[str, ...]:
    """Return the names of the columns that are computed, in the order of the catalogue."""
    return tuple(spec.name for spec in CATALOGUE if spec.computed)


INTRODUCTION = """\
# The {total} features

Generated from `helios_core/market/catalogue.py` by `helios features doc`; a test compares.
Catalogue version {version}, feature set `{short}`.
{computed} of {total} are computed; the others stay NaN and every reader masks them.

## Conventions

- The base bar is one minute, UTC, named by its open. A row is decided at the close of its bar and
  uses bars that had closed by then; the 5 and 15 minute bars are built from complete sets of
  minutes and joined backward on their close.
- O H L C V are open, high, low, close (quote per base) and volume (base) of the bar, `X[-n]` is X
  n bars ago, `r` = ln(C / C[-1]).
- `sigma` is the exponentially weighted standard deviation of r (half-life 60 bars, at least 60
  returns; 24 and 24 of their own bars on the coarser timeframes), as it was one bar before.
  `ATR` is the raw `volatility_atr` of the same timeframe.
- `rz(x)` = (x - median) / (interquartile range / 1.349), clipped at 5, over the window stated, in
  which at least 240 values (96 on the coarser timeframes) must be known.
- "clip c" limits to [-c, c]. Normalized values are Float32; a scaler fitted on the training part
  follows in tier 2.
- A minute without a candle inside the data counts as a bar at the last close without volume, and
  gets no row. After more than {restart} such minutes the history is taken as broken: everything
  starts anew and warms up again.
- A value that is not known is NaN, never 0: while warming up, where a denominator is 0, and where a
  feed is missing. The only exception is stated by its feature: on a bar without range the four
  `bar_` columns are 0.
- "first" is the first bar that can be finite, "settled" the bars after which the raw value of a
  recursion no longer shows where the history began, to about 1e-6. A ranked window is full after
  1,440 more, and the deviation of 15-minute returns is settled to 1e-4 after 4,320 bars and to
  1e-6 after 7,200. Training skips {settled} bars; live trading reads at least as many.
"""

RESTART_AFTER = 1_440  # minutes without a candle


def render_markdown() -> str:
    """Return docs/features.md."""
    parts = [
        INTRODUCTION.format(
            total=len(CATALOGUE),
            version=CATALOGUE_VERSION,
            short=FEATURE_SET[:12],
            computed=len(implemented()),
            restart=f"{RESTART_AFTER:,}",
            settled=f"{SETTLED:,}",
        )
    ]
    number = 0
    for group, specs in groupby(CATALOGUE, key=lambda spec: spec.group):
        rows = []
        for spec in specs:
            number += 1
            rows.append(_markdown_row(number, spec))
        parts.append(
            f"\n## {group.capitalize()} ({len(rows)})\n\n"
            "| # | name | raw definition | source | normalized | first | settled | reference | "
            "computed |\n|--:|---|---|---|---|--:|--:|---|---|\n" + "".join(rows)
        )
    return "".join(parts)


def _markdown_row(number: int, spec: FeatureSpec) -> str:
    settled = "" if spec.converged is None else f"{spec.converged:,}"
    cells = (
        str(number), f"`{spec.name}`", spec.definition, f"{spec.source}, {spec.timeframe}",
        spec.normalization, f"{spec.warm_up:,}", settled, spec.reference,
        "yes" if spec.computed else "no",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |\n"

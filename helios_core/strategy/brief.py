"""The brief that a strategist reads: numbers of our own in one fixed form, nothing from outside.

The text is a function of the numbers alone, so equal situations have equal hashes and a recorded
answer can be found again.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime

from helios_core.errors import UsageError

HEALTH_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Brief:
    """What tier 4 is told; tuples in the order of `pairs`.

    Attributes
    ----------
    sigma : tuple of float
        Standard deviation of each pair's return over a day, fraction; NaN while unknown.
    exposure : tuple of float
        Weight that each pair has now, fraction of equity.
    drawdown : float
        Fall of equity below its peak, fraction.
    model_health : str
        One line on tier 2, for example "no promoted model".
    """

    as_of: datetime
    pairs: tuple[str, ...]
    sigma: tuple[float, ...]
    exposure: tuple[float, ...]
    drawdown: float
    model_health: str

    def __post_init__(self) -> None:
        if not len(self.pairs) == len(self.sigma) == len(self.exposure):
            raise UsageError(
                f"a brief needs one sigma and one exposure for each of {len(self.pairs)} pairs, "
                f"found {len(self.sigma)} and {len(self.exposure)}"
            )


def render(brief: Brief) -> str:
    """Return the brief as text: pairs sorted, four decimals of a percent, unknown said so."""
    rows = sorted(zip(brief.pairs, brief.sigma, brief.exposure, strict=True))
    lines = [
        f"as_of {brief.as_of.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        f"drawdown {_percent(brief.drawdown)}",
        f"gross_exposure {_percent(sum(abs(x) for x in brief.exposure))}",
        f"model {_one_line(brief.model_health)}",
        *(
            f"pair {_one_line(pair)} sigma_day {_percent(sigma)} exposure {_percent(exposure)}"
            for pair, sigma, exposure in rows
        ),
    ]
    return "\n".join(lines) + "\n"


def digest(text: str) -> str:
    """Return the sha256 of a rendered brief, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _percent(value: float) -> str:
    if not math.isfinite(value):
        return "unknown"
    return f"{round(100 * value, 4) + 0.0:.4f}%"  # adding zero turns -0.0 into 0.0


def _one_line(text: str) -> str:
    """Return printable text on one line, so that no value can pretend to be another field."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:HEALTH_LENGTH]

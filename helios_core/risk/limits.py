"""Limits of the account: each takes a size and returns a stage whose size is never larger."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from helios_core.domain.decisions import Stage
from helios_core.domain.market import BoolArray, FloatArray
from helios_core.errors import RiskError
from helios_core.risk.config import RiskConfig


class Denial(StrEnum):
    """Why a size is zero; the first word of the note that says so."""

    SIGNAL_ABSTAINED = "SIGNAL_ABSTAINED"
    SIGNAL_UNUSABLE = "SIGNAL_UNUSABLE"
    VOLATILITY_UNKNOWN = "VOLATILITY_UNKNOWN"
    ACCOUNT_UNUSABLE = "ACCOUNT_UNUSABLE"
    COST_UNUSABLE = "COST_UNUSABLE"
    EDGE_WITHIN_ERROR = "EDGE_WITHIN_ERROR"
    SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
    GROSS_EXHAUSTED = "GROSS_EXHAUSTED"
    DRAWDOWN_HALT = "DRAWDOWN_HALT"
    DAILY_LOSS_STOP = "DAILY_LOSS_STOP"


@dataclass(frozen=True, slots=True)
class RiskAccount:
    """State of the book that limits look at; fractions of equity."""

    drawdown: float = 0.0  # below the high-water mark, 0.1 is 10 % under it
    daily_loss: float = 0.0  # lost since 00:00 UTC; a gain is negative
    halted: bool = False  # the drawdown halt was on before, see `drawdown_halts`
    losses_in_a_row: int = 0
    other_gross: float = 0.0  # absolute weights that other pairs keep whatever is decided here

    @property
    def usable(self) -> bool:
        """Whether every number can be compared with a limit."""
        return all(math.isfinite(x) for x in (self.drawdown, self.daily_loss, self.other_gross))


def capped(size: float, cap: float) -> float:
    """Return the size, with its sign, cut to `cap` in absolute value."""
    return math.copysign(min(abs(size), max(cap, 0.0)), size)


def direction(size: float, config: RiskConfig) -> Stage:
    """Return zero for a short size unless shorts are allowed."""
    if size >= 0 or config.allow_short:
        return Stage("direction", size, size)
    return Stage("direction", size, 0.0, f"{Denial.SHORT_NOT_ALLOWED}: this desk is long only")


def concentration(size: float, config: RiskConfig) -> Stage:
    """Return at most ``max_weight`` of equity in one pair."""
    note = f"at most {config.max_weight:g} of equity in one pair"
    return Stage("concentration", size, capped(size, config.max_weight), note)


def gross(size: float, account: RiskAccount, config: RiskConfig) -> Stage:
    """Return at most what `other_gross` leaves of ``max_gross``."""
    room = config.max_gross - account.other_gross
    code = f"{Denial.GROSS_EXHAUSTED}: " if room <= 0 else ""
    note = f"{code}{account.other_gross:.4f} of {config.max_gross:g} is taken by other pairs"
    return Stage("gross", size, capped(size, room), note)


def losing_streak(size: float, account: RiskAccount, config: RiskConfig) -> Stage:
    """Return half the size after ``losing_streak`` losing trades in a row."""
    if account.losses_in_a_row < config.losing_streak:
        return Stage("losing_streak", size, size)
    note = f"{account.losses_in_a_row} losses in a row"
    return Stage("losing_streak", size, size / 2, note)


def drawdown(size: float, account: RiskAccount, config: RiskConfig) -> Stage:
    """Return a size that falls linearly with the drawdown, to zero at the halt."""
    if is_halted(account.drawdown, account.halted, config):
        note = (
            f"{Denial.DRAWDOWN_HALT}: drawdown {account.drawdown:.2%}, halted at "
            f"{config.max_drawdown:.2%} until below {config.max_drawdown * config.rearm_share:.2%}"
        )
        return Stage("drawdown", size, 0.0, note)
    factor = min(max(1 - account.drawdown / config.max_drawdown, 0.0), 1.0)
    return Stage("drawdown", size, size * factor, f"drawdown {account.drawdown:.2%}")


def daily_loss(size: float, account: RiskAccount, config: RiskConfig) -> Stage:
    """Return zero for the rest of the UTC day once ``max_daily_loss`` is lost."""
    if account.daily_loss < config.max_daily_loss:
        return Stage("daily_loss", size, size)
    note = (
        f"{Denial.DAILY_LOSS_STOP}: {account.daily_loss:.2%} lost today, the limit is "
        f"{config.max_daily_loss:.2%}; flat until 00:00 UTC"
    )
    return Stage("daily_loss", size, 0.0, note)


def hard_limits(size: float, pair: str, config: RiskConfig) -> Stage:
    """Return the size within every absolute limit, whatever the stages before did."""
    spot = 1.0 if not pair.endswith("PERP") else config.max_leverage
    cap = min(config.max_leverage, config.max_weight, config.max_gross, spot)
    return Stage("hard_limits", size, capped(size, cap) if math.isfinite(size) else 0.0)


def is_halted(drawdown: float, before: bool, config: RiskConfig) -> bool:
    """Return whether the drawdown halt is on, given whether it was on before.

    It goes on at ``max_drawdown`` and off only below ``rearm_share`` of it.
    """
    threshold = config.max_drawdown * (config.rearm_share if before else 1.0)
    return not drawdown < threshold  # NaN halts


def drawdown_halts(drawdowns: FloatArray, config: RiskConfig) -> BoolArray:
    """Return whether the halt was on after each drawdown of a book's history, shape (T,)."""
    if drawdowns.ndim != 1:
        raise RiskError(f"drawdowns must be one series, found shape {drawdowns.shape}")
    halts = np.zeros(len(drawdowns), dtype=np.bool_)
    on = False
    for i, value in enumerate(drawdowns.tolist()):
        on = is_halted(value, on, config)
        halts[i] = on
    return halts

"""Volatility of every bar: GARCH on blocks, or EWMA, or a rolling window where that is refused.

One-minute returns are summed to blocks of 15 minutes, on a grid that is fixed to the clock when
open times are given: GARCH on raw minutes would model bid-ask bounce. At each refit (00:00 UTC)
GARCH is fitted on the blocks of the window before it and accepted or refused by the rules of
`garch.fit_garch`; accepted parameters filter the blocks from the start of that window on, until
the next refit. After a refused fit the last accepted parameters stay in use for a week, then the
EWMA of the blocks stands in. Before enough blocks are known it is the rolling variance of bars.

A bar knows the blocks that had ended with it. The variance of the block under way is spread evenly
over its bars; over a horizon the closed-form forecasts of the blocks ahead are added up, the first
and the last one in part. The value at t depends on returns up to t alone; where it is a fresh
GARCH, on none older than the window and one refit interval, so that a decision made from a short
history equals that of a backtest. The daily pattern of volatility is not modeled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helios_core.domain.market import FloatArray, IntArray, TimeArray
from helios_core.errors import RiskError
from helios_core.risk.config import RiskConfig, VolatilityConfig
from helios_core.risk.garch import (
    GarchFit,
    GarchParams,
    ewma_variance,
    filter_variance,
    fit_garch,
    start_variance,
)


@dataclass(frozen=True, slots=True)
class VolatilityPoint:
    """Volatility as known at the close of one bar; NaN while it is not."""

    sigma: float  # standard deviation of the next bar's log return
    sigma_horizon: float  # of the log return over the next `horizon` bars
    horizon: int  # bars
    method: str  # garch | ewma | rolling | none
    note: str = ""  # why it is not a fresh GARCH, empty when it is


@dataclass(frozen=True, slots=True)
class Refit:
    """One fit in the course of time, from returns before row `row` only."""

    row: int  # first bar that it may be used for, counted in bars since the first one
    fit: GarchFit


@dataclass(frozen=True, slots=True, eq=False)
class VolatilityForecast:
    """Volatility as known at the close of each bar, arrays of shape (T,).

    Attributes
    ----------
    sigma, sigma_horizon : ndarray of float64
        Standard deviation of the next bar's log return, and over the next `horizon` bars.
    method : ndarray of str
        garch, ewma, rolling or none.
    reason : ndarray of int64
        Index into `reasons`: why a row is not a fresh GARCH, empty where it is.
    refits : tuple of Refit
        Every fit, accepted or not, oldest first.
    """

    sigma: FloatArray
    sigma_horizon: FloatArray
    horizon: int
    method: NDArray[np.str_]
    reason: IntArray
    reasons: tuple[str, ...]
    refits: tuple[Refit, ...]

    def __len__(self) -> int:
        return len(self.sigma)

    @property
    def note(self) -> str:
        """One sentence: how many fits there were, and why the last refused one was."""
        refused = [refit.fit.reason for refit in self.refits if not refit.fit.accepted]
        text = f"{len(self.refits) - len(refused)} of {len(self.refits)} GARCH fits accepted"
        return f"{text}; last refused because {refused[-1]}" if refused else text


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    returns: FloatArray  # (B,) of each block, NaN where less than half of its bars are known
    last: IntArray  # (T,) newest block that had ended with the bar, -1 for none
    elapsed: IntArray  # (T,) bars of the block under way that had ended with the bar
    first: int  # number of the first block since 1970


@dataclass(frozen=True, slots=True)
class _Regime:
    """How variance is forecast for a while; `decay` 1 means that forecasts stay level."""

    method: str
    reason: str
    long_run: float = 0.0
    decay: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    following: FloatArray  # (B,) variance of the next block as known at the end of each
    regime: IntArray  # (B,) index into `regimes`
    regimes: tuple[_Regime, ...]
    refits: tuple[Refit, ...]


def forecast_volatility(
    returns: FloatArray,
    horizon: int,
    config: RiskConfig,
    *,
    open_time: TimeArray | None = None,
) -> VolatilityForecast:
    """Return the volatility that was known at the close of each bar.

    Parameters
    ----------
    returns : ndarray of shape (T,)
        Log returns of bars of ``config.volatility.bar_minutes``, oldest first; NaN where unknown.
    horizon : int
        Bars ahead that `sigma_horizon` covers.
    open_time : ndarray of datetime64[us], shape (T,), optional
        Open times, strictly rising. They place the bars on the clock and show holes; without them
        bars count from midnight without holes.

    Raises
    ------
    RiskError
        If `horizon` is below 1, or open times do not rise or do not match the returns.
    """
    if horizon < 1:
        raise RiskError(f"a volatility horizon has at least 1 bar, found {horizon}")
    c = config.volatility
    blocks = _blocks(returns, open_time, c)
    path = _variance_path(blocks, c)
    row = np.maximum(blocks.last, 0)
    known = (blocks.last >= 0) & np.isfinite(path.following[row])
    regime = path.regime[row]
    per_bar = path.following[row] / c.bars_per_block
    level = np.array([r.long_run for r in path.regimes])
    weights = np.stack([_weights_ahead(r.decay, horizon, c.bars_per_block) for r in path.regimes])
    ahead = (
        level[regime] * horizon / c.bars_per_block
        + (path.following[row] - level[regime]) * weights[regime, blocks.elapsed]
    )
    rolling = _rolling_variance(returns, ~known, c.rolling_bars)
    variance = np.where(known, per_bar, rolling)
    early = np.where(np.isfinite(rolling), 1, 0)  # rolling, else none
    names = np.array(["none", "rolling", *(r.method for r in path.regimes)])
    which = np.where(known, regime + 2, early)
    return VolatilityForecast(
        sigma=np.sqrt(variance),
        sigma_horizon=np.sqrt(np.where(known, ahead, rolling * horizon)),
        horizon=horizon,
        method=names[which],
        reason=which,
        reasons=(
            f"fewer than {c.rolling_bars} bars in a row are known",
            f"fewer than {c.ewma_warmup_blocks} blocks of {c.block_minutes} minutes are known",
            *(r.reason for r in path.regimes),
        ),
        refits=path.refits,
    )


def point_at(forecast: VolatilityForecast, row: int) -> VolatilityPoint:
    """Return what was known at the close of bar `row`."""
    return VolatilityPoint(
        sigma=float(forecast.sigma[row]),
        sigma_horizon=float(forecast.sigma_horizon[row]),
        horizon=forecast.horizon,
        method=str(forecast.method[row]),
        note=forecast.reasons[int(forecast.reason[row])],
    )


def _blocks(returns: FloatArray, open_time: TimeArray | None, c: VolatilityConfig) -> _Blocks:
    number = _bar_numbers(len(returns), open_time, c)
    size = c.bars_per_block
    first = int(number[0]) // size if len(number) else 0
    block, place = number // size - first, number % size
    finite = np.isfinite(returns)
    count = int(block[-1]) + 1 if len(block) else 1
    total = np.bincount(block, np.where(finite, returns, 0.0), minlength=count)
    known = np.bincount(block, finite, minlength=count)
    return _Blocks(
        returns=np.where(2 * known >= size, total, np.nan),
        last=block - (place < size - 1),
        elapsed=(place + 1) % size,
        first=first,
    )


def _bar_numbers(count: int, open_time: TimeArray | None, c: VolatilityConfig) -> IntArray:
    """Return the number of each bar since 1970, shape (T,)."""
    if open_time is None:
        return np.arange(count, dtype=np.int64)
    if len(open_time) != count:
        raise RiskError(f"{count} returns need as many open times, found {len(open_time)}")
    minutes = open_time.astype("datetime64[m]").astype(np.int64)
    number = np.asarray(minutes // c.bar_minutes)
    if (np.diff(number) <= 0).any():
        raise RiskError(f"open times must rise by at least {c.bar_minutes} minutes from bar to bar")
    return number


def _variance_path(blocks: _Blocks, c: VolatilityConfig) -> _Path:
    """Return the EWMA of the blocks, overwritten by GARCH where one was accepted."""
    complete = int(blocks.last[-1]) + 1 if len(blocks.last) else 0
    following = ewma_variance(blocks.returns, c.block_decay, c.ewma_warmup_blocks)
    regime = np.zeros(len(following), dtype=np.int64)
    regimes = [_Regime("ewma", "there was no GARCH fit yet")]
    refits: list[Refit] = []
    accepted: tuple[int, GarchParams] | None = None
    every = c.blocks_per_refit
    for at in range(-blocks.first % every or every, complete + 1, every):
        since, until = max(0, at - c.window_blocks), at + every - 1
        fit = fit_garch(blocks.returns[since:at], c)
        refits.append(Refit(at * c.bars_per_block, fit))
        if fit.accepted and fit.params is not None:
            accepted = (at, fit.params)
        if accepted and (at - accepted[0]) * c.block_minutes <= c.max_age_minutes:
            past, seen = blocks.returns[since:at], blocks.returns[since:until]
            params = accepted[1]
            path = filter_variance(seen, params, start_variance(past, params))
            following[at - 1 : until] = path[at - since :]
            regimes.append(_garch_regime(params, at - accepted[0], fit, c))
        else:
            regimes.append(_Regime("ewma", fit.reason))
        regime[at - 1 : until] = len(regimes) - 1
    return _Path(following, regime, tuple(regimes), tuple(refits))


def _garch_regime(params: GarchParams, age: int, fit: GarchFit, c: VolatilityConfig) -> _Regime:
    hours = age * c.block_minutes / 60
    reason = f"parameters are {hours:g} hours old: {fit.reason}" if age else ""
    return _Regime("garch", reason, params.long_run, params.persistence)


def _weights_ahead(decay: float, horizon: int, size: int) -> FloatArray:
    """Return by how much the next block's deviation counts over the horizon, shape (size,).

    Entry m is for m bars of the block under way gone: with f bars of it left in the horizon and r
    in the block that the horizon ends in, ``(f + size (d + d^2 + ... + d^n) + r d^(n+1)) / size``.
    """
    elapsed = np.arange(size)
    here = np.minimum(size - elapsed, horizon)
    whole, rest = np.divmod(horizon - here, size)
    powers = decay ** np.arange(1, horizon // size + 2)
    sums = np.concatenate([[0.0], np.cumsum(powers)])
    return np.asarray(here / size + sums[whole] + rest / size * powers[whole])


def _rolling_variance(returns: FloatArray, wanted: NDArray[np.bool_], bars: int) -> FloatArray:
    """Return the mean square of the last `bars` returns, NaN where unwanted or one is unknown."""
    out = np.full(len(returns), np.nan)
    if len(returns) < bars or not wanted.any():
        return out
    rows = np.flatnonzero(wanted)
    rows = rows[rows >= bars - 1]
    windows = np.lib.stride_tricks.sliding_window_view(returns, bars)
    out[rows] = (windows[rows - bars + 1] ** 2).mean(axis=1)
    return out

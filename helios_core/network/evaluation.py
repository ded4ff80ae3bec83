"""Measure forecasts against what happened: skill, calibration, and trades after cost."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from helios_core.domain.market import FloatArray, IntArray
from helios_core.domain.runs import Json
from helios_core.network.baselines import Forecast
from helios_core.network.metrics import (
    Interval,
    auc,
    bootstrap_auc,
    bootstrap_means,
    brier,
    calibration_error,
    class_losses,
)
from helios_core.network.samples import Samples

QUANTILES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
MIN_CHOSEN = 10  # trades on validation below which a threshold is not trusted
STRESS = 1.5  # times the cost


@dataclass(frozen=True, slots=True)
class Score:
    """Skill of one forecast on the test part; nats for losses, NaN where it has no answer."""

    hit_auc: float
    direction_auc: float
    direction_low: float  # 95 % block-bootstrap interval
    direction_high: float
    log_loss: float  # of SELL, HOLD, BUY
    brier_hit: float
    calibration_hit: float
    calibration_direction: float
    accuracy: float

    def to_json(self) -> Json:
        """Return plain JSON; NaN becomes null."""
        return {k: (v if math.isfinite(v) else None) for k, v in asdict(self).items()}


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Trades that do not overlap within a pair; arrays of shape (K,) in order of decision.

    `sample` are positions in the samples they were chosen from, `side` is +1 long or -1 short,
    `gross` the return as a fraction before cost.
    """

    sample: IntArray
    side: IntArray
    gross: FloatArray

    def __len__(self) -> int:
        return len(self.sample)

    def net_mean(self, cost: float) -> float:
        """Return the mean net return of a trade as a fraction; NaN without trades."""
        return float(self.gross.mean()) - cost if len(self) else math.nan


def score_forecast(
    samples: Samples,
    forecast: Forecast,
    *,
    block: float,
    resamples: int,
    rng: np.random.Generator,
) -> Score:
    """Return the skill of `forecast` on `samples`, both in time order.

    Parameters
    ----------
    block : float
        Mean block of the bootstrap in samples, at least the number of overlapping labels.
    """
    hit, up = samples.outcome != 0, samples.outcome > 0
    direction = Interval(math.nan, math.nan, math.nan)
    if np.ptp(forecast.p_up):
        direction = bootstrap_auc(up, forecast.p_up, hit, block=block, resamples=resamples, rng=rng)
    p = forecast.classes
    return Score(
        hit_auc=auc(hit, forecast.p_hit),
        direction_auc=direction.point,
        direction_low=direction.low,
        direction_high=direction.high,
        log_loss=float(class_losses(samples.outcome, p).mean()) if len(p) else math.nan,
        brier_hit=brier(hit, forecast.p_hit),
        calibration_hit=calibration_error(hit, forecast.p_hit),
        calibration_direction=calibration_error(up[hit], forecast.p_up[hit]),
        accuracy=float((p.argmax(axis=1) - 1 == samples.outcome).mean()) if len(p) else math.nan,
    )


def expected_gross(samples: Samples, forecast: Forecast) -> FloatArray:
    """Return the expected return of a long trade before cost if time-outs earn nothing, (N,)."""
    p = forecast.classes
    return p[:, 2] * samples.barrier_up - p[:, 0] * samples.barrier_down


def pick_trades(samples: Samples, forecast: Forecast, threshold: float) -> Trades:
    """Return trades where the expected move exceeds `threshold`, one at a time for each pair.

    A pair is free again at the first decision not earlier than the end of its last trade.
    """
    edge = expected_gross(samples, forecast)
    free = {int(number): samples.as_of[0] for number in np.unique(samples.pair)}
    chosen: list[int] = []
    for i in np.flatnonzero(np.abs(edge) > threshold):
        number = int(samples.pair[i])
        if samples.as_of[i] >= free[number]:
            chosen.append(int(i))
            free[number] = samples.end_time[i]
    at = np.array(chosen, np.int64)
    side = np.sign(edge[at]).astype(np.int64)
    gross = np.where(side > 0, samples.long_return[at], samples.short_return[at])
    return Trades(at, side, gross)


def choose_threshold(samples: Samples, forecast: Forecast, cost: float) -> float:
    """Return the expected move whose trades have the best mean net of cost over its error.

    Candidates are quantiles of the expected move on these samples, which must be the validation
    part. If none leads to ten trades, the lowest candidate is returned.
    """
    candidates = np.quantile(np.abs(expected_gross(samples, forecast)), QUANTILES)
    best, best_t = float(candidates[0]), -math.inf
    for threshold in candidates:
        net = pick_trades(samples, forecast, float(threshold)).gross - cost
        if len(net) < MIN_CHOSEN or net.std() == 0.0:
            continue
        t = float(net.mean() / net.std() * math.sqrt(len(net)))
        if t > best_t:
            best, best_t = float(threshold), t
    return best


def daily_net(samples: Samples, trades: Trades, cost: float) -> FloatArray:
    """Return the sum of net returns of each calendar day between first and last decision."""
    day = samples.as_of.astype("datetime64[D]").astype(np.int64)
    held = day[trades.sample] - day[0]
    sums = np.bincount(held, weights=trades.gross - cost, minlength=int(day[-1] - day[0]) + 1)
    return np.asarray(sums, np.float64)


def superiority(
    daily: FloatArray, rival: FloatArray, *, resamples: int, rng: np.random.Generator
) -> float:
    """Return the bootstrap probability that `daily` beats `rival`, in blocks of about 3 days."""
    if len(daily) < 2:
        return math.nan
    means = bootstrap_means(daily - rival, block=3.0, resamples=resamples, rng=rng)
    return float((means > 0.0).mean())


def trade_summary(trades: Trades, cost: float, threshold: float) -> Json:
    """Return counts and mean returns in basis points; null where there was no trade."""
    long = trades.side > 0

    def bps(values: FloatArray) -> float | None:
        return float(values.mean()) * 1e4 if len(values) else None

    return {
        "threshold": threshold,
        "cost_bps": cost * 1e4,
        "trades": len(trades),
        "long": int(long.sum()),
        "short": int((~long).sum()),
        "gross_bps": bps(trades.gross),
        "net_bps": bps(trades.gross - cost),
        "net_stressed_bps": bps(trades.gross - STRESS * cost),
        "net_long_bps": bps(trades.gross[long] - cost),
        "net_short_bps": bps(trades.gross[~long] - cost),
        "win_rate": float((trades.gross > cost).mean()) if len(trades) else None,
    }


def best_direction(scores: Mapping[str, Score]) -> float:
    """Return the best direction AUC of any baseline; 0.5 if none has a direction."""
    known = [s.direction_auc for s in scores.values() if math.isfinite(s.direction_auc)]
    return max(known, default=0.5)

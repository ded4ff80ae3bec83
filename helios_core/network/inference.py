"""Score feature rows with a trained network; the last row alone and all of history agree."""

import math
from dataclasses import dataclass
from datetime import UTC

import numpy as np
import torch
from numpy.typing import NDArray

from helios_core.domain.decisions import Signal, SignalFrame
from helios_core.domain.market import (
    BoolArray,
    CandleFrame,
    FeatureFrame,
    Float32Array,
    FloatArray,
    IntArray,
)
from helios_core.errors import ModelError
from helios_core.network.architecture import HeliosNet, cpu_threads, read_windows, window_offsets
from helios_core.network.baselines import Forecast
from helios_core.network.calibration import sigmoid
from helios_core.network.config import NetworkConfig
from helios_core.network.labels import barriers, open_times
from helios_core.network.samples import Samples, barrier_context
from helios_core.network.windows import Scaler, ready, to_grid

BATCH = 256  # always full: a matrix product of another shape rounds differently


@dataclass(frozen=True, slots=True)
class Calibration:
    """Served logit = raw / temperature, one temperature a head, fitted on validation.

    `direction_center` is the median of the raw direction logit there.
    """

    hit_temperature: float = 1.0
    direction_temperature: float = 1.0
    class_temperature: float = 1.0
    direction_center: float = 0.0

    @property
    def center_up(self) -> float:
        """Median probability of a rise on validation."""
        served = self.direction_center / self.direction_temperature
        return float(sigmoid(np.array([served]))[0])

    def forecast(self, raw: "RawHeads", *, centered: bool = False) -> Forecast:
        """Return calibrated probabilities.

        `centered` leaves the direction as the network gives it, measured from its median: what a
        model that calibration has silenced would have said.
        """
        direction = raw.direction / self.direction_temperature
        if centered:
            direction = raw.direction - self.direction_center
        return Forecast(p_hit=sigmoid(raw.hit / self.hit_temperature), p_up=sigmoid(direction))


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Rows to answer for: block row and pair number (N,), scaled context (N, 3)."""

    row: IntArray
    pair: IntArray
    context: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class RawHeads:
    """Uncalibrated answers as float64: `hit`, `direction`, `log_sigma` (N,), `classes` (N, 3)."""

    hit: FloatArray
    direction: FloatArray
    log_sigma: FloatArray
    classes: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A network with everything that serving it needs."""

    model_id: str
    net: HeliosNet
    config: NetworkConfig
    scaler: Scaler
    context_scaler: Scaler
    calibration: Calibration
    pairs: tuple[str, ...]
    names: tuple[str, ...]
    feature_set: str
    centered: bool = False  # see `Calibration.forecast`; never for a promoted model

    def forecast(self, values: Float32Array, samples: Samples) -> Forecast:
        """Return calibrated probabilities of `samples` on the scaled block `values`."""
        raw = run_network(self.net, values, question(samples, self.context_scaler))
        return self.calibration.forecast(raw, centered=self.centered)


def score(model: LoadedModel, features: FeatureFrame, candles: CandleFrame) -> SignalFrame:
    """Return the signals of every feature row.

    Parameters
    ----------
    model : LoadedModel
        From `artifacts.load_model` or `training.train`.
    features : FeatureFrame of T rows
        Of the same feature set as the model.
    candles : CandleFrame
        Of the same pair and timeframe; they give the barriers.

    Returns
    -------
    SignalFrame
        Arrays of shape (T,), NaN where too few features are finite or volatility warms up.
        ``p_buy = p_hit * p_up``, ``p_sell = p_hit * (1 - p_up)``, ``p_hold = 1 - p_hit``.

    Raises
    ------
    ModelError
        If the features are not those of the model.
    """
    _require_same_features(model, features)
    shape = model.config.shape
    grid = to_grid(features, shape.lookback)
    volatility, up, down = _barriers_at(features, candles, model)
    usable = ready(features.values, model.scaler.active, model.config.min_valid) & np.isfinite(up)
    number = model.pairs.index(features.pair) + 1 if features.pair in model.pairs else 0
    at = np.flatnonzero(usable)
    asked = Question(
        row=grid.row[at],
        pair=np.full(len(at), number, np.int64),
        context=model.context_scaler.apply(barrier_context(volatility, up, down)[at]),
    )
    raw = run_network(model.net, model.scaler.apply(grid.values), asked)
    forecast = model.calibration.forecast(raw, centered=model.centered)
    p = forecast.classes
    bar = np.timedelta64(features.timeframe.duration)
    return SignalFrame(
        pair=features.pair,
        as_of=features.open_time + bar,
        p_sell=_spread(p[:, 0], usable),
        p_hold=_spread(p[:, 1], usable),
        p_buy=_spread(p[:, 2], usable),
        p_hit=_spread(forecast.p_hit, usable),
        p_up=_spread(forecast.p_up, usable),
        barrier_up=up,
        barrier_down=down,
        horizon=model.config.label.horizon,
        model_id=model.model_id,
    )


def signal_at(frame: SignalFrame, i: int) -> Signal:
    """Return row `i` (negative counts from the end); an unusable row abstains and says why."""
    as_of = frame.as_of[i].astype("datetime64[us]").item().replace(tzinfo=UTC)
    up, down = float(frame.barrier_up[i]), float(frame.barrier_down[i])
    known = all(math.isfinite(float(a[i])) for a in (frame.p_hit, frame.p_up, frame.barrier_up))
    if not known:
        return Signal(
            pair=frame.pair, as_of=as_of, p_sell=0.0, p_hold=1.0, p_buy=0.0, p_hit=0.0, p_up=0.5,
            horizon=frame.horizon, barrier_up=up, barrier_down=down, model_id=None,
            reason="features or volatility are still warming up, or too many are missing",
        )  # fmt: skip
    return Signal(
        pair=frame.pair,
        as_of=as_of,
        p_sell=float(frame.p_sell[i]),
        p_hold=float(frame.p_hold[i]),
        p_buy=float(frame.p_buy[i]),
        p_hit=float(frame.p_hit[i]),
        p_up=float(frame.p_up[i]),
        horizon=frame.horizon,
        barrier_up=up,
        barrier_down=down,
        model_id=frame.model_id,
    )


def question(samples: Samples, context_scaler: Scaler) -> Question:
    """Return what the network is asked for `samples`."""
    return Question(samples.row, samples.pair, context_scaler.apply(samples.context))


def run_network(net: HeliosNet, values: Float32Array, asked: Question) -> RawHeads:
    """Return the raw heads for rows of the scaled block `values` (G, F).

    Every batch has `BATCH` rows, the last one filled up with copies of its first row, so that an
    answer does not depend on how many were asked for.
    """
    device = next(net.parameters()).device
    block = torch.from_numpy(np.ascontiguousarray(values)).to(device)
    window_rows = window_offsets(net.config, device)
    count = len(asked.row)
    fill = np.concatenate([np.arange(count), np.zeros(-count % BATCH, np.int64)])
    answers: list[NDArray[np.float64]] = [np.empty((0, 6))]
    was_training = net.training
    net.eval()
    with cpu_threads(net.config.train.threads), torch.inference_mode():
        for start in range(0, len(fill), BATCH):
            pick = fill[start : start + BATCH]
            row, pair, context = (
                torch.from_numpy(array[pick]).to(device)
                for array in (asked.row, asked.pair, asked.context)
            )
            heads = net(read_windows(block, row, window_rows), pair, context)
            columns = (heads.hit, heads.direction, heads.log_sigma)
            joined = torch.cat([torch.stack(columns, dim=1), heads.classes], dim=1)  # (B, 6)
            answers.append(joined.double().cpu().numpy())
    net.train(was_training)
    out = np.concatenate(answers)[:count]
    return RawHeads(out[:, 0], out[:, 1], out[:, 2], out[:, 3:])


def _barriers_at(features: FeatureFrame, candles: CandleFrame, model: LoadedModel) -> FloatArray:
    """Return volatility and both barriers at the feature rows, shape (3, T), NaN if unknown."""
    known = np.full((3, len(features)), np.nan)
    if candles.is_empty():
        return known
    found = (candles["pair"][0], candles["timeframe"][0])
    if found != (features.pair, features.timeframe.value):
        raise ModelError(
            f"features of {features.pair} {features.timeframe.value} need candles of the same "
            f"pair and timeframe, found {found[0]} {found[1]}"
        )
    opened = open_times(candles)
    at = np.minimum(np.searchsorted(opened, features.open_time), len(opened) - 1)
    matched = opened[at] == features.open_time
    known[:, matched] = np.stack(barriers(candles, model.config.label))[:, at[matched]]
    return known


def _spread(values: FloatArray, usable: BoolArray) -> FloatArray:
    full = np.full(len(usable), np.nan)
    full[usable] = values
    return full


def _require_same_features(model: LoadedModel, features: FeatureFrame) -> None:
    if (features.feature_set, features.names) != (model.feature_set, model.names):
        raise ModelError(
            f"model {model.model_id} was trained on feature set {model.feature_set[:12]} of "
            f"{len(model.names)} features, found {features.feature_set[:12]} of "
            f"{len(features.names)}; train a new model on the present catalogue"
        )

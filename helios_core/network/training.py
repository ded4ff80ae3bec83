"""Fit HeliosNet on the past, calibrate on validation, measure on what came after both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import torch

from helios_core.domain.market import CandleFrame, FeatureFrame, Float32Array, IntArray
from helios_core.domain.runs import Json
from helios_core.errors import ModelError
from helios_core.network.architecture import HeliosNet
from helios_core.network.baselines import fit_baselines
from helios_core.network.calibration import fit_class_temperature, fit_temperature
from helios_core.network.config import RECIPE, NetworkConfig, TrainConfig, digest
from helios_core.network.fitting import Epoch, batches, fit, repeatable, weighted_prior
from helios_core.network.gates import GateEvidence
from helios_core.network.inference import Calibration, LoadedModel, RawHeads, question, run_network
from helios_core.network.report import Exam, Report, measure
from helios_core.network.samples import Dataset, Samples, build_dataset, sample_weights
from helios_core.network.splits import Split, leaks, purged_split
from helios_core.network.windows import fit_scaler

MIN_OUTCOMES = 10  # labels of each kind below which a part says nothing


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A fitted model in memory, and how it did on the test part."""

    model: LoadedModel
    version: str  # content hash of data, label rules, config and seed
    history: tuple[Epoch, ...]
    report: Report
    effective_samples: float
    parts: Json  # sample counts and boundaries of train, validation, test
    data_from: datetime
    data_to: datetime

    @property
    def evidence(self) -> GateEvidence:
        """What the promotion gate looks at."""
        return self.report.evidence

    @property
    def metrics(self) -> Json:
        """Everything measured, as plain JSON."""
        return {
            **self.report.to_json(),
            "parts": self.parts,
            "effective_samples": self.effective_samples,
            "epochs": len(self.history),
            "best_validation_loss": min(e.validation_loss for e in self.history),
        }


def train(
    features: Sequence[FeatureFrame],
    candles: Sequence[CandleFrame],
    config: NetworkConfig,
    *,
    progress: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Fit a network on all pairs and measure it on the newest part of the data.

    The same inputs, config and seed give the same weights on the same machine.

    Parameters
    ----------
    features, candles : sequences of equal length
        Position i of both is the same pair and timeframe.
    config : NetworkConfig
        Size, labels (with the cost) and training.
    progress : callable, optional
        Called after every epoch.

    Raises
    ------
    ModelError
        If features or labels are too few, or an outcome is missing from a part.
    """
    data, split = _prepare(features, candles, config)
    part = {name: data.samples.take(i) for name, i in _parts(split).items()}
    _require_outcomes(part)
    fit_on = _thinned(part["train"], config.train.stride)
    watch = _thinned(part["validation"], config.train.stride)
    scaler = fit_scaler(_seen_rows(data.values, part["train"]))
    context_scaler = fit_scaler(fit_on.context)
    values = scaler.apply(data.values)
    weight, effective = sample_weights(fit_on, config.train.age_days)
    device = _device(config.train)
    with repeatable(config.train.seed, config.train.threads):
        net = HeliosNet(config).to(device)
        block = torch.from_numpy(values).to(device)
        both = (
            batches(block, fit_on, context_scaler, weight),
            batches(block, watch, context_scaler, np.ones(len(watch))),
        )
        history = fit(net, both, weighted_prior(fit_on, weight), config.train, progress)
        net = net.cpu()
        raw = run_network(net, values, question(part["validation"], context_scaler))
    version = _version(data, config)
    model = LoadedModel(
        model_id=f"candidate-{version}",
        net=net,
        config=config,
        scaler=scaler,
        context_scaler=context_scaler,
        calibration=_calibrate(raw, part["validation"]),
        pairs=data.pairs,
        names=data.names,
        feature_set=data.feature_set,
    )
    return Trained(
        model=model,
        version=version,
        history=history,
        report=_measured(model, data, split),
        effective_samples=effective,
        parts=_describe(part, split, len(fit_on)),
        data_from=_aware(data.samples.as_of.min()),
        data_to=_aware(data.samples.end_time.max()),
    )


def evaluate(
    model: LoadedModel, features: Sequence[FeatureFrame], candles: Sequence[CandleFrame]
) -> Report:
    """Measure a stored model again on the test part of the data it was trained on.

    Raises
    ------
    ModelError
        If these are not the features and candles of its training: on other data its split would
        move and training rows could end up in the test part.
    """
    data, split = _prepare(features, candles, model.config)
    version = _version(data, model.config)
    if not model.model_id.endswith(version):
        raise ModelError(
            f"{model.model_id} was trained on other data than these (they make version {version}); "
            f"load the candles and features of its card, or train a new model"
        )
    return _measured(model, data, split)


def _prepare(
    features: Sequence[FeatureFrame], candles: Sequence[CandleFrame], config: NetworkConfig
) -> tuple[Dataset, Split]:
    data = build_dataset(features, candles, config)
    embargo: timedelta = config.train.embargo * features[0].timeframe.duration
    split = purged_split(
        data.samples.as_of,
        data.samples.end_time,
        validation_share=config.train.validation_share,
        test_share=config.train.test_share,
        embargo=embargo,
    )
    return data, split


def _measured(model: LoadedModel, data: Dataset, split: Split) -> Report:
    values = model.scaler.apply(data.values)
    part = {name: data.samples.take(i) for name, i in _parts(split).items()}
    forecast = {name: model.forecast(values, part[name]) for name in ("validation", "test")}
    fit_on = _thinned(part["train"], model.config.train.stride)
    plain = fit_baselines(fit_on, values[fit_on.row], part["test"], values[part["test"].row])
    ends = data.samples.end_time
    leaked = leaks(ends, split.train, split.validation_start).sum()
    leaked += leaks(ends, split.validation, split.test_start).sum()
    exam = Exam(
        validation=part["validation"],
        validation_forecast=forecast["validation"],
        test=part["test"],
        test_forecast=forecast["test"],
        baselines=plain,
        temperatures=(model.calibration.hit_temperature, model.calibration.direction_temperature),
        feature_set=model.feature_set,
        leaked=int(leaked),
    )
    return measure(exam, model.config)


def _parts(split: Split) -> dict[str, IntArray]:
    return {"train": split.train, "validation": split.validation, "test": split.test}


def _thinned(samples: Samples, stride: int) -> Samples:
    """Return every `stride`-th bar of each pair; every n-th sample could be one pair only."""
    return samples.take(np.flatnonzero(samples.start % stride == 0))


def _seen_rows(values: Float32Array, train: Samples) -> Float32Array:
    """Return the block rows between the first and last training sample of each pair."""
    rows = []
    for number in np.unique(train.pair):
        own = train.row[train.pair == number]
        rows.append(values[own.min() : own.max() + 1])
    return np.concatenate(rows)


def _version(data: Dataset, config: NetworkConfig) -> str:
    return digest([RECIPE, data.content, config.to_json()])[:12]


def _device(config: TrainConfig) -> torch.device:
    available = torch.cuda.is_available()
    if config.device == "cuda" and not available:
        raise ModelError(
            "train.device is cuda and torch finds no CUDA device; install a CUDA build of torch "
            "or set train.device to auto"
        )
    return torch.device("cuda" if available and config.device != "cpu" else "cpu")


def _require_outcomes(parts: dict[str, Samples]) -> None:
    for name, samples in parts.items():
        found = {word: int((samples.outcome == o).sum()) for word, o in _OUTCOMES.items()}
        if min(found.values()) < MIN_OUTCOMES:
            raise ModelError(
                f"the {name} part needs at least {MIN_OUTCOMES} labels of each outcome, found "
                f"{found['SELL']} SELL, {found['HOLD']} HOLD and {found['BUY']} BUY; import a "
                f"longer history, or move the barriers (label.k_up, label.k_down, label.cost, "
                f"label.horizon)"
            )


_OUTCOMES = {"SELL": -1, "HOLD": 0, "BUY": 1}


def _describe(parts: dict[str, Samples], split: Split, used: int) -> Json:
    described: Json = {"purged": split.purged, "trained_on": used}
    for name, samples in parts.items():
        described[name] = {
            "samples": len(samples),
            "first": _aware(samples.as_of.min()).isoformat(),
            "last": _aware(samples.as_of.max()).isoformat(),
            **{word: int((samples.outcome == o).sum()) for word, o in _OUTCOMES.items()},
        }
    return described


def _aware(time: np.datetime64) -> datetime:
    moment: datetime = time.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)


def _calibrate(raw: RawHeads, validation: Samples) -> Calibration:
    hit, up = validation.outcome != 0, validation.outcome > 0
    named = validation.outcome.astype(np.int64) + 1
    direction = fit_temperature(raw.direction[hit], up[hit])
    return Calibration(
        hit_temperature=fit_temperature(raw.hit, hit),
        direction_temperature=direction,
        class_temperature=fit_class_temperature(raw.classes, named),
        direction_center=float(np.median(raw.direction)),
    )

"""Everything that is measured of a model on its test part, next to its baselines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from helios_core.domain.runs import Json
from helios_core.network.baselines import Forecast
from helios_core.network.config import NetworkConfig
from helios_core.network.evaluation import (
    STRESS,
    Score,
    Trades,
    best_direction,
    choose_threshold,
    daily_net,
    pick_trades,
    score_forecast,
    superiority,
    trade_summary,
)
from helios_core.network.gates import GateEvidence
from helios_core.network.metrics import Bin, class_losses, diebold_mariano, reliability
from helios_core.network.samples import Samples


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """What a model is measured on: forecasts are calibrated, parts are in time order.

    `baselines` forecast the test part and include "volatility"; `temperatures` are those of the
    hit and the direction head; `leaked` counts labels that reach over a boundary of the split.
    """

    validation: Samples
    validation_forecast: Forecast
    test: Samples
    test_forecast: Forecast
    baselines: Mapping[str, Forecast]
    temperatures: tuple[float, float]
    feature_set: str
    leaked: int


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Scores, trades and gate evidence; `samples` and `forecast` are the test part (N,)."""

    model: Score
    baselines: Mapping[str, Score]
    evidence: GateEvidence
    threshold: float  # expected gross return above which a trade is made, chosen on validation
    cost: float
    samples: Samples
    forecast: Forecast
    trades: Trades

    @property
    def direction_table(self) -> tuple[Bin, ...]:
        """Reliability of the direction among samples that met a barrier."""
        hit = self.samples.outcome != 0
        return reliability(self.samples.outcome[hit] > 0, self.forecast.p_up[hit])

    @property
    def hit_table(self) -> tuple[Bin, ...]:
        """Reliability of "a barrier is met"."""
        return reliability(self.samples.outcome != 0, self.forecast.p_hit)

    def to_json(self) -> Json:
        """Return everything but the arrays as plain JSON."""
        return {
            "model": self.model.to_json(),
            "baselines": {name: s.to_json() for name, s in self.baselines.items()},
            "evidence": self.evidence.to_json(),
            "trades": trade_summary(self.trades, self.cost, self.threshold),
            "hit_table": [dict(asdict(b)) for b in self.hit_table],
            "direction_table": [dict(asdict(b)) for b in self.direction_table],
        }


def measure(exam: Exam, config: NetworkConfig) -> Report:
    """Measure a model and its baselines on the test part of `exam`."""
    test, forecast = exam.test, exam.test_forecast
    overlap = config.label.horizon * len(np.unique(test.pair))
    scores = {
        name: score_forecast(
            test,
            candidate,
            block=float(overlap),
            resamples=config.train.bootstrap,
            rng=np.random.default_rng(config.train.seed),
        )
        for name, candidate in {"model": forecast, **exam.baselines}.items()
    }
    model = scores.pop("model")
    cost = config.label.cost
    threshold = choose_threshold(exam.validation, exam.validation_forecast, cost)
    trades = pick_trades(test, forecast, threshold)
    daily = daily_net(test, trades, cost)
    rival = class_losses(test.outcome, exam.baselines["volatility"].classes)
    evidence = GateEvidence(
        feature_set=exam.feature_set,
        serving_feature_set=exam.feature_set,
        label_schema=config.label.schema,
        serving_label_schema=config.label.schema,
        leaked=exam.leaked,
        direction_auc=model.direction_auc,
        direction_auc_low=model.direction_low,
        baseline_direction_auc=best_direction(scores),
        log_loss=model.log_loss,
        volatility_log_loss=float(rival.mean()),
        log_loss_p_value=diebold_mariano(
            class_losses(test.outcome, forecast.classes), rival, overlap
        ),
        trades=len(trades),
        days=float((test.as_of[-1] - test.as_of[0]) / np.timedelta64(1, "D")),
        net_mean=trades.net_mean(cost),
        net_mean_stressed=trades.net_mean(STRESS * cost),
        calibration_error=model.calibration_direction,
        temperature_hit=exam.temperatures[0],
        temperature_direction=exam.temperatures[1],
        superiority=superiority(
            daily,
            np.zeros(len(daily)),
            resamples=config.train.bootstrap,
            rng=np.random.default_rng(config.train.seed),
        ),
    )
    return Report(model, scores, evidence, threshold, cost, test, forecast, trades)

"""Train a candidate, register it, and put it before the gate."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from helios_core.bootstrap import MODEL_NAME
from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import FeatureFrame
from helios_core.domain.runs import ModelCard, Verdict
from helios_core.errors import ModelError, NotFoundError
from helios_core.execution.costs import round_trip_cost
from helios_core.logs import logger
from helios_core.market.catalogue import FEATURE_SET
from helios_core.network.config import NetworkConfig
from helios_core.store import ledger, registry, research
from helios_core.store.database import Connection
from helios_core.workbench.history import StoredHistory, features_of, load_history
from helios_core.workbench.provenance import code_state
from helios_core.workbench.results import EvaluateResult, TrainResult
from helios_core.workbench.run import RunContext

if TYPE_CHECKING:
    from helios_core.network.fitting import Epoch
    from helios_core.network.inference import LoadedModel
    from helios_core.network.report import Report
    from helios_core.network.training import Trained

log = logger("tier2_network")


def training_config(
    run: RunContext, history: StoredHistory, *, epochs: int, seed: int, horizon: int
) -> NetworkConfig:
    """Return the settings of tier 2 with the cost of these pairs and what the notebook chose.

    The cost of a label is the highest round trip among the pairs, as tier 3 will charge it.
    """
    network = run.settings.network
    cost = max(round_trip_cost(r, run.settings.execution) for r in history.rules.values())
    return replace(
        network,
        label=replace(network.label, cost=cost, horizon=horizon),
        train=replace(network.train, epochs=epochs, seed=seed),
    )


def train_candidate(
    run: RunContext,
    history: StoredHistory,
    features: dict[str, FeatureFrame],
    config: NetworkConfig,
) -> "tuple[Trained, ModelCard]":
    """Train on all pairs, write the model below the registry root and register it.

    The version is a hash of data, labels, config and seed: the same training again is the same
    model, and what is registered stays as it is.
    """
    from helios_core.network.artifacts import Origin, save_model
    from helios_core.network.training import train

    with _epoch_bar(config.train.epochs) as tell:
        trained = train(
            [features[pair] for pair in history.pairs],
            [history.candles[pair] for pair in history.pairs],
            config,
            progress=tell,
        )
    origin = Origin(run.clock.now(), code_state().commit, run.run_id)
    card = save_model(trained, run.settings.models, MODEL_NAME, origin)
    with run.database.connection() as conn:
        registry.register_model(conn, card)
    log.info("candidate trained", model=card.model_id, epochs=len(trained.history))
    return trained, card


def train_result(trained: "Trained", card: ModelCard, history: StoredHistory) -> TrainResult:
    """Return what 21_train emits."""
    from helios_core.network.evaluation import best_direction
    from helios_core.network.gates import judge

    report = trained.report
    verdict = judge(card.model_id, report.evidence)
    skill = (
        f"direction AUC {report.model.direction_auc:.3f} against "
        f"{best_direction(report.baselines):.3f} of the best baseline, log-loss "
        f"{report.model.log_loss:.4f} against {report.baselines['volatility'].log_loss:.4f} of "
        f"volatility alone"
    )
    return TrainResult(
        verdict=f"{card.model_id}: {skill}",
        simulated=history.simulated,
        data_as_of=history.newest,
        model_id=card.model_id,
        pairs=list(history.pairs),
        start=history.start,
        end=history.end,
        parameters=card.parameters,
        epochs=len(trained.history),
        seed=card.seed,
        test_samples=len(report.samples),
        log_loss=finite(report.model.log_loss),
        baseline_log_loss=finite(report.baselines["volatility"].log_loss),
        direction_auc=finite(report.model.direction_auc),
        direction_auc_low=finite(report.model.direction_low),
        baseline_direction_auc=finite(best_direction(report.baselines)),
        gate_passed=verdict.passed,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A candidate measured again on its test part, and what the gate says of it."""

    card: ModelCard
    history: StoredHistory
    report: "Report"
    verdict: Verdict
    champion: str | None
    center_up: float  # median probability of a rise on validation

    @property
    def newest_lean(self) -> datetime | None:
        """Newest close of the test part among the tenth that the model likes best."""
        p_up = self.report.forecast.p_up
        best = max(self.center_up, float(np.quantile(p_up, 0.9)))
        leaning = self.report.samples.as_of[p_up > best]
        if not len(leaning):
            return None
        found: datetime = leaning.max().astype("datetime64[us]").item()
        return found.replace(tzinfo=UTC)


def judge_candidate(run: RunContext, model_id: str = "") -> Judged:
    """Measure a registered model again from its file and record the verdict of the gate.

    Parameters
    ----------
    model_id : str
        Empty: the newest one.

    Raises
    ------
    NotFoundError
        If there is no such model, or none at all.
    ModelError
        If the candles of its training are no longer what they were.
    """
    from helios_core.network.artifacts import load_model
    from helios_core.network.gates import judge
    from helios_core.network.training import evaluate

    with run.database.connection() as conn:
        card = registry.get_model(conn, model_id) if model_id else _newest(conn)
        pairs, start, end = _training_range(conn, card)
    history = load_history(run, pairs, start.isoformat(), end.isoformat())
    features = features_of(history.candles)
    model = load_model(run.settings.models, card)
    ordered = [features[p] for p in history.pairs], [history.candles[p] for p in history.pairs]
    report = evaluate(model, *ordered)
    served = training_config(
        run,
        history,
        epochs=model.config.train.epochs,
        seed=card.seed,
        horizon=model.config.label.horizon,
    )
    evidence = replace(
        report.evidence,
        serving_feature_set=FEATURE_SET,
        serving_label_schema=served.label.schema,  # a changed fee changes it
    )
    verdict = judge(card.model_id, evidence)
    with run.database.connection() as conn:
        registry.record_verdict(conn, verdict, run.run_id)
        for signals, outcomes in _test_signals(model, report, history):
            research.write_predictions(conn, signals, history.timeframe, run.run_id, outcomes)
        champion = registry.champion(conn, MODEL_NAME)
    log.info("candidate judged", model=card.model_id, passed=verdict.passed, reason=verdict.reason)
    promoted = champion.model_id if champion else None
    return Judged(card, history, report, verdict, promoted, model.calibration.center_up)


def _test_signals(
    model: "LoadedModel", report: "Report", history: StoredHistory
) -> "Iterator[tuple[SignalFrame, research.Outcomes]]":
    """Give the signals of the test part of each pair, and what came of them."""
    samples, p = report.samples, report.forecast.classes
    for number, pair in enumerate(history.pairs, start=1):
        own = np.flatnonzero(samples.pair == number)
        signals = SignalFrame(
            pair=pair,
            as_of=samples.as_of[own],
            p_sell=p[own, 0],
            p_hold=p[own, 1],
            p_buy=p[own, 2],
            p_hit=report.forecast.p_hit[own],
            p_up=report.forecast.p_up[own],
            barrier_up=samples.barrier_up[own],
            barrier_down=samples.barrier_down[own],
            horizon=model.config.label.horizon,
            model_id=model.model_id,
        )
        yield signals, research.Outcomes(samples.outcome[own], samples.net_return[own])


def evaluate_result(judged: Judged) -> EvaluateResult:
    """Return what 22_evaluate emits."""
    verdict = judged.verdict
    refused = [check for check in verdict.checks if not check.passed]
    said = "passed every check of the gate"
    if refused:
        first = refused[0]
        said = (
            f"is refused by {len(refused)} of {len(verdict.checks)} checks, first {first.name}: "
            f"{first.found}, needs {first.required}"
        )
    return EvaluateResult(
        verdict=f"{judged.card.model_id} {said}",
        simulated=judged.history.simulated,
        data_as_of=judged.history.newest,
        model_id=judged.card.model_id,
        passed=verdict.passed,
        checks_passed=sum(check.passed for check in verdict.checks),
        checks=len(verdict.checks),
        champion=judged.champion,
        newest_lean=judged.newest_lean,
    )


def unseen_since(card: ModelCard) -> datetime:
    """Return the first decision of the part that a model was tested on and never saw.

    Raises
    ------
    ModelError
        If the card does not say.
    """
    try:
        found = card.metrics["parts"]["test"]["first"]  # type: ignore[index,call-overload]
        return datetime.fromisoformat(str(found)).astimezone(UTC)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the card of {card.model_id} does not name its test part; train the model again"
        ) from error


def finite(value: float) -> float | None:
    """Return `value`, None where it is not a number: JSON knows no NaN."""
    return value if math.isfinite(value) else None


def _newest(conn: Connection) -> ModelCard:
    card = registry.newest_model(conn, MODEL_NAME)
    if card is None:
        raise NotFoundError("there is no model yet; train one with the notebook 21_train")
    return card


def _training_range(conn: Connection, card: ModelCard) -> tuple[list[str], datetime, datetime]:
    """Return pairs, start and end of the candles that a model was trained on, from its run."""
    result = (ledger.get_run(conn, card.run_id).result or {}) if card.run_id else {}
    try:
        kept = TrainResult.model_validate(result)
    except ValueError as error:
        raise ModelError(
            f"the run that trained {card.model_id} did not record its data; train the model again"
        ) from error
    return kept.pairs, kept.start, kept.end


@contextmanager
def _epoch_bar(epochs: int) -> "Iterator[Callable[[Epoch], None]]":
    """Give a function that moves a progress bar with losses and time left."""
    from tqdm.auto import tqdm

    with tqdm(total=epochs, unit="epoch", desc="training") as bar:

        def tell(epoch: "Epoch") -> None:
            bar.set_postfix(
                train=f"{epoch.train_loss:.4f}", validation=f"{epoch.validation_loss:.4f}"
            )
            bar.update()

        yield tell

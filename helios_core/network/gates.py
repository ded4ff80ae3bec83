"""Promotion gate: a model is promoted only if every check holds; unknown never passes.

The checks are those of this stage of Helios; deflated Sharpe, overfitting probability and the
shadow run need a ledger of trials that is not there yet.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from helios_core.domain.runs import Check, Json, JsonValue, Verdict
from helios_core.errors import ModelError

MIN_DIRECTION_AUC = 0.51
MIN_TRADES = 200
MIN_DAYS = 90.0
MAX_P_VALUE = 0.05
MAX_CALIBRATION_ERROR = 0.03
TEMPERATURES = (0.5, 5.0)
MIN_SUPERIORITY = 0.9


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """Everything the gate looks at, measured on data later than any choice that was made.

    Attributes
    ----------
    feature_set, label_schema : str
        Hashes the model was trained under; `serving_*` are those it would be used under.
    leaked : int
        Training or validation samples whose label reaches into the part after them.
    direction_auc_low : float
        Lower 95 % bound of the AUC of the direction among samples that met a barrier.
    baseline_direction_auc : float
        Best point estimate of any baseline on the same samples.
    log_loss, volatility_log_loss : float
        Three-class log-loss in nats of the model and of the volatility-only baseline.
    log_loss_p_value : float
        One-sided Diebold-Mariano p-value of the model being better.
    trades : int
        Trades that do not overlap within a pair; `days` is the time range they were chosen from.
    net_mean, net_mean_stressed : float
        Mean return of a trade as a fraction after cost, and after 1.5 times the cost.
    calibration_error : float
        Expected calibration error of the direction.
    superiority : float
        Probability that daily net return exceeds that of `champion`, "flat" when there is none.
    """

    feature_set: str
    serving_feature_set: str
    label_schema: str
    serving_label_schema: str
    leaked: int
    direction_auc: float
    direction_auc_low: float
    baseline_direction_auc: float
    log_loss: float
    volatility_log_loss: float
    log_loss_p_value: float
    trades: int
    days: float
    net_mean: float
    net_mean_stressed: float
    calibration_error: float
    temperature_hit: float
    temperature_direction: float
    superiority: float
    champion: str = "flat"

    def to_json(self) -> Json:
        """Return plain JSON; a value that is not finite becomes null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def gate_evidence(plain: Mapping[str, JsonValue]) -> GateEvidence:
    """Return the evidence that `GateEvidence.to_json` wrote; null becomes NaN.

    Raises
    ------
    ModelError
        If fields are missing or unknown.
    """
    known = {f.name for f in fields(GateEvidence)}
    if set(plain) != known:
        raise ModelError(
            f"gate evidence needs the fields {sorted(known)}, found {sorted(plain)}; "
            f"evaluate the model again"
        )
    values = {name: math.nan if value is None else value for name, value in plain.items()}
    return GateEvidence(**values)  # type: ignore[arg-type]


def judge(model_id: str, evidence: GateEvidence) -> Verdict:
    """Return the verdict on a candidate; a NaN fails the check that needs it."""
    checks = (
        *_integrity(evidence),
        *_skill(evidence),
        *_profit(evidence),
        *_calibration(evidence),
    )
    return Verdict(model_id, checks, evidence.to_json())


def _integrity(e: GateEvidence) -> tuple[Check, ...]:
    return (
        Check("no_leak", e.leaked == 0, "0 labels over a boundary", f"{e.leaked}"),
        _same("feature_schema", e.feature_set, e.serving_feature_set),
        _same("label_schema", e.label_schema, e.serving_label_schema),
    )


def _skill(e: GateEvidence) -> tuple[Check, ...]:
    return (
        _above("direction_auc", e.direction_auc_low, MIN_DIRECTION_AUC, "lower bound"),
        _above("direction_baseline", e.direction_auc_low, e.baseline_direction_auc, "lower bound"),
        Check(
            "log_loss",
            e.log_loss < e.volatility_log_loss and e.log_loss_p_value < MAX_P_VALUE,
            f"< {e.volatility_log_loss:.4f} of volatility-only with p < {MAX_P_VALUE}",
            f"{e.log_loss:.4f}, p = {e.log_loss_p_value:.3f}",
        ),
    )


def _profit(e: GateEvidence) -> tuple[Check, ...]:
    return (
        Check("trades", e.trades >= MIN_TRADES, f">= {MIN_TRADES}", f"{e.trades}"),
        Check("days", e.days >= MIN_DAYS, f">= {MIN_DAYS:.0f}", f"{e.days:.1f}"),
        _above("net_of_cost", e.net_mean * 1e4, 0.0, "bps a trade"),
        Check(
            "net_of_stressed_cost",
            e.net_mean_stressed >= 0.0,
            ">= 0 bps a trade at 1.5 times the cost",
            f"{e.net_mean_stressed * 1e4:.2f} bps",
        ),
        Check(
            "superiority",
            e.superiority >= MIN_SUPERIORITY,
            f">= {MIN_SUPERIORITY} against {e.champion}",
            f"{e.superiority:.3f}",
        ),
    )


def _calibration(e: GateEvidence) -> tuple[Check, ...]:
    low, high = TEMPERATURES
    return (
        Check(
            "calibration",
            e.calibration_error <= MAX_CALIBRATION_ERROR,
            f"direction error <= {MAX_CALIBRATION_ERROR}",
            f"{e.calibration_error:.4f}",
        ),
        Check(
            "temperature",
            low <= e.temperature_hit <= high and low <= e.temperature_direction <= high,
            f"both in [{low}, {high}]",
            f"hit {e.temperature_hit:.2f}, direction {e.temperature_direction:.2f}",
        ),
    )


def _above(name: str, found: float, limit: float, unit: str) -> Check:
    return Check(name, found > limit, f"> {limit:.4f} ({unit})", f"{found:.4f}")


def _same(name: str, trained: str, serving: str) -> Check:
    same = bool(trained) and trained == serving
    return Check(
        name, same, f"trained under {serving[:12] or 'nothing'}", trained[:12] or "nothing"
    )


def _plain(value: float | str) -> JsonValue:
    return None if isinstance(value, float) and not math.isfinite(value) else value

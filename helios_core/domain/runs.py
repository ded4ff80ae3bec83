"""Identity of a notebook run, model cards and verdicts as the ledger keeps them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Json = dict[str, "JsonValue"]
JsonValue = str | int | float | bool | None | list["JsonValue"] | Json

RunState = Literal["running", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One row of the run ledger; `state` completed needs the nonce that opened it."""

    run_id: str
    notebook: str  # "61_trading_cycle"
    parameters: Json
    parameters_hash: str
    commit: str  # git sha, "unknown" outside a repository
    dirty: bool
    feature_set: str | None
    data_as_of: datetime | None
    environment_hash: str
    seed: int | None
    flow_run_id: str | None
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    outcome: str  # one sentence; the error when failed
    result: Json | None  # what the last cell emitted
    notebook_path: str | None  # executed copy
    notebook_sha256: str | None
    owner: str  # host, process id and process start, so that a dead owner is recognised


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a trained model; written beside its weights and into `ml_models`."""

    model_id: str  # "<name>-<version>"
    name: str
    version: str  # content hash of data, labels, config and seed: same inputs, same version
    weights_sha256: str
    feature_set: str
    label_schema: str  # hash of the label rules
    config: Json
    metrics: Json
    data_from: datetime
    data_to: datetime  # training data cut-off
    seed: int
    commit: str
    parameters: int  # count
    trained_at: datetime
    run_id: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a gate: what was required, what was found."""

    name: str
    passed: bool
    required: str
    found: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a promotion gate; promotion needs every check."""

    model_id: str
    checks: tuple[Check, ...]
    evidence: Json = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every check passed; an empty gate never does."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """One sentence: which checks refused."""
        failed = [f"{c.name} ({c.found}, needs {c.required})" for c in self.checks if not c.passed]
        return "all checks passed" if self.passed else "refused by " + "; ".join(failed)

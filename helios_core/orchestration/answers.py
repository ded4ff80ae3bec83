"""What the Prefect server answers, reduced to what Helios uses."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Plain = dict[str, Any]  # decoded JSON; pydantic cannot use the recursive type of the domain
TERMINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class Answer(BaseModel):
    """Part of an answer of the server; fields that are not used here are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Schedule(Answer):
    """A schedule of a deployment."""

    id: str
    slug: str | None = None
    active: bool
    schedule: Plain
    parameters: Plain = Field(default_factory=dict)


class Deployment(Answer):
    """A flow with its parameters, schedules and limits, ready to be run by name."""

    id: str
    name: str
    flow_id: str
    paused: bool = False
    description: str | None = None
    entrypoint: str | None = None
    parameters: Plain = Field(default_factory=dict)
    parameter_openapi_schema: Plain | None = None
    tags: list[str] = Field(default_factory=list)
    schedules: list[Schedule] = Field(default_factory=list)
    work_pool_name: str | None = None
    job_variables: Plain = Field(default_factory=dict)
    pull_steps: list[Plain] | None = None
    version: str | None = None
    global_concurrency_limit: Plain | None = None
    concurrency_options: Plain | None = None


class FlowRun(Answer):
    """One run of a flow."""

    id: str
    name: str
    deployment_id: str | None = None
    work_pool_name: str | None = None
    parameters: Plain = Field(default_factory=dict)
    tags: list[str] = Field(default_factory=list)
    state_type: str | None = None
    state_name: str | None = None
    state: Plain | None = None
    auto_scheduled: bool = False
    expected_start_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    total_run_time: float = 0.0

    @property
    def message(self) -> str:
        """What the state says; the reason when it failed."""
        return str((self.state or {}).get("message") or "")

    @property
    def state_since(self) -> datetime | None:
        """When the run came into its state."""
        since = (self.state or {}).get("timestamp")
        return datetime.fromisoformat(since) if isinstance(since, str) else None

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state_type in TERMINAL


class LogLine(Answer):
    """One line of the log of a run."""

    id: str
    name: str = ""  # of the logger; tasks have another one than their flow
    level: int
    timestamp: datetime
    message: str

    @property
    def headline(self) -> str:
        """First line; the rest is a traceback, which belongs into a file."""
        return next((part for part in self.message.splitlines() if part.strip()), "")


class Artifact(Answer):
    """Something that a run shows in the user interface."""

    id: str
    key: str | None = None
    type: str | None = None
    description: str | None = None
    data: Any = None
    flow_run_id: str | None = None

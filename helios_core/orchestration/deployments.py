"""Makes the deployments of a server equal to ``prefect.yaml``.

Prefect's own ``deploy --all`` keeps deployments and schedules that were removed from the file, and
resumes a deployment that somebody paused. Here the file decides, and a pause stays.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from helios_core.errors import ConfigError, NotFoundError
from helios_core.orchestration.access import client_environment
from helios_core.orchestration.answers import Deployment, Plain, Schedule
from helios_core.orchestration.api import PrefectApi

DESCRIBE_SECONDS = 120
Verb = Literal["created", "updated", "unchanged", "deleted"]


class ScheduleEntry(BaseModel):
    """A schedule as the file writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: str
    cron: str | None = None
    interval: float | None = Field(None, gt=0, description="seconds")
    anchor_date: str | None = None
    timezone: str = "UTC"
    active: bool = False
    parameters: Plain = Field(default_factory=dict)

    @property
    def timing(self) -> Plain:
        """When it fires, in Prefect's words."""
        if self.cron is not None:
            return {"cron": self.cron, "timezone": self.timezone, "day_or": True}
        anchor = {"anchor_date": self.anchor_date} if self.anchor_date else {}
        return {"interval": self.interval, "timezone": self.timezone, **anchor}


class PoolEntry(BaseModel):
    """Where runs of a deployment are executed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    job_variables: Plain = Field(default_factory=dict)


class ConcurrencyEntry(BaseModel):
    """How many runs of a deployment may go on, and what happens to the next one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int = Field(ge=1)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]
    grace_period_seconds: int = Field(60, ge=60)


class DeploymentEntry(BaseModel):
    """One deployment of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    entrypoint: str
    description: str = ""
    tags: list[str] = Field(default_factory=list)
    parameters: Plain = Field(default_factory=dict)
    work_pool: PoolEntry
    concurrency_limit: ConcurrencyEntry
    schedules: list[ScheduleEntry] = Field(default_factory=list)


class DeploymentFile(BaseModel):
    """The parts of ``prefect.yaml`` that Helios acts on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pull: list[Plain]
    deployments: list[DeploymentEntry]


@dataclass(frozen=True, slots=True)
class Change:
    """What deploying did to one deployment."""

    name: str
    verb: Verb
    paused: bool
    schedules: int  # that fire


def read_deployments(file: Path) -> DeploymentFile:
    """Return the content of a ``prefect.yaml``.

    Raises
    ------
    NotFoundError
        If there is no such file.
    ConfigError
        If it is not YAML, or an entry misses something, or has something unknown.
    """
    if not file.is_file():
        raise NotFoundError(f"{file} does not exist; it says which flows are deployed")
    try:
        return DeploymentFile.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"{file}: {'; '.join(found)}") from None


def describe_flows(
    entrypoints: Sequence[str], project: Path, environment: Mapping[str, str]
) -> Plain:
    """Return job template, names and parameters of flows, read by a process of its own.

    Raises
    ------
    ConfigError
        If a flow cannot be imported.
    """
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "helios_core.orchestration.describe", *entrypoints],
        capture_output=True,
        text=True,
        check=False,
        cwd=project,
        env=dict(environment),
        timeout=DESCRIBE_SECONDS,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConfigError(f"the flows of prefect.yaml cannot be loaded: {last}")
    described: Plain = json.loads(done.stdout)
    return described


def deploy(
    api: PrefectApi, project: Path, inherited: Mapping[str, str], *, schedules: bool
) -> list[Change]:
    """Make the server's deployments equal to ``prefect.yaml`` of `project`; idempotent.

    Parameters
    ----------
    schedules : bool
        Whether schedules fire; False leaves them as the file says, which is inactive.

    Returns
    -------
    list of Change
        One for every deployment of the file and of the server.
    """
    wanted = read_deployments(project / "prefect.yaml")
    environment = client_environment(api.access, inherited)
    entrypoints = [entry.entrypoint for entry in wanted.deployments]
    described: Any = describe_flows(entrypoints, project, environment)
    for pool in sorted({entry.work_pool.name for entry in wanted.deployments}):
        _ensure_pool(api, pool, described["template"])
    found = {deployment.name: deployment for deployment in api.deployments()}
    changes = []
    for entry in wanted.deployments:
        about = described["flows"][entry.entrypoint]
        body = _body(entry, wanted.pull, about)
        body["flow_id"] = api.call("POST", "/flows/", {"name": about["name"]})["id"]
        changes.append(_apply(api, entry, body, found.pop(entry.name, None), schedules))
    for stray in found.values():
        api.call("DELETE", f"/deployments/{stray.id}")
        changes.append(Change(stray.name, "deleted", stray.paused, 0))
    return changes


def _ensure_pool(api: PrefectApi, name: str, template: Plain) -> None:
    try:
        api.call("GET", f"/work_pools/{name}")
    except NotFoundError:
        body = {"name": name, "type": "process", "base_job_template": template}
        api.call("POST", "/work_pools/", body)


def _body(entry: DeploymentEntry, pull: list[Plain], described: Plain) -> Plain:
    """Return the deployment in the words of Prefect's REST interface."""
    limit = entry.concurrency_limit
    return {
        "name": entry.name,
        "description": entry.description or described["description"],
        "entrypoint": entry.entrypoint,
        "parameters": entry.parameters,
        "parameter_openapi_schema": described["schema"],
        "enforce_parameter_schema": True,
        "tags": entry.tags,
        "pull_steps": pull,
        "work_pool_name": entry.work_pool.name,
        "job_variables": entry.work_pool.job_variables,
        "concurrency_limit": limit.limit,
        "concurrency_options": {
            "collision_strategy": limit.collision_strategy,
            "grace_period_seconds": limit.grace_period_seconds,
        },
    }


def _apply(
    api: PrefectApi,
    entry: DeploymentEntry,
    body: Plain,
    found: Deployment | None,
    schedules: bool,
) -> Change:
    verb: Verb = "unchanged"
    if found is not None and found.flow_id != body["flow_id"]:
        api.call("DELETE", f"/deployments/{found.id}")  # the flow of a deployment cannot be changed
        found = None
    if found is None:
        found = Deployment.model_validate(api.call("POST", "/deployments/", body))
        verb = "created"
    elif _differs(found, body):
        fixed = {"name", "flow_id"}
        patch = {key: value for key, value in body.items() if key not in fixed}
        api.call("PATCH", f"/deployments/{found.id}", patch)
        verb = "updated"
    if _apply_schedules(api, entry, found, schedules):
        # the scheduler looks at changed deployments within seconds, at the others within a minute
        api.call("PATCH", f"/deployments/{found.id}", {"description": body["description"]})
        verb = "updated" if verb == "unchanged" else verb
    active = sum(item.active or schedules for item in entry.schedules)
    return Change(entry.name, verb, found.paused, 0 if found.paused else active)


def _differs(found: Deployment, body: Mapping[str, Any]) -> bool:
    limit = found.global_concurrency_limit or {}
    same = {
        "concurrency_limit": limit.get("limit"),
        "concurrency_options": {
            key: (found.concurrency_options or {}).get(key) for key in body["concurrency_options"]
        },
    }
    plain = ("description", "entrypoint", "parameters", "parameter_openapi_schema", "tags",
             "pull_steps", "work_pool_name", "job_variables")  # fmt: skip
    return any(body[key] != getattr(found, key) for key in plain) or any(
        body[key] != value for key, value in same.items()
    )


def _apply_schedules(
    api: PrefectApi,
    entry: DeploymentEntry,
    found: Deployment,
    activate: bool,
) -> bool:
    """Replace the schedules of a deployment if they differ; return whether they did."""
    wanted: list[Plain] = [
        {
            "slug": item.slug,
            "schedule": item.timing,
            "active": item.active or activate,
            "parameters": item.parameters,
        }
        for item in entry.schedules
    ]
    by_slug = {item["slug"]: item for item in wanted}
    have = {item.slug: item for item in found.schedules}
    if by_slug.keys() == have.keys() and all(
        _same_schedule(have[slug], item) for slug, item in by_slug.items()
    ):
        return False
    for item in found.schedules:
        api.call("DELETE", f"/deployments/{found.id}/schedules/{item.id}")
    if wanted:
        api.call("POST", f"/deployments/{found.id}/schedules", wanted)
    return True


def _same_schedule(have: Schedule, wanted: Mapping[str, Any]) -> bool:
    """Whether the server's schedule is the wanted one; it may say more than the file."""
    timing: Plain = wanted["schedule"]
    return (
        have.active == bool(wanted["active"])
        and have.parameters == dict(wanted["parameters"])
        and timing.items() <= have.schedule.items()
    )

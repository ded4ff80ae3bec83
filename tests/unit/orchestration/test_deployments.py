import importlib
import inspect
from pathlib import Path

import pytest
import yaml

from helios_core.errors import ConfigError, NotFoundError
from helios_core.orchestration.deployments import read_deployments

FILE = Path(__file__).parents[3] / "prefect.yaml"
ENTRIES = read_deployments(FILE).deployments


def flow_of(entry):
    module, _, name = entry.entrypoint.partition(":")
    return getattr(importlib.import_module(module.removesuffix(".py").replace("/", ".")), name)


def test_the_four_flows_of_the_desk_are_deployed():
    assert [entry.name for entry in ENTRIES] == ["ingest", "research", "trade", "report"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_one_run_at_a_time_and_no_queue(entry):
    limit = entry.concurrency_limit

    assert (limit.limit, limit.collision_strategy) == (1, "CANCEL_NEW")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_no_schedule_fires_unless_the_settings_say_so(entry):
    assert not any(schedule.active for schedule in entry.schedules)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_parameters_of_the_file_are_parameters_of_the_flow(entry):
    flow = flow_of(entry)
    declared = set(inspect.signature(flow.fn).parameters)
    given = set(entry.parameters).union(*(schedule.parameters for schedule in entry.schedules))

    assert given <= declared
    assert flow.name == entry.name
    assert flow.retries == 0


def test_prefect_itself_accepts_the_schedules_and_entrypoints():
    from prefect.client.schemas.schedules import construct_schedule

    for entry in ENTRIES:
        for schedule in entry.schedules:
            made = construct_schedule(cron=schedule.cron, timezone=schedule.timezone)
            assert made.cron == schedule.timing["cron"]


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match=r"prefect\.yaml"):
        read_deployments(tmp_path / "prefect.yaml")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["deployments"][0].pop("entrypoint"), "deployments.0.entrypoint"),
        (lambda d: d["deployments"][1].update(shedules=[]), "deployments.1.shedules"),
        (lambda d: d["deployments"][0]["concurrency_limit"].update(limit=0), "greater than"),
        (lambda d: d.pop("pull"), "pull"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, change, reason):
    data = yaml.safe_load(FILE.read_text())
    change(data)
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump(data))

    with pytest.raises(ConfigError, match=reason):
        read_deployments(file)


def test_text_that_is_no_yaml_is_named(tmp_path):
    file = tmp_path / "prefect.yaml"
    file.write_text("a: [")

    with pytest.raises(ConfigError, match="cannot be read"):
        read_deployments(file)

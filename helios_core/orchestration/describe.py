"""Prints what a deployment needs to know of flows, as JSON: ``python -m ...describe ENTRYPOINT``.

It runs in a process of its own, because importing Prefect takes seconds and reads Prefect's
settings from the environment; the command line does neither.
"""

import json
import sys
from collections.abc import Sequence

from helios_core.domain.runs import Json


def describe(entrypoints: Sequence[str]) -> Json:
    """Return the job template of a process pool, and name, text and parameters of each flow."""
    from prefect.flows import Flow, load_flow_from_entrypoint
    from prefect.workers.process import ProcessWorker

    flows: Json = {}
    for entrypoint in entrypoints:
        flow: Flow[..., object] = load_flow_from_entrypoint(entrypoint)
        flows[entrypoint] = {
            "name": flow.name,
            "description": flow.description,
            "schema": flow.parameters.model_dump(mode="json", exclude_unset=True),
        }
    return {"template": ProcessWorker.get_default_base_job_template(), "flows": flows}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe(sys.argv[1:])))

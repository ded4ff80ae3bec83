"""Parameters of a flow run from the command line, typed by the schema of the deployment."""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from helios_core.errors import UsageError
from helios_core.orchestration.answers import Deployment, Plain

TRUE, FALSE = frozenset({"true", "yes", "1", "on"}), frozenset({"false", "no", "0", "off"})


def parse_flow_parameters(deployment: Deployment, texts: Sequence[str]) -> Plain:
    """Return typed values of ``name=value`` texts; a list is written ``a,b`` or as JSON.

    Raises
    ------
    UsageError
        If a text has no ``=``, a name is unknown or given twice, or a value has a wrong type.
    """
    known: Plain = (deployment.parameter_openapi_schema or {}).get("properties", {})
    found: Plain = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"a parameter is written name=value, found {text!r}")
        if name in found:
            raise UsageError(f"the parameter {name} is given twice; give it once")
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}."
            raise UsageError(f"the flow {deployment.name} has no parameter {name!r}; {hint}")
        found[name] = _read(name, value, known[name])
    return found


def _read(name: str, text: str, schema: Plain) -> Any:  # noqa: ANN401 - any JSON value
    choices = schema.get("enum")
    if choices and text not in choices:
        raise UsageError(f"{name} is one of {', '.join(map(str, choices))}, found {text!r}")
    kinds = [item.get("type") for item in schema.get("anyOf", [schema])]
    for kind in kinds:
        try:
            return _convert(text, kind)
        except ValueError:
            continue
    wanted = " or ".join(str(kind) for kind in kinds if kind != "null")
    raise UsageError(f"{name} is of type {wanted}, found {text!r}")


def _convert(text: str, kind: str | None) -> Any:  # noqa: ANN401 - any JSON value
    """Return `text` as a JSON type, or raise ``ValueError``."""
    match kind:
        case "boolean":
            return _read_bool(text)
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case "array":
            listed = text.lstrip().startswith("[")
            return json.loads(text) if listed else [t.strip() for t in text.split(",") if t.strip()]
        case "object":
            return json.loads(text)
        case "null":
            raise ValueError(text)  # None is what is not given
    return text


def _read_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered not in TRUE | FALSE:
        raise ValueError(text)
    return lowered in TRUE

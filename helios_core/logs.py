"""Structured logs: structlog on the standard library, one rotating file a component.

A line is an event name and fields. Fields whose name speaks of a secret are masked, and so is
anything in a message that looks like a password in an address, wherever the line came from.
"""

import logging
import logging.handlers
import re
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

COMPONENTS = (
    "tier1_data",
    "tier2_network",
    "tier3_risk",
    "tier4_strategy",
    "tier5_portfolio",
    "trading",
    "store",
    "modular",
    "flows",
)

MASK = "[redacted]"
_SECRET_NAME = re.compile(r"secret|password|passwd|token|api_?key|authorization|nonce|dsn", re.I)
_SECRET_TEXT = re.compile(
    r"(?P<keep>://[^:/@\s]+:)[^@\s]+(?=@)|(?P<named>(?:password|api_?key|secret|token)=)\S+", re.I
)

Event = MutableMapping[str, Any]


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Mask secrets by field name and by the look of the text; nested mappings included."""
    for key, value in event.items():
        event[key] = _mask(key, value)
    return event


def _mask(key: str, value: Any) -> Any:  # noqa: ANN401 - a log field can be anything
    if _SECRET_NAME.search(key) and value is not None:
        return MASK
    if isinstance(value, dict):
        return {k: _mask(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mask("", item) for item in value]
    if isinstance(value, str):
        return _SECRET_TEXT.sub(lambda m: (m["keep"] or m["named"]) + MASK, value)
    return value


def logger(component: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one of `COMPONENTS`."""
    if component not in COMPONENTS:
        raise ValueError(f"no log component {component!r}; choose one of {', '.join(COMPONENTS)}")
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"helios.{component}")
    return bound


def _stay_quiet() -> None:
    """Until `configure_logs` is called, let only warnings through, to stderr, by the library."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            redact,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def configure_logs(
    folder: Path | None,
    *,
    level: str = "INFO",
    style: str = "text",
    max_bytes: int = 10_000_000,
    keep: int = 30,
) -> None:
    """Send the logs of every component to its own rotating file, and warnings to stderr.

    Parameters
    ----------
    folder : Path or None
        Where ``<component>.log`` files go; None writes to stderr only.
    style : {"text", "json"}
        How a line looks.
    max_bytes, keep : int
        Size at which a file rotates, and how many rotated files stay.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setLevel(logging.WARNING if folder else level)
    stderr.setFormatter(formatter)
    for component in COMPONENTS:
        _attach(f"helios.{component}", component, folder, formatter, level, (max_bytes, keep))
        logging.getLogger(f"helios.{component}").addHandler(stderr)


def _attach(
    name: str,
    component: str,
    folder: Path | None,
    formatter: logging.Formatter,
    level: str,
    rotation: tuple[int, int],
) -> None:
    target = logging.getLogger(name)
    for handler in list(target.handlers):
        target.removeHandler(handler)
        handler.close()
    target.setLevel(level)
    target.propagate = False
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(
        folder / f"{component}.log",
        maxBytes=rotation[0],
        backupCount=rotation[1],
        encoding="utf-8",
        delay=True,
    )
    handler.setFormatter(formatter)
    target.addHandler(handler)


def bind_run(run_id: str) -> None:
    """Put `run_id` on every line that this context logs from now on."""
    structlog.contextvars.bind_contextvars(run_id=run_id)


@contextmanager
def timed(log: structlog.stdlib.BoundLogger, event: str, **fields: object) -> Iterator[None]:
    """Log `event` with its duration in seconds when the block ends, also when it fails."""
    started = time.perf_counter()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        log.info(event, outcome=outcome, seconds=round(time.perf_counter() - started, 3), **fields)


if not structlog.is_configured():
    _stay_quiet()

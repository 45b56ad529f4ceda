"""The log of a process that runs unwatched: one JSON object a line, on stderr or in a file.

Every line says who wrote it and, while a shard is worked, which one (run, round, phase, shard, attempt): the worker
binds these, and whatever is logged meanwhile carries them, by libraries too. Libraries are heard from warnings on.
"""

import logging
import sys
from pathlib import Path

import structlog
from structlog.typing import EventDict, WrappedLogger

from services.core.settings import Settings


def log_as_json(worker: str, file: Path | None = None) -> None:
    """Write this process's log as JSON lines under a worker's name; a file begins with the first of them."""

    def named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["worker"] = worker
        return event

    fields: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        named,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stderr) if file is None else logging.FileHandler(file, delay=True)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=fields,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("services").setLevel(logging.INFO)
    structlog.configure(
        processors=[*fields, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def log_to_file(settings: Settings, name: str = "api") -> None:
    """Keep what is logged here out of what a command prints: `<name>.log` in the folder of logs, if that can be had."""
    try:
        settings.logs.mkdir(parents=True, exist_ok=True)
    except OSError:
        log_as_json(name)
    else:
        log_as_json(name, settings.logs / f"{name}.log")

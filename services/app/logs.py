"""The log of a process that runs unwatched: one JSON object a line, on stderr.

Every line says who wrote it and, while a shard is worked, which one (run, round, phase, shard, attempt): the worker
binds these, and whatever is logged meanwhile carries them, by libraries too. Libraries are heard from warnings on.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger


def log_as_json(worker: str) -> None:
    """Write this process's log as JSON lines under a worker's name."""

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
    handler = logging.StreamHandler(sys.stderr)
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

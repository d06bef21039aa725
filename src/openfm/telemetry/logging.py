"""Structured logs: one event a line, fields instead of sentences, never a prompt, an answer or a secret."""

import logging
import sys
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any, TextIO

import structlog

_SECRET_FIELDS = frozenset({"authorization", "token", "secret", "password", "api_key", "prompt", "messages", "content"})


class LogFormat(StrEnum):
    """`console` for people, `json` for machines, `auto` by whether a terminal listens."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


def configure_logging(log_format: LogFormat, stream: TextIO = sys.stderr) -> None:
    """Send structlog and the standard library's logging to `stream`, in one form."""
    is_json = log_format is LogFormat.JSON or (log_format is LogFormat.AUTO and not stream.isatty())
    renderer = structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    processors: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        renderer,
    ]
    if is_json:
        processors.insert(1, structlog.processors.format_exc_info)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=processors))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for library in ("uvicorn", "alembic"):  # what they say at start is not news
        logging.getLogger(library).setLevel(logging.WARNING)


def redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank fields that could carry a secret or somebody's text."""
    for key in event.keys() & _SECRET_FIELDS:
        event[key] = "[redacted]"
    return event

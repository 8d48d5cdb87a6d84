"""Logs: one JSON object a line on standard error, each with the id of the request it belongs to."""

import logging
import sys
from typing import Any

import msgspec
import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

get_logger = structlog.get_logger
"""A logger: `get_logger().info("voucher imported", rows=3)`; words first, then facts by name."""

bind_request = structlog.contextvars.bind_contextvars
"""`bind_request(request_id=…)` adds facts to every line of the current task."""

clear_request = structlog.contextvars.clear_contextvars
"""Forget what was bound; for a task that is used again."""


def configure(level: str = "info", style: str = "json") -> None:
    """Set up our loggers and those of the libraries. `style` is `json`, or `text` for people."""
    threshold = LEVELS[level]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    ours = structlog.make_filtering_bound_logger(threshold)
    if style == "json":
        last: list[Any] = [structlog.processors.format_exc_info, _to_json]
        factory: Any = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time")]
        factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=ours,
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last[:-1],
                _as_text(last[-1]),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.INFO), force=True)


def _to_json(_logger: Any, _method: str, line: dict[str, Any]) -> bytes:
    return msgspec.json.encode(line, enc_hook=repr)


def _as_text(last: Any) -> Any:
    """The libraries' handler writes str, ours writes bytes."""

    def render(logger: Any, method: str, line: Any) -> str:
        rendered = last(logger, method, line)
        return rendered.decode() if isinstance(rendered, bytes) else rendered

    return render

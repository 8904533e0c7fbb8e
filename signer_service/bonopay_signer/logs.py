"""JSON logs on standard error. What must not appear is never passed to them; the filter is the second line."""

import logging
import re
import sys
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"authorization|token$|(^|_)pin$|secret|password|api_key|dsn|database_url", re.IGNORECASE)
_SECRET_VALUES = re.compile(r"bp_[a-z0-9]{12}_[\w-]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")


def configure(level: str) -> None:
    """Send the standard library's records and structlog's events through one JSON renderer."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _without_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    return {
        name: "***" if _SECRET_NAMES.search(name) else redact(value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def redact(text: str) -> str:
    """The text without API keys, JWTs and passwords of addresses."""
    return _SECRET_VALUES.sub("***", text)

"""JSON logs on standard error. What must not appear is never passed to them; the filter is the second line.

Every line that is written while a request is served names it in ``request_id``: also those of the tasks that it starts,
and those of the ledger's writer about its document (``request_ids``, for a batch has several).
"""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog

from bonopay_signer import metrics

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being served; None in the service's own tasks."""

request_ids: ContextVar[list[str]] = ContextVar("request_ids", default=[])  # noqa: B039 - never changed in place
"""Of the batch that the ledger's writer is at; set in its task alone."""

_SECRET_NAMES = re.compile(r"authorization|token$|(^|_)pin$|secret|password|api_key|dsn|database_url", re.IGNORECASE)
_SECRET_VALUES = re.compile(r"bp_[a-z0-9]{12}_[\w-]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
_http = logging.getLogger("bonopay_signer.http")


def configure(level: str) -> None:
    """Send the standard library's records and structlog's events through one JSON renderer."""
    shared: list[Any] = [
        _with_request_id,
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
            foreign_pre_chain=[
                structlog.stdlib.PositionalArgumentsFormatter(),
                *shared,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def request_line(method: str, route: str, status: int, problem: str | None, milliseconds: float) -> None:
    """The one line of a request, written past the renderer, which costs more than all else that HTTP does for a seal.

    ``route`` is the template, ``problem`` the code of the problem that was answered. A line that cannot be written (a
    full disk) is counted, not raised: the answer has left.
    """
    if not _http.isEnabledFor(logging.INFO):
        return
    now = datetime.now(UTC).isoformat()[:-6]
    head = _line_head(method, route, status, problem)
    try:
        # The request id is letters, digits, '.', '_' and '-': no JSON escape, but a careless client may send its key.
        sys.stderr.write(
            f'{head}{milliseconds:.1f}, "request_id": "{redact(request_id.get() or "")}", '
            f'"level": "info", "logger": "bonopay_signer.http", "timestamp": "{now}Z"}}\n'
        )
    except OSError:
        metrics.LOG_LINES_LOST.inc()


@lru_cache(1024)
def _line_head(method: str, route: str, status: int, problem: str | None) -> str:
    fields = {"event": "request", "method": method, "route": route, "status": status}
    if problem:
        fields["problem"] = problem
    return json.dumps(fields)[:-1] + ', "ms": '


def _with_request_id(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    current, batch = request_id.get(), request_ids.get()
    if current is not None:
        event["request_id"] = current
    if batch:
        event["request_ids"] = batch
    return event


def _without_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    return {name: "***" if _SECRET_NAMES.search(name) else _redacted(value) for name, value in event.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    return [_redacted(one) for one in value] if isinstance(value, (list, tuple)) else value


def redact(text: str) -> str:
    """The text without API keys, JWTs and passwords of addresses."""
    return _SECRET_VALUES.sub("***", text)

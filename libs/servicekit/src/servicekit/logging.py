"""One JSON object a line on stdout, with the request, the tenant and the trace of whoever it was done for.

What people write to each other, their numbers and every kind of key stay out: a value under one of the `SECRET` names is
replaced, wherever it is nested, and what a driver or a validator quotes inside an exception is cut off.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.contextvars import get_contextvars

SECRET = frozenset(
    {
        "authorization", "body", "caption", "code", "cookie", "csrf", "email", "jid", "jwt", "number", "parameters", "params",
        "password", "payload", "phone", "qr", "secret", "text", "ticket", "token", "url",
    }
)  # fmt: skip
_SECRET_ENDING = ("_password", "_phone", "_secret", "_text", "_token", "_url", "_jid")
_REDACTED = "[redacted]"

# Postgres repeats the row in DETAIL and the parameters in CONTEXT, pydantic the input, WhatsApp's ids hold the number.
_QUOTED = re.compile(r"^(DETAIL|CONTEXT|WHERE|HINT):.*$|input_value=.*$|\[parameters: .*$", re.MULTILINE)
_JID = re.compile(r"\d{5,}(?=[.:\d]*@)")
_URL_PASSWORD = re.compile(r"(?<=://)[^\s/@]+@")


def configure(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log line, those of libraries included, to stdout as JSON.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        stream: Elsewhere than stdout.
    """
    out = stream or sys.stdout
    number = logging.getLevelNamesMapping()[level]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _named(service),
        redact,
        structlog.processors.ExceptionRenderer(_traceback),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared[:4]],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _quoted_event,
                redact,
                structlog.processors.ExceptionRenderer(_traceback),
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for chatty in ("uvicorn", "uvicorn.error", "asyncio", "alembic", "nats", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(max(number, logging.WARNING))


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every secret name, however deep."""
    return {name: _REDACTED if _secret(name) and value is not None else _inner(value) for name, value in event.items()}


def trace() -> str | None:
    """Give the W3C trace context of what is being done, to pass on in an envelope."""
    value = get_contextvars().get("trace")
    return value if isinstance(value, str) else None


def request_id() -> str | None:
    """Give the id of the request that is being answered."""
    value = get_contextvars().get("request_id")
    return value if isinstance(value, str) else None


def describe(error: BaseException) -> str:
    """Say what *error* is without what it quotes: for a log line, never for a person."""
    errors = getattr(error, "errors", None)
    if callable(errors):  # pydantic's and FastAPI's: their text repeats the input
        try:
            places = "; ".join(f"{'.'.join(map(str, item.get('loc', ())))}: {item.get('type')}" for item in errors())
        except (TypeError, AttributeError):
            places = ""
        return f"{type(error).__name__}: {places}"
    text = _URL_PASSWORD.sub("[redacted]@", _JID.sub(_REDACTED, _QUOTED.sub(_REDACTED, str(error))))
    return f"{type(error).__name__}: {text[:2000]}"


def _secret(name: str) -> bool:
    lower = name.lower()
    return lower in SECRET or lower.endswith(_SECRET_ENDING)


def _inner(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _REDACTED if _secret(str(name)) and item is not None else _inner(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_inner(item) for item in value]
    return value


def _named(service: str) -> structlog.types.Processor:
    def name(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    return name


def _quoted_event(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut what a library's own log line quotes."""
    event["event"] = _URL_PASSWORD.sub("[redacted]@", _JID.sub(_REDACTED, _QUOTED.sub(_REDACTED, str(event.get("event", "")))))
    return event


def _traceback(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """Write the frames and the kinds of a chain of exceptions, without what their texts quote."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = traceback.format_tb(error.__traceback__, limit=-20)
        parts.append("".join([*frames, describe(error)]))
        if isinstance(error, BaseExceptionGroup):
            parts.extend("".join([*traceback.format_tb(inner.__traceback__, limit=-10), describe(inner)]) for inner in error.exceptions)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nfrom:\n".join(parts)

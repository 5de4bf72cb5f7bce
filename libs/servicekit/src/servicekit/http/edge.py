"""What every request passes on its way in and out, as plain ASGI: its id, its size, and what to do when all else fails."""

import re
import secrets
import time
from collections.abc import Mapping
from uuid import uuid4

import structlog
from contracts import ids
from contracts.errors import Problem, TooLarge
from fastapi import HTTPException
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from servicekit import tracing
from servicekit.db import DatabaseAway, is_away
from servicekit.http.problems import render
from servicekit.logging import describe

log = structlog.get_logger()

REQUESTS = Histogram(
    "clarin_http_request_seconds",
    "How long a request took, from its head to the last byte of its answer.",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNTRACED = ("/health/", "/metrics")
_DRAIN = 8 * 1024 * 1024


class Edge:
    """The outermost layer: binds the request's id and trace, counts, and turns a bug into a 500 that names only an incident."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else str(ids.new())
        trace = headers.get("traceparent", "")
        if not _TRACE.fullmatch(trace):
            trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        if not tracing.is_on() or scope["path"].startswith(_UNTRACED):
            bind_contextvars(trace=trace)
            await self._answer(request_id, scope, receive, send)
            return
        with tracing.span(scope["method"], parent=headers.get("traceparent"), kind="server") as span:
            status = await self._answer(request_id, scope, receive, send)
            route = getattr(scope.get("route"), "path", "none")
            span.tell(f"{scope['method']} {route}", http__route=route, http__response__status_code=status)

    async def _answer(self, request_id: str, scope: Scope, receive: Receive, send: Send) -> int:
        status = 0
        began = time.perf_counter()

        async def out(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, out)
        except ClientDisconnect:
            log.debug("the client went away")
        except Exception as error:
            problem = _named(error, scope)
            if status:
                log.warning("the answer broke off", problem=problem.code)
                raise
            await render(problem)(scope, receive, out)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUESTS.labels(method, route, str(status or 499)).observe(time.perf_counter() - began)
        return status


def _named(error: Exception, scope: Scope) -> Problem:
    if isinstance(error, Problem):
        return error
    if is_away(error):
        return DatabaseAway()
    incident = str(uuid4())
    log.exception("bug", incident=incident, method=scope["method"], route=getattr(scope.get("route"), "path", None), reason=describe(error))
    return Problem(incident=incident)


class BodyTooLarge(HTTPException):
    """Raised where the body is read; FastAPI lets an HTTPException through and would make a 400 of anything else."""

    def __init__(self, limit: int) -> None:
        """Say how large the body may be."""
        super().__init__(413)
        self.problem = TooLarge(f"A body here has at most {limit} bytes.", limit=limit)


class BodyLimit:
    """Counts what is read of a body, whatever its head says, and stops at the limit of the path."""

    def __init__(self, app: ASGIApp, limit: int, paths: Mapping[str, int]) -> None:
        self._app = app
        self._limit = limit
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 as soon as the body is known to be too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._paths.get(scope["path"], self._limit)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
            await _refuse(limit, scope, receive, send, whole=len(announced) < 10 and int(announced) <= _DRAIN)
            return
        count = 0

        async def counted() -> Message:
            nonlocal count
            message = await receive()
            if message["type"] == "http.request":
                count += len(message.get("body", b""))
                if count > limit:
                    raise BodyTooLarge(limit)
            return message

        await self._app(scope, counted, send)


async def _refuse(limit: int, scope: Scope, receive: Receive, send: Send, *, whole: bool) -> None:
    """Answer 413. A body of bearable size is read to its end first: a client that is still sending would see a reset, no answer."""
    while whole:
        message = await receive()
        whole = message["type"] == "http.request" and message.get("more_body", False)
    problem = BodyTooLarge(limit).problem
    response = render(problem)
    response.headers["Connection"] = "close"
    await response(scope, receive, send)

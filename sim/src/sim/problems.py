"""What the control API answers when it cannot do what it is told: a status, a permanent code, and a sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from sim.directory import NotANumber, PhoneExists
from sim.linking import LinkRefused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Problem(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def _as_problem(error: Exception) -> Problem | None:
    match error:
        case Problem():
            return error
        case NotANumber():
            return Problem(422, "bad-number", str(error))
        case PhoneExists():
            return Problem(409, "phone-exists", str(error))
        case LinkRefused():
            return Problem(422 if error.wrong else 409, error.code, str(error))
        case msgspec.ValidationError():
            return Problem(422, "bad-body", str(error))
        case msgspec.DecodeError():
            return Problem(400, "bad-json", "The body is not JSON.")
        case web.HTTPException():
            return Problem(error.status, error.reason.lower().replace(" ", "-"), error.text or error.reason)
    return None


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal is JSON `{code, detail}`; pages of other origins are refused, since the port has no password."""
    try:
        host = request.host.rpartition(":")[0] or request.host
        origin = request.headers.get("Origin")
        if host not in _LOOPBACK or (origin and urlsplit(origin).netloc != request.host):
            raise Problem(403, "other-origin", "Only this machine's own pages may ask.")
        return await handler(request)
    except Exception as error:
        problem = _as_problem(error)
        if problem is None:
            raise
        body = {"code": problem.code, "detail": problem.detail, "status": problem.status}
        return web.json_response(body, status=problem.status, content_type="application/problem+json")

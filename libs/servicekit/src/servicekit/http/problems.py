"""Every error as ``application/problem+json`` (RFC 9457): type, title, status, detail, code, request_id."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.errors import Invalid, Malformed, NotFound, Problem, TooLarge, Unavailable
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from servicekit.logging import request_id

MEDIA_TYPE = "application/problem+json"
SCHEMA = "Problem"
_ERRORS_MAX = 20
_PLACE_MAX = 100


class MethodNotAllowed(Problem):
    """This path does not answer this method."""

    status = 405
    code = "method-not-allowed"


class Refused(Problem):
    """The request was refused."""

    status = 400
    code = "refused"


class ProblemResponse(Response):
    """A problem as the client reads it."""

    media_type = MEDIA_TYPE


def render(problem: Problem) -> ProblemResponse:
    """Write *problem* as a response."""
    members: dict[str, Any] = {
        "type": f"/docs/problems#{problem.code}",
        "title": type(problem).title().rstrip("."),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id(),
        **problem.members,
    }
    # ASCII: a lone surrogate in a member's name has no UTF-8
    return ProblemResponse(json.dumps(members, default=str).encode(), status_code=problem.status, headers=problem.headers)


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Document the problems that a route can answer with: ``responses=problems(DeviceMissing, DeviceBusy)``."""
    by_status: dict[int, dict[str, type[Problem]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, {})[kind.code] = kind
    return {status: described(several.values()) for status, several in sorted(by_status.items())}


def described(kinds: Iterable[type[Problem]]) -> dict[str, Any]:
    """Document several problems of one status."""
    kinds = list(kinds)
    examples = {
        kind.code: {
            "summary": kind.title(),
            "value": {
                "type": f"/docs/problems#{kind.code}",
                "title": kind.title().rstrip("."),
                "status": kind.status,
                "detail": "",
                "code": kind.code,
                "request_id": "0192f0c1-7e3a-7c52-9d10-2b7f6a1c9e44",
            },
        }
        for kind in kinds
    }
    return {
        "description": " ".join(f"`{kind.code}`: {kind.title()}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA}"}, "examples": examples}},
    }


async def on_problem(request: Request, error: Exception) -> Response:
    """Answer what a handler raised on purpose."""
    if not isinstance(error, Problem):
        raise error
    return render(error)


async def on_http(request: Request, error: Exception) -> Response:
    """Answer what the framework refused: an unknown route, a method, a body that cannot be read."""
    if not isinstance(error, HTTPException):
        raise error
    return render(_of_http(request, error))


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer a request that does not fit: 400 when it is no JSON, 404 when a path names nothing, else 422 with every place."""
    if not isinstance(error, RequestValidationError):
        raise error
    return render(_of_validation(error.errors()))


def _of_http(request: Request, error: HTTPException) -> Problem:
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() in {"allow", "retry-after", "www-authenticate"}}
    match error.status_code:
        case 404:
            return NotFound("No such path.", headers=headers)
        case 405:
            return MethodNotAllowed(f"{request.method} is not for this path.", headers=headers)
        case 413:
            return TooLarge(headers=headers)
        case 503:
            return Unavailable(headers=headers)
        case 400:
            return Malformed("The body cannot be read.", headers=headers)
    refused = Refused(str(error.detail), headers=headers)
    refused.status = error.status_code  # type: ignore[misc]
    return refused


def _of_validation(errors: Iterable[Mapping[str, Any]]) -> Problem:
    found = list(errors)
    for item in found:
        if item["type"] == "json_invalid":
            return Malformed("The body is no JSON.")
        if item["loc"] and item["loc"][0] == "path":
            return NotFound("Nothing has this name.")
    places = [
        {"at": ".".join(str(part) for part in item["loc"])[:_PLACE_MAX], "message": str(item["msg"]).removeprefix("Value error, ")}
        for item in found[:_ERRORS_MAX]
    ]
    detail = "; ".join(f"{place['at']}: {place['message']}" for place in places[:3])
    return Invalid(detail, errors=places)

"""The OpenAPI document of a service: short and stable operation ids, problems instead of FastAPI's own errors."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from contracts.errors import Forbidden, Invalid, Malformed, NotFound, Problem, TooLarge, Unavailable
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from servicekit.auth import ScopeMissing, TokenExpired, TokenInvalid, TokenMissing
from servicekit.http import problems
from servicekit.http.callers import caller, scope_of

_REFERENCE = "#/components/schemas/{name}"
_REFERRED = re.compile(r"#/components/schemas/([^'\"]+)")
_shapes: dict[str, Any] = {}

BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token of `POST /api/auth/login`."}

PROBLEM_SCHEMA = {
    "type": "object",
    "title": problems.SCHEMA,
    "description": "What went wrong, as RFC 9457 has it; `code` is permanent, the texts are for people.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "errors": {
            "type": "array",
            "description": "With `invalid`: every place that does not fit.",
            "items": {
                "type": "object",
                "required": ["at", "message"],
                "properties": {"at": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "incident": {"type": "string", "description": "With `internal`: what to tell those who run this installation."},
    },
    "additionalProperties": True,
}


def shape(kind: Any) -> dict[str, Any]:
    """Describe a msgspec type; its structs become components of every document of this process."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    _shapes.update(components)
    return schema


def operation_id(route: APIRoute) -> str:
    """Name an operation for generated clients: ``devices`` and ``pairing_code`` give ``devicesPairingCode``."""
    words = [word for part in (*map(str, route.tags[:1]), route.name) for word in part.replace("-", "_").split("_") if word]
    return words[0].lower() + "".join(word[:1].upper() + word[1:] for word in words[1:])


def of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Make the function that writes the document of *app*, once."""

    def write() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _write(app)
        return app.openapi_schema

    return write


def _write(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas[problems.SCHEMA] = PROBLEM_SCHEMA
    document["components"]["securitySchemes"] = {"bearer": BEARER}
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                calls = list(_calls(route.dependant))
                if caller in calls:
                    operation["x-scope"] = scope_of(method, route.dependant.call).value
                _complete(operation, calls)
    _add_shapes(document, schemas)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def _add_shapes(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Every struct that *document* refers to stands among its *schemas*; a model of the app's own that bears its name goes before."""
    wanted = set(_REFERRED.findall(str(document)))
    while missing := wanted - set(schemas):
        found = {name: _shapes[name] for name in missing if name in _shapes}
        schemas.update(found)
        wanted = set(_REFERRED.findall(str(found)))


def _complete(operation: dict[str, Any], calls: list[Any]) -> None:
    """Add to what the route itself says every problem that its dependencies and its parameters bring along."""
    kinds: list[type[Problem]] = [Unavailable]
    if caller in calls:
        operation["security"] = [{"bearer": []}]
        kinds += [TokenMissing, TokenExpired, TokenInvalid, ScopeMissing]
    if any(hasattr(call, "role") for call in calls):
        kinds.append(Forbidden)
    if "requestBody" in operation:
        kinds += [Malformed, TooLarge]
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
        kinds.append(NotFound)
    if "requestBody" in operation or any(parameter["in"] != "path" for parameter in operation.get("parameters", [])):
        kinds.append(Invalid)
    responses = operation.setdefault("responses", {})
    for status in [status for status, response in responses.items() if "HTTPValidationError" in str(response)]:
        del responses[status]
    for status, response in problems.problems(*kinds).items():
        known = responses.setdefault(str(status), {"description": "", "content": {}})
        content = known.setdefault("content", {}).setdefault(
            problems.MEDIA_TYPE, {"schema": {"$ref": _REFERENCE.format(name=problems.SCHEMA)}}
        )
        own = content.get("examples", {})
        added = {code: example for code, example in response["content"][problems.MEDIA_TYPE]["examples"].items() if code not in own}
        content["examples"] = own | added
        more = " ".join(f"`{code}`: {example['summary']}" for code, example in added.items())
        known["description"] = f"{known['description']} {more}".strip()
    operation["responses"] = dict(sorted(responses.items()))


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)

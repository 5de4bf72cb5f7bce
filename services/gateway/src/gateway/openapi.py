"""The services' OpenAPI documents as one, with what the gateway itself answers. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from contracts import routes
from contracts.errors import Problem, RateLimited, Unauthenticated
from servicekit.http.documents import PROBLEM_SCHEMA
from servicekit.http.problems import MEDIA_TYPE, SCHEMA, described

from gateway import domain

Document = dict[str, Any]

_ABOUT = "One API for many numbers and many teams. Errors are RFC 9457 problems with a stable `code`."

_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of POST /api/auth/login, or an API key.",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "An API key, which starts with clk_; it may also stand where a bearer token stands.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "clarin_access",
        "description": "A browser's session; unsafe methods need X-CSRF-Token with the value of the cookie clarin_csrf.",
    },
}


def _query(name: str, schema: Document, description: str) -> Document:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _refusals(*statuses: int) -> Document:
    words = {401: "No good token or key.", 403: "The key may not read.", 422: "The place is none.", 503: "Try again in a moment."}
    body = {"application/problem+json": {"schema": {"type": "object"}}}
    return {str(status): {"description": words[status], "content": body} for status in statuses}


_OWN_PATHS: Document = {
    "/api/meta": {
        "get": {
            "tags": ["gateway"],
            "summary": "Version, registration and limits of this installation",
            "operationId": "meta",
            "security": [],
            "responses": {
                "200": {
                    "description": "What a client should know before it signs in.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Meta"}}},
                }
            },
        }
    },
    "/ws": {
        "get": {
            "tags": ["realtime"],
            "summary": "Open a WebSocket",
            "description": (
                "Frames are JSON: first `hello` with `epoch` and `seq`, then `{event, seq, prev, data}`; `prev` is the sequence of the "
                "frame before, so that a gap shows. `since` with `epoch` resumes; a frame `resync` says that too much was missed. "
                "docs/realtime.md has the whole of it."
            ),
            "operationId": "ws",
            "security": [],
            "parameters": [
                _query("ticket", {"type": "string"}, "A one-use ticket of POST /api/auth/ticket."),
                _query("token", {"type": "string"}, "An access token, where a ticket is no choice."),
                _query("since", {"type": "integer", "minimum": 0}, "The last sequence that the client has."),
                _query("epoch", {"type": "string"}, "The epoch that the sequence belongs to."),
            ],
            "responses": {"101": {"description": "The connection is a WebSocket."}, "401": {"description": "No good token or ticket."}},
        }
    },
    "/api/stream": {
        "get": {
            "tags": ["realtime"],
            "summary": "The frames of the WebSocket as server-sent events",
            "description": (
                "For who cannot open a WebSocket: each event's `data` is a frame, its `id` says where to go on, in `Last-Event-ID`."
            ),
            "operationId": "stream",
            "parameters": [
                _query("since", {"type": "integer", "minimum": 0}, "The last sequence that the client has."),
                _query("epoch", {"type": "string"}, "The epoch that the sequence belongs to."),
                {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}, "description": "The `id` of the last event."},
            ],
            "responses": {
                "200": {"description": "It goes on until it is closed.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                **_refusals(401, 403, 422, 503),
            },
            "x-scope": "read",
        }
    },
    "/api/presence": {
        "get": {
            "tags": ["realtime"],
            "summary": "Who of the account is there, and which chats they have open",
            "description": "Whoever is not in it is offline. Of the open chats those are named that the caller may see.",
            "operationId": "presence",
            "responses": {
                "200": {
                    "description": "Everybody who is there.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Colleagues"}}},
                },
                **_refusals(401, 403, 503),
            },
            "x-scope": "read",
        }
    },
}

_OWN_SCHEMAS: Document = {
    "Colleagues": {
        "type": "object",
        "title": "Colleagues",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["user_id", "state", "chats"],
                    "properties": {
                        "user_id": {"type": "string"},
                        "state": {"type": "string", "enum": ["online", "away"]},
                        "chats": {"type": "array", "items": {"type": "string"}},
                    },
                },
            },
            "next_cursor": {"type": "null"},
        },
    },
    "Meta": {
        "type": "object",
        "title": "Meta",
        "required": ["name", "version", "registration", "mail", "limits"],
        "properties": {
            "name": {"type": "string"},
            "version": {"type": "string"},
            "registration": {"type": "string", "enum": ["open", "invite", "first", "closed"]},
            "mail": {"type": "boolean"},
            "sim_url": {"type": "string", "description": "In development only."},
            "limits": {
                "type": "object",
                "required": ["body_bytes", "media_bytes"],
                "properties": {"body_bytes": {"type": "integer"}, "media_bytes": {"type": "integer"}},
            },
        },
    },
}


#: What the gateway itself refuses, whatever is asked for, by what decides that it can.
_EVERYWHERE: tuple[type[Problem], ...] = (
    domain.BadRequest,
    domain.BadTarget,
    domain.OriginRefused,
    domain.NoSuchPath,
    domain.MethodNotAllowed,
    domain.TooSlow,
    domain.BodyTooLarge,
    domain.TargetTooLong,
    domain.ExpectationFailed,
    RateLimited,
    domain.TooManyConnections,
    domain.HeadersTooLarge,
    domain.UpstreamAway,
    domain.UpstreamTimeout,
    domain.UpstreamBroken,
    domain.VersionNotSupported,
)
_SIGNED_IN: tuple[type[Problem], ...] = (Unauthenticated, domain.KeyInvalid, domain.KeyExpired, domain.AccountSuspended)
_FORGEABLE: tuple[type[Problem], ...] = (domain.CsrfMismatch,)
_UPGRADING: tuple[type[Problem], ...] = (domain.NotAnUpgrade,)


def _by_status(kinds: Iterable[type[Problem]]) -> dict[str, list[type[Problem]]]:
    found: dict[str, list[type[Problem]]] = {}
    for kind in kinds:
        found.setdefault(str(kind.status), []).append(kind)
    return found


#: Each status once, for all operations that do not say more of it.
_EDGE: Document = {
    f"Edge{status}": described(kinds) for status, kinds in sorted(_by_status((*_EVERYWHERE, *_SIGNED_IN, *_FORGEABLE, *_UPGRADING)).items())
}


def merge(documents: Mapping[str, Document], *, version: str, missing: tuple[str, ...] = ()) -> Document:
    """Join the public paths of *documents*, which go by service, under one roof.

    A schema that two services define alike stands once; of two that differ the later gets its service's name before its own.
    """
    paths: Document = dict(_OWN_PATHS)
    schemas: Document = dict(_OWN_SCHEMAS)
    operations: set[str] = {"meta", "ws", "stream", "presence"}
    for service, document in documents.items():
        own: Document = document.get("components", {}).get("schemas", {})
        renamed = {
            name: _prefixed(service, name)
            for name, schema in own.items()
            if name in schemas and _resolved(name, own) != _resolved(name, schemas)
        }
        for name, schema in own.items():
            schemas.setdefault(renamed.get(name, name), _refer(schema, renamed))
        for path, item in document.get("paths", {}).items():
            if routes.owner(path) != service:
                continue
            paths[path] = _item(_refer(item, renamed), path, service, operations)
    for path, item in paths.items():
        paths[path] = {method: _guarded(path, method, operation) for method, operation in item.items()}
    schemas.setdefault(SCHEMA, PROBLEM_SCHEMA)
    merged: Document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Clarin",
            "version": version,
            "description": _ABOUT,
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "responses": _EDGE, "securitySchemes": _SECURITY},
        "security": [{"bearer": []}, {"key": []}, {"session": []}],
    }
    if missing:
        merged["x-missing"] = list(missing)
    return merged


def problems(document: Document, own: Iterable[type[Problem]]) -> dict[str, tuple[int, str]]:
    """Gather every code that the services document and those of the gateway's *own*, each with its status and title."""
    found = {kind.code: (kind.status, kind.title()) for kind in own}
    for item in document["paths"].values():
        for operation in item.values():
            for response in operation.get("responses", {}).values() if isinstance(operation, dict) else ():
                for content in response.get("content", {}).values():
                    for code, example in content.get("examples", {}).items():
                        value = example.get("value", {})
                        if isinstance(value, dict) and value.get("code") == code and isinstance(value.get("status"), int):
                            found.setdefault(code, (value["status"], str(example.get("summary") or value.get("title", ""))))
    return dict(sorted(found.items()))


def _guarded(path: str, method: str, operation: Any) -> Any:
    """Add to an operation what the gateway may answer in the service's place; where a status is there, its shape is the same."""
    if not isinstance(operation, dict) or "responses" not in operation:
        return operation
    kinds = [*_EVERYWHERE]
    if operation.get("security") != []:
        kinds += _SIGNED_IN
    if method.upper().encode() not in domain.SAFE and (operation.get("security") != [] or path in domain.COOKIE_GUARDED):
        kinds += _FORGEABLE
    if "101" in operation["responses"]:
        kinds += _UPGRADING
    responses = dict(operation["responses"])
    for status in _by_status(kinds):
        known = responses.setdefault(status, {"$ref": f"#/components/responses/Edge{status}"})
        if "$ref" not in known and MEDIA_TYPE not in known.get("content", {}):
            problem = {"schema": {"$ref": f"#/components/schemas/{SCHEMA}"}}
            responses[status] = known | {"content": known.get("content", {}) | {MEDIA_TYPE: problem}}
    return operation | {"responses": dict(sorted(responses.items()))}


def _prefixed(service: str, name: str) -> str:
    return "".join(part.capitalize() for part in service.split("-")) + name


def _resolved(name: str, schemas: Document) -> str:
    """Write a schema with all that it refers to, so that two that look alike and mean different things differ."""
    seen: set[str] = set()
    found: Document = {}

    def visit(which: str) -> None:
        if which in seen:
            return
        seen.add(which)
        found[which] = schemas.get(which)
        for reference in _references(found[which]):
            visit(reference)

    visit(name)
    return json.dumps(found, sort_keys=True)


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        found = [name for part in value.values() for name in _references(part)]
        reference = value.get("$ref")
        if isinstance(reference, str):
            found.append(reference.rpartition("/")[2])
        return found
    if isinstance(value, list):
        return [name for part in value for name in _references(part)]
    return []


def _refer(value: Any, renamed: Mapping[str, str]) -> Any:
    if not renamed:
        return value
    if isinstance(value, dict):
        changed = {key: _refer(part, renamed) for key, part in value.items()}
        reference = changed.get("$ref")
        if isinstance(reference, str):
            stem, _, name = reference.rpartition("/")
            changed["$ref"] = f"{stem}/{renamed.get(name, name)}"
        return changed
    if isinstance(value, list):
        return [_refer(part, renamed) for part in value]
    return value


def _item(item: Document, path: str, service: str, operations: set[str]) -> Document:
    changed = dict(item)
    for method, operation in item.items():
        if not isinstance(operation, dict) or "responses" not in operation:
            continue
        operation = {key: value for key, value in operation.items() if key != "security"}
        operation.setdefault("tags", [service])
        if path in routes.ANONYMOUS:
            operation["security"] = []
        name = operation.get("operationId")
        if isinstance(name, str):
            if name in operations:
                operation["operationId"] = f"{service}_{name}".replace("-", "_")
            operations.add(operation["operationId"])
        changed[method] = operation
    return changed

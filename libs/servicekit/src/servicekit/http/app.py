"""The one way to make a service's app."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.errors import Problem
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from servicekit import cursors, probes
from servicekit.auth import Verifier
from servicekit.health import Health
from servicekit.http import documents, problems
from servicekit.http.edge import BodyLimit, BodyTooLarge, Edge
from servicekit.run import Service

MEBIBYTE = 1024 * 1024


def create_app(
    *,
    title: str,
    service: Service | Health,
    verifier: Verifier | None,
    routers: Sequence[APIRouter],
    body_limit: int = MEBIBYTE,
    body_limits: Mapping[str, int] | None = None,
    cursor_secret: str | None = None,
    state: Mapping[str, Any] | None = None,
    version: str = "1",
) -> FastAPI:
    """Make the app of a service: its routers, problems for every error, health and metrics, one OpenAPI document.

    Args:
        service: Whose health ``/health/ready`` tells.
        verifier: Reads access tokens; None for a service whose routes all go without.
        body_limit: Bytes that a body may have.
        body_limits: The same by exact path, for uploads.
        cursor_secret: The key of `cursors`, for a service whose lists have pages.
        state: What handlers get with ``Annotated[Database, state("db")]``.
    """
    if cursor_secret is not None:
        cursors.init(cursor_secret)
    app = FastAPI(
        title=title,
        version=version,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=documents.operation_id,
    )
    app.state.verifier = verifier
    for name, value in (state or {}).items():
        setattr(app.state, name, value)
    app.add_exception_handler(Problem, problems.on_problem)
    app.add_exception_handler(BodyTooLarge, _on_too_large)
    app.add_exception_handler(HTTPException, problems.on_http)
    app.add_exception_handler(RequestValidationError, problems.on_invalid)
    app.add_middleware(BodyLimit, limit=body_limit, paths=dict(body_limits or {}))
    app.add_middleware(Edge)  # added last, so outermost
    for router in routers:
        app.include_router(router)
    for path, answer in probes.answers(service if isinstance(service, Health) else service.health).items():
        app.add_route(path, answer, methods=["GET"], include_in_schema=False)
    app.openapi = documents.of(app)  # type: ignore[method-assign]
    return app


async def _on_too_large(request: Request, error: Exception) -> Response:
    if not isinstance(error, BodyTooLarge):
        raise error
    response = problems.render(error.problem)
    response.headers["Connection"] = "close"
    return response

"""What every process answers over HTTP besides its own: that it lives, whether it is ready, its metrics.

`create_app` is for a process that answers nothing else. It does without FastAPI, an eighth of the modules that a worker would load.
"""

from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from servicekit.health import OK, Health


def create_app(health: Health) -> Starlette:
    """Make an app that answers these alone."""
    return Starlette(routes=[Route(path, answer, methods=["GET"]) for path, answer in answers(health).items()])


def answers(health: Health) -> dict[str, Callable[[Request], Awaitable[Response]]]:
    """Give what answers ``/health/live``, ``/health/ready`` (503 until *health* says that it is) and ``/metrics``."""

    async def live(request: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(request: Request) -> Response:
        states = await health.ready()
        well = all(state == OK for state in states.values())
        return JSONResponse({"ready": well, "checks": states}, status_code=200 if well else 503)

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return {"/health/live": live, "/health/ready": ready, "/metrics": metrics}

"""The gateway's own paths: health, metrics, meta, and the documentation of all services as one."""

import asyncio
import contextlib
import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from importlib import metadata, resources
from ipaddress import ip_address

import aiohttp
import structlog
from contracts import errors, routes
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from servicekit import auth
from servicekit.health import OK, Health

from gateway import domain, responses
from gateway.admission import Own
from gateway.domain import NoSuchPath
from gateway.openapi import Document, merge, problems
from gateway.requests import Request
from gateway.responses import Answer
from gateway.settings import GatewaySettings

_FRESH_S = 60.0
_RETRY_S = 3.0
_FETCH_S = 3.0

#: Swagger UI sets style attributes; its script comes from here like everything else.
_DOCS_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_DOCS_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Clarin API</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="docs"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
_PROBLEMS_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Clarin problems</title><style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
td { padding: .3rem 1rem .3rem 0; vertical-align: top } tr:target { background: #fff3bf }</style></head>
<body><h1>Problems</h1><p>Every error is <code>application/problem+json</code> (RFC 9457). Its <code>code</code> is permanent.</p>
<table><thead><tr><td>code</td><td>status</td><td>meaning</td></tr></thead><tbody>ROWS</tbody></table></body></html>
"""
_OWN_PROBLEMS = [
    kind
    for kind in (*vars(domain).values(), *vars(auth).values(), *vars(errors).values())
    if isinstance(kind, type) and issubclass(kind, errors.Problem) and kind is not errors.Problem
]
_DOCS_START = b"""SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#docs", deepLinking: true, persistAuthorization: false, validatorUrl: null, tryItOutEnabled: true,
  requestInterceptor: (request) => {
    const proof = document.cookie.split("; ").find((cookie) => cookie.startsWith("clarin_csrf="));
    if (proof && !request.headers.Authorization) request.headers["X-CSRF-Token"] = proof.slice("clarin_csrf=".length);
    return request;
  },
});
"""

log = structlog.get_logger()


def version() -> str:
    """Tell this installation's version."""
    return metadata.version("clarin-gateway")


def own(settings: GatewaySettings, health: Health, registry: CollectorRegistry, documents: "Documents") -> dict[str, Own]:
    """Gather the gateway's own paths."""
    meta = {
        "name": "clarin",
        "version": version(),
        "registration": settings.policy,
        "mail": settings.mail,
        "limits": {"body_bytes": settings.body_limit, "media_bytes": settings.media_limit},
    }
    if settings.sim_url and settings.env == "development":
        meta["sim_url"] = settings.sim_url
    told = responses.json(meta, headers=[(b"cache-control", b"no-cache")])

    async def ready() -> Answer:
        states = await health.ready()
        good = all(state == OK for state in states.values())
        return responses.json({"status": OK if good else "unavailable", "checks": states}, 200 if good else 503)

    def metrics(request: Request) -> Answer:
        # A proxy on this machine also comes from the loopback address; what it passes on says so.
        passed_on = any(name in request.fields for name in (b"x-forwarded-for", b"forwarded", b"via"))
        if passed_on or not ip_address(request.address or "::").is_loopback:
            raise NoSuchPath("Nothing is at /metrics.")
        return Answer(200, generate_latest(registry), [(b"content-type", CONTENT_TYPE_LATEST.encode())])

    return {
        "/health/live": lambda _: responses.json({"status": OK}),
        "/health/ready": lambda _: ready,
        "/metrics": metrics,
        "/api/meta": lambda _: told,
        "/openapi.json": lambda _: documents.answer,
        "/docs": lambda _: responses.html(_DOCS_PAGE, policy=_DOCS_POLICY),
        "/docs/problems": lambda _: documents.problems,
        "/docs/start.js": _static(_DOCS_START, b"text/javascript; charset=utf-8"),
        "/docs/swagger-ui.css": _packaged("swagger-ui.css", b"text/css; charset=utf-8"),
        "/docs/swagger-ui-bundle.js": _packaged("swagger-ui-bundle.js", b"text/javascript; charset=utf-8"),
    }


class Documents:
    """The services' OpenAPI documents, fetched when somebody asks; a service that is away keeps its last one."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        """Know where the services are."""
        self._urls = urls
        self._known: dict[str, Document] = {}
        self._merged = Answer(503)
        self._document: Document = merge({}, version=version())
        self._until = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def answer(self) -> Answer:
        """Answer with the merged document, at most a minute old."""
        if asyncio.get_running_loop().time() >= self._until:
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._fetch())
            await asyncio.shield(self._fetching)
        return self._merged

    async def problems(self) -> Answer:
        """Answer with a page of every code that a problem can have; a problem's `type` leads there."""
        await self.answer()
        rows = "".join(
            f'<tr id="{escape(code)}"><td><code>{escape(code)}</code></td><td>{status}</td><td>{escape(title)}</td></tr>'
            for code, (status, title) in problems(self._document, _OWN_PROBLEMS).items()
        )
        return responses.html(_PROBLEMS_PAGE.replace("ROWS", rows).encode(), policy=_DOCS_POLICY)

    async def _fetch(self) -> None:
        try:
            timeout = aiohttp.ClientTimeout(total=_FETCH_S)
            async with aiohttp.ClientSession(timeout=timeout) as session:
                fetched = await asyncio.gather(*(self._one(session, service) for service in routes.PUBLIC))
            known = {service: self._known[service] for service in routes.PUBLIC if service in self._known}
            missing = tuple(service for service in routes.PUBLIC if service not in known)
            self._document = merge(known, version=version(), missing=missing)
            self._merged = responses.json(self._document, headers=[(b"cache-control", b"no-cache")])
            self._until = asyncio.get_running_loop().time() + (_FRESH_S if all(fetched) else _RETRY_S)
        finally:
            self._fetching = None

    async def _one(self, session: aiohttp.ClientSession, service: str) -> bool:
        try:
            document = await _first(session, self._urls[service].split(","))
            if not isinstance(document, dict):
                raise TypeError("not an object")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError) as error:
            log.warning("no openapi document", upstream=service, reason=type(error).__name__)
            return False
        self._known[service] = document
        return True


async def _first(session: aiohttp.ClientSession, urls: list[str]) -> object:
    """Give the document of the first replica that is there."""
    for url in urls[:-1]:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return await _first(session, [url])
    async with session.get(f"{urls[-1]}/openapi.json") as response:
        response.raise_for_status()
        return json.loads(await response.read())


def _static(body: bytes, kind: bytes) -> Callable[[Request], Answer | Callable[[], Awaitable[Answer]]]:
    tag = b'"%b"' % hashlib.sha256(body).hexdigest()[:20].encode()
    packed = gzip.compress(body, 6, mtime=0)
    headers = [(b"content-type", kind), (b"cache-control", b"public, max-age=3600"), (b"etag", tag), (b"vary", b"Accept-Encoding")]

    def serve(request: Request) -> Answer:
        if request.fields.get(b"if-none-match") == tag:
            return Answer(304, b"", headers)
        if b"gzip" in request.fields.get(b"accept-encoding", b""):
            return Answer(200, packed, [*headers, (b"content-encoding", b"gzip")])
        return Answer(200, body, headers)

    return serve


def _packaged(name: str, kind: bytes) -> Own:
    """Serve one of Swagger UI's files; read and packed when it is first asked for."""
    served: list[Own] = []

    def serve(request: Request) -> Answer | Callable[[], Awaitable[Answer]]:
        if not served:
            served.append(_static((resources.files("fastapi_swagger") / "resources" / name).read_bytes(), kind))
        return served[0](request)

    return serve

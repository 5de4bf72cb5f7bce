"""What becomes of a request: the checks, in their order, before a single byte of its body is read.

target → method → route → preflight → who calls → proof against forged requests → size → (rates) → a plan
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping

from contracts import routes
from contracts.errors import Unauthenticated
from contracts.principal import Principal

from gateway.domain import (
    COOKIE_GUARDED,
    METHODS,
    RESERVED,
    SAFE,
    BadRequest,
    BodyTooLarge,
    CsrfMismatch,
    Limits,
    MethodNotAllowed,
    NoSuchPath,
    NotAnUpgrade,
    OriginRefused,
)
from gateway.exchange import Forward, Plan
from gateway.paths import normalise
from gateway.requests import Request, cookies
from gateway.responses import Answer, Cors
from gateway.upstream import Pool

Verify = Callable[[str], Principal]
Own = Callable[[Request], Answer | Callable[[], Awaitable[Answer]]]


class Admission:
    """Turns each request into a plan, or into a Problem."""

    def __init__(
        self, *, pools: Mapping[str, Pool], own: Mapping[str, Own], panel: Own, verify: Verify, cors: Cors, limits: Limits
    ) -> None:
        """Know the services (*pools* by name), the gateway's *own* paths and the *panel*, and who can read a token (*verify*)."""
        self._pools = pools
        self._own = own
        self._panel = panel
        self._verify = verify
        self._cors = cors
        self._limits = limits

    def __call__(self, request: Request) -> Plan:
        """Decide.  Raises: Problem."""
        request.path, request.query = normalise(request.target, request.fields.get(b"host"))
        if request.method not in METHODS:
            raise MethodNotAllowed("This method is not allowed here.")
        service = routes.owner(request.path)
        if service == "realtime":
            return self._socket(request)
        request.upgrade = b""
        if service is None:
            return self._ourselves(request)
        if request.method == b"OPTIONS":
            return self._preflight(request)
        token, cookie = self._credentials(request, service)
        if request.path in routes.ANONYMOUS:
            authorization = request.fields.get(b"authorization")
        else:
            if token is None:
                raise Unauthenticated("This needs a bearer token or the session's cookie.")
            request.principal = self._verify(token)
            authorization = b"Bearer " + token.encode("latin-1")
        limit = self._limits.body(request.path)
        if request.length is not None and request.length > limit:
            raise BodyTooLarge(f"A body here has at most {limit} bytes.", limit=limit)
        # Rates: here, by address on anonymous paths and by principal elsewhere, before a service is asked.
        pool = self._pools[service]
        return Forward(pool, request.upstream_head(pool.authority, authorization=authorization, cookie=cookie))

    def _credentials(self, request: Request, service: str) -> tuple[str | None, bytes | None]:
        """Find the bearer token, and the cookies that the service may see: auth's alone, for its refresh token.

        Raises: CsrfMismatch: An unsafe request that a cookie speaks for, without the session's proof.
        """
        fields = request.fields
        authorization = fields.get(b"authorization")
        jar = cookies(fields[b"cookie"]) if b"cookie" in fields else {}
        passed = fields.get(b"cookie") if service == "auth" else None
        if authorization is not None:
            scheme, _, token = authorization.decode("latin-1").partition(" ")
            return (token.strip() if scheme.lower() == "bearer" else None), passed
        if b"x-api-key" in fields:
            return None, passed
        if request.path in routes.ANONYMOUS:
            speaks = request.path in COOKIE_GUARDED and ("clarin_access" in jar or "clarin_refresh" in jar)
        else:
            speaks = "clarin_access" in jar
        if speaks and request.method not in SAFE:
            given = fields.get(b"x-csrf-token", b"")
            if not given or not hmac.compare_digest(given, jar.get("clarin_csrf", "").encode("latin-1")):
                raise CsrfMismatch("An X-CSRF-Token header with the value of the cookie clarin_csrf is needed.")
        return jar.get("clarin_access"), passed

    def _socket(self, request: Request) -> Plan:
        """Splice a WebSocket. Its token or ticket is explicit, so no cookie goes along and any origin may open one."""
        if request.upgrade != b"websocket" or request.method != b"GET":
            request.upgrade = b""
            raise NotAnUpgrade("Only a WebSocket is here.", headers={"Upgrade": "websocket"})
        if not request.bodyless():
            raise BadRequest("A WebSocket is not opened with a body.")
        pool = self._pools["realtime"]
        return Forward(pool, request.upstream_head(pool.authority, authorization=request.fields.get(b"authorization"), cookie=None))

    def _ourselves(self, request: Request) -> Plan:
        own = self._own.get(request.path)
        if own is not None:
            if request.method == b"OPTIONS":
                return self._preflight(request)
            if request.method not in SAFE:
                raise MethodNotAllowed("Only GET and HEAD are allowed here.", headers={"Allow": "GET, HEAD"})
            return own(request)
        if any(request.path == name or request.path.startswith(name + "/") for name in RESERVED):
            raise NoSuchPath(f"Nothing is at {request.path}.")
        if request.method not in SAFE or request.method == b"OPTIONS":
            raise MethodNotAllowed("Only GET and HEAD are allowed here.", headers={"Allow": "GET, HEAD"})
        return self._panel(request)

    def _preflight(self, request: Request) -> Answer:
        origin = request.fields.get(b"origin")
        if origin is None or b"access-control-request-method" not in request.fields:
            return Answer(204, b"", [(b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")])
        if not self._cors.allows(origin):
            raise OriginRefused("Pages of this origin may not call the API.")
        return Answer(204, b"", self._cors.preflight())

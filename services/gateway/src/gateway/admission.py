"""What becomes of a request: the checks, in their order, before a single byte of its body is read.

target → method → route → preflight → the address's rate → proof against forged requests → size → who calls → its rate → a plan
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
from gateway.exchange import Forward, Later, Plan
from gateway.keys import PREFIX, Keys
from gateway.paths import normalise
from gateway.rates import Rates, Visit
from gateway.requests import Request, cookies
from gateway.responses import Answer, Cors
from gateway.upstream import Pool

Verify = Callable[[str], Principal]
Take = Callable[[Visit], Awaitable[None]]
Own = Callable[[Request], Answer | Callable[[], Awaitable[Answer]]]


class Admission:
    """Turns each request into a plan, or into a Problem."""

    def __init__(
        self,
        *,
        pools: Mapping[str, Pool],
        own: Mapping[str, Own],
        panel: Own,
        verify: Verify,
        keys: Keys,
        rates: Rates,
        take: Take,
        cors: Cors,
        limits: Limits,
    ) -> None:
        """Know the parts.

        Args:
            pools: The services, by name.
            own: The gateway's own paths.
            panel: What answers everything else.
            verify: Reads a token.
            keys: Exchanges API keys.
            rates: How often somebody may ask.
            take: Charges a visit once the other replicas agree.
        """
        self._pools = pools
        self._own = own
        self._panel = panel
        self._verify = verify
        self._keys = keys
        self._rates = rates
        self._take = take
        self._cors = cors
        self._limits = limits

    def __call__(self, request: Request) -> Plan:
        """Decide.  Raises: Problem."""
        request.path, request.query = normalise(request.target, request.fields.get(b"host"))
        if request.method not in METHODS:
            raise MethodNotAllowed("This method is not allowed here.")
        service = routes.owner(request.path)
        if service == "realtime" and not request.path.startswith("/api/"):
            return self._socket(request)
        request.upgrade = b""
        if service is None:
            return self._ourselves(request)
        if request.method == b"OPTIONS":
            return self._preflight(request)
        if service == "realtime" and request.method != b"GET":
            raise MethodNotAllowed("Only GET is allowed here.", headers={"Allow": "GET"})
        visit = self._rates.visit(request)
        try:
            return self._admit(request, service, visit)
        except Unauthenticated:
            visit.pay()  # who tries tokens pays for it
            raise

    def _admit(self, request: Request, service: str, visit: Visit) -> Plan:
        token, cookie = self._credentials(request, service)
        limit = self._limits.body(request.path)
        if request.length is not None and request.length > limit:
            raise BodyTooLarge(f"A body here has at most {limit} bytes.", limit=limit)
        pool = self._pools[service]
        if request.path in routes.ANONYMOUS:
            return self._settle(request, visit, pool, request.fields.get(b"authorization"), cookie)
        if token is None:
            raise Unauthenticated("This needs a bearer token, an API key or the session's cookie.")
        if token.startswith(PREFIX):
            return self._by_key(request, visit, pool, token, cookie)
        return self._know(request, visit, pool, token, cookie)

    def _by_key(self, request: Request, visit: Visit, pool: Pool, key: str, cookie: bytes | None) -> Forward | Later:
        known = self._keys.known(key, request.address)
        if known is not None:
            try:
                return self._know(request, visit, pool, known, cookie)
            except Unauthenticated:
                self._keys.forget(key, request.address)  # the key was changed or revoked since: auth knows which
        return Later(lambda: self._exchange(request, visit, pool, key, cookie))

    def _know(self, request: Request, visit: Visit, pool: Pool, token: str, cookie: bytes | None) -> Forward | Later:
        request.principal = self._verify(token)
        visit.caller(request.principal.id)
        return self._settle(request, visit, pool, b"Bearer " + token.encode("latin-1"), cookie)

    def _settle(self, request: Request, visit: Visit, pool: Pool, authorization: bytes | None, cookie: bytes | None) -> Forward | Later:
        forward = Forward(pool, request.upstream_head(pool.authority, authorization=authorization, cookie=cookie))
        if not visit.strict:
            visit.pay()
            return forward

        async def agreed() -> Forward:
            await self._take(visit)
            return forward

        return Later(agreed)

    async def _exchange(self, request: Request, visit: Visit, pool: Pool, key: str, cookie: bytes | None) -> Forward:
        try:
            token = await self._keys.token(key, request.address)
            visit.again()
            plan = self._know(request, visit, pool, token, cookie)
        except Unauthenticated:
            visit.pay()
            raise
        return plan if isinstance(plan, Forward) else await plan.decide()

    def _credentials(self, request: Request, service: str) -> tuple[str | None, bytes | None]:
        """Find the bearer token or API key, and the cookies that the service may see: auth's alone, for its refresh token.

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
            key = fields[b"x-api-key"].decode("latin-1")
            return key if key.startswith(PREFIX) else None, passed
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
        visit = self._rates.visit(request)
        return self._settle(request, visit, self._pools["realtime"], request.fields.get(b"authorization"), None)

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

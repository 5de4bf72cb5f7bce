"""Who calls: the principal of the access token, as a dependency of the handler.

Whoever needs a caller asks an API key for the scope of the operation as well. A route that states none has `READ` for
reading and `SETTINGS` for all else, so that what is forgotten is refused to keys, never given::

    @router.post("/send")
    @needs(Scope.SEND)
    async def send(body: Send, caller: Caller) -> Response: ...
"""

import ipaddress
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from contracts.errors import Forbidden
from contracts.principal import Actor, Principal, Role, Scope
from fastapi import Depends, Request
from structlog.contextvars import bind_contextvars

from servicekit.auth import TokenMissing, Verifier, demand

_SCOPE = "__scope__"
_READING = frozenset({"GET", "HEAD"})

H = TypeVar("H", bound=Callable[..., Any])


def needs(scope: Scope) -> Callable[[H], H]:
    """Make the decorator (below the route's) that has an API key need *scope* for the handler, whatever its method."""

    def state(handler: H) -> H:
        setattr(handler, _SCOPE, scope)
        return handler

    return state


def scope_of(method: str, handler: object) -> Scope:
    """Give the scope that an API key needs for *handler*."""
    stated: Scope | None = getattr(handler, _SCOPE, None)
    return stated or (Scope.READ if method in _READING else Scope.SETTINGS)


async def caller(request: Request) -> Principal:
    """Give who is signed in.  Raises: TokenMissing, TokenExpired, TokenInvalid, ScopeMissing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing("Send an access token: Authorization: Bearer …")
    verifier: Verifier | None = request.app.state.verifier
    if verifier is None:
        raise RuntimeError("This app was made without a verifier.")
    principal = verifier.verify(token.strip())
    bind_contextvars(tenant=str(principal.tenant), user=str(principal.id))
    demand(principal, scope_of(request.method, request.scope.get("endpoint")))
    return principal


class Requires:
    """A dependency that lets callers of a role, and of those above it, through."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, principal: Annotated[Principal, Depends(caller)]) -> Principal:
        """Give who is signed in.  Raises: Forbidden."""
        if not principal.may(self.role):
            raise Forbidden(f"This needs the role {self.role.value}.")
        return principal


def requires(role: Role) -> Any:
    """Make the dependency that refuses everyone below *role*."""
    return Depends(Requires(role))


def address(request: Request) -> str | None:
    """Read who is behind the gateway, which sets X-Real-Ip itself and lets nobody else do so."""
    try:
        return str(ipaddress.ip_address(request.headers.get("X-Real-Ip", "")))
    except ValueError:
        return None


async def _actor(request: Request, principal: Annotated[Principal, Depends(caller)]) -> Actor:
    return Actor(id=principal.id, kind=principal.kind, address=address(request))


#: Anyone who is signed in.
Caller = Annotated[Principal, Depends(caller)]
#: Who does it, as facts name them.
Doer = Annotated[Actor, Depends(_actor)]
Admin = Annotated[Principal, requires(Role.ADMIN)]
Owner = Annotated[Principal, requires(Role.OWNER)]

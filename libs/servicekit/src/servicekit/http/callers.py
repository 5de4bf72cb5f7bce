"""Who calls: the principal of the access token, as a dependency of the handler."""

from typing import Annotated, Any

from contracts.errors import Forbidden
from contracts.principal import Principal, Role
from fastapi import Depends, Request
from structlog.contextvars import bind_contextvars

from servicekit.auth import TokenMissing, Verifier


async def caller(request: Request) -> Principal:
    """Give who is signed in.  Raises: TokenMissing, TokenExpired, TokenInvalid."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing("Send an access token: Authorization: Bearer …")
    verifier: Verifier | None = request.app.state.verifier
    if verifier is None:
        raise RuntimeError("This app was made without a verifier.")
    principal = verifier.verify(token.strip())
    bind_contextvars(tenant=str(principal.tenant), user=str(principal.id))
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


#: Anyone who is signed in.
Caller = Annotated[Principal, Depends(caller)]
Admin = Annotated[Principal, requires(Role.ADMIN)]
Owner = Annotated[Principal, requires(Role.OWNER)]

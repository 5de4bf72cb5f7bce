"""One-use tickets for the socket, so that no token stands in a URL."""

import jwt
import msgspec
from contracts.principal import Scope
from fastapi import APIRouter, Request
from redis.exceptions import RedisError
from servicekit.http import Caller, needs, problems

from auth import tokens
from auth.api.parts import WithParts
from auth.api.shapes import Ticket
from auth.domain import TicketsAway

SECONDS = 30

router = APIRouter(prefix="/api/auth", tags=["auth"])


@router.post("/ticket", responses=problems(TicketsAway))
@needs(Scope.READ)
async def ticket(caller: Caller, request: Request, parts: WithParts) -> Ticket:
    """Make a ticket that opens one socket within 30 seconds, for as long as this access token is good."""
    # verified a moment ago, when the caller was read from it
    claims = jwt.decode(request.headers["Authorization"].partition(" ")[2], options={"verify_signature": False})
    made = tokens.random()
    value = msgspec.json.encode({**msgspec.to_builtins(caller), "exp": claims["exp"]})
    try:
        await parts.redis.set(f"ticket:{tokens.hashed(made).hex()}", value, ex=SECONDS)
    except (RedisError, OSError, TimeoutError):
        raise TicketsAway("Try again in a moment.", headers={"Retry-After": "2"}) from None
    return Ticket(ticket=made, expires_in=SECONDS)

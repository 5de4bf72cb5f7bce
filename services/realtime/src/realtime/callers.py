"""Who may open a socket: an access token, or a ticket that is good once.

Both are explicit, so a page of any origin may open one: what another site cannot know it cannot send, and cookies count
for nothing here.
"""

import base64
import hashlib
import time

import msgspec
from contracts.principal import Principal
from redis.asyncio import Redis
from redis.exceptions import RedisError
from servicekit.auth import TokenExpired, TokenInvalid, TokenMissing, Tokens

from realtime.domain import Caller, TicketInvalid, TicketsAway

_TICKET_MAX = 200


class _Expiry(msgspec.Struct):
    exp: float


class _Ticket(Principal, frozen=True, kw_only=True):
    exp: float


class Door:
    """Reads tokens and redeems tickets."""

    def __init__(self, tokens: Tokens, redis: Redis) -> None:
        """Verify with *tokens*; find tickets in *redis*."""
        self._tokens = tokens
        self._redis = redis

    async def admit(self, *, token: str | None, ticket: str | None) -> Caller:
        """Say who it is.

        Raises:
            Unauthenticated: Neither is given, or what is given is not good (any more).
            TicketsAway: It cannot be known at the moment.
        """
        if ticket:
            return await self._redeem(ticket)
        if token:
            return self.by_token(token)
        raise TokenMissing("A ticket or a token is needed: /ws?ticket=…")

    def by_token(self, token: str) -> Caller:
        """Say whose *token* this is, and for how long.  Raises: TokenExpired, TokenInvalid."""
        principal = self._tokens.verify(token)
        body = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=_Expiry)
        return Caller(principal, claims.exp)

    async def _redeem(self, ticket: str) -> Caller:
        if len(ticket) > _TICKET_MAX or not ticket.isascii():
            raise TicketInvalid("This is no ticket.")
        try:
            value = await self._redis.getdel(f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}")
        except (RedisError, OSError, TimeoutError):
            raise TicketsAway("Tickets cannot be redeemed at the moment; try again.") from None
        if value is None:
            raise TicketInvalid("It was used, or is older than 30 seconds.")
        try:
            held = msgspec.json.decode(value, type=_Ticket)
        except msgspec.DecodeError:
            raise TicketInvalid("It cannot be read.") from None
        principal = msgspec.convert(msgspec.to_builtins(held), Principal)
        caller = Caller(principal, held.exp)
        self.check(caller)
        return caller

    def check(self, caller: Caller) -> None:
        """See that *caller* may stay.  Raises: TokenExpired, TokenInvalid."""
        if caller.expires <= time.time():
            raise TokenExpired("Come back with a fresh token.")
        if self._tokens.revoked(caller.principal):
            raise TokenInvalid("It was revoked.")

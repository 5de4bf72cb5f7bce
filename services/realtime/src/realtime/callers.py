"""Who may open a socket: an access token, or a ticket that is good once.

Both are explicit, so a page of any origin may open one: what another site cannot know it cannot send, and cookies count
for nothing here.
"""

import base64
import hashlib
import time
from collections.abc import Callable

import msgspec
from contracts.ids import UserId
from contracts.principal import Principal, Scope
from redis.asyncio import Redis
from redis.exceptions import RedisError
from servicekit.auth import TokenExpired, TokenInvalid, TokenMissing, Tokens, demand

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
            ScopeMissing: It is an API key that may not read.
            TicketsAway: It cannot be known at the moment.
        """
        if ticket:
            caller = await self._redeem(ticket)
        elif token:
            caller = self.by_token(token)
        else:
            raise TokenMissing("A ticket or a token is needed: /ws?ticket=…")
        demand(caller.principal, Scope.READ)
        return caller

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
        caller = self.renewed(Caller(principal, held.exp))
        self.check(caller)
        return caller

    def renewed(self, caller: Caller) -> Caller:
        """Give *caller* with what it sees at this moment, whatever it saw when its token or ticket was made."""
        access = self._tokens.access_of(caller.principal.id)
        return Caller(msgspec.structs.replace(caller.principal, access=access), caller.expires)

    def on_access(self, tell: Callable[[UserId], None]) -> None:
        """Call *tell* with whoever sees more or less than before."""
        self._tokens.on_access.append(tell)

    def check(self, caller: Caller) -> None:
        """See that *caller* may stay.  Raises: TokenExpired, TokenInvalid."""
        if caller.expires <= time.time():
            raise TokenExpired("Come back with a fresh token.")
        if self._tokens.revoked(caller.principal):
            raise TokenInvalid("It was revoked.")

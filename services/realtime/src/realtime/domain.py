"""What realtime refuses, and how it closes. Pure."""

from dataclasses import dataclass
from enum import IntEnum

from contracts.errors import Invalid, NotFound, Problem, Unauthenticated, Unavailable
from contracts.principal import Principal


class Close(IntEnum):
    """Why a socket is closed; a client comes back at once after 1012 and 1013, and with a fresh token after 4401."""

    NORMAL = 1000
    IDLE = 1001
    UNSUPPORTED = 1003
    NOT_TEXT = 1007
    POLICY = 1008
    RESTART = 1012
    SLOW = 1013
    UNAUTHENTICATED = 4401


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long.

    Attributes:
        queue_bytes: What may wait for a slow socket.
        message_bytes: What a client may say at once; an access token fits.
        messages: How many times a client may speak in one second.
        opening_s: From the connection to the first frame.
        comment_s: Between two comments that keep a stream of events alive: what stands between waits 30 s at most.
        closing_s: From our close to the client's.
        drain_s: Over how long the closes are spread when the process ends.
    """

    queue_bytes: int = 1024 * 1024
    message_bytes: int = 8 * 1024
    messages: int = 20
    sockets: int = 20_000
    ping_s: float = 25
    comment_s: float = 15
    idle_s: float = 60
    opening_s: float = 10
    closing_s: float = 5
    drain_s: float = 3
    tick_s: float = 1


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is behind a socket.

    Attributes:
        expires: When the access token ends, as Unix time.
    """

    principal: Principal
    expires: float


class TicketInvalid(Unauthenticated):
    """The ticket is not valid."""

    code = "ticket-invalid"


class AnotherCaller(Unauthenticated):
    """The token is another person's than the socket's."""

    code = "token-invalid"


class NoSuchPath(NotFound):
    """Nothing is here."""


class WrongMethod(Problem):
    """This method is not allowed here."""

    status = 405
    code = "method-not-allowed"


class BadPlace(Invalid):
    """The place to resume from is not one."""

    code = "bad-since"


class TicketsAway(Unavailable):
    """Tickets cannot be redeemed at the moment; try again."""


class Full(Unavailable):
    """This replica has all the sockets that it takes; try again."""

    code = "sockets-full"


class NotReady(Unavailable):
    """This replica is still reading what happened; try again."""

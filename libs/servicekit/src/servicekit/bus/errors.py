"""What can go wrong on the bus.

Unavailable
└── BusAway         no server, no answer or no ack in time
Conflict
└── KeyMoved        a compare-and-set that came too late
BusRefused          the server said no: a missing permission or a bug
└── WrongPassword   … to the whole connection
"""

from contracts.errors import Conflict, Unavailable


class BusAway(Unavailable):
    """The message bus does not answer; try again."""


class KeyMoved(Conflict):
    """The key has changed meanwhile."""

    code = "key-moved"


class BusRefused(Exception):
    """The server answered no.

    Attributes:
        status: As in HTTP; 403 for a missing permission.
        number: JetStream's own number of the error; 0 where it is not JetStream that refuses.
    """

    def __init__(self, detail: str, *, status: int, number: int = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.number = number


class WrongPassword(BusRefused):
    """The server does not let this user in."""

    def __init__(self, user: str | None) -> None:
        super().__init__(
            f"The NATS server refuses the user {user or '(none)'}: CLARIN_NATS_URL has another password than the server.", status=401
        )

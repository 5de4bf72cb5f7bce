"""What worker and host say to each other: a length (4 bytes, big-endian), then one of these as msgpack; and at the end a signal."""

import signal
import struct
from typing import Any, Literal
from uuid import UUID

import msgspec

LENGTH = struct.Struct(">I")

#: What the kernel sends to the host when the worker dies. No terminal and no supervisor sends it by itself.
WORKER_DIED = signal.SIGUSR1
#: Seconds after which the host is gone then, whatever hangs. It takes a fraction of them where the machine is not overloaded, and where it
#: is they are what saves the messages that WhatsApp was told are here. Off the line from the first on, it is in nobody's way.
LAST_WORDS = 8.0


class _Frame(msgspec.Struct, frozen=True, array_like=True, tag=True):
    pass


# From the worker.


class Begin(_Frame, frozen=True, array_like=True, tag=True):
    """The first frame.

    Attributes:
        journal: The folder of every journal.
        segment: Bytes of one file of it.
        recent: Devices and ids of messages that dead hosts have kept here.
    """

    store: str
    journal: str
    segment: int
    log_level: str
    worker: str
    recent: list[tuple[bytes, str]] = []


class Start(_Frame, frozen=True, array_like=True, tag=True):
    """Start the session of a linked device.

    Attributes:
        own: The users that are the device itself.
        proxy: The address of the proxy that it goes by; empty for none.
    """

    session: int
    jid: str
    tenant: UUID
    device: UUID
    own: list[str]
    proxy: str = ""


#: What does no harm when it is asked again.
Repeatable = Literal[
    "disconnect", "stop", "upload", "mark_read", "on_whatsapp", "typing", "presence", "subscribe", "group", "block", "blocked", "logout"
]


class Call(_Frame, frozen=True, array_like=True, tag=True):
    """Call a session's method; an `Answer` with the same *id* follows."""

    id: int
    session: int
    what: Literal["send", Repeatable]
    arguments: list[Any]


Order = Begin | Start | Call


# From the host.


class Ready(_Frame, frozen=True, array_like=True, tag=True):
    """The store is prepared; the journal is *folder*."""

    folder: str


class Answer(_Frame, frozen=True, array_like=True, tag=True):
    """What came of a `Call`. *text* belongs to a failure, and may name phone numbers."""

    id: int
    result: Any = None
    failure: Literal["not-running", "failed", "broken"] | None = None
    text: str = ""
    question: bool = False


class Happened(_Frame, frozen=True, array_like=True, tag=True):
    """An event of a session that is not for the journal."""

    session: int
    kind: int
    raw: bytes


class Ended(_Frame, frozen=True, array_like=True, tag=True):
    """A session is over, because it was stopped or by an error."""

    session: int
    error: str


class UsedUp(_Frame, frozen=True, array_like=True, tag=True):
    """A session is off the line: it was brought a message whose keys are used up. *chat* and *sender* are as whatsmeow writes them.

    More of them may follow: what lies in the library's queue is read to its end.
    """

    session: int
    chat: str
    sender: str


class Appended(_Frame, frozen=True, array_like=True, tag=True):
    """The journal has had *total* bytes so far."""

    total: int
    trouble: bool


class StoreFailed(_Frame, frozen=True, array_like=True, tag=True):
    """whatsmeow has logged an error of its database."""


Report = Ready | Answer | Happened | Ended | UsedUp | Appended | StoreFailed

orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def pack(frame: Order | Report) -> bytes:
    """Write *frame* with its length."""
    body = msgspec.msgpack.encode(frame)
    return LENGTH.pack(len(body)) + body

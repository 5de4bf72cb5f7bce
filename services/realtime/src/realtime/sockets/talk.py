"""What a client may say, and how it says where to go on. Pure."""

from typing import Literal

import msgspec
from contracts import ids

from realtime.domain import BadPlace

#: Chats that one client may have open at a time.
CHATS = 10


class Ping(msgspec.Struct, tag="ping"):
    """It wants a `pong`."""


class Auth(msgspec.Struct, tag="auth"):
    """It goes on with a fresh token or ticket of the same person."""

    token: str | None = None
    ticket: str | None = None

    def __post_init__(self) -> None:
        """Refuse one that has neither."""
        if not self.token and not self.ticket:
            raise ValueError("neither a token nor a ticket")


class Presence(msgspec.Struct, tag="presence"):
    """It is there, and has these chats open."""

    state: Literal["online", "away"]
    chats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what are no chats."""
        if len(self.chats) > CHATS:
            raise ValueError("too many chats")
        for chat in self.chats:
            ids.parse(ids.CHAT, chat)


class Typing(msgspec.Struct, tag="typing"):
    """It writes in a chat, or has stopped."""

    chat_id: str
    state: Literal["composing", "paused"] = "composing"

    def __post_init__(self) -> None:
        """Refuse what is no chat."""
        ids.parse(ids.CHAT, self.chat_id)


Said = Ping | Auth | Presence | Typing

_said = msgspec.json.Decoder(Said)


def read(message: bytes) -> Said:
    """Read what a client said.  Raises: UnicodeDecodeError; msgspec.DecodeError: it is not of the protocol."""
    said: Said = _said.decode(message)
    return said


class Place(msgspec.Struct, frozen=True):
    """Where a client wants to go on; *since* None: from now."""

    since: int | None = None
    epoch: str | None = None


def asked(query: dict[str, list[str]], last_event: str | None = None) -> Place:
    """Read where to go on from a query, or else from the `id` of the last event that came.  Raises: BadPlace."""
    since, epoch = query.get("since", [""])[0], query.get("epoch", [""])[0]
    if last_event:
        epoch, _, since = last_event.rpartition(":")
    if not since:
        return Place()
    if not (since.isascii() and since.isdigit() and len(since) <= 18):
        raise BadPlace("`since` is the sequence of a frame.")
    return Place(int(since), epoch or None)

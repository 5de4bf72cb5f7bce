"""Who of an account is there: what stands in the bucket ``presence``, and what the sockets hear of it."""

from typing import Literal

import msgspec


class Present(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One user on one replica of realtime; the user is online when any of his replicas says so, away when all that speak say away.

    Attributes:
        chats: ``cht_…``: the chats that he has open.
    """

    state: Literal["online", "away"]
    chats: tuple[str, ...] = ()


class Colleague(msgspec.Struct, frozen=True, kw_only=True):
    """One user as a colleague sees him: the data of the frame ``presence`` and an item of ``GET /api/presence``.

    Attributes:
        user_id: ``usr_…``
        chats: ``cht_…``: the chats that he has open, of those that the one who is told may see.
    """

    user_id: str
    state: Literal["online", "away", "offline"]
    chats: tuple[str, ...] = ()

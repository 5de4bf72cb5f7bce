"""Questions that one service answers to others over the bus (`subjects.ask`); question and answer are msgspec JSON."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from contracts import subjects
from contracts.envelope import Audience
from contracts.ids import ChatId, ContactId, TenantId

#: Asks auth what an API key is good for: `KeyPresented` → `KeyExchanged`.
KEY = subjects.ask("auth", "key")


#: Asks conversations whose chats these are: `ChatsNamed` → `ChatsKnown`.
CHATS = subjects.ask("conversations", "chats")


#: Asks pipeline what it knows of a contact: `PersonNamed` → `PersonKnown`.
PERSON = subjects.ask("pipeline", "person")


class KeyPresented(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody presented an API key.

    Attributes:
        key: The secret as it came.
        address: The IP address that it came from.
    """

    key: str
    address: str | None = None


class KeyExchanged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An access token of the kind ``key``, or why there is none.

    Attributes:
        expires_in: Seconds, at most 60; revoking the key kills the token earlier.
        error: The code of a problem: with ``account-suspended`` 403, with the others 401.
    """

    token: str | None = None
    expires_in: int = 0
    error: Literal["key-invalid", "key-expired", "account-suspended"] | None = None


class ChatsNamed(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants to know who may see these chats of *tenant*; at most 100."""

    tenant: TenantId
    chats: tuple[ChatId, ...]


class ChatsKnown(msgspec.Struct, frozen=True, kw_only=True):
    """Who may see each of them; one that is not there is not in it."""

    chats: dict[UUID, Audience]


class PersonNamed(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants to know all that is known of a contact of *tenant*."""

    tenant: TenantId
    contact: ContactId


class PersonKnown(msgspec.Struct, frozen=True, kw_only=True):
    """Its leads, each as the API shows it, with its ``tasks`` and ``notes``; as many as an answer holds.

    Attributes:
        more: There are others.
    """

    leads: tuple[dict[str, Any], ...] = ()
    more: bool = False

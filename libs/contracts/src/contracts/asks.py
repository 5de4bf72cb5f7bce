"""Questions that one service answers to others over the bus (`subjects.ask`); question and answer are msgspec JSON."""

from typing import Literal

import msgspec

from contracts import subjects

#: Asks auth what an API key is good for: `KeyPresented` → `KeyExchanged`.
KEY = subjects.ask("auth", "key")


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

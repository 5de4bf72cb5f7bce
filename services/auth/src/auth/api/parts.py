"""What the handlers work with: made in ``main``, found in the application's state."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from redis.asyncio import Redis
from servicekit.auth import Verifier
from servicekit.bus import Bus, KeyValue
from servicekit.db import Database
from servicekit.http import state

from auth.keys import Keyring, Vault
from auth.passwords import Passwords
from auth.settings import AuthSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a handler may need.

    Attributes:
        db: Under row-level security.
        system: Sees users by e-mail, whatever their account.
        refresh_key: What successors of refresh tokens are derived with.
        raised: Set when a token version waits for the bus.
        limited: Set when what somebody sees waits for the bus.
        access: The bucket that says it there.
        mailed: Set when a mail waits.
    """

    settings: AuthSettings
    db: Database
    system: Database
    redis: Redis
    keyring: Keyring
    verifier: Verifier
    passwords: Passwords
    refresh_key: bytes = field(repr=False)
    vault: Vault
    raised: asyncio.Event
    limited: asyncio.Event
    mailed: asyncio.Event
    access: KeyValue
    bus: Bus


WithParts = Annotated[Parts, state("parts")]

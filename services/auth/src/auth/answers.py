"""What auth answers when other services ask over the bus."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from contracts.asks import KeyExchanged, KeyPresented
from servicekit.auth import sign
from servicekit.bus import KeyValue
from servicekit.db import Database

from auth import limits, store, tokens
from auth.domain import USE_NOTED_EVERY
from auth.keys import Keyring

_question = msgspec.json.Decoder(KeyPresented)


def exchange(db: Database, system: Database, keyring: Keyring, access: KeyValue) -> Callable[[bytes], Awaitable[bytes]]:
    """Make what gives a token for an API key that is good."""

    async def answer(payload: bytes) -> bytes:
        try:
            asked = _question.decode(payload)
        except msgspec.DecodeError:
            asked = KeyPresented(key="")
        return msgspec.json.encode(await _exchanged(db, system, keyring, access, asked.key))

    return answer


async def _exchanged(db: Database, system: Database, keyring: Keyring, access: KeyValue, presented: str) -> KeyExchanged:
    if not tokens.is_api_key(presented):
        return KeyExchanged(error="key-invalid")
    now, secret = datetime.now(UTC), tokens.hashed(presented)
    async with system.system() as tx:
        key = await store.keys.by_secret(tx, secret)
        seen = None if key is None else await store.access.one(tx, key.id)
        until = None if key is None else key.good_until(secret, now)
        if key is not None and until is not None and (key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY):
            await store.keys.note_use(tx, key, now)
    if key is None or until is None:
        expired = key is not None and key.revoked_at is None and key.expires_at is not None and key.expires_at <= now
        return KeyExchanged(error="key-expired" if expired else "key-invalid")
    async with db.transaction(key.tenant) as tx:
        account = await store.users.account(tx, key.tenant)
    if account.suspended_at is not None:
        return KeyExchanged(error="account-suspended")
    if seen is not None and seen.untold:
        # before the token is out: whoever has no entry yet would see all
        await limits.level(access, system, key.id)
    signer, kid = keyring.current
    lifetime = until - now
    return KeyExchanged(token=sign(key.principal(), signer, kid, lifetime), expires_in=int(lifetime.total_seconds()))

"""What auth does without being asked: token versions and public keys reach the bus, old sessions end, old rows go."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from contracts.envelope import wrap
from contracts.events.auth import SessionClosed
from contracts.ids import UserId
from servicekit import outbox
from servicekit.auth import encode_version
from servicekit.bus import KeyMoved, KeyValue
from servicekit.db import Database

from auth import store
from auth.domain import ATTEMPTS_FORGOTTEN
from auth.keys import Keyring, Vault

_BATCH = 200
_POLL_SECONDS = 1.0
#: How long a session that has ended can still be looked up by who investigates.
_KEPT = timedelta(days=30)

log = structlog.get_logger()


async def hold_keys(system: Database, vault: Vault, keyring: Keyring, bucket: KeyValue) -> None:
    """The keyring holds what the database has, and the bus every public key of it.

    Run before the first token is signed, and again every minute: a bus that lost its files gets the keys back.
    """
    async with system.system() as tx:
        kept = await store.installation.signing(tx, vault, datetime.now(UTC))
    for key in kept:
        jwk = json.dumps(key.public).encode()
        entry = await bucket.get(key.kid)
        if entry is None or entry.value != jwk:
            await bucket.put(key.kid, jwk)
    keyring.hold(kept)


def announce_versions(system: Database, bucket: KeyValue, raised: asyncio.Event) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that takes raised token versions to the bus: at once when *raised* is set, else within a second."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            raised.clear()
            try:
                while await _announce(system, bucket):
                    pass
            except Exception as error:
                # they stay in the table until the bus has them
                log.warning("token versions wait", reason=type(error).__name__)
            waits = [asyncio.ensure_future(raised.wait()), asyncio.ensure_future(stopping.wait())]
            await asyncio.wait(waits, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    return run


async def _announce(system: Database, bucket: KeyValue) -> bool:
    async with system.system() as tx:
        waiting = await store.users.raised(tx, _BATCH)
    if not waiting:
        return False
    for _, user, version in waiting:
        await _lift(bucket, user, version)
    async with system.system() as tx:
        await store.users.arrived(tx, waiting)
    return len(waiting) == _BATCH


async def _lift(bucket: KeyValue, user: UserId, version: int) -> None:
    """The bucket says at least *version*: another replica may be at it with a higher one."""
    while True:
        entry = await bucket.get(str(user))
        try:
            if entry is None:
                await bucket.create(str(user), encode_version(version))
            elif int(entry.value) < version:
                await bucket.update(str(user), encode_version(version), entry.revision)
            return
        except KeyMoved:
            continue


async def expire_sessions(db: Database, system: Database) -> None:
    """Sessions whose last refresh token has run out are closed, and it is told."""
    while True:
        now = datetime.now(UTC)
        async with system.system() as tx:
            found = await store.sessions.expired(tx, now, _BATCH)
        if not found:
            return
        async with db.transaction({tenant for tenant, _ in found}) as tx:
            closed = await store.sessions.close_expired(tx, found, now)
            await outbox.add(tx, *(wrap(one.tenant, SessionClosed(user=one.user, session=one.id, reason="expired")) for one in closed))


async def forget(system: Database) -> None:
    """What is of no more use is deleted."""
    now = datetime.now(UTC)
    async with system.system() as tx:
        await store.installation.forget_attempts(tx, now - ATTEMPTS_FORGOTTEN)
        await store.sessions.forget(tx, now - _KEPT)

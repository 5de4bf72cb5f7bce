"""What auth does without being asked: versions and public keys reach the bus, mail leaves, old sessions end, old rows go."""

import asyncio
import json
import smtplib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import structlog
from contracts.envelope import wrap
from contracts.events.auth import SessionClosed
from contracts.ids import UserId
from servicekit import outbox
from servicekit.auth import encode_version
from servicekit.bus import KeyMoved, KeyValue
from servicekit.db import Database

from auth import letters, post, store, tokens
from auth.domain import ATTEMPTS_FORGOTTEN
from auth.keys import Keyring, Vault, WrongEncryptionKey
from auth.settings import WithMail

_BATCH = 200
_POLL_SECONDS = 1.0
#: How long a session that has ended can still be looked up by who investigates.
_KEPT = timedelta(days=30)
#: How long the record of who did what goes back.
_REMEMBERED = timedelta(days=400)
#: A mail whose sender died meanwhile is due again after this; longer than any mail server is waited for.
_SENDING = timedelta(minutes=2)
_FIRST_RETRY = timedelta(seconds=10)
_LONGEST_RETRY = timedelta(hours=1)
_GIVEN_UP = timedelta(days=1)
_RESET_LASTS = timedelta(hours=1)

log = structlog.get_logger()


async def hold_keys(system: Database, vault: Vault, keyring: Keyring, bucket: KeyValue) -> None:
    """The keyring holds what the database has, and the bus every public key of it.

    Run before the first token is signed, and again every minute: a bus that lost its files gets the keys back.
    """
    async with system.system() as tx:
        kept = await store.installation.signing(tx, vault, datetime.now(UTC))
        retired = await store.installation.retired(tx, datetime.now(UTC))
    for key in kept:
        jwk = json.dumps(key.public).encode()
        entry = await bucket.get(key.kid)
        if entry is None or entry.value != jwk:
            await bucket.put(key.kid, jwk)
    keyring.hold(kept)
    for kid in retired:
        if await bucket.get(kid) is not None:
            await bucket.delete(kid)


def draining(name: str, work: Callable[[], Awaitable[bool]], woken: asyncio.Event) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that works off what waits in a table: at once when *woken* is set, else within a second.

    Args:
        work: Does some of it; True when there may be more.
    """

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            woken.clear()
            try:
                while await work() and not stopping.is_set():
                    pass
            except Exception as error:
                # it stays in the table until it is done
                log.warning(f"{name} wait", reason=type(error).__name__)
            waits = [asyncio.ensure_future(woken.wait()), asyncio.ensure_future(stopping.wait())]
            await asyncio.wait(waits, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    return run


async def announce_versions(system: Database, bucket: KeyValue) -> bool:
    """Some raised token versions reached the bus; True when more wait."""
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
        await store.mails.forget_resets(tx, now - _KEPT)
        await store.activity.forget(tx, now - _REMEMBERED)


async def send_mail(db: Database, system: Database, vault: Vault, settings: WithMail) -> bool:
    """One mail that was due is sent, or waits for its next try; False when none was due."""
    now = datetime.now(UTC)
    async with system.system() as tx:
        taken = await store.mails.take(tx, now, _SENDING, 1)
    if not taken:
        return False
    (mail,) = taken
    until = None
    try:
        message = await _message(db, system, vault, settings, mail, now)
        if message is not None and settings.smtp_url is not None:
            await asyncio.to_thread(post.deliver, settings.smtp_url, message, settings.smtp_authorities)
        elif message is not None and settings.mail_dir is not None:
            await asyncio.to_thread(post.keep, settings.mail_dir, str(mail.id), message)
    except post.Undeliverable:
        log.warning("a mail was refused for good", mail=str(mail.id))
    except (OSError, smtplib.SMTPException, WrongEncryptionKey) as error:
        until = now + min(_FIRST_RETRY * 2 ** min(mail.attempts, 10), _LONGEST_RETRY)
        log.warning("a mail waits", mail=str(mail.id), attempts=mail.attempts + 1, reason=type(error).__name__)
        if until - mail.made_at > _GIVEN_UP:
            until = None
            log.error("a mail was given up", mail=str(mail.id))
    async with system.system() as tx:
        await (store.mails.done(tx, mail.id) if until is None else store.mails.postpone(tx, mail.id, until))
    return True


async def _message(
    db: Database, system: Database, vault: Vault, settings: WithMail, mail: store.mails.Waiting, now: datetime
) -> EmailMessage | None:
    order = letters.open(vault, mail.sealed)
    if isinstance(order, letters.Invite):
        return letters.written(mail.id, settings.sender, order.to, *letters.invitation(order))
    async with system.system() as tx:
        user = await store.users.by_email(tx, order.to)
    if user is None or not user.active:
        return None
    token = tokens.reset(user.tenant, vault.derive("password resets"), mail.id)
    async with db.transaction(user.tenant) as tx:
        account = await store.users.account(tx, user.tenant)
        if account.suspended_at is not None:
            return None
        await store.mails.allow_reset(tx, user.tenant, user.id, tokens.hashed(token), now + _RESET_LASTS)
    link = f"{settings.address}/reset?token={token}"
    return letters.written(mail.id, settings.sender, order.to, *letters.reset(account.locale, user.name, link))

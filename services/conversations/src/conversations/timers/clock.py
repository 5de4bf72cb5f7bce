"""Snoozes end, and scheduled messages leave, when their time has come; what was due while nobody ran comes at once after."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from uuid import UUID

import msgspec
import structlog
from contracts.errors import Problem, Unavailable
from contracts.ids import ChatId, TenantId
from servicekit import outbox, timers
from servicekit.db import Database, raw

from conversations import store
from conversations.domain.errors import ChatMissing, DeviceMissing, FileMissing
from conversations.store import chats, devices, media, moves, reading, scheduled, writing
from conversations.store.moves import Move

EVERY = timedelta(seconds=1)
AT_ONCE = 100

log = structlog.get_logger()


def wake(db: Database, system: Database) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that opens the chats whose snooze is over."""

    async def run() -> None:
        async with system.system() as tx:
            due = await chats.to_wake(await raw(tx), datetime.now(UTC), limit=AT_ONCE)
        for tenant, some in groupby(sorted(due), key=lambda key: key[0]):
            await store.persistently(partial(_wake, db, tenant, [chat for _, chat in some]))

    return timers.every(EVERY, run, name="wake")


async def _wake(db: Database, tenant: TenantId, due: list[ChatId]) -> None:
    now = datetime.now(UTC)
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        here = [chat for chat in due if await reading.chat_id(c, tenant, chat) == chat]
        held = await chats.lock(c, [(tenant, chat) for chat in here])
        await outbox.add(tx, *await moves.make(c, [Move(held=one, after=one.standing.woken(now)) for one in held.values()], now))


def send_scheduled(db: Database, system: Database, *, expiry: timedelta) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that sends what is due, each once, however many replicas there are."""

    async def run() -> None:
        async with system.system() as tx:
            due = await scheduled.due(await raw(tx), datetime.now(UTC), limit=AT_ONCE)
        for tenant, id in due:
            try:
                await store.persistently(partial(_send, db, tenant, id, expiry))
            except Unavailable:
                raise
            except Exception as error:
                log.exception("a scheduled message waits", scheduled=str(id), reason=type(error).__name__)

    return timers.every(EVERY, run, name="scheduled")


async def _send(db: Database, tenant: TenantId, id: UUID, expiry: timedelta) -> None:
    """It is sent, or could not be; nothing where another replica was first or it was cancelled meanwhile."""
    now = datetime.now(UTC)
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        # chats before what belongs to them, as everybody locks
        chat = await scheduled.chat_of(c, tenant, id)
        held = None if chat is None else (await chats.lock(c, [(tenant, chat)]))[chat]
        row = await scheduled.one(c, tenant, id)
        if row.state != "waiting" or row.send_at > now:
            return
        try:
            if held is None:
                raise ChatMissing
            if await devices.standing(c, tenant, held.device) is False:
                raise DeviceMissing
            medium = None if row.media is None else await media.find(c, tenant, row.media, lock=True)
            if row.media is not None and (medium is None or medium.facts is None or medium.scheduled != id):
                raise FileMissing
            quoted = None if row.quoted is None else await reading.message(c, tenant, row.quoted)
            message, told = await writing.queue(
                c,
                held,
                author=row.author,
                by_key=row.by_key,
                kind=row.kind,
                text=row.text or None,
                media=None if medium is None else msgspec.json.encode(medium.facts).decode(),
                at=now,
                expires_at=now + expiry,
                origin="schedule",
                quoted=quoted,
            )
        except Problem as problem:
            told = await scheduled.over(c, row, held, "failed", reason=problem.code)
        else:
            if medium is not None:
                await media.use(c, tenant, medium.id, message)
            told += await scheduled.over(c, row, held, "sent", message=message.id)
        await outbox.add(tx, *told)

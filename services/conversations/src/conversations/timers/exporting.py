"""What is known of a contact is put together in the background, a page at a time, and goes again after a week."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog
from contracts import asks, ids
from contracts.asks import PersonKnown, PersonNamed
from contracts.ids import ChatId, TenantId
from contracts.views import Message
from servicekit import timers
from servicekit.bus import Bus, BusAway
from servicekit.db import Database, raw
from servicekit.objects import ObjectMissing, Objects, ObjectsAway

from conversations.files import bundle
from conversations.files.bundle import Bundle
from conversations.store import exporting, profiles, reading
from conversations.store.exporting import Export
from conversations.store.messages import view

EVERY = timedelta(seconds=1)
PAGE = 500

log = structlog.get_logger()


class _Unwanted(Exception):
    """The contact was erased, or the export taken back, meanwhile."""


def export(db: Database, system: Database, bus: Bus, objects: Objects) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that puts them together, one after the other, and removes those whose time is over."""

    async def run() -> None:
        async with system.system() as tx:
            c = await raw(tx)
            waiting, over = await exporting.waiting(c), await exporting.over(c)
        for tenant, some in groupby(sorted(over), key=lambda key: key[0]):
            async with db.transaction(tenant) as tx:
                await exporting.expire(await raw(tx), tenant, [id for _, id in some])
        for tenant, id in waiting:
            await make(db, bus, objects, tenant, id)

    return timers.every(EVERY, run, name="exports")


async def make(db: Database, bus: Bus, objects: Objects, tenant: TenantId, id: UUID) -> None:
    """It can be fetched, or is tried again."""
    async with db.transaction(tenant) as tx:
        one = await exporting.take(await raw(tx), tenant, id)
    if one is None:
        return
    # Another name for each attempt: one that broke off leaves an object that nobody was told of.
    key = f"{UUID(int=tenant.int)}/exports/{one.id}"
    try:
        with tempfile.TemporaryDirectory(prefix="clarin-export-") as folder:
            path = Path(folder) / "export.zip"
            await _write(db, bus, objects, one, path)
            await objects.put(key, path)
            size = path.stat().st_size
        async with db.transaction(tenant) as tx:
            wanted = await exporting.ready(await raw(tx), one, key, size)
        if not wanted:
            await objects.delete(key)
    except _Unwanted:
        log.info("an export is not wanted any more", export=str(id))
    except (BusAway, ObjectsAway, OSError) as error:
        log.warning("an export waits", export=str(id), reason=type(error).__name__)
        async with db.transaction(tenant) as tx:
            await exporting.failed(await raw(tx), one, "unavailable")


async def _write(db: Database, bus: Bus, objects: Objects, one: Export, path: Path) -> None:
    tenant = one.tenant
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        contact = await reading.contact(c, tenant, one.contact)
        if contact is None:
            raise _Unwanted
        threads = await exporting.chats(c, tenant, contact.id)
        known = await exporting.known(c, tenant, contact.id)
        notes = await profiles.notes(c, tenant, contact.id, after=None, limit=10_000)
    total = sum(count for _, count in threads)
    public = ids.public(ids.CONTACT, contact.id)
    answer = await bus.ask(asks.PERSON, msgspec.json.encode(PersonNamed(tenant=tenant, contact=contact.id)), timeout=10.0)
    person = msgspec.json.decode(answer, type=PersonKnown)
    done = {"messages": 0, "files": 0}

    async def told() -> None:
        async with db.transaction(tenant) as tx:
            if not await exporting.progress(await raw(tx), one, total=total, **done):
                raise _Unwanted

    files: dict[str, tuple[str, str]] = {}

    async def lines(write: Callable[[Message], bytes], *, first: bool) -> AsyncIterator[bytes]:
        written = 0
        for chat, _ in threads:
            async for message in _messages(db, tenant, chat):
                written += 1
                if first:
                    done["messages"] = written
                if written % PAGE == 0:
                    await told()
                yield write(message)

    async with Bundle(path) as out:
        who = {"id": public, "name": contact.name, "phone": contact.phone, "email": contact.email}
        await out.add(
            "contact.json", {**who, **known, **_profile(contact), "notes": [{"text": one.text, "at": one.created_at} for one in notes]}
        )
        await out.add("chats.json", [{"id": ids.public(ids.CHAT, chat), "messages": count} for chat, count in threads])
        await out.add("leads.json", person.leads)
        await told()

        def row(message: Message) -> bytes:
            if message.media is not None and message.media.id is not None and message.media.state == "ready":
                files[message.media.id] = (bundle.media_name(message.media.id, message.media.file_name), message.media.id)
            return msgspec.json.encode(message) + b"\n"

        await out.stream("messages.jsonl", lines(row, first=True))
        await out.stream("edits.jsonl", _former(db, tenant, [chat for chat, _ in threads]))
        places = {id: place for id, (place, _) in files.items()}

        async def readable() -> AsyncIterator[bytes]:
            yield bundle.page(contact.name or contact.phone or public)
            async for line in lines(lambda message: bundle.line(message, places), first=False):
                yield line
            yield bundle.END

        await out.stream("messages.html", readable())
        for id, (place, _) in files.items():
            key = await _object(db, tenant, ids.parse(ids.MEDIA, id))
            if key is None:
                continue
            try:
                await out.stream(place, await objects.read(key))
            except ObjectMissing:
                continue
            done["files"] += 1
            await told()


async def _messages(db: Database, tenant: TenantId, chat: ChatId) -> AsyncIterator[Message]:
    after: Any = None
    while True:
        async with db.transaction(tenant) as tx:
            rows = await reading.list_messages(await raw(tx), tenant, chat, limit=PAGE, after=after)
        for row in rows:
            yield view(row)
        if len(rows) < PAGE:
            return
        after = rows[-1].at, rows[-1].id


async def _former(db: Database, tenant: TenantId, chats: Sequence[ChatId]) -> AsyncIterator[bytes]:
    for chat in chats:
        after = None
        while True:
            async with db.transaction(tenant) as tx:
                rows = await exporting.former_texts(await raw(tx), tenant, chat, after=after, limit=PAGE)
            for message, _, at, text in rows:
                yield msgspec.json.encode({"message_id": ids.public(ids.MESSAGE, message), "text": text, "at": at}) + b"\n"
            if len(rows) < PAGE:
                break
            after = rows[-1][:2]


async def _object(db: Database, tenant: TenantId, media: UUID) -> str | None:
    async with db.transaction(tenant) as tx:
        key: str | None = await (await raw(tx)).fetchval("select object from media where tenant = $1 and id = $2", tenant, media)
    return key


def _profile(contact: Any) -> dict[str, Any]:
    return {
        "state_id": contact.state and ids.public(ids.CONTACT_STATE, contact.state),
        "tags": [ids.public(ids.TAG, tag) for tag in contact.tags],
        "fields": dict(contact.fields),
        "created_at": contact.created_at,
    }

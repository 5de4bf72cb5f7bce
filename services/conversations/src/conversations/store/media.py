"""The files of messages: where each stands, and what must be fetched."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.commands import FetchMedia
from contracts.envelope import Envelope, wrap
from contracts.events.devices import MediaFailed, MediaStored
from contracts.ids import ChatId, DeviceId, MessageId, TenantId, UserId
from contracts.media import LIMITS
from contracts.views import MediaState
from contracts.whatsapp import MediaSource, MessageKind
from servicekit.db import Tx, raw

from conversations.store import released
from conversations.store.messages import COLUMNS, File, Row, row_of

_source = msgspec.json.Decoder(MediaSource)

#: Kinds of which there is a small picture.
PICTURED: frozenset[MessageKind] = frozenset({"image", "video", "sticker"})

_COLUMNS = (
    "tenant, id, device, message, author, kind, state, reason, attempt, source::text, object, mime, size, file_name, facts::text, "
    "created_at, scheduled"
)
_file = msgspec.json.Decoder(File)


@dataclass(frozen=True, slots=True)
class Expected:
    """A file that belongs to a new message; without a source nobody can fetch it."""

    row: Row
    file: File
    source: MediaSource | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One row.

    Attributes:
        message: None while nobody has sent what was uploaded.
        scheduled: What waits to be sent with it.
        facts: What is known of its content, as a message's column `media` has it.
    """

    tenant: TenantId
    id: UUID
    device: DeviceId | None
    message: MessageId | None
    author: UserId | None
    kind: MessageKind
    state: MediaState | str
    reason: str | None
    attempt: int
    source: MediaSource | None
    object: str | None
    mime: str
    size: int
    file_name: str | None
    facts: File | None
    created_at: datetime
    scheduled: UUID | None = None

    @property
    def used(self) -> bool:
        """Tell whether a message has it already: each upload is one message's."""
        return self.message is not None or self.scheduled is not None


async def expect(c: asyncpg.Connection, files: Sequence[Expected]) -> list[Envelope[Any]]:
    """These files are known; returns the orders to fetch those of new messages. An old one is fetched when it is wanted."""
    if not files:
        return []
    await c.execute(
        """
        insert into media (tenant, id, device, message, kind, state, source, mime, size, file_name)
        select u.tenant, u.id, u.device, u.message, u.kind, u.state, u.source::jsonb, u.mime, u.size, u.file_name
          from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
                      $10::text[]) as u (tenant, id, device, message, kind, state, source, mime, size, file_name)
        on conflict do nothing
        """,
        [f.row.tenant for f in files],
        [f.file.id for f in files],
        [f.row.device for f in files],
        [f.row.id for f in files],
        [f.row.kind for f in files],
        [f.file.state for f in files],
        [msgspec.json.encode(f.source).decode() if f.source else None for f in files],
        [f.file.mime for f in files],
        [f.file.size for f in files],
        [f.file.file_name for f in files],
    )
    return [
        fetch(f.row.tenant, f.file.id, f.row.device, f.row.kind, f.source, f.file.size, 1)
        for f in files
        if f.source is not None and f.file.id is not None and not f.row.history
    ]


def fetch(
    tenant: TenantId, media: UUID, device: DeviceId, kind: MessageKind, source: MediaSource, size: int, attempt: int
) -> Envelope[Any]:
    """Make the order to fetch a file."""
    order = FetchMedia(media=media, device=device, kind=kind, source=source, size=size, attempt=attempt)
    return wrap(tenant, order, id=ids.derived("fetch", media, attempt))


async def find(c: asyncpg.Connection, tenant: TenantId, id: UUID, *, lock: bool = False) -> Medium | None:
    """Read one."""
    hold = "for update" if lock else ""
    row = await c.fetchrow(f"select {_COLUMNS} from media where tenant = $1 and id = $2 {hold}", tenant, id)  # noqa: S608  # constants
    return _medium(row) if row else None


async def upload(c: asyncpg.Connection, medium: Medium) -> None:
    """A file that somebody sent here is known."""
    await c.execute(
        """
        insert into media (tenant, id, device, message, author, kind, state, object, mime, size, file_name, facts)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb)
        """,
        medium.tenant,
        medium.id,
        medium.device,
        medium.message,
        medium.author,
        medium.kind,
        medium.state,
        medium.object,
        medium.mime,
        medium.size,
        medium.file_name,
        msgspec.json.encode(medium.facts).decode() if medium.facts else None,
    )


async def use(c: asyncpg.Connection, tenant: TenantId, id: UUID, row: Row) -> None:
    """The upload belongs to a message from now on."""
    await c.execute(
        "update media set message = $3, device = $4, scheduled = null where tenant = $1 and id = $2", tenant, id, row.id, row.device
    )


async def wait(c: asyncpg.Connection, tenant: TenantId, id: UUID, scheduled: UUID) -> None:
    """The upload waits with a message that is to be sent later."""
    await c.execute("update media set scheduled = $3 where tenant = $1 and id = $2", tenant, id, scheduled)


async def drop_scheduled(c: asyncpg.Connection, tenant: TenantId, some: Collection[UUID], erasure: UUID | None = None) -> None:
    """What waited with these messages, which are not sent, is gone."""
    rows = await c.fetch("delete from media where tenant = $1 and scheduled = any ($2::uuid[]) returning object", tenant, list(some))
    await released.release(c, tenant, [row[0] for row in rows if row[0] is not None], erasure)


async def again(c: asyncpg.Connection, medium: Medium) -> list[Envelope[Any]]:
    """The file is to be fetched once more; returns the order."""
    if medium.source is None or medium.device is None:
        return []
    attempt = medium.attempt + 1
    await c.execute(
        "update media set state = 'pending', reason = null, attempt = $3 where tenant = $1 and id = $2", medium.tenant, medium.id, attempt
    )
    return [fetch(medium.tenant, medium.id, medium.device, medium.kind, medium.source, medium.size, attempt)]


async def chats_of(c: asyncpg.Connection, keys: Collection[tuple[TenantId, UUID]]) -> set[tuple[TenantId, ChatId]]:
    """Read in which chats (tenant, chat) the messages of these files are."""
    rows = await c.fetch(
        """
        select m.tenant, m.chat from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
          join media f on (f.tenant, f.id) = (u.tenant, u.id) join messages m on (m.tenant, m.id) = (f.tenant, f.message)
        """,
        *zip(*keys, strict=True),
    )
    return {(row[0], row[1]) for row in rows}


async def settle(
    c: asyncpg.Connection, facts: Sequence[Envelope[MediaStored] | Envelope[MediaFailed]]
) -> tuple[list[Row], list[Envelope[Any]]]:
    """The files stand as the worker says, those that are news; returns the messages that they belong to, as they are now.

    Beside them the orders to fetch those once more whose object may have been deleted since, with another message's.
    """
    changed: list[Row] = []
    refetched: list[Envelope[Any]] = []
    for e in facts:
        fact = e.data
        medium = await find(c, e.tenant, fact.media, lock=True)
        if isinstance(fact, MediaStored) and (medium is None or medium.state == "gone"):
            await released.release(c, e.tenant, [fact.object])  # what it belongs to went while it was on its way
        if medium is None or medium.message is None or medium.state in ("ready", "gone") or fact.attempt < medium.attempt:
            continue
        record = await c.fetchrow(
            f"select {COLUMNS} from messages m join chats h on h.tenant = m.tenant and h.id = m.chat where m.tenant = $1 and m.id = $2",  # noqa: S608
            e.tenant,
            await current(c, e.tenant, medium.message),
        )
        row = row_of(record) if record else None
        if row is None or not row.media:
            continue
        file = _file.decode(row.media)
        if isinstance(fact, MediaStored):
            if await released.doubtful(c, e.tenant, fact.object, e.occurred_at):
                refetched += await again(c, medium)
                continue
            state: MediaState = "ready"
            picture = medium.kind in PICTURED and fact.mime.startswith(("image/", "video/"))
            file = msgspec.structs.replace(
                file, state=state, reason=None, mime=fact.mime, size=fact.size, sha256=fact.sha256, object=fact.object, picture=picture
            )
        else:
            state = "expired" if fact.reason == "media-expired" else "failed"
            file = msgspec.structs.replace(file, state=state, reason=fact.reason)
        row.media = msgspec.json.encode(file).decode()
        await c.execute(
            "update media set state = $3, reason = $4, object = $5, mime = $6, size = $7 where tenant = $1 and id = $2",
            *(e.tenant, fact.media, state, file.reason, file.object, file.mime, file.size),
        )
        await c.execute("update messages set media = $3::jsonb where tenant = $1 and id = $2", e.tenant, row.id, row.media)
        changed.append(row)
    return changed, refetched


async def current(c: asyncpg.Connection, tenant: TenantId, message: MessageId) -> MessageId:
    """Give the message that stands in the place of *message*: mostly itself."""
    moved: MessageId | None = await c.fetchval("select new from message_redirects where tenant = $1 and old = $2", tenant, message)
    return moved or message


def fits(kind: MessageKind, size: int) -> bool:
    """Tell whether a file of so many bytes may be sent as this."""
    return kind in LIMITS and 0 < size <= LIMITS[kind]


async def abandoned(tx: Tx, older_than: timedelta, limit: int = 500) -> int:
    """Forget uploads that nobody has sent in time; their objects go, unless another file has the same content. As the system role."""
    c = await raw(tx)
    rows = await c.fetch(
        """
        delete from media where message is null and scheduled is null and (tenant, id) in (
            select tenant, id from media where message is null and scheduled is null and created_at < now() - $1::interval limit $2)
        returning tenant, object
        """,
        older_than,
        limit,
    )
    for tenant in sorted({row[0] for row in rows}):
        await released.release(c, tenant, [row[1] for row in rows if row[0] == tenant and row[1] is not None])
    return len(rows)


def _medium(row: Any) -> Medium:
    fields = dict(row.items())
    fields["source"] = _source.decode(fields["source"]) if fields["source"] else None
    fields["facts"] = _file.decode(fields["facts"]) if fields["facts"] else None
    return Medium(**fields)

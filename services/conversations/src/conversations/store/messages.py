"""Messages: rows as they are stored, and what a batch does to them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.ids import ChatId, ContactId, DeviceId, MessageId, TenantId, UserId
from contracts.views import MediaState, MediaView, Message, MessageStatus, Origin, QuotedView, Reaction
from contracts.whatsapp import Address, ContactCard, Location, MessageKind, Raw

from conversations.domain import links
from conversations.domain.acts import Mark
from conversations.domain.messages import Ours
from conversations.domain.statuses import advance


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file of a message, as the column `media` has it; the table `media` has the rest.

    Attributes:
        object: Its key in the object store.
        picture: There may be a small picture of it.
    """

    mime: str
    size: int = 0
    file_name: str | None = None
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    waveform: bytes | None = None
    preview: bytes | None = None
    sha256: str | None = None
    id: UUID | None = None
    state: MediaState = "pending"
    reason: str | None = None
    object: str | None = None
    picture: bool = False


class QuotedThen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message answers, as it was said to be then."""

    kind: MessageKind | None = None
    text: str | None = None
    from_me: bool | None = None


class More(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What few messages have, as the column `more` has it."""

    location: Location | None = None
    contacts: tuple[ContactCard, ...] = ()
    mentions: tuple[Address, ...] = ()
    quoted: QuotedThen | None = None
    view_once: bool = False
    raw: Raw | None = None


_file = msgspec.json.Decoder(File)
_more = msgspec.json.Decoder(More)
_marks = msgspec.json.Decoder(tuple[Mark, ...])
_NOTHING = More()


@dataclass(slots=True, kw_only=True)
class Row:
    """A message as its table has it; `contact` is its chat's; with `by_key` the author is an API key.

    Attributes:
        origin: What made a message of ours; None in a customer's, and in one that is older than this column.
        sender: In a group, the contact that *participant* is an address of.
    """

    tenant: TenantId
    id: MessageId
    device: DeviceId
    chat: ChatId
    from_me: bool
    kind: MessageKind
    status: MessageStatus
    at: datetime
    contact: ContactId | None = None
    wa_id: str | None = None
    participant: str = ""
    sender_name: str | None = None
    text: str | None = None
    reason: str | None = None
    author: UserId | None = None
    by_key: bool = False
    origin: Origin | None = None
    resend_of: MessageId | None = None
    media: str | None = None
    quoted: MessageId | None = None
    guessed: bool = False
    unseen: bool = False
    history: bool = False
    ephemeral: bool = False
    more: str | None = None
    reactions: str | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    sender: ContactId | None = None

    @property
    def name(self) -> tuple[UUID, UUID, str | None, UUID, str, bool]:
        """The natural key: what WhatsApp knows the message by."""
        return self.tenant, self.device, self.wa_id, self.chat, self.participant, self.from_me

    def ours(self) -> Ours:
        """Give the part that facts can move."""
        return Ours(
            tenant=self.tenant,
            id=self.id,
            device=self.device,
            chat=self.chat,
            at=self.at,
            status=self.status,
            wa_id=self.wa_id,
            reason=self.reason,
            guessed=self.guessed,
            ordered=self.made_by not in (None, "phone"),
        )

    @property
    def made_by(self) -> Origin | None:
        """Say what made it; None: the customer."""
        if not self.from_me:
            return None
        return self.origin or ("phone" if self.author is None else "key" if self.by_key else "user")


COLUMNS = """
    m.tenant, m.id, m.device, m.chat, m.from_me, m.kind, m.status, m.at, h.contact, m.wa_id, m.participant, m.sender_name, m.text, m.reason,
    m.author, m.by_key, m.origin, m.resend_of, m.media::text, m.quoted, m.guessed, m.unseen, m.history, m.ephemeral,
    m.more::text, m.reactions::text, m.edited_at, m.deleted_at
"""
_FIELDS = [name.strip().partition(".")[2].removesuffix("::text") for name in COLUMNS.split(",")] + ["sender"]
# Who a member of a group is, his address says: contacts are merged, and then it is another's.
COLUMNS += """, case when m.participant <> '' then (
    select a.contact from contact_aliases a
     where a.tenant = m.tenant and a.kind = split_part(m.participant, ':', 1) and a.value = split_part(m.participant, ':', 2)) end
"""
"""Of `messages m` joined with `chats h`; each is named as a field of `Row`."""


def row_of(record: Sequence[Any], start: int = 0) -> Row:
    """Read `COLUMNS`, beginning at *start*."""
    columns: dict[str, Any] = dict(zip(_FIELDS, record[start : start + len(_FIELDS)], strict=True))
    columns["status"] = MessageStatus(columns["status"])
    return Row(**columns)


def fields(row: Row) -> dict[str, object]:
    """Give the fields of the public message, as HTTP, socket and webhooks show it."""
    more = _more.decode(row.more) if row.more else _NOTHING
    quoted = ids.public(ids.MESSAGE, row.quoted) if row.quoted else None
    return {
        "id": ids.public(ids.MESSAGE, row.id),
        "chat_id": ids.public(ids.CHAT, row.chat),
        "device_id": ids.public(ids.DEVICE, row.device),
        "contact_id": row.contact and ids.public(ids.CONTACT, row.contact),
        "author_id": row.author and ids.public(ids.KEY if row.by_key else ids.USER, row.author),
        "origin": row.made_by,
        "from_me": row.from_me,
        "kind": row.kind,
        "status": row.status,
        "at": row.at,
        "text": row.text,
        "sender_name": row.sender_name,
        "media": media_view(row.tenant, row.media) if row.media else None,
        "quoted_id": quoted,
        "reason": row.reason,
        "resend_of": row.resend_of and ids.public(ids.MESSAGE, row.resend_of),
        "location": more.location,
        "contacts": more.contacts,
        "reactions": _reactions(row.reactions) if row.reactions else (),
        "quoted": _quoted(quoted, more.quoted) if quoted or more.quoted else None,
        "edited_at": row.edited_at,
        "deleted_at": row.deleted_at,
        "disappearing": row.ephemeral and not more.view_once,
        "view_once": more.view_once,
        "sender_id": row.sender and ids.public(ids.CONTACT, row.sender),
        "unsupported": more.raw.what if more.raw is not None and row.kind == "unsupported" else None,
    }


def _reactions(text: str) -> tuple[Reaction, ...]:
    marks = _marks.decode(text)
    return tuple(Reaction(emoji=m.emoji, from_me=m.from_me, at=m.at, sender_name=m.name) for m in marks if m.emoji)


def _quoted(id: str | None, then: QuotedThen | None) -> QuotedView:
    said = then or QuotedThen()
    return QuotedView(id=id, kind=said.kind, text=said.text, from_me=said.from_me)


def view(row: Row) -> Message:
    """Show a message."""
    return Message(**fields(row))  # type: ignore[arg-type]


def file_of(row: Row) -> File | None:
    """Give the file of a message."""
    return _file.decode(row.media) if row.media else None


def media_view(tenant: TenantId, text: str) -> MediaView:
    """Show the file of a message, with where it can be had once it is here."""
    file = _file.decode(text)
    ready = file.state == "ready" and file.id is not None
    return MediaView(
        id=ids.public(ids.MEDIA, file.id) if file.id else None,
        mime=file.mime,
        size=file.size,
        file_name=file.file_name,
        state=file.state,
        url=links.address(tenant, file.id) if ready and file.id else None,
        thumbnail_url=links.address(tenant, file.id, thumbnail=True) if ready and file.id and file.picture else None,
        seconds=file.seconds,
        width=file.width,
        height=file.height,
        waveform=tuple(file.waveform) if file.waveform else None,
        reason=file.reason,
    )


async def insert(c: asyncpg.Connection, rows: Sequence[Row]) -> set[MessageId]:
    """What was not here is stored; returns the ids of what is new. The natural key decides."""
    if not rows:
        return set()
    inserted = await c.fetch(
        """
        insert into messages (tenant, id, device, chat, from_me, kind, status, at, wa_id, participant, sender_name, text, media, quoted,
                              unseen, history, ephemeral, author, by_key, origin, resend_of, more)
        select u.tenant, u.id, u.device, u.chat, u.from_me, u.kind, u.status, u.at, u.wa_id, u.participant, u.sender_name, u.text,
               u.media::jsonb, u.quoted, u.unseen, u.history, u.ephemeral, u.author, u.by_key, u.origin, u.resend_of, u.more::jsonb
          from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bool[], $6::text[], $7::text[], $8::timestamptz[], $9::text[],
                      $10::text[], $11::text[], $12::text[], $13::text[], $14::uuid[], $15::bool[], $16::bool[], $17::bool[], $18::uuid[],
                      $19::bool[], $20::text[], $21::uuid[], $22::text[])
            as u (tenant, id, device, chat, from_me, kind, status, at, wa_id, participant, sender_name, text, media, quoted,
                  unseen, history, ephemeral, author, by_key, origin, resend_of, more)
        on conflict (tenant, device, wa_id, chat, participant, from_me) where wa_id is not null do nothing
        returning id
        """,
        [r.tenant for r in rows],
        [r.id for r in rows],
        [r.device for r in rows],
        [r.chat for r in rows],
        [r.from_me for r in rows],
        [r.kind for r in rows],
        [r.status for r in rows],
        [r.at for r in rows],
        [r.wa_id for r in rows],
        [r.participant for r in rows],
        [r.sender_name for r in rows],
        [r.text for r in rows],
        [r.media for r in rows],
        [r.quoted for r in rows],
        [r.unseen for r in rows],
        [r.history for r in rows],
        [r.ephemeral for r in rows],
        [r.author for r in rows],
        [r.by_key for r in rows],
        [r.made_by for r in rows],
        [r.resend_of for r in rows],
        [r.more for r in rows],
    )
    return {record[0] for record in inserted}


async def fill_placeholders(c: asyncpg.Connection, contents: Sequence[Row]) -> list[Row]:
    """Stored placeholders of the same name have this content now; returns them. The id, the place and what was seen stay."""
    if not contents:
        return []
    records = await c.fetch(
        f"""
        update messages m
           set kind = u.kind, text = u.text, media = u.media::jsonb, quoted = u.quoted, ephemeral = u.ephemeral,
               more = u.more::jsonb,
               sender_name = coalesce(u.sender_name, m.sender_name)
          from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::bool[], $7::text[], $8::text[], $9::text[],
                      $10::uuid[], $11::bool[], $12::text[], $13::text[])
            as u (tenant, device, wa_id, chat, participant, from_me, kind, text, media, quoted, ephemeral, sender_name, more),
               chats h
         where (m.tenant, m.device, m.wa_id, m.chat, m.participant, m.from_me)
             = (u.tenant, u.device, u.wa_id, u.chat, u.participant, u.from_me)
           and m.kind = 'undecryptable' and h.tenant = m.tenant and h.id = m.chat
        returning {COLUMNS}
        """,  # noqa: S608  # a constant
        [r.tenant for r in contents],
        [r.device for r in contents],
        [r.wa_id for r in contents],
        [r.chat for r in contents],
        [r.participant for r in contents],
        [r.from_me for r in contents],
        [r.kind for r in contents],
        [r.text for r in contents],
        [r.media for r in contents],
        [r.quoted for r in contents],
        [r.ephemeral for r in contents],
        [r.sender_name for r in contents],
        [r.more for r in contents],
    )
    return [row_of(record) for record in records]


WaName = tuple[TenantId, DeviceId, str]
"""What a receipt calls a message: its WhatsApp id, on a device."""


async def chats_of(
    c: asyncpg.Connection, messages: Collection[tuple[TenantId, MessageId]], names: Collection[WaName], *, from_me: bool
) -> set[tuple[TenantId, ChatId]]:
    """Read in which chats (tenant, chat) these messages are, by id or by WhatsApp id."""
    found: set[tuple[TenantId, ChatId]] = set()
    if messages:
        found |= {
            (row[0], row[1])
            for row in await c.fetch(
                """
                select m.tenant, m.chat from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
                  join messages m on (m.tenant, m.id) = (u.tenant, u.id)
                """,
                *zip(*messages, strict=True),
            )
        }
    if names:
        found |= {
            (row[0], row[1])
            for row in await c.fetch(
                """
                select m.tenant, m.chat from unnest($1::uuid[], $2::uuid[], $3::text[]) as u (tenant, device, wa_id)
                  join messages m on (m.tenant, m.device, m.wa_id) = (u.tenant, u.device, u.wa_id) where m.from_me = $4
                """,
                *zip(*names, strict=True),
                from_me,
            )
        }
    return found


async def ours(c: asyncpg.Connection, messages: Collection[tuple[TenantId, MessageId]], names: Collection[WaName]) -> list[Row]:
    """Read messages of ours by id or by WhatsApp id, each once."""
    rows: dict[MessageId, Row] = {}
    if messages:
        for record in await c.fetch(
            f"""
            select {COLUMNS} from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
              join messages m on (m.tenant, m.id) = (u.tenant, u.id) join chats h on (h.tenant, h.id) = (m.tenant, m.chat)
             where m.from_me
            """,  # noqa: S608  # a constant
            *zip(*messages, strict=True),
        ):
            row = row_of(record)
            rows[row.id] = row
    if names:
        for record in await c.fetch(
            f"""
            select {COLUMNS} from unnest($1::uuid[], $2::uuid[], $3::text[]) as u (tenant, device, wa_id)
              join messages m on (m.tenant, m.device, m.wa_id) = (u.tenant, u.device, u.wa_id)
              join chats h on (h.tenant, h.id) = (m.tenant, m.chat)
             where m.from_me
            """,  # noqa: S608  # a constant
            *zip(*names, strict=True),
        ):
            row = row_of(record)
            rows[row.id] = row
    return list(rows.values())


async def nameless(c: asyncpg.Connection, keys: Collection[tuple[TenantId, ChatId]]) -> list[Row]:
    """Read the messages of these chats that have no WhatsApp id yet."""
    if not keys:
        return []
    records = await c.fetch(
        f"""
        select {COLUMNS} from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
          join messages m on m.tenant = u.tenant and m.chat = u.id and m.wa_id is null and m.kind <> 'note'
          join chats h on (h.tenant, h.id) = (m.tenant, m.chat)
        """,  # noqa: S608  # a constant
        *zip(*keys, strict=True),
    )
    return [row_of(record) for record in records]


async def by_names(c: asyncpg.Connection, names: Collection[WaName]) -> dict[tuple[UUID, UUID, str, UUID], MessageId]:
    """Read which messages bear these WhatsApp ids, by (tenant, device, WhatsApp id, chat)."""
    if not names:
        return {}
    rows = await c.fetch(
        """
        select m.tenant, m.device, m.wa_id, m.chat, m.id from unnest($1::uuid[], $2::uuid[], $3::text[]) as u (tenant, device, wa_id)
          join messages m on (m.tenant, m.device, m.wa_id) = (u.tenant, u.device, u.wa_id)
        """,
        *zip(*names, strict=True),
    )
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}


async def is_resent(c: asyncpg.Connection, failed: Row) -> bool:
    """Tell whether a message that did not fail (yet) was sent in the place of *failed*."""
    return bool(
        await c.fetchval(
            """
            select true from messages m
             where m.tenant = $1 and m.chat = $2 and m.at >= $3 and m.resend_of = $4 and m.status <> 'failed' limit 1
            """,
            failed.tenant,
            failed.chat,
            failed.at,
            failed.id,
        )
    )


async def save(c: asyncpg.Connection, changed: Sequence[Ours]) -> None:
    """These stand as given. Ids that are given up are given up first, so that another one can take them."""
    if not changed:
        return
    for some in ([m for m in changed if m.wa_id is None], [m for m in changed if m.wa_id is not None]):
        if some:
            await c.execute(
                """
                update messages m
                   set wa_id = u.wa_id, status = u.status, reason = u.reason, at = u.at, guessed = u.guessed
                  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bool[])
                    as u (tenant, id, wa_id, status, reason, at, guessed)
                 where m.tenant = u.tenant and m.id = u.id
                """,
                [m.tenant for m in some],
                [m.id for m in some],
                [m.wa_id for m in some],
                [m.status for m in some],
                [m.reason for m in some],
                [m.at for m in some],
                [m.guessed for m in some],
            )


async def replace(c: asyncpg.Connection, copies: Collection[tuple[TenantId, MessageId, MessageId]]) -> None:
    """Of each (tenant, copy, original) the copy is gone, and its id leads to the original."""
    if not copies:
        return
    columns = list(zip(*copies, strict=True))
    await c.execute(
        """
        with moved as (
            delete from former_texts f using unnest($1::uuid[], $2::uuid[], $3::uuid[]) as u (tenant, old, new)
             where f.tenant = u.tenant and f.message = u.old returning f.tenant, u.new, f.id, f.at, f.text)
        insert into former_texts (tenant, message, id, at, text) select * from moved on conflict do nothing
        """,
        *columns,
    )
    await c.execute(
        "delete from messages m using unnest($1::uuid[], $2::uuid[]) as u (tenant, id) where m.tenant = u.tenant and m.id = u.id",
        columns[0],
        columns[1],
    )
    await c.execute(
        "update message_redirects r set new = u.new from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as u (tenant, old, new) "
        "where r.tenant = u.tenant and r.new = u.old",
        *columns,
    )
    await c.execute(
        "insert into message_redirects (tenant, old, new) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[]) on conflict do nothing",
        *columns,
    )


async def see(c: asyncpg.Connection, marks: Collection[tuple[TenantId, ChatId, datetime]]) -> None:
    """Nothing in these chats up to the time given with each is unseen any more."""
    if marks:
        await c.execute(
            """
            update messages m set unseen = false
              from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as u (tenant, chat, at)
             where m.tenant = u.tenant and m.chat = u.chat and m.unseen and m.at <= u.at
            """,
            *zip(*marks, strict=True),
        )


async def see_named(c: asyncpg.Connection, names: Iterable[WaName]) -> tuple[set[WaName], set[tuple[TenantId, ChatId]]]:
    """These messages of others have been seen; returns which of them are here, and in which chats (tenant, chat) one was unseen."""
    columns = list(zip(*names, strict=True))
    if not columns:
        return set(), set()
    rows = await c.fetch(
        """
        with here as (
            select m.tenant, m.id, m.device, m.wa_id, m.chat, m.unseen
              from unnest($1::uuid[], $2::uuid[], $3::text[]) as u (tenant, device, wa_id)
              join messages m on (m.tenant, m.device, m.wa_id) = (u.tenant, u.device, u.wa_id) where not m.from_me
        ), seen as (
            update messages m set unseen = false from here where here.unseen and (m.tenant, m.id) = (here.tenant, here.id)
        )
        select tenant, device, wa_id, chat, unseen from here
        """,
        *columns,
    )
    return {(row[0], row[1], row[2]) for row in rows}, {(row[0], row[3]) for row in rows if row[4]}


async def move(c: asyncpg.Connection, tenant: TenantId, kept: ChatId, gone: ChatId) -> None:
    """Every message of the chat *gone* is in *kept*; one that was in both is there once, with all that either knew."""
    pairs = await c.fetch(
        """
        select k.id as kept, g.id as gone,
               k.author is null and coalesce(k.origin, 'phone') = 'phone'
               and (g.author is not null or coalesce(g.origin, 'phone') <> 'phone') as better,
               k.status as kept_status, g.status as gone_status
          from messages g
          join messages k on k.tenant = $1 and k.chat = $2
           and (k.device, k.wa_id, k.participant, k.from_me) = (g.device, g.wa_id, g.participant, g.from_me)
         where g.tenant = $1 and g.chat = $3
        """,
        tenant,
        kept,
        gone,
    )
    for pair in pairs:
        stays, goes = (pair["gone"], pair["kept"]) if pair["better"] else (pair["kept"], pair["gone"])
        status = advance(MessageStatus(pair["kept_status"]), MessageStatus(pair["gone_status"]))
        await c.execute(
            """
            update messages s
               set kind = case when s.kind = 'undecryptable' then g.kind else s.kind end, text = coalesce(s.text, g.text),
                   media = coalesce(s.media, g.media), more = coalesce(s.more, g.more), status = $4, unseen = s.unseen and g.unseen
              from messages g where s.tenant = $1 and s.id = $2 and g.tenant = $1 and g.id = $3
            """,
            tenant,
            stays,
            goes,
            status,
        )
        await replace(c, [(tenant, goes, stays)])
    await c.execute("update messages set chat = $2 where tenant = $1 and chat = $3", tenant, kept, gone)

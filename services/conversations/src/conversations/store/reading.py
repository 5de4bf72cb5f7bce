"""What the API shows: the hot lists, each one statement, newest first, by keyset.

``devices`` are the numbers that the caller sees, None where that is all: what is on another one is not there. Who sees all
is asked nothing more, so that the statements of most callers are as simple as they can be.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from contracts.ids import ChatId, ContactId, DeviceId, MessageId, TenantId

from conversations.domain.phones import digits_of
from conversations.store.messages import COLUMNS, Row, row_of

_END = "\U0010ffff"
"""Sorts after every character, so that a prefix is a range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRow:
    """A chat with its contact and its last message."""

    tenant: TenantId
    id: ChatId
    device: DeviceId
    contact: ContactId | None
    contact_name: str | None
    phone: str | None
    group: str | None
    name: str | None
    unread: int
    last_message_at: datetime
    created_at: datetime
    last: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRow:
    """A contact as the API shows it."""

    id: ContactId
    name: str | None
    phone: str | None
    created_at: datetime


_SHOWN = (
    "select h.tenant, h.id, h.device, h.contact, k.name, k.phone, h.group_address, h.name, h.unread, h.last_message_at, h.created_at, "  # noqa: S608  # constants
    f"m.id is not null, {COLUMNS} from "
)
_BESIDE = (
    " h left join contacts k on k.tenant = h.tenant and k.id = h.contact "
    "left join messages m on m.tenant = h.tenant and m.id = h.last_message_id "
)


_MET = "exists (select from chats h where h.tenant = k.tenant and h.contact = k.id and h.device = any (${}::uuid[]))"
"""The contact `k` has a chat on one of these devices."""


async def list_chats(
    c: asyncpg.Connection,
    tenant: TenantId,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    device: DeviceId | None = None,
    unread: bool | None = None,
    query: str | None = None,
    devices: Collection[DeviceId] | None = None,
) -> list[ChatRow]:
    """Read up to *limit* chats of *tenant*, by their newest message, from behind *after*.

    Args:
        device: Of this number alone.
        query: The beginning of the contact's name, in any case, or of its phone.
    """
    if devices is not None and device is not None:
        devices = {device} & set(devices)
    if devices is not None and not devices:
        return []
    if devices is not None and len(devices) == 1:
        [device], devices = devices, None
    conditions: list[str] = ["h.tenant = $1"]
    values: list[object] = [tenant]

    def add(condition: str, *given: object) -> None:
        places = [f"${len(values) + number}" for number in range(1, len(given) + 1)]
        conditions.append(condition.format(*places))
        values.extend(given)

    if after is not None:
        add("(h.last_message_at, h.id) < ({}, {})", *after)
    if device is not None:
        add("h.device = {}", device)
    if unread is not None:
        add("h.unread > 0" if unread else "h.unread = 0")
    if query:
        begin = query.lower()
        named = "select id from contacts where tenant = $1 and sought >= {} and sought < {}"
        digits = digits_of(query)
        if digits:
            phoned = "select id from contacts where tenant = $1 and phone >= {} and phone < {}"
            add(f"h.contact in ({named} union all {phoned})", begin, begin + _END, digits, digits + _END)
        else:
            add(f"h.contact in ({named})", begin, begin + _END)
    newest = f"where {' and '.join(conditions)} order by h.last_message_at desc, h.id desc limit {int(limit)}"
    source = "chats"
    if devices is not None:
        # The newest of each number, from the index that has them in order: among all chats they may be far between.
        values.append(list(devices))
        numbers = f"unnest(${len(values)}::uuid[]) as n (device)"
        source = f"(select h.* from {numbers} cross join lateral (select * from chats h where h.device = n.device and {newest[6:]}) h)"  # noqa: S608
        newest = f"order by h.last_message_at desc, h.id desc limit {int(limit)}"
    rows = await c.fetch(f"{_SHOWN}{source}{_BESIDE}{newest}", *values)
    return [_chat(row) for row in rows]


async def chat(c: asyncpg.Connection, tenant: TenantId, id: ChatId, devices: Collection[DeviceId] | None = None) -> ChatRow | None:
    """Read one chat, or the one that *id* was merged into."""
    statement = f"{_SHOWN}chats{_BESIDE}where h.tenant = $1 and h.id = $2"
    row = await c.fetchrow(statement, tenant, id)
    if row is None:
        moved = await c.fetchval("select new from chat_redirects where tenant = $1 and old = $2", tenant, id)
        row = moved and await c.fetchrow(statement, tenant, moved)
    found = _chat(row) if row else None
    return found if found is not None and (devices is None or found.device in devices) else None


async def chat_id(c: asyncpg.Connection, tenant: TenantId, id: ChatId, devices: Collection[DeviceId] | None = None) -> ChatId | None:
    """Tell which chat *id* is today; None when it is none of *tenant*'s."""
    found: ChatId | None = await c.fetchval(
        """
        select h.id from chats h where h.tenant = $1 and h.id = $2
        union all select new from chat_redirects where tenant = $1 and old = $2
        """,
        tenant,
        id,
    )
    if found is not None and devices is not None:
        device = await c.fetchval("select device from chats where tenant = $1 and id = $2", tenant, found)
        return found if device in devices else None
    return found


async def list_messages(
    c: asyncpg.Connection, tenant: TenantId, chat: ChatId, *, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[Row]:
    """Read up to *limit* messages of a chat, newest first by (at, id), from behind *after*."""
    behind = "and (m.at, m.id) < ($3, $4)" if after else ""
    rows = await c.fetch(
        f"""
        select {COLUMNS} from messages m join chats h on h.tenant = m.tenant and h.id = m.chat
         where m.tenant = $1 and m.chat = $2 {behind} order by m.at desc, m.id desc limit {int(limit)}
        """,  # noqa: S608  # constants and a number
        tenant,
        chat,
        *(after or ()),
    )
    return [row_of(row) for row in rows]


async def message(c: asyncpg.Connection, tenant: TenantId, id: MessageId, devices: Collection[DeviceId] | None = None) -> Row | None:
    """Read one message, or the one that took its place."""
    statement = f"select {COLUMNS} from messages m join chats h on h.tenant = m.tenant and h.id = m.chat where m.tenant = $1 and m.id = $2"  # noqa: S608
    row = await c.fetchrow(statement, tenant, id)
    if row is None:
        moved = await c.fetchval("select new from message_redirects where tenant = $1 and old = $2", tenant, id)
        row = moved and await c.fetchrow(statement, tenant, moved)
    found = row_of(row) if row else None
    return found if found is not None and (devices is None or found.device in devices) else None


async def list_contacts(
    c: asyncpg.Connection,
    tenant: TenantId,
    *,
    limit: int,
    after: UUID | None = None,
    query: str | None = None,
    devices: Collection[DeviceId] | None = None,
) -> list[ContactRow]:
    """Read up to *limit* contacts, newest first, from behind *after*; *query* as in `list_chats`."""
    values: list[object] = [tenant]
    matching = ""
    if query:
        begin = query.lower()
        digits = digits_of(query)
        values += [begin, begin + _END]
        matching = "and (k.sought >= $2 and k.sought < $3)"
        if digits:
            values += [digits, digits + _END]
            matching = "and (k.sought >= $2 and k.sought < $3 or k.phone >= $4 and k.phone < $5)"
    if after is not None:
        values.append(after)
        matching += f" and k.id < ${len(values)}"
    if devices is not None:
        values.append(list(devices))
        matching += f" and {_MET.format(len(values))}"
    rows = await c.fetch(
        f"select k.id, k.name, k.phone, k.created_at from contacts k where k.tenant = $1 {matching} order by k.id desc limit {int(limit)}",  # noqa: S608
        *values,
    )
    return [_contact(row) for row in rows]


async def contact(c: asyncpg.Connection, tenant: TenantId, id: ContactId, devices: Collection[DeviceId] | None = None) -> ContactRow | None:
    """Read one contact, or the one that it turned out to be; for *devices*, one who has a chat on one of them."""
    statement = "select id, name, phone, created_at from contacts where tenant = $1 and id = $2"
    row = await c.fetchrow(statement, tenant, id)
    if row is None:
        moved = await c.fetchval("select new from contact_redirects where tenant = $1 and old = $2", tenant, id)
        row = moved and await c.fetchrow(statement, tenant, moved)
    if row and devices is not None:
        met = f"select {_MET.format(3)} from contacts k where k.tenant = $1 and k.id = $2"  # noqa: S608
        row = row if await c.fetchval(met, tenant, row["id"], list(devices)) else None
    return _contact(row) if row else None


def _chat(row: Sequence[Any]) -> ChatRow:
    return ChatRow(
        tenant=row[0],
        id=row[1],
        device=row[2],
        contact=row[3],
        contact_name=row[4],
        phone=row[5],
        group=row[6],
        name=row[7],
        unread=row[8],
        last_message_at=row[9],
        created_at=row[10],
        last=row_of(row, 12) if row[11] else None,
    )


def _contact(row: Sequence[Any]) -> ContactRow:
    return ContactRow(id=row[0], name=row[1], phone=row[2], created_at=row[3])

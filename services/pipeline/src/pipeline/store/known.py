"""What other services have told of accounts, people, tags, contacts and chats, as far as the pipeline needs it.

Each row remembers of when it is (a revision, a version, a time), so that what comes late or twice changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.ids import ChatId, ContactId, DeviceId, TenantId, UserId
from contracts.views import ChatState, Message

from pipeline.store.redirects import Redirects


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What is known of a chat."""

    id: ChatId
    device: DeviceId
    contact: ContactId | None = None
    name: str | None = None
    assignee: UserId | None = None
    team: UUID | None = None
    tags: tuple[UUID, ...] = ()


_NEWEST = ", ".join(
    f"{name} = case when h.last_at is null or (h.last_at, h.last_id) <= (excluded.last_at, excluded.last_id) "
    f"then excluded.{name} else h.{name} end"
    for name in ("last_id", "last_at", "last_kind", "last_text", "last_from_me")
)
_TAGS = "from unnest($9::uuid[]) as n (tag)"
_TAGGED = f"coalesce((select jsonb_object_agg(tag::text, $11::bigint) {_TAGS}), '{{}}'::jsonb)"
_TAGGED_SINCE = f"coalesce((select jsonb_object_agg(tag::text, coalesce((h.tagged -> tag::text)::bigint, $11)) {_TAGS}), '{{}}'::jsonb)"
_CHAT = "id, device, contact, name, assignee, team, tags"


async def account(c: asyncpg.Connection, tenant: TenantId, locale: str, currency: str, time_zone: str, revision: int) -> None:
    """The account speaks this language and counts in this currency."""
    await c.execute(
        "insert into accounts as a (tenant, locale, currency, time_zone, revision) values ($1, $2, $3, $4, $5) on conflict (tenant) "
        "do update set locale = $2, currency = $3, time_zone = $4, revision = $5 where a.revision < $5",
        tenant,
        locale,
        currency,
        time_zone,
        revision,
    )


async def user(c: asyncpg.Connection, tenant: TenantId, id: UserId, name: str, active: bool, version: int) -> None:
    """The person is called this and can (not) sign in."""
    await c.execute(
        "insert into users as u (tenant, id, name, active, version) values ($1, $2, $3, $4, $5) on conflict (tenant, id) "
        "do update set name = $3, active = $4, version = $5 where u.version < $5",
        tenant,
        id,
        name,
        active,
        version,
    )


async def team(c: asyncpg.Connection, tenant: TenantId, id: UUID, name: str | None) -> None:
    """The team is called this; None: it is no more."""
    if name is None:
        await c.execute("delete from teams where tenant = $1 and id = $2", tenant, id)
    else:
        await c.execute(
            "insert into teams (tenant, id, name) values ($1, $2, $3) on conflict (tenant, id) do update set name = $3", tenant, id, name
        )


async def tag(c: asyncpg.Connection, tenant: TenantId, id: UUID, name: str, color: str, deleted: bool, at: datetime) -> None:
    """The tag is called this; of one that is deleted the leads are rid by `deeds.untag`."""
    await c.execute(
        "insert into tags as t (tenant, id, name, color, deleted, told_at) values ($1, $2, $3, $4, $5, $6) on conflict (tenant, id) "
        "do update set name = $3, color = $4, deleted = t.deleted or $5, told_at = $6 where t.told_at < $6",
        tenant,
        id,
        name,
        color,
        deleted,
        at,
    )


async def contact(c: asyncpg.Connection, tenant: TenantId, id: ContactId, name: str | None, phone: str | None, at: datetime) -> None:
    """The contact has this name and phone."""
    await c.execute(
        "insert into contacts as k (tenant, id, name, phone, sought, told_at) "
        "values ($1, $2, $3, $4, lower(concat_ws(' ', $3::text, $4::text)), $5) "
        "on conflict (tenant, id) do update set name = $3, phone = $4, sought = excluded.sought, told_at = $5 where k.told_at <= $5",
        tenant,
        id,
        name,
        phone,
        at,
    )


async def chat_state(c: asyncpg.Connection, tenant: TenantId, state: ChatState, contact: ContactId | None, at: datetime) -> bool:
    """The chat stands like this, and it is known since which of its changes it bears each tag; False where this is old news."""
    found = await c.fetchval(
        f"""
        insert into chats as h (tenant, id, device, contact, name, status, assignee, team, tags, tagged, unread, revision, counted_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9::uuid[], {_TAGGED}, $10, $11::bigint, $12)
        on conflict (tenant, id) do update set device = $3, contact = $4, name = $5, status = $6, assignee = $7, team = $8, tags = $9,
               tagged = {_TAGGED_SINCE}, unread = $10, revision = $11,
               counted_at = $12
         where h.revision < $11
        returning true
        """,  # noqa: S608  # constants
        tenant,
        ids.parse(ids.CHAT, state.id),
        ids.parse(ids.DEVICE, state.device_id),
        contact,
        state.name,
        state.status,
        _maybe(ids.USER, state.assignee_id),
        _maybe(ids.TEAM, state.team_id),
        [ids.parse(ids.TAG, tag) for tag in state.tags],
        state.unread,
        state.revision,
        at,
    )
    return bool(found)


class Growth(msgspec.Struct):
    """What a batch of messages adds to one chat.

    Attributes:
        unread: When customers' messages were stored where they came from.
        first: The first of those.
    """

    newest: Message
    unread: list[datetime] = msgspec.field(default_factory=list)
    first: Message | None = None

    def add(self, message: Message, *, inbound: bool) -> None:
        """Count one more."""
        if (message.at, message.id) >= (self.newest.at, self.newest.id):
            self.newest = message
        if inbound:
            self.unread.append(ids.made_at(ids.parse(ids.MESSAGE, message.id)))
            if self.first is None or (message.at, message.id) < (self.first.at, self.first.id):
                self.first = message

    def join(self, other: Self) -> None:
        """Count what *other* counted as well."""
        if (other.newest.at, other.newest.id) >= (self.newest.at, self.newest.id):
            self.newest = other.newest
        self.unread += other.unread
        if other.first is not None and (self.first is None or (other.first.at, other.first.id) < (self.first.at, self.first.id)):
            self.first = other.first


async def grow(c: asyncpg.Connection, growth: Mapping[tuple[TenantId, ChatId], Growth], redirects: Redirects) -> None:
    """The chats have these messages: the newest is shown, a customer's first one is remembered, and what nobody read is counted.

    What the chat's own events say of unread messages is exact and covers every message that was stored before them; each later one
    counts one.
    """
    if not growth:
        return
    chats = sorted(growth)
    some = [growth[chat] for chat in chats]
    covered: dict[tuple[TenantId, UUID], datetime] = {
        (row["tenant"], row["id"]): row["counted_at"]
        for row in await c.fetch(
            "select h.tenant, h.id, h.counted_at from unnest($1::uuid[], $2::uuid[]) as n (tenant, id) "
            "join chats h on h.tenant = n.tenant and h.id = n.id where h.counted_at is not null",
            [tenant for tenant, _ in chats],
            [chat for _, chat in chats],
        )
    }

    def unread(tenant: TenantId, chat: ChatId) -> int:
        until = covered.get((tenant, chat))
        return sum(until is None or stored > until for stored in growth[tenant, chat].unread)

    await c.execute(
        f"""
        insert into chats as h (tenant, id, device, contact, unread, first_id, last_id, last_at, last_kind, last_text, last_from_me)
        select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::uuid[], $7::uuid[], $8::timestamptz[],
                             $9::text[], $10::text[], $11::bool[])
        on conflict (tenant, id) do update set
            contact = coalesce(h.contact, excluded.contact),
            first_id = coalesce(h.first_id, excluded.first_id),
            unread = h.unread + excluded.unread,
            {_NEWEST}
        """,  # noqa: S608  # a constant
        [tenant for tenant, _ in chats],
        [chat for _, chat in chats],
        [ids.parse(ids.DEVICE, one.newest.device_id) for one in some],
        [_standing(redirects, tenant, one.newest.contact_id) for (tenant, _), one in zip(chats, some, strict=True)],
        [unread(tenant, chat) for tenant, chat in chats],
        [_maybe(ids.MESSAGE, one.first.id if one.first else None) for one in some],
        [ids.parse(ids.MESSAGE, one.newest.id) for one in some],
        [one.newest.at for one in some],
        [one.newest.kind for one in some],
        [((one.newest.text or "")[:200].replace("\0", "")) or None for one in some],
        [one.newest.from_me for one in some],
    )


async def first_of(c: asyncpg.Connection, tenant: TenantId, chat: ChatId) -> UUID | None:
    """Give the first message that a customer wrote in the chat, as far as is known here."""
    found: UUID | None = await c.fetchval("select first_id from chats where tenant = $1 and id = $2", tenant, chat)
    return found


async def brought(c: asyncpg.Connection, tenant: TenantId, chat: ChatId, tag: UUID, revision: int) -> bool:
    """Tell whether the chat bears the tag since its change to *revision*."""
    statement = "select (tagged -> $3::text)::bigint = $4 from chats where tenant = $1 and id = $2"
    return bool(await c.fetchval(statement, tenant, chat, str(tag), revision))


async def read(c: asyncpg.Connection, tenant: TenantId, id: ChatId, unread: int, at: datetime) -> None:
    """Of the chat's messages *unread* are not read."""
    await c.execute(
        "update chats set unread = $3, counted_at = $4 where tenant = $1 and id = $2 and (counted_at is null or counted_at <= $4)",
        tenant,
        id,
        unread,
        at,
    )


async def assigned(
    c: asyncpg.Connection, tenant: TenantId, id: ChatId, device: DeviceId, assignee: UserId | None, team: UUID | None, at: datetime
) -> bool:
    """The chat is answered by this person; False where somebody was named later already."""
    found = await c.fetchval(
        """
        insert into chats as h (tenant, id, device, assignee, team, assigned_at) values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant, id) do update set assignee = $4, team = $5, assigned_at = $6
         where h.assigned_at is null or h.assigned_at < $6
        returning true
        """,
        tenant,
        id,
        device,
        assignee,
        team,
        at,
    )
    return bool(found)


async def chat(c: asyncpg.Connection, tenant: TenantId, id: ChatId) -> Chat | None:
    """Read what is known of a chat."""
    found = await c.fetchrow(f"select {_CHAT} from chats where tenant = $1 and id = $2", tenant, id)  # noqa: S608
    return _chat(found) if found else None


async def chats(c: asyncpg.Connection, tenant: TenantId, some: Iterable[ChatId], *, hold: bool = False) -> dict[ChatId, Chat]:
    """Read what is known of some chats; with *hold* none of them becomes another until the transaction ends."""
    found = await c.fetch(
        f"select {_CHAT} from chats where tenant = $1 and id = any ($2::uuid[]) order by id{' for key share' if hold else ''}",  # noqa: S608
        tenant,
        list(some),
    )
    return {one["id"]: _chat(one) for one in found}


async def learn_chat(
    c: asyncpg.Connection, tenant: TenantId, id: ChatId, device: DeviceId, team: UUID | None, assignee: UserId | None
) -> None:
    """A chat that its owner was asked for is known."""
    await c.execute(
        "insert into chats (tenant, id, device, team, assignee) values ($1, $2, $3, $4, $5) on conflict do nothing",
        tenant,
        id,
        device,
        team,
        assignee,
    )


async def contact_id(c: asyncpg.Connection, tenant: TenantId, id: ContactId) -> ContactId | None:
    """Tell which contact *id* is today; None when nobody knows it."""
    found: ContactId | None = await c.fetchval(
        "select id from contacts where tenant = $1 and id = $2 union all select new from contact_redirects where tenant = $1 and old = $2",
        tenant,
        id,
    )
    return found


async def names(c: asyncpg.Connection, tenant: TenantId, contact: ContactId | None, owner: UserId | None) -> dict[str, str]:
    """Give what templates may say of a lead's people."""
    values: dict[str, str] = {}
    if contact is not None and (who := await c.fetchrow("select name, phone from contacts where tenant = $1 and id = $2", tenant, contact)):
        values |= {"contact": who["name"] or who["phone"] or "", "phone": who["phone"] or ""}
    if owner is not None and (named := await c.fetchval("select name from users where tenant = $1 and id = $2", tenant, owner)):
        values["owner"] = named
    return values


async def is_user(c: asyncpg.Connection, tenant: TenantId, id: UserId) -> bool | None:
    """Tell whether somebody can own a lead: an active person; None when nobody has told of them."""
    active: bool | None = await c.fetchval("select active from users where tenant = $1 and id = $2", tenant, id)
    return active


def _chat(found: Sequence[Any]) -> Chat:
    return Chat(id=found[0], device=found[1], contact=found[2], name=found[3], assignee=found[4], team=found[5], tags=tuple(found[6]))


def _standing(redirects: Redirects, tenant: TenantId, contact: str | None) -> ContactId | None:
    return None if contact is None else redirects.contact(tenant, ids.parse(ids.CONTACT, contact))


def _maybe(prefix: str, text: str | None) -> Any:
    return ids.parse(prefix, text) if text is not None else None

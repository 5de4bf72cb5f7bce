"""Chats: one contact's (or group's) thread on one device."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.envelope import Audience
from contracts.events.devices import GroupObserved
from contracts.ids import ChatId, ContactId, DeviceId, TenantId
from contracts.whatsapp import Address

from conversations.domain.standing import Standing
from conversations.store import Moved, happenings, messages


@dataclass(frozen=True, slots=True)
class Thread:
    """What makes a chat the one it is: the device, and the contact or the group's address."""

    tenant: TenantId
    device: DeviceId
    contact: ContactId | None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A chat whose row is locked."""

    tenant: TenantId
    id: ChatId
    device: DeviceId
    contact: ContactId | None
    address: Address
    address_at: datetime | None
    unread: int
    standing: Standing

    @property
    def audience(self) -> Audience:
        """Say who may see what happens in it."""
        return Audience(device=self.device, team=self.standing.team, assignee=self.standing.assignee)


STANDING = (
    "h.status, h.snoozed_until, h.assignee, h.assigned_way, h.team, h.waiting_since, h.queued_at, h.asked_at, h.answered_at, h.began_at, "
    "h.first_response_at, h.first_response_by, h.closed_at, h.revision"
)
"""Of `chats h`, in the order that `standing_of` reads."""


def standing_of(record: Sequence[Any], start: int = 0) -> Standing:
    """Read `STANDING`, beginning at *start*."""
    names = (
        *("status", "snoozed_until", "assignee", "way", "team", "waiting_since", "queued_at", "asked_at", "answered_at", "began_at"),
        *("first_response_at", "first_response_by", "closed_at", "revision"),
    )
    return Standing(**dict(zip(names, record[start : start + len(names)], strict=True)))


async def find(c: asyncpg.Connection, threads: Collection[Thread]) -> dict[Thread, ChatId]:
    """Read which chats these threads have; one without a chat is left out."""
    if not threads:
        return {}
    found: dict[Thread, ChatId] = {}
    persons = [t for t in threads if t.contact is not None]
    if persons:
        rows = await c.fetch(
            """
            select h.tenant, h.device, h.contact, h.id from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as u (tenant, device, contact)
              join chats h on (h.tenant, h.device, h.contact) = (u.tenant, u.device, u.contact)
            """,
            [t.tenant for t in persons],
            [t.device for t in persons],
            [t.contact for t in persons],
        )
        found |= {Thread(row[0], row[1], row[2]): row[3] for row in rows}
    groups = [t for t in threads if t.group is not None]
    if groups:
        rows = await c.fetch(
            """
            select h.tenant, h.device, h.group_address, h.id from unnest($1::uuid[], $2::uuid[], $3::text[]) as u (tenant, device, value)
              join chats h on (h.tenant, h.device, h.group_address) = (u.tenant, u.device, u.value)
            """,
            [t.tenant for t in groups],
            [t.device for t in groups],
            [t.group for t in groups],
        )
        found |= {Thread(row[0], row[1], None, row[2]): row[3] for row in rows}
    return found


async def name_groups(c: asyncpg.Connection, groups: Collection[tuple[TenantId, GroupObserved]]) -> set[ChatId]:
    """The chats of these groups (held by the caller) bear their newest names; returns those that bore another one."""
    newest = {(tenant, fact.device, fact.chat.value): fact for tenant, fact in sorted(groups, key=lambda one: one[1].at)}
    if not newest:
        return set()
    rows = await c.fetch(
        """
        with news as (
            select h.tenant, h.id, u.name, u.at, h.name is distinct from u.name as other
              from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) as u (tenant, device, value, name, at)
              join chats h on (h.tenant, h.device, h.group_address) = (u.tenant, u.device, u.value)
             where h.name_at is null or h.name_at < u.at
        )
        update chats h set name = n.name, name_at = n.at from news n where h.tenant = n.tenant and h.id = n.id
        returning h.id, n.other
        """,
        [tenant for tenant, _, _ in newest],
        [device for _, device, _ in newest],
        [value for _, _, value in newest],
        [fact.subject.replace("\0", "")[:200] for fact in newest.values()],
        [fact.at for fact in newest.values()],
    )
    return {row[0] for row in rows if row[1]}


async def places(c: asyncpg.Connection, tenant: TenantId, some: Collection[ChatId]) -> dict[ChatId, tuple[DeviceId, Address]]:
    """Read over which number and at which address each of these is reached; one that is not here is left out."""
    rows = await c.fetch(
        """
        select h.id, h.device, h.address_kind, h.address_value from unnest($2::uuid[]) as u (id)
          left join chat_redirects r on r.tenant = $1 and r.old = u.id
          join chats h on h.tenant = $1 and h.id = coalesce(r.new, u.id)
        """,
        tenant,
        list(some),
    )
    return {row[0]: (row[1], Address(row[2], row[3])) for row in rows}


async def open(c: asyncpg.Connection, wanted: Mapping[Thread, tuple[Address, datetime]]) -> dict[Thread, ChatId]:
    """Every thread has a chat, reached at the address given with it.  Raises: Moved."""
    found = await find(c, wanted)
    missing = sorted((t for t in wanted if t not in found), key=lambda t: (t.tenant, t.device, t.contact or UUID(int=0), t.group or ""))
    if not missing:
        return found
    contacts = sorted({(t.tenant, t.contact) for t in missing if t.contact is not None})
    if contacts:
        alive = await c.fetch(
            """
            select k.id from contacts k join unnest($1::uuid[], $2::uuid[]) as u (tenant, id) on (k.tenant, k.id) = (u.tenant, u.id)
             order by k.tenant, k.id for key share of k
            """,
            *zip(*contacts, strict=True),
        )
        if len(alive) != len(contacts):
            raise Moved
    await c.execute(
        """
        insert into chats (tenant, id, device, contact, group_address, address_kind, address_value, last_message_at)
        select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
        on conflict do nothing
        """,
        [t.tenant for t in missing],
        [ids.new() for _ in missing],
        [t.device for t in missing],
        [t.contact for t in missing],
        [t.group for t in missing],
        [wanted[t][0].kind for t in missing],
        [wanted[t][0].value for t in missing],
        [wanted[t][1] for t in missing],
    )
    found |= await find(c, missing)
    if len(found) != len(wanted):
        raise Moved
    return found


async def lock(c: asyncpg.Connection, keys: Iterable[tuple[TenantId, ChatId]]) -> dict[ChatId, Held]:
    """Hold these chats until the transaction ends.  Raises: Moved: one is gone."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = await c.fetch(
        f"""
        select h.tenant, h.id, h.device, h.contact, h.address_kind, h.address_value, h.address_at, h.unread, {STANDING}
          from chats h join unnest($1::uuid[], $2::uuid[]) as u (tenant, id) on (h.tenant, h.id) = (u.tenant, u.id)
         order by h.tenant, h.id for update of h
        """,  # noqa: S608  # a constant
        *zip(*wanted, strict=True),
    )
    if len(rows) != len(wanted):
        raise Moved
    return {
        row[1]: Held(
            tenant=row[0],
            id=row[1],
            device=row[2],
            contact=row[3],
            address=Address(row[4], row[5]),
            address_at=row[6],
            unread=row[7],
            standing=standing_of(row, 8),
        )
        for row in rows
    }


@dataclass(slots=True, kw_only=True)
class Growth:
    """What a batch adds to one chat.

    Attributes:
        unread: Messages that nobody has seen.
        newest: The last message by (at, id), if one came that a list shows.
        address: Where WhatsApp last wrote from, and when.
        asked: When the customer last wrote.
    """

    unread: int = 0
    newest: tuple[datetime, UUID] | None = None
    address: tuple[datetime, Address] | None = None
    asked: datetime | None = None

    def add(self, at: datetime, id: UUID, *, unseen: bool, shown: bool, address: Address, asks: bool = False) -> None:
        """One more message, in any order; with *asks* it is a customer's that somebody should answer."""
        self.unread += unseen
        if asks and (self.asked is None or at > self.asked):
            self.asked = at
        if shown and (self.newest is None or (at, id) > self.newest):
            self.newest = at, id
        if self.address is None or at > self.address[0]:
            self.address = at, address


_NEWER = "g.message is not null and (h.last_message_id is null or (g.at, g.message) > (h.last_message_at, h.last_message_id))"


async def grow(c: asyncpg.Connection, growth: Mapping[tuple[TenantId, ChatId], Growth]) -> None:
    """The chats (held by the caller) count what came and show the newest message by its own time, never by its arrival."""
    if not growth:
        return
    await c.execute(
        f"""
        update chats h
           set unread = h.unread + g.unread,
               last_message_at = case when {_NEWER} then g.at else h.last_message_at end,
               last_message_id = case when {_NEWER} then g.message else h.last_message_id end,
               address_kind = case when h.address_at >= g.address_at then h.address_kind else g.kind end,
               address_value = case when h.address_at >= g.address_at then h.address_value else g.value end,
               address_at = greatest(h.address_at, g.address_at),
               asked_at = greatest(h.asked_at, g.asked_at)
          from unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::uuid[], $6::timestamptz[], $7::text[], $8::text[],
                      $9::timestamptz[])
            as g (tenant, id, unread, at, message, address_at, kind, value, asked_at)
         where h.tenant = g.tenant and h.id = g.id
        """,  # noqa: S608  # a constant
        [key[0] for key in growth],
        [key[1] for key in growth],
        [g.unread for g in growth.values()],
        [g.newest and g.newest[0] for g in growth.values()],
        [g.newest and g.newest[1] for g in growth.values()],
        [g.address and g.address[0] for g in growth.values()],
        [g.address and g.address[1].kind for g in growth.values()],
        [g.address and g.address[1].value for g in growth.values()],
        [g.asked for g in growth.values()],
    )


async def recount(c: asyncpg.Connection, keys: Collection[tuple[TenantId, ChatId]]) -> dict[ChatId, int]:
    """The chats (held by the caller) show their newest message and count their unseen ones anew; returns the counts."""
    if not keys:
        return {}
    rows = await c.fetch(
        """
        update chats h
           set unread = n.unread,
               last_message_at = coalesce(l.at, h.last_message_at),
               last_message_id = l.id
          from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
          cross join lateral (
            select count(*)::int as unread from messages m where m.tenant = u.tenant and m.chat = u.id and m.unseen
          ) n
          left join lateral (
            select m.at, m.id from messages m
             where m.tenant = u.tenant and m.chat = u.id and m.kind <> all ('{reaction,edit,delete,note}')
             order by m.at desc, m.id desc limit 1
          ) l on true
         where h.tenant = u.tenant and h.id = u.id
        returning h.id, h.unread
        """,
        *zip(*keys, strict=True),
    )
    return {row[0]: row[1] for row in rows}


async def to_wake(c: asyncpg.Connection, now: datetime, *, limit: int) -> list[tuple[TenantId, ChatId]]:
    """Read whose snooze is over. As the system role, for all accounts."""
    rows = await c.fetch(
        f"select tenant, id from chats where snoozed_until is not null and snoozed_until <= $1 order by snoozed_until limit {int(limit)}",  # noqa: S608
        now,
    )
    return [(row[0], row[1]) for row in rows]


async def write(c: asyncpg.Connection, standings: Collection[tuple[TenantId, ChatId, Standing]]) -> None:
    """The chats (held by the caller) stand like this."""
    if not standings:
        return
    some = [standing for _, _, standing in standings]
    await c.execute(
        """
        update chats h
           set status = u.status, snoozed_until = u.snoozed_until, assignee = u.assignee, assigned_way = u.way, team = u.team,
               waiting_since = u.waiting_since, queued_at = u.queued_at, asked_at = u.asked_at, answered_at = u.answered_at,
               began_at = u.began_at, first_response_at = u.first_response_at, first_response_by = u.first_response_by,
               closed_at = u.closed_at, revision = u.revision
          from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::uuid[], $6::text[], $7::uuid[], $8::timestamptz[],
                      $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::uuid[],
                      $15::timestamptz[], $16::bigint[])
            as u (tenant, id, status, snoozed_until, assignee, way, team, waiting_since, queued_at, asked_at, answered_at, began_at,
                  first_response_at, first_response_by, closed_at, revision)
         where h.tenant = u.tenant and h.id = u.id
        """,
        [tenant for tenant, _, _ in standings],
        [chat for _, chat, _ in standings],
        [s.status for s in some],
        [s.snoozed_until for s in some],
        [s.assignee for s in some],
        [s.way for s in some],
        [s.team for s in some],
        [s.waiting_since for s in some],
        [s.queued_at for s in some],
        [s.asked_at for s in some],
        [s.answered_at for s in some],
        [s.began_at for s in some],
        [s.first_response_at for s in some],
        [s.first_response_by for s in some],
        [s.closed_at for s in some],
        [s.revision for s in some],
    )


async def merge_contact(c: asyncpg.Connection, tenant: TenantId, survivor: ContactId, loser: ContactId) -> dict[ChatId, ChatId]:
    """The survivor has the loser's chats; where both had one on a device they are one chat, the older: returns which became which."""
    rows = await c.fetch(
        f"""
        select h.id, h.device, h.contact, h.address_kind, h.address_value, h.address_at, {STANDING} from chats h
         where h.tenant = $1 and h.contact = any ($2::uuid[]) order by h.id for update
        """,  # noqa: S608  # a constant
        tenant,
        [survivor, loser],
    )
    of_device: dict[DeviceId, list[asyncpg.Record]] = {}
    for row in rows:
        of_device.setdefault(row["device"], []).append(row)
    pairs = [pair for pair in of_device.values() if len(pair) == 2]
    for kept, gone in pairs:
        await _absorb(c, tenant, kept, gone)
    await c.execute("update chats set contact = $2 where tenant = $1 and contact = $3", tenant, survivor, loser)
    return {gone["id"]: kept["id"] for kept, gone in pairs}


async def _absorb(c: asyncpg.Connection, tenant: TenantId, kept: asyncpg.Record, gone: asyncpg.Record) -> None:
    key = tenant, kept["id"], gone["id"]
    await messages.move(c, *key)
    await c.execute("update pending_receipts set chat = $2 where tenant = $1 and chat = $3", *key)
    await c.execute("update scheduled set chat = $2 where tenant = $1 and chat = $3", *key)
    await happenings.move(c, *key)
    await c.execute(
        """
        insert into chat_tags (tenant, chat, tag) select tenant, $2, tag from chat_tags where tenant = $1 and chat = $3
        on conflict do nothing
        """,
        *key,
    )
    await c.execute("delete from chat_tags where tenant = $1 and chat = $2", tenant, gone["id"])
    await c.execute(
        """
        insert into chat_marks as k (tenant, agent, chat, read_at, pinned_at, unread_at)
        select tenant, agent, $2, read_at, pinned_at, unread_at from chat_marks where tenant = $1 and chat = $3
        on conflict (tenant, agent, chat) do update
           set read_at = greatest(k.read_at, excluded.read_at), pinned_at = coalesce(k.pinned_at, excluded.pinned_at),
               unread_at = coalesce(k.unread_at, excluded.unread_at)
        """,
        *key,
    )
    await c.execute("delete from chat_marks where tenant = $1 and chat = $2", tenant, gone["id"])
    await write(c, [(tenant, kept["id"], standing_of(kept, 6).joined(standing_of(gone, 6)))])
    await c.execute("update chat_redirects set new = $2 where tenant = $1 and new = $3", *key)
    await c.execute("insert into chat_redirects (tenant, new, old) values ($1, $2, $3)", *key)
    await c.execute("delete from chats where tenant = $1 and id = $2", tenant, gone["id"])
    newer = gone["address_at"] is not None and (kept["address_at"] is None or gone["address_at"] > kept["address_at"])
    if newer:
        await c.execute(
            "update chats set address_kind = $3, address_value = $4, address_at = $5 where tenant = $1 and id = $2",
            tenant,
            kept["id"],
            gone["address_kind"],
            gone["address_value"],
            gone["address_at"],
        )
    await recount(c, [(tenant, kept["id"])])

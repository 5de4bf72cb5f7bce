"""Blocking on WhatsApp itself: each number that has a chat with a blocked contact blocks them there too, and says how that ended.

What is wanted of a number is counted by a revision, so that a late answer to an older order is none. The contact's row, which is held
throughout, serialises it all.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.commands import BlockPerson
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import ContactChanged
from contracts.events.devices import BlockObserved, BlockSettled, BlocksListed
from contracts.ids import ContactId, DeviceId, TenantId
from contracts.principal import Actor
from contracts.whatsapp import Address

from conversations.domain.blocking import Occasion, OnNumber, is_due
from conversations.domain.identities import alias
from conversations.store import Moved, identities, joining, profiles, reading

Deed = Literal["merged", "blocked", "unblocked"]


async def align(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, occasion: Occasion, at: datetime) -> list[Envelope[Any]]:
    """Every number of the contact (held by the caller) is on its way to do what is wanted of it; returns the orders."""
    wanted = await c.fetchval("select blocked_at is not null from contacts where tenant = $1 and id = $2", tenant, contact)
    addresses = await _addresses(c, tenant, contact)
    present = await _present(c, tenant, contact)
    numbers = set(present) | (await _numbers(c, tenant, contact) if wanted else set())
    due = sorted(device for device in numbers if is_due(present.get(device), bool(wanted), occasion))
    if not due or not addresses:
        return []
    rows = await c.fetch(
        """
        insert into contact_blocks as b (tenant, contact, device, id, blocked, revision, state, at)
        select $1, $2, device, gen_random_uuid(), $4, 1, 'pending', $5 from unnest($3::uuid[]) as device
        on conflict (tenant, contact, device) do update
           set blocked = $4, revision = b.revision + 1, state = 'pending', reason = null, by_phone = false, at = $5
        returning device, id, revision
        """,
        tenant,
        contact,
        due,
        bool(wanted),
        at,
    )
    return _orders(tenant, rows, addresses, bool(wanted), at)


async def _addresses(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> tuple[Address, ...]:
    named = await identities.aliases_of(c, tenant, contact)
    return tuple(Address("pn" if kind == "pn" else "lid", value) for kind, value in named if kind in ("pn", "lid"))


def _orders(tenant: TenantId, rows: Sequence[Any], addresses: tuple[Address, ...], blocked: bool, at: datetime) -> list[Envelope[Any]]:
    orders: list[Envelope[Any]] = []
    for row in rows if addresses else ():
        block = UUID(int=row["id"].int)
        body = BlockPerson(block=block, device=row["device"], addresses=addresses, blocked=blocked, revision=row["revision"])
        orders.append(wrap(tenant, body, id=ids.derived("block", block, body.revision), occurred_at=at))
    return orders


async def heard(
    c: asyncpg.Connection,
    settled: Sequence[tuple[TenantId, BlockSettled]],
    observed: Sequence[tuple[TenantId, BlockObserved | BlocksListed]],
    at: datetime,
) -> list[Envelope[Any]]:
    """What the numbers said of it holds, in any order and however often it is said; returns what is told.  Raises: Moved."""
    told: list[Envelope[Any]] = []
    for tenant, one in sorted(settled, key=lambda pair: (pair[0], pair[1].block)):
        told += await _settle(c, tenant, one)
    if observed:
        people = await identities.known(c, {alias(tenant, address) for tenant, one in observed for address in _named(one)})
        for tenant, seen in sorted(observed, key=lambda pair: (pair[0], pair[1].at)):
            theirs = {contact for address in _named(seen) if (contact := people.get(alias(tenant, address))) is not None}
            if isinstance(seen, BlocksListed):
                for contact, blocked in await _differing(c, tenant, seen, theirs):
                    told += await _observe(c, tenant, contact, seen.device, blocked, seen.at, at)
            else:
                for contact in theirs:
                    told += await _observe(c, tenant, contact, seen.device, seen.blocked, seen.at, at)
    return told


def _named(fact: BlockObserved | BlocksListed) -> tuple[Address, ...]:
    return fact.addresses if isinstance(fact, BlocksListed) else (fact.address,)


async def _differing(
    c: asyncpg.Connection, tenant: TenantId, fact: BlocksListed, listed: Collection[ContactId]
) -> list[tuple[ContactId, bool]]:
    """Say of whom the number's list says another thing than is known here, and what it says.

    The list names nearly everybody by the LID: who is known by another address alone than those on it may stand there all the same.
    """
    rows = await c.fetch(
        """
        select b.contact, b.blocked and b.state = 'done' as blocked, array(
                   select a.kind from contact_aliases a where a.tenant = $1 and a.contact = b.contact) @> $3::text[] as named
          from contact_blocks b where b.tenant = $1 and b.device = $2
        """,
        tenant,
        fact.device,
        sorted({"lid", *(address.kind for address in fact.addresses)}),
    )
    blocked = {row["contact"] for row in rows if row["blocked"]}
    freed = {row["contact"] for row in rows if row["blocked"] and row["named"] and fact.whole} - set(listed)
    return sorted([(contact, True) for contact in set(listed) - blocked] + [(contact, False) for contact in freed])


async def _settle(c: asyncpg.Connection, tenant: TenantId, fact: BlockSettled) -> list[Envelope[Any]]:
    contact = await c.fetchval("select contact from contact_blocks where tenant = $1 and id = $2", tenant, fact.block)
    if contact is None:
        return []
    await _hold(c, tenant, contact)
    done = await c.fetchval(
        """
        update contact_blocks set state = $4, reason = $5, at = $6
         where tenant = $1 and id = $2 and revision = $3 and state = 'pending' returning true
        """,
        tenant,
        fact.block,
        fact.revision,
        fact.outcome,
        fact.reason,
        fact.at,
    )
    return [await changed(c, tenant, contact)] if done else []


async def _observe(
    c: asyncpg.Connection, tenant: TenantId, contact: ContactId, device: DeviceId, blocked: bool, seen_at: datetime, at: datetime
) -> list[Envelope[Any]]:
    """The phone's say stands; where all numbers now say the same of the contact, it is blocked here as well, or no more."""
    await _hold(c, tenant, contact)
    before = (await _present(c, tenant, contact)).get(device)
    new = await c.fetchval(
        """
        insert into contact_blocks as b (tenant, contact, device, id, blocked, revision, state, by_phone, at)
        values ($1, $2, $3, $4, $5, 1, 'done', true, $6)
        on conflict (tenant, contact, device) do update
           set blocked = $5, revision = b.revision + 1, state = 'done', reason = null, at = $6,
               by_phone = b.by_phone or b.blocked <> $5 or b.state = 'failed'
         where b.state <> 'pending' and b.at < $6
        returning true
        """,
        tenant,
        contact,
        device,
        ids.new(),
        blocked,
        seen_at,
    )
    if not new or (before is not None and before.state == "done" and before.blocked == blocked):
        return []
    present = await _present(c, tenant, contact)
    blocking = {device for device, one in present.items() if one.blocked and one.state == "done"}
    was = await c.fetchval("select blocked_at is not null from contacts where tenant = $1 and id = $2", tenant, contact)
    if blocked and not was and await _numbers(c, tenant, contact) <= blocking:
        more = await joining.block(c, tenant, contact, at, None)
        return [await changed(c, tenant, contact, "blocked"), *more]
    if not blocked and was and not any(one.blocked for one in present.values()):
        await joining.unblock(c, tenant, contact)
        return [await changed(c, tenant, contact, "unblocked")]
    return [await changed(c, tenant, contact)]


async def changed(
    c: asyncpg.Connection,
    tenant: TenantId,
    contact: ContactId,
    deed: Deed | None = None,
    *,
    actor: Actor | None = None,
    merged: ContactId | None = None,
) -> Envelope[Any]:
    """Say how the contact stands now.  Raises: Moved."""
    row = await reading.contact(c, tenant, contact)
    if row is None:
        raise Moved
    body = ContactChanged(
        id=ids.public(ids.CONTACT, row.id),
        name=row.name,
        phone=row.phone,
        merged=None if merged is None else ids.public(ids.CONTACT, merged),
        profile=reading.profile(row),
        deed=deed,
        actor=actor,
        blocks=row.blocks,
    )
    return wrap(tenant, body)


async def undo(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, at: datetime) -> list[Envelope[Any]]:
    """The contact (held by the caller), which nobody will know any more, is blocked by no number from here; returns the orders.

    Who is known no more could not be unblocked by anybody. What a number's own phone did, its phone shows.
    """
    due = await c.fetch(
        """
        update contact_blocks set blocked = false, revision = revision + 1, state = 'pending', reason = null, at = $3
         where tenant = $1 and contact = $2 and blocked and not by_phone and state <> 'failed' returning device, id, revision
        """,
        tenant,
        contact,
        at,
    )
    return _orders(tenant, due, await _addresses(c, tenant, contact), False, at)


async def forget_devices(c: asyncpg.Connection, devices: Collection[tuple[TenantId, DeviceId]]) -> None:
    """Of numbers that are gone nothing is wanted."""
    for tenant, device in sorted(set(devices)):
        await c.execute("delete from contact_blocks where tenant = $1 and device = $2", tenant, device)


async def _hold(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> None:
    if not await profiles.hold(c, tenant, contact):
        raise Moved


async def _present(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> dict[DeviceId, OnNumber]:
    rows = await c.fetch("select device, blocked, state, by_phone from contact_blocks where tenant = $1 and contact = $2", tenant, contact)
    return {row["device"]: OnNumber(row["blocked"], row["state"], row["by_phone"]) for row in rows}


async def _numbers(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> set[DeviceId]:
    """Read over which of the account's numbers there is a chat with the contact."""
    rows = await c.fetch(
        """
        select distinct h.device from chats h left join devices d on d.tenant = h.tenant and d.id = h.device
         where h.tenant = $1 and h.contact = $2 and d.deleted is not true
        """,
        tenant,
        contact,
    )
    return {row[0] for row in rows}

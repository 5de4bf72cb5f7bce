"""Contacts and the addresses that lead to them."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.ids import ChatId, ContactId, TenantId

from conversations.domain.identities import Alias, Merge, Plan, plan, settled
from conversations.store import Moved, chats, profiles


async def resolve(c: asyncpg.Connection, groups: Collection[tuple[Alias, ...]], hints: Collection[tuple[Alias, ...]] = ()) -> Plan:
    """Every group of addresses leads to one contact, made or merged where needed.

    Args:
        hints: Groups that only count where one of their addresses is known already: they make no contact.

    Raises: Moved.
    """
    aliases = {one for group in (*groups, *hints) for one in group}
    if not aliases:
        return Plan()
    present = await known(c, aliases)
    asked = [*groups, *_of_somebody(hints, groups, present)]
    unsettled = [group for group in asked if not settled([group], present)]
    if not unsettled:
        return Plan(contacts=present)
    # What is settled stays so: addresses are never taken from a person, and merges keep them together.
    await hold(c, {one for group in unsettled for one in group})
    present = await known(c, aliases)
    made = plan([*groups, *_of_somebody(hints, groups, present)], present, fresh=_fresh())
    await _carry_out(c, made)
    return made


async def known(c: asyncpg.Connection, aliases: Iterable[Alias]) -> dict[Alias, ContactId]:
    """Read which contacts these addresses lead to; an unknown one is left out."""
    columns = list(zip(*aliases, strict=True))
    rows = await c.fetch(
        """
        select a.tenant, a.kind, a.value, a.contact
          from unnest($1::uuid[], $2::text[], $3::text[]) as u (tenant, kind, value)
          join contact_aliases a on (a.tenant, a.kind, a.value) = (u.tenant, u.kind, u.value)
        """,
        *(columns or ([], [], [])),
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def aliases_of(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> list[tuple[str, str]]:
    """List the addresses of one contact as (kind, value)."""
    rows = await c.fetch("select kind, value from contact_aliases where tenant = $1 and contact = $2 order by kind, value", tenant, contact)
    return [(row[0], row[1]) for row in rows]


def _of_somebody(
    hints: Iterable[tuple[Alias, ...]], groups: Iterable[tuple[Alias, ...]], present: dict[Alias, ContactId]
) -> list[tuple[Alias, ...]]:
    named = {one for group in groups for one in group}
    return [hint for hint in hints if any(one in present or one in named for one in hint)]


def _fresh() -> Iterator[UUID]:
    while True:
        yield ids.new()


async def hold(c: asyncpg.Connection, aliases: Iterable[Alias]) -> None:
    """Nobody else makes or moves these addresses until the transaction ends."""
    keys = sorted(
        int.from_bytes(blake2b(f"{tenant}:{kind}:{value}".encode(), digest_size=8).digest(), signed=True) for tenant, kind, value in aliases
    )
    await c.execute("select pg_advisory_xact_lock(key) from unnest($1::bigint[]) as key", keys)


async def _carry_out(c: asyncpg.Connection, made: Plan) -> None:
    if made.created:
        contacts = sorted((tenant, contact, phone) for contact, (tenant, phone) in made.created.items())
        await c.execute(
            "insert into contacts (tenant, id, phone) select * from unnest($1::uuid[], $2::uuid[], $3::text[])",
            *zip(*contacts, strict=True),
        )
    touched = {(alias[0], contact) for alias, contact in made.learned.items() if contact not in made.created}
    touched |= {(merge.tenant, contact) for merge in made.merges for contact in (merge.survivor, merge.loser)}
    if touched:
        # Without this an address could be given to a contact that a concurrent batch is merging away.
        rows = await c.fetch(
            """
            select k.id from contacts k join unnest($1::uuid[], $2::uuid[]) as u (tenant, id) on (k.tenant, k.id) = (u.tenant, u.id)
             order by k.tenant, k.id for update of k
            """,
            *zip(*sorted(touched), strict=True),
        )
        if len(rows) != len(touched):
            raise Moved
    if made.learned:
        learned = sorted((*alias, contact) for alias, contact in made.learned.items())
        await c.execute(
            """
            insert into contact_aliases (tenant, kind, value, contact)
            select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[])
            """,
            *zip(*learned, strict=True),
        )
        await c.execute(
            """
            update contacts k set phone = u.phone
              from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) as u (tenant, kind, phone, id)
             where k.tenant = u.tenant and k.id = u.id and u.kind = 'pn' and k.phone is null
            """,
            *zip(*learned, strict=True),
        )
    for merge in made.merges:
        made.absorb(merge.tenant, await join(c, merge))


async def join(c: asyncpg.Connection, merge: Merge) -> dict[ChatId, ChatId]:
    """The survivor (both are held by the caller) is the loser as well: its chats, addresses, and what is known of it.

    Returns: Which chats became which.
    """
    key = merge.tenant, merge.survivor, merge.loser
    became = await chats.merge_contact(c, merge.tenant, merge.survivor, merge.loser)
    await c.execute("update contact_aliases set contact = $2 where tenant = $1 and contact = $3", *key)
    await c.execute(
        """
        update contacts s
           set phone = coalesce(s.phone, l.phone), given_name = coalesce(s.given_name, l.given_name), email = coalesce(s.email, l.email),
               blocked_at = coalesce(s.blocked_at, l.blocked_at),
               push_name = case when l.push_name_at > s.push_name_at or s.push_name_at is null then coalesce(l.push_name, s.push_name)
                                else s.push_name end,
               push_name_at = greatest(s.push_name_at, l.push_name_at)
          from contacts l
         where s.tenant = $1 and s.id = $2 and l.tenant = $1 and l.id = $3
        """,
        *key,
    )
    await profiles.merge(c, *key)
    # Where both have one the survivor's stands: it is ordered anew, with the addresses of both.
    await c.execute(
        """
        delete from contact_blocks l using contact_blocks s
         where l.tenant = $1 and l.contact = $3 and s.tenant = $1 and s.contact = $2 and s.device = l.device
        """,
        *key,
    )
    await c.execute("update contact_blocks set contact = $2 where tenant = $1 and contact = $3", *key)
    await c.execute("update contact_redirects set new = $2 where tenant = $1 and new = $3", *key)
    await c.execute("insert into contact_redirects (tenant, new, old) values ($1, $2, $3)", *key)
    await c.execute("delete from contacts where tenant = $1 and id = $2", merge.tenant, merge.loser)
    return became


async def remember_push_names(
    c: asyncpg.Connection, names: Collection[tuple[TenantId, ContactId, str, datetime]]
) -> list[tuple[TenantId, ContactId]]:
    """The contacts bear the newest of the names that they gave themselves; returns whose visible name changed as (tenant, id).

    Args:
        names: At most one per contact: tenant, contact, name, and when it was said (UTC).
    """
    if not names:
        return []
    rows = await c.fetch(
        """
        with news as (
            select u.* from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) as u (tenant, id, name, at)
              join contacts k on k.tenant = u.tenant and k.id = u.id
             where k.push_name is distinct from u.name and (k.push_name_at is null or k.push_name_at < u.at)
             order by u.tenant, u.id for update of k
        )
        update contacts k set push_name = n.name, push_name_at = n.at
          from news n where k.tenant = n.tenant and k.id = n.id
        returning k.tenant, k.id, k.given_name is null
        """,
        *zip(*names, strict=True),
    )
    return [(row[0], row[1]) for row in rows if row[2]]


async def name(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, name: str | None) -> bool:
    """The contact is called *name* here (None: as he calls himself); returns whether that is new."""
    found = await c.fetchval(
        """
        update contacts set given_name = $3 where tenant = $1 and id = $2 and given_name is distinct from $3 returning true
        """,
        tenant,
        contact,
        name,
    )
    return bool(found)


async def mail(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, address: str | None) -> None:
    """The contact (held by the caller) has this address of mail."""
    await c.execute("update contacts set email = $3 where tenant = $1 and id = $2", tenant, contact, address)


async def contacts(
    c: asyncpg.Connection, keys: Collection[tuple[TenantId, ContactId]]
) -> dict[tuple[TenantId, ContactId], tuple[str | None, str | None]]:
    """Read the name and phone of many contacts, by (tenant, id)."""
    if not keys:
        return {}
    rows = await c.fetch(
        """
        select k.tenant, k.id, k.name, k.phone from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
          join contacts k on (k.tenant, k.id) = (u.tenant, u.id)
        """,
        *zip(*keys, strict=True),
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


async def blocked(c: asyncpg.Connection, keys: Collection[tuple[TenantId, ContactId]]) -> set[tuple[TenantId, ContactId]]:
    """Give those of the contacts whom somebody has blocked."""
    if not keys:
        return set()
    rows = await c.fetch(
        """
        select k.tenant, k.id from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
          join contacts k on (k.tenant, k.id) = (u.tenant, u.id) and k.blocked_at is not null
        """,
        *zip(*keys, strict=True),
    )
    return {(row[0], row[1]) for row in rows}

"""What somebody does to a contact as a whole: merging it with another, blocking it; and who may be the same person."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from contracts import ids
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import ChatRead
from contracts.ids import ChatId, ContactId, TenantId, UserId
from contracts.principal import Actor

from conversations.domain import phones
from conversations.domain.identities import Merge
from conversations.store import Moved, chats, identities, moves
from conversations.store.chats import Held
from conversations.store.moves import Move

#: What of the one that is merged away can be taken in place of the other's; besides these ``fields.<key>``.
TAKEN = ("name", "phone", "email", "state_id")


async def merge(
    c: asyncpg.Connection, tenant: TenantId, survivor: ContactId, loser: ContactId, take: Collection[str], at: datetime, actor: Actor
) -> list[Envelope[Any]]:
    """*loser* lives on as *survivor*: both one's chats, addresses, notes and tags; returns what is told of the chats.

    What both have the survivor's stands of, but for *take*: `TAKEN`, or ``fields.<key>``.

    Raises: Moved: somebody merged one of them meanwhile.
    """
    some = await c.fetch(
        """
        select k.id, k.given_name, k.phone, k.email, p.state, p.fields from contacts k
          left join profiles p on p.tenant = k.tenant and p.contact = k.id
         where k.tenant = $1 and k.id = any ($2::uuid[]) order by k.id for update of k
        """,
        tenant,
        [survivor, loser],
    )
    if len(some) != 2:
        raise Moved
    other = next(row for row in some if row["id"] == loser)
    became = await identities.join(c, Merge(tenant, survivor, loser))
    named = {"name": "given_name", "phone": "phone", "email": "email"}
    for what, column in named.items():
        if what in take and other[column] is not None:
            await c.execute(f"update contacts set {column} = $3 where tenant = $1 and id = $2", tenant, survivor, other[column])  # noqa: S608
    if "state_id" in take and other["state"] is not None:
        await c.execute("update profiles set state = $3 where tenant = $1 and contact = $2", tenant, survivor, other["state"])
    values = {key: value for key, value in (other["fields"] or {}).items() if f"fields.{key}" in take}
    if values:
        await c.execute(
            "update profiles set fields = fields || $3::jsonb where tenant = $1 and contact = $2",
            tenant,
            survivor,
            msgspec.json.encode(values).decode(),
        )
    held = await of_contact(c, tenant, survivor)
    gone = {one.id: [old for old, new in became.items() if new == one.id] for one in held}
    some = [Move(held=one, after=one.standing, actor=actor, merged=gone[one.id], touched=True) for one in held if one.standing.revision]
    return await moves.make(c, some, at)


async def of_contact(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> list[Held]:
    """Hold the chats of a contact that the caller holds."""
    rows = await c.fetch("select id from chats where tenant = $1 and contact = $2", tenant, contact)
    return list((await chats.lock(c, [(tenant, ChatId(row[0])) for row in rows])).values())


async def block(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, at: datetime, actor: Actor | None) -> list[Envelope[Any]]:
    """Nothing is sent to the contact (held by the caller), and what it writes is no news: its chats are closed, and nothing is unread.

    Args:
        actor: Who did it; None: somebody on a number's own phone.
    """
    await c.execute("update contacts set blocked_at = $3 where tenant = $1 and id = $2", tenant, contact, at)
    held = await of_contact(c, tenant, contact)
    # No order to WhatsApp: who is blocked sees no blue ticks of it.
    unread = [one for one in held if one.unread]
    mine = [one.id for one in unread]
    await c.execute("update messages set unseen = false where tenant = $1 and chat = any ($2::uuid[]) and unseen", tenant, mine)
    await c.execute("update chats set unread = 0 where tenant = $1 and id = any ($2::uuid[])", tenant, mine)
    user = ids.public(ids.USER, UserId(actor.id)) if actor is not None and actor.kind == "user" else None
    told: list[Envelope[Any]] = [
        wrap(tenant, ChatRead(id=ids.public(ids.CHAT, one.id), unread=0, at=at, user_id=user), audience=one.audience) for one in unread
    ]
    return told + await moves.make(c, [Move(held=one, after=one.standing.turned("closed", None, at), actor=actor) for one in held], at)


async def unblock(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> None:
    """The contact (held by the caller) is one like any other."""
    await c.execute("update contacts set blocked_at = null where tenant = $1 and id = $2", tenant, contact)


async def alike(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, *, limit: int) -> list[tuple[ContactId, str]]:
    """Find who may be the same person, the likeliest first, each with what is alike: ``phone``, ``email`` or ``name``."""
    row = await c.fetchrow("select phone, email, sought from contacts where tenant = $1 and id = $2", tenant, contact)
    if row is None:
        return []
    written = list(phones.variants(row["phone"])) if row["phone"] else []
    rows = await c.fetch(
        """
        select id, min(rank) from (
            (select id, 1 as rank from contacts where tenant = $1 and phone = any ($3::text[]) and id <> $2 limit $6)
            union all
            (select id, 2 from contacts where tenant = $1 and email = $4 and id <> $2 order by id limit $6)
            union all
            (select id, 3 from contacts where tenant = $1 and sought = $5 and id <> $2 order by id limit $6)
        ) as found group by id order by min(rank), id limit $6
        """,
        tenant,
        contact,
        written,
        row["email"],
        row["sought"],
        limit,
    )
    return [(ContactId(one[0]), ("phone", "email", "name")[one[1] - 1]) for one in rows]

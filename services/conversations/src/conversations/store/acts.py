"""Reactions, edits and deletions: those that wait, and what they make of messages."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.ids import ChatId, MessageId, TenantId
from servicekit.db import Tx, raw

from conversations.domain.acts import Act, Mark, Said, Stands
from conversations.store import released
from conversations.store.messages import COLUMNS, Row, WaName, row_of

_COLUMNS = "a.tenant, a.id, a.device, a.chat, a.wa_id, a.kind, a.from_me, a.at, a.participant, a.sender_name, a.text"
_marks = msgspec.json.Decoder(tuple[Mark, ...])

Key = tuple[TenantId, UUID]


def stands(row: Row) -> Stands:
    """Give the part of a message that acts can change."""
    return Stands(
        from_me=row.from_me,
        participant=row.participant,
        text=row.text,
        reactions=_marks.decode(row.reactions) if row.reactions else (),
        edited_at=row.edited_at,
        deleted_at=row.deleted_at,
    )


async def keep(c: asyncpg.Connection, acts: Collection[Act], state: str) -> None:
    """These wait for their message, or for WhatsApp's word on them; one that waits already is not kept twice."""
    if not acts:
        return
    some = sorted(acts, key=lambda act: (act.tenant, act.id))
    await c.execute(
        """
        insert into acts (tenant, id, device, chat, wa_id, kind, from_me, at, participant, sender_name, text, state)
        select u.*, $12 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bool[], $8::timestamptz[],
                                   $9::text[], $10::text[], $11::text[]) as u
        on conflict (tenant, id) do nothing
        """,
        [a.tenant for a in some],
        [a.id for a in some],
        [a.device for a in some],
        [a.chat for a in some],
        [a.wa_id for a in some],
        [a.kind for a in some],
        [a.from_me for a in some],
        [a.at for a in some],
        [a.participant for a in some],
        [a.sender_name for a in some],
        [a.text for a in some],
        state,
    )


async def waiting(c: asyncpg.Connection, names: Collection[WaName]) -> list[Act]:
    """Read what waits for these messages."""
    if not names:
        return []
    rows = await c.fetch(
        f"""
        select {_COLUMNS} from unnest($1::uuid[], $2::uuid[], $3::text[]) as u (tenant, device, wa_id)
          join acts a on (a.tenant, a.device, a.wa_id) = (u.tenant, u.device, u.wa_id) where a.state = 'waiting'
        """,  # noqa: S608  # a constant
        *zip(*names, strict=True),
    )
    return [_act(row) for row in rows]


async def ordered(c: asyncpg.Connection, keys: Collection[Key]) -> dict[Key, Act]:
    """Read which of these orders are acts, by (tenant, id)."""
    if not keys:
        return {}
    rows = await c.fetch(
        f"""
        select {_COLUMNS} from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
          join acts a on (a.tenant, a.id) = (u.tenant, u.id) where a.state = 'ordered'
        """,  # noqa: S608  # a constant
        *zip(*keys, strict=True),
    )
    return {(act.tenant, act.id): act for act in map(_act, rows)}


async def drop(c: asyncpg.Connection, keys: Collection[Key]) -> None:
    """These wait no more."""
    if keys:
        await c.execute(
            "delete from acts a using unnest($1::uuid[], $2::uuid[]) as u (tenant, id) where a.tenant = u.tenant and a.id = u.id",
            *zip(*keys, strict=True),
        )


async def targets(c: asyncpg.Connection, names: Collection[tuple[TenantId, UUID, str, ChatId]]) -> list[Row]:
    """Read the messages that WhatsApp calls so, by tenant, device, WhatsApp id and chat."""
    if not names:
        return []
    records = await c.fetch(
        f"""
        select {COLUMNS} from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[]) as u (tenant, device, wa_id, chat)
          join messages m on (m.tenant, m.device, m.wa_id, m.chat) = (u.tenant, u.device, u.wa_id, u.chat)
          join chats h on (h.tenant, h.id) = (m.tenant, m.chat)
        """,  # noqa: S608  # a constant
        *zip(*names, strict=True),
    )
    return [row_of(record) for record in records]


async def save(c: asyncpg.Connection, rows: Sequence[Row]) -> None:
    """These messages stand as acts have made them; of one that was taken back, nothing of what it said is left."""
    if not rows:
        return
    await c.execute(
        """
        update messages m
           set text = u.text, reactions = u.reactions::jsonb, edited_at = u.edited_at, deleted_at = u.deleted_at,
               media = case when u.deleted_at is null then m.media end, more = case when u.deleted_at is null then m.more end
          from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
            as u (tenant, id, text, reactions, edited_at, deleted_at)
         where m.tenant = u.tenant and m.id = u.id
        """,
        [r.tenant for r in rows],
        [r.id for r in rows],
        [r.text for r in rows],
        [r.reactions for r in rows],
        [r.edited_at for r in rows],
        [r.deleted_at for r in rows],
    )
    gone = [row for row in rows if row.deleted_at is not None]
    if gone:
        await c.execute(
            "delete from former_texts f using unnest($1::uuid[], $2::uuid[]) as u (tenant, id) "
            "where f.tenant = u.tenant and f.message = u.id",
            [r.tenant for r in gone],
            [r.id for r in gone],
        )
        named = await c.fetch(
            """
            select f.tenant, f.object from media f join unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
                on f.tenant = u.tenant and f.message = u.id
             where f.object is not null order by f.tenant, f.id for update of f
            """,
            [r.tenant for r in gone],
            [r.id for r in gone],
        )
        await c.execute(
            """
            update media f set state = 'gone', source = null, object = null, facts = null
              from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
             where f.tenant = u.tenant and f.message = u.id
            """,
            [r.tenant for r in gone],
            [r.id for r in gone],
        )
        for tenant in {row[0] for row in named}:
            await released.release(c, tenant, [row[1] for row in named if row[0] == tenant])


async def remember(c: asyncpg.Connection, some: Sequence[tuple[TenantId, MessageId, Said]]) -> None:
    """These messages said this once; what is known already is not kept twice."""
    if some:
        await c.execute(
            """
            insert into former_texts (tenant, message, id, at, text)
            select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[]) on conflict do nothing
            """,
            [one[0] for one in some],
            [one[1] for one in some],
            [ids.derived(one[2].at.isoformat(), one[2].text) for one in some],
            [one[2].at for one in some],
            [one[2].text for one in some],
        )


MOST_FORMER = 100


async def former(c: asyncpg.Connection, tenant: TenantId, message: MessageId) -> list[Said]:
    """Read what a message said before, the oldest first; of very many the newest."""
    rows = await c.fetch(
        f"select at, text from former_texts where tenant = $1 and message = $2 order by at desc, text limit {MOST_FORMER}",  # noqa: S608
        tenant,
        message,
    )
    return [Said(row[0], row[1]) for row in reversed(rows)]


def changed(row: Row, after: Stands) -> bool:
    """Write *after* into *row*; False when it stood like that."""
    if stands(row) == after:
        return False
    row.text, row.edited_at, row.deleted_at = after.text, after.edited_at, after.deleted_at
    row.reactions = msgspec.json.encode(after.reactions).decode() if after.reactions else None
    if after.deleted_at is not None:
        row.media = row.more = None
    return True


async def sweep(tx: Tx, older_than: timedelta) -> int:
    """Delete what has waited too long for its message; as the system role."""
    rows = await (await raw(tx)).fetch(
        "delete from acts where (tenant, id) in (select tenant, id from acts where kept_at < now() - $1::interval limit 5000) returning 1",
        older_than,
    )
    return len(rows)


def _act(row: Any) -> Act:
    return Act(**dict(row.items()))

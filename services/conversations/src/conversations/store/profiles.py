"""What a team knows of its contacts."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.ids import ContactId, TenantId, UserId

from conversations.domain.profiles import Field, State, Value, usual
from conversations.store import tags


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote about a contact."""

    id: UUID
    author: UserId
    by_key: bool
    text: str
    created_at: datetime


async def settings(c: asyncpg.Connection, tenant: TenantId, *, lock: bool = False) -> tuple[tuple[State, ...], tuple[Field, ...]]:
    """Read the states and fields of an account; with *lock* nobody else changes them until the transaction ends."""
    if lock:
        await c.execute("insert into contact_settings (tenant) values ($1) on conflict do nothing", tenant)
        await c.execute("select from contact_settings where tenant = $1 for update", tenant)
    row = await c.fetchrow("select states, fields from contact_settings where tenant = $1", tenant)
    states = row["states"] if row is not None else None
    fields = row["fields"] if row is not None else None
    return (
        usual(tenant) if states is None else msgspec.convert(states, tuple[State, ...]),
        () if fields is None else msgspec.convert(fields, tuple[Field, ...]),
    )


async def set_states(c: asyncpg.Connection, tenant: TenantId, states: Sequence[State]) -> None:
    """The account has these states; a contact in another one is in none."""
    await c.execute("update contact_settings set states = $2::jsonb where tenant = $1", tenant, _text(states))
    await c.execute(
        "update profiles set state = null where tenant = $1 and state is not null and state <> all($2::uuid[])",
        tenant,
        [state.id for state in states],
    )


async def set_fields(c: asyncpg.Connection, tenant: TenantId, fields: Sequence[Field]) -> None:
    """The account keeps these fields; what contacts have in another one is kept and not shown."""
    await c.execute("update contact_settings set fields = $2::jsonb where tenant = $1", tenant, _text(fields))


async def change(
    c: asyncpg.Connection,
    tenant: TenantId,
    contact: ContactId,
    *,
    state: UUID | msgspec.UnsetType | None = msgspec.UNSET,
    fields: dict[str, Value] | None = None,
    add: Collection[UUID] = (),
    remove: Collection[UUID] = (),
) -> None:
    """The contact (held by the caller) has this state, these values besides its others, and bears these tags; what is left out stays."""
    await c.execute("insert into profiles (tenant, contact) values ($1, $2) on conflict do nothing", tenant, contact)
    if state is not msgspec.UNSET:
        await c.execute("update profiles set state = $3 where tenant = $1 and contact = $2", tenant, contact, state)
    if fields:
        await c.execute(
            "update profiles set fields = jsonb_strip_nulls(fields || $3::jsonb) where tenant = $1 and contact = $2",
            tenant,
            contact,
            json.dumps(fields),
        )
    if remove:
        await c.execute(
            "delete from contact_tags where tenant = $1 and contact = $2 and tag = any($3::uuid[])", tenant, contact, list(remove)
        )
    if add:
        await c.execute(
            "insert into contact_tags (tenant, contact, tag) select $1, $2, tag from unnest($3::uuid[]) as tag on conflict do nothing",
            tenant,
            contact,
            sorted(await tags.known(c, tenant, add)),
        )


async def hold(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> bool:
    """Nobody else changes or merges the contact until the transaction ends; False when it is no more."""
    return bool(await c.fetchval("select true from contacts where tenant = $1 and id = $2 for update", tenant, contact))


async def merge(c: asyncpg.Connection, tenant: TenantId, survivor: ContactId, loser: ContactId) -> None:
    """What was known of *loser* is known of *survivor*, whose own state and values stand."""
    key = tenant, survivor, loser
    await c.execute(
        """
        insert into profiles as p (tenant, contact, state, fields)
        select tenant, $2, state, fields from profiles where tenant = $1 and contact = $3
        on conflict (tenant, contact) do update set state = coalesce(p.state, excluded.state), fields = excluded.fields || p.fields
        """,
        *key,
    )
    await c.execute("delete from profiles where tenant = $1 and contact = $2", tenant, loser)
    await c.execute(
        "insert into contact_tags select tenant, $2, tag from contact_tags where tenant = $1 and contact = $3 on conflict do nothing", *key
    )
    await c.execute("delete from contact_tags where tenant = $1 and contact = $2", tenant, loser)
    await c.execute("update contact_notes set contact = $2 where tenant = $1 and contact = $3", *key)


async def add_note(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, author: UserId, *, by_key: bool, text: str) -> Note:
    """Somebody wrote something about the contact."""
    row = await c.fetchrow(
        "insert into contact_notes (tenant, id, contact, author, by_key, text) values ($1, $2, $3, $4, $5, $6) returning *",
        tenant,
        ids.new(),
        contact,
        author,
        by_key,
        text,
    )
    return _note(row)


async def notes(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, *, after: UUID | None, limit: int) -> list[Note]:
    """Read what was written about the contact, the newest first."""
    rows = await c.fetch(
        "select * from contact_notes where tenant = $1 and contact = $2 and ($3::uuid is null or id < $3) order by id desc limit $4",
        tenant,
        contact,
        after,
        limit,
    )
    return [_note(row) for row in rows]


async def delete_note(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, id: UUID) -> bool:
    """The note is no more; False when there was none."""
    return bool(
        await c.fetchval("delete from contact_notes where tenant = $1 and contact = $2 and id = $3 returning true", tenant, contact, id)
    )


def _note(row: asyncpg.Record) -> Note:
    return Note(id=row["id"], author=UserId(row["author"]), by_key=row["by_key"], text=row["text"], created_at=row["created_at"])


def _text(some: Sequence[msgspec.Struct]) -> str:
    return msgspec.json.encode(some).decode()

"""Somebody is erased: what conversations has of them goes in batches, and at last the contact itself, in one transaction with the news.

Until that last transaction whatever the person writes is still theirs and goes with the rest; after it they are somebody new. The locks
are taken as everybody takes them: addresses, contact, chats.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.commands import ErasePerson
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import ContactErased
from contracts.ids import ChatId, ContactId, TenantId
from contracts.principal import Actor
from contracts.whatsapp import Address

from conversations.domain import privacy
from conversations.domain.identities import Alias
from conversations.domain.privacy import PARTS, SERVICES, Dossier
from conversations.store import Moved, blocking, chats, exporting, identities, media, released, retention

BATCH = 500
#: Messages in groups, by which events of the last days may speak of the person.
_MOST_NAMED = 5000

_dossier = msgspec.json.Decoder(Dossier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One row.

    Attributes:
        contact: Whom it is about; *contacts* besides those that it stood for, once it is gone.
        dossier: None once everything is done.
    """

    tenant: TenantId
    id: UUID
    contact: ContactId
    contacts: tuple[UUID, ...]
    requested_by: UUID
    by_key: bool
    requested_at: datetime
    erased_at: datetime | None
    completed_at: datetime | None
    dossier: Dossier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How far one service or store is."""

    part: str
    removed: int
    done_at: datetime | None


_COLUMNS = "tenant, id, contact, contacts, requested_by, by_key, requested_at, erased_at, completed_at, dossier::text"


async def request(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, by: UUID, *, by_key: bool) -> Erasure | None:
    """The contact is to be erased; what is asked for twice is one erasure. None: no such contact is or was here."""
    there = await c.fetchval(
        """
        select id from contacts where tenant = $1
           and id = any(array[$2, (select new from contact_redirects where tenant = $1 and old = $2)])
        """,
        tenant,
        contact,
    )
    if there is None:
        return await _of_contact(c, tenant, contact)
    await c.execute(
        """
        insert into erasures (tenant, id, contact, requested_by, by_key, requested_at, dossier)
        values ($1, $2, $3, $4, $5, now(), '{}') on conflict do nothing
        """,
        tenant,
        ids.new(),
        there,
        by,
        by_key,
    )
    found = await _of_contact(c, tenant, there)
    if found is not None:
        await c.execute(
            "insert into erasure_parts (tenant, erasure, part) select $1, $2, unnest($3::text[]) on conflict do nothing",
            tenant,
            found.id,
            list(PARTS),
        )
    return found


async def _of_contact(c: asyncpg.Connection, tenant: TenantId, contact: UUID) -> Erasure | None:
    row = await c.fetchrow(
        f"select {_COLUMNS} from erasures where tenant = $1 and (contact = $2 or $2 = any(contacts)) "  # noqa: S608  # a constant
        "order by erased_at is not null, id desc limit 1",
        tenant,
        contact,
    )
    return _erasure(row) if row else None


async def find(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> Erasure | None:
    """Read one."""
    row = await c.fetchrow(f"select {_COLUMNS} from erasures where tenant = $1 and id = $2", tenant, id)  # noqa: S608
    return _erasure(row) if row else None


async def page(c: asyncpg.Connection, tenant: TenantId, *, before: UUID | None, limit: int) -> list[Erasure]:
    """Read the erasures of an account, the latest first."""
    rows = await c.fetch(
        f"select {_COLUMNS} from erasures where tenant = $1 and ($2::uuid is null or id < $2) order by id desc limit $3",  # noqa: S608
        tenant,
        before,
        limit,
    )
    return [_erasure(row) for row in rows]


async def parts(c: asyncpg.Connection, tenant: TenantId, erasures: Collection[UUID]) -> dict[UUID, list[Part]]:
    """Read how far each of these is, part by part in their order."""
    rows = await c.fetch(
        "select erasure, part, removed, done_at from erasure_parts where tenant = $1 and erasure = any($2::uuid[])", tenant, list(erasures)
    )
    found: dict[UUID, list[Part]] = {id: [] for id in erasures}
    for row in sorted(rows, key=lambda row: PARTS.index(row["part"])):
        found[row["erasure"]].append(Part(part=row["part"], removed=row["removed"], done_at=row["done_at"]))
    return found


async def open_ones(system: asyncpg.Connection, *, limit: int = 20) -> list[tuple[TenantId, UUID]]:
    """Read what is not complete, whoever's it is. As the system role."""
    rows = await system.fetch(
        "select tenant, id from erasures where completed_at is null and (leased_until is null or leased_until < now()) "
        "order by requested_at limit $1",
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def lease(c: asyncpg.Connection, tenant: TenantId, id: UUID, seconds: float) -> bool:
    """Nobody else works on it for so long; False where somebody does already."""
    return bool(
        await c.fetchval(
            "update erasures set leased_until = now() + $3::interval where tenant = $1 and id = $2 and completed_at is null "
            "and (leased_until is null or leased_until < now()) returning true",
            tenant,
            id,
            timedelta(seconds=seconds),
        )
    )


async def give_back(c: asyncpg.Connection, tenant: TenantId, id: UUID, seconds: float = 0.0) -> None:
    """Whoever wants may go on with it, after so long."""
    await c.execute(
        "update erasures set leased_until = now() + $3::interval where tenant = $1 and id = $2 and completed_at is null",
        tenant,
        id,
        timedelta(seconds=seconds),
    )


async def thin_out(c: asyncpg.Connection, erasure: Erasure) -> bool:
    """The oldest of the person's messages are gone; False when so few are left that `finish` takes them.  Raises: Moved."""
    tenant = erasure.tenant
    contact = await _now(c, tenant, erasure.contact)
    threads = await c.fetch("select id from chats where tenant = $1 and contact = $2 order by id", tenant, contact)
    mine = [row[0] for row in threads]
    rows = await c.fetch(
        "select id, chat from messages where tenant = $1 and chat = any($2::uuid[]) order by at limit $3", tenant, mine, BATCH
    )
    if len(rows) < BATCH:
        spoken = [str(Address(kind, value)) for kind, value in await identities.aliases_of(c, tenant, contact)]  # type: ignore[arg-type]
        rows = await c.fetch(
            "select id, chat from messages where tenant = $1 and participant = any($2::text[]) and participant <> '' order by at limit $3",
            tenant,
            spoken,
            BATCH,
        )
        if len(rows) < BATCH:
            return False
        recent = [row[0] for row in rows if ids.made_at(row[0]) > datetime.now(UTC) - timedelta(days=privacy.STREAM_DAYS + 1)]
        await _name(c, erasure, recent)
    await chats.lock(c, {(tenant, row[1]) for row in rows})
    gone = await retention.remove(c, tenant, [row[0] for row in rows], erasure.id)
    await retention.show_what_is_left(c, tenant, {row[1] for row in rows})
    await count(c, tenant, erasure.id, "conversations", gone)
    return True


async def _name(c: asyncpg.Connection, erasure: Erasure, messages: Sequence[UUID]) -> None:
    current = await find(c, erasure.tenant, erasure.id)
    if current is not None and messages:
        before = current.dossier or Dossier()
        after = msgspec.structs.replace(before, messages=(*before.messages, *messages)[:_MOST_NAMED])
        await _write_dossier(c, erasure.tenant, erasure.id, after)


async def _write_dossier(c: asyncpg.Connection, tenant: TenantId, id: UUID, dossier: Dossier) -> None:
    await c.execute(
        "update erasures set dossier = $3::jsonb where tenant = $1 and id = $2", tenant, id, msgspec.json.encode(dossier).decode()
    )


async def _now(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> ContactId:
    """Give the contact that stands for this one now: mostly itself."""
    moved: ContactId | None = await c.fetchval("select new from contact_redirects where tenant = $1 and old = $2", tenant, contact)
    return moved or contact


async def addresses(c: asyncpg.Connection, erasure: Erasure) -> list[tuple[str, str]]:
    """List by what the person is addressed, as (kind, value)."""
    return await identities.aliases_of(c, erasure.tenant, await _now(c, erasure.tenant, erasure.contact))


async def finish(c: asyncpg.Connection, erasure: Erasure, now: datetime) -> list[Envelope[Any]]:
    """Nothing of the person is in the tables; gives what the others must hear.  Raises: Moved."""
    tenant = erasure.tenant
    contact = await _now(c, tenant, erasure.contact)
    named = await identities.aliases_of(c, tenant, contact)
    aliases: list[Alias] = [(tenant, kind, value) for kind, value in named]
    await identities.hold(c, aliases)
    phone = await c.fetchrow("select phone from contacts where tenant = $1 and id = $2 for update", tenant, contact)
    if phone is None or await identities.aliases_of(c, tenant, contact) != named:
        raise Moved
    threads = [row[0] for row in await c.fetch("select id from chats where tenant = $1 and contact = $2", tenant, contact)]
    spoken = [str(Address(kind, value)) for kind, value in named]  # type: ignore[arg-type]
    said = await c.fetch(
        "select id, chat from messages where tenant = $1 and participant = any($2::text[]) and participant <> ''", tenant, spoken
    )
    groups = {row[1] for row in said} - set(threads)
    await chats.lock(c, {(tenant, chat) for chat in (*threads, *groups)})
    mine = await c.fetch("select id from messages where tenant = $1 and chat = any($2::uuid[])", tenant, threads)
    gone = await retention.remove(c, tenant, [*(row[0] for row in mine), *(row[0] for row in said)], erasure.id)
    await retention.show_what_is_left(c, tenant, groups)

    old_chats = await c.fetch("delete from chat_redirects where tenant = $1 and new = any($2::uuid[]) returning old", tenant, threads)
    old_contacts = await c.fetch("delete from contact_redirects where tenant = $1 and new = $2 returning old", tenant, contact)
    later = await c.fetch("select id from scheduled where tenant = $1 and chat = any($2::uuid[]) and media is not null", tenant, threads)
    await media.drop_scheduled(c, tenant, [row[0] for row in later], erasure.id)
    for statement in (
        "delete from acts where tenant = $1 and chat = any($2::uuid[])",
        "delete from pending_receipts where tenant = $1 and chat = any($2::uuid[])",
        "delete from scheduled where tenant = $1 and chat = any($2::uuid[])",
        "delete from happenings where tenant = $1 and chat = any($2::uuid[])",
        "delete from chat_marks where tenant = $1 and chat = any($2::uuid[])",
        "delete from chat_tags where tenant = $1 and chat = any($2::uuid[])",
        "delete from chats where tenant = $1 and id = any($2::uuid[])",
    ):
        gone += _count(await c.execute(statement, tenant, threads))
    await c.execute("delete from acts where tenant = $1 and participant = any($2::text[])", tenant, spoken)
    phones = [value for kind, value in named if kind == "pn"]
    await c.execute("delete from import_phones where tenant = $1 and phone = any($2::text[])", tenant, phones)
    await c.execute(
        "delete from import_refusals where tenant = $1 and exists "
        "(select from unnest($2::text[]) as p (phone) where position(phone in regexp_replace(cells::text, '[^0-9\",]', '', 'g')) > 0)",
        tenant,
        phones,
    )
    notes = await c.fetch("delete from contact_notes where tenant = $1 and contact = $2 returning id", tenant, contact)
    unblocks = await blocking.undo(c, tenant, contact, now)
    for table in ("profiles", "contact_tags", "contact_blocks", "contact_aliases"):
        gone += _count(await c.execute(f"delete from {table} where tenant = $1 and contact = $2", tenant, contact))  # noqa: S608
    gone += _count(await c.execute("delete from contacts where tenant = $1 and id = $2", tenant, contact))

    await c.execute(
        """
        insert into erased_addresses as e (tenant, digest, at) select $1, unnest($2::bytea[]), $3
        on conflict (tenant, digest) do update set at = greatest(e.at, excluded.at)
        """,
        tenant,
        [privacy.sealed(one) for one in aliases],
        now,
    )
    current = await find(c, tenant, erasure.id)
    before = (current and current.dossier) or Dossier()
    recent = [row[0] for row in said if ids.made_at(row[0]) > now - timedelta(days=privacy.STREAM_DAYS + 1)]
    addresses = {*named, *((("pn", phone[0]),) if phone[0] else ())}
    dossier = msgspec.structs.replace(
        before,
        addresses=tuple(sorted(addresses)),
        contacts=tuple(sorted({contact, erasure.contact, *(row[0] for row in old_contacts)})),
        chats=tuple(sorted({*threads, *(row[0] for row in old_chats)})),
        messages=(*before.messages, *recent)[:_MOST_NAMED],
        names=tuple(sorted({*before.names, *(ids.public(ids.CONTACT_NOTE, row[0]) for row in notes)})),
    )
    await c.execute(
        "update erasures set erased_at = $3, contacts = $4 where tenant = $1 and id = $2", tenant, erasure.id, now, list(dossier.contacts)
    )
    await _write_dossier(c, tenant, erasure.id, dossier)
    gone += await exporting.forget(c, tenant, dossier.contacts, erasure.id)
    await forget_answers(c, tenant, dossier)
    await count(c, tenant, erasure.id, "conversations", gone, done=True)
    return [*unblocks, *told(erasure, dossier, contact, now)]


def told(erasure: Erasure, dossier: Dossier, contact: ContactId, now: datetime) -> list[Envelope[Any]]:
    """Give what the other services must hear."""
    tenant = erasure.tenant
    fact = ContactErased(
        id=ids.public(ids.CONTACT, contact),
        erasure_id=ids.public(ids.ERASURE, erasure.id),
        at=now,
        merged=privacy.public_contacts([id for id in dossier.contacts if id != contact]),
        chat_ids=privacy.public_chats(dossier.chats),
        message_ids=privacy.public_messages(dossier.messages),
        actor=Actor(id=erasure.requested_by, kind="key" if erasure.by_key else "user"),
    )
    order = ErasePerson(erasure=erasure.id, addresses=tuple(Address(kind, value) for kind, value in dossier.addresses))  # type: ignore[arg-type]
    return [wrap(tenant, fact), wrap(tenant, order, id=ids.derived("erase", erasure.id))]


async def forget_answers(c: asyncpg.Connection, tenant: TenantId, dossier: Dossier) -> None:
    """No answer that is kept for a repeated request says anything of the person."""
    named = (*privacy.public_contacts(dossier.contacts), *privacy.public_chats(dossier.chats), *privacy.public_messages(dossier.messages))
    needles = [f'"{name}"'.encode() for name in (*named, *dossier.names)] + [f'"{value}"'.encode() for _, value in dossier.addresses]
    await c.execute(
        "delete from idempotency i where tenant = $1 "
        "and exists (select from unnest($2::bytea[]) as n (needle) where position(needle in i.body) > 0)",
        tenant,
        needles,
    )


async def tidy_group(c: asyncpg.Connection, tenant: TenantId, addresses: Collection[tuple[str, str]], chat: ChatId) -> None:
    """In the group (held by the caller) no reaction or mention is the person's."""
    spoken = [str(Address(kind, value)) for kind, value in addresses]  # type: ignore[arg-type]
    values = [value for _, value in addresses]
    await c.execute(
        """
        update messages m
           set reactions = (
                   select jsonb_agg(r) from jsonb_array_elements(m.reactions) r
                    where r ->> 'participant' is null or r ->> 'participant' <> all($3)
               ),
               more = case when m.more ? 'mentions' then jsonb_set(m.more, '{mentions}', coalesce((
                   select jsonb_agg(a) from jsonb_array_elements(m.more -> 'mentions') a where a ->> 'value' <> all($4)
               ), '[]')) else m.more end
         where m.tenant = $1 and m.chat = $2 and (
            m.reactions is not null and exists (select from jsonb_array_elements(m.reactions) r where r ->> 'participant' = any($3))
            or m.more ? 'mentions' and exists (select from jsonb_array_elements(m.more -> 'mentions') a where a ->> 'value' = any($4)))
        """,
        tenant,
        chat,
        spoken,
        values,
    )


async def groups(c: asyncpg.Connection, tenant: TenantId) -> list[ChatId]:
    """List the groups of an account."""
    rows = await c.fetch("select id from chats where tenant = $1 and group_address is not null order by id", tenant)
    return [row[0] for row in rows]


async def erased(c: asyncpg.Connection, aliases: Collection[Alias]) -> dict[Alias, datetime]:
    """Tell which of these addresses were erased, and when."""
    tenants = {one[0] for one in aliases}
    if not tenants:
        return {}
    rows = await c.fetch(
        "select t from unnest($1::uuid[]) as t where exists (select from erased_addresses e where e.tenant = t)", list(tenants)
    )
    concerned = {row[0] for row in rows}
    seals = {(one[0], privacy.sealed(one)): one for one in aliases if one[0] in concerned}
    if not seals:
        return {}
    found = await c.fetch(
        """
        select e.tenant, e.digest, e.at from unnest($1::uuid[], $2::bytea[]) as u (tenant, digest)
          join erased_addresses e on (e.tenant, e.digest) = (u.tenant, u.digest)
        """,
        *zip(*seals, strict=True),
    )
    return {seals[row[0], row[1]]: row[2] for row in found}


async def count(c: asyncpg.Connection, tenant: TenantId, id: UUID, part: str, removed: int, *, done: bool = False) -> None:
    """So many more things are gone in this part; with *done* nothing is left."""
    await c.execute(
        """
        update erasure_parts set removed = removed + $4, done_at = case when $5 then coalesce(done_at, now()) else done_at end
         where tenant = $1 and erasure = $2 and part = $3
        """,
        tenant,
        id,
        part,
        removed,
        done,
    )


async def hear(c: asyncpg.Connection, tenant: TenantId, id: UUID, part: str, removed: int, names: Collection[str]) -> None:
    """A service has done its part, and calls things of the person's by these names; hearing it twice changes nothing."""
    row = await c.fetchrow(
        "select dossier::text from erasures where tenant = $1 and id = $2 and completed_at is null for update", tenant, id
    )
    if row is None:
        return
    new = await c.fetchval(
        "update erasure_parts set removed = $4, done_at = now() where tenant = $1 and erasure = $2 and part = $3 and done_at is null "
        "returning true",
        tenant,
        id,
        part,
        removed,
    )
    if new and names:
        await _write_dossier(c, tenant, id, (_dossier.decode(row[0]) if row[0] else Dossier()).with_names(names))
    if new:
        await c.execute("update erasures set leased_until = null where tenant = $1 and id = $2", tenant, id)


async def settle_files(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> bool:
    """The files are done when none waits any more; tells whether."""
    if await released.left(c, tenant, id):
        return False
    gone = await c.fetchval("select count(*) from released_objects where tenant = $1 and erasure = $2", tenant, id)
    await c.execute(
        "update erasure_parts set removed = greatest(removed, $3), done_at = now() "
        "where tenant = $1 and erasure = $2 and part = 'files' and done_at is null",
        tenant,
        id,
        gone,
    )
    return True


async def complete(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """Everything is done; who it was, nothing here says any more."""
    await c.execute(
        """
        update erasures set completed_at = now(), dossier = null, leased_until = null
         where tenant = $1 and id = $2 and not exists
           (select from erasure_parts p where p.tenant = $1 and p.erasure = $2 and p.done_at is null)
        """,
        tenant,
        id,
    )


def others_done(some: Collection[Part]) -> bool:
    """Tell whether every service has done its part, so that nobody adds to the streams any more."""
    return all(part.done_at is not None for part in some if part.part in ("conversations", *SERVICES))


def _erasure(row: Any) -> Erasure:
    fields = dict(row.items())
    fields["contacts"] = tuple(fields["contacts"])
    fields["dossier"] = _dossier.decode(fields["dossier"]) if fields["dossier"] else None
    return Erasure(**fields)


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])

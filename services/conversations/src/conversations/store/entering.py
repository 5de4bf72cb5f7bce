"""What the rows of a list make of contacts: a chunk at a time, in statements for all of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import ContactChanged, ContactCreated, TagChanged
from contracts.ids import ChatId, ContactId, TenantId
from contracts.principal import Actor
from contracts.views import ContactProfile

from conversations.domain import phones
from conversations.domain.columns import words
from conversations.domain.rows import Person, Said, Why
from conversations.store import Moved, chats, identities, moves
from conversations.store.moves import Move
from conversations.store.tags import MOST as TAGS_MOST
from conversations.store.tags import every as every_tag

COLOR = "#868e96"
"""Of a tag that a list brought."""


@dataclass(slots=True)
class Taken:
    """What became of the rows of one chunk."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[tuple[Said, Why]] = field(default_factory=list)
    told: list[Envelope[Any]] = field(default_factory=list)


async def take(
    c: asyncpg.Connection,
    tenant: TenantId,
    some: Sequence[Said],
    *,
    overwrite: bool,
    create_tags: bool,
    dry: bool,
    at: datetime,
    actor: Actor | None = None,
) -> Taken:
    """The contacts are as the rows say, or with *dry* it is known what they would become. No two rows have one phone.  Raises: Moved."""
    taken = Taken()
    tags = await _tags(c, tenant, some, taken, create=create_tags, dry=dry)
    some = _with_known_tags(some, tags, taken)
    of_row = await _contacts(c, tenant, some)
    if not dry:
        plan = await identities.resolve(c, [((tenant, "pn", said.phone),) for said in some if said.row not in of_row])
        of_row |= {said.row: plan.contacts[tenant, "pn", said.phone] for said in some if said.row not in of_row}
        created = set(plan.created)
    else:
        created = set()
    before = await _people(c, tenant, of_row.values(), hold=not dry)
    after: dict[ContactId, Person] = {}
    for said in some:
        contact = of_row.get(said.row)
        if contact is None or contact in created:
            taken.new += 1
        if contact is None:
            continue
        was = after.get(contact, before[contact])
        person = was.told(said, tags, overwrite=overwrite)
        if person != was:
            after[contact] = person
        if contact not in created:
            taken.changed += person != was
            taken.unchanged += person == was
    if not dry:
        await _write(c, tenant, before, after)
        await _tell(c, tenant, created, before, after, taken, at, actor)
    return taken


async def _tags(c: asyncpg.Connection, tenant: TenantId, some: Sequence[Said], taken: Taken, *, create: bool, dry: bool) -> dict[str, UUID]:
    """Read the tags by their words; with *create* those are made that are not here, as long as there is room."""
    wanted = {words(name) or name: name for said in some for name in said.tags}
    if not wanted:
        return {}
    known = {words(tag.name) or tag.name: tag.id for tag in await every_tag(c, tenant)}
    missing = sorted(set(wanted) - set(known))[: max(0, TAGS_MOST - len(known))] if create else []
    if dry:
        known |= {name: ids.new() for name in missing}
    elif missing:
        rows = await c.fetch(
            """
            insert into tags (tenant, id, name, color) select $1, id, name, $4 from unnest($2::uuid[], $3::text[]) as u (id, name)
            on conflict do nothing returning id, name
            """,
            tenant,
            [ids.new() for _ in missing],
            [wanted[name] for name in missing],
            COLOR,
        )
        taken.told += [wrap(tenant, TagChanged(id=ids.public(ids.TAG, row[0]), name=row[1], color=COLOR)) for row in rows]
        known = {words(tag.name) or tag.name: tag.id for tag in await every_tag(c, tenant)}
    return {name: known[name] for name in wanted if name in known}


def _with_known_tags(some: Sequence[Said], tags: Mapping[str, UUID], taken: Taken) -> list[Said]:
    kept = []
    for said in some:
        if all((words(name) or name) in tags for name in said.tags):
            kept.append(said)
        else:
            taken.refused.append((said, "tag-unknown"))
    return kept


async def _contacts(c: asyncpg.Connection, tenant: TenantId, some: Sequence[Said]) -> dict[int, ContactId]:
    """Find who is known by the phone of each row, in whichever way WhatsApp names it."""
    known = await identities.known(c, {(tenant, "pn", phone) for said in some for phone in phones.variants(said.phone)})
    found = {}
    for said in some:
        contact = next((known[tenant, "pn", phone] for phone in phones.variants(said.phone) if (tenant, "pn", phone) in known), None)
        if contact is not None:
            found[said.row] = contact
    return found


async def _people(c: asyncpg.Connection, tenant: TenantId, contacts: Collection[ContactId], *, hold: bool) -> dict[ContactId, Person]:
    """Read the contacts, and with *hold* nobody else changes them.  Raises: Moved."""
    wanted = sorted(set(contacts))
    if hold:
        await c.execute("select from contacts where tenant = $1 and id = any ($2::uuid[]) order by id for update", tenant, wanted)
    rows = await c.fetch(
        """
        select k.id, k.given_name, k.email, p.state, p.fields,
               array(select t.tag from contact_tags t where t.tenant = k.tenant and t.contact = k.id)
          from unnest($2::uuid[]) as u (id) join contacts k on k.tenant = $1 and k.id = u.id
          left join profiles p on p.tenant = k.tenant and p.contact = k.id
        """,
        tenant,
        wanted,
    )
    if len(rows) != len(wanted):
        raise Moved
    return {row[0]: Person(name=row[1], email=row[2], state=row[3], fields=row[4] or {}, tags=frozenset(row[5])) for row in rows}


async def _write(c: asyncpg.Connection, tenant: TenantId, before: Mapping[ContactId, Person], after: Mapping[ContactId, Person]) -> None:
    called = [
        (id, person.name, person.email)
        for id, person in after.items()
        if (person.name, person.email) != (before[id].name, before[id].email)
    ]
    if called:
        await c.execute(
            """
            update contacts k set given_name = u.name, email = u.email
              from unnest($2::uuid[], $3::text[], $4::text[]) as u (id, name, email) where k.tenant = $1 and k.id = u.id
            """,
            tenant,
            *zip(*called, strict=True),
        )
    known = [
        (id, person.state, msgspec.json.encode(person.fields).decode())
        for id, person in after.items()
        if (person.state, person.fields) != (before[id].state, before[id].fields)
    ]
    if known:
        await c.execute(
            """
            insert into profiles (tenant, contact, state, fields)
            select $1, id, state, fields::jsonb from unnest($2::uuid[], $3::uuid[], $4::text[]) as u (id, state, fields)
            on conflict (tenant, contact) do update set state = excluded.state, fields = excluded.fields
            """,
            tenant,
            *zip(*known, strict=True),
        )
    tagged = [(id, tag) for id, person in after.items() for tag in sorted(person.tags - before[id].tags)]
    if tagged:
        # a tag that is being deleted at this moment is held, or is not there any more
        held = await c.fetch(
            "select id from tags where tenant = $1 and id = any ($2::uuid[]) order by id for share",
            tenant,
            sorted({tag for _, tag in tagged}),
        )
        here = {row[0] for row in held}
        await c.execute(
            """
            insert into contact_tags (tenant, contact, tag)
            select $1, contact, tag from unnest($2::uuid[], $3::uuid[]) as u (contact, tag) on conflict do nothing
            """,
            tenant,
            [id for id, tag in tagged if tag in here],
            [tag for _, tag in tagged if tag in here],
        )


async def _tell(
    c: asyncpg.Connection,
    tenant: TenantId,
    created: Collection[ContactId],
    before: Mapping[ContactId, Person],
    after: Mapping[ContactId, Person],
    taken: Taken,
    at: datetime,
    actor: Actor | None,
) -> None:
    shown = await identities.contacts(c, {(tenant, id) for id in {*created, *after}})
    for id in sorted({*created, *after}):
        name, phone = shown[tenant, id]
        profile = profile_of(after.get(id, before[id]))
        kind = ContactCreated if id in created else ContactChanged
        taken.told.append(wrap(tenant, kind(id=ids.public(ids.CONTACT, id), name=name, phone=phone, profile=profile)))
    called = [id for id, person in after.items() if id not in created and person.name != before[id].name]
    if called:
        rows = await c.fetch("select id from chats where tenant = $1 and contact = any ($2::uuid[]) and name is null", tenant, called)
        held = await chats.lock(c, [(tenant, ChatId(row[0])) for row in rows])
        told = [Move(held=one, after=one.standing, actor=actor, touched=True) for one in held.values() if one.standing.revision > 0]
        taken.told += await moves.make(c, told, at)


def profile_of(person: Person) -> ContactProfile:
    """Show what is known of a contact."""
    return ContactProfile(
        state_id=None if person.state is None else ids.public(ids.CONTACT_STATE, person.state),
        tags=tuple(ids.public(ids.TAG, tag) for tag in sorted(person.tags)),
        fields=dict(person.fields),
        email=person.email,
    )

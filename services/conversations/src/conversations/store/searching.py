"""What is found: messages by their words, contacts by name and phone, files by name, the newest first.

The functions of the database say what fits, page after page, and this says which of that whoever asks may read and wants. A look has an
end: where a filter leaves almost nothing of what fits, a page is short and the place to go on from is given all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar
from uuid import UUID

import asyncpg
from contracts.ids import ChatId, ContactId, DeviceId, TenantId, UserId
from contracts.principal import Principal
from contracts.views import ChatStatus

from conversations.domain.seeking import Sought
from conversations.store import by_index, by_values
from conversations.store.messages import COLUMNS, Row, row_of
from conversations.store.reading import Values, reach

T = TypeVar("T")

_EVER = datetime.fromisoformat("0001-01-02T00:00:00+00:00")
_NEVER = datetime.fromisoformat("9999-12-30T00:00:00+00:00")
_LEAST = UUID(int=0)

LOOKED_AT = 200
"""So many that fit are looked at in one go, where not all are to be read or wanted."""

GOES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Of what is found this is wanted; None: whatever it is.

    Attributes:
        state: Of the contact.
        tag: Of the chat, or of a contact.
        after: Said then or later.
        before: Said earlier.
    """

    device: DeviceId | None = None
    assignee: UserId | Literal["none"] | None = None
    tag: UUID | None = None
    status: ChatStatus | None = None
    state: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ends."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMessage:
    """A message with whose it is."""

    row: Row
    contact_name: str | None
    phone: str | None
    chat_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundContact:
    """A contact with the newest of the chats that whoever asks reads, if there is one."""

    id: ContactId
    name: str | None
    phone: str | None
    given_name: str | None
    push_name: str | None
    at: datetime
    chat: ChatId | None
    device: DeviceId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """What was found, and where to go on; *similar*: it is spelled otherwise."""

    items: list[T]
    end: Place | None = None
    similar: bool = False


async def messages(
    c: asyncpg.Connection, tenant: TenantId, sought: Sought, where: Where, seer: Principal, *, limit: int, after: Place | None = None
) -> Page[FoundMessage]:
    """Find messages in which all that is sought is said."""

    def fitting(values: Values, most: int, place: Place) -> str:
        words = f"wanted_words({values.place(list(sought.terms))}::text[], {values.place(sought.unfinished)}::boolean)"
        since = values.place(where.after or _EVER)
        end = f"{values.place(place.at)}, {values.place(place.id)}, {int(most)}"
        return f"search_messages($1, {words}, {since}, {end}) with ordinality s (id, at, place)"

    return await _said(c, tenant, where, seer, fitting, limit, after)


async def files(
    c: asyncpg.Connection, tenant: TenantId, sought: Sought, where: Where, seer: Principal, *, limit: int, after: Place | None = None
) -> Page[FoundMessage]:
    """Find messages whose file is called so; where there are none, called much like it."""
    page = await _said(c, tenant, where, seer, _named("file", sought, where), limit, after)
    if page.items or after is not None or page.end is not None:
        return page
    similar = await _said(c, tenant, where, seer, _similar("file", sought, where), limit, None)
    return Page(items=similar.items, similar=True)


async def contacts(
    c: asyncpg.Connection, tenant: TenantId, sought: Sought, where: Where, seer: Principal, *, limit: int, after: Place | None = None
) -> Page[FoundContact]:
    """Find contacts by name or phone, the newest first; where there are none, those with much the same name."""
    page = await _people(c, tenant, where, seer, _named("contact", sought, where), limit, after)
    if page.items or after is not None or page.end is not None:
        return page
    similar = await _people(c, tenant, where, seer, _similar("contact", sought, where), limit, None)
    return Page(items=similar.items, similar=True)


Fitting = Callable[[Values, int, Place], str]


def _named(kind: str, sought: Sought, where: Where) -> Fitting:
    def fitting(values: Values, most: int, place: Place) -> str:
        terms = f"{values.place(kind)}, {values.place(list(sought.names))}::text[], {values.place(where.after or _EVER)}"
        return (
            f"search_names($1, {terms}, {values.place(place.at)}, {values.place(place.id)}, {int(most)}) with ordinality s (id, at, place)"
        )

    return fitting


def _similar(kind: str, sought: Sought, where: Where) -> Fitting:
    def fitting(values: Values, most: int, place: Place) -> str:
        said = f"{values.place(kind)}, {values.place(' '.join(sought.terms))}, {values.place(where.after or _EVER)}"
        return f"search_similar($1, {said}, {values.place(where.before or _NEVER)}, {int(most)}) with ordinality s (id, at, place)"

    return fitting


async def _said(
    c: asyncpg.Connection, tenant: TenantId, where: Where, seer: Principal, fitting: Fitting, limit: int, after: Place | None
) -> Page[FoundMessage]:
    values = Values([tenant])
    conditions = [*reach(seer, values), *_chats(where, values)]
    if where.tag is not None:
        conditions.append(
            f"exists (select from chat_tags g where g.tenant = $1 and g.tag = {values.place(where.tag)} and g.chat = h.id offset 0)"
        )
    if where.state is not None:
        conditions.append(_in_state("h.contact", where.state, values))
    # The offsets are fences: each that fits is looked up by its key, and not all that are wanted gathered before, or again for each.
    kept = f"""
        exists (select from messages m join lateral (select * from chats where tenant = $1 and id = m.chat offset 0) h on true
                 where m.tenant = $1 and m.id = s.id and {" and ".join(conditions) or "true"} offset 0)
    """  # noqa: S608 - nothing of a request
    found, end = await _look(c, kept, values, fitting, limit, where, after, all_wanted=not conditions)
    rows = await c.fetch(
        f"""
        select k.name, k.phone, h.name, {COLUMNS} from unnest($2::uuid[]) with ordinality as u (id, place)
          join messages m on m.tenant = $1 and m.id = u.id join chats h on h.tenant = $1 and h.id = m.chat
          left join contacts k on k.tenant = $1 and k.id = h.contact
         order by u.place
        """,  # noqa: S608 - constants
        tenant,
        found,
    )
    items = [FoundMessage(row=row_of(row, 3), contact_name=row[0], phone=row[1], chat_name=row[2]) for row in rows]
    return Page(items=items, end=end)


async def _people(
    c: asyncpg.Connection, tenant: TenantId, where: Where, seer: Principal, fitting: Fitting, limit: int, after: Place | None
) -> Page[FoundContact]:
    values = Values([tenant])
    of_chats = [*reach(seer, values), *_chats(where, values)]
    conditions = []
    if of_chats:
        conditions.append(f"exists (select from chats h where h.tenant = $1 and h.contact = s.id and {' and '.join(of_chats)} offset 0)")
    if where.tag is not None:
        tag = values.place(where.tag)
        conditions.append(f"exists (select from contact_tags t where t.tenant = $1 and t.tag = {tag} and t.contact = s.id offset 0)")
    if where.state is not None:
        conditions.append(_in_state("s.id", where.state, values))
    kept = " and ".join(conditions)
    found, end = await _look(c, kept, values, fitting, limit, where, after, all_wanted=not conditions)
    values = Values([tenant, found])
    newest = " and ".join(["h.tenant = $1", "h.contact = k.id", *reach(seer, values)])
    rows = await c.fetch(
        f"""
        select k.id, k.name, k.phone, k.given_name, k.push_name, k.created_at, h.id, h.device
          from unnest($2::uuid[]) with ordinality as u (id, place) join contacts k on k.tenant = $1 and k.id = u.id
          left join lateral (select h.id, h.device from chats h where {newest} order by h.last_message_at desc limit 1) h on true
         order by u.place
        """,  # noqa: S608 - nothing of a request
        *values,
    )
    items = [
        FoundContact(id=row[0], name=row[1], phone=row[2], given_name=row[3], push_name=row[4], at=row[5], chat=row[6], device=row[7])
        for row in rows
    ]
    return Page(items=items, end=end)


async def _look(
    c: asyncpg.Connection,
    kept: str,
    given: Values,
    fitting: Fitting,
    limit: int,
    where: Where,
    after: Place | None,
    *,
    all_wanted: bool,
) -> tuple[list[UUID], Place | None]:
    """Give the ids of up to *limit* that fit and are kept, in their order, and the place behind them, if there is more.

    Args:
        kept: The condition of what is to be read and wanted of `s`, which is what fits.
        all_wanted: It keeps everything.
    """
    await by_index(c)
    await by_values(c)
    place = after or Place(at=where.before or _NEVER, id=_LEAST)
    most = limit + 1 if all_wanted else max(LOOKED_AT, limit + 1)
    found: list[UUID] = []
    for _ in range(GOES):
        values = Values(given)
        source = fitting(values, most, place)
        wanted = "true" if all_wanted else kept
        statement = f"select s.id, s.at, {wanted} from {source} order by s.place"  # noqa: S608 - nothing of a request
        rows = await c.fetch(statement, *values)
        for number, row in enumerate(rows):
            if row[2]:
                found.append(row[0])
            place = Place(at=row[1], id=row[0])
            if len(found) == limit:
                return found, place if number + 1 < len(rows) else None
        if len(rows) < most:
            return found, None
    return found, place


def _chats(where: Where, values: Values) -> list[str]:
    conditions = []
    if where.device is not None:
        conditions.append(f"h.device = {values.place(where.device)}")
    if where.assignee == "none":
        conditions.append("h.assignee is null")
    elif where.assignee is not None:
        conditions.append(f"h.assignee = {values.place(where.assignee)}")
    if where.status is not None:
        conditions.append(f"h.status = {values.place(where.status)}")
    return conditions


def _in_state(contact: str, state: UUID, values: Values) -> str:
    return f"exists (select from profiles p where p.tenant = $1 and p.contact = {contact} and p.state = {values.place(state)} offset 0)"

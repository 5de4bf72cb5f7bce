"""What the API shows: the hot lists, each one statement, newest first, by keyset.

``seer`` is who asks: what he does not read is not there. Who sees all is asked nothing more, so that the statements of most
callers are as simple as they can be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.envelope import Audience
from contracts.ids import ChatId, ContactId, DeviceId, MessageId, TenantId, UserId
from contracts.principal import Principal
from contracts.views import ChatStatus, ContactBlock, ContactProfile

from conversations.domain.phones import digits_of
from conversations.domain.standing import Standing
from conversations.store import by_values
from conversations.store.chats import STANDING, standing_of
from conversations.store.messages import COLUMNS, Row, row_of

_END = "\U0010ffff"
"""Sorts after every character, so that a prefix is a range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRow:
    """A chat with its contact and its last message.

    Attributes:
        pinned: By whoever asked.
        unread_mine: Messages of the other side since whoever asked last looked, up to `UNREAD_MOST`; who never did has `unread`.
        marked_unread: Whoever asked wants to come back to it.
    """

    tenant: TenantId
    id: ChatId
    device: DeviceId
    contact: ContactId | None
    contact_name: str | None
    phone: str | None
    group: str | None
    name: str | None
    unread: int
    last_message_at: datetime
    created_at: datetime
    standing: Standing
    tags: tuple[UUID, ...]
    pinned: bool
    unread_mine: int
    marked_unread: bool
    last: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRow:
    """A contact as the API shows it."""

    id: ContactId
    name: str | None
    phone: str | None
    created_at: datetime
    state: UUID | None = None
    tags: tuple[UUID, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    email: str | None = None
    blocked: bool = False
    blocks: tuple[ContactBlock, ...] = ()
    sought: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which chats are asked for; None: whatever it is.

    Attributes:
        assignee: Whose; ``none``: nobody's.
        unread: With messages that nobody has seen, or marked as unread by whoever asks; False: neither.
        pinned: Only those that whoever asks has pinned.
        query: The beginning of the contact's name, in any case, or of its phone.
    """

    device: DeviceId | None = None
    contact: ContactId | None = None
    status: ChatStatus | None = None
    assignee: UserId | Literal["none"] | None = None
    team: UUID | None = None
    tag: UUID | None = None
    unread: bool | None = None
    pinned: bool = False
    query: str = ""


UNREAD_MOST = 100
STATUSES: tuple[ChatStatus, ...] = ("open", "pending", "snoozed", "closed")

_SHOWN = f"""
    select h.tenant, h.id, h.device, h.contact, k.name, k.phone, h.group_address, h.name, h.unread, h.last_message_at, h.created_at,
           array(select g.tag from chat_tags g where g.tenant = h.tenant and g.chat = h.id order by g.tag), r.pinned_at is not null,
           case when r.read_at is null then h.unread
                when h.asked_at is null or h.asked_at <= r.read_at then 0
                else (select count(*)::int from (
                        select from messages n where n.tenant = h.tenant and n.chat = h.id and n.at > r.read_at
                           and not n.from_me and not n.history and n.kind <> all ('{{reaction,edit,delete,note}}') limit {UNREAD_MOST}) n)
           end,
           {STANDING}, r.unread_at is not null, m.id is not null, {COLUMNS} from
"""  # noqa: S608  # constants
_BESIDE = """
    h left join contacts k on k.tenant = h.tenant and k.id = h.contact
    left join chat_marks r on r.tenant = h.tenant and r.agent = $2 and r.chat = h.id
    left join messages m on m.tenant = h.tenant and m.id = h.last_message_id
"""
_ORDER = "order by h.last_message_at desc, h.id desc"
_MARKED = "h.id in (select r.chat from chat_marks r where r.tenant = $1 and r.agent = $2 and r.unread_at is not null)"


class Values(list[object]):
    """The arguments of a statement as it is written."""

    def place(self, value: object) -> str:
        """Add *value*, and give the sign that stands for it."""
        self.append(value)
        return f"${len(self)}"


def reach(seer: Principal, values: Values) -> list[str]:
    """Give the conditions under which *seer* reads the chat `h`."""
    conditions = []
    if seer.access.devices is not None:
        conditions.append(f"h.device = any ({values.place(list(seer.access.devices))}::uuid[])")
    if seer.access.chats != "all":
        mine = f"h.assignee = {values.place(seer.id)}"
        if seer.access.chats == "team":
            mine = f"({mine} or h.team = any ({values.place(list(seer.access.teams))}::uuid[]))"
        conditions.append(mine)
    return conditions


def _met(seer: Principal, values: Values) -> str:
    """Give the condition under which the contact `k` has a chat that *seer* reads; none where that is all of them."""
    conditions = reach(seer, values)
    if not conditions:
        return "true"
    return f"exists (select from chats h where h.tenant = k.tenant and h.contact = k.id and {' and '.join(conditions)})"


def _newest(
    values: Values,
    wanted: Wanted,
    seer: Principal | None,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    *,
    columns: str = "h.*",
    many: Collection[str] = (),
) -> str | None:
    """Write the query of the newest chats that are asked for and *seer* reads, the tenant being $1; None where there can be none.

    Where one of several values is asked for (numbers, teams, statuses) the newest of each are taken from the index that has them in
    order, and then the newest of these: among all chats they may be far between.

    Args:
        many: What of ``tag`` and ``query`` more than `FEW` have: the newest chats are looked at one by one until enough have it. What only
            few have is taken as a whole.
    """
    common = ["h.tenant = $1"]
    several: dict[str, tuple[str, str]] = {}
    if after is not None:
        common.append(f"(h.last_message_at, h.id) < ({values.place(after[0])}, {values.place(after[1])})")
    if wanted.unread is False:
        common += ["h.unread = 0", f"not {_MARKED}"]
    if wanted.tag is not None:
        tagged = _tagged(values.place(wanted.tag))
        common.append(_one_by_one(tagged, "g.chat = h.id") if "tag" in many else f"h.id in ({tagged} offset 0)")
    if wanted.pinned:
        common.append("h.id in (select r.chat from chat_marks r where r.tenant = $1 and r.agent = $2 and r.pinned_at is not null)")
    if wanted.contact is not None:
        common.append(f"h.contact = {values.place(wanted.contact)}")
    if wanted.query:
        called = _called(wanted.query, values)
        common.append(
            "(" + " or ".join(_one_by_one(one, "k.id = h.contact") for one in called) + ")"
            if "query" in many
            else f"h.contact in ({' union all '.join(called)} offset 0)"
        )

    devices = None if seer is None else seer.access.devices
    if wanted.device is not None:
        if devices is not None and wanted.device not in devices:
            return None
        common.append(f"h.device = {values.place(wanted.device)}")
    elif devices is not None:
        if not devices:
            return None
        if len(devices) == 1:
            common.append(f"h.device = {values.place(next(iter(devices)))}")
        else:
            several["device"] = values.place(list(devices)), "uuid"
    if wanted.assignee == "none":
        common.append("h.assignee is null")
    elif wanted.assignee is not None:
        common.append(f"h.assignee = {values.place(wanted.assignee)}")
    if wanted.team is not None:
        common.append(f"h.team = {values.place(wanted.team)}")

    branches = _branches(values, wanted, seer)
    narrow = wanted.assignee is not None or wanted.team is not None or any(conditions or more for conditions, more in branches)
    if wanted.status is not None:
        common.append(f"h.status = {values.place(wanted.status)}")
    elif narrow and not wanted.query:
        several["status"] = values.place(list(STATUSES)), "text"
    if wanted.unread:  # each of the two ways to be unread has an index of its own
        branches = [([*conditions, way], more) for conditions, more in branches for way in ("h.unread > 0", _MARKED)]
    parts = [_branch(columns, common + conditions, several | more, limit) for conditions, more in branches]
    return parts[0] if len(parts) == 1 else f"(select {columns} from ({' union '.join(parts)}) h {_ORDER} limit {int(limit)})"  # noqa: S608


def _branches(values: Values, wanted: Wanted, seer: Principal | None) -> list[tuple[list[str], dict[str, tuple[str, str]]]]:
    """Give the ways in which *seer* comes to read chats, each as its conditions and the several values of a column."""
    if seer is None or seer.access.chats == "all" or wanted.assignee == seer.id:
        return [([], {})]
    if seer.access.chats == "team" and wanted.team in seer.access.teams:
        return [([], {})]
    branches: list[tuple[list[str], dict[str, tuple[str, str]]]] = [([f"h.assignee = {values.place(seer.id)}"], {})]
    if seer.access.chats == "team" and seer.access.teams and wanted.team is None:
        branches.append(([], {"team": (values.place(list(seer.access.teams)), "uuid")}))
    return branches


def _branch(columns: str, conditions: list[str], several: Mapping[str, tuple[str, str]], limit: int) -> str:
    newest = f"{' and '.join(conditions)} {_ORDER} limit {int(limit)}"
    if not several:
        return f"(select {columns} from chats h where {newest})"  # noqa: S608
    each = " cross join ".join(f"unnest({place}::{kind}[]) as of_{name} ({name})" for name, (place, kind) in several.items())
    same = " and ".join(f"h.{name} = of_{name}.{name}" for name in several)
    inner = f"select {columns} from {each} cross join lateral (select {columns} from chats h where {same} and {newest}) h"  # noqa: S608
    return f"({inner} {_ORDER} limit {int(limit)})"


def _tagged(tag: str) -> str:
    return f"select g.chat from chat_tags g where g.tenant = $1 and g.tag = {tag}"  # noqa: S608


def _called(query: str, values: Values) -> list[str]:
    """Write the queries of the contacts whose name begins so, and whose phone does."""
    begin = query.lower()
    said = [("sought", begin)] + ([("phone", digits)] if (digits := digits_of(query)) else [])
    contacts = "select k.id from contacts k where k.tenant = $1"
    return [f"{contacts} and k.{column} >= {values.place(text)} and k.{column} < {values.place(text + _END)}" for column, text in said]


def _one_by_one(query: str, same: str) -> str:
    """Write a condition that is looked up for each chat: an offset is a fence, behind which the planner makes no join of it."""
    return f"exists ({query} and {same} offset 0)"


FEW: Mapping[str, int] = {"tag": 2000, "query": 3500}
"""So many tagged chats, and contacts that are called so, are cheaper taken as a whole and sorted than met by walking down the newest."""


async def _many(c: asyncpg.Connection, tenant: TenantId, wanted: Wanted, few: Mapping[str, int]) -> set[str]:
    """Tell which of ``tag`` and ``query`` more than *few* have."""
    values = Values([tenant])
    queries = {
        "tag": [_tagged(values.place(wanted.tag))] if wanted.tag else [],
        "query": _called(wanted.query, values) if wanted.query else [],
    }
    asked = {name: " union all ".join(some) for name, some in queries.items() if some}
    if not asked:
        return set()
    counts = ", ".join(f"(select count(*) from ({some} limit {few[name] + 1}) u)" for name, some in asked.items())  # noqa: S608
    row = await c.fetchrow(f"select {counts} where $1::uuid is not null", *values)
    return {name for name, count in zip(asked, row, strict=True) if count > few[name]}


async def list_chats(
    c: asyncpg.Connection,
    tenant: TenantId,
    wanted: Wanted | None = None,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    seer: Principal | None = None,
    few: Mapping[str, int] = FEW,
) -> list[ChatRow]:
    """Read up to *limit* chats of *tenant* that *seer* reads (None: all), by their newest message, from behind *after*."""
    values = Values([tenant, seer and seer.id])
    wanted = wanted or Wanted()
    many: set[str] = set()
    if wanted.query or wanted.tag:
        await by_values(c)
        many = await _many(c, tenant, wanted, few)
    # Of all whose contact is called so, an index says which are the newest; only those are looked at.
    by_name = bool(wanted.query) and "query" not in many
    newest = _newest(values, wanted, seer, limit, after, columns="h.id, h.last_message_at" if by_name else "h.*", many=many)
    if newest is None:
        return []
    if by_name:
        newest = f"(select h.* from {newest} n join chats h on h.tenant = $1 and h.id = n.id)"  # noqa: S608
    rows = await c.fetch(f"{_SHOWN} {newest} {_BESIDE} {_ORDER}", *values)
    return [_chat(row) for row in rows]


COUNTED = 1000
"""As far as `count_chats` counts."""


async def count_chats(c: asyncpg.Connection, tenant: TenantId, views: Mapping[str, Wanted], seer: Principal) -> dict[str, int]:
    """Count the chats of each of *views* that *seer* reads, up to `COUNTED`."""
    values = Values([tenant, seer.id])
    counts: list[str] = []
    for wanted in views.values():
        newest = _newest(values, wanted, seer, COUNTED, columns="h.id, h.last_message_at")
        counts.append("0" if newest is None else f"(select count(*) from {newest} h)")  # noqa: S608
    # each view is a statement's part of its own, so that $2 has a type where none of them asks for pinned ones
    row = await c.fetchrow(f"select {', '.join(counts)} where $1::uuid is not null and $2::uuid is not null", *values)
    return dict(zip(views, row, strict=True))


async def chat(
    c: asyncpg.Connection, tenant: TenantId, id: ChatId, seer: Principal | None = None, *, me: UserId | None = None
) -> ChatRow | None:
    """Read one chat, or the one that *id* was merged into; None where *seer* reads none. Whose own marks are shown: *me*, else his."""
    statement = f"{_SHOWN} chats {_BESIDE} where h.tenant = $1 and h.id = $3"
    me = seer.id if seer is not None else me
    row = await c.fetchrow(statement, tenant, me, id)
    if row is None:
        moved = await c.fetchval("select new from chat_redirects where tenant = $1 and old = $2", tenant, id)
        row = moved and await c.fetchrow(statement, tenant, me, moved)
    found = _chat(row) if row else None
    if found is None or seer is None:
        return found
    return found if seer.reads(found.device, found.standing.team, found.standing.assignee) else None


async def chat_id(c: asyncpg.Connection, tenant: TenantId, id: ChatId, seer: Principal | None = None) -> ChatId | None:
    """Tell which chat *id* is today; None when it is none of *tenant*'s, or none that *seer* reads."""
    row = await c.fetchrow(
        """
        select h.id, h.device, h.team, h.assignee from chats h where h.tenant = $1 and h.id = $2
        union all
        select h.id, h.device, h.team, h.assignee from chat_redirects r join chats h on h.tenant = r.tenant and h.id = r.new
         where r.tenant = $1 and r.old = $2
        """,
        tenant,
        id,
    )
    if row is None or not (seer is None or seer.reads(row[1], row[2], row[3])):
        return None
    found: ChatId = row[0]
    return found


async def audiences(c: asyncpg.Connection, tenant: TenantId, chats: Collection[ChatId]) -> dict[UUID, Audience]:
    """Read who may see each of these chats, by the id that was asked for; one that is not here is left out."""
    rows = await c.fetch(
        """
        select u.id, h.device, h.team, h.assignee from unnest($2::uuid[]) as u (id)
          left join chat_redirects r on r.tenant = $1 and r.old = u.id
          join chats h on h.tenant = $1 and h.id = coalesce(r.new, u.id)
        """,
        tenant,
        list(chats),
    )
    return {row[0]: Audience(device=row[1], team=row[2], assignee=row[3]) for row in rows}


async def list_messages(
    c: asyncpg.Connection, tenant: TenantId, chat: ChatId, *, limit: int, after: tuple[datetime, UUID] | None = None, newer: bool = False
) -> list[Row]:
    """Read up to *limit* messages of a chat, newest first by (at, id), from behind *after*; *newer*: the other way round."""
    behind = f"and (m.at, m.id) {'>' if newer else '<'} ($3, $4)" if after else ""
    way = "asc" if newer else "desc"
    rows = await c.fetch(
        f"""
        select {COLUMNS} from messages m join chats h on h.tenant = m.tenant and h.id = m.chat
         where m.tenant = $1 and m.chat = $2 {behind} order by m.at {way}, m.id {way} limit {int(limit)}
        """,  # noqa: S608  # constants and a number
        tenant,
        chat,
        *(after or ()),
    )
    return [row_of(row) for row in rows]


async def message(c: asyncpg.Connection, tenant: TenantId, id: MessageId, seer: Principal | None = None) -> Row | None:
    """Read one message, or the one that took its place; None where *seer* reads none."""
    statement = (
        f"select h.team, h.assignee, {COLUMNS} from messages m join chats h on h.tenant = m.tenant and h.id = m.chat "  # noqa: S608
        "where m.tenant = $1 and m.id = $2"
    )
    row = await c.fetchrow(statement, tenant, id)
    if row is None:
        moved = await c.fetchval("select new from message_redirects where tenant = $1 and old = $2", tenant, id)
        row = moved and await c.fetchrow(statement, tenant, moved)
    if not row:
        return None
    found = row_of(row, 2)
    return found if seer is None or seer.reads(found.device, row[0], row[1]) else None


_CONTACT = """
    select k.id, k.name, k.phone, k.created_at, p.state, p.fields,
        array(select t.tag from contact_tags t where t.tenant = k.tenant and t.contact = k.id order by t.tag),
        k.email, k.blocked_at is not null, k.sought
    from contacts k left join profiles p on p.tenant = k.tenant and p.contact = k.id
"""


async def list_contacts(
    c: asyncpg.Connection,
    tenant: TenantId,
    *,
    limit: int,
    after: tuple[str | None, UUID] | None = None,
    query: str | None = None,
    seer: Principal | None = None,
    state: UUID | None = None,
    tag: UUID | None = None,
    blocked: bool | None = None,
    order: Literal["newest", "name"] = "newest",
) -> list[ContactRow]:
    """Read up to *limit* contacts from behind *after* (what the last one is sought by, and its id); *query* as in `Wanted`."""
    values = Values([tenant])
    matching = ""
    if state is not None:
        matching += f" and p.state = {values.place(state)}"
    if tag is not None:
        matching += f" and exists (select from contact_tags t where t.tenant = $1 and t.tag = {values.place(tag)} and t.contact = k.id)"
    if blocked is not None:
        matching += f" and k.blocked_at is {'not ' if blocked else ''}null"
    if query:
        await by_values(c)
        begin = query.lower()
        digits = digits_of(query)
        ranges = [("sought", begin)] + ([("phone", digits)] if digits else []) + ([("email", begin)] if "@" in begin else [])
        between = [f"{name} >= {values.place(least)} and {name} < {values.place(least + _END)}" for name, least in ranges]
        if len(between) == 1:
            matching += f" and k.{between[0].replace(' and ', ' and k.')}"
        else:  # an index for each of them: one with another by "or" has none
            either = " union all ".join(f"select id from contacts where tenant = $1 and {one}" for one in between)  # noqa: S608
            matching += f" and k.id in ({either})"
    if seer is not None:
        matching += f" and {_met(seer, values)}"
    if order == "newest":
        behind = "" if after is None else f" and k.id < {values.place(after[1])}"
        rows = await c.fetch(f"{_CONTACT} where k.tenant = $1 {matching}{behind} order by k.id desc limit {int(limit)}", *values)
        return [_contact(row) for row in rows]
    found: list[ContactRow] = []
    if after is None or after[0] is not None:
        named = Values(values)
        behind = "" if after is None else f" and (k.sought, k.id) > ({named.place(after[0])}, {named.place(after[1])})"
        mine = f"{_CONTACT} where k.tenant = $1 and k.sought is not null {matching}{behind} order by k.sought, k.id limit {int(limit)}"
        found = [_contact(row) for row in await c.fetch(mine, *named)]
        after = None
    if len(found) < limit:  # who has no name comes last
        behind = "" if after is None else f" and k.id > {values.place(after[1])}"
        rest = f"{_CONTACT} where k.tenant = $1 and k.sought is null {matching}{behind} order by k.id limit {int(limit) - len(found)}"
        found += [_contact(row) for row in await c.fetch(rest, *values)]
    return found


async def contact(c: asyncpg.Connection, tenant: TenantId, id: ContactId, seer: Principal | None = None) -> ContactRow | None:
    """Read one contact, or the one that it turned out to be; for *seer*, one who has a chat that he reads."""
    statement = f"{_CONTACT} where k.tenant = $1 and k.id = $2"
    row = await c.fetchrow(statement, tenant, id)
    if row is None:
        moved = await c.fetchval("select new from contact_redirects where tenant = $1 and old = $2", tenant, id)
        row = moved and await c.fetchrow(statement, tenant, moved)
    if row and seer is not None:
        values = Values([tenant, row["id"]])
        met = f"select {_met(seer, values)} from contacts k where k.tenant = $1 and k.id = $2"  # noqa: S608
        row = row if await c.fetchval(met, *values) else None
    if not row:
        return None
    return replace(_contact(row), blocks=await _blocks(c, tenant, row["id"], seer))


async def _blocks(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, seer: Principal | None) -> tuple[ContactBlock, ...]:
    """Read what each number that *seer* sees does about the contact, or is to do, on WhatsApp itself."""
    rows = await c.fetch(
        """
        select b.device, b.blocked, b.state, b.at, b.by_phone,
               case when b.state = 'pending' and d.state is distinct from 'connected' then 'not-connected' else b.reason end as reason
          from contact_blocks b left join devices d on d.tenant = b.tenant and d.id = b.device
         where b.tenant = $1 and b.contact = $2 and (b.blocked or b.state <> 'done' or b.by_phone) order by b.device
        """,
        tenant,
        contact,
    )
    return tuple(
        ContactBlock(
            device_id=ids.public(ids.DEVICE, row["device"]),
            blocked=row["blocked"],
            state=row["state"],
            at=row["at"],
            reason=row["reason"],
            by_phone=row["by_phone"],
        )
        for row in rows
        if seer is None or seer.sees(row["device"])
    )


def profile(row: ContactRow) -> ContactProfile:
    """Show what is known of a contact, as events tell it."""
    return ContactProfile(
        state_id=None if row.state is None else ids.public(ids.CONTACT_STATE, row.state),
        tags=tuple(ids.public(ids.TAG, tag) for tag in row.tags),
        fields=dict(row.fields),
        email=row.email,
        blocked=row.blocked,
    )


def _chat(row: Sequence[Any]) -> ChatRow:
    return ChatRow(
        tenant=row[0],
        id=row[1],
        device=row[2],
        contact=row[3],
        contact_name=row[4],
        phone=row[5],
        group=row[6],
        name=row[7],
        unread=row[8],
        last_message_at=row[9],
        created_at=row[10],
        tags=tuple(row[11]),
        pinned=row[12],
        unread_mine=row[13],
        standing=standing_of(row, 14),
        marked_unread=row[28],
        last=row_of(row, 30) if row[29] else None,
    )


def _contact(row: Sequence[Any]) -> ContactRow:
    return ContactRow(
        id=row[0],
        name=row[1],
        phone=row[2],
        created_at=row[3],
        state=row[4],
        fields=row[5] or {},
        tags=tuple(row[6]),
        email=row[7],
        blocked=row[8],
        sought=row[9],
    )

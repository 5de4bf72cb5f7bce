"""Changes of where chats stand, written and told in one go."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import ChatAssigned, ChatChanged, ChatCreated
from contracts.ids import ChatId, ContactId, TenantId
from contracts.principal import Actor
from contracts.views import ChatState

from conversations.domain.happenings import deeds
from conversations.domain.standing import Standing, Way
from conversations.store import chats, happenings
from conversations.store.chats import STANDING, Held, standing_of
from conversations.store.happenings import Entry

Told = Envelope[Any]
"""What is to be told of a move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A chat (held by the caller) stands like *after* from now on.

    Attributes:
        actor: Who did it; None where a message, time or a rule did.
        note: What was said with an assignment.
        tagged: Tags that it has borne since then; *untagged*: those that it bore before.
        merged: The chats that became this one by it.
        touched: Something else of what the chat shows has changed (its name), so that it is told in any case.
    """

    held: Held
    after: Standing
    actor: Actor | None = None
    note: str | None = None
    tagged: Collection[UUID] = ()
    untagged: Collection[UUID] = ()
    merged: Collection[ChatId] = ()
    touched: bool = False

    @property
    def audience(self) -> Audience:
        """Say who may see what happens in the chat from now on."""
        return Audience(device=self.held.device, team=self.after.team, assignee=self.after.assignee)

    @property
    def told(self) -> bool:
        """Tell whether others hear of it."""
        before = self.held.standing
        return bool(self.touched or self.tagged or self.untagged or self.merged) or before.revision == 0 or self.after.shown != before.shown

    @property
    def way(self) -> Way:
        """Say how an assignment came about."""
        return self.after.way or ("manual" if self.actor is not None else "rule")

    def happened(self, at: datetime) -> list[Entry]:
        """Say what happened to the chat by it."""
        some = deeds(self.held.standing, self.after, way=self.way, tagged=self.tagged, untagged=self.untagged)
        return [happenings.entry(self.held.tenant, self.held.id, at, deed, self.actor) for deed in some]


async def make(c: asyncpg.Connection, moves: Iterable[Move], at: datetime) -> list[Envelope[Any]]:
    """The chats stand as their moves say; what others see of it is one revision and told. A move that changes nothing is none."""
    some = [move for move in moves if move.told or move.after.differs(move.held.standing)]
    await chats.write(
        c, [(move.held.tenant, move.held.id, replace(move.after, revision=move.held.standing.revision + move.told)) for move in some]
    )
    heard = [move for move in some if move.told]
    if not heard:
        return []
    states = await read(c, [(move.held.tenant, move.held.id) for move in heard])
    stories = {move.held.id: move.happened(at) for move in heard}
    await happenings.add(c, [one for story in stories.values() for one in story])
    told: list[Envelope[Any]] = []
    for move in heard:
        state, before, after = states[move.held.id], move.held.standing, move.after
        happened = tuple(happenings.view(one) for one in stories[move.held.id])
        fields = {name: getattr(state, name) for name in ChatState.__struct_fields__} | {"at": at, "happened": happened}
        body = ChatCreated(**fields) if before.revision == 0 else _changed(move, fields)
        told.append(wrap(move.held.tenant, body, audience=move.audience))
        if (before.assignee, before.team) != (after.assignee, after.team):
            told.append(wrap(move.held.tenant, _assigned(move, at), audience=move.audience))
    return told


def with_merged(some: Collection[Move], held: Mapping[ChatId, Held], became: Mapping[tuple[TenantId, ChatId], ChatId]) -> list[Move]:
    """Give the moves, each chat that others became (all of them are *held*) with one that says so."""
    gone: dict[ChatId, list[ChatId]] = {}
    for (_, old), new in became.items():
        gone.setdefault(new, []).append(old)
    moved = {move.held.id for move in some}
    unmoved = [Move(held=held[chat], after=held[chat].standing, merged=olds) for chat, olds in gone.items() if chat not in moved]
    return [*(replace(move, merged=gone.get(move.held.id, ())) for move in some), *unmoved]


async def renamed(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, at: datetime, actor: Actor | None) -> list[Envelope[Any]]:
    """Each chat of the contact (held by the caller) shows another name: told chat by chat, so that everybody hears who sees one.

    Who sees some chats only is not told of contacts: a contact is on no number and in no team.
    """
    rows = await c.fetch("select id from chats where tenant = $1 and contact = $2 and name is null", tenant, contact)
    held = await chats.lock(c, [(tenant, ChatId(row[0])) for row in rows])
    some = [Move(held=chat, after=chat.standing, actor=actor, touched=True) for chat in held.values() if chat.standing.revision > 0]
    return await make(c, some, at)


def _changed(move: Move, fields: dict[str, Any]) -> ChatChanged:
    return ChatChanged(**fields, actor=move.actor, merged=tuple(ids.public(ids.CHAT, id) for id in sorted(move.merged)))


def _assigned(move: Move, at: datetime) -> ChatAssigned:
    before, after = move.held.standing, move.after
    return ChatAssigned(
        id=ids.public(ids.CHAT, move.held.id),
        device_id=ids.public(ids.DEVICE, move.held.device),
        assignee_id=_public(ids.USER, after.assignee),
        team_id=_public(ids.TEAM, after.team),
        at=at,
        way=move.way,
        previous_id=_public(ids.USER, before.assignee),
        previous_team_id=_public(ids.TEAM, before.team),
        note=move.note,
        actor=move.actor,
    )


async def read(c: asyncpg.Connection, keys: Collection[tuple[TenantId, ChatId]]) -> dict[ChatId, ChatState]:
    """Read where these chats stand, as everybody may know it."""
    rows = await c.fetch(
        f"""
        select h.id, h.device, h.contact, coalesce(h.name, k.name) as name, h.unread, h.last_message_at,
               array(select g.tag from chat_tags g where g.tenant = h.tenant and g.chat = h.id order by g.tag) as tags, {STANDING}
          from unnest($1::uuid[], $2::uuid[]) as u (tenant, id) join chats h on (h.tenant, h.id) = (u.tenant, u.id)
          left join contacts k on (k.tenant, k.id) = (h.tenant, h.contact)
        """,  # noqa: S608  # a constant
        *(list(zip(*keys, strict=True)) or ([], [])),
    )
    return {row[0]: state(row[0], row[1], row[2], row[3], row[4], row[5], row[6], standing_of(row, 7)) for row in rows}


def state(
    id: UUID,
    device: UUID,
    contact: UUID | None,
    name: str | None,
    unread: int,
    at: datetime,
    tags: Collection[UUID],
    standing: Standing,
    *,
    pinned: bool = False,
) -> ChatState:
    """Show where a chat stands."""
    return ChatState(
        id=ids.public(ids.CHAT, id),
        device_id=ids.public(ids.DEVICE, device),
        contact_id=_public(ids.CONTACT, contact),
        name=name,
        status=standing.status,
        revision=standing.revision,
        at=at,
        snoozed_until=standing.snoozed_until,
        assignee_id=_public(ids.USER, standing.assignee),
        team_id=_public(ids.TEAM, standing.team),
        tags=tuple(ids.public(ids.TAG, tag) for tag in tags),
        pinned=pinned,
        unread=unread,
        waiting_since=standing.waiting_since,
        first_response_at=standing.first_response_at,
    )


def _public(prefix: str, id: UUID | None) -> str | None:
    return None if id is None else ids.public(prefix, id)

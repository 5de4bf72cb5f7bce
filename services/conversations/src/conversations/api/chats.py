"""The inbox: its chats and where they stand, their messages, and what has been read."""

from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.edge import PublicChatId, PublicContactId, PublicDeviceId, PublicMessageId, PublicTagId, PublicTeamId
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import ChatMarked
from contracts.ids import ChatId, UserId
from contracts.principal import Principal, Scope
from contracts.views import ChatStatus, Happening, Message
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BeforeValidator, Field
from servicekit import cursors, outbox
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Body, Caller, Cursor, Json, Limit, answer, needs, problems

from conversations import store
from conversations.api import shapes
from conversations.api.shapes import Chat, Db
from conversations.domain.errors import ChatMissing, ChatMoved, MessageMissing, SnoozeInvalid, TagMissing, TooMany
from conversations.store import chats, happenings, marks, moves, reading, tags, writing
from conversations.store.chats import Held
from conversations.store.messages import Row, view
from conversations.store.moves import Move
from conversations.store.reading import Wanted

router = APIRouter(prefix="/api/chats", tags=["chats"])

TAGS = 50


class Place(NamedTuple):
    """Where a page ends: in both lists, the newest first."""

    at: datetime
    id: UUID


class Turn(NamedTuple):
    """Where a page of messages ends; *newer*: what follows is said later."""

    at: datetime
    id: UUID
    newer: bool = False


def _whose(value: object) -> object:
    if value in ("me", "none") or not isinstance(value, str):
        return value
    return ids.parse(ids.USER, value)


Whose = Annotated[
    UserId | Literal["me", "none"] | None,
    BeforeValidator(_whose),
    Query(description="Answered by this user (`usr_…`), by `me`, or by `none`.", json_schema_extra={"type": "string"}),
]


class Change(Body):
    """Where a chat should stand; what is left out stays as it is."""

    status: ChatStatus | None = None
    snoozed_until: Annotated[AwareDatetime | None, Field(description="With `snoozed`: when it is open again by itself.")] = None
    tags: Annotated[list[PublicTagId] | None, Field(max_length=TAGS, description="All tags that it should bear.")] = None
    pinned: Annotated[bool | None, Field(description="For the caller alone.")] = None
    revision: Annotated[
        int | None, Field(description="The chat's `revision` as the caller knows it: another one is answered with 409 and the chat.")
    ] = None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many chats each view has for the caller.

    Attributes:
        mine: Open ones that the caller answers.
        unassigned: Open ones that nobody answers.
        unread: With messages that nobody has seen, or marked as unread by the caller.
        most: No view is counted any further than this.
    """

    open: int
    pending: int
    snoozed: int
    mine: int
    unassigned: int
    unread: int
    pinned: int
    most: int


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a chat's messages, the newest first.

    Attributes:
        next_cursor: Where the older ones are.
        previous_cursor: Where the newer ones are, of a page that was asked for with *around*, or with a *previous_cursor*.
        happened: What else happened to the chat from the page's oldest message on until the next page's, newest first.
    """

    items: tuple[Message, ...]
    next_cursor: str | None
    previous_cursor: str | None = None
    happened: tuple[Happening, ...] = ()


@router.get("", responses=answer(Chat, page=True) | problems(BadCursor))
async def list_chats(
    caller: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    device_id: Annotated[PublicDeviceId | None, Query(description="Of this number alone.")] = None,
    contact_id: Annotated[PublicContactId | None, Query(description="With this contact, one on each number.")] = None,
    status: Annotated[ChatStatus | None, Query(description="With this status alone.")] = None,
    assignee: Whose = None,
    team_id: Annotated[PublicTeamId | None, Query(description="In the queue of this team.")] = None,
    tag_id: Annotated[PublicTagId | None, Query(description="With this tag; none has one that has been deleted.")] = None,
    unread: Annotated[
        bool | None, Query(description="Only those with (or without) unread messages or the caller's own mark of being unread.")
    ] = None,
    pinned: Annotated[bool, Query(description="Only those that the caller has pinned.")] = False,
    q: Annotated[str | None, Query(max_length=100, description="How the contact's name or phone begins.")] = None,
) -> Json:
    """List the chats, the one with the newest message first."""
    wanted = Wanted(
        device=device_id,
        contact=contact_id,
        status=status,
        assignee=caller.id if assignee == "me" else assignee,
        team=team_id,
        tag=tag_id,
        unread=unread,
        pinned=pinned,
        query=(q or "").replace("\0", "").strip(),
    )
    name = f"chats?{wanted}"
    after = cursors.decode(caller.tenant, name, cursor, Place) if cursor else None
    async with db.transaction(caller.tenant) as tx:
        rows = await reading.list_chats(await raw(tx), caller.tenant, wanted, limit=limit + 1, after=after, seer=caller)
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    following = last and cursors.encode(caller.tenant, name, (last.last_message_at, UUID(int=last.id.int)))
    return Json({"items": [shapes.chat(row) for row in rows[:limit]], "next_cursor": following})


@router.get("/counts", responses=answer(Counts))
async def count_chats(caller: Caller, db: Db) -> Json:
    """Count the chats of each view, as far as anybody wants to know."""
    views = {
        "open": Wanted(status="open"),
        "pending": Wanted(status="pending"),
        "snoozed": Wanted(status="snoozed"),
        "mine": Wanted(status="open", assignee=caller.id),
        "unassigned": Wanted(status="open", assignee="none"),
        "unread": Wanted(unread=True),
        "pinned": Wanted(pinned=True),
    }
    async with db.transaction(caller.tenant) as tx:
        counts = await reading.count_chats(await raw(tx), caller.tenant, views, caller)
    return Json(Counts(**counts, most=reading.COUNTED))


@router.get("/{id}", responses=answer(Chat) | problems(ChatMissing))
async def get_chat(id: PublicChatId, caller: Caller, db: Db) -> Json:
    """Show one chat; the id of one that was merged into another shows that one."""
    async with db.transaction(caller.tenant) as tx:
        row = await reading.chat(await raw(tx), caller.tenant, id, caller)
    if row is None:
        raise ChatMissing
    return Json(shapes.chat(row))


@router.patch("/{id}", responses=answer(Chat) | problems(ChatMissing, ChatMoved, SnoozeInvalid, TagMissing, TooMany))
@needs(Scope.SEND)
async def change_chat(id: PublicChatId, body: Change, caller: Caller, db: Db) -> Json:
    """Change where a chat stands: its status, its tags, and whether the caller has it pinned."""
    return await store.persistently(lambda: _change(db, caller, id, body))


async def _change(db: Db, caller: Principal, id: ChatId, body: Change) -> Json:
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        held = await hold(c, caller, id)
        if body.status is not None or body.tags is not None:
            await unmoved(c, caller, held, body.revision)
        now = datetime.now(UTC)
        after = held.standing
        if body.status is not None or body.snoozed_until is not None:
            after = after.turned(body.status or after.status, body.snoozed_until, now)
        tagged: set[UUID] = set()
        untagged: set[UUID] = set()
        if body.tags is not None:
            wanted = set(body.tags)
            if wanted - await tags.known(c, caller.tenant, wanted):
                raise TagMissing
            tagged, untagged = await tags.change(c, caller.tenant, held.id, wanted, await tags.of_chat(c, caller.tenant, held.id) - wanted)
        if body.pinned is not None:
            await marks.pin(c, caller.tenant, caller.id, held.id, body.pinned)
        move = Move(held=held, after=after, actor=shapes.actor(caller), tagged=tagged, untagged=untagged)
        await outbox.add(tx, *await moves.make(c, [move], now))
        return Json(await shown(c, caller, held.id))


@router.get("/{id}/messages", responses=answer(Messages) | problems(ChatMissing, MessageMissing, BadCursor))
async def list_messages(
    id: PublicChatId,
    caller: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    around: Annotated[PublicMessageId | None, Query(description="In the middle of the page; without a cursor alone.")] = None,
) -> Json:
    """List the messages of a chat, newest first."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        chat = await reading.chat_id(c, caller.tenant, id, caller)
        if chat is None:
            raise ChatMissing
        name = f"messages?chat={chat}"
        place = cursors.decode(caller.tenant, name, cursor, Turn) if cursor else None
        middle = None
        if around is not None and place is None:
            middle = await reading.message(c, caller.tenant, around, caller)
            if middle is None or middle.chat != chat:
                raise MessageMissing("It is not in this chat.")
            place = Turn(middle.at, UUID(int=middle.id.int))
        newer: list[Row] = []
        older: list[Row] = []
        before = (limit - 1) // 2 if middle is not None else limit if place is not None and place.newer else 0
        behind = limit - 1 - before if middle is not None else limit - before
        if before:
            newer = await reading.list_messages(c, caller.tenant, chat, limit=before + 1, after=place and place[:2], newer=True)
        if behind:
            older = await reading.list_messages(c, caller.tenant, chat, limit=behind + 1, after=place and place[:2])
        rows = [*reversed(newer[:before]), *([middle] if middle is not None else []), *older[:behind]]
        more_older = len(older) > behind or (bool(rows) and place is not None and place.newer)
        more_newer = len(newer) > before
        since = (place.at if place is not None and place.newer else rows[-1].at) if rows and more_older else None
        until = rows[0].at if more_newer else place.at if place is not None and middle is None and not place.newer else None
        story = await happenings.between(c, caller.tenant, chat, since, until)

    def end(row: Row, *, newer: bool) -> str:
        return cursors.encode(caller.tenant, name, (row.at, UUID(int=row.id.int), newer) if newer else (row.at, UUID(int=row.id.int)))

    return Json(
        Messages(
            items=tuple(view(row) for row in rows),
            next_cursor=end(rows[-1], newer=False) if more_older else None,
            previous_cursor=end(rows[0], newer=True) if more_newer else None,
            happened=tuple(happenings.view(one) for one in story),
        )
    )


@router.post("/{id}/read", responses=answer(Chat) | problems(ChatMissing))
@needs(Scope.SEND)
async def read(id: PublicChatId, caller: Caller, db: Db) -> Json:
    """Nothing in the chat is unread any more, for everybody here, and the other side sees blue ticks. Repeating it changes nothing.

    The caller's own mark of being unread is gone.
    """
    return await store.persistently(lambda: _read(db, caller, id))


async def _read(db: Db, caller: Principal, id: ChatId) -> Json:
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        held = await hold(c, caller, id)
        now = datetime.now(UTC)
        marked = await marks.read(c, caller.tenant, caller.id, held.id)
        told = await writing.read(c, held, now, caller.id if caller.kind == "user" else None)
        await outbox.add(tx, *told, *([_marked(caller, held, now, unread=False)] if marked else []))
        return Json(await shown(c, caller, held.id))


@router.post("/{id}/unread", responses=answer(Chat) | problems(ChatMissing))
@needs(Scope.SEND)
async def mark_unread(id: PublicChatId, caller: Caller, db: Db) -> Json:
    """Mark the chat as unread, for the caller alone, until he reads it. Repeating it changes nothing."""

    async def once() -> Json:
        async with db.transaction(caller.tenant) as tx:
            c = await raw(tx)
            held = await hold(c, caller, id)
            if await marks.unread(c, caller.tenant, caller.id, held.id):
                await outbox.add(tx, _marked(caller, held, datetime.now(UTC), unread=True))
            return Json(await shown(c, caller, held.id))

    return await store.persistently(once)


def _marked(caller: Principal, held: Held, at: datetime, *, unread: bool) -> Envelope[ChatMarked]:
    who = ids.public(ids.KEY if caller.kind == "key" else ids.USER, caller.id)
    return wrap(caller.tenant, ChatMarked(id=ids.public(ids.CHAT, held.id), user_id=who, unread=unread, at=at), audience=held.audience)


async def hold(c: asyncpg.Connection, caller: Principal, id: ChatId) -> Held:
    """Hold the chat that *id* is today until the transaction ends.  Raises: ChatMissing: the caller reads none."""
    chat = await reading.chat_id(c, caller.tenant, id, caller)
    if chat is None:
        raise ChatMissing
    held = (await chats.lock(c, [(caller.tenant, chat)]))[chat]
    if not caller.reads(held.device, held.standing.team, held.standing.assignee):
        raise ChatMissing
    return held


async def unmoved(c: asyncpg.Connection, caller: Principal, held: Held, revision: int | None) -> None:
    """The caller knows the chat as it stands, or does not say.  Raises: ChatMoved, with the chat."""
    if revision is not None and revision != held.standing.revision:
        raise await moved(c, caller, held)


async def moved(c: asyncpg.Connection, caller: Principal, held: Held) -> ChatMoved:
    """Give the problem that shows the chat as it stands."""
    return ChatMoved("Look at it again.", chat=msgspec.to_builtins(await shown(c, caller, held.id)))


async def shown(c: asyncpg.Connection, caller: Principal, id: ChatId) -> Chat:
    """Give a chat as the caller is shown it, also when he has just given it away.  Raises: ChatMissing."""
    row = await reading.chat(c, caller.tenant, id, me=caller.id)
    if row is None:
        raise ChatMissing
    return shapes.chat(row)

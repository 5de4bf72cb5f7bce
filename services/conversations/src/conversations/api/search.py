"""The search: what was said, who said it, and what files are called."""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import PublicContactStateId, PublicDeviceId, PublicTagId
from contracts.views import ChatStatus
from contracts.whatsapp import MessageKind
from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from servicekit import cursors
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Caller, Cursor, Json, Limit, answer, problems

from conversations.api.chats import Whose
from conversations.api.shapes import Db, Person
from conversations.domain import seeking
from conversations.domain.seeking import LONGEST, QueryEmpty, Sought
from conversations.store import searching
from conversations.store.messages import file_of
from conversations.store.searching import FoundContact, FoundMessage, Page, Place, Where

router = APIRouter(prefix="/api/search", tags=["search"])

Kind = Literal["messages", "contacts", "files", "all"]

FIRST = 5
"""So many contacts and files stand above the messages, where all is asked for."""


class Excerpt(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what fits.

    Attributes:
        hits: Where what was looked for stands in *text*: first character, and the one after the last (Unicode characters).
    """

    text: str
    hits: tuple[tuple[int, int], ...]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that fits; what is None is not about it.

    Attributes:
        kind: ``file``: a message whose file is called so.
        similar: Nothing is called just so; this is spelled much like it.
        chat_id: Where to go; of a contact the newest chat, if there is one. With *message_id*: ``GET /api/chats/{id}/messages?around=``.
        contact: Whoever was found, or the other side of the chat.
        name: Of the chat, such as a group's.
        author_id: Who of the team said it.
        at: When it was said; of a contact when it was first known.
    """

    kind: Literal["message", "contact", "file"]
    similar: bool
    excerpt: Excerpt
    at: datetime
    chat_id: str | None
    device_id: str | None
    contact: Person | None
    name: str | None = None
    message_id: str | None = None
    message_kind: MessageKind | None = None
    from_me: bool | None = None
    author_id: str | None = None
    sender_name: str | None = None


class _At(NamedTuple):
    at: datetime
    id: UUID


@router.get("", responses=answer(Hit, page=True) | problems(BadCursor, QueryEmpty))
async def search(
    caller: Caller,
    db: Db,
    q: Annotated[
        str, Query(max_length=LONGEST, description='Words that all have to be in it, phrases in "quotes"; the last word may be unfinished.')
    ],
    kind: Annotated[Kind, Query(description="With `all`, the first page begins with a few contacts and files.")] = "all",
    limit: Limit = 50,
    cursor: Cursor = None,
    device_id: Annotated[PublicDeviceId | None, Query(description="In chats of this number.")] = None,
    assignee_id: Whose = None,
    tag_id: Annotated[PublicTagId | None, Query(description="In chats with this tag; contacts with it.")] = None,
    status: Annotated[ChatStatus | None, Query(description="In chats with this status.")] = None,
    state_id: Annotated[PublicContactStateId | None, Query(description="Of contacts in this state.")] = None,
    after: Annotated[AwareDatetime | None, Query(description="Said then or later.")] = None,
    before: Annotated[AwareDatetime | None, Query(description="Said earlier.")] = None,
) -> Json:
    """Find messages, contacts and files, the newest first; signs and accents make no difference.

    A page may be short, or empty, and have a `next_cursor` all the same: then it was looked for a while, and the search goes on there.
    """
    sought = seeking.read(q)
    where = Where(
        device=device_id,
        assignee=caller.id if assignee_id == "me" else assignee_id,
        tag=tag_id,
        status=status,
        state=state_id,
        after=after,
        before=before,
    )
    view = f"search?{kind}&{sought}&{where}"
    place = Place(**cursors.decode(caller.tenant, view, cursor, _At)._asdict()) if cursor else None
    hits: list[Hit] = []
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        if kind == "contacts" or (kind == "all" and place is None):
            most = limit if kind == "contacts" else min(FIRST, limit)
            people = await searching.contacts(c, caller.tenant, sought, where, caller, limit=most, after=place)
            end = people.end
            hits += [_contact(found, sought, people.similar) for found in people.items]
        if kind == "files" or (kind == "all" and place is None):
            most = limit if kind == "files" else min(FIRST, limit)
            files = await searching.files(c, caller.tenant, sought, where, caller, limit=most, after=place)
            end = files.end
            hits += _files(files, sought)
        if kind in ("messages", "all"):
            said = await searching.messages(c, caller.tenant, sought, where, caller, limit=limit, after=place)
            end = said.end
            hits += [_message(found, sought) for found in said.items]
    following = end and cursors.encode(caller.tenant, view, (end.at, UUID(int=end.id.int)))
    return Json({"items": hits, "next_cursor": following})


def _message(found: FoundMessage, sought: Sought) -> Hit:
    return _said(found, "message", Excerpt(**seeking.excerpt(found.row.text or "", sought)._asdict()), similar=False)


def _files(page: Page[FoundMessage], sought: Sought) -> list[Hit]:
    hits = []
    for found in page.items:
        file = file_of(found.row)
        excerpt = seeking.excerpt((file and file.file_name) or "", sought, within=True)
        hits.append(_said(found, "file", Excerpt(**excerpt._asdict()), similar=page.similar))
    return hits


def _said(found: FoundMessage, kind: Literal["message", "file"], excerpt: Excerpt, *, similar: bool) -> Hit:
    row = found.row
    person = None
    if row.contact is not None:
        person = Person(id=ids.public(ids.CONTACT, row.contact), name=found.contact_name, phone=found.phone)
    return Hit(
        kind=kind,
        similar=similar,
        excerpt=excerpt,
        at=row.at,
        chat_id=ids.public(ids.CHAT, row.chat),
        device_id=ids.public(ids.DEVICE, row.device),
        contact=person,
        name=found.chat_name or found.contact_name,
        message_id=ids.public(ids.MESSAGE, row.id),
        message_kind=row.kind,
        from_me=row.from_me,
        author_id=None if row.author is None else ids.public(ids.KEY if row.by_key else ids.USER, row.author),
        sender_name=row.sender_name,
    )


def _contact(found: FoundContact, sought: Sought, similar: bool) -> Hit:
    """Show a contact by what of it fits: its name, what it calls itself, or its phone."""
    ways = [seeking.excerpt(text, sought, within=True) for text in (found.name, found.push_name, found.phone) if text]
    excerpt = next((way for way in ways if way.hits), ways[0] if ways else seeking.Excerpt("", ()))
    return Hit(
        kind="contact",
        similar=similar,
        excerpt=Excerpt(**excerpt._asdict()),
        at=found.at,
        chat_id=None if found.chat is None else ids.public(ids.CHAT, found.chat),
        device_id=None if found.device is None else ids.public(ids.DEVICE, found.device),
        contact=Person(id=ids.public(ids.CONTACT, found.id), name=found.name, phone=found.phone),
        name=found.name,
    )

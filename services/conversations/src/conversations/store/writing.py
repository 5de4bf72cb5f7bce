"""What agents do to chats: writing into them and reading them."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from contracts import ids
from contracts.commands import MarkRead, SendMessage
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import ChatRead, MessageAdvanced, MessageQueued, NoteAdded, UserMentioned
from contracts.ids import MessageId, UserId
from contracts.views import MessageStatus, Origin
from contracts.whatsapp import Media, MessageKind, Quoted

from conversations.domain.errors import ContactBlocked, QuoteInvalid
from conversations.domain.identities import address_of
from conversations.store import accounts, assignment, identities, messages, moves
from conversations.store.chats import Held
from conversations.store.messages import More, QuotedThen, Row, fields
from conversations.store.moves import Move

READ_AT_ONCE = 256
"""Messages in one order to mark as read."""


async def read(c: asyncpg.Connection, chat: Held, at: datetime, by: UserId | None = None) -> list[Envelope[Any]]:
    """Nothing that is in the chat (held by the caller) is unread; returns the orders and the event that follow from it.

    Args:
        by: The user who looked.
    """
    rows = await c.fetch(
        "update messages set unseen = false where tenant = $1 and chat = $2 and unseen returning participant, wa_id, at",
        chat.tenant,
        chat.id,
    )
    await c.execute("update chats set unread = 0 where tenant = $1 and id = $2 and unread <> 0", chat.tenant, chat.id)
    if not rows and not chat.unread:
        return []
    senders: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: (row["at"], row["wa_id"] or "")):
        if row["wa_id"] is not None:
            senders.setdefault(row["participant"], []).append(row["wa_id"])
    told: list[Envelope[Any]] = []
    for sender, wa_ids in senders.items():
        for some in _chunks(wa_ids):
            order = MarkRead(device=chat.device, chat=chat.address, wa_ids=some, at=at, sender=address_of(sender))
            told.append(wrap(chat.tenant, order, id=ids.derived("read", chat.id, sender, *some)))
    event = ChatRead(id=ids.public(ids.CHAT, chat.id), unread=0, at=at, user_id=None if by is None else ids.public(ids.USER, by))
    told.append(wrap(chat.tenant, event, audience=chat.audience))
    return told


#: What a person said, through us: it answers the customer. A bot is nobody, and what was scheduled was said before.
ANSWERS: frozenset[Origin] = frozenset({"user", "key"})


async def queue(
    c: asyncpg.Connection,
    chat: Held,
    *,
    author: UserId | None,
    text: str | None,
    at: datetime,
    expires_at: datetime,
    by_key: bool = False,
    kind: MessageKind = "text",
    media: str | None = None,
    more: More | None = None,
    origin: Origin | None = None,
    id: MessageId | None = None,
    quoted: Row | None = None,
    resend_of: MessageId | None = None,
) -> tuple[Row, list[Envelope[Any]]]:
    """A message waits in the chat (held by the caller) to be sent; returns it with the events and the order.

    Args:
        author: Who wrote it; None for a bot or an automation.
        by_key: The author is an API key.
        media: A `store.messages.File` as JSON.
        more: A place or cards, where the kind is of these.
        origin: What made it, where that is not the author.
        quoted: The message of the same chat that it answers.

    Raises:
        QuoteInvalid: WhatsApp does not know that one.
        ContactBlocked: Somebody has blocked the other side.
    """
    await refuse_blocked(c, chat)
    quote = None if quoted is None else _quote(chat, quoted)
    row = Row(
        tenant=chat.tenant,
        id=id or MessageId(ids.new()),
        device=chat.device,
        chat=chat.id,
        contact=chat.contact,
        from_me=True,
        kind=kind,
        status=MessageStatus.QUEUED,
        at=at,
        text=text,
        media=media,
        more=_more(more, quoted),
        author=author,
        by_key=by_key,
        origin=origin or ("key" if by_key else "user"),
        quoted=None if quoted is None else quoted.id,
        resend_of=resend_of,
    )
    await accounts.spend(c, chat.tenant, at)
    await messages.insert(c, [row])
    await _newest(c, row)
    order = SendMessage(
        message=row.id,
        device=chat.device,
        to=chat.address,
        kind=kind,
        text=text,
        media=None if media is None else msgspec.json.decode(media, type=Media),
        expires_at=expires_at,
        quoted=quote,
        location=more.location if more else None,
        contacts=more.contacts if more else (),
    )
    move = await _answered(c, chat, row)
    return row, [
        wrap(chat.tenant, MessageQueued(**fields(row)), audience=move.audience),  # type: ignore[arg-type]
        wrap(chat.tenant, order, id=ids.derived("send", row.id)),
        *await moves.make(c, [move], at),
    ]


async def refuse_blocked(c: asyncpg.Connection, chat: Held) -> None:
    """Something may be sent into the chat.  Raises: ContactBlocked."""
    if chat.contact is not None and await identities.blocked(c, [(chat.tenant, chat.contact)]):
        raise ContactBlocked


def _more(more: More | None, quoted: Row | None) -> str | None:
    if quoted is not None:
        then = QuotedThen(kind=quoted.kind, text=(quoted.text or "")[:200] or None, from_me=quoted.from_me)
        more = msgspec.structs.replace(more or More(), quoted=then)
    return msgspec.json.encode(more).decode() if more is not None else None


async def _answered(c: asyncpg.Connection, chat: Held, row: Row) -> Move:
    """Say where the chat stands after *row*: where chats are given out by themselves, who answers one that nobody has takes it."""
    after = chat.standing
    if row.origin in ANSWERS:
        after = after.answered(row.at, row.author)
    if row.origin == "user" and after.assignee is None:
        rules = await assignment.rules(c, chat.tenant)
        if assignment.automatic(rules, chat.device, after.team):
            after = after.assigned(row.author, after.team, "manual", row.at)
    return Move(held=chat, after=after)


async def note(
    c: asyncpg.Connection,
    chat: Held,
    *,
    author: UserId | None,
    text: str,
    at: datetime,
    by_key: bool = False,
    origin: Origin | None = None,
    mentions: Collection[UserId] = (),
    id: MessageId | None = None,
) -> tuple[Row, list[Envelope[Any]]]:
    """A note stands beside the chat (held by the caller), which WhatsApp never gets; returns it with what is told of it.

    Args:
        mentions: Who is meant by it and sees the chat.
    """
    row = Row(
        tenant=chat.tenant,
        id=id or MessageId(ids.new()),
        device=chat.device,
        chat=chat.id,
        contact=chat.contact,
        from_me=True,
        kind="note",
        status=MessageStatus.SENT,
        at=at,
        text=text,
        author=author,
        by_key=by_key,
        origin=origin or ("key" if by_key else "user"),
    )
    named = tuple(ids.public(ids.USER, user) for user in mentions)
    await messages.insert(c, [row])
    public: dict[str, Any] = fields(row)
    told: list[Envelope[Any]] = [wrap(chat.tenant, NoteAdded(**public, mentions=named), audience=chat.audience)]
    for user in mentions:
        mention = UserMentioned(
            user_id=ids.public(ids.USER, user),
            chat_id=public["chat_id"],
            message_id=public["id"],
            author_id=public["author_id"],
            text=text,
            at=at,
        )
        told.append(wrap(chat.tenant, mention, audience=Audience(device=chat.device, team=chat.standing.team, assignee=user)))
    return row, told


def advanced(row: Row, at: datetime, audience: Audience) -> Envelope[MessageAdvanced]:
    """Say that a message of ours stands where *row* says."""
    public: dict[str, Any] = fields(row)
    named = {name: public[name] for name in ("id", "chat_id", "device_id", "status", "reason")}
    return wrap(row.tenant, MessageAdvanced(**named, at=at), audience=audience)


async def _newest(c: asyncpg.Connection, row: Row) -> None:
    await c.execute(
        """
        update chats set last_message_at = $3, last_message_id = $4
         where tenant = $1 and id = $2 and (last_message_id is null or (last_message_at, last_message_id) < ($3, $4))
        """,
        row.tenant,
        row.chat,
        row.at,
        row.id,
    )


def _quote(chat: Held, quoted: Row) -> Quoted:
    if quoted.wa_id is None or quoted.chat != chat.id:
        raise QuoteInvalid
    sender = address_of(quoted.participant) or (None if quoted.from_me else chat.address)
    return Quoted(wa_id=quoted.wa_id, sender=sender, kind=quoted.kind, text=(quoted.text or "")[:200] or None, from_me=quoted.from_me)


def _chunks(wa_ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(wa_ids), READ_AT_ONCE):
        yield wa_ids[start : start + READ_AT_ONCE]

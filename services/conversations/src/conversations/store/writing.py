"""What agents do to chats: writing into them and reading them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import asyncpg
from contracts import ids
from contracts.commands import MarkRead, SendMessage
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import ChatRead, MessageQueued
from contracts.ids import MessageId, UserId
from contracts.views import MessageStatus

from conversations.domain.identities import address_of
from conversations.store import accounts, messages
from conversations.store.chats import Held
from conversations.store.messages import Row, fields

READ_AT_ONCE = 256
"""Messages in one order to mark as read."""


async def read(c: asyncpg.Connection, chat: Held, at: datetime) -> list[Envelope[Any]]:
    """Nothing that is in the chat (held by the caller) is unread; returns the orders and the event that follow from it."""
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
    event = ChatRead(id=ids.public(ids.CHAT, chat.id), unread=0, at=at)
    told.append(wrap(chat.tenant, event, audience=Audience(device=chat.device)))
    return told


async def queue(
    c: asyncpg.Connection, chat: Held, *, author: UserId, text: str, at: datetime, expires_at: datetime, by_key: bool = False
) -> tuple[Row, list[Envelope[Any]]]:
    """A message of *author* waits in the chat (held by the caller) to be sent; returns it with the event and the order.

    Args:
        by_key: The author is an API key.

    Raises:
        AccountSuspended, MessageLimit: The account may not write it (now).
    """
    row = Row(
        tenant=chat.tenant,
        id=MessageId(ids.new()),
        device=chat.device,
        chat=chat.id,
        contact=chat.contact,
        from_me=True,
        kind="text",
        status=MessageStatus.QUEUED,
        at=at,
        text=text,
        author=author,
        by_key=by_key,
    )
    await accounts.spend(c, chat.tenant, at)
    await messages.insert(c, [row])
    await c.execute(
        """
        update chats set last_message_at = $3, last_message_id = $4
         where tenant = $1 and id = $2 and (last_message_id is null or (last_message_at, last_message_id) < ($3, $4))
        """,
        chat.tenant,
        chat.id,
        at,
        row.id,
    )
    order = SendMessage(message=row.id, device=chat.device, to=chat.address, kind="text", text=text, expires_at=expires_at)
    return row, [
        wrap(chat.tenant, MessageQueued(**fields(row)), audience=Audience(device=chat.device)),  # type: ignore[arg-type]
        wrap(chat.tenant, order, id=ids.derived("send", row.id)),
    ]


def _chunks(wa_ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(wa_ids), READ_AT_ONCE):
        yield wa_ids[start : start + READ_AT_ONCE]

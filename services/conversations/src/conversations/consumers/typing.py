"""Who writes at this moment: of customers, from the worker to the sockets; of agents, from the panel to the customer.

All of it may be lost. What WhatsApp calls a chat becomes a chat here, and back; one of a person whom nobody knows is none.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids, subjects
from contracts.ephemeral import AgentTyping, ChatAttended, Typing, TypingObserved
from contracts.ids import ChatId, TenantId
from servicekit.bus import Bus
from servicekit.db import Database, raw

from conversations.consumers.inbound import thread_of
from conversations.domain.identities import PERSONAL, alias
from conversations.store import chats, identities

QUEUE = "conversations"

_observed = msgspec.json.Decoder(TypingObserved)
_written = msgspec.json.Decoder(AgentTyping)


@asynccontextmanager
async def passing_on(bus: Bus, db: Database) -> AsyncIterator[None]:
    """Inside, whoever writes is seen on the other side."""

    async def customer(subject: str, payload: bytes) -> None:
        tenant, told = _tenant(subject), _observed.decode(payload)
        async with db.transaction(tenant) as tx:
            chat = await _chat(await raw(tx), tenant, told)
        if chat is not None:
            name = ids.public(ids.CHAT, chat)
            await bus.shout(tenant, Typing(chat_id=name, state=told.state, device_id=ids.public(ids.DEVICE, told.device)))

    async def agent(subject: str, payload: bytes) -> None:
        tenant, told = _tenant(subject), _written.decode(payload)
        chat = ChatId(ids.parse(ids.CHAT, told.chat_id))
        async with db.transaction(tenant) as tx:
            places = await chats.places(await raw(tx), tenant, [chat])
        for device, address in places.values():
            written = ChatAttended(device=device, address=address, state="paused" if told.state == "paused" else "composing")
            await bus.shout(tenant, written)

    customers = await bus.listen(subjects.ephemeral("devices", "typing"), customer, queue=QUEUE)
    agents = await bus.listen(subjects.ephemeral("realtime", "typing"), agent, queue=QUEUE)
    try:
        yield
    finally:
        await customers.close()
        await agents.close()


def _tenant(subject: str) -> TenantId:
    return TenantId(UUID(subject.rpartition(".")[2]))


async def _chat(c: asyncpg.Connection, tenant: TenantId, told: TypingObserved) -> ChatId | None:
    contacts = await identities.known(c, [alias(tenant, told.chat)]) if told.chat.kind in PERSONAL else {}
    thread = thread_of(tenant, told.device, told.chat, contacts)
    return None if thread is None else (await chats.find(c, [thread])).get(thread)

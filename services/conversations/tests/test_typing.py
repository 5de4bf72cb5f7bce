"""Who writes is passed on between the worker and the sockets, and the workers know which chats are open."""

import asyncio

import msgspec
import pytest
from contracts import ids
from contracts.ephemeral import AgentTyping, ChatAttended, Typing, TypingObserved
from contracts.presence import Present
from contracts.whatsapp import Address
from conversations.consumers.typing import passing_on
from conversations.timers import Presence, attending

from .conftest import running
from .facts import ANA, ANA_LID, a_message


@pytest.fixture
async def heard(bus):
    """What conversations says that may be lost."""
    said: asyncio.Queue = asyncio.Queue()
    kinds = {"typing": Typing, "attended": ChatAttended}

    async def hear(subject: str, payload: bytes) -> None:
        said.put_nowait(msgspec.json.decode(payload, type=kinds[subject.split(".")[2]]))

    listening = await bus.listen("eph.conversations.>", hear)
    yield said
    await listening.close()


@pytest.fixture
async def chat(world, tenant, device):
    await world.handle([a_message(tenant, device, chat=ANA, chat_alt=ANA_LID)])
    [row] = await world.rows("select id, address_kind, address_value from chats")
    return ids.public(ids.CHAT, row["id"]), Address(row["address_kind"], row["address_value"])


async def test_a_customer_writes_in_his_chat_by_either_of_his_addresses_and_a_stranger_in_none(world, bus, tenant, device, chat, heard):
    async with passing_on(bus, world.db):
        for address in (ANA, ANA_LID, Address("pn", "999"), Address("group", "1"), ANA):
            await bus.shout(tenant, TypingObserved(device=device, chat=address, state="recording"))
        told = [await asyncio.wait_for(heard.get(), 10) for _ in range(3)]
    assert told == [Typing(chat_id=chat[0], state="recording", device_id=ids.public(ids.DEVICE, device))] * 3


async def test_an_agent_who_writes_is_seen_at_the_chats_address(world, bus, tenant, device, chat, heard):
    async with passing_on(bus, world.db):
        for name, state in ((ids.public(ids.CHAT, ids.new()), "composing"), (chat[0], "composing"), (chat[0], "paused")):
            await bus.shout(tenant, AgentTyping(chat_id=name, user_id="usr_1", state=state))
        told = [await asyncio.wait_for(heard.get(), 10) for _ in range(2)]
    assert told == [ChatAttended(device=device, address=chat[1], state=state) for state in ("composing", "paused")]


async def test_a_chat_that_is_opened_is_told_and_one_that_nobody_has_is_not(world, bus, tenant, device, chat, heard, team):
    ann = await team.hire("Ann")
    await team.comes(ann)
    bucket = (await Presence.of(bus)).people
    async with running(attending(world.db, bus, await Presence.of(bus))):
        present = Present(state="online", chats=(chat[0], "cht_?", ids.public(ids.CHAT, ids.new())))
        await bucket.put(f"{tenant}.{ann.principal.id}.r1", msgspec.json.encode(present))
        await bucket.put(f"{tenant}.{ann.principal.id}.dead", msgspec.json.encode(Present(state="online", chats=(chat[0],))))
        assert await asyncio.wait_for(heard.get(), 20) == ChatAttended(device=device, address=chat[1])

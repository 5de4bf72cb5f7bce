"""What browsers are told: many of them while everything falls once, and one whose chats are given to it and taken away."""

import contextlib
import json
import time

import aiohttp
import pytest
from clarin.client import Client, Refused, Socket, eventually
from clarin.testing import Shop, System

from bench import realtime

pytestmark = pytest.mark.timeout(150)


async def test_every_browser_ends_with_exactly_what_its_role_may_see_or_knows_that_it_has_not():
    result = await realtime.run(
        sockets=60, replicas=2, tenants=20, rate=150, seconds=6, cuts_per_s=10, kills=1, restarts=1, changes=4, replay=300
    )
    assert (result["lost"], result["doubled"], result["disordered"], result["broken_chains"]) == (0, 0, 0, 0), result
    assert result["done"] == result["asked"] > 500, result
    assert result["connections"] > result["sockets"], "nobody was cut off"
    assert result["frames"] > 500, result
    assert set(result["resyncs"]) <= {"access", "too-old"}, result
    assert result["resyncs"].get("access"), "what nobody sees differently is told nobody anew"
    assert result["presence_gone_s"] <= realtime.GONE_SECONDS


PASSWORD = "un-agente-muy-largo-7"


async def frames(answer: aiohttp.ClientResponse, event: str) -> dict[str, object]:
    """The next frame of this kind on a stream of events."""
    while True:
        block = (await answer.content.readuntil(b"\n\n")).decode()
        told = next((json.loads(line[6:]) for line in block.split("\n") if line.startswith("data: ")), {})
        if told.get("event") == event:
            return dict(told["data"])


async def write_until_seen(shop: Shop, customer: str, socket: Socket, chat: str) -> None:
    """The customer records until the agent, who has just opened the chat, sees it: then the number is online."""

    async def seen() -> bool:
        await shop.network.ask("POST", f"/phones/{customer}/typing", {"to": shop.number, "state": "recording"})
        with contextlib.suppress(TimeoutError):
            await socket.event("typing", within=1, chat_id=chat)
            return True
        return False

    await eventually(seen, 30, "nobody is told that the customer writes")


async def test_an_agent_is_told_of_a_chat_from_when_it_is_his_until_it_is_not(shop: Shop, system: System, owner: Client):
    email = f"agent-{time.monotonic_ns()}@example.com"
    await owner.post("/api/users", {"email": email, "name": "Beto", "role": "agent", "password": PASSWORD, "chats": "own"})
    luis = await shop.customer("Luis")
    async with Client(system.url) as agent, aiohttp.ClientSession() as session:
        await agent.login(email, PASSWORD)
        me = agent.me["user"]["id"]
        async with agent.socket() as his, owner.socket() as hers:
            await shop.writes(luis, "¿Hay alguien?")
            chat = (await hers.event("new_message"))["chat_id"]
            await his.say("presence", state="online", chats=[chat])
            assert (await hers.event("presence", user_id=me))["chats"] == [], "a chat that he may not see he has not open"
            with pytest.raises(Refused) as refused:
                await agent.get(f"/api/chats/{chat}")
            assert refused.value.status == 404

            await owner.post(f"/api/chats/{chat}/assign", {"assignee_id": me})
            assert (await his.event("chat_assigned"))["id"] == chat
            assert (await agent.get(f"/api/chats/{chat}"))["id"] == chat
            assert "new_message" not in {frame["event"] for _, frame in his.frames}
            async with session.get(f"{system.url}/api/stream", headers={"Authorization": f"Bearer {agent.token}"}) as stream:
                await frames(stream, "hello")
                await shop.writes(luis, "Quiero dos.")
                assert (await his.event("new_message"))["text"] == (await frames(stream, "new_message"))["text"] == "Quiero dos."
            await his.say("presence", state="online", chats=[chat])
            assert (await hers.event("presence", user_id=me, chats=[chat]))["state"] == "online"
            there = (await owner.get("/api/presence"))["items"]
            assert there == [{"user_id": me, "state": "online", "chats": [chat]}]
            await his.say("typing", chat_id=chat)
            assert await hers.event("agent_typing") == {"chat_id": chat, "user_id": me, "state": "composing"}

            async def phone_sees() -> bool:
                return (await shop.network.ask("GET", f"/phones/{luis}"))["typing"] == {shop.number: "composing"}

            await eventually(phone_sees, 20, "the customer does not see that somebody answers")
            await write_until_seen(shop, luis, his, chat)
            assert (await hers.event("typing", chat_id=chat))["state"] == "recording"
            await shop.network.ask("POST", f"/phones/{luis}/typing", {"to": shop.number, "state": "paused"})
            assert (await his.event("typing", chat_id=chat, state="paused"))["device_id"] == shop.device

            await owner.post(f"/api/chats/{chat}/assign", {"assignee_id": None})
            assert (await his.event("chat_assigned"))["assignee_id"] is None
            await shop.writes(luis, "¿Sigue ahí?")
            await hers.event("new_message", text="¿Sigue ahí?")
            await his.say("ping")
            await his.until(lambda frame: frame["event"] == "pong")
            assert "¿Sigue ahí?" not in json.dumps(his.frames, ensure_ascii=False)

            async def gone() -> bool:
                return not (await owner.get("/api/presence"))["items"]

        await eventually(gone, realtime.GONE_SECONDS, "he is still there")

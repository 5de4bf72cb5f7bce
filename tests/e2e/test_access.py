"""An agent who was given one of two numbers, through the public port: what stands on the other one is not there for him."""

import time
from collections.abc import AsyncIterator

import pytest
from clarin.client import Client, Refused, eventually
from clarin.testing import Shop, System

pytestmark = pytest.mark.timeout(120)

PASSWORD = "un-agente-muy-largo-7"


@pytest.fixture
async def other(shop: Shop) -> Shop:
    """The account's second number."""
    number = await shop.system.phone(shop.network, "Café Sol")
    device = (await shop.client.add_device("Soporte"))["id"]
    await shop.client.pair(device, shop.network, number)
    return Shop(shop.client, shop.network, shop.system, device, number)


@pytest.fixture
async def agent(system: System, owner: Client) -> AsyncIterator[Client]:
    email = f"agent-{time.monotonic_ns()}@example.com"
    await owner.post("/api/auth/users", {"email": email, "name": "Beto", "role": "agent", "password": PASSWORD})
    async with Client(system.url) as client:
        await client.login(email, PASSWORD)
        yield client


async def limit(owner: Client, agent: Client, *devices: str) -> None:
    """The agent sees these numbers and no other; without one, all."""
    user = agent.me["user"]["id"]
    changed = await owner.ask("PATCH", f"/api/users/{user}", {"devices": list(devices) or None})
    assert changed["devices"] == (list(devices) or None)


async def listed(client: Client, path: str) -> set[str]:
    return {item["id"] for item in (await client.get(path))["items"]}


async def sees(client: Client, *devices: str) -> None:
    async def told() -> bool:
        return await listed(client, "/api/devices") == set(devices)

    await eventually(told, 5, "the change is not felt")


async def chat_of(shop: Shop, customer: str, text: str) -> dict[str, str]:
    """The chat in which the customer wrote first."""
    await shop.writes(customer, text)

    async def there() -> dict[str, str] | None:
        items = (await shop.client.get("/api/chats", device_id=shop.device))["items"]
        return next((chat for chat in items if chat["contact"]["phone"] == customer), None)

    return await eventually(there, 20, "no chat")


async def test_an_agent_sees_the_numbers_that_it_was_given_and_what_it_is_given_later(
    shop: Shop, other: Shop, owner: Client, agent: Client
):
    luis, marta = await shop.customer("Luis"), await other.customer("Marta")
    mine, theirs = await chat_of(shop, luis, "hola"), await chat_of(other, marta, "secreto")
    await sees(agent, shop.device, other.device)
    await limit(owner, agent, shop.device)
    await sees(agent, shop.device)

    assert await listed(agent, "/api/chats") == {mine["id"]}
    assert await listed(agent, "/api/contacts") == {mine["contact"]["id"]}
    message = (await other.client.get(f"/api/chats/{theirs['id']}/messages"))["items"][0]["id"]
    for method, path, body in (
        ("GET", f"/api/devices/{other.device}", None),
        ("GET", f"/api/chats/{theirs['id']}", None),
        ("GET", f"/api/chats/{theirs['id']}/messages", None),
        ("POST", f"/api/chats/{theirs['id']}/read", None),
        ("GET", f"/api/messages/{message}", None),
        ("GET", f"/api/contacts/{theirs['contact']['id']}", None),
        ("POST", "/api/messages/send", {"chat_id": theirs["id"], "text": "hola"}),
        ("POST", "/api/messages/send", {"device_id": other.device, "to": marta, "text": "hola"}),
    ):
        with pytest.raises(Refused) as refused:
            await agent.ask(method, path, body)
        assert refused.value.status == 404, (method, path, refused.value)
        assert "secreto" not in str(refused.value.body)

    async with agent.socket() as socket:
        await other.writes(marta, "no es para él")
        await eventually(lambda: unread(other, theirs["id"], 2), 20, "the message did not come")
        await shop.writes(luis, "para él")
        arrived = await socket.event("new_message")
        assert (arrived["text"], arrived["chat_id"]) == ("para él", mine["id"])
        assert {frame["event"] for _, frame in socket.frames} == {"hello", "new_message"}
        answer = await agent.post("/api/messages/send", {"chat_id": mine["id"], "text": "Voy."})
        await socket.event("message_sent", id=answer["id"])
        assert [item["text"] for item in await shop.inbox(luis, 1)] == ["Voy."]

        await limit(owner, agent)
        resync = await socket.until(lambda frame: frame["event"] == "resync", 5)
        assert resync["reason"] == "access"
        await sees(agent, shop.device, other.device)
        assert await listed(agent, "/api/chats") == {mine["id"], theirs["id"]}
        await other.writes(marta, "ahora sí")
        assert (await socket.event("new_message"))["text"] == "ahora sí"


async def test_a_key_for_one_number_does_there_what_it_has_the_scopes_for(shop: Shop, system: System, owner: Client):
    luis, other = await shop.customer("Luis"), (await owner.add_device("Soporte"))["id"]
    mine = await chat_of(shop, luis, "hola")
    wanted = {"name": "CRM", "role": "agent", "scopes": ["read", "send"], "devices": [shop.device]}
    made = await owner.post("/api/keys", wanted)
    async with Client(system.url, made["secret"]) as key:
        await sees(key, shop.device)
        assert await listed(key, "/api/chats") == {mine["id"]}
        elsewhere = {"device_id": other, "to": luis, "text": "hola"}
        with pytest.raises(Refused) as unseen:
            await key.post("/api/messages/send", elsewhere)
        assert (unseen.value.status, unseen.value.code) == (404, "device-not-found")
        sent = await key.post("/api/messages/send", {"chat_id": mine["id"], "text": "Pedido listo."})
        assert sent["author_id"] == made["id"]
        assert [item["text"] for item in await shop.inbox(luis, 1)] == ["Pedido listo."]
        for path, scope in ((f"/api/devices/{shop.device}/disconnect", "control"), ("/api/devices", "settings")):
            with pytest.raises(Refused) as refused:
                await key.post(path, {"name": "x"})
            assert (refused.value.status, refused.value.code, refused.value.body["scope"]) == (403, "scope-missing", scope)
        await owner.ask("PATCH", f"/api/keys/{made['id']}", {"devices": None})
        await sees(key, shop.device, other)
        assert (await key.post("/api/messages/send", elsewhere))["status"] == "queued"


async def unread(shop: Shop, chat: str, count: int) -> bool:
    return bool((await shop.client.get(f"/api/chats/{chat}"))["unread"] == count)

"""The bot in one conversation with a virtual phone; and two bots facing each other."""

from typing import Any

import pytest
from clarin.client import eventually
from clarin.testing import Shop

pytestmark = pytest.mark.timeout(180)

QUICK = {"delay_seconds": [0.1, 0.3], "pause_minutes": None}
BOT: dict[str, Any] = {
    "enabled": True,
    "manners": QUICK,
    "welcome": {"enabled": True, "reply": {"text": "¡Hola {{contact.first_name}}!"}, "menu": "main"},
    "rules": [{"id": "price", "name": "Precio", "match": "any_of", "phrases": ["precio"], "reply": {"text": "Cuesta 10."}}],
    "menus": [
        {
            "id": "main",
            "text": "¿Qué necesitas?",
            "options": [{"key": "1", "label": "Ventas", "reply": {"text": "Te ayudo a comprar."}}],
        }
    ],
}
THANKS = "Gracias por escribir, enseguida le atendemos."
CLOSED = {"enabled": True, "reply": {"text": "Abrimos mañana."}, "hours": {"time_zone": "UTC", "weekly": []}}


class Conversation:
    """A customer's phone and what it has decrypted so far."""

    def __init__(self, shop: Shop, customer: str) -> None:
        self.shop, self.customer, self.after = shop, customer, 0

    async def says(self, text: str) -> None:
        await self.shop.writes(self.customer, text)

    async def hears(self) -> str:
        """The next text on the customer's phone."""

        async def one() -> str | None:
            items = (await self.shop.network.get(f"/phones/{self.customer}/inbox?after={self.after}&wait=5"))["items"]
            if not items:
                return None
            self.after = items[0]["n"]
            return str(items[0]["text"])

        return await eventually(one, 30, "the phone hears nothing")

    async def silence(self, after: str) -> None:
        """The number has seen *after*, and the bot has decided to say nothing about it."""

        async def seen() -> bool:
            (chat,) = (await self.shop.client.get("/api/chats", device_id=self.shop.device))["items"]
            messages = (await self.shop.client.get(f"/api/chats/{chat['id']}/messages"))["items"]
            return any(message["text"] == after for message in messages)

        await eventually(seen, 20, f"{after!r} did not arrive")


async def set_up(shop: Shop, **changes: Any) -> None:
    await shop.client.ask("PUT", "/api/bot", BOT | changes)


async def test_a_conversation_from_the_welcome_to_a_person_and_back(shop: Shop):
    await set_up(shop)
    client = shop.client
    talk = Conversation(shop, await shop.customer("Luis Pérez"))
    await talk.says("buenas tardes")
    assert (await talk.hears()).startswith("¡Hola Luis!\n\n¿Qué necesitas?\n\n1. Ventas")
    await talk.says("1")
    assert await talk.hears() == "Te ayudo a comprar."
    await talk.says("¿y el PRECIO?")
    assert await talk.hears() == "Cuesta 10."
    await talk.says("0")
    assert "persona" in await talk.hears()
    (chat,) = (await client.get("/api/chats"))["items"]

    async def silent() -> bool:
        return bool((await client.get(f"/api/bot/chats/{chat['id']}"))["silent"])

    await eventually(silent, 10, "the bot is not silent")
    await talk.says("precio, por favor")
    await talk.silence("precio, por favor")
    await client.post("/api/messages/send", {"chat_id": chat["id"], "text": "Soy Ana."}, key="ana")
    assert await talk.hears() == "Soy Ana."
    await client.ask("PATCH", f"/api/chats/{chat['id']}", {"status": "closed"})

    async def speaks() -> bool:
        return not await silent()

    await eventually(speaks, 10, "the bot did not come back")
    await talk.says("precio")
    assert await talk.hears() == "Cuesta 10."
    await set_up(shop, out_of_hours=CLOSED)
    await talk.says("¿están?")
    assert await talk.hears() == "Abrimos mañana."
    await talk.says("bueno")
    await talk.silence("bueno")
    figures = await client.get("/api/bot/figures")
    assert (figures["answered"], figures["handed_over"]) == (6, 1)
    texts = [message["text"] for message in (await client.get(f"/api/chats/{chat['id']}/messages"))["items"] if message["origin"] == "bot"]
    assert texts.count("Cuesta 10.") == 2
    assert texts.count("Abrimos mañana.") == 1


async def test_two_bots_facing_each_other_stop_within_three_messages(shop: Shop):
    echo = {
        "id": "any",
        "name": "any",
        "match": "regex",
        "phrases": ["[a-z0-9]"],
        "reply": {"text": "Gracias por escribir, enseguida le atendemos."},
    }
    async with shop.system.owner() as other:
        device = (await other.add_device("La otra"))["id"]
        number = await shop.system.phone(shop.network, "Café Sol")
        await other.pair(device, shop.network, number)
        for client in (shop.client, other):
            await client.ask("PUT", "/api/bot", {"enabled": True, "manners": QUICK, "rules": [echo]})
        sent = await shop.client.post("/api/messages/send", {"device_id": shop.device, "to": number, "text": "Hola"}, key="first")
        # The first word was a person's, who keeps the bot silent; from here on it is the bot's chat.
        await eventually(lambda: switched_on(shop, sent["chat_id"]), 20, "the bot does not speak in the chat")

        async def quiet() -> bool:
            """Both have stopped: the last message was answered by nobody, and its decision is known."""
            loops = [await count(client, "loop") for client in (shop.client, other)]
            return any(loops)

        await eventually(quiet, 60, "they talk and talk")
        for client in (shop.client, other):
            said = [text async for text in bot_texts(client)]
            assert 1 <= len(said) <= 3


async def switched_on(shop: Shop, chat: str) -> bool:
    status, _, _ = await shop.client.raw("PUT", f"/api/bot/chats/{chat}", json={"silent": False})
    return status == 200


async def count(client: Any, why: str) -> int:
    return sum(line["count"] for line in (await client.get("/api/bot/figures"))["counts"] if line["why"] == why)


async def bot_texts(client: Any) -> Any:
    async for chat in client.everything("/api/chats"):
        async for message in client.everything(f"/api/chats/{chat['id']}/messages"):
            if message["origin"] == "bot":
                yield message["text"]

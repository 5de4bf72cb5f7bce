"""The path of one message, as a person walks it, through the public port alone."""

import asyncio

import pytest
from clarin.client import eventually
from clarin.testing import Shop

pytestmark = pytest.mark.timeout(150)


async def test_a_customer_writes_and_gets_an_answer_with_its_ticks(shop: Shop):
    customer = await shop.customer("Luis")
    async with shop.client.socket() as socket:
        wa_id = await shop.writes(customer, "¿Tienen de este?")
        arrived = await socket.event("new_message", text="¿Tienen de este?")
        assert arrived["from_me"] is False
        assert arrived["sender_name"] == "Luis"

        chats = (await shop.client.get("/api/chats"))["items"]
        chat = next(chat for chat in chats if chat["id"] == arrived["chat_id"])
        assert chat["unread"] == 1
        assert chat["contact"]["phone"] == customer
        assert chat["last_message"]["id"] == arrived["id"]
        page = await shop.client.get(f"/api/chats/{chat['id']}/messages")
        assert [message["text"] for message in page["items"]] == ["¿Tienen de este?"]
        [hit] = (await shop.client.get(f"/api/search?kind=messages&q=de%20est&device_id={shop.device}"))["items"]
        assert (hit["chat_id"], hit["message_id"]) == (chat["id"], arrived["id"])
        assert hit["excerpt"] == {"text": "¿Tienen de este?", "hits": [[8, 10], [11, 15]]}
        around = await shop.client.get(f"/api/chats/{chat['id']}/messages?around={hit['message_id']}")
        assert around["items"] == page["items"]

        await shop.client.post(f"/api/chats/{chat['id']}/read")
        await socket.event("chat_read", id=chat["id"])
        assert await read_at(shop, customer, wa_id)
        assert (await shop.client.get(f"/api/chats/{chat['id']}"))["unread"] == 0

        answer = await shop.client.post("/api/messages/send", {"chat_id": chat["id"], "text": "Sí, en azul."}, key="answer-1")
        assert answer["status"] == "queued"
        sent = await socket.event("message_sent", id=answer["id"])
        assert sent["status"] == "sent"
        [received] = await shop.inbox(customer, 1)
        assert received["text"] == "Sí, en azul."
        await socket.event("message_status", id=answer["id"], status="delivered")

        await shop.network.ask("POST", f"/phones/{customer}/receipts", {"id": received["id"], "type": "read"})
        await socket.event("message_status", id=answer["id"], status="read")
        assert (await shop.client.get(f"/api/messages/{answer['id']}"))["status"] == "read"


async def read_at(shop: Shop, customer: str, wa_id: str) -> bool:
    """Whether the customer's phone shows blue ticks for what it sent."""

    async def ticks() -> bool:
        items = (await shop.network.get(f"/phones/{customer}/receipts?after=0&wait=1"))["items"]
        return any(item["id"] == wa_id and item["type"] == "read" for item in items)

    return await eventually(ticks, 20, "no blue ticks")


async def test_a_message_to_somebody_new_opens_a_chat(shop: Shop):
    customer = await shop.customer("Marta")
    async with shop.client.socket() as socket:
        message = await shop.client.post("/api/messages/send", {"device_id": shop.device, "to": f"+{customer}", "text": "Hola, Marta"})
        await socket.event("message_sent", id=message["id"])
        [received] = await shop.inbox(customer, 1)
        assert received["text"] == "Hola, Marta"
        await shop.writes(customer, "¡Hola!")
        answer = await socket.event("new_message", text="¡Hola!")
        assert answer["chat_id"] == message["chat_id"], "the phone and the LID of one person are one chat"
        contact = (await shop.client.get(f"/api/chats/{message['chat_id']}"))["contact"]["id"]

        await shop.client.post(f"/api/contacts/{contact}/block")
        assert await blocks(shop, contact) == [(True, "done")]
        assert (await shop.network.get(f"/phones/{shop.number}"))["blocked"] == [customer]
        await shop.writes(customer, "¿Me lees?")
        await shop.client.post(f"/api/contacts/{contact}/unblock")
        assert await blocks(shop, contact) == []
        await shop.writes(customer, "¿Y ahora?")
        await socket.event("new_message", text="¿Y ahora?")
        page = await shop.client.get(f"/api/chats/{message['chat_id']}/messages")
        assert "¿Me lees?" not in [one["text"] for one in page["items"]], "WhatsApp kept it to itself"


async def blocks(shop: Shop, contact: str) -> list[tuple[bool, str]]:
    """What the numbers do about a contact on WhatsApp, once none of them has still to say it."""

    async def settled() -> bool:
        return all(one["state"] != "pending" for one in (await shop.client.get(f"/api/contacts/{contact}"))["blocks"])

    await eventually(settled, 60, "the number says nothing of the block")
    return [(one["blocked"], one["state"]) for one in (await shop.client.get(f"/api/contacts/{contact}"))["blocks"]]


async def test_a_message_typed_on_the_owners_phone_appears_as_sent_by_the_number(shop: Shop):
    customer = await shop.customer()
    async with shop.client.socket() as socket:
        await shop.network.ask("POST", f"/phones/{shop.number}/typed", {"to": customer, "text": "Desde mi teléfono"})
        message = await socket.event("new_message", text="Desde mi teléfono")
        assert message["from_me"] is True
        chat = await shop.client.get(f"/api/chats/{message['chat_id']}")
        assert chat["unread"] == 0


async def test_what_cannot_be_decrypted_shows_a_placeholder_until_its_retry_comes(shop: Shop):
    customer = await shop.customer()
    await shop.network.ask("POST", f"/phones/{customer}/corrupt", {})
    async with shop.client.socket() as socket:
        await shop.writes(customer, "a la segunda")

        async def readable() -> bool:
            chats = (await shop.client.get("/api/chats"))["items"]
            return any(chat["last_message"]["text"] == "a la segunda" for chat in chats if chat["last_message"])

        await eventually(readable, 30, "the retry did not come")
        del socket
    chat = (await shop.client.get("/api/chats"))["items"][0]
    page = await shop.client.get(f"/api/chats/{chat['id']}/messages")
    assert [message["text"] for message in page["items"]] == ["a la segunda"]


async def test_a_number_pairs_by_code_too(system, network, owner):
    number = await system.phone(network, "Con código")
    device = (await owner.add_device("Soporte"))["id"]
    code = (await owner.post(f"/api/devices/{device}/pairing-code", {"phone": number}))["code"]
    await network.ask("POST", f"/phones/{number}/code", {"code": code})
    await owner.connected(device)
    assert (await owner.get(f"/api/devices/{device}"))["phone"] == number


async def test_the_seeds_names_for_numbers_lead_to_the_same_place(system, owner):
    made = await owner.post("/api/whatsapp", {"name": "Ventas"})
    listed = (await owner.get("/api/whatsapp"))["items"]
    assert [device["id"] for device in listed] == [made["id"]]
    assert (await owner.get(f"/api/devices/{made['id']}"))["name"] == "Ventas"


async def test_disconnect_keeps_the_link_and_connect_needs_no_new_qr(shop: Shop):
    customer = await shop.customer()
    async with shop.client.socket() as socket:
        await shop.client.post(f"/api/devices/{shop.device}/disconnect")
        await socket.event("device_status", id=shop.device, state="disconnected")
        await shop.writes(customer, "mientras no estabas")
        waiting = await shop.client.post("/api/messages/send", {"device_id": shop.device, "to": customer, "text": "luego"})
        assert waiting["status"] == "queued"
        await shop.client.post(f"/api/devices/{shop.device}/connect")
        seen = {"new_message": False, "message_sent": False}
        async with asyncio.timeout(40):
            while not all(seen.values()):
                frame = await socket.next()
                if frame["event"] in seen:
                    seen[frame["event"]] = True
    [received] = await shop.inbox(customer, 1)
    assert received["text"] == "luego"


async def test_a_queued_message_that_expires_fails_with_its_reason(shop: Shop):
    customer = await shop.customer()
    await shop.client.post(f"/api/devices/{shop.device}/disconnect")
    async with shop.client.socket() as socket:
        message = await shop.client.post("/api/messages/send", {"device_id": shop.device, "to": customer, "text": "tarde", "expires_in": 1})
        failed = await socket.event("message_status", id=message["id"], status="failed")
        assert failed["reason"] == "expired"


async def test_a_number_that_is_not_on_whatsapp_fails_with_its_reason(shop: Shop):
    async with shop.client.socket() as socket:
        message = await shop.client.post("/api/messages/send", {"device_id": shop.device, "to": "5215500000000", "text": "¿hay alguien?"})
        failed = await socket.event("message_status", id=message["id"], status="failed")
        assert failed["reason"] == "not-on-whatsapp"


async def test_the_same_send_twice_with_one_key_reaches_the_phone_once(shop: Shop):
    customer = await shop.customer()
    body = {"device_id": shop.device, "to": customer, "text": "una vez"}
    first = await shop.client.post("/api/messages/send", body, key="k1")
    second = await shop.client.post("/api/messages/send", body, key="k1")
    assert first["id"] == second["id"]
    last = await shop.client.post("/api/messages/send", {**body, "text": "y otra"}, key="k2")
    assert last["id"] != first["id"]
    assert [item["text"] for item in await shop.inbox(customer, 2)] == ["una vez", "y otra"]


async def test_logout_from_the_phone_is_told_with_what_to_do(shop: Shop):
    async with shop.client.socket() as socket:
        await shop.network.ask("POST", f"/sessions/{shop.number}/logout", {})
        told = await socket.event("device_status", id=shop.device, state="logged_out")
        assert told["reason"]
        assert told["action"]


async def test_a_browser_that_comes_back_gets_what_it_missed(shop: Shop):
    customer = await shop.customer()
    async with shop.client.socket() as socket:
        await shop.writes(customer, "uno")
        await socket.event("new_message", text="uno")
        since = (socket.epoch, socket.seq)
    for text in ("dos", "tres"):
        await shop.writes(customer, text)

    async def stored() -> bool:
        chats = (await shop.client.get("/api/chats"))["items"]
        return bool(chats and chats[0]["last_message"]["text"] == "tres")

    await eventually(stored, 20, "not stored")
    async with shop.client.socket(since=since) as socket:
        texts = [(await socket.event("new_message"))["text"] for _ in range(2)]
    assert texts == ["dos", "tres"]

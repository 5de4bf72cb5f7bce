"""The public routes, over HTTP on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
import pytest
from contracts import ids, subjects
from contracts.commands import MarkRead, SendMessage
from contracts.events.conversations import ChatChanged, ChatRead, ContactChanged, ContactCreated, MessageQueued
from contracts.events.devices import DeviceState
from contracts.ids import DeviceId
from contracts.principal import Role
from contracts.whatsapp import Address

from .facts import ANA, ANA_LID, BEA, a_deletion, a_device, a_message, later


@pytest.fixture
def ana(signed_in, tenant):
    """An agent of the tenant."""
    return signed_in(Role.AGENT, tenant)


@pytest.fixture
def public_device(device):
    return ids.public(ids.DEVICE, device)


async def only_chat(client, caller):
    [chat] = (await client.get("/api/chats", headers=caller.headers)).json()["items"]
    return chat


async def test_a_chat_shows_its_contact_and_last_message(client, world, tenant, device, ana, public_device):
    await world.handle([a_message(tenant, device, push_name="Ana", text="¿Hay pan?", at=later(1))])
    chat = await only_chat(client, ana)
    assert chat["device_id"] == public_device
    assert chat["contact"] == {"id": chat["contact"]["id"], "name": "Ana", "phone": ANA.value}
    assert chat["unread"] == 1
    assert chat["last_message"]["text"] == "¿Hay pan?"
    assert chat["last_message"]["chat_id"] == chat["id"]
    assert chat["last_message_at"] == chat["last_message"]["at"] == "2026-11-21T12:00:01Z"
    assert (await client.get(f"/api/chats/{chat['id']}", headers=ana.headers)).json() == chat
    shown = await client.get(f"/api/messages/{chat['last_message']['id']}", headers=ana.headers)
    assert shown.json() == chat["last_message"]


async def test_chats_come_newest_first_in_pages(client, world, tenant, device, ana):
    facts = [a_message(tenant, device, chat=Address("pn", f"5511900000{n:03}"), at=later(n % 7)) for n in range(25)]
    await world.handle(facts)
    seen, cursor = [], None
    while True:
        params = {"limit": 10} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/chats", params=params, headers=ana.headers)).json()
        seen += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(seen) == len({chat["id"] for chat in seen}) == 25
    assert [chat["last_message_at"] for chat in seen] == sorted((chat["last_message_at"] for chat in seen), reverse=True)


async def test_chats_are_filtered(client, world, tenant, device, ana, public_device):
    other = DeviceId(ids.new())
    await world.handle(
        [
            a_message(tenant, device, push_name="Ána Pérez"),
            a_message(tenant, device, chat=BEA, push_name="Bea", from_me=True),
            a_message(tenant, other, chat=BEA, push_name="Bea"),
        ]
    )

    async def count(**params: object) -> int:
        response = await client.get("/api/chats", params=params, headers=ana.headers)
        assert response.status_code == 200
        return len(response.json()["items"])

    assert await count() == 3
    assert await count(device_id=public_device) == 2
    assert await count(unread=True) == 2
    assert await count(unread=False) == 1
    assert await count(q="ÁNA") == 1
    assert await count(q="+54 9 11") == 2
    assert await count(q="nobody") == 0
    assert await count(q="%") == 0


async def test_paging_through_messages_of_one_second_gives_each_once(client, world, tenant, device, ana):
    await world.handle([a_message(tenant, device, text=str(n)) for n in range(500)])
    chat = await only_chat(client, ana)
    texts, cursor = [], None
    while True:
        params = {"limit": 70} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(f"/api/chats/{chat['id']}/messages", params=params, headers=ana.headers)).json()
        texts += [item["text"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert texts == [str(n) for n in reversed(range(500))]


async def test_a_foreign_cursor_is_refused(client, world, tenant, device, ana, signed_in):
    await world.handle([a_message(tenant, device, chat=chat) for chat in (ANA, BEA)])
    await world.handle([a_message(tenant, device) for _ in range(2)])
    cursor = (await client.get("/api/chats", params={"limit": 1}, headers=ana.headers)).json()["next_cursor"]
    chat = (await client.get("/api/chats", headers=ana.headers)).json()["items"][0]["id"]
    stranger = signed_in(Role.AGENT)
    for path, params, headers in (
        ("/api/chats", {}, stranger.headers),
        ("/api/chats", {"unread": True}, ana.headers),
        (f"/api/chats/{chat}/messages", {}, ana.headers),
        ("/api/contacts", {}, ana.headers),
    ):
        response = await client.get(path, params=params | {"cursor": cursor}, headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, "bad-cursor")
    over = await client.get("/api/chats", params={"limit": 101}, headers=ana.headers)
    assert (over.status_code, over.json()["code"]) == (422, "invalid")


async def test_reading_a_chat_orders_blue_ticks_once(client, world, tenant, device, ana):
    await world.handle([a_message(tenant, device, wa_id=f"A{n}", at=later(n)) for n in range(3)])
    chat = await only_chat(client, ana)
    await world.forget_told()
    for _ in range(2):
        response = await client.post(f"/api/chats/{chat['id']}/read", headers=ana.headers)
        assert (response.status_code, response.json()["unread"]) == (200, 0)
    order, read = await world.told()
    assert isinstance(order.data, MarkRead)
    assert (order.data.wa_ids, order.data.chat, order.data.device) == (["A0", "A1", "A2"], ANA, device)
    assert isinstance(read.data, ChatRead)
    assert read.audience.device == device
    await world.handle([a_message(tenant, device, wa_id="A4", at=later(-5))])
    assert (await only_chat(client, ana))["unread"] == 1


async def test_reading_a_group_tells_each_writer(client, world, tenant, device, ana):
    group = Address("group", "1203630")
    await world.handle([a_message(tenant, device, chat=group, sender=who, wa_id=f"G{who.value}") for who in (ANA_LID, BEA)])
    await world.forget_told()
    await client.post(f"/api/chats/{(await only_chat(client, ana))['id']}/read", headers=ana.headers)
    assert {(order.data.sender, *order.data.wa_ids) for order in await world.told(MarkRead)} == {
        (ANA_LID, f"G{ANA_LID.value}"),
        (BEA, f"G{BEA.value}"),
    }


async def send(client, caller, key=None, **body):
    headers = caller.headers | ({"Idempotency-Key": key} if key else {})
    return await client.post("/api/messages/send", json=body, headers=headers)


async def test_a_text_into_a_chat_is_queued_and_ordered(client, world, tenant, device, ana):
    await world.handle([a_device(tenant, device), a_message(tenant, device)])
    chat = await only_chat(client, ana)
    await world.forget_told()
    response = await send(client, ana, chat_id=chat["id"], text="Sí 👍", expires_in=60)
    message = response.json()
    assert response.status_code == 202
    assert (message["status"], message["from_me"], message["text"], message["chat_id"]) == ("queued", True, "Sí 👍", chat["id"])
    assert message["author_id"] == ids.public(ids.USER, ana.principal.id)
    queued, order, changed = await world.told()
    assert isinstance(queued.data, MessageQueued)
    assert (changed.data.waiting_since, changed.data.revision, type(changed.data)) == (None, 2, ChatChanged)
    assert isinstance(order.data, SendMessage)
    assert order.id == ids.derived("send", order.data.message)
    assert ids.public(ids.MESSAGE, order.data.message) == queued.data.id == message["id"]
    assert (order.data.to, order.data.device, order.data.text) == (ANA, device, "Sí 👍")
    assert timedelta(0) < order.data.expires_at - datetime.now(UTC) <= timedelta(seconds=60)
    assert (await only_chat(client, ana))["last_message"] == message


async def test_a_text_to_a_phone_opens_the_chat(client, world, tenant, device, ana, public_device):
    await world.handle([a_device(tenant, device, state=DeviceState.DISCONNECTED)])
    first = await send(client, ana, device_id=public_device, to="+55 (11) 91234-5678", text="Hola")
    second = await send(client, ana, device_id=public_device, to="5511912345678", text="¿Está?")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["chat_id"] == second.json()["chat_id"]
    assert len(await world.told(ContactCreated)) == 1
    assert {order.data.to for order in await world.told(SendMessage)} == {ANA}
    await world.handle([a_message(tenant, device)])
    assert (await only_chat(client, ana))["id"] == first.json()["chat_id"]


async def test_a_text_goes_where_the_customer_last_wrote_from(client, world, tenant, device, ana):
    await world.handle([a_message(tenant, device, at=later(1)), a_message(tenant, device, chat=ANA_LID, chat_alt=ANA, at=later(2))])
    await send(client, ana, chat_id=(await only_chat(client, ana))["id"], text="Hola")
    [order] = await world.told(SendMessage)
    assert order.data.to == ANA_LID


async def test_one_key_is_one_message(client, world, tenant, device, ana, public_device):
    await world.handle([a_device(tenant, device)])
    body = {"device_id": public_device, "to": ANA.value, "text": "Hola"}
    first = await send(client, ana, "k1", **body)
    again = await send(client, ana, "k1", **body)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await send(client, ana, "k1", **(body | {"text": "Chau"}))
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-mismatch")
    assert len(await world.told(SendMessage)) == len(await world.rows("select 1 from messages")) == 1


async def test_two_at_once_with_one_key_are_one_message(client, world, tenant, device, ana, public_device):
    await world.handle([a_device(tenant, device)])
    body = {"device_id": public_device, "to": ANA.value, "text": "Hola"}
    responses = await asyncio.gather(*(send(client, ana, "k1", **body) for _ in range(6)))
    assert {response.status_code for response in responses} <= {202, 409}
    assert {r.json()["code"] for r in responses if r.status_code == 409} <= {"idempotency-in-flight"}
    assert len({r.json()["id"] for r in responses if r.status_code == 202}) == 1
    assert len(await world.rows("select 1 from messages")) == 1


async def test_two_at_once_without_a_key_are_two_messages_in_one_chat(client, world, tenant, device, ana, public_device):
    await world.handle([a_device(tenant, device)])
    responses = await asyncio.gather(*(send(client, ana, device_id=public_device, to=ANA.value, text="Hola") for _ in range(6)))
    assert [r.status_code for r in responses] == [202] * 6
    assert len({r.json()["chat_id"] for r in responses}) == 1
    assert len(await world.rows("select 1 from contacts")) == 1


async def test_a_device_that_is_not_known_yet_is_asked_for_once(client, world, bus, tenant, device, ana, public_device):
    asked = []

    async def owner(payload: bytes) -> bytes:
        asked.append(msgspec.json.decode(payload))
        return msgspec.json.encode(a_device(tenant, device).data if asked[-1]["device"] == str(device) else None)

    subscription = await bus.answer(subjects.ask("devices", "device"), owner, queue="devices")
    try:
        for _ in range(2):
            assert (await send(client, ana, device_id=public_device, to=ANA.value, text="Hola")).status_code == 202
        assert asked == [{"tenant": str(tenant), "device": str(device)}]
        unknown = await send(client, ana, device_id=ids.public(ids.DEVICE, ids.new()), to=ANA.value, text="Hola")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "device-not-found")
    finally:
        await subscription.close()


async def test_a_device_that_nobody_can_vouch_for_is_no_404(client, ana):
    response = await send(client, ana, device_id=ids.public(ids.DEVICE, ids.new()), to=ANA.value, text="Hola")
    assert (response.status_code, response.json()["code"]) == (503, "device-owner-away")


async def test_nothing_goes_over_a_removed_device(client, world, tenant, device, ana, public_device):
    await world.handle([a_device(tenant, device), a_message(tenant, device), a_deletion(tenant, device)])
    await world.handle([a_device(tenant, device, revision=9)])
    chat = await only_chat(client, ana)
    for where in ({"chat_id": chat["id"]}, {"device_id": public_device, "to": ANA.value}):
        response = await send(client, ana, text="Hola", **where)
        assert (response.status_code, response.json()["code"]) == (404, "device-not-found")
    assert await world.told(SendMessage) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "x"}, "invalid"),
        ({"text": "x", "to": ANA.value}, "invalid"),
        ({"text": "x", "chat_id": "cht_1"}, "invalid"),
        ({"text": "x", "device_id": ids.public(ids.DEVICE, ids.new()), "to": "12345"}, "phone-invalid"),
        ({"text": "x", "device_id": ids.public(ids.DEVICE, ids.new()), "to": "1" * 16}, "phone-invalid"),
        ({"text": "x", "device_id": ids.public(ids.DEVICE, ids.new()), "to": "ana"}, "phone-invalid"),
        ({"text": "", "chat_id": ids.public(ids.CHAT, ids.new())}, "invalid"),
        ({"text": " \n", "chat_id": ids.public(ids.CHAT, ids.new())}, "invalid"),
        ({"text": "a\0", "chat_id": ids.public(ids.CHAT, ids.new())}, "invalid"),
        ({"text": "x" * 60_001, "chat_id": ids.public(ids.CHAT, ids.new())}, "invalid"),
        ({"text": "x", "chat_id": ids.public(ids.CHAT, ids.new()), "expires_in": 0}, "invalid"),
        ({"text": "x", "chat_id": ids.public(ids.CHAT, ids.new()), "expires_in": 604_801}, "invalid"),
        ({"text": "x", "chat_id": ids.public(ids.CHAT, ids.new()), "colour": "red"}, "invalid"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_a_reason(client, world, ana, body, code):
    response = await send(client, ana, **body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert await world.rows("select 1 from messages") == []


@pytest.mark.parametrize("text", ["x" * 60_000, "👩‍👩‍👧‍👦" * 1000, "\u202eمرحبا שלום\u202c"])
async def test_long_and_strange_texts_are_sent_as_they_are(client, world, tenant, device, ana, text):
    await world.handle([a_message(tenant, device)])
    chat = await only_chat(client, ana)
    response = await send(client, ana, chat_id=chat["id"], text=text)
    assert response.status_code == 202
    page = await client.get(f"/api/chats/{chat['id']}/messages", headers=ana.headers)
    assert page.json()["items"][0]["text"] == text
    assert (await world.told(SendMessage))[0].data.text == text


async def test_unknown_and_foreign_ids_are_not_found(client, world, tenant, device, ana, signed_in):
    await world.handle([a_message(tenant, device)])
    chat = await only_chat(client, ana)
    stranger = signed_in(Role.OWNER)
    for caller, chat_id, message, contact in (
        (ana, *(ids.public(prefix, ids.new()) for prefix in (ids.CHAT, ids.MESSAGE, ids.CONTACT))),
        (stranger, chat["id"], chat["last_message"]["id"], chat["contact"]["id"]),
    ):
        for method, path, body, code in (
            ("GET", f"/api/chats/{chat_id}", None, "chat-not-found"),
            ("GET", f"/api/chats/{chat_id}/messages", None, "chat-not-found"),
            ("POST", f"/api/chats/{chat_id}/read", None, "chat-not-found"),
            ("POST", "/api/messages/send", {"chat_id": chat_id, "text": "x"}, "chat-not-found"),
            ("GET", f"/api/messages/{message}", None, "message-not-found"),
            ("GET", f"/api/contacts/{contact}", None, "contact-not-found"),
            ("PATCH", f"/api/contacts/{contact}", {"name": "x"}, "contact-not-found"),
        ):
            response = await client.request(method, path, json=body, headers=caller.headers)
            assert (response.status_code, response.json()["code"]) == (404, code), (method, path)
    for path in ("/api/chats", "/api/contacts"):
        assert (await client.get(path, headers=stranger.headers)).json() == {"items": [], "next_cursor": None}


async def test_an_id_of_another_kind_is_not_found(client, ana):
    for path in (f"/api/chats/{ids.public(ids.DEVICE, ids.new())}", f"/api/chats/{quote('cht_ÑÑ')}", "/api/messages/1", "/api/contacts/x"):
        response = await client.get(path, headers=ana.headers)
        assert (response.status_code, response.json()["code"]) == (404, "not-found"), path


async def test_nobody_gets_in_without_a_token(client):
    for method, path in (("GET", "/api/chats"), ("GET", "/api/contacts"), ("POST", "/api/messages/send"), ("POST", "/api/contacts")):
        assert (await client.request(method, path, json={})).status_code == 401


async def test_ids_of_what_was_merged_still_answer(client, world, tenant, device, ana):
    await world.handle([a_message(tenant, device, chat=ANA_LID, at=later(1)), a_message(tenant, device, at=later(2))])
    chats = (await client.get("/api/chats", headers=ana.headers)).json()["items"]
    contacts = (await client.get("/api/contacts", headers=ana.headers)).json()["items"]
    assert (len(chats), len(contacts)) == (2, 2)
    await world.handle([a_message(tenant, device, chat_alt=ANA_LID, at=later(3))])
    chat = await only_chat(client, ana)
    for old in chats:
        assert (await client.get(f"/api/chats/{old['id']}", headers=ana.headers)).json() == chat
        page = await client.get(f"/api/chats/{old['id']}/messages", headers=ana.headers)
        assert len(page.json()["items"]) == 3
    for old in contacts:
        assert (await client.get(f"/api/contacts/{old['id']}", headers=ana.headers)).json()["id"] == chat["contact"]["id"]
    assert (await send(client, ana, chat_id=chats[0]["id"], text="Hola")).json()["chat_id"] == chat["id"]


async def test_a_contact_is_entered_once_by_its_phone(client, world, ana):
    new = await client.post("/api/contacts", json={"phone": "+55 11 91234-5678", "name": "Ana"}, headers=ana.headers)
    known = await client.post("/api/contacts", json={"phone": "5511912345678"}, headers=ana.headers)
    renamed = await client.post("/api/contacts", json={"phone": "5511912345678", "name": "Ana P."}, headers=ana.headers)
    assert [r.status_code for r in (new, known, renamed)] == [201, 200, 200]
    assert new.json()["id"] == known.json()["id"] == renamed.json()["id"]
    assert [r.json()["name"] for r in (new, known, renamed)] == ["Ana", "Ana", "Ana P."]
    assert [type(e.data) for e in await world.told()] == [ContactCreated, ContactChanged]


async def test_a_given_name_stands_above_the_push_name(client, world, tenant, device, ana):
    await world.handle([a_message(tenant, device, push_name="anita_98")])
    contact = (await only_chat(client, ana))["contact"]
    path = f"/api/contacts/{contact['id']}"
    assert (await client.patch(path, json={"name": "Ana Pérez"}, headers=ana.headers)).json()["name"] == "Ana Pérez"
    await world.handle([a_message(tenant, device, push_name="anita_99", at=later(9))])
    assert (await only_chat(client, ana))["contact"]["name"] == "Ana Pérez"
    assert (await client.patch(path, json={"name": None}, headers=ana.headers)).json()["name"] == "anita_99"
    found = await client.get("/api/contacts", params={"q": "ANITA"}, headers=ana.headers)
    assert [item["id"] for item in found.json()["items"]] == [contact["id"]]


async def test_contacts_come_in_pages(client, ana):
    for n in range(5):
        await client.post("/api/contacts", json={"phone": f"551190000000{n}"}, headers=ana.headers)
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/contacts", params=params, headers=ana.headers)).json()
        seen += [item["phone"][-1] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ["4", "3", "2", "1", "0"]


async def test_two_enter_one_phone_at_once(client, world, ana):
    body = {"phone": "5511912345678", "name": "Ana"}
    responses = await asyncio.gather(*(client.post("/api/contacts", json=body, headers=ana.headers) for _ in range(8)))
    assert sorted(r.status_code for r in responses) == [200] * 7 + [201]
    assert len(await world.rows("select 1 from contacts")) == 1

"""Who sees some numbers only finds nothing of the others, and an API key does what it has the scope for."""

import pytest
from contracts import ids
from contracts.events.conversations import ChatChanged, ContactCreated, MessageQueued
from contracts.ids import DeviceId
from contracts.principal import Role, Scope
from contracts.whatsapp import Address
from servicekit.testing import eventually

from .facts import ANA, BEA, a_device, a_message, later

CARLA = Address("pn", "5491155550001")


@pytest.fixture
def unseen():
    """A number of the tenant that the agent does not see."""
    return DeviceId(ids.new())


@pytest.fixture
async def agent(client, world, tenant, device, unseen, signed_in, limited):
    """An agent who sees one of two numbers; Ana wrote to both, Bea to the seen one and Carla to the other."""
    await world.handle(
        [
            a_device(tenant, device),
            a_device(tenant, unseen),
            a_message(tenant, device, chat=ANA, push_name="Ana", text="seen", at=later(1)),
            a_message(tenant, unseen, chat=ANA, push_name="Ana", text="unseen", at=later(2)),
            a_message(tenant, device, chat=BEA, push_name="Bea", text="seen", at=later(3)),
            a_message(tenant, unseen, chat=CARLA, push_name="Carla", text="unseen", at=later(4)),
        ]
    )
    someone = signed_in(Role.AGENT, tenant)
    await limited(someone, device)

    async def heard():
        chats = (await client.get("/api/chats", headers=someone.headers)).json()["items"]
        return {chat["device_id"] for chat in chats} == {ids.public(ids.DEVICE, device)}

    await eventually(heard)
    return someone


async def items(client, path, someone, **params):
    response = await client.get(path, params=params, headers=someone.headers)
    assert response.status_code == 200, response.text
    return response.json()["items"]


async def test_lists_show_what_stands_on_the_numbers_that_are_seen(client, tenant, device, unseen, agent, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    public = {number: ids.public(ids.DEVICE, number) for number in (device, unseen)}
    assert [chat["contact"]["name"] for chat in await items(client, "/api/chats", agent)] == ["Bea", "Ana"]
    assert len(await items(client, "/api/chats", owner)) == 4
    assert len(await items(client, "/api/chats", agent, device_id=public[device])) == 2
    assert await items(client, "/api/chats", agent, device_id=public[unseen]) == []
    assert len(await items(client, "/api/chats", agent, q="Ana")) == 1
    assert await items(client, "/api/chats", agent, q="Carla") == []
    assert len(await items(client, "/api/chats", agent, unread=True)) == 2
    assert {contact["name"] for contact in await items(client, "/api/contacts", agent)} == {"Ana", "Bea"}
    assert await items(client, "/api/contacts", agent, q="Carla") == []
    assert {contact["name"] for contact in await items(client, "/api/contacts", owner)} == {"Ana", "Bea", "Carla"}


async def test_a_page_goes_on_over_several_numbers_and_gives_each_chat_once(client, world, tenant, device, unseen, signed_in, limited):
    third = DeviceId(ids.new())
    numbers = [device, unseen, third]
    facts = [a_message(tenant, numbers[n % 3], chat=Address("pn", f"5511900000{n:03}"), at=later(n % 7)) for n in range(30)]
    await world.handle(facts)
    someone = signed_in(Role.AGENT, tenant)
    await limited(someone, device, third)

    async def every():
        seen, cursor = [], None
        while True:
            page = await client.get("/api/chats", params={"limit": 6} | ({"cursor": cursor} if cursor else {}), headers=someone.headers)
            seen += page.json()["items"]
            if (cursor := page.json()["next_cursor"]) is None:
                return seen

    async def twenty():
        return len(await every()) == 20

    await eventually(twenty)
    seen = await every()
    assert {chat["device_id"] for chat in seen} == {ids.public(ids.DEVICE, number) for number in (device, third)}
    assert len({chat["id"] for chat in seen}) == 20
    assert [chat["last_message_at"] for chat in seen] == sorted((chat["last_message_at"] for chat in seen), reverse=True)


async def test_what_stands_on_another_number_is_not_there(client, world, tenant, unseen, agent, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    [chat] = await items(client, "/api/chats", owner, q="Carla")
    await world.forget_told()
    number, nothing = ids.public(ids.DEVICE, unseen), ids.public(ids.DEVICE, ids.new())
    attempts = [
        ("GET", f"/api/chats/{chat['id']}", None, "chat-not-found"),
        ("GET", f"/api/chats/{chat['id']}/messages", None, "chat-not-found"),
        ("POST", f"/api/chats/{chat['id']}/read", None, "chat-not-found"),
        ("GET", f"/api/messages/{chat['last_message']['id']}", None, "message-not-found"),
        ("GET", f"/api/contacts/{chat['contact']['id']}", None, "contact-not-found"),
        ("PATCH", f"/api/contacts/{chat['contact']['id']}", {"name": "Mine"}, "contact-not-found"),
        ("POST", "/api/messages/send", {"chat_id": chat["id"], "text": "Hola"}, "chat-not-found"),
        ("POST", "/api/messages/send", {"device_id": number, "to": CARLA.value, "text": "Hola"}, "device-not-found"),
        ("POST", "/api/messages/send", {"device_id": nothing, "to": "5491155550002", "text": "x"}, "device-not-found"),
    ]  # fmt: skip
    for method, path, body, code in attempts:
        refused = await client.request(method, path, json=body, headers=agent.headers)
        assert (refused.status_code, refused.json()["code"]) == (404, code), (method, path)
    assert await world.told() == []
    for method, path, body, _ in attempts[:-1]:
        assert (await client.request(method, path, json=body, headers=owner.headers)).status_code < 300, (method, path)


async def test_on_a_number_that_is_seen_all_goes_on(client, tenant, device, agent):
    [chat] = await items(client, "/api/chats", agent, q="Bea")
    number = ids.public(ids.DEVICE, device)
    for method, path, body in (
        ("GET", f"/api/chats/{chat['id']}", None),
        ("GET", f"/api/chats/{chat['id']}/messages", None),
        ("POST", f"/api/chats/{chat['id']}/read", None),
        ("GET", f"/api/messages/{chat['last_message']['id']}", None),
        ("GET", f"/api/contacts/{chat['contact']['id']}", None),
        ("PATCH", f"/api/contacts/{chat['contact']['id']}", {"name": "Bea M."}),
        ("POST", "/api/messages/send", {"chat_id": chat["id"], "text": "Hola"}),
        ("POST", "/api/messages/send", {"device_id": number, "to": CARLA.value, "text": "Hola"}),
    ):
        assert (await client.request(method, path, json=body, headers=agent.headers)).status_code < 300, (method, path)
    assert "Carla" in {contact["name"] for contact in await items(client, "/api/contacts", agent)}


async def test_entering_a_contact_does_not_tell_who_is_known_on_other_numbers(client, world, agent):
    await world.forget_told()
    told = set()
    for phone in (CARLA.value, "5491155559999"):
        refused = await client.post("/api/contacts", json={"phone": phone, "name": "Mine"}, headers=agent.headers)
        told.add((refused.status_code, refused.json()["code"], refused.json()["detail"]))
    assert {(status, code) for status, code, _ in told} == {(403, "contact-unseen")}
    assert len(told) == 1
    assert await world.told() == []
    assert [row["phone"] for row in await world.rows("select phone from contacts where phone = '5491155559999'")] == []
    named = await client.post("/api/contacts", json={"phone": BEA.value, "name": "Bea M."}, headers=agent.headers)
    assert (named.status_code, named.json()["name"]) == (200, "Bea M.")


async def test_who_sees_no_number_sees_nothing_and_may_see_all_again(client, tenant, agent, limited):
    await limited(agent)

    async def counted(path, count):
        return len(await items(client, path, agent)) == count

    await eventually(lambda: counted("/api/chats", 0))
    assert await items(client, "/api/contacts", agent) == []
    await limited(agent, all=True)
    await eventually(lambda: counted("/api/chats", 4))
    assert len(await items(client, "/api/contacts", agent)) == 3


async def test_a_contact_is_told_of_where_it_was_heard_of(world, agent, device, unseen):
    told = {one.data.name: one.audience.device for one in await world.told(ContactCreated)}
    assert told["Bea"] == device
    assert told["Carla"] == unseen


async def test_a_message_of_a_key_names_the_key_as_its_author(client, world, tenant, device, signed_in):
    await world.handle([a_device(tenant, device), a_message(tenant, device)])
    key = signed_in(Role.AGENT, tenant, scopes=[Scope.SEND, Scope.READ])
    [chat] = await items(client, "/api/chats", key)
    sent = await client.post("/api/messages/send", json={"chat_id": chat["id"], "text": "Hola"}, headers=key.headers)
    assert sent.status_code == 202
    assert sent.json()["author_id"] == ids.public(ids.KEY, key.principal.id)
    assert (await client.get(f"/api/messages/{sent.json()['id']}", headers=key.headers)).json() == sent.json()
    [queued] = await world.told(MessageQueued)
    assert queued.data.author_id == sent.json()["author_id"]


async def test_every_operation_needs_the_scope_that_the_documentation_names(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    every = {(method, path): operation for path, methods in paths.items() for method, operation in methods.items()}
    scopes = {key: operation["x-scope"] for key, operation in every.items() if "x-scope" in operation}
    assert set(every) - set(scopes) == {("get", "/api/media/file")}, "its address is signed"
    settings = {
        ("put", "/api/assignment"),
        ("put", "/api/assignment/devices/{id}"),
        ("put", "/api/assignment/teams/{id}"),
        ("put", "/api/assignment/agents/{id}"),
        ("post", "/api/hours"),
        ("put", "/api/hours/{id}"),
        ("delete", "/api/hours/{id}"),
        ("put", "/api/contact-states"),
        ("put", "/api/contact-fields"),
        ("post", "/api/contacts/imports"),
        ("post", "/api/contacts/imports/{id}/check"),
        ("post", "/api/contacts/imports/{id}/start"),
        ("post", "/api/contacts/imports/{id}/cancel"),
        ("post", "/api/contacts/{id}/erase"),
        ("post", "/api/contacts/{id}/exports"),
        ("put", "/api/privacy/retention"),
        ("delete", "/api/privacy/exports/{id}"),
    }
    for operation, scope in scopes.items():
        assert scope == ("settings" if operation in settings else "read" if operation[0] == "get" else "send"), operation
    assert settings <= set(scopes)


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/api/chats", Scope.READ),
        ("GET", "/api/contacts", Scope.READ),
        ("POST", "/api/messages/send", Scope.SEND),
        ("POST", "/api/chats/cht_01JD3V6Q5J8R2Y0T4W7X9Z1B3C/read", Scope.SEND),
        ("POST", "/api/contacts", Scope.SEND),
    ],
)
async def test_a_key_without_the_scope_is_refused(client, signed_in, method, path, needed):
    body = (
        {"device_id": ids.public(ids.DEVICE, ids.new()), "to": "5491155550002", "text": "x"}
        if "send" in path
        else {"phone": "5491155550002"}
    )
    key = signed_in(Role.OWNER, scopes=set(Scope) - {needed})
    refused = await client.request(method, path, json=body, headers=key.headers)
    assert (refused.status_code, refused.json()["code"], refused.json()["scope"]) == (403, "scope-missing", needed)


async def test_whoever_sees_a_chat_hears_that_its_contact_is_called_something_else(client, world, tenant, device, unseen, agent, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    [ana] = await items(client, "/api/contacts", owner, q="Ana")
    await world.forget_told()
    answer = await client.patch(f"/api/contacts/{ana['id']}", json={"name": "Ana Paz"}, headers=owner.headers)
    assert answer.status_code == 200, answer.text
    told = [envelope for envelope in await world.told(ChatChanged) if envelope.data.contact_id == ana["id"]]
    assert {envelope.audience.device for envelope in told} == {device, unseen}
    assert {(envelope.data.name, envelope.data.actor.id) for envelope in told} == {("Ana Paz", owner.principal.id)}
    await world.forget_told()
    await client.patch(f"/api/contacts/{ana['id']}", json={"name": "Ana Paz"}, headers=owner.headers)
    assert await world.told(ChatChanged) == []

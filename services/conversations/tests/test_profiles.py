"""What a team knows of its contacts: states, tags, fields of its own, notes; and that it outlives a merge."""

import pytest
from contracts import ids
from contracts.events.conversations import ContactChanged
from contracts.principal import Role

from .facts import ANA, ANA_LID, BEA, a_device, a_message, later


@pytest.fixture
def boss(signed_in, tenant):
    return signed_in(tenant=tenant)


@pytest.fixture
async def ana(world, client, tenant, device, boss):
    """The contact who wrote first."""
    await world.handle([a_device(tenant, device), a_message(tenant, device, push_name="Ana Paz")])
    [contact] = (await client.get("/api/contacts", headers=boss.headers)).json()["items"]
    await world.forget_told()
    return contact


async def put(client, who, path, *items):
    return await client.put(path, json={"items": list(items)}, headers=who.headers)


async def change(client, who, contact, **changes):
    return await client.patch(f"/api/contacts/{contact['id']}", json=changes, headers=who.headers)


async def names(client, who, **query):
    return [one["name"] for one in (await client.get("/api/contacts", params=query, headers=who.headers)).json()["items"]]


async def test_an_account_begins_with_the_usual_states_and_sets_its_own(client, boss, signed_in, tenant):
    first = (await client.get("/api/contact-states", headers=boss.headers)).json()["items"]
    assert [one["name"] for one in first] == ["Nuevo", "Interesado", "Cliente", "Perdido"]
    assert (await client.get("/api/contact-states", headers=boss.headers)).json()["items"] == first
    answer = await put(client, boss, "/api/contact-states", first[2], {"name": "Socio"})
    assert [one["name"] for one in answer.json()["items"]] == ["Cliente", "Socio"]
    assert answer.json()["items"][0] == first[2]
    agent = signed_in(Role.AGENT, tenant)
    assert (await put(client, agent, "/api/contact-states")).status_code == 403
    assert (await put(client, boss, "/api/contact-states", {"name": "Uno"}, {"name": "uno"})).status_code == 422


async def test_a_contact_is_put_into_a_state_tagged_and_filled_in_and_that_is_told(client, world, boss, ana):
    await put(client, boss, "/api/contact-fields", {"key": "size", "name": "Talla", "kind": "choice", "choices": ["S", "M"]})
    tag = (await client.post("/api/tags", json={"name": "VIP"}, headers=boss.headers | {"Idempotency-Key": "t"})).json()
    await world.forget_told()
    state = (await client.get("/api/contact-states", headers=boss.headers)).json()["items"][2]
    answer = await change(client, boss, ana, state_id=state["id"], add_tags=[tag["id"]], fields={"size": "M"})
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["state_id"], shown["tags"], shown["fields"]) == (state["id"], [tag["id"]], {"size": "M"})
    [told] = await world.told(ContactChanged)
    assert (told.data.profile.state_id, told.data.profile.tags, told.data.profile.fields) == (state["id"], (tag["id"],), {"size": "M"})
    await change(client, boss, ana, state_id=state["id"])
    assert len(await world.told(ContactChanged)) == 1, "nothing changed, nothing is told"
    assert await names(client, boss, tag_id=tag["id"]) == await names(client, boss, state_id=state["id"]) == ["Ana Paz"]
    await put(client, boss, "/api/contact-states", {"name": "Otro"})
    assert await names(client, boss, state_id=state["id"]) == []
    await client.delete(f"/api/tags/{tag['id']}", headers=boss.headers)
    again = (await client.get(f"/api/contacts/{ana['id']}", headers=boss.headers)).json()
    assert (again["state_id"], again["tags"], again["fields"]) == (None, [], {"size": "M"})
    assert (await change(client, boss, ana, fields={"size": None})).json()["fields"] == {}


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ({"kind": "number"}, "7"),
        ({"kind": "number"}, True),
        ({"kind": "date"}, "2026-02-30"),
        ({"kind": "boolean"}, "yes"),
        ({"kind": "choice", "choices": ["S"]}, "XL"),
        ({"kind": "text"}, "x" * 1_001),
    ],
)
async def test_a_value_that_does_not_fit_its_field_is_refused_and_nothing_changes(client, boss, ana, field, wrong):
    await put(client, boss, "/api/contact-fields", {"key": "it", "name": "It"} | field)
    answer = await change(client, boss, ana, name="Otra", fields={"it": wrong})
    assert (answer.status_code, answer.json()["code"]) == (422, "contact-field-invalid")
    assert await names(client, boss) == ["Ana Paz"]
    assert (await change(client, boss, ana, fields={"unknown": 1})).json()["code"] == "contact-field-invalid"
    gone = ids.public(ids.CONTACT_STATE, ids.new())
    assert (await change(client, boss, ana, state_id=gone)).json()["code"] == "contact-state-not-found"


async def test_notes_are_written_paged_and_taken_away(client, boss, ana, signed_in):
    path = f"/api/contacts/{ana['id']}/notes"
    for number in range(3):
        sent = await client.post(path, json={"text": f"n{number}"}, headers=boss.headers | {"Idempotency-Key": f"n{number}"})
        assert sent.status_code == 201
    page = (await client.get(path, params={"limit": 2}, headers=boss.headers)).json()
    rest = (await client.get(path, params={"limit": 2, "cursor": page["next_cursor"]}, headers=boss.headers)).json()
    assert [one["text"] for one in page["items"] + rest["items"]] == ["n2", "n1", "n0"]
    assert page["items"][0]["author_id"] == ids.public(ids.USER, boss.principal.id)
    note = page["items"][0]["id"]
    stranger = signed_in()
    assert (await client.get(path, headers=stranger.headers)).status_code == 404
    assert (await client.delete(f"{path}/{note}", headers=boss.headers)).status_code == 204
    assert (await client.delete(f"{path}/{note}", headers=boss.headers)).json()["code"] == "note-not-found"


async def test_what_was_known_of_two_who_are_one_is_known_of_that_one(world, client, boss, tenant, device):
    await world.handle([a_device(tenant, device), a_message(tenant, device), a_message(tenant, device, chat=ANA_LID, at=later(1))])
    one, two = (await client.get("/api/contacts", headers=boss.headers)).json()["items"]
    await put(client, boss, "/api/contact-fields", *({"key": key, "name": key, "kind": "text"} for key in "ab"))
    tag = (await client.post("/api/tags", json={"name": "VIP"}, headers=boss.headers | {"Idempotency-Key": "t"})).json()
    await change(client, boss, one, fields={"a": "1"}, add_tags=[tag["id"]])
    await change(client, boss, two, fields={"b": "2"})
    await client.post(f"/api/contacts/{two['id']}/notes", json={"text": "hola"}, headers=boss.headers | {"Idempotency-Key": "n"})
    await world.handle([a_message(tenant, device, chat=ANA, chat_alt=ANA_LID, at=later(2)), a_message(tenant, device, chat=BEA)])
    shown = (await client.get(f"/api/contacts/{two['id']}", headers=boss.headers)).json()
    assert (shown["fields"], shown["tags"]) == ({"a": "1", "b": "2"}, [tag["id"]])
    assert [n["text"] for n in (await client.get(f"/api/contacts/{one['id']}/notes", headers=boss.headers)).json()["items"]] == ["hola"]

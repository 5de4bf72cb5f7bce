"""Contacts that are made one by hand, and contacts with whom nobody wants to speak."""

import asyncio

import pytest
from contracts import ids
from contracts.commands import SendMessage
from contracts.events.conversations import ChatChanged, ContactChanged, MessageReceived

from .facts import ANA, BEA, a_device, a_message, later


@pytest.fixture
def boss(signed_in, tenant):
    return signed_in(tenant=tenant)


@pytest.fixture
async def both(world, client, tenant, device, boss):
    """Two who wrote, the first one first."""
    await world.handle(
        [
            a_device(tenant, device),
            a_message(tenant, device, push_name="Ana"),
            a_message(tenant, device, chat=BEA, push_name="Bea", at=later(1)),
        ]
    )
    bea, ana = (await client.get("/api/contacts", headers=boss.headers)).json()["items"]
    if ana["name"] == "Bea":
        ana, bea = bea, ana
    await world.forget_told()
    return ana, bea


async def post(client, who, path, body=None, key="k"):
    return await client.post(path, json=body or {}, headers=who.headers | {"Idempotency-Key": key})


async def get(client, who, path):
    return (await client.get(path, headers=who.headers)).json()


async def test_two_contacts_become_one_with_all_that_both_had(client, world, boss, both, device):
    ana, bea = both
    await client.put("/api/contact-fields", json={"items": [{"key": k, "name": k, "kind": "text"} for k in "ab"]}, headers=boss.headers)
    tag = (await post(client, boss, "/api/tags", {"name": "VIP"})).json()["id"]
    await client.patch(
        f"/api/contacts/{ana['id']}", json={"fields": {"a": "1", "b": "1"}, "email": "Ana@Example.com"}, headers=boss.headers
    )
    await client.patch(
        f"/api/contacts/{bea['id']}", json={"fields": {"a": "2", "b": "2"}, "add_tags": [tag], "name": "Beatriz"}, headers=boss.headers
    )
    await post(client, boss, f"/api/contacts/{bea['id']}/notes", {"text": "hola"}, "n")
    await world.forget_told()
    merged = await post(client, boss, f"/api/contacts/{bea['id']}/merge", {"into": ana["id"], "take": ["name", "fields.b"]}, "m")
    assert merged.status_code == 200, merged.text
    one = merged.json()
    assert (one["id"], one["name"], one["email"], one["fields"], one["tags"]) == (
        *(ana["id"], "Beatriz", "ana@example.com", {"a": "1", "b": "2"}),
        [tag],
    )
    assert (await get(client, boss, f"/api/contacts/{bea['id']}")) == one, "the id that is gone leads to the one that stands for both"
    assert [note["text"] for note in (await get(client, boss, f"/api/contacts/{ana['id']}/notes"))["items"]] == ["hola"]
    [chat] = (await get(client, boss, "/api/chats"))["items"]
    assert len((await get(client, boss, f"/api/chats/{chat['id']}/messages"))["items"]) == 2
    [told] = await world.told(ContactChanged)
    assert (told.data.id, told.data.merged, told.data.deed, told.data.actor.id) == (ana["id"], bea["id"], "merged", boss.principal.id)
    [change] = [event.data for event in await world.told(ChatChanged)]
    assert (change.contact_id, change.id, len(change.merged)) == (ana["id"], chat["id"], 1)
    again = await post(client, boss, f"/api/contacts/{bea['id']}/merge", {"into": ana["id"]}, "again")
    assert again.json() == one, "what is done is done"
    await world.handle([a_message(chat_tenant(boss), device, chat=BEA, at=later(9))])
    assert len((await get(client, boss, "/api/contacts"))["items"]) == 1, "both phones lead to one"


def chat_tenant(boss):
    return boss.principal.tenant


async def test_merges_that_cross_lose_nobody(client, world, boss, both):
    ana, bea = both
    answers = await asyncio.gather(
        post(client, boss, f"/api/contacts/{bea['id']}/merge", {"into": ana["id"]}, "one"),
        post(client, boss, f"/api/contacts/{ana['id']}/merge", {"into": bea["id"]}, "two"),
        *(post(client, boss, f"/api/contacts/{one['id']}/notes", {"text": f"n{n}"}, f"n{n}") for n, one in enumerate((ana, bea, ana, bea))),
    )
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    [left] = (await get(client, boss, "/api/contacts"))["items"]
    for id in (ana["id"], bea["id"]):
        assert (await get(client, boss, f"/api/contacts/{id}"))["id"] == left["id"]
    written = sum(answer.status_code == 201 for answer in answers[2:])
    assert len((await get(client, boss, f"/api/contacts/{left['id']}/notes"))["items"]) == written
    assert await world.rows("select from contact_notes n where not exists (select from contacts k where k.id = n.contact)") == []
    assert len(await world.rows("select from contact_aliases a join contacts k on k.id = a.contact")) == 2
    assert len(await world.rows("select from messages m join chats h on h.id = m.chat")) == 2


async def test_a_note_waits_for_whoever_changes_its_contact(client, world, boss, both):
    ana, _ = both
    async with world.admin.transaction():
        await world.rows("select from contacts where id = $1 for update", ids.parse(ids.CONTACT, ana["id"]))
        writing = asyncio.create_task(post(client, boss, f"/api/contacts/{ana['id']}/notes", {"text": "hola"}))
        _, waits = await asyncio.wait({writing}, timeout=0.5)
        assert waits, "it would be a note of somebody who is merged into another one right now"
    assert (await writing).status_code == 201


async def test_nobody_is_merged_into_himself_or_into_somebody_elses(client, boss, both, signed_in):
    ana, bea = both
    path = f"/api/contacts/{ana['id']}/merge"
    assert (await post(client, boss, path, {"into": ana["id"]})).json()["code"] == "merge-invalid"
    assert (await post(client, boss, path, {"into": ids.public(ids.CONTACT, ids.new())})).json()["code"] == "contact-not-found"
    assert (await post(client, signed_in(), path, {"into": bea["id"]})).json()["code"] == "contact-not-found"
    assert (await post(client, boss, path, {"into": bea["id"], "take": ["shoes"]})).status_code == 422


async def test_who_may_be_the_same_is_found_by_mail_name_and_phone(client, boss, both, signed_in):
    ana, bea = both
    other = (await post(client, boss, "/api/contacts", {"phone": "+551112345678", "name": "Otra"}, "o")).json()
    await client.patch(f"/api/contacts/{ana['id']}", json={"email": "a@b.co"}, headers=boss.headers)
    await client.patch(f"/api/contacts/{bea['id']}", json={"email": "A@B.co", "name": "ana"}, headers=boss.headers)
    bad = await client.patch(f"/api/contacts/{ana['id']}", json={"email": "nowhere"}, headers=boss.headers)
    assert bad.json()["code"] == "email-invalid"
    found = (await get(client, boss, f"/api/contacts/{ana['id']}/duplicates"))["items"]
    assert [(one["contact"]["id"], one["why"]) for one in found] == [(bea["id"], "email")]
    assert other["phone"] == "551112345678"


async def test_a_blocked_contact_is_written_nothing_and_what_it_writes_is_no_news(client, world, boss, both, tenant, device):
    ana, _ = both
    [chat] = [one for one in (await get(client, boss, "/api/chats"))["items"] if one["contact"]["id"] == ana["id"]]
    blocked = await post(client, boss, f"/api/contacts/{ana['id']}/block")
    assert blocked.json()["blocked"] is True
    assert [event.data.deed for event in await world.told(ContactChanged)] == ["blocked"]
    await post(client, boss, f"/api/contacts/{ana['id']}/block")
    assert len(await world.told(ContactChanged)) == 1, "doing it again is no news"
    shown = await get(client, boss, f"/api/chats/{chat['id']}")
    assert (shown["status"], shown["unread"]) == ("closed", 0)
    refused = await post(client, boss, "/api/messages/send", {"chat_id": chat["id"], "text": "Hola"}, "s")
    assert (refused.status_code, refused.json()["code"]) == (409, "contact-blocked")
    message = (await get(client, boss, f"/api/chats/{chat['id']}/messages"))["items"][0]["id"]
    assert (await post(client, boss, f"/api/messages/{message}/react", {"emoji": "👍"}, "r")).json()["code"] == "contact-blocked"
    await world.forget_told()
    await world.handle([a_message(tenant, device, text="¿Hay alguien?", at=later(60))])
    assert await world.told(MessageReceived) == [] == await world.told(ChatChanged)
    after = await get(client, boss, f"/api/chats/{chat['id']}")
    assert (after["status"], after["unread"], after["waiting_since"]) == ("closed", 0, None)
    texts = [one["text"] for one in (await get(client, boss, f"/api/chats/{chat['id']}/messages"))["items"]]
    assert "¿Hay alguien?" in texts, "it is kept all the same"
    assert [one["id"] for one in (await get(client, boss, "/api/contacts?blocked=true"))["items"]] == [ana["id"]]

    assert (await post(client, boss, f"/api/contacts/{ana['id']}/unblock")).json()["blocked"] is False
    assert (await post(client, boss, "/api/messages/send", {"chat_id": chat["id"], "text": "Hola"}, "s2")).status_code == 202
    assert len(await world.told(SendMessage)) == 1
    await world.handle([a_message(tenant, device, text="Aquí", at=later(120))])
    assert (await get(client, boss, f"/api/chats/{chat['id']}"))["status"] == "open"
    assert len(await world.told(MessageReceived)) == 1


async def test_a_first_message_of_somebody_blocked_opens_no_chat_in_the_work(client, world, boss, tenant, device):
    await world.handle([a_device(tenant, device)])
    one = (await post(client, boss, "/api/contacts", {"phone": ANA.value, "name": "Ana"}, "o")).json()
    await post(client, boss, f"/api/contacts/{one['id']}/block")
    await world.handle([a_message(tenant, device)])
    [chat] = (await get(client, boss, "/api/chats"))["items"]
    assert (chat["status"], chat["unread"]) == ("closed", 0)
    assert await world.told(MessageReceived) == []


async def test_contacts_are_listed_by_name_to_the_end_and_those_without_one_come_last(client, boss):
    for number, name in enumerate(("bea", "Ana", None, "Ana", "Zoe", None)):
        await post(client, boss, "/api/contacts", {"phone": f"+551191234567{number}"} | ({"name": name} if name else {}), f"c{number}")
    found, cursor = [], ""
    while cursor is not None:
        page = await get(client, boss, f"/api/contacts?order=name&limit=2{cursor and f'&cursor={cursor}'}")
        found += page["items"]
        cursor = page["next_cursor"]
    assert [one["name"] for one in found] == ["Ana", "Ana", "bea", "Zoe", None, None]
    assert len({one["id"] for one in found}) == 6

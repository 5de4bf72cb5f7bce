"""What agents write besides plain answers: notes, canned replies, for later, again, and in answer to something."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from contracts import ids
from contracts.commands import SendMessage
from contracts.events.conversations import ChatCreated, MessageAdvanced, NoteAdded, ScheduleChanged, UserMentioned
from contracts.principal import Role, Scope
from conversations.domain.errors import VariableUnknown
from conversations.domain.replies import check, fill
from conversations.timers import clock
from servicekit.db import Database
from servicekit.testing import eventually

from .conftest import running
from .facts import BEA, a_deletion, a_device, a_message, a_sent, an_unreadable, an_unsent, later


@pytest.fixture
async def ann(team):
    return await team.hire("Ann Soto")


@pytest.fixture
async def chat(client, world, tenant, device, ann):
    await world.handle([a_device(tenant, device, name="Ventas"), a_message(tenant, device, push_name="Ana Paz", wa_id="A1")])
    [chat] = (await client.get("/api/chats", headers=ann.headers)).json()["items"]
    await world.forget_told()
    return chat


def post(client, someone, path, **body):
    return client.post(f"/api/{path}", json=body, headers=someone.headers)


async def messages(client, someone, chat):
    return (await client.get(f"/api/chats/{chat['id']}/messages", headers=someone.headers)).json()["items"]


# --- notes ---------------------------------------------------------------------------------------------------------------


async def test_a_note_stands_beside_the_chat_and_is_never_sent(client, world, team, ann, chat):
    ben = await team.hire("Ben")
    named = ids.public(ids.USER, ben.principal.id)
    made = await post(client, ann, f"chats/{chat['id']}/notes", text="@Ben ¿hay?", mentions=[named, named])
    assert (made.status_code, made.json()["kind"], made.json()["origin"]) == (201, "note", "user")
    note, mention = await world.told()
    assert isinstance(note.data, NoteAdded)
    assert note.data.mentions == (named,)
    assert isinstance(mention.data, UserMentioned)
    assert (mention.data.user_id, mention.data.text, mention.audience.assignee) == (named, "@Ben ¿hay?", ben.principal.id)
    assert made.json() in await messages(client, ann, chat)
    [after] = (await client.get("/api/chats", headers=ann.headers)).json()["items"]
    assert (after["last_message"]["text"], after["waiting_since"]) == ("Hola", chat["waiting_since"])
    assert (await post(client, ann, f"messages/{made.json()['id']}/resend")).json()["code"] == "not-failed"


async def test_nobody_is_mentioned_who_does_not_see_the_chat(client, world, bus, team, ann, chat, limited):
    ben = await team.hire("Ben")
    await limited(ben)
    away = await team.hire("Cleo")
    await team.change(away, active=False)

    async def refused(user):
        answer = await post(client, ann, f"chats/{chat['id']}/notes", text="hola", mentions=[ids.public(ids.USER, user)])
        assert (answer.status_code, answer.json().get("code")) == (422, "mention-invalid")
        return True

    await refused(ids.new())
    await refused(away.principal.id)
    await eventually(lambda: refused(ben.principal.id))


async def test_a_note_does_not_hinder_that_an_unknown_message_is_settled_by_its_receipt(client, world, tenant, device, ann, chat):
    from .facts import a_receipt

    sent = (await post(client, ann, "messages/send", chat_id=chat["id"], text="Sí")).json()
    await post(client, ann, f"chats/{chat['id']}/notes", text="a ver")
    message = ids.parse(ids.MESSAGE, sent["id"])
    at = datetime.now(UTC) + timedelta(seconds=5)
    await world.handle([an_unsent(tenant, device, message, "unknown", at=at)])
    await world.handle([a_receipt(tenant, device, "W9", at=at)])
    assert (await client.get(f"/api/messages/{sent['id']}", headers=ann.headers)).json()["status"] == "delivered"


# --- canned replies ------------------------------------------------------------------------------------------------------


async def test_a_canned_reply_is_filled_in_for_its_chat(client, team, ann, chat):
    made = await post(client, ann, "replies", shortcut="hola", text="Hola {{contact.first_name}}, soy {{ agent.name }} de {{number.name}}.")
    assert made.status_code == 201
    filled = await post(client, ann, f"replies/{made.json()['id']}/fill", chat_id=chat["id"])
    assert filled.json() == {"text": "Hola Ana, soy Ann Soto de Ventas."}
    path = f"/api/replies/{made.json()['id']}"
    changed = await client.patch(path, json={"text": "Hola"}, headers=ann.headers)
    assert (await client.get("/api/replies", headers=ann.headers)).json()["items"] == [changed.json()]
    assert (await client.delete(path, headers=ann.headers)).status_code == 204
    assert (await client.delete(path, headers=ann.headers)).json()["code"] == "reply-not-found"


async def test_a_shortcut_is_one_replys_and_a_variable_has_to_exist(client, ann):
    await post(client, ann, "replies", shortcut="hola", text="Hola")
    other = (await post(client, ann, "replies", shortcut="chau", text="Chau")).json()
    for refused in (
        await post(client, ann, "replies", shortcut="hola", text="Otra"),
        await client.patch(f"/api/replies/{other['id']}", json={"shortcut": "hola"}, headers=ann.headers),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "shortcut-taken")
    for text in ("{{contact.password}}", "{{}}", "{{ settings }}"):
        refused = await post(client, ann, "replies", shortcut="otra", text=text)
        assert (refused.status_code, refused.json()["code"]) == (422, "variable-unknown")
    assert (await post(client, ann, "replies", shortcut="Con Espacio", text="a")).status_code == 422


def test_what_a_value_holds_is_never_read_as_a_variable():
    values = {"contact.name": "{{agent.name}} {0} %s", "agent.name": "Ann"}
    assert fill("{{contact.name}}/{{ agent.name }}/{{contact.phone}}/{x}", values) == "{{agent.name}} {0} %s/Ann//{x}"
    with pytest.raises(VariableUnknown):
        check("{{contact.__class__}}")


# --- later ---------------------------------------------------------------------------------------------------------------


def ahead(**delta):
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


async def test_a_scheduled_message_is_listed_changed_and_cancelled(client, world, ann, chat):
    made = await post(client, ann, "messages/send", chat_id=chat["id"], text="¿Te llegó?", send_at=ahead(hours=2))
    assert (made.status_code, made.json()["state"]) == (201, "waiting")
    sooner = (await post(client, ann, "messages/send", chat_id=chat["id"], text="Hola", send_at=ahead(hours=1))).json()
    first = (await client.get("/api/messages/scheduled", params={"limit": 1}, headers=ann.headers)).json()
    rest = await client.get("/api/messages/scheduled", params={"limit": 1, "cursor": first["next_cursor"]}, headers=ann.headers)
    assert [first["items"][0]["id"], rest.json()["items"][0]["id"]] == [sooner["id"], made.json()["id"]]
    path = f"/api/messages/scheduled/{sooner['id']}"
    changed = await client.patch(path, json={"text": "Buenas", "send_at": ahead(hours=3)}, headers=ann.headers)
    assert changed.json()["text"] == "Buenas"
    assert (await client.delete(path, headers=ann.headers)).json()["state"] == "cancelled"
    for answer in (await client.delete(path, headers=ann.headers), await client.patch(path, json={"text": "a"}, headers=ann.headers)):
        assert (answer.status_code, answer.json()["code"]) == (409, "scheduled-over")
    listed = await client.get("/api/messages/scheduled", params={"chat_id": chat["id"]}, headers=ann.headers)
    assert [one["id"] for one in listed.json()["items"]] == [made.json()["id"]]
    assert [told.data.state for told in await world.told()] == ["waiting", "waiting", "waiting", "cancelled"]
    gone = f"/api/messages/scheduled/{ids.public(ids.SCHEDULED, ids.new())}"
    assert (await client.delete(gone, headers=ann.headers)).json()["code"] == "scheduled-not-found"


async def test_a_time_that_is_not_ahead_within_a_year_is_refused(client, world, ann, chat):
    for send_at in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "mañana", "2099-01-01T00:00:00"):
        assert (await post(client, ann, "messages/send", chat_id=chat["id"], text="a", send_at=send_at)).status_code == 422, send_at
    assert await world.told() == []


async def test_what_is_due_is_sent_once_by_whichever_replica(client, world, tenant, device, ann, chat):
    number = ids.public(ids.DEVICE, device)
    for body in ({"chat_id": chat["id"], "reply_to": chat["last_message"]["id"]}, {"device_id": number, "to": BEA.value}):
        assert (await post(client, ann, "messages/send", text="¿Te llegó?", send_at=ahead(hours=1), **body)).status_code == 201
    assert len(await world.told(ChatCreated)) == 1
    await world.admin.execute("update scheduled set send_at = now() - interval '3 hours'")
    await world.forget_told()
    async with Database.open(world.urls.system_url, application="clock", pool=2) as system:
        part = clock.send_scheduled(world.db, system, expiry=timedelta(hours=1))
        async with running(part, part, part):

            async def done():
                return len(await world.told(ScheduleChanged)) >= 2

            await eventually(done)
    sent = await world.told(SendMessage)
    assert [order.data.text for order in sent] == ["¿Te llegó?"] * 2
    assert {order.data.quoted and order.data.quoted.wa_id for order in sent} == {"A1", None}
    told = [one.data for one in await world.told(ScheduleChanged)]
    assert [one.state for one in told] == ["sent", "sent"]
    assert {one.message_id for one in told} == {ids.public(ids.MESSAGE, order.data.message) for order in sent}
    [row] = await world.rows("select distinct origin, author from messages where from_me")
    assert row == {"origin": "schedule", "author": ann.principal.id}
    [row] = await world.rows("select waiting_since from chats where contact = (select contact from chats where id = $1)", ids.parse(ids.CHAT, chat["id"]))  # fmt: skip  # noqa: E501
    assert row["waiting_since"] is not None, "what was written before does not answer the customer"


async def test_what_cannot_be_sent_when_it_is_due_says_why_and_holds_up_nothing(client, world, tenant, device, ann, chat):
    await post(client, ann, "messages/send", chat_id=chat["id"], text="a", send_at=ahead(hours=1))
    await world.admin.execute("update scheduled set send_at = now()")
    await world.handle([a_deletion(tenant, device)])
    await world.forget_told()

    async def done():
        return await world.told(ScheduleChanged)

    async with (
        Database.open(world.urls.system_url, application="clock", pool=1) as system,
        running(clock.send_scheduled(world.db, system, expiry=timedelta(hours=1))),
    ):
        await eventually(done)
    [told] = await world.told()
    assert (told.data.state, told.data.reason) == ("failed", "device-not-found")


# --- again, settled, in answer -------------------------------------------------------------------------------------------


@pytest.fixture
def sent(client, world, tenant, device, ann, chat):
    """A message of Ann's with which this became of it."""

    async def send(outcome):
        made = (await post(client, ann, "messages/send", chat_id=chat["id"], text="Sí, hay")).json()
        await world.handle([an_unsent(tenant, device, ids.parse(ids.MESSAGE, made["id"]), outcome)])
        await world.forget_told()
        return made["id"]

    return send


async def test_a_message_that_failed_is_sent_again_once(client, world, tenant, device, ann, sent):
    failed = await sent("failed")
    answers = await asyncio.gather(*(post(client, ann, f"messages/{failed}/resend") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409]
    [again] = [answer.json() for answer in answers if answer.status_code == 202]
    assert (again["resend_of"], again["text"], again["status"]) == (failed, "Sí, hay", "queued")
    [order] = await world.told(SendMessage)
    assert ids.public(ids.MESSAGE, order.data.message) == again["id"]
    await world.handle([an_unsent(tenant, device, order.data.message, "failed", at=later(120))])
    assert (await post(client, ann, f"messages/{failed}/resend")).status_code == 202, "where the second one failed too"


async def test_what_nobody_knows_an_agent_settles(client, world, tenant, device, ann, sent, chat):
    unknown = await sent("unknown")
    refused = await post(client, ann, f"messages/{unknown}/resend")
    assert (refused.status_code, refused.json()["code"]) == (409, "not-failed")
    settled = await post(client, ann, f"messages/{unknown}/settle", outcome="not_sent")
    assert (settled.json()["status"], settled.json()["reason"]) == ("failed", "not-sent")
    [told] = await world.told(MessageAdvanced)
    assert (told.data.id, told.data.status) == (unknown, "failed")
    again = await post(client, ann, f"messages/{unknown}/settle", outcome="sent")
    assert (again.status_code, again.json()["code"]) == (409, "not-unknown")
    assert (await post(client, ann, f"messages/{unknown}/resend")).status_code == 202
    other = await sent("unknown")
    assert (await post(client, ann, f"messages/{other}/settle", outcome="sent")).json()["status"] == "sent"
    await world.handle([a_sent(tenant, device, ids.parse(ids.MESSAGE, other), "W5")])
    assert (await client.get(f"/api/messages/{other}", headers=ann.headers)).json()["status"] == "sent"
    theirs = f"messages/{chat['last_message']['id']}"
    for what, body in (("settle", {"outcome": "sent"}), ("resend", {})):
        assert (await post(client, ann, f"{theirs}/{what}", **body)).json()["code"] == "message-not-found"


async def test_what_the_phone_could_not_read_an_agent_sends_again_or_settles(client, world, tenant, device, ann, chat):
    async def unreadable(wa_id):
        made = (await post(client, ann, "messages/send", chat_id=chat["id"], text="Sí, hay")).json()
        facts = [a_sent(tenant, device, ids.parse(ids.MESSAGE, made["id"]), wa_id), an_unreadable(tenant, device, wa_id)]
        await world.handle(facts)
        return made["id"], facts

    first, _ = await unreadable("W1")
    shown = (await client.get(f"/api/messages/{first}", headers=ann.headers)).json()
    assert (shown["status"], shown["reason"]) == ("unknown", "not-readable")
    again = await post(client, ann, f"messages/{first}/resend")
    assert (again.status_code, again.json()["resend_of"]) == (202, first)
    assert (await post(client, ann, f"messages/{first}/resend")).json()["code"] == "not-failed"
    for wa_id, outcome, status in (("W2", "not_sent", "failed"), ("W3", "sent", "sent")):
        id, [taken, _] = await unreadable(wa_id)
        assert (await post(client, ann, f"messages/{id}/settle", outcome=outcome)).json()["status"] == status
        await world.handle([taken])
        assert (await client.get(f"/api/messages/{id}", headers=ann.headers)).json()["status"] == status


async def test_an_answer_to_a_message_quotes_it(client, world, tenant, device, ann, chat):
    quoted = chat["last_message"]["id"]
    made = await post(client, ann, "messages/send", chat_id=chat["id"], text="Sí", reply_to=quoted)
    assert (made.status_code, made.json()["quoted_id"]) == (202, quoted)
    [order] = await world.told(SendMessage)
    assert (order.data.quoted.wa_id, order.data.quoted.sender) == ("A1", order.data.to)
    await world.handle([a_message(tenant, device, chat=BEA)])
    [other] = [one for one in (await client.get("/api/chats", headers=ann.headers)).json()["items"] if one["id"] != chat["id"]]
    for wrong in (made.json()["id"], other["last_message"]["id"], ids.public(ids.MESSAGE, ids.new())):
        refused = await post(client, ann, "messages/send", chat_id=chat["id"], text="Sí", reply_to=wrong)
        assert (refused.status_code, refused.json()["code"]) == (422, "quote-invalid")


async def test_who_made_a_message_shows(client, world, tenant, device, team, ann, chat):
    await world.handle([a_message(tenant, device, from_me=True, wa_id="P1")])
    key = team.signed_in(Role.AGENT, tenant, scopes=[Scope.SEND])
    for someone in (ann, key):
        await post(client, someone, "messages/send", chat_id=chat["id"], text="Hola")
    shown = {one["origin"] for one in await messages(client, ann, chat)}
    assert shown == {None, "phone", "user", "key"}

"""Rules on a real database: leads that come of chats, what follows a stage, and what stops them."""

import asyncio
from datetime import timedelta

from contracts import ids
from contracts.commands import ChangeChat, WriteMessage
from contracts.envelope import wrap
from contracts.events.conversations import ChatRead, ContactChanged
from contracts.events.pipeline import LeadChanged, LeadCreated, LeadMoved, LeadNotified, TaskChanged

from .facts import a_chat, a_contact, a_message, a_user, an_account, an_assignment, new_chat, new_contact, new_user, public, soon

FIRST = {"name": "Nuevos", "trigger": {"on": "first_message"}, "actions": [{"do": "make_lead"}]}


async def rule(owner, name="Regla", **fields):
    body = {"name": name, "trigger": {"on": "stage_entered"}, "actions": [{"do": "notify"}]} | fields
    return await owner.ask("POST", "/api/automations", body, status=201)


async def test_a_first_message_becomes_a_lead_once(owner, world, tenant, device):
    await world.handle([an_account(tenant)])
    await rule(owner, **FIRST)
    chat, contact = new_chat(), new_contact()
    facts = [
        a_contact(tenant, contact),
        a_message(tenant, device, chat, "¿Hay mesas?", contact=contact),
        a_message(tenant, device, chat, "¿Sí?", contact=contact),
    ]
    await world.handle(facts)
    await world.handle(facts)
    await world.handle([a_message(tenant, device, chat, "¿Hola?", contact=contact)])
    [lead] = (await owner.get("/api/leads"))["items"]
    assert (lead["title"], lead["source"], lead["chat_ids"]) == ("Luis", "chat", [public(ids.CHAT, chat)])
    assert lead["chat"]["unread"] == 3
    [told] = await world.told(LeadCreated)
    assert told.data.way == "rule"
    [run] = (await owner.get("/api/automations/runs"))["items"]
    assert (run["outcome"], run["lead_id"], run["steps"]) == ("done", lead["id"], [{"do": "make_lead", "done": True, "reason": None}])


async def test_no_lead_comes_of_what_is_old_ours_or_a_groups(owner, world, tenant, device):
    await rule(owner, **FIRST)
    await world.handle(
        [a_message(tenant, device, new_chat(), **changes) for changes in ({"from_me": True}, {"history": True}, {"group": True})]
    )
    assert (await owner.get("/api/leads"))["items"] == []


async def test_a_keyword_and_a_tag_make_leads_but_not_two_of_one_chat(owner, world, tenant, device):
    tag, chat, other = ids.new(), new_chat(), new_chat()
    stage = (await owner.stages())[2]
    await rule(
        owner,
        trigger={"on": "keyword", "words": ["precio"]},
        actions=[{"do": "make_lead", "stage_id": stage, "value": 5000}, {"do": "tag", "add": [public(ids.TAG, tag)], "chat": True}],
    )
    await rule(owner, trigger={"on": "chat_tagged", "tag_id": public(ids.TAG, tag)}, actions=[{"do": "make_lead"}])
    await world.handle([a_message(tenant, device, chat, "Hola"), a_message(tenant, device, chat, None, kind="voice")])
    assert (await owner.get("/api/leads"))["items"] == []
    await world.handle([a_message(tenant, device, chat, "¿Qué PRECIO tiene?")])
    [lead] = (await owner.get("/api/leads"))["items"]
    assert (lead["stage_id"], lead["value"], lead["tags"]) == (stage, 5000, [public(ids.TAG, tag)])
    [order] = await world.told(ChangeChat)
    assert (order.data.chat, order.data.add_tags) == (chat, (tag,))
    await world.handle([a_chat(tenant, device, chat, revision=3, tags=(tag,)), a_message(tenant, device, chat, "¿precio?")])
    await world.handle([a_chat(tenant, device, other, revision=3, tags=(tag,)), a_chat(tenant, device, other, revision=4, tags=(tag,))])
    assert len((await owner.get("/api/leads"))["items"]) == 2
    assert len((await owner.get("/api/leads", chat_id=public(ids.CHAT, other)))["items"]) == 1


async def test_another_chat_of_a_contact_is_attached_to_his_open_lead(owner, world, tenant, device):
    await rule(owner, **FIRST)
    contact, one, other = new_contact(), new_chat(), new_chat()
    await world.handle([a_contact(tenant, contact), a_message(tenant, device, one, contact=contact)])
    await world.handle([a_message(tenant, device, other, contact=contact)])
    [lead] = (await owner.get("/api/leads"))["items"]
    assert lead["chat_ids"] == [public(ids.CHAT, one), public(ids.CHAT, other)]


async def test_two_processes_at_one_message_make_one_lead(owner, world, tenant, device):
    await rule(owner, **FIRST)
    facts = [a_message(tenant, device, new_chat()) for _ in range(5)]
    await asyncio.gather(*(world.handle(facts) for _ in range(3)))
    assert len((await owner.get("/api/leads"))["items"]) == 5
    assert len(await world.told(LeadCreated)) == 5


async def test_a_stage_sends_assigns_tags_tasks_and_tells_once_for_each_move(owner, world, tenant, device):
    chat, contact, user, tag = new_chat(), new_contact(), new_user(), ids.new()
    await world.handle([a_user(tenant, user), a_contact(tenant, contact), a_message(tenant, device, chat, contact=contact)])
    stages = await owner.stages()
    await rule(
        owner,
        "Propuesta",
        trigger={"on": "stage_entered", "stage_id": stages[2]},
        actions=[
            {"do": "send", "text": "Hola {contact}: {title}, {value}, en {stage}."},
            {"do": "assign", "owner_id": public(ids.USER, user)},
            {"do": "tag", "add": [public(ids.TAG, tag)]},
            {"do": "make_task", "title": "Llamar a {contact}", "due_minutes": 60},
            {"do": "notify", "note": "Preparar {title}"},
        ],
    )
    lead = await owner.lead("Mesas", chat_id=public(ids.CHAT, chat), value=125_050, currency="MXN")
    await owner.move(lead, stages[2])
    await world.follow()
    await world.automate(await world.told(LeadMoved))
    [written] = await world.told(WriteMessage)
    assert (written.data.chat, written.data.origin, written.data.text) == (
        chat,
        "automation",
        "Hola Luis: Mesas, 1250.50 MXN, en Propuesta.",
    )
    assert written.data.not_after
    lead = await owner.get(f"/api/leads/{lead['id']}")
    assert (lead["owner_id"], lead["tags"], lead["open_tasks"]) == (public(ids.USER, user), [public(ids.TAG, tag)], 1)
    [task] = await world.told(TaskChanged)
    assert task.data.title == "Llamar a Luis"
    [notified] = await world.told(LeadNotified)
    assert (notified.data.rule, notified.data.note, notified.data.lead.id) == ("Propuesta", "Preparar Mesas", lead["id"])
    [run] = (await owner.get("/api/automations/runs", lead_id=lead["id"]))["items"]
    assert [step["done"] for step in run["steps"]] == [True] * 5


async def test_what_cannot_be_done_is_left_out_and_said(owner, world, tenant):
    stages = await owner.stages()
    await rule(
        owner,
        trigger={"on": "stage_entered", "stage_id": stages[0]},
        actions=[{"do": "send", "text": "Hola"}, {"do": "assign", "team_id": public(ids.TEAM, ids.new())}, {"do": "notify"}],
    )
    await owner.lead("Sin chat")
    await world.follow()
    assert await world.told(WriteMessage) == []
    [run] = (await owner.get("/api/automations/runs"))["items"]
    assert [(step["done"], step["reason"]) for step in run["steps"]] == [(False, "no-chat"), (False, "no-chat"), (True, None)]


async def test_a_rule_that_sets_itself_off_through_others_runs_once(owner, world):
    stages = await owner.stages()
    for here, there in ((0, 1), (1, 2), (2, 0)):
        trigger = {"on": "stage_entered", "stage_id": stages[here]}
        await rule(owner, f"{here}", trigger=trigger, actions=[{"do": "move", "stage_id": stages[there]}])
    lead = await owner.lead()
    await world.follow()
    assert (await owner.get(f"/api/leads/{lead['id']}"))["stage_id"] == stages[0]
    assert len(await world.told(LeadMoved)) == 3
    runs = (await owner.get("/api/automations/runs"))["items"]
    assert [run["outcome"] for run in runs] == ["loop", "done", "done", "done"]
    await owner.refused(
        "POST",
        "/api/automations",
        {"name": "x", "trigger": {"on": "stage_entered", "stage_id": stages[0]}, "actions": [{"do": "move", "stage_id": stages[0]}]},
        422,
        "rule-invalid",
    )


async def test_a_loop_through_the_outside_is_stopped(owner, world):
    stages = await owner.stages()
    await rule(owner, trigger={"on": "stage_entered", "stage_id": stages[1]})
    lead = await owner.lead()
    for n in range(24):  # a program that moves the card back whenever it is told of it
        lead = await owner.move(lead, stages[(n + 1) % 2])
        await world.follow()
    outcomes = [run["outcome"] for run in (await owner.get("/api/automations/runs"))["items"]]
    assert (outcomes.count("done"), outcomes.count("loop")) == (10, 2)
    assert len(await world.told(LeadNotified)) == 10


async def test_facts_that_are_late_by_an_hour_write_to_nobody_and_lose_nothing(owner, world, tenant, device):
    await rule(owner, trigger={"on": "first_message"}, actions=[{"do": "make_lead"}, {"do": "send", "text": "¡Hola!"}])
    late = soon(-3600)
    await world.handle([a_message(tenant, device, new_chat(), at=late, occurred_at=late)])
    assert len((await owner.get("/api/leads"))["items"]) == 1
    assert await world.told(WriteMessage) == []
    [run] = (await owner.get("/api/automations/runs"))["items"]
    assert run["steps"][1] == {"do": "send", "done": False, "reason": "too-late"}


async def test_a_card_that_has_moved_on_is_left_alone(owner, world):
    stages = await owner.stages()
    await rule(owner, trigger={"on": "stage_entered", "stage_id": stages[1]})
    lead = await owner.lead()
    lead = await owner.move(lead, stages[1])
    await owner.move(lead, stages[3])
    await world.follow()
    assert await world.told(LeadNotified) == []
    [run] = (await owner.get("/api/automations/runs"))["items"]
    assert run["outcome"] == "moved-on"


async def test_who_answers_the_chat_and_who_owns_the_lead_follow_each_other_without_an_echo(owner, world, tenant, device):
    chat, beto, carla = new_chat(), new_user(), new_user()
    await world.handle([a_user(tenant, beto), a_user(tenant, carla, "Carla"), a_message(tenant, device, chat)])
    lead = await owner.lead(chat_id=public(ids.CHAT, chat), owner_id=None)
    path = f"/api/leads/{lead['id']}"
    await world.handle([an_assignment(tenant, device, chat, beto)])
    assert (await owner.get(path))["owner_id"] == public(ids.USER, beto)
    assert await world.told(ChangeChat) == []
    await owner.ask("PUT", path, {"owner_id": public(ids.USER, carla)})
    [order] = await world.told(ChangeChat)
    assert (order.data.chat, order.data.assignee) == (chat, carla)
    # what the order brought comes back, and an older word comes late: neither changes anything
    await world.forget_told()
    await world.handle([an_assignment(tenant, device, chat, carla, way="rule")])
    await world.handle([an_assignment(tenant, device, chat, beto, at=soon(-600))])
    assert (await owner.get(path))["owner_id"] == public(ids.USER, carla)
    assert await world.told(ChangeChat) == []
    board = (await owner.get("/api/pipelines"))["items"][0]
    await owner.ask("PATCH", f"/api/pipelines/{board['id']}", {"owner_follows_chat": False, "chat_follows_owner": False})
    await world.handle([an_assignment(tenant, device, chat, beto, at=soon(60))])
    await owner.ask("PUT", path, {"owner_id": None})
    await owner.ask("PUT", path, {"owner_id": public(ids.USER, carla)})
    assert (await owner.get(path))["owner_id"] == public(ids.USER, carla)
    assert await world.told(ChangeChat) == []


async def test_an_order_has_the_same_id_however_often_its_cause_comes(owner, world, tenant, device):
    chat = new_chat()
    await rule(owner, trigger={"on": "keyword", "words": ["hola"]}, actions=[{"do": "make_lead"}, {"do": "send", "text": "¡Hola!"}])
    fact = a_message(tenant, device, chat, "hola")
    await world.handle([fact])
    [first] = await world.told(WriteMessage)
    await world.admin.execute("delete from rule_runs; delete from outbox; delete from inbox")
    await world.handle([fact])
    [again] = await world.told(WriteMessage)
    assert (first.id, first.data.chat) == (again.id, chat)


async def test_the_leads_of_a_deleted_stage_set_no_rule_off(owner, world):
    board = (await owner.get("/api/pipelines"))["items"][0]
    stages = [stage["id"] for stage in board["stages"]]
    await rule(owner, trigger={"on": "stage_entered", "stage_id": stages[1]})
    await owner.lead()
    await owner.ask("DELETE", f"/api/pipelines/{board['id']}/stages/{stages[0]}", status=204, move_to=stages[1])
    await world.follow()
    assert [told.data.way for told in await world.told(LeadMoved)] == ["merge"]
    assert await world.told(LeadNotified) == []


async def test_rules_are_read_changed_and_deleted_and_bounded(owner, world, agent, stranger, tenant):
    made = await rule(owner, **FIRST)
    path = f"/api/automations/{made['id']}"
    assert await owner.get(path) == made
    changed = await owner.ask("PUT", path, {**FIRST, "enabled": False, "name": "Otra"})
    assert (changed["name"], changed["enabled"]) == ("Otra", False)
    assert (await owner.get("/api/automations"))["items"] == [changed]
    await agent.refused("GET", "/api/automations", None, 403, "forbidden")
    await stranger.refused("GET", path, None, 404, "rule-not-found")
    foreign = (await stranger.stages())[0]
    for actions, code in (
        ([{"do": "move", "stage_id": foreign}], "stage-not-found"),
        ([{"do": "assign", "owner_id": public(ids.USER, ids.new())}], "user-not-found"),
    ):
        body = {"name": "x", "trigger": {"on": "stage_entered", "stage_id": (await owner.stages())[1]}, "actions": actions}
        await owner.refused("POST", "/api/automations", body, 404, code)
    await world.admin.execute(
        "insert into rules (tenant, id, name, enabled, trigger, actions) "
        "select tenant, uuidv7(), name, enabled, trigger, actions from rules, generate_series(1, 199)"
    )
    await owner.refused("POST", "/api/automations", FIRST, 409, "too-many")
    await owner.ask("DELETE", path, status=204)
    await owner.refused("DELETE", path, None, 404, "rule-not-found")


async def test_a_contact_that_turns_out_to_be_another_keeps_his_leads(owner, world, tenant, device):
    one, other, chat = new_contact(), new_contact(), new_chat()
    await world.handle([a_contact(tenant, one, "Luis"), a_contact(tenant, other, None), a_message(tenant, device, chat, contact=other)])
    lead = await owner.lead(chat_id=public(ids.CHAT, chat))
    body = ContactChanged(id=public(ids.CONTACT, one), name="Luis", phone="521", merged=public(ids.CONTACT, other))
    await world.handle([wrap(tenant, body)])
    lead = await owner.get(f"/api/leads/{lead['id']}")
    assert (lead["contact_id"], lead["contact"]["name"]) == (public(ids.CONTACT, one), "Luis")
    again = await owner.lead(contact_id=public(ids.CONTACT, other))
    assert again["contact_id"] == public(ids.CONTACT, one)


async def test_changes_of_a_chat_reach_its_card(owner, world, tenant, device):
    chat, user = new_chat(), new_user()
    await world.handle([a_message(tenant, device, chat, "uno")])
    lead = await owner.lead(chat_id=public(ids.CHAT, chat))
    await world.forget_told()
    await world.handle([a_chat(tenant, device, chat, revision=2, assignee=user, unread=0, status="pending", name="Luis")])
    await world.handle([a_chat(tenant, device, chat, revision=1, unread=9, status="closed")])
    card = await owner.get(f"/api/leads/{lead['id']}")
    assert (card["chat"]["unread"], card["chat"]["status"], card["chat"]["assignee_id"]) == (0, "pending", public(ids.USER, user))
    assert [told.audience.device for told in await world.told(LeadChanged)] == [device]
    old = a_message(tenant, device, chat, "viejo", at=soon(-timedelta(hours=1).total_seconds()))
    await world.handle([old])
    assert (await owner.get(f"/api/leads/{lead['id']}"))["chat"]["last_message"]["text"] == "uno"


async def test_unread_is_what_the_chat_says_and_each_message_after_that(owner, world, tenant, device):
    chat = new_chat()
    covered = a_message(tenant, device, chat, "uno")
    await world.handle([a_chat(tenant, device, chat, revision=0, unread=1), covered])
    lead = await owner.lead(chat_id=public(ids.CHAT, chat))

    async def unread():
        return (await owner.get(f"/api/leads/{lead['id']}"))["chat"]["unread"]

    assert await unread() == 1
    await world.handle([a_message(tenant, device, chat, "dos"), a_message(tenant, device, chat, "tres")])
    assert await unread() == 3
    await world.handle([wrap(tenant, ChatRead(id=public(ids.CHAT, chat), unread=0, at=soon()))])
    assert await unread() == 0

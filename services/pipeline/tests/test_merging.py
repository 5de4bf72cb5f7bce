"""Contacts and chats that turn out to be others: the board is the same whatever is told first, and however often."""

import asyncio
import random
from itertools import permutations

import msgspec
from contracts import ids
from contracts.envelope import wrap
from contracts.events.conversations import ContactChanged
from contracts.events.pipeline import LeadChanged, LeadDeleted, TaskChanged

from .facts import a_chat, a_contact, a_message, an_account, an_assignment, new_chat, new_contact, new_user, public, soon
from .test_rules import FIRST, rule


def became(tenant, device, kept, *gone, revision=5, **changes):
    """The chat *kept* says which others became it."""
    fact = a_chat(tenant, device, kept, revision=revision, **changes)
    return msgspec.structs.replace(fact, data=msgspec.structs.replace(fact.data, merged=tuple(public(ids.CHAT, one) for one in gone)))


def is_one(tenant, survivor, loser, name="Luis"):
    body = ContactChanged(id=public(ids.CONTACT, survivor), name=name, phone="521", merged=public(ids.CONTACT, loser))
    return wrap(tenant, body)


async def shown(owner):
    return [
        (lead["chat_ids"], lead["contact_id"], lead["chat"]["id"] if lead.get("chat") else None)
        for lead in (await owner.get("/api/leads"))["items"]
    ]


async def test_whatever_is_told_first_one_card_is_left_of_one_person(owner, world, tenant, device):
    await world.handle([an_account(tenant)])
    await rule(owner, **FIRST)
    answerer = new_user()
    orders = random.Random(7).sample(list(permutations(range(7))), 20)
    for order in orders:
        kept, gone = new_chat(), new_chat()
        ana, lid = new_contact(), new_contact()
        facts = [
            a_contact(tenant, lid, "Luisa", None),
            a_chat(tenant, device, gone, contact=lid),
            a_message(tenant, device, gone, "Hola", contact=lid),
            a_message(tenant, device, kept, "¿Hola?", contact=ana),
            an_assignment(tenant, device, gone, answerer, at=soon(-60)),
            is_one(tenant, ana, lid),
            became(tenant, device, kept, gone, contact=ana),
        ]
        for place in order:
            await world.handle([facts[place]])
        for place in reversed(order):
            await world.handle([facts[place]])
        found = await shown(owner)
        assert found == [([public(ids.CHAT, kept)], public(ids.CONTACT, ana), public(ids.CHAT, kept))], order
        assert await world.rows("select id from chats where tenant = $1 and id = $2", tenant, gone) == [], order
        assert await world.rows("select id from contacts where tenant = $1 and id = $2", tenant, lid) == [], order
        [lead] = (await owner.get("/api/leads"))["items"]
        await owner.ask("DELETE", f"/api/leads/{lead['id']}", status=204)


async def test_what_became_another_twice_leads_to_the_last_one_in_any_order(owner, world, tenant, device):
    for order in permutations(range(3)):
        first, second, third = new_chat(), new_chat(), new_chat()
        one, two, three = new_contact(), new_contact(), new_contact()
        await world.handle([a_chat(tenant, device, chat, contact=who) for chat, who in ((first, one), (second, two), (third, three))])
        await world.handle([a_contact(tenant, who) for who in (one, two, three)])
        lead = await owner.lead(chat_id=public(ids.CHAT, first))
        facts = [
            [became(tenant, device, second, first, contact=two), is_one(tenant, two, one)],
            [became(tenant, device, third, second, contact=three), is_one(tenant, three, two)],
            [a_chat(tenant, device, second, revision=4, contact=two), a_contact(tenant, one)],
        ]
        for place in order:
            await world.handle(facts[place])
        assert await shown(owner) == [([public(ids.CHAT, third)], public(ids.CONTACT, three), public(ids.CHAT, third))], order
        late = await owner.lead("Después", chat_id=public(ids.CHAT, first), contact_id=public(ids.CONTACT, one))
        assert (late["chat_ids"], late["contact_id"]) == ([public(ids.CHAT, third)], public(ids.CONTACT, three)), order
        for id in (lead["id"], late["id"]):
            await owner.ask("DELETE", f"/api/leads/{id}", status=204)


async def test_of_two_cards_that_a_rule_made_the_one_that_came_further_stays_with_all_and_what_people_made_stays(
    owner, world, tenant, device
):
    await world.handle([an_account(tenant)])
    await rule(owner, **FIRST)
    kept, gone, ana, lid = new_chat(), new_chat(), new_contact(), new_contact()
    await world.handle([a_message(tenant, device, kept, "Hola", contact=ana)])
    [older] = (await owner.get("/api/leads"))["items"]
    await world.handle([a_message(tenant, device, gone, "Hola", contact=lid)])
    newer = (await owner.get("/api/leads"))["items"][0]
    by_hand = await owner.lead("A mano", chat_id=public(ids.CHAT, gone), value=700)
    newer = await owner.move(newer, (await owner.stages())[2])
    await owner.ask("PATCH", f"/api/leads/{older['id']}", {"value": 900})
    await owner.ask("POST", f"/api/leads/{older['id']}/notes", {"text": "Paga bien"}, status=201)
    await owner.ask("POST", "/api/tasks", {"lead_id": older["id"], "title": "Llamar"}, status=201)
    await world.forget_told()

    await world.handle([became(tenant, device, kept, gone, contact=ana)])
    left = {lead["id"]: lead for lead in (await owner.get("/api/leads"))["items"]}
    assert set(left) == {newer["id"], by_hand["id"]}
    assert (left[newer["id"]]["value"], left[newer["id"]]["stage_id"]) == (900, newer["stage_id"])
    assert [note["text"] for note in (await owner.get(f"/api/leads/{newer['id']}/notes"))["items"]] == ["Paga bien"]
    assert [task["lead_id"] for task in (await owner.get("/api/tasks"))["items"]] == [newer["id"]]
    assert [one.data.id for one in await world.told(LeadDeleted)] == [older["id"]]
    assert [one.data.lead_id for one in await world.told(TaskChanged)] == [newer["id"]]
    assert all(one.data.chat_ids == (public(ids.CHAT, kept),) for one in await world.told(LeadChanged))
    [total] = await world.rows("select sum(leads) as leads, sum(value) as value from stage_totals")
    assert (total["leads"], total["value"]) == (2, 1600)


async def test_leads_that_are_made_while_their_chat_becomes_another_are_the_others(owner, world, tenant, device):
    for _ in range(5):
        kept, gone = new_chat(), new_chat()
        await world.handle([a_chat(tenant, device, kept), a_chat(tenant, device, gone)])
        await asyncio.gather(
            *(owner.lead(f"L{n}", chat_id=public(ids.CHAT, gone)) for n in range(4)),
            world.handle([became(tenant, device, kept, gone)]),
            world.handle([a_chat(tenant, device, gone, revision=2), a_message(tenant, device, gone)]),
        )
        assert await world.rows("select id from chats where id = $1", gone) == []
        assert await world.rows("select lead from lead_chats where chat = $1", gone) == []
        [count] = await world.rows("select count(*) from lead_chats where chat = $1", kept)
        assert count["count"] == 4

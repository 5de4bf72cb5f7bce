"""A group is one chat of many people: named as it is, each message with its author, and nobody's customer."""

import pytest
from contracts import ids
from contracts.envelope import wrap
from contracts.events.conversations import ChatChanged, ChatCreated, ContactCreated, MessageReceived
from contracts.events.devices import GroupObserved
from contracts.principal import Role
from contracts.whatsapp import Address

from .facts import ANA, ANA_LID, BEA, a_message, later

GROUP = Address("group", "120363000000000001")


@pytest.fixture
def owner(signed_in, tenant):
    return signed_in(Role.OWNER, tenant)


def said(tenant, device, sender, text, **changes):
    return a_message(tenant, device, chat=GROUP, sender=sender, text=text, **changes)


def called(tenant, device, subject, seconds=0.0):
    return wrap(tenant, GroupObserved(device=device, chat=GROUP, subject=subject, members=3, at=later(seconds)))


async def test_each_message_of_a_group_tells_who_wrote_it_even_after_two_turned_out_to_be_one(client, world, tenant, device, owner):
    await world.handle(
        [
            said(tenant, device, ANA_LID, "soy Ana", push_name="Ana", at=later(1)),
            said(tenant, device, BEA, "y yo Bea", push_name="Bea", at=later(2)),
            said(tenant, device, None, "hola a las dos", from_me=True, at=later(3)),
            a_message(tenant, device, chat=ANA, text="aparte", at=later(4)),
        ]
    )
    assert len(await world.told(ContactCreated)) == 3
    received = [one.data for one in await world.told(MessageReceived) if one.data.group]
    assert [(one.text, one.sender_id is not None, one.contact_id) for one in received] == [
        ("soy Ana", True, None), ("y yo Bea", True, None), ("hola a las dos", False, None),
    ]  # fmt: skip
    await world.handle([said(tenant, device, ANA, "la misma", sender_alt=ANA_LID, at=later(5))])
    [chat] = [one for one in (await client.get("/api/chats", headers=owner.headers)).json()["items"] if one["group"]]
    items = (await client.get(f"/api/chats/{chat['id']}/messages", headers=owner.headers)).json()["items"]
    authors = {one["text"]: one["sender_id"] for one in items}
    assert authors["soy Ana"] == authors["la misma"] != authors["y yo Bea"]
    assert authors["hola a las dos"] is None
    found = (await client.get(f"/api/contacts/{authors['soy Ana']}", headers=owner.headers)).json()
    assert (found["name"], found["phone"]) == ("Ana", ANA.value)
    assert chat["last_message"]["sender_id"] == authors["la misma"]


async def test_a_group_bears_the_newest_of_its_names_whatever_order_they_come_in(client, world, tenant, device, owner):
    await world.handle([called(tenant, device, "Nadie"), said(tenant, device, ANA, "hola"), called(tenant, device, "Vecinos", 10)])
    [created] = await world.told(ChatCreated)
    assert (created.data.name, created.data.contact_id) == ("Vecinos", None)
    await world.handle([called(tenant, device, "Antes", 5), called(tenant, device, "Vecinos", 15), called(tenant, device, "Vecinas\0", 20)])
    [changed] = await world.told(ChatChanged)
    assert (changed.data.name, changed.data.id) == ("Vecinas", created.data.id)
    await world.handle([called(tenant, device, "Vecinas", 30)])
    assert len(await world.told(ChatChanged)) == 1
    shown = (await client.get(f"/api/chats/{created.data.id}", headers=owner.headers)).json()
    assert (shown["name"], shown["group"], shown["contact"]) == ("Vecinas", GROUP.value, None)
    assert ids.parse(ids.CHAT, shown["id"])

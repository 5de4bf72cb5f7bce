"""What WhatsApp brings, through the handler of the durable on a real database."""

import asyncio

from contracts import ids
from contracts.events.conversations import (
    ChatChanged,
    ChatCreated,
    ChatRead,
    ContactChanged,
    ContactCreated,
    MessageReceived,
    MessageReplaced,
)
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address, Quoted

from .conftest import World
from .facts import ANA, ANA_LID, BEA, NOON, a_device, a_message, a_placeholder, a_receipt, later


async def test_a_message_makes_contact_chat_and_message(world, tenant, device):
    await world.handle([a_message(tenant, device, push_name="Ana", wa_id="A1")])
    [chat] = await world.rows("select * from chats")
    [contact] = await world.rows("select * from contacts")
    [message] = await world.rows("select * from messages")
    assert (contact["name"], contact["phone"]) == ("Ana", ANA.value)
    assert (chat["contact"], chat["unread"], chat["last_message_id"]) == (contact["id"], 1, message["id"])
    assert (message["status"], message["text"], message["sender_name"]) == ("received", "Hola", "Ana")
    created, begun, received = await world.told()
    assert isinstance(begun.data, ChatCreated)
    assert (begun.data.unread, begun.data.waiting_since, begun.data.revision) == (1, message["at"], 1)
    assert isinstance(created.data, ContactCreated)
    assert isinstance(received.data, MessageReceived)
    assert received.audience.device == device
    assert received.data.chat_id == ids.public(ids.CHAT, chat["id"])


async def test_a_message_that_comes_twice_is_counted_once(world, tenant, device):
    event = a_message(tenant, device)
    await world.handle([event, event])
    await world.handle([event])
    [chat] = await world.rows("select unread from chats")
    assert chat["unread"] == 1
    assert [type(fact.data) for fact in await world.told()] == [ContactCreated, ChatCreated, MessageReceived]


async def test_the_last_message_is_the_latest_by_its_own_time(world, tenant, device):
    await world.handle([a_message(tenant, device, text="second", at=later(2))])
    await world.handle([a_message(tenant, device, text="first", at=later(1))])
    [chat] = await world.rows("select m.text, c.last_message_at from chats c join messages m on m.id = c.last_message_id")
    assert chat == {"text": "second", "last_message_at": later(2)}


async def test_own_and_old_messages_are_not_unread(world, tenant, device):
    await world.handle([a_message(tenant, device, from_me=True), a_message(tenant, device, history=True)])
    [chat] = await world.rows("select unread from chats")
    assert chat["unread"] == 0


async def test_old_messages_are_stored_without_notice(world, tenant, device):
    await world.handle([a_message(tenant, device, history=True)])
    assert len(await world.rows("select 1 from messages")) == 1
    assert await world.told(MessageReceived) == []


async def test_a_reaction_is_stored_but_asks_for_no_answer(world, tenant, device):
    first = a_message(tenant, device, wa_id="A1")
    await world.handle([first])
    await world.handle([a_message(tenant, device, kind="reaction", text="👍", at=later(5), quoted=Quoted(wa_id="A1"))])
    [chat] = await world.rows("select c.unread, m.wa_id from chats c join messages m on m.id = c.last_message_id")
    assert chat == {"unread": 1, "wa_id": "A1"}


async def test_an_answer_knows_what_it_quotes(world, tenant, device):
    await world.handle([a_message(tenant, device, wa_id="A1"), a_message(tenant, device, wa_id="A2", quoted=Quoted(wa_id="A1"))])
    await world.handle([a_message(tenant, device, wa_id="A3", quoted=Quoted(wa_id="A2"))])
    rows = {row["wa_id"]: row for row in await world.rows("select wa_id, id, quoted from messages")}
    assert rows["A2"]["quoted"] == rows["A1"]["id"]
    assert rows["A3"]["quoted"] == rows["A2"]["id"]


async def test_a_placeholder_gets_its_content(world, tenant, device):
    await world.handle([a_placeholder(tenant, device, wa_id="A1")])
    await world.forget_told()
    await world.handle([a_message(tenant, device, wa_id="A1", text="Ahora sí")])
    [message] = await world.rows("select kind, text from messages")
    [chat] = await world.rows("select unread from chats")
    [replaced] = await world.told()
    assert message == {"kind": "text", "text": "Ahora sí"}
    assert chat["unread"] == 1
    assert isinstance(replaced.data, MessageReplaced)
    assert replaced.data.text == "Ahora sí"


async def test_content_is_not_lost_to_a_late_placeholder(world, tenant, device):
    await world.handle([a_message(tenant, device, wa_id="A1", text="Ya")])
    await world.handle([a_placeholder(tenant, device, wa_id="A1")])
    [message] = await world.rows("select kind, text from messages")
    assert message == {"kind": "text", "text": "Ya"}


async def test_placeholder_and_content_in_one_batch_are_one_message(world, tenant, device):
    for pair in (("A1", False), ("A2", True)):
        facts = [a_placeholder(tenant, device, wa_id=pair[0]), a_message(tenant, device, wa_id=pair[0], text="Ya")]
        await world.handle(facts[::-1] if pair[1] else facts)
    assert await world.rows("select kind from messages") == [{"kind": "text"}] * 2
    assert (await world.rows("select unread from chats"))[0]["unread"] == 2


async def test_lid_first_and_phone_later_are_one_contact_and_one_chat(world, tenant, device):
    await world.handle([a_message(tenant, device, chat=ANA_LID, wa_id="A1", at=later(1))])
    [before] = await world.rows("select id, phone from contacts")
    assert before["phone"] is None
    await world.handle([a_message(tenant, device, chat=ANA, chat_alt=ANA_LID, wa_id="A2", at=later(2))])
    [contact] = await world.rows("select id, phone from contacts")
    assert contact == {"id": before["id"], "phone": ANA.value}
    [chat] = await world.rows("select unread, address_kind from chats")
    assert chat == {"unread": 2, "address_kind": "pn"}
    assert [type(e.data) for e in await world.told()].count(ContactChanged) == 1


async def test_two_contacts_that_turn_out_to_be_one_are_merged_with_all_messages(world, tenant, device):
    await world.handle([a_message(tenant, device, chat=ANA_LID, wa_id="A1", at=later(1), push_name="Ana")])
    await world.handle([a_message(tenant, device, chat=ANA, wa_id="A2", at=later(2))])
    old = await world.rows("select id from contacts order by id")
    old_chats = await world.rows("select id from chats order by id")
    assert (len(old), len(old_chats)) == (2, 2)
    await world.handle([a_message(tenant, device, chat=ANA_LID, chat_alt=ANA, wa_id="A3", at=later(3))])
    [contact] = await world.rows("select id, name, phone from contacts")
    [chat] = await world.rows("select id, contact, unread, last_message_at from chats")
    assert contact == {"id": old[0]["id"], "name": "Ana", "phone": ANA.value}
    assert chat == {"id": old_chats[0]["id"], "contact": old[0]["id"], "unread": 3, "last_message_at": later(3)}
    assert {row["wa_id"] for row in await world.rows("select wa_id from messages where chat = $1", chat["id"])} == {"A1", "A2", "A3"}
    assert await world.rows("select old, new from contact_redirects") == [{"old": old[1]["id"], "new": old[0]["id"]}]
    assert await world.rows("select old, new from chat_redirects") == [{"old": old_chats[1]["id"], "new": old_chats[0]["id"]}]
    [changed] = await world.told(ContactChanged)
    assert changed.data.merged == ids.public(ids.CONTACT, old[1]["id"])
    assert [(one.data.id, one.data.merged) for one in await world.told(ChatChanged)] == [
        (ids.public(ids.CHAT, chat["id"]), (ids.public(ids.CHAT, old_chats[1]["id"]),))
    ]


async def test_chats_that_become_one_without_a_message_are_told_as_well(world, tenant, device):
    await world.handle([a_message(tenant, device, chat=ANA_LID), a_message(tenant, device, chat=ANA, at=later(1))])
    kept, gone = [row["id"] for row in await world.rows("select id from chats order by id")]
    await world.forget_told()
    await world.handle([a_message(tenant, DeviceId(ids.new()), chat=ANA, chat_alt=ANA_LID, at=later(2))])
    [told] = [one.data for one in await world.told(ChatChanged)]
    assert (told.id, told.merged) == (ids.public(ids.CHAT, kept), (ids.public(ids.CHAT, gone),))


async def test_a_message_in_both_merged_chats_is_there_once(world, tenant, device):
    await world.handle([a_placeholder(tenant, device, chat=ANA_LID, wa_id="A1")])
    await world.handle([a_message(tenant, device, chat=ANA, wa_id="A1", text="Ya")])
    await world.handle([a_message(tenant, device, chat=ANA_LID, chat_alt=ANA, wa_id="A2")])
    rows = await world.rows("select wa_id, kind, text from messages order by wa_id")
    assert rows == [{"wa_id": "A1", "kind": "text", "text": "Ya"}, {"wa_id": "A2", "kind": "text", "text": "Hola"}]
    assert len(await world.rows("select 1 from message_redirects")) == 1


async def test_what_was_merged_twice_leads_to_the_last_one_standing(world, tenant, device):
    name = Address("username", "ana")
    await world.handle([a_message(tenant, device, chat=ANA_LID)])
    await world.handle([a_message(tenant, device, chat=ANA)])
    await world.handle([a_message(tenant, device, chat=name)])
    await world.handle([a_message(tenant, device, chat=name, chat_alt=ANA)])
    await world.handle([a_message(tenant, device, chat=ANA, chat_alt=ANA_LID)])
    for table, things in (("contact_redirects", "contacts"), ("chat_redirects", "chats")):
        [left] = await world.rows(f"select id from {things}")  # noqa: S608
        assert [row["new"] for row in await world.rows(f"select new from {table}")] == [left["id"]] * 2  # noqa: S608


async def test_batches_that_meet_a_stranger_at_once_make_one_contact(world, tenant, device):
    batches = [[a_message(tenant, device, chat_alt=ANA_LID, wa_id=f"A{n}"), a_message(tenant, device, chat=BEA)] for n in range(8)]
    await asyncio.gather(*(world.handle(batch) for batch in batches))
    assert len(await world.rows("select 1 from contacts")) == 2
    assert {row["unread"] for row in await world.rows("select unread from chats")} == {8}


async def test_batches_that_merge_the_same_contacts_at_once_agree(world, tenant, device):
    await world.handle([a_message(tenant, device, chat=ANA_LID)])
    await world.handle([a_message(tenant, device, chat=ANA)])
    batches = [
        [a_message(tenant, device, chat=chat, chat_alt=alt)]
        for chat, alt in ((ANA, ANA_LID), (ANA_LID, ANA), (ANA, None), (ANA_LID, None)) * 2
    ]
    await asyncio.gather(*(world.handle(batch) for batch in batches))
    assert await world.rows("select unread from chats") == [{"unread": 10}]
    assert len(await world.told(ContactChanged)) == 1


async def test_a_device_stands_as_its_newest_revision_says(world, tenant, device):
    await world.handle([a_device(tenant, device, revision=3, name="new")])
    await world.handle([a_device(tenant, device, revision=2, name="old"), a_device(tenant, device, revision=1, name="older")])
    assert await world.rows("select name, revision from devices") == [{"name": "new", "revision": 3}]


async def test_one_person_is_one_contact_on_all_devices(world, tenant, device):
    other = DeviceId(ids.new())
    await world.handle([a_message(tenant, device), a_message(tenant, other)])
    assert len(await world.rows("select 1 from contacts")) == 1
    assert len(await world.rows("select 1 from chats")) == 2


async def test_two_tenants_with_the_same_numbers_stay_apart(world, device):
    one, two = TenantId(ids.new()), TenantId(ids.new())
    await world.handle([a_message(one, device, wa_id="A1"), a_message(two, device, wa_id="A1")])
    for tenant in (one, two):
        assert len(await world.rows("select 1 from messages where tenant = $1", tenant)) == 1
        assert len(await world.rows("select 1 from contacts where tenant = $1", tenant)) == 1


async def test_a_batch_of_fifty_tenants_is_one_transaction(world):
    facts = [a_message(TenantId(ids.new()), DeviceId(ids.new()), chat=Address("pn", f"55119{n:08}"), push_name=f"N{n}") for n in range(50)]
    await world.handle(facts)
    rows = await world.rows("select c.tenant, c.unread, k.name from chats c join contacts k on k.id = c.contact and k.tenant = c.tenant")
    assert {(row["tenant"], row["name"]) for row in rows} == {(fact.tenant, fact.data.push_name) for fact in facts}
    assert len(await world.rows("select distinct xmin::text from messages")) == 1


async def test_a_group_is_one_chat_whoever_writes(world, tenant, device):
    group = Address("group", "120363000000000000")
    await world.handle(
        [
            a_message(tenant, device, chat=group, sender=ANA_LID, sender_alt=ANA, push_name="Ana", wa_id="G1"),
            a_message(tenant, device, chat=group, sender=BEA, push_name="Bea", wa_id="G2"),
            a_message(tenant, device, chat=group, sender=ANA, sender_alt=ANA_LID, push_name="Ana", wa_id="G1"),
        ]
    )
    [chat] = await world.rows("select contact, group_address, unread from chats")
    assert chat == {"contact": None, "group_address": group.value, "unread": 2}
    assert [row["name"] for row in await world.rows("select name from contacts order by name")] == ["Ana", "Bea"]


async def test_broadcasts_are_no_conversation(world, tenant, device):
    await world.handle(
        [a_message(tenant, device, chat=Address("status", "broadcast")), a_message(tenant, device, chat=Address("channel", "1"))]
    )
    assert await world.rows("select 1 from chats") == []


async def test_the_newest_push_name_wins_whatever_the_order(world, tenant, device):
    await world.handle([a_message(tenant, device, push_name="Ana María", at=later(9))])
    await world.handle([a_message(tenant, device, push_name="Ana", at=NOON)])
    [contact] = await world.rows("select name from contacts")
    assert contact["name"] == "Ana María"


async def test_strange_texts_are_kept(world, tenant, device):
    for text, kept in (("a\0b", "a\ufffdb"), ("👩‍👩‍👧‍👦 مرحبا", "👩‍👩‍👧‍👦 مرحبا"), ("x" * 60_000, "x" * 60_000)):
        event = a_message(tenant, device, text=text, push_name=text[:20])
        await world.handle([event])
        [row] = await world.rows("select text from messages where wa_id = $1", event.data.wa_id)
        assert row["text"] == kept


async def test_what_our_own_phone_has_read_is_not_unread(world, tenant, device):
    await world.handle([a_message(tenant, device, wa_id="A1", at=later(1)), a_message(tenant, device, wa_id="A2", at=later(9))])
    await world.handle([a_receipt(tenant, device, "A1", own=True, status="read", at=later(5))])
    [chat] = await world.rows("select unread from chats")
    [read] = await world.told(ChatRead)
    assert (chat["unread"], read.data.unread) == (1, 1)


async def test_what_our_own_phone_read_before_it_came_is_not_unread(world, tenant, device):
    await world.handle([a_receipt(tenant, device, "A1", own=True, status="read")])
    await world.handle([a_message(tenant, device, wa_id="A1")])
    [chat] = await world.rows("select unread from chats")
    assert chat["unread"] == 0
    assert await world.rows("select 1 from pending_receipts") == []


async def test_a_read_mark_in_the_same_batch_counts(world: World, tenant, device):
    await world.handle([a_receipt(tenant, device, "A1", own=True, status="read"), a_message(tenant, device, wa_id="A1")])
    assert await world.rows("select unread from chats") == [{"unread": 0}]

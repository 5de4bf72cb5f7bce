"""The durable on the real bus: replicas, repeats, poison."""

import random
from collections import defaultdict
from typing import Any

import msgspec
from contracts import ids, subjects
from contracts.envelope import Envelope
from contracts.events.conversations import MessageReceived
from contracts.ids import DeviceId, TenantId
from contracts.views import MessageStatus
from contracts.whatsapp import Address
from conversations.domain.messages import NOTES
from conversations.domain.statuses import advance
from servicekit.bus import dlq
from servicekit.testing.waiting import eventually

from .facts import NOON, a_message, a_placeholder, a_receipt, later


async def test_a_message_crosses_the_service_from_bus_to_bus(world, bus, tenant, device, consuming, relaying):
    await bus.publish(a_message(tenant, device, text="Hola"))
    async with consuming(), await bus.ordered(subjects.every(MessageReceived), 1) as feed:
        async for fact in feed:
            assert msgspec.json.decode(fact.payload)["data"]["text"] == "Hola"
            break


async def test_poison_goes_to_the_dead_letters_and_the_rest_flows(world, bus, tenant, device, consuming):
    facts = [a_message(tenant, device) for _ in range(20)]
    facts.insert(7, a_message(tenant, device, wa_id=""))
    facts.insert(12, a_message(tenant, device, chat=Address("pn", "")))
    facts.insert(15, a_message(tenant, device, wa_id="x" * 5000))
    facts.insert(16, a_receipt(tenant, device, "A1", "a\0"))
    await bus.publish(*facts)
    async with consuming():
        await eventually(lambda: count(world, 20))
        letters = await eventually(lambda: dead(bus, 4))
    assert {letter.code for letter in letters} == {"fact-unusable"}


async def count(world, wanted):
    [row] = await world.rows("select count(*) as n from messages")
    return row["n"] == wanted


async def dead(bus, wanted):
    letters = [letter async for letter in dlq.entries(bus)]
    assert len(letters) == wanted
    return letters


async def test_two_replicas_agree_with_a_model_on_shuffled_and_repeated_facts(world, bus, consuming):
    """2,000 facts of 3 tenants; people write by phone, by LID, and by both; some messages are typed on our own phone and ticked."""
    rnd = random.Random(20261121)
    tenants = [TenantId(ids.new()) for _ in range(3)]
    devices = [DeviceId(ids.new()) for _ in range(2)]
    facts: list[Envelope[Any]] = []
    texts: dict[Any, str] = {}
    statuses: dict[Any, MessageStatus] = {}
    unread: dict[Any, int] = defaultdict(int)
    for number in range(1100):
        tenant, device, person = rnd.choice(tenants), rnd.choice(devices), rnd.randrange(12)
        pn, lid = Address("pn", f"55119000000{person:02}"), Address("lid", f"7700{person:02}")
        chat, alt = rnd.choice([(pn, None), (lid, None), (pn, lid), (lid, pn)])
        key = tenant, device, person, f"M{number}"
        mine = rnd.random() < 0.3
        kind = "unsupported" if rnd.random() < 0.1 else "text"
        common = {"chat": chat, "chat_alt": alt, "wa_id": key[3], "from_me": mine, "at": later(rnd.randrange(300))}
        content = a_message(tenant, device, text=f"text {number}", kind=kind, **common)
        facts.append(content)
        if rnd.random() < 0.2 and kind == "text":
            facts.append(a_placeholder(tenant, device, **common))
        texts[key] = content.data.text
        if mine:
            statuses[key] = MessageStatus.SENT
            for status in rnd.sample(["delivered", "read", "played"], rnd.randrange(3)):
                facts.append(a_receipt(tenant, device, key[3], chat=rnd.choice([pn, lid]), status=status))
                statuses[key] = advance(statuses[key], MessageStatus(status))
        elif kind not in NOTES:
            unread[tenant, device, person] += 1
    # Whatever was said by one address alone becomes one person's with this.
    for tenant in tenants:
        for person in range(12):
            pn, lid = Address("pn", f"55119000000{person:02}"), Address("lid", f"7700{person:02}")
            key = tenant, devices[0], person, f"link{person}"
            facts.append(a_message(tenant, devices[0], chat=pn, chat_alt=lid, wa_id=key[3], text="link", from_me=True, at=NOON))
            texts[key], statuses[key] = "link", MessageStatus.SENT
    facts += rnd.sample(facts, 400)
    rnd.shuffle(facts)
    assert len(facts) > 2000

    for start in range(0, len(facts), 500):
        # the stream itself would drop repeats: each copy travels under an id of its own
        await bus.publish(*(msgspec.structs.replace(fact, id=ids.new()) for fact in facts[start : start + 500]))
    async with consuming(replicas=2, batch=50):
        await eventually(lambda: count(world, len(texts)), timeout=40)
        await eventually(lambda: drained(world))
        await eventually(lambda: settled(bus))

    rows = await world.rows(
        """
        select m.tenant, m.device, m.wa_id, m.text, m.status, m.from_me, a.value as lid, h.id as chat
          from messages m join chats h on h.id = m.chat
          join contact_aliases a on a.tenant = m.tenant and a.contact = h.contact and a.kind = 'lid'
        """
    )
    assert {(r["tenant"], r["device"], int(r["lid"][4:]), r["wa_id"]): r["text"] for r in rows} == texts
    assert {(r["tenant"], r["device"], int(r["lid"][4:]), r["wa_id"]): r["status"] for r in rows if r["from_me"]} == statuses
    chats = await world.rows(
        """
        select h.tenant, h.device, a.value as lid, h.unread, h.last_message_id = l.id as right_last
          from chats h join contact_aliases a on a.tenant = h.tenant and a.contact = h.contact and a.kind = 'lid'
          left join lateral (
            select id from messages m where m.chat = h.id and kind <> 'reaction' order by at desc, id desc limit 1) l on true
        """
    )
    assert {(c["tenant"], c["device"], int(c["lid"][4:])): c["unread"] for c in chats if c["unread"]} == dict(unread)
    assert all(chat["right_last"] for chat in chats)
    assert len(await world.rows("select 1 from contacts")) == 36
    received = await world.told(MessageReceived)
    assert len({fact.data.id for fact in received}) == len(received) == len(texts)


async def drained(world):
    return await world.rows("select 1 from pending_receipts") == []


async def settled(bus):
    info = await bus.connection.api("CONSUMER.INFO.EVENTS.conversations-whatsapp", timeout=5)
    return (info["num_pending"], info["num_ack_pending"]) == (0, 0)

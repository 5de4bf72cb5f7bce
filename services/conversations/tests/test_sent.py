"""What becomes of messages of ours: WhatsApp takes them, ticks come, workers die. Through the handler of the durable."""

from datetime import datetime, timedelta

import pytest
from contracts import ids
from contracts.events.conversations import MessageAdvanced, MessageConfirmed, MessageReceived
from contracts.ids import DeviceId, MessageId, TenantId, UserId
from contracts.views import MessageStatus
from contracts.whatsapp import Address, Quoted
from conversations.store import chats, writing
from servicekit import outbox
from servicekit.db import raw

from .facts import ANA, ANA_LID, NOON, a_message, a_receipt, a_sent, an_unreadable, an_unsent, later


@pytest.fixture
def queued(world, tenant, device):
    """Queue a message into Ana's chat, as an agent does."""

    async def queue(text: str = "Buenas", at: datetime = NOON, to: Address = ANA) -> MessageId:
        await world.handle([a_message(tenant, device, chat=to, wa_id="first", at=NOON - timedelta(days=1))])
        [chat] = await world.rows("select id from chats")
        async with world.db.transaction(tenant) as tx:
            c = await raw(tx)
            held = (await chats.lock(c, [(tenant, chat["id"])]))[chat["id"]]
            row, told = await writing.queue(c, held, author=UserId(ids.new()), text=text, at=at, expires_at=later(9999))
            await outbox.add(tx, *told)
        await world.forget_told()
        return row.id

    return queue


async def message(world, id):
    [row] = await world.rows("select status, wa_id, at, reason from messages where id = $1", id)
    return row


async def test_what_whatsapp_took_has_its_id_and_time(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1", at=later(7))])
    await world.handle([a_sent(tenant, device, id, "W1", at=later(7))])
    assert await message(world, id) == {"status": "sent", "wa_id": "W1", "at": later(7), "reason": None}
    [confirmed] = await world.told()
    assert isinstance(confirmed.data, MessageConfirmed)
    assert (confirmed.data.id, confirmed.data.status) == (ids.public(ids.MESSAGE, id), MessageStatus.SENT)
    [chat] = await world.rows("select last_message_id, last_message_at from chats")
    assert chat == {"last_message_id": id, "last_message_at": later(7)}


async def test_ticks_only_move_forward(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1")])
    await world.handle([a_receipt(tenant, device, "W1", status="read")])
    await world.handle([a_receipt(tenant, device, "W1", status="delivered")])
    assert (await message(world, id))["status"] == "read"
    assert [e.data.status for e in await world.told(MessageAdvanced)] == ["read"]


async def test_a_receipt_before_its_message_waits_for_it(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_receipt(tenant, device, "W1", status="delivered"), a_receipt(tenant, device, "W1", status="read", at=later(99))])
    assert (await message(world, id))["status"] == "queued"
    await world.handle([a_sent(tenant, device, id, "W1")])
    assert (await message(world, id))["status"] == "read"
    assert await world.rows("select 1 from pending_receipts") == []
    assert [(type(e.data), e.data.status) for e in await world.told()] == [(MessageConfirmed, "sent"), (MessageAdvanced, "read")]


async def test_a_receipt_before_a_message_typed_on_the_phone_waits_for_it(world, tenant, device):
    await world.handle([a_receipt(tenant, device, "P1", status="read")])
    await world.handle([a_message(tenant, device, wa_id="P1", from_me=True)])
    assert await world.rows("select status from messages") == [{"status": "read"}]


async def test_a_receipt_for_a_stranger_makes_no_contact(world, tenant, device):
    await world.handle([a_receipt(tenant, device, "X1")])
    assert await world.rows("select 1 from contacts") == []


async def test_an_echo_that_came_first_is_the_same_message(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_message(tenant, device, wa_id="W1", from_me=True, text="Buenas", at=later(5))])
    [echo] = await world.rows("select id from messages where wa_id = 'W1'")
    await world.handle([a_receipt(tenant, device, "W1", status="delivered")])
    await world.forget_told()
    await world.handle([a_sent(tenant, device, id, "W1", at=later(5))])
    assert await world.rows("select id, status from messages where wa_id = 'W1'") == [{"id": id, "status": "delivered"}]
    [chat] = await world.rows("select last_message_id from chats")
    assert chat["last_message_id"] == id
    confirmed = (await world.told(MessageConfirmed))[0]
    assert confirmed.data.replaces == ids.public(ids.MESSAGE, echo["id"])
    assert await world.rows("select old, new from message_redirects") == [{"old": echo["id"], "new": id}]


async def test_an_echo_and_its_confirmation_in_one_batch_are_one_message(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1"), a_message(tenant, device, wa_id="W1", from_me=True, at=later(60))])
    assert await world.rows("select id from messages where wa_id = 'W1'") == [{"id": id}]
    assert await world.told(MessageReceived) == []


async def test_an_echo_after_the_confirmation_changes_nothing(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1")])
    await world.forget_told()
    await world.handle([a_message(tenant, device, wa_id="W1", from_me=True)])
    assert await world.rows("select id from messages where wa_id = 'W1'") == [{"id": id}]
    assert await world.told() == []


async def test_a_failure_is_final_unless_whatsapp_has_it_after_all(world, tenant, device, queued):
    id = await queued()
    await world.handle([an_unsent(tenant, device, id, "failed", reason="expired")])
    await world.handle([an_unsent(tenant, device, id, "unknown")])
    assert await message(world, id) == {"status": "failed", "wa_id": None, "at": NOON, "reason": "expired"}
    await world.handle([a_sent(tenant, device, id, "W1")])
    assert (await message(world, id))["status"] == "sent"
    assert (await message(world, id))["reason"] is None


async def test_why_a_message_still_waits_is_told(world, tenant, device, queued):
    id = await queued()
    await world.handle([an_unsent(tenant, device, id, "waiting", reason="not-connected")])
    assert (await message(world, id))["reason"] == "not-connected"
    [advanced] = await world.told()
    assert (advanced.data.status, advanced.data.reason) == ("queued", "not-connected")


async def test_an_unknown_is_settled_by_a_receipt_that_nobody_claims(world, tenant, device, queued):
    id = await queued()
    await world.handle([an_unsent(tenant, device, id, "unknown")])
    await world.handle([a_receipt(tenant, device, "W9", status="delivered")])
    row = await message(world, id)
    assert (row["status"], row["wa_id"]) == ("delivered", "W9")
    assert await world.rows("select 1 from pending_receipts") == []


async def test_an_unknown_is_settled_by_a_receipt_that_came_before_it(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_receipt(tenant, device, "W9", status="read")])
    await world.handle([an_unsent(tenant, device, id, "unknown")])
    assert (await message(world, id))["status"] == "read"


async def test_an_unknown_is_settled_by_a_reaction_to_it_but_not_by_one_to_what_the_phone_wrote_before(world, tenant, device, queued):
    id = await queued()
    await world.handle([an_unsent(tenant, device, id, "unknown")])
    for about, from_me, settled in (("3A01", False, False), ("3EB0A1", True, False), ("3EB0A2", False, True)):
        reacted = a_message(tenant, device, kind="reaction", text="👍", quoted=Quoted(wa_id=about, from_me=from_me), at=later(9))
        await world.handle([reacted])
        row = await message(world, id)
        assert (row["status"], row["wa_id"]) == (("delivered", about) if settled else ("unknown", None))
    [told] = await world.told(MessageConfirmed)
    assert [mark.emoji for mark in told.data.reactions] == ["👍"]


async def test_of_two_unknowns_a_receipt_settles_none(world, tenant, device, queued):
    ids_ = [await queued(), await queued()]
    await world.handle([an_unsent(tenant, device, id, "unknown") for id in ids_])
    await world.handle([a_receipt(tenant, device, "W9")])
    assert [(await message(world, id))["status"] for id in ids_] == ["unknown", "unknown"]


async def test_a_receipt_does_not_settle_an_unknown_while_another_message_is_on_its_way(world, tenant, device, queued):
    unknown, going = await queued(), await queued()
    await world.handle([an_unsent(tenant, device, unknown, "unknown")])
    await world.handle([a_receipt(tenant, device, "W9")])
    await world.handle([a_sent(tenant, device, going, "W9")])
    assert (await message(world, unknown))["status"] == "unknown"
    assert (await message(world, going))["status"] == "delivered"


async def test_a_wrong_guess_is_taken_back_when_the_true_message_is_confirmed(world, tenant, device, queued):
    unknown = await queued()
    await world.handle([an_unsent(tenant, device, unknown, "unknown")])
    await world.handle([a_receipt(tenant, device, "W9")])
    true = await queued()
    await world.handle([a_sent(tenant, device, true, "W9")])
    assert await message(world, unknown) == {"status": "unknown", "wa_id": None, "at": NOON, "reason": "worker-lost"}
    assert (await message(world, true))["wa_id"] == "W9"


async def test_a_receipt_by_lid_finds_a_message_sent_to_the_phone(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1")])
    await world.handle([a_receipt(tenant, device, "W1", chat=ANA_LID, status="read")])
    assert (await message(world, id))["status"] == "read"


async def test_sending_teaches_the_other_address(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1", chat=ANA_LID, chat_alt=ANA)])
    await world.handle([a_message(tenant, device, chat=ANA_LID, wa_id="R1")])
    assert len(await world.rows("select 1 from chats")) == 1
    assert len(await world.rows("select 1 from contacts")) == 1


async def test_facts_about_messages_that_are_not_here_change_nothing(world, tenant, device):
    await world.handle([a_sent(tenant, device, MessageId(ids.new()), "W1"), an_unsent(tenant, device, MessageId(ids.new()), "failed")])
    assert await world.told() == []


async def test_another_tenants_message_is_out_of_reach(world, tenant, device, queued):
    id = await queued()
    stranger = TenantId(ids.new())
    await world.handle([a_sent(stranger, device, id, "W1"), a_receipt(tenant, device, "other")])
    assert (await message(world, id))["status"] == "queued"


# --- what the phone could not read ---------------------------------------------------------------------------------------


async def test_a_message_that_the_phone_could_not_read_is_unknown_and_it_is_told_once(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1")])
    await world.forget_told()
    await world.handle([an_unreadable(tenant, device, "W1", chat=ANA_LID)])
    await world.handle([an_unreadable(tenant, device, "W1"), a_sent(tenant, device, id, "W1")])
    assert await message(world, id) == {"status": "unknown", "wa_id": "W1", "at": later(60), "reason": "not-readable"}
    [advanced] = await world.told()
    assert (advanced.data.status, advanced.data.reason, advanced.data.at) == ("unknown", "not-readable", later(120))


@pytest.mark.parametrize("together", [True, False])
async def test_that_the_phone_could_not_read_it_waits_for_the_message(world, tenant, device, queued, together):
    id = await queued()
    facts = [an_unreadable(tenant, device, "W1"), a_sent(tenant, device, id, "W1")]
    for batch in [facts] if together else [[fact] for fact in facts]:
        await world.handle(batch)
    assert await message(world, id) == {"status": "unknown", "wa_id": "W1", "at": later(60), "reason": "not-readable"}
    assert [(type(e.data), e.data.status, e.data.reason) for e in await world.told()] == [
        (MessageConfirmed, "sent", None),
        (MessageAdvanced, "unknown", "not-readable"),
    ]
    assert await world.rows("select 1 from pending_receipts") == []


async def test_an_echo_that_the_phone_could_not_read_is_the_same_message_once_it_is_confirmed(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_message(tenant, device, wa_id="W1", from_me=True, text="Buenas", at=later(5))])
    await world.handle([an_unreadable(tenant, device, "W1")])
    await world.handle([a_sent(tenant, device, id, "W1", at=later(5))])
    assert await world.rows("select id, status, reason from messages where wa_id = 'W1'") == [
        {"id": id, "status": "unknown", "reason": "not-readable"}
    ]


@pytest.mark.parametrize("first", [True, False])
async def test_what_another_device_of_the_customer_has_stays_delivered(world, tenant, device, queued, first):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1")])
    facts = [a_receipt(tenant, device, "W1", status="delivered"), an_unreadable(tenant, device, "W1")]
    for fact in facts if first else reversed(facts):
        await world.handle([fact])
    assert ((await message(world, id))["status"], (await message(world, id))["reason"]) == ("delivered", None)
    told = [(e.data.status, e.data.reason) for e in await world.told(MessageAdvanced)]
    assert told == ([] if first else [("unknown", "not-readable")]) + [("delivered", None)]


async def test_a_receipt_and_its_contrary_may_both_come_before_the_message(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_receipt(tenant, device, "W1", status="read"), an_unreadable(tenant, device, "W1")])
    await world.handle([an_unreadable(tenant, device, "W1")])
    await world.handle([a_sent(tenant, device, id, "W1")])
    assert (await message(world, id))["status"] == "read"


async def test_a_message_whose_end_nobody_knows_is_not_taken_for_the_one_that_a_phone_could_not_read(world, tenant, device, queued):
    id = await queued()
    await world.handle([an_unsent(tenant, device, id, "unknown")])
    await world.handle([an_unreadable(tenant, device, "W9")])
    assert await message(world, id) == {"status": "unknown", "wa_id": None, "at": NOON, "reason": "worker-lost"}


async def test_a_member_of_a_group_who_cannot_read_puts_no_message_in_doubt(world, tenant, device, queued):
    group = Address("group", "120363000000000001")
    id = await queued(to=group)
    await world.handle([a_sent(tenant, device, id, "W1", chat=group)])
    await world.handle([an_unreadable(tenant, device, "W1"), an_unreadable(tenant, device, "W1", chat=group)])
    assert (await message(world, id))["status"] == "sent"


async def test_what_a_phone_of_another_tenant_could_not_read_changes_nothing_here(world, tenant, device, queued):
    id = await queued()
    await world.handle([a_sent(tenant, device, id, "W1")])
    await world.handle([an_unreadable(TenantId(ids.new()), device, "W1"), an_unreadable(tenant, DeviceId(ids.new()), "W1")])
    assert (await message(world, id))["status"] == "sent"

"""What the bot and automations order: each once, and never over a human."""

from datetime import UTC, datetime, timedelta

import pytest
from contracts import ids
from contracts.asks import ChatsKnown, ChatsNamed
from contracts.commands import ChangeChat, SendMessage, WriteMessage
from contracts.envelope import wrap
from contracts.events.auth import AccountChanged, Limits
from contracts.events.conversations import ChatAssigned, ChatChanged, MessageQueued, NoteAdded
from contracts.ids import ChatId
from conversations.consumers import accounts, answers, orders
from conversations.domain.errors import ChatMissing, FactUnusable, SnoozeInvalid
from conversations.store import media
from conversations.store.media import Medium
from conversations.store.messages import File
from msgspec import json
from servicekit.db import raw

from .facts import ANA, a_deletion, a_device, a_message, later


@pytest.fixture
def carry_out(world, tenant, team):
    """Let the service carry out an order; returns its envelope, to be repeated."""
    handle = orders.handler(
        world.db, expiry=timedelta(hours=1), sees=lambda user, chat: user not in team.access or team.access[user].sees(chat.device)
    )

    async def order(body, again=None):
        envelope = again or wrap(tenant, body)
        await handle([envelope])
        return envelope

    return order


@pytest.fixture
async def chat(world, tenant, device):
    """A chat in which Ana waits since noon."""
    await world.handle([a_device(tenant, device), a_message(tenant, device)])
    await world.forget_told()
    [row] = await world.rows("select id from chats")
    return ChatId(row["id"])


async def test_a_bots_message_is_queued_once_and_the_customer_still_waits(world, carry_out, chat):
    order = await carry_out(WriteMessage(chat=chat, origin="bot", text="¡Hola!"))
    await carry_out(None, again=order)
    queued, sent = await world.told()
    assert isinstance(queued.data, MessageQueued)
    assert (queued.data.origin, queued.data.author_id, queued.data.text) == ("bot", None, "¡Hola!")
    assert isinstance(sent.data, SendMessage)
    assert (sent.data.message, sent.data.to) == (ids.derived("message", order.id), ANA)
    [row] = await world.rows("select waiting_since, queued_at, first_response_at from chats")
    assert row == {"waiting_since": later(0), "queued_at": later(0), "first_response_at": None}


async def test_the_bot_does_not_talk_over_a_human(world, tenant, device, carry_out, chat):
    await world.handle([a_message(tenant, device, from_me=True, at=later(60))])  # on the number's own phone
    await world.forget_told()
    for since, count in ((later(30), 0), (later(60), 1)):
        await carry_out(WriteMessage(chat=chat, origin="bot", text="¿Sigues ahí?", unless_answered_since=since))
        assert len(await world.told(MessageQueued)) == count
    await carry_out(WriteMessage(chat=chat, origin="bot", text="tarde", not_after=datetime.now(UTC) - timedelta(seconds=1)))
    assert len(await world.told(MessageQueued)) == 1


async def test_nothing_is_written_over_a_number_that_is_gone_or_for_a_suspended_account(world, tenant, device, carry_out, chat):
    suspended = AccountChanged(
        name="Sol", locale="es", time_zone="UTC", currency="COP", limits=Limits(), suspended=True, revision=1
    )  # fmt: skip
    await accounts.handler(world.db)([wrap(tenant, suspended)])
    await carry_out(WriteMessage(chat=chat, origin="automation", text="Hola"))
    await world.handle([a_deletion(tenant, device)])
    await carry_out(WriteMessage(chat=chat, origin="automation", text="Hola"))
    assert await world.told() == []


async def test_a_rule_sends_one_file_as_often_as_it_likes(client, world, tenant, team, carry_out, chat):
    ann = await team.hire("Ann")
    id = ids.new()
    facts = File(id=id, state="ready", mime="image/png", size=9, object="a/b", sha256="00")
    medium = Medium(
        tenant=tenant, id=id, device=None, message=None, author=ann.principal.id, kind="image", state="ready", reason=None, attempt=1,
        source=None, object="a/b", mime="image/png", size=9, file_name=None, facts=facts, created_at=datetime.now(UTC),
    )  # fmt: skip
    async with world.db.transaction(tenant) as tx:
        await media.upload(await raw(tx), medium)
    for _ in range(2):
        await carry_out(WriteMessage(chat=chat, origin="bot", media=id, text="El menú"))
    await carry_out(WriteMessage(chat=chat, origin="bot", media=ids.new()))
    orders_told = await world.told(SendMessage)
    assert [(order.data.kind, order.data.text, order.data.media.object) for order in orders_told] == [("image", "El menú", "a/b")] * 2
    rows = await world.rows("select message from media")
    assert {row["message"] for row in rows} == {order.data.message for order in orders_told}


async def test_an_order_that_cannot_be_meant_is_refused(world, carry_out, chat):
    for body, refusal in (
        (WriteMessage(chat=chat, origin="bot", text=" "), FactUnusable),
        (WriteMessage(chat=chat, origin="bot"), FactUnusable),
        (WriteMessage(chat=ChatId(ids.new()), origin="bot", text="a"), ChatMissing),
        (ChangeChat(chat=ChatId(ids.new()), origin="bot", status="closed"), ChatMissing),
        (ChangeChat(chat=chat, origin="bot", status="snoozed"), SnoozeInvalid),
    ):
        with pytest.raises(refusal):
            await carry_out(body)
    assert await world.told() == []


async def test_a_rule_changes_where_a_chat_stands(client, world, team, carry_out, chat):
    ann = await team.hire("Ann")
    tag = (await client.post("/api/tags", json={"name": "VIP"}, headers=ann.headers)).json()["id"]
    await world.forget_told()
    order = await carry_out(
        ChangeChat(
            chat=chat,
            origin="automation",
            status="pending",
            assignee=ann.principal.id,
            add_tags=(ids.parse(ids.TAG, tag), ids.new()),
            note="Pidió precio.",
        )
    )
    [changed] = await world.told(ChatChanged)
    assert (changed.data.status, changed.data.tags, changed.data.actor) == ("pending", (tag,), None)
    assert [told.data.way for told in await world.told(ChatAssigned)] == ["rule"]
    [note] = await world.told(NoteAdded)
    assert (note.data.text, note.data.origin, note.data.kind) == ("Pidió precio.", "automation", "note")
    await client.patch(f"/api/chats/{ids.public(ids.CHAT, chat)}", json={"status": "closed"}, headers=ann.headers)
    await carry_out(None, again=order)
    [row] = await world.rows("select status from chats")
    assert row["status"] == "closed", "an order that comes again does not undo what an agent did since"


async def test_a_rule_gives_a_chat_to_nobody_who_cannot_have_it_and_hands_over_to_the_queue(world, team, carry_out, chat):
    ann = await team.hire("Ann")
    await team.change(ann, active=False)
    await carry_out(ChangeChat(chat=chat, origin="bot", assignee=ann.principal.id))
    await carry_out(ChangeChat(chat=chat, origin="bot", assignee=ids.new(), team=ids.new()))
    assert await world.told() == []
    await carry_out(ChangeChat(chat=chat, origin="bot", status="pending"))
    sales = await team.found()
    await carry_out(ChangeChat(chat=chat, origin="bot", team=sales, hand_over=True))
    [row] = await world.rows("select status, team, assignee, queued_at from chats")
    assert row == {"status": "open", "team": sales, "assignee": None, "queued_at": later(0)}


async def test_who_may_see_a_chat_is_answered_to_other_services(world, tenant, device, team, carry_out, chat):
    ann = await team.hire("Ann")
    await carry_out(ChangeChat(chat=chat, origin="bot", assignee=ann.principal.id))
    nobody = ChatId(ids.new())
    answer = answers.chats(world.db)
    known = json.decode(await answer(json.encode(ChatsNamed(tenant=tenant, chats=(chat, nobody)))), type=ChatsKnown).chats
    assert {id: (one.device, one.assignee) for id, one in known.items()} == {chat: (device, ann.principal.id)}
    foreign = ChatsNamed(tenant=ids.new(), chats=(chat,))
    assert json.decode(await answer(json.encode(foreign)), type=ChatsKnown).chats == {}
    assert json.decode(await answer(b"?"), type=ChatsKnown).chats == {}

"""What becomes of the facts that others tell, on a real database."""

import random
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from bot.consumers import DURABLE
from contracts import ids
from contracts.commands import ChangeChat, WriteMessage
from contracts.envelope import wrap
from contracts.events.auth import AccountChanged, Limits
from contracts.events.bot import ChatSwitched
from contracts.events.conversations import ContactErased, HoursChanged
from contracts.hours import Assigned, Hours
from contracts.ids import TenantId

from .conftest import NOW, Chat, World

BOT = {
    "enabled": True,
    "welcome": {"enabled": True, "reply": {"text": "¡Hola {{contact.name}}! Somos {{account.name}}, en {{number.name}}."}},
    "out_of_hours": {"enabled": True, "reply": {"text": "Estamos cerrados."}},
    "rules": [
        {"id": "price", "name": "Precio", "match": "any_of", "phrases": ["precio"], "reply": {"text": "Cuesta 10."}},
        {
            "id": "bye",
            "name": "Fin",
            "match": "exact",
            "phrases": ["adiós"],
            "reply": {"text": "¡Hasta pronto!"},
            "action": {"close": True},
        },
        {"id": "help", "name": "Persona", "match": "exact", "phrases": ["ayuda"], "action": {"hand_over": True}},
    ],
}


@pytest.fixture
async def chat(world: World, client: httpx.AsyncClient, signed_in: Any, tenant: TenantId) -> Chat:
    """A number with a bot, and a chat on it that nobody has written in yet."""
    owner = signed_in(tenant=tenant)
    answer = await client.put("/api/bot", json=BOT, headers=owner.headers)
    assert answer.status_code == 200, answer.text
    await world.admin.execute("delete from bot.outbox")
    chat = Chat(tenant)
    await world.handle([chat.number(), chat.created()])
    return chat


async def test_the_welcome_waits_a_moment_and_is_an_order_to_conversations(world: World, chat: Chat):
    account = AccountChanged(
        name="Café Luna", locale="es", time_zone="America/Mexico_City", currency="MXN", limits=Limits(), suspended=False, revision=1
    )
    first = chat.customer("buenas")
    await world.handle([wrap(chat.tenant, account), first])
    (order,) = await world.waiting()
    assert isinstance(order.data, WriteMessage)
    assert order.data.text == "¡Hola Luis! Somos Café Luna, en Tienda."
    assert (order.data.chat, order.data.origin, order.data.unless_answered_since) == (chat.id, "bot", NOW)
    assert not await world.told()
    assert await world.speak() == 1
    assert await world.told() == [order]
    assert await world.speak() == 0


async def test_a_message_that_comes_twice_or_in_two_batches_is_answered_once(world: World, chat: Chat):
    message = chat.customer("precio")
    await world.handle([message, message])
    await world.handle([message])
    assert await world.said() == ["Cuesta 10."]


async def test_after_a_crash_before_the_commit_the_repeat_is_the_same_order(world: World, chat: Chat):
    message = chat.customer("precio")
    await world.handle([message])
    (before,) = await world.waiting()
    await world.admin.execute("delete from bot.inbox; delete from bot.pending; update bot.chats set state = '{}'")
    await world.handle([message])
    assert [one.id for one in await world.waiting()] == [before.id]


async def test_whatever_the_order_of_arrival_welcome_is_said_once(world: World, chat: Chat):
    messages = [chat.customer(f"hola {number}", after=number) for number in range(6)]
    shuffled = messages * 2
    random.Random(7).shuffle(shuffled)
    for one in shuffled:
        await world.handle([one])
    assert sum("Hola" in (text or "") for text in await world.said()) == 1


@pytest.mark.parametrize("who", ["queued", "phone"])
async def test_a_person_who_answers_silences_the_bot_and_what_it_was_about_to_say(world: World, chat: Chat, who: str):
    await world.handle([chat.customer("precio")])
    await world.handle([getattr(chat, who)("Yo te ayudo.", after=1)])
    assert await world.said() == []
    await world.handle([chat.customer("precio", after=2)])
    assert await world.said() == []
    (told,) = await world.told()
    assert (told.data.silent, told.data.reason) == (True, "human")
    await world.handle([chat.stands("closed", at=NOW + timedelta(seconds=3)), chat.customer("precio", after=4)])
    assert await world.said() == ["Cuesta 10."]
    assert [(one.data.silent, one.data.reason) for one in await world.told()] == [(True, "human"), (False, "closed")]


@pytest.mark.parametrize("origin", ["bot", "automation", "schedule"])
async def test_what_a_rule_or_a_schedule_sends_silences_nobody(world: World, chat: Chat, origin: str):
    await world.handle([chat.queued("Hola", origin=origin), chat.customer("precio", after=1)])
    assert await world.said() == ["Cuesta 10."]


async def test_our_own_words_that_looked_typed_on_the_phone_silence_nobody(world: World, chat: Chat):
    copy = chat.phone("Cuesta 10.")
    await world.handle([copy, chat.confirmed("Cuesta 10.", replaces=copy.data.id), chat.customer("precio", after=2)])
    assert await world.said() == ["Cuesta 10."]


async def test_a_closing_that_is_older_than_the_persons_answer_changes_nothing(world: World, chat: Chat):
    await world.handle([chat.queued("Yo te ayudo.", after=5), chat.stands("closed", at=NOW), chat.customer("precio", after=6)])
    assert await world.said() == []


async def test_a_rule_that_hands_over_orders_a_person_at_once_and_is_silent(world: World, chat: Chat):
    await world.handle([chat.customer("ayuda")])
    (order,) = await world.waiting()
    assert isinstance(order.data, ChangeChat)
    assert order.data.hand_over
    (told,) = await world.told()
    assert isinstance(told.data, ChatSwitched)
    assert told.data.reason == "handed-over"


async def test_a_rule_that_closes_closes_after_the_last_word(world: World, chat: Chat):
    await world.handle([chat.customer("adiós")])
    said, closing = await world.waiting()
    assert isinstance(said.data, WriteMessage)
    assert isinstance(closing.data, ChangeChat)
    assert closing.data.status == "closed"


@pytest.mark.parametrize("more", [{"history": True}, {"group": True}])
async def test_history_and_groups_are_left_alone(world: World, chat: Chat, more: dict[str, bool]):
    await world.handle([chat.customer("precio", **more)])
    assert await world.waiting() == []


async def test_facts_that_are_an_hour_late_are_not_answered(world: World, chat: Chat):
    world.now = NOW + timedelta(hours=1)
    await world.handle([chat.customer("precio")])
    assert await world.waiting() == []


async def test_the_service_hours_of_the_account_hold(world: World, chat: Chat):
    never = Assigned(hours=Hours(time_zone="UTC", weekly=()), everywhere=True)
    await world.handle([wrap(chat.tenant, HoursChanged(sets=(never,), revision=2))])
    await world.handle([wrap(chat.tenant, HoursChanged(sets=(), revision=1)), chat.customer("buenas")])
    assert await world.said() == ["Estamos cerrados."]


async def test_a_suspended_account_has_no_bot(world: World, chat: Chat):
    account = AccountChanged(name="x", locale="es", time_zone="UTC", currency="MXN", limits=Limits(), suspended=True, revision=1)
    await world.handle([wrap(chat.tenant, account), chat.customer("precio")])
    assert await world.waiting() == []


async def test_other_accounts_in_the_batch_are_answered_by_their_own_bot(world: World, chat: Chat):
    stranger = Chat(TenantId(ids.new()))
    await world.handle([stranger.created(), stranger.customer("precio"), chat.customer("precio")])
    assert [one.tenant for one in await world.waiting()] == [chat.tenant]


async def test_a_menu_is_walked_on_after_a_restart(world: World, chat: Chat, client: httpx.AsyncClient, signed_in: Any):
    menu = {"id": "main", "text": "Elige:", "options": [{"key": "1", "label": "Ventas", "reply": {"text": "Vendemos."}}]}
    document = {"enabled": True, "welcome": {"enabled": True, "menu": "main"}, "menus": [menu]}
    await client.put("/api/bot", json=document, headers=signed_in(tenant=chat.tenant).headers)
    await world.handle([chat.customer("hola")])
    again = World(world.urls, world.db, world.system, world.admin)
    await again.handle([chat.customer("1", after=30)])
    assert (await again.said())[-1] == "Vendemos."


async def test_what_no_rule_knew_is_counted_folded_and_long_stories_are_not(world: World, chat: Chat):
    await world.handle([chat.customer("hola")])
    await world.handle(
        [chat.customer("¿Hacen ENVÍOS?", after=30), chat.customer("hacen envios", after=60), chat.customer("x" * 200, after=90)]
    )
    rows = await world.admin.fetch("select phrase, count from bot.phrases")
    assert [tuple(row) for row in rows] == [("hacen envios", 2)]


async def test_the_durable_has_its_effect_once(world: World, chat: Chat):
    await world.handle([chat.customer("precio")])
    seen = await world.admin.fetch("select durable from bot.inbox")
    assert {row["durable"] for row in seen} == {DURABLE}


async def test_the_system_role_sees_when_answers_are_due_and_none_of_what_is_kept(world: World, chat: Chat):
    await world.handle([chat.customer("precio")])
    system = await asyncpg.connect(world.urls.system_url)
    try:
        assert await system.fetchval("select count(*) from bot.pending") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await system.fetchval("select count(*) from bot.settings")
    finally:
        await system.close()


async def test_of_somebody_who_is_erased_nothing_is_remembered_and_nothing_is_said(world: World, chat: Chat):
    await world.handle([chat.customer("hola me llamo Ana")])
    assert await world.waiting()
    erasure = ContactErased(
        id=ids.public(ids.CONTACT, ids.new()),
        erasure_id=ids.public(ids.ERASURE, ids.new()),
        at=NOW,
        chat_ids=(ids.public(ids.CHAT, chat.id),),
    )
    fact = wrap(chat.tenant, erasure)
    # In the same batch as something that was said before.
    await world.handle([chat.customer("precio"), fact])
    await world.handle([fact])
    for table in ("chats", "pending", "phrases"):
        assert await world.admin.fetchval(f"select count(*) from bot.{table}") == 0  # noqa: S608
    assert [one.type for one in await world.told()].count("bot.erasure.done") == 1

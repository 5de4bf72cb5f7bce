"""The routes under /api/bot."""

from typing import Any

import httpx
import pytest
from contracts import ids
from contracts.ids import TenantId
from contracts.principal import Role

from .conftest import Chat, World
from .test_events import BOT


@pytest.fixture
def owner(signed_in: Any, tenant: TenantId) -> Any:
    return signed_in(tenant=tenant)


async def put(client: httpx.AsyncClient, who: Any, document: dict[str, Any], path: str = "/api/bot") -> httpx.Response:
    return await client.put(path, json=document, headers=who.headers)


async def test_a_new_account_has_a_bot_that_is_switched_off(client: httpx.AsyncClient, owner: Any):
    body = (await client.get("/api/bot", headers=owner.headers)).json()
    assert (body["version"], body["enabled"], body["rules"]) == (0, False, [])


async def test_what_is_set_is_shown_and_counted(client: httpx.AsyncClient, owner: Any, signed_in: Any, tenant: TenantId):
    answer = await put(client, owner, BOT)
    assert answer.status_code == 200
    assert answer.json()["version"] == 1
    shown = await client.get("/api/bot", headers=signed_in(Role.AGENT, tenant).headers)
    assert shown.json() == answer.json()
    assert shown.json()["welcome"]["reply"]["text"] == BOT["welcome"]["reply"]["text"]  # type: ignore[index]


async def test_two_who_change_it_at_once_do_not_overwrite_each_other(client: httpx.AsyncClient, owner: Any):
    await put(client, owner, BOT)
    assert (await put(client, owner, BOT | {"version": 1})).json()["version"] == 2
    late = await put(client, owner, BOT | {"version": 1})
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (409, "bot-changed", 2)


async def test_an_agent_may_not_change_it(client: httpx.AsyncClient, signed_in: Any):
    assert (await put(client, signed_in(Role.AGENT), BOT)).status_code == 403


WRONG: dict[str, dict[str, Any]] = {
    "an unknown member": {"colour": "red"},
    "a rule without a phrase": {"rules": [{"id": "a", "name": "a", "match": "exact", "phrases": [], "reply": {"text": "x"}}]},
    "a rule that does nothing": {"rules": [{"id": "a", "name": "a", "match": "exact", "phrases": ["a"]}]},
    "two rules of one id": {"rules": [{"id": "a", "name": "a", "match": "exact", "phrases": ["a"], "reply": {"text": "x"}}] * 2},
    "a menu that is not there": {"welcome": {"enabled": True, "menu": "gone"}},
    "a welcome without words": {"welcome": {"enabled": True}},
    "a broken expression": {"rules": [{"id": "a", "name": "a", "match": "regex", "phrases": ["("], "reply": {"text": "x"}}]},
    "a keyword that all meet": {"rules": [{"id": "a", "name": "a", "match": "contains", "phrases": ["?"], "reply": {"text": "x"}}]},
    "a zone that is none": {"out_of_hours": {"enabled": True, "reply": {"text": "x"}, "hours": {"time_zone": "Mars/Olympus"}}},
    "10,000 rules": {
        "rules": [{"id": f"r{n}", "name": "a", "match": "exact", "phrases": [f"a{n}"], "reply": {"text": "x"}} for n in range(10_000)]
    },
}


async def test_what_cannot_work_is_refused_and_nothing_of_it_is_kept(client: httpx.AsyncClient, owner: Any):
    for what, wrong in WRONG.items():
        answer = await put(client, owner, wrong)
        assert answer.status_code == 422, what
        assert answer.json()["code"] in {"invalid", "bot-rule-invalid"}, what
    assert (await client.get("/api/bot", headers=owner.headers)).json()["version"] == 0


async def test_a_number_of_its_own_differs_in_what_it_says_and_in_nothing_else(
    world: World, client: httpx.AsyncClient, owner: Any, tenant: TenantId
):
    chat, other = Chat(tenant), Chat(tenant)
    await world.handle([chat.number(), other.number(), chat.created(), other.created()])
    await put(client, owner, BOT)
    path = f"/api/bot/devices/{ids.public(ids.DEVICE, chat.device)}"
    assert (await client.get(path, headers=owner.headers)).json()["code"] == "bot-settings-not-found"
    own = {"rules": [{"id": "price", "name": "Precio", "match": "any_of", "phrases": ["precio"], "reply": {"text": "Aquí cuesta 8."}}]}
    answer = await put(client, owner, own, path)
    assert answer.status_code == 200, answer.text
    assert answer.json()["holds"]["welcome"] == answer.json()["holds"]["welcome"] | {"enabled": True}
    assert (await client.get("/api/bot", headers=owner.headers)).json()["own"] == [ids.public(ids.DEVICE, chat.device)]
    await world.handle([chat.customer("precio"), other.customer("precio")])
    assert sorted(text or "" for text in await world.said()) == ["Aquí cuesta 8.", "Cuesta 10."]
    assert (await client.delete(path, headers=owner.headers)).status_code == 204
    assert (await client.delete(path, headers=owner.headers)).json()["code"] == "bot-settings-not-found"


async def test_the_accounts_menu_that_a_number_shows_cannot_go(world: World, client: httpx.AsyncClient, owner: Any, tenant: TenantId):
    chat = Chat(tenant)
    await world.handle([chat.number()])
    menu = {"id": "main", "text": "Elige:", "options": [{"key": "1", "label": "Uno", "reply": {"text": "x"}}]}
    await put(client, owner, {"menus": [menu]})
    path = f"/api/bot/devices/{ids.public(ids.DEVICE, chat.device)}"
    assert (await put(client, owner, {"welcome": {"enabled": True, "menu": "main"}}, path)).status_code == 200
    answer = await put(client, owner, {"menus": []})
    assert (answer.status_code, answer.json()["code"]) == (422, "bot-rule-invalid")


async def test_a_dry_run_says_why_each_fired_and_sends_nothing(world: World, client: httpx.AsyncClient, owner: Any):
    steps = [
        {"text": "hola"},
        {"text": "¿precio?"},
        {"who": "person"},
        {"text": "precio"},
        {"who": "close"},
        {"text": "precio", "after_minutes": 60},
        {"text": "adios", "after_minutes": 2},
        {"text": None, "after_minutes": 60 * 24 * 31},
    ]
    at = "2026-11-23T10:00:00Z"
    answer = await client.post("/api/bot/simulate", json={"steps": steps, "bot": BOT, "at": at, "name": "Luis"}, headers=owner.headers)
    assert answer.status_code == 200, answer.text
    done = answer.json()["steps"]
    assert [step["why"] for step in done] == ["welcome", "rule", None, "paused", None, "rule", "rule", "welcome"]
    assert [step["rule"] for step in done if step["why"] == "rule"] == ["price", "price", "bye"]
    assert done[2]["silent"]
    assert done[6]["close"]
    assert await world.waiting() == []


async def test_the_figures_count_what_was_answered_and_what_nobody_knew(
    world: World, client: httpx.AsyncClient, owner: Any, tenant: TenantId
):
    chat = Chat(tenant)
    await put(client, owner, BOT)
    await world.handle([chat.number(), chat.created(), chat.customer("hola"), chat.customer("precio", after=9)])
    await world.handle([chat.customer("otra cosa", after=30), chat.customer("ayuda", after=60)])
    body = (await client.get("/api/bot/figures", headers=owner.headers)).json()
    assert (body["answered"], body["handed_over"], body["unknown"]) == (3, 1, 1)
    assert {(line["why"], line["rule"]) for line in body["counts"]} >= {("rule", "price"), ("welcome", "welcome")}
    (phrase,) = (await client.get("/api/bot/phrases", headers=owner.headers)).json()["items"]
    assert (phrase["phrase"], phrase["count"]) == ("otra cosa", 1)
    assert (await client.delete("/api/bot/phrases", params={"phrase": "otra cosa"}, headers=owner.headers)).status_code == 204
    assert (await client.get("/api/bot/phrases", headers=owner.headers)).json()["items"] == []
    wrong = await client.get("/api/bot/figures", params={"first": "2026-02-02", "last": "2026-02-01"}, headers=owner.headers)
    assert wrong.json()["code"] == "period-invalid"


async def test_phrases_come_in_pages_and_a_strangers_cursor_is_refused(
    world: World, client: httpx.AsyncClient, owner: Any, tenant: TenantId, signed_in: Any
):
    chat = Chat(tenant)
    await put(client, owner, {"enabled": True})
    await world.handle([chat.created(), *(chat.customer(f"frase {n}", after=n) for n in range(5))])
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/bot/phrases", params=query, headers=owner.headers)).json()
        seen += [item["phrase"] for item in page["items"]]
        cursor = page["next_cursor"] or cursor
    assert sorted(seen) == [f"frase {n}" for n in range(5)]
    foreign = await client.get("/api/bot/phrases", params={"cursor": cursor}, headers=signed_in().headers)
    assert foreign.json()["code"] == "bad-cursor"


async def test_an_agent_silences_the_bot_in_a_chat_and_lets_it_speak_again(
    world: World, client: httpx.AsyncClient, owner: Any, tenant: TenantId, signed_in: Any
):
    chat = Chat(tenant)
    await put(client, owner, BOT)
    path = f"/api/bot/chats/{ids.public(ids.CHAT, chat.id)}"
    agent = signed_in(Role.AGENT, tenant)
    assert (await client.get(path, headers=agent.headers)).json()["code"] == "chat-not-found"
    await world.handle([chat.number(), chat.created()])
    assert (await put(client, agent, {"silent": True}, path)).json() == {"silent": True, "until": None, "menu": None}
    await world.handle([chat.customer("precio", after=60)])
    assert await world.said() == []
    assert not (await put(client, agent, {"silent": False}, path)).json()["silent"]
    await world.handle([chat.customer("precio", after=120)])
    assert await world.said() == ["Cuesta 10."]
    assert [one.data.reason for one in await world.told() if one.type == "bot.chat.switched"] == ["asked", "asked"]


async def test_chats_and_numbers_of_another_account_are_not_there(world: World, client: httpx.AsyncClient, owner: Any, signed_in: Any):
    chat = Chat(TenantId(ids.new()))
    await world.handle([chat.number(), chat.created()])
    assert (await client.get(f"/api/bot/chats/{ids.public(ids.CHAT, chat.id)}", headers=owner.headers)).status_code == 404
    answer = await put(client, owner, {}, f"/api/bot/devices/{ids.public(ids.DEVICE, chat.device)}")
    assert answer.json()["code"] in {"device-not-found", "devices-unavailable"}

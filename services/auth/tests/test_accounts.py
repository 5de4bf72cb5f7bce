from typing import Any

import msgspec
import pytest_asyncio
from contracts import asks, ids
from contracts.asks import KeyExchanged, KeyPresented
from contracts.envelope import Envelope
from contracts.events.auth import AccountChanged, Limits
from contracts.ids import TenantId
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.testing import eventually
from sqlalchemy import text

from .conftest import PASSWORD, Caller, an_owner, let_in, signed_in


@pytest_asyncio.fixture
async def installer(call: Caller, db: Database) -> Caller:
    """The installation's owner, signed in."""
    answer = await call.register("root@example.com", account="Clarin")
    async with db.transaction(TenantId(ids.parse(ids.ACCOUNT, answer.body["account"]["id"]))) as tx:
        await tx.execute(text("update users set installation = true"))
    return await signed_in(call, "root@example.com")


async def account(caller: Caller) -> str:
    id: str = (await caller("GET", "/api/account")).body["id"]
    return id


async def test_an_account_is_read_by_its_people_and_changed_by_who_is_in_charge(call: Caller, told: list[Envelope[Any]]) -> None:
    owner = await an_owner(call)
    await let_in(owner, "beto@example.com")
    agent = await signed_in(call, "beto@example.com")
    seen = (await agent("GET", "/api/account")).body
    assert (seen["name"], seen["agents"], seen["limits"]) == (
        "Panadería Sol",
        2,
        {"devices": None, "agents": None, "messages_per_day": None},
    )
    assert (await agent("PATCH", "/api/account", {"name": "Mine"})).status == 403
    for _ in range(2):
        changed = await owner("PATCH", "/api/account", {"name": "Panadería Luna", "time_zone": "America/Lima", "currency": "pen"})
        assert (changed.status, changed.body["name"], changed.body["currency"]) == (200, "Panadería Luna", "PEN")
    assert (await owner("PATCH", "/api/account", {"time_zone": "Mars/Olympus"})).status == 422
    assert (await owner("PATCH", "/api/account", {"limits": {}})).status == 422
    await eventually(lambda: any(isinstance(fact.data, AccountChanged) for fact in told))
    (fact,) = [fact.data for fact in told if isinstance(fact.data, AccountChanged)]
    assert (fact.name, fact.limits, fact.suspended, fact.revision) == ("Panadería Luna", Limits(), False, 1)
    assert fact.actor is not None


async def test_a_suspended_account_is_out_within_five_seconds_and_comes_back(call: Caller, installer: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    key = (await owner("POST", "/api/keys", {"name": "T", "scopes": ["read"]})).body["secret"]
    signed = (await call.login()).body

    async def exchanged() -> KeyExchanged:
        return msgspec.json.decode(await bus.ask(asks.KEY, msgspec.json.encode(KeyPresented(key=key))), type=KeyExchanged)

    program = call.bearing((await exchanged()).token or "")
    code = (await owner("POST", "/api/invitations", {})).body["url"].partition("=")[2]
    path = f"/api/ops/accounts/{await account(owner)}"
    judged = await installer("PATCH", path, {"suspended": True})
    assert (judged.status, judged.body["suspended"]) == (200, True)

    async def dead() -> bool:
        answers = [await caller("GET", "/api/users") for caller in (owner, call.bearing(signed["access_token"]), program)]
        return [answer.code for answer in answers] == ["token-invalid"] * 3

    await eventually(dead)
    joining = {"email": "beto@example.com", "password": PASSWORD, "name": "Beto", "invitation": code}
    for refused in (await call.login(), await call.refresh(signed["refresh_token"]), await call("POST", "/api/auth/register", joining)):
        assert (refused.status, refused.code) == (403, "account-suspended")
    assert (await call.login(password="incorrect horse battery")).code == "wrong-credentials"
    assert (await exchanged()).error == "account-suspended"
    assert (await installer("PATCH", path, {"suspended": False})).body["suspended"] is False
    assert (await call.login()).status == 200
    assert (await call.refresh(signed["refresh_token"])).status == 200
    assert (await exchanged()).token


async def test_only_the_installations_owner_sees_and_limits_accounts(call: Caller, installer: Caller, told: list[Envelope[Any]]) -> None:
    owner = await an_owner(call)
    id = await account(owner)
    for method, path, body in (("GET", "/api/ops/accounts", None), ("PATCH", f"/api/ops/accounts/{id}", {"suspended": False})):
        refused = await owner(method, path, body)
        assert (refused.status, refused.code) == (403, "installation-only")
    page = await installer("GET", "/api/ops/accounts?limit=1")
    rest = await installer("GET", f"/api/ops/accounts?limit=1&cursor={page.body['next_cursor']}")
    assert [item["name"] for answer in (page, rest) for item in answer.body["items"]] == ["Clarin", "Panadería Sol"]
    assert rest.body["next_cursor"] is None
    limited = await installer("PATCH", f"/api/ops/accounts/{id}", {"limits": {"agents": 2, "messages_per_day": 1000}})
    assert limited.body["limits"] == {"devices": None, "agents": 2, "messages_per_day": 1000}
    await eventually(lambda: any(isinstance(fact.data, AccountChanged) for fact in told))
    assert [fact.data.limits for fact in told if isinstance(fact.data, AccountChanged)] == [Limits(agents=2, messages_per_day=1000)]
    beto = await let_in(owner, "beto@example.com")
    for method, path, body in (
        ("POST", "/api/users", {"email": "caro@example.com", "name": "Caro"}),
        ("POST", "/api/invitations", {}),
    ):
        refused = await owner(method, path, body)
        assert (refused.status, refused.code, refused.body["limit"], refused.body["most"]) == (409, "limit-reached", "agents", 2)
    assert (await owner("PATCH", f"/api/users/{beto['id']}", {"active": False})).status == 200
    await let_in(owner, "caro@example.com")
    assert (await owner("PATCH", f"/api/users/{beto['id']}", {"active": True})).code == "limit-reached"
    assert (await installer("PATCH", f"/api/ops/accounts/{id}", {"limits": {"agents": None}})).body["limits"]["messages_per_day"] == 1000
    assert (await owner("PATCH", f"/api/users/{beto['id']}", {"active": True})).status == 200
    missing = await installer("PATCH", f"/api/ops/accounts/{ids.public(ids.ACCOUNT, ids.new())}", {"suspended": True})
    assert (missing.status, missing.code) == (404, "account-not-found")
    own = await installer("PATCH", f"/api/ops/accounts/{await account(installer)}", {"suspended": True})
    assert (own.status, own.code) == (409, "own-standing")

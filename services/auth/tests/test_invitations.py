import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.auth import AccountRegistered, UserCreated
from servicekit.testing import eventually

from .conftest import PASSWORD, Answer, Caller, an_owner, let_in, signed_in

DEVICE = ids.public(ids.DEVICE, ids.new())


async def invited(owner: Caller, **changes: Any) -> str:
    answer = await owner("POST", "/api/invitations", changes)
    assert answer.status == 201, answer
    url = urlsplit(answer.body["url"])
    assert url.path == "/invite"
    code: str = parse_qs(url.query)["code"][0]
    return code


async def join(call: Caller, code: str, email: str = "beto@example.com", **changes: Any) -> Answer:
    body = {"email": email, "password": PASSWORD, "name": "Beto", "invitation": code, **changes}
    return await call("POST", "/api/auth/register", body)


async def preview(call: Caller, code: str) -> Answer:
    return await call("GET", f"/api/auth/invitation?code={code}")


async def test_who_has_the_link_is_told_where_it_leads_before_they_join(call: Caller) -> None:
    owner = await an_owner(call)
    code = await invited(owner, role="admin", email="beto@example.com")
    shown = await preview(call, code)
    assert shown.status == 200
    told = {"account": "Panadería Sol", "locale": "es", "role": "admin", "email": "beto@example.com", "state": "open"}
    assert shown.body == told | {"expires_at": shown.body["expires_at"]}
    assert shown.headers["Cache-Control"] == "no-store"
    (listed,) = (await owner("GET", "/api/invitations")).body["items"]
    assert (await owner("DELETE", f"/api/invitations/{listed['id']}")).status == 204
    assert (await preview(call, code)).body["state"] == "revoked"
    for wrong in (code[:-2] + "AA", "x"):
        refused = await preview(call, wrong)
        assert (refused.status, refused.code) == (404, "invitation-not-found")
    assert (await call("GET", "/api/auth/invitation")).status == 422


async def test_who_has_the_link_joins_the_account_as_it_says_once(
    started: Callable[..., Awaitable[Caller]], told: list[Envelope[Any]]
) -> None:
    call = await started(public_url="https://clarin.example.com")
    owner = await an_owner(call)
    team = (await owner("POST", "/api/teams", {"name": "Ventas"})).body["id"]
    shown = await owner("POST", "/api/invitations", {"role": "admin", "teams": [team], "devices": [DEVICE]})
    assert shown.body["url"].startswith("https://clarin.example.com/invite?code=")
    assert shown.body["mailed"] is False
    code = shown.body["url"].partition("=")[2]
    (listed,) = (await owner("GET", "/api/invitations")).body["items"]
    assert (listed["id"], "url" in listed) == (shown.body["id"], False)
    joined = await join(call, code)
    me = (await owner("GET", "/api/auth/me")).body
    assert (joined.status, joined.body["user"]["role"], joined.body["account"]) == (201, "admin", me["account"])
    assert (joined.body["user"]["devices"], joined.body["user"]["teams"]) == ([DEVICE], [team])
    assert (await preview(call, code)).body["state"] == "used"
    again = await join(call, code, "caro@example.com")
    assert (again.status, again.code) == (403, "invitation-invalid")
    assert (await owner("GET", "/api/invitations")).body["items"] == []
    await eventually(lambda: sum(isinstance(fact.data, UserCreated) for fact in told) == 2)
    assert sum(isinstance(fact.data, AccountRegistered) for fact in told) == 1


async def test_of_five_who_use_one_link_at_once_one_joins(call: Caller) -> None:
    owner = await an_owner(call)
    code = await invited(owner)
    answers = await asyncio.gather(*(join(call, code, f"{n}@example.com") for n in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 403, 403, 403, 403]
    assert len((await owner("GET", "/api/users")).body["items"]) == 2


async def test_a_link_for_an_address_lets_nobody_else_in_and_a_revoked_one_nobody(call: Caller) -> None:
    owner = await an_owner(call)
    code = await invited(owner, email="Beto@example.com")
    assert (await join(call, code, "caro@example.com")).code == "invitation-invalid"
    assert (await join(call, code, "ana@example.com")).code == "invitation-invalid"
    id = (await owner("GET", "/api/invitations")).body["items"][0]["id"]
    eva = await an_owner(call, "eva@example.com")
    assert (await eva("DELETE", f"/api/invitations/{id}")).code == "invitation-not-found"
    assert (await owner("DELETE", f"/api/invitations/{id}")).status == 204
    assert (await owner("DELETE", f"/api/invitations/{id}")).code == "invitation-not-found"
    assert (await join(call, code)).code == "invitation-invalid"


async def test_an_account_opens_its_doors_though_registration_is_closed(started: Callable[..., Awaitable[Caller]]) -> None:
    owner = await an_owner(await started())
    closed = await started(registration="closed")
    assert (await closed.register("caro@example.com")).code == "registration-closed"
    assert (await join(closed, "nonsense")).code == "registration-closed"
    assert (await join(closed, await invited(owner))).status == 201


async def test_nobody_invites_above_themselves_and_an_agent_nobody(call: Caller) -> None:
    owner = await an_owner(call)
    await let_in(owner, "beto@example.com", "admin")
    await let_in(owner, "caro@example.com")
    refused = await (await signed_in(call, "beto@example.com"))("POST", "/api/invitations", {"role": "owner"})
    assert (refused.status, refused.code) == (403, "role-too-high")
    agent = await signed_in(call, "caro@example.com")
    assert [(await agent(method, "/api/invitations", {} if method == "POST" else None)).status for method in ("GET", "POST")] == [403, 403]


async def test_an_account_without_a_name_is_not_opened(call: Caller) -> None:
    refused = await call("POST", "/api/auth/register", {"email": "ana@example.com", "password": PASSWORD, "name": "Ana"})
    assert (refused.status, refused.code, refused.body["errors"][0]["at"]) == (422, "invalid", "account")

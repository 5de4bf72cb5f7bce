import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from auth import store
from contracts import buckets, ids
from contracts.envelope import Envelope
from contracts.events.auth import SessionClosed, UserChanged, UserCreated
from contracts.ids import TenantId, UserId
from servicekit import idempotency
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.testing import eventually
from sqlalchemy import text

from .conftest import PASSWORD, Caller, an_owner, let_in, signed_in


async def test_an_owner_lets_an_agent_in_who_signs_in_and_lets_nobody_in(call: Caller, told: list[Envelope[Any]]) -> None:
    owner = await an_owner(call)
    beto = await let_in(owner, "Beto@example.com")
    assert (beto["email"], beto["role"], beto["active"]) == ("beto@example.com", "agent", True)
    agent = await signed_in(call, "beto@example.com")
    assert (await agent("GET", "/api/auth/me")).body["user"] == beto
    refused = await agent("POST", "/api/auth/users", {"email": "caro@example.com", "name": "Caro"})
    assert (refused.status, refused.code) == (403, "forbidden")
    refused = await agent("PATCH", f"/api/auth/users/{beto['id']}", {"role": "admin"})
    assert (refused.status, refused.code) == (403, "forbidden")
    await eventually(lambda: sum(isinstance(fact.data, UserCreated) for fact in told) == 2)


async def test_an_admin_makes_agents_and_admins_but_no_owner(call: Caller) -> None:
    owner = await an_owner(call)
    await let_in(owner, "beto@example.com", "admin")
    admin = await signed_in(call, "beto@example.com")
    await let_in(admin, "caro@example.com", "admin")
    for body in ({"role": "owner"}, {"role": "owner", "password": "password"}):
        refused = await admin("POST", "/api/auth/users", {"email": "dani@example.com", "name": "Dani", **body})
        assert (refused.status, refused.code) == (403, "role-too-high")
    ana = (await owner("GET", "/api/auth/me")).body["user"]["id"]
    refused = await admin("PATCH", f"/api/auth/users/{ana}", {"active": False})
    assert (refused.status, refused.code) == (403, "role-too-high")


async def test_what_a_user_cannot_be_is_refused(call: Caller) -> None:
    owner = await an_owner(call)
    for changes, status, code in (
        ({"email": "ANA@example.com"}, 409, "email-taken"),
        ({"password": "password"}, 422, "weak-password"),
        ({"password": "x" * 73}, 422, "password-too-long"),
        ({"role": "king"}, 422, "invalid"),
        ({"name": "\x00"}, 422, "invalid"),
    ):
        refused = await owner("POST", "/api/auth/users", {"email": "beto@example.com", "name": "Beto", **changes})
        assert (refused.status, refused.code) == (status, code), changes


async def test_who_has_no_password_cannot_sign_in(call: Caller) -> None:
    owner = await an_owner(call)
    await let_in(owner, "beto@example.com", password=None)
    refused = await call.login("beto@example.com")
    assert (refused.status, refused.code) == (401, "wrong-credentials")


async def test_another_accounts_people_are_never_seen_or_touched(call: Caller, settings: Any) -> None:
    ana, eva = await an_owner(call), await an_owner(call, "eva@example.com")
    beto = await let_in(ana, "beto@example.com")
    seen = [user["email"] for user in (await eva("GET", "/api/auth/users")).body["items"]]
    assert seen == ["eva@example.com"]
    refused = await eva("PATCH", f"/api/auth/users/{beto['id']}", {"name": "Mine"})
    assert (refused.status, refused.code) == (404, "user-not-found")
    session = (await ana("GET", "/api/auth/sessions")).body["items"][0]["id"]
    refused = await eva("DELETE", f"/api/auth/sessions/{session}")
    assert (refused.status, refused.code) == (404, "session-not-found")
    assert (await ana("GET", "/api/auth/me")).status == 200
    taken = await eva("POST", "/api/auth/users", {"email": "beto@example.com", "name": "Beto"})
    assert (taken.status, taken.code) == (409, "email-taken")


async def test_the_database_itself_keeps_accounts_apart(call: Caller, settings: Any) -> None:
    await an_owner(call)
    await an_owner(call, "eva@example.com")
    service = await asyncpg.connect(settings.database_url)
    system = await asyncpg.connect(settings.system_database_url)
    try:
        for table in (
            *("accounts", "users", "sessions", "refresh_tokens", "raised_versions", "outbox", "idempotency", "api_keys", "teams"),
            *("team_members", "access", "account_invitations", "password_resets", "activity"),
        ):
            assert await service.fetch(f'table "{table}"') == [], table
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(
                "insert into accounts (tenant, name, time_zone, locale, currency, created_at) "
                "values (gen_random_uuid(), 'x', 'UTC', 'es', 'USD', now())"
            )
        for statement in (
            "select private from signing_keys",
            "select sealed from mails",
            "delete from invitations",
            "update installation set value = '1'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(statement)
        assert await system.fetchval("select count(*) from users") == 2
        for statement in ("update users set role = 'owner'", "select * from accounts", "update refresh_tokens set used_at = null"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await system.execute(statement)
    finally:
        await service.close()
        await system.close()


async def test_every_table_forces_row_level_security(provisioned: Any, settings: Any) -> None:
    connection = await asyncpg.connect(settings.database_url)
    try:
        open_tables = await connection.fetch(
            "select relname from pg_class where relnamespace = 'auth'::regnamespace and relkind in ('r', 'p') "
            "and relname <> 'schema_version' and not (relrowsecurity and relforcerowsecurity)"
        )
    finally:
        await connection.close()
    assert [row["relname"] for row in open_tables] == []


async def test_another_role_kills_the_tokens_that_are_out_within_five_seconds(call: Caller, bus: Bus, told: list[Envelope[Any]]) -> None:
    owner = await an_owner(call)
    beto = await let_in(owner, "beto@example.com")
    signed = (await call.login("beto@example.com")).body
    agent = call.bearing(signed["access_token"])
    assert (await agent("GET", "/api/auth/me")).status == 200
    changed = await owner("PATCH", f"/api/auth/users/{beto['id']}", {"role": "admin"})
    assert (changed.status, changed.body["role"]) == (200, "admin")

    async def dead() -> bool:
        return (await agent("GET", "/api/auth/me")).code == "token-invalid"

    await eventually(dead)
    refreshed = await call.refresh(signed["refresh_token"])
    assert refreshed.body["user"]["role"] == "admin"
    assert (await call.bearing(refreshed.body["access_token"])("GET", "/api/auth/me")).body["role"] == "admin"
    entry = await (await bus.bucket(buckets.VERSIONS)).get(str(ids.parse(ids.USER, beto["id"])))
    assert entry is not None
    assert entry.value == b"1"
    await eventually(lambda: any(isinstance(fact.data, UserChanged) for fact in told))
    fact = next(fact.data for fact in told if isinstance(fact.data, UserChanged))
    assert (fact.role, fact.active, fact.version) == ("admin", True, 1)


async def test_who_is_disabled_is_out_at_once_and_stays_out(call: Caller, told: list[Envelope[Any]]) -> None:
    owner = await an_owner(call)
    beto = await let_in(owner, "beto@example.com")
    signed = (await call.login("beto@example.com")).body
    assert (await owner("PATCH", f"/api/auth/users/{beto['id']}", {"active": False})).body["active"] is False
    refused = await call.refresh(signed["refresh_token"])
    assert (refused.status, refused.code) == (401, "refresh-invalid")

    async def dead() -> bool:
        return (await call.bearing(signed["access_token"])("GET", "/api/auth/me")).code == "token-invalid"

    await eventually(dead)
    refused = await call.login("beto@example.com")
    assert (refused.status, refused.code) == (403, "user-disabled")
    wrong = await call.login("beto@example.com", "incorrect horse battery")
    assert (wrong.status, wrong.code) == (401, "wrong-credentials")
    await eventually(lambda: [fact.data.reason for fact in told if isinstance(fact.data, SessionClosed)] == ["revoked"])
    assert (await owner("PATCH", f"/api/auth/users/{beto['id']}", {"active": True})).status == 200
    assert (await call.login("beto@example.com")).status == 200


async def test_a_new_name_kills_no_token_and_the_same_one_tells_nothing(call: Caller, told: list[Envelope[Any]], bus: Bus) -> None:
    owner = await an_owner(call)
    me = (await owner("GET", "/api/auth/me")).body["user"]
    for _ in range(2):
        assert (await owner("PATCH", f"/api/auth/users/{me['id']}", {"name": "Ana María"})).body["name"] == "Ana María"
    refused = await owner("PATCH", f"/api/auth/users/{me['id']}", {"role": "agent"})
    assert (refused.status, refused.code) == (409, "own-standing")
    assert (await owner("GET", "/api/auth/me")).body["user"]["name"] == "Ana María"
    await eventually(lambda: any(isinstance(fact.data, UserChanged) for fact in told))
    assert sum(isinstance(fact.data, UserChanged) for fact in told) == 1
    assert await (await bus.bucket(buckets.VERSIONS)).get(str(ids.parse(ids.USER, me["id"]))) is None


async def test_two_owners_who_remove_each_other_at_once_leave_one(call: Caller, system: Database) -> None:
    ana = await an_owner(call)
    beto = await let_in(ana, "beto@example.com", "owner")
    other = await signed_in(call, "beto@example.com")
    me = (await ana("GET", "/api/auth/me")).body["user"]
    answers = await asyncio.gather(
        ana("PATCH", f"/api/auth/users/{beto['id']}", {"active": False}),
        other("PATCH", f"/api/auth/users/{me['id']}", {"active": False}),
    )
    assert sorted(answer.status for answer in answers) in ([200, 409], [200, 401])
    async with system.system() as tx:
        assert (await tx.execute(text("select count(*) from users where active and role = 'owner'"))).scalar_one() == 1


async def test_one_key_makes_one_user_and_keeps_no_guessable_hash(call: Caller, db: Database) -> None:
    owner = await an_owner(call)
    body = {"email": "beto@example.com", "name": "Beto", "password": PASSWORD}
    first = await owner("POST", "/api/auth/users", body, headers={"Idempotency-Key": "k1"})
    second = await owner("POST", "/api/auth/users", body, headers={"Idempotency-Key": "k1"})
    assert (first.status, second.status, second.body) == (201, 201, first.body)
    assert second.headers["Idempotency-Replayed"] == "true"
    other = await owner("POST", "/api/auth/users", {**body, "password": PASSWORD + "!"}, headers={"Idempotency-Key": "k1"})
    assert (other.status, other.code) == (409, "idempotency-mismatch")
    assert len((await owner("GET", "/api/auth/users")).body["items"]) == 2
    guess = idempotency.fingerprint("POST", "/api/auth/users", json.dumps(body).encode())
    async with db.transaction(TenantId(ids.parse(ids.ACCOUNT, first.body["account_id"]))) as tx:
        assert (await tx.execute(text("select fingerprint from idempotency"))).scalar_one() != guess


async def test_a_list_of_users_has_pages_that_belong_to_their_account(call: Caller) -> None:
    ana, eva = await an_owner(call), await an_owner(call, "eva@example.com")
    for name in ("beto", "caro", "dani"):
        await let_in(ana, f"{name}@example.com")
    seen: list[str] = []
    path = "/api/auth/users?limit=3"
    page = await ana("GET", path)
    seen += [user["name"] for user in page.body["items"]]
    cursor = page.body["next_cursor"]
    last = await ana("GET", f"{path}&cursor={cursor}")
    seen += [user["name"] for user in last.body["items"]]
    assert seen == ["Ana Gómez", "beto", "caro", "dani"]
    assert last.body["next_cursor"] is None
    for caller, bad in ((eva, cursor), (ana, cursor[:-2] + "AA"), (ana, "x")):
        refused = await caller("GET", f"{path}&cursor={bad}")
        assert (refused.status, refused.code) == (422, "bad-cursor")
    assert (await ana("GET", "/api/auth/users?limit=101")).status == 422


async def test_a_session_that_is_closed_from_afar_is_over(call: Caller) -> None:
    here = await an_owner(call)
    call.headers["User-Agent"] = "Laptop"
    signed = (await call.login()).body
    listed = (await here("GET", "/api/auth/sessions")).body["items"]
    assert [(item["agent"] == "Laptop", item["current"]) for item in listed] == [(True, False), (False, True)]
    assert (await here("DELETE", f"/api/auth/sessions/{listed[0]['id']}")).status == 204
    refused = await call.refresh(signed["refresh_token"])
    assert (refused.status, refused.code) == (401, "refresh-invalid")

    async def dead() -> bool:
        return (await call.bearing(signed["access_token"])("GET", "/api/auth/me")).code == "token-invalid"

    await eventually(dead)
    again = await signed_in(call, "ana@example.com")
    gone = await again("DELETE", f"/api/auth/sessions/{listed[0]['id']}")
    assert (gone.status, gone.code) == (404, "session-not-found")
    assert (await again("DELETE", "/api/auth/sessions/nonsense")).status == 404


async def test_an_access_token_alone_signs_out(call: Caller) -> None:
    signed = (await call.register()).body
    assert (await call.bearing(signed["access_token"])("POST", "/api/auth/logout")).status == 204
    assert (await call.refresh(signed["refresh_token"])).code == "refresh-invalid"
    assert (await call("POST", "/api/auth/logout")).status == 204


async def test_a_new_password_needs_the_present_one_and_closes_the_other_sessions(call: Caller, told: list[Envelope[Any]]) -> None:
    here = (await call.register()).body
    elsewhere = (await call.login()).body
    me = call.bearing(here["access_token"])
    for current, password, status, code in (
        ("incorrect horse", "another horse battery", 401, "wrong-credentials"),
        (PASSWORD, "password", 422, "weak-password"),
        (PASSWORD, "x" * 73, 422, "password-too-long"),
    ):
        refused = await me("POST", "/api/auth/password", {"current": current, "password": password})
        assert (refused.status, refused.code) == (status, code)
    assert (await me("POST", "/api/auth/password", {"current": PASSWORD, "password": "another horse battery"})).status == 204
    assert (await call.login()).status == 401
    assert (await call.login(password="another horse battery")).status == 200
    assert (await call.refresh(elsewhere["refresh_token"])).status == 401
    assert (await call.refresh(here["refresh_token"])).status == 200
    await eventually(lambda: [fact.data.reason for fact in told if isinstance(fact.data, SessionClosed)] == ["revoked"])


async def test_a_stolen_access_token_cannot_guess_the_password(call: Caller) -> None:
    me = call.bearing((await call.register()).body["access_token"])
    answers = [await me("POST", "/api/auth/password", {"current": f"guess {n}", "password": "another horse"}) for n in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 15


async def test_an_admin_sets_an_agents_password_and_his_sessions_end(call: Caller) -> None:
    owner = await an_owner(call)
    beto = await let_in(owner, "beto@example.com", password=None)
    path = f"/api/auth/users/{beto['id']}"
    assert (await owner("PATCH", path, {"password": PASSWORD})).status == 200
    signed = (await call.login("beto@example.com")).body
    assert (await owner("PATCH", path, {"password": "password"})).code == "weak-password"
    assert (await owner("PATCH", path, {"password": "another horse battery"})).status == 200
    assert (await call.refresh(signed["refresh_token"])).code == "refresh-invalid"
    assert (await call.login("beto@example.com")).status == 401
    me = (await owner("GET", "/api/auth/me")).body["user"]["id"]
    refused = await owner("PATCH", f"/api/auth/users/{me}", {"password": "another horse battery"})
    assert (refused.status, refused.code) == (409, "own-standing")


async def test_an_older_version_that_comes_late_lowers_nothing(call: Caller, bus: Bus, db: Database) -> None:
    owner = await an_owner(call)
    beto = await let_in(owner, "beto@example.com")
    for role in ("admin", "agent"):
        await owner("PATCH", f"/api/auth/users/{beto['id']}", {"role": role})
    tenant, user = TenantId(ids.parse(ids.ACCOUNT, beto["account_id"])), UserId(ids.parse(ids.USER, beto["id"]))
    bucket = await bus.bucket(buckets.VERSIONS)

    async def version() -> bytes | None:
        entry = await bucket.get(str(user))
        return entry and entry.value

    async def nothing_waits() -> bool:
        async with db.transaction(tenant) as tx:
            return (await tx.execute(text("select count(*) from raised_versions"))).scalar_one() == 0

    await eventually(nothing_waits)
    assert await version() == b"2"
    async with db.transaction(tenant) as tx:
        await store.users.announce_version(tx, tenant, user, 1, datetime.now(UTC))
    await eventually(nothing_waits)
    assert await version() == b"2"

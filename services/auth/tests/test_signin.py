import asyncio
import base64
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from auth import store, timers, tokens
from auth.passwords import COMPARED
from contracts.envelope import Envelope
from contracts.events.auth import AccountRegistered, SessionClosed, SessionOpened, SessionRefused, UserCreated
from servicekit.db import Database
from servicekit.testing import eventually
from sqlalchemy import text

from .conftest import PASSWORD, Caller


def kinds(told: list[Envelope[Any]]) -> list[type]:
    return [type(fact.data) for fact in told]


async def test_register_sign_in_refresh_and_sign_out(call: Caller, told: list[Envelope[Any]]) -> None:
    opened = await call.register(time_zone="America/Bogota", locale="es", currency="cop")
    assert opened.status == 201, opened
    assert opened.headers["Cache-Control"] == "no-store"
    assert opened.body["user"]["email"] == "ana@example.com"
    assert opened.body["user"]["role"] == "owner"
    assert opened.body["user"]["account_id"] == opened.body["account"]["id"]
    assert opened.body["account"] | {"id": ""} == {
        "id": "",
        "name": "Panadería Sol",
        "time_zone": "America/Bogota",
        "locale": "es",
        "currency": "COP",
    }
    assert opened.body["expires_in"] == 600

    signed = await call.login()
    assert signed.status == 200
    me = await call.bearing(signed.body["access_token"])("GET", "/api/auth/me")
    assert me.status == 200
    assert (me.body["user"], me.body["account"], me.body["role"]) == (signed.body["user"], signed.body["account"], "owner")
    assert me.body["installation"] is False

    refreshed = await call.refresh(signed.body["refresh_token"])
    assert refreshed.status == 200
    assert refreshed.body["refresh_token"] != signed.body["refresh_token"]
    assert (await call.bearing(refreshed.body["access_token"])("GET", "/api/auth/me")).status == 200

    out = await call("POST", "/api/auth/logout", {"refresh_token": refreshed.body["refresh_token"]})
    assert (out.status, out.body) == (204, "")
    after = await call.refresh(refreshed.body["refresh_token"])
    assert (after.status, after.code) == (401, "refresh-invalid")
    await eventually(lambda: SessionClosed in kinds(told))
    assert kinds(told) == [AccountRegistered, UserCreated, SessionOpened, SessionOpened, SessionClosed]
    assert told[0].data == AccountRegistered(name="Panadería Sol", locale="es", time_zone="America/Bogota", currency="COP")
    assert told[-1].data.reason == "logout"
    assert len({fact.tenant for fact in told}) == 1


async def test_an_old_refresh_token_that_comes_back_closes_the_session_and_kills_its_access_tokens(
    call: Caller, db: Database, told: list[Envelope[Any]]
) -> None:
    first = (await call.register()).body
    second = (await call.refresh(first["refresh_token"])).body
    third = (await call.refresh(second["refresh_token"])).body
    reused = await call.refresh(first["refresh_token"])
    assert (reused.status, reused.code) == (401, "refresh-reused")
    last = await call.refresh(third["refresh_token"])
    assert (last.status, last.code) == (401, "refresh-reused")

    async def dead() -> bool:
        return (await call.bearing(third["access_token"])("GET", "/api/auth/me")).code == "token-invalid"

    await eventually(dead)
    await eventually(lambda: SessionClosed in kinds(told))
    assert told[-1].data.reason == "reused"
    again = await call.login()
    assert (await call.bearing(again.body["access_token"])("GET", "/api/auth/me")).status == 200


async def test_two_refreshes_at_once_get_the_same_successor(call: Caller) -> None:
    first = (await call.register()).body
    answers = await asyncio.gather(*(call.refresh(first["refresh_token"]) for _ in range(4)))
    assert [answer.status for answer in answers] == [200] * 4
    successors = {answer.body["refresh_token"] for answer in answers}
    assert len(successors) == 1
    assert (await call.refresh(successors.pop())).status == 200
    late = await call.refresh(first["refresh_token"])
    assert (late.status, late.code) == (401, "refresh-reused")


async def test_after_the_grace_the_same_token_is_a_reuse(call: Caller, system: Database, settings: Any, db: Database) -> None:
    first = (await call.register()).body
    assert (await call.refresh(first["refresh_token"])).status == 200
    tenant, hash = tokens.read(first["refresh_token"])
    async with db.transaction(tenant) as tx:
        await tx.execute(text("update refresh_tokens set used_at = used_at - interval '6 seconds' where hash = :hash"), {"hash": hash})
    late = await call.refresh(first["refresh_token"])
    assert (late.status, late.code) == (401, "refresh-reused")


async def test_a_refresh_token_from_nowhere_is_refused(call: Caller) -> None:
    for token in ("", "rt_", "x" * 67, "rt_" + "A" * 64, "é" * 30):
        refused = await call.refresh(token)
        assert (refused.status, refused.code) == (401, "refresh-invalid")
        assert (await call("POST", "/api/auth/logout", {"refresh_token": token})).status == 204


async def test_an_unknown_address_gets_the_answer_and_the_work_of_a_wrong_password(call: Caller, told: list[Envelope[Any]]) -> None:
    await call.register()
    before = COMPARED.labels("nobody")._value.get()
    wrong = await call.login(password="incorrect horse battery")
    unknown = await call.login("nobody@example.com")
    assert COMPARED.labels("nobody")._value.get() == before + 1
    assert (wrong.status, wrong.code) == (unknown.status, unknown.code) == (401, "wrong-credentials")
    assert {**wrong.body, "request_id": ""} == {**unknown.body, "request_id": ""}
    await eventually(lambda: SessionRefused in kinds(told))
    assert [(fact.data.reason, fact.data.address) for fact in told if isinstance(fact.data, SessionRefused)] == [("password", None)]


async def test_after_five_failures_nobody_may_try_for_a_while_that_grows(call: Caller, system: Database, told: list[Envelope[Any]]) -> None:
    await call.register()
    answers = await asyncio.gather(*(call.login(password="incorrect horse battery") for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [401] * 5 + [429] * 3
    held = await call.login()
    assert (held.status, held.code) == (429, "rate-limited")
    assert 1 <= int(held.headers["Retry-After"]) <= 15
    assert held.body["retry_after"] == int(held.headers["Retry-After"])
    async with system.system() as tx:
        await tx.execute(text("update login_attempts set held_until = now()"))
    assert (await call.login(password="incorrect horse battery")).status == 401
    assert 16 <= int((await call.login()).headers["Retry-After"]) <= 30
    async with system.system() as tx:
        await tx.execute(text("update login_attempts set held_until = now()"))
    assert (await call.login()).status == 200
    assert (await call.login(password="incorrect horse battery")).status == 401
    assert (await call.login()).status == 200
    await eventually(lambda: kinds(told).count(SessionOpened) == 3)
    assert Counter(fact.data.reason for fact in told if isinstance(fact.data, SessionRefused)) == {"password": 7, "locked": 2}


async def test_failures_of_one_address_hold_no_other(call: Caller) -> None:
    await call.register()
    for _ in range(6):
        await call.login("nobody@example.com")
    assert (await call.login("nobody@example.com")).status == 429
    assert (await call.login()).status == 200


async def test_one_address_is_registered_once_whatever_its_case_and_however_many_try(call: Caller, system: Database) -> None:
    addresses = ["ana@example.com", "ANA@example.com", "Ana@Example.com", "ana@EXAMPLE.COM"]
    answers = await asyncio.gather(*(call.register(address) for address in addresses))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    assert {answer.code for answer in answers if answer.status == 409} == {"email-taken"}
    again = await call.register(" ANA@example.com ")
    assert (again.status, again.code) == (409, "email-taken")
    async with system.system() as tx:
        assert (await tx.execute(text("select count(*) from users"))).scalar_one() == 1
    assert (await call.login("aNa@Example.com")).status == 200


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"password": "x" * 73}, 422, "password-too-long"),
    ({"password": "ñandú " * 12}, 422, "password-too-long"),
    ({"password": "password"}, 422, "weak-password"),
    ({"password": "short"}, 422, "weak-password"),
    ({"password": ""}, 422, "weak-password"),
    ({"password": "panaderia sol", "account": "panaderia sol"}, 422, "weak-password"),
    ({"password": "correct\ud800horse battery"}, 422, "invalid"),
    ({"invitation": "\ud800"}, 422, "invalid"),
    ({"invitation": "x" * 201}, 422, "invalid"),
    ({"password": 12345678}, 422, "invalid"),
    ({"email": "ana"}, 422, "invalid"),
    ({"email": "a" * 100_000 + "@example.com"}, 413, "too-large"),
    ({"email": "a" * 10_000 + "@example.com"}, 422, "invalid"),
    ({"email": "ana\x00@example.com"}, 422, "invalid"),
    ({"email": None}, 422, "invalid"),
    ({"name": "A\x00na"}, 422, "invalid"),
    ({"name": " "}, 422, "invalid"),
    ({"account": "x" * 101}, 422, "invalid"),
    ({"account": {"$ne": ""}}, 422, "invalid"),
    ({"time_zone": "../../etc/passwd"}, 422, "invalid"),
    ({"locale": "fr"}, 422, "invalid"),
    ({"currency": "PESO"}, 422, "invalid"),
    ({"session": "jar"}, 422, "invalid"),
    ({"role": "owner"}, 422, "invalid"),
]


async def test_what_cannot_be_registered_is_refused_and_nothing_is_kept(call: Caller, system: Database) -> None:
    for changes, status, code in REFUSED:
        refused = await call.register(**changes)
        assert (refused.status, refused.code) == (status, code), (list(changes), refused)
        assert refused.headers["Content-Type"].startswith("application/problem+json")
        assert PASSWORD not in json.dumps(refused.body)
        if code == "weak-password":
            assert isinstance(refused.body["suggestions"], list)
    async with system.system() as tx:
        assert (await tx.execute(text("select count(*) from users"))).scalar_one() == 0


async def test_no_body_makes_a_bug(call: Caller) -> None:
    bodies = [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 20_000, b'{"email": "a\\u0000@example.com", "password": "x"}']
    for path in ("register", "login", "refresh", "logout"):
        for raw in bodies:
            answer = await call("POST", f"/api/auth/{path}", raw=raw)
            assert answer.status in (204, 400, 401, 422), (path, raw[:20], answer)


async def test_a_password_over_72_bytes_is_refused_at_sign_in_as_well(call: Caller) -> None:
    refused = await call.login(password="x" * 73)
    assert (refused.status, refused.code) == (422, "password-too-long")


async def test_who_is_invited_may_register_once(started: Callable[..., Awaitable[Caller]], system: Database) -> None:
    call = await started(registration="invite")
    now = datetime.now(UTC)
    async with system.system() as tx:
        await store.installation.invite(tx, tokens.hashed("good"), now, timedelta(days=1))
        await store.installation.invite(tx, tokens.hashed("old"), now - timedelta(days=2), timedelta(days=1))
    for invitation in (None, "", "bad", "old"):
        refused = await call.register(invitation=invitation)
        assert (refused.status, refused.code) == (403, "invitation-invalid")
    assert (await call.register(invitation="good", password="password")).status == 422
    answers = await asyncio.gather(*(call.register(f"{name}@example.com", invitation="good") for name in ("ana", "beto", "caro")))
    assert sorted(answer.status for answer in answers) == [201, 403, 403]


async def test_where_registration_is_closed_nobody_registers(started: Callable[..., Awaitable[Caller]]) -> None:
    refused = await (await started(registration="closed")).register()
    assert (refused.status, refused.code) == (403, "registration-closed")


async def test_in_production_the_first_account_closes_the_door(started: Callable[..., Awaitable[Caller]]) -> None:
    call = await started(env="production")
    answers = await asyncio.gather(*(call.register(f"{name}@example.com") for name in ("ana", "beto", "caro")))
    assert sorted(answer.status for answer in answers) == [201, 403, 403]
    assert {answer.code for answer in answers} == {None, "registration-closed"}


async def test_the_gateways_word_for_the_address_is_kept_and_told(call: Caller, told: list[Envelope[Any]]) -> None:
    signed = (await call.register()).body
    for address in ("203.0.113.9", "2001:db8::1", "not an address", "203.0.113.9, 10.0.0.1"):
        call.headers["X-Real-Ip"] = address
        await call.login()
    listed = await call.bearing(signed["access_token"])("GET", "/api/auth/sessions")
    assert [item["address"] for item in listed.body["items"]] == [None, None, "2001:db8::1", "203.0.113.9", None]
    await eventually(lambda: kinds(told).count(SessionOpened) == 5)
    assert [fact.data.address for fact in told if isinstance(fact.data, SessionOpened)] == [None, "203.0.113.9", "2001:db8::1", None, None]


async def test_a_session_whose_tokens_have_run_out_is_closed_and_told(
    call: Caller, db: Database, system: Database, told: list[Envelope[Any]]
) -> None:
    signed = (await call.register()).body
    tenant, _ = tokens.read(signed["refresh_token"])
    async with db.transaction(tenant) as tx:
        await tx.execute(text("update refresh_tokens set expires_at = now()"))
        await tx.execute(text("update sessions set expires_at = now()"))
    refused = await call.refresh(signed["refresh_token"])
    assert (refused.status, refused.code) == (401, "refresh-invalid")
    await timers.expire_sessions(db, system)
    await timers.expire_sessions(db, system)
    await eventually(lambda: SessionClosed in kinds(told))
    assert [fact.data.reason for fact in told if isinstance(fact.data, SessionClosed)] == ["expired"]
    async with db.transaction(tenant) as tx:
        await tx.execute(text("update sessions set closed_at = now() - interval '31 days'"))
    await timers.forget(system)
    async with db.transaction(tenant) as tx:
        assert (await tx.execute(text("select count(*) from sessions"))).scalar_one() == 0
        assert (await tx.execute(text("select count(*) from refresh_tokens"))).scalar_one() == 0


async def test_a_hash_of_another_cost_is_made_anew_at_sign_in(started: Callable[..., Awaitable[Caller]], system: Database) -> None:
    await (await started()).register()
    assert (await (await started(bcrypt_cost=5)).login()).status == 200
    async with system.system() as tx:
        assert (await tx.execute(text("select password_hash from users"))).scalar_one().startswith("$2b$05$")


async def test_an_access_token_that_nobody_signed_is_refused(call: Caller) -> None:
    signed = (await call.register()).body
    header, claims, signature = signed["access_token"].split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    for token in (f"{none}.{claims}.", f"{header}.{claims}.{signature[::-1]}", "x", "a.b.c", "x" * 10_000):
        refused = await call.bearing(token)("GET", "/api/auth/me")
        assert (refused.status, refused.code) == (401, "token-invalid")
    missing = await call("GET", "/api/auth/me")
    assert (missing.status, missing.code) == (401, "unauthenticated")

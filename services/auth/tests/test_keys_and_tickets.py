import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
from auth import store, tokens
from auth.keys import Keyring, Vault, WrongEncryptionKey
from auth.timers import hold_keys
from contracts import buckets, ids
from contracts.principal import Principal
from redis.asyncio import Redis
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.migrations import lint
from servicekit.testing import eventually
from sqlalchemy import text

from .conftest import MIGRATIONS, Caller


async def test_two_replicas_that_start_together_make_one_key_and_trust_each_other(
    started: Callable[..., Awaitable[Caller]], system: Database, bus: Bus
) -> None:
    one, two = await asyncio.gather(started(), started())
    keys = [(await call("GET", "/.well-known/jwks.json")).body["keys"] for call in (one, two)]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 1
    async with system.system() as tx:
        assert (await tx.execute(text("select count(*) from signing_keys"))).scalar_one() == 1
    assert await (await bus.bucket(buckets.KEYS)).keys() == [keys[0][0]["kid"]]
    signed = (await one.register()).body
    assert (await two.bearing(signed["access_token"])("GET", "/api/auth/me")).status == 200
    assert (await two.refresh(signed["refresh_token"])).status == 200


async def test_of_eight_that_look_for_a_key_at_once_one_makes_it(system: Database) -> None:
    async def look() -> str:
        async with system.system() as tx:
            (key,) = await store.installation.signing(tx, Vault(b"k" * 32), datetime.now(UTC))
        return key.kid

    assert len(set(await asyncio.gather(*(look() for _ in range(8))))) == 1


async def test_the_public_key_verifies_a_token_and_nothing_private_is_shown(call: Caller) -> None:
    token = (await call.register()).body["access_token"]
    (key,) = (await call("GET", "/.well-known/jwks.json")).body["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    claims = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["EdDSA"], audience="clarin", issuer="clarin")
    assert claims["exp"] - claims["iat"] == 600
    assert (claims["role"], claims["kind"], claims["ver"], claims["ins"]) == ("owner", "user", 0, False)
    assert claims["ses"].startswith("ses_")


async def test_the_private_key_stands_in_the_database_sealed(call: Caller, system: Database) -> None:
    async with system.system() as tx:
        sealed = (await tx.execute(text("select private from signing_keys"))).scalar_one()
    assert len(sealed) == 12 + 32 + 16
    async with system.system() as tx:
        kept = await store.installation.signing(tx, Vault(b"q" * 32), datetime.now(UTC))
    with pytest.raises(WrongEncryptionKey, match="CLARIN_ENCRYPTION_KEY"):
        Keyring(Vault(b"q" * 32)).hold(kept)


async def test_a_bus_that_lost_its_keys_gets_them_back(call: Caller, system: Database, bus: Bus, settings: Any) -> None:
    bucket = await bus.bucket(buckets.KEYS)
    (kid,) = await bucket.keys()
    await bucket.delete(kid)
    vault = Vault(settings.key)
    await hold_keys(system, vault, Keyring(vault), bucket)
    entry = await bucket.get(kid)
    assert entry is not None
    assert json.loads(entry.value)["kid"] == kid


async def test_a_ticket_stands_for_its_caller_for_half_a_minute_and_is_kept_as_a_hash(call: Caller, redis_url: str) -> None:
    signed = (await call.register()).body
    caller = call.bearing(signed["access_token"])
    made = await caller("POST", "/api/auth/ticket")
    assert (made.status, made.body["expires_in"]) == (200, 30)
    async with Redis.from_url(redis_url) as redis:
        key = f"ticket:{tokens.hashed(made.body['ticket']).hex()}"
        assert await redis.keys() == [key.encode()]
        assert 25 <= await redis.ttl(key) <= 30
        value = await redis.getdel(key)
    assert isinstance(value, bytes)
    found = msgspec.json.decode(value)
    principal = msgspec.convert({name: field for name, field in found.items() if name != "exp"}, Principal)
    claims = jwt.decode(signed["access_token"], options={"verify_signature": False})
    assert (str(principal.id), str(principal.tenant), principal.role) == (claims["sub"], claims["tenant"], "owner")
    assert found["exp"] == claims["exp"]
    assert msgspec.json.decode(value, type=Principal) == principal
    refused = await call("POST", "/api/auth/ticket")
    assert (refused.status, refused.code) == (401, "unauthenticated")


async def test_without_valkey_there_are_no_tickets_and_everything_else_works(call: Caller, valkey: Any) -> None:
    signed = (await call.register()).body
    caller = call.bearing(signed["access_token"])
    valkey.kill()
    refused = await caller("POST", "/api/auth/ticket")
    assert (refused.status, refused.code) == (503, "unavailable")
    assert (await call.login()).status == 200
    assert (await call("GET", "/health/ready")).status == 503
    valkey.start()

    async def works() -> bool:
        return (await caller("POST", "/api/auth/ticket")).status == 200

    await eventually(works)


async def test_without_the_bus_people_sign_in_and_a_raised_version_reaches_it_later(call: Caller, nats: Any, bus: Bus) -> None:
    owner = call.bearing((await call.register()).body["access_token"])
    agent = (await owner("POST", "/api/auth/users", {"email": "beto@example.com", "name": "B", "password": "correct horse"})).body
    nats.kill()
    signed = await call.login("beto@example.com", "correct horse")
    assert signed.status == 200
    assert (await owner("PATCH", f"/api/auth/users/{agent['id']}", {"active": False})).status == 200
    nats.start()

    async def dead() -> bool:
        return (await call.bearing(signed.body["access_token"])("GET", "/api/auth/me")).code == "token-invalid"

    await eventually(dead)


async def test_without_the_database_the_answer_says_so_and_comes_back(call: Caller, postgres: Any) -> None:
    signed = (await call.register()).body
    postgres.kill()
    for answer in (await call.login(), await call.refresh(signed["refresh_token"]), await call.register("beto@example.com")):
        assert (answer.status, answer.code) == (503, "unavailable")
    postgres.start()

    async def works() -> bool:
        return (await call.register(f"{ids.new()}@example.com")).status == 201

    await eventually(works)


async def test_the_services_own_user_of_the_bus_may_do_all_that_it_needs(
    guarded_nats: Any, started: Callable[..., Awaitable[Caller]]
) -> None:
    call = await started(nats_url=guarded_nats.url_as("auth"))
    owner = call.bearing((await call.register()).body["access_token"])
    agent = (await owner("POST", "/api/auth/users", {"email": "beto@example.com", "name": "B", "password": "correct horse"})).body
    signed = (await call.login("beto@example.com", "correct horse")).body
    await owner("PATCH", f"/api/auth/users/{agent['id']}", {"role": "admin"})

    async def dead() -> bool:
        return (await call.bearing(signed["access_token"])("GET", "/api/auth/me")).code == "token-invalid"

    await eventually(dead)
    async with Bus.open(guarded_nats.url, name="test") as everyone:

        async def told() -> bool:
            return (await everyone.stream_state("EVENTS")).messages == 6

        await eventually(told)


async def test_the_document_names_every_route_and_its_problems(call: Caller) -> None:
    document = (await call("GET", "/openapi.json")).body
    assert {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods} == {
        "POST /api/auth/register",
        "POST /api/auth/login",
        "POST /api/auth/refresh",
        "POST /api/auth/logout",
        "POST /api/auth/ticket",
        "POST /api/auth/password",
        "GET /api/auth/invitation",
        "GET /api/auth/me",
        "POST /api/auth/password/forgot",
        "POST /api/auth/password/reset",
        "GET /api/users",
        "POST /api/users",
        "GET /api/users/{id}",
        "PATCH /api/users/{id}",
        "GET /api/teams",
        "POST /api/teams",
        "GET /api/teams/{id}",
        "PATCH /api/teams/{id}",
        "DELETE /api/teams/{id}",
        "GET /api/invitations",
        "POST /api/invitations",
        "DELETE /api/invitations/{id}",
        "GET /api/keys",
        "POST /api/keys",
        "GET /api/keys/{id}",
        "PATCH /api/keys/{id}",
        "DELETE /api/keys/{id}",
        "POST /api/keys/{id}/rotate",
        "GET /api/account",
        "PATCH /api/account",
        "GET /api/ops/accounts",
        "PATCH /api/ops/accounts/{id}",
        "GET /api/ops/queues",
        "GET /api/ops/dead-letters",
        "POST /api/ops/dead-letters/replay",
        "POST /api/ops/dead-letters/drop",
        "GET /api/activity",
        "GET /api/auth/sessions",
        "DELETE /api/auth/sessions/{id}",
        "GET /.well-known/jwks.json",
    }
    assert "weak-password" in json.dumps(document["paths"]["/api/auth/register"])


def test_the_migrations_hold_up_no_table() -> None:
    assert Path(MIGRATIONS).is_dir()
    assert lint(MIGRATIONS) == []

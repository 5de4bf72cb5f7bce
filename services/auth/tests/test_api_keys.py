import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import msgspec
from auth.domain import ApiKey
from contracts import asks, buckets, ids
from contracts.asks import KeyExchanged, KeyPresented
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Role, Scope
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.testing import eventually
from sqlalchemy import text

from .conftest import Answer, Caller, an_owner, let_in, signed_in

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
DEVICE = DeviceId(ids.new())


def a_key(**changes: Any) -> ApiKey:
    values: dict[str, Any] = {
        "id": ids.new(),
        "tenant": TenantId(ids.new()),
        "name": "Tienda",
        "prefix": "clk_x",
        "secret_hash": b"new",
        "role": Role.AGENT,
        "scopes": frozenset({Scope.READ}),
        "created_by": UserId(ids.new()),
        "created_at": NOW,
    }
    return ApiKey(**(values | changes))


def test_a_token_for_a_key_outlives_neither_a_minute_nor_the_key_nor_the_overlap():
    soon = NOW + timedelta(seconds=20)
    assert a_key().good_until(b"new", NOW) == NOW + timedelta(seconds=60)
    assert a_key(expires_at=soon).good_until(b"new", NOW) == soon
    assert a_key(expires_at=NOW).good_until(b"new", NOW) is None
    assert a_key(revoked_at=NOW).good_until(b"new", NOW) is None
    assert a_key().good_until(b"other", NOW) is None
    rotated = a_key(secret_hash=b"old").rotated("clk_y", b"new", NOW, timedelta(seconds=20))
    assert rotated.good_until(b"old", NOW) == soon
    assert rotated.good_until(b"old", soon) is None
    assert rotated.good_until(b"new", NOW) == NOW + timedelta(seconds=60)
    assert a_key(secret_hash=b"old").rotated("clk_y", b"new", NOW, timedelta(0)).good_until(b"old", NOW) is None


async def made(owner: Caller, **changes: Any) -> dict[str, Any]:
    answer = await owner("POST", "/api/keys", {"name": "Tienda", "scopes": ["read", "settings"], **changes})
    assert answer.status == 201, answer
    key: dict[str, Any] = answer.body
    return key


async def exchanged(bus: Bus, secret: str) -> KeyExchanged:
    question = msgspec.json.encode(KeyPresented(key=secret, address="192.0.2.7"))
    return msgspec.json.decode(await bus.ask(asks.KEY, question), type=KeyExchanged)


async def test_a_key_is_shown_once_kept_as_a_hash_and_exchanged_for_a_token(call: Caller, bus: Bus, system: Database) -> None:
    owner = await an_owner(call)
    key = await made(owner)
    assert re.fullmatch(r"clk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}", key["secret"])
    assert key["secret"].startswith(key["prefix"] + "_")
    assert (key["role"], key["scopes"], key["devices"], key["last_used_at"]) == ("agent", ["read", "settings"], None, None)
    async with system.system() as tx:
        row = (await tx.execute(text("select * from api_keys"))).one()
    assert key["secret"] not in str(row)
    found = await exchanged(bus, key["secret"])
    assert (found.error, 58 <= found.expires_in <= 60) == (None, True)
    assert found.token is not None
    claims = jwt.decode(found.token, options={"verify_signature": False})
    assert (claims["kind"], claims["role"], claims["scopes"], claims["exp"] - claims["iat"] <= 60) == (
        "key",
        "agent",
        ["read", "settings"],
        True,
    )
    program = call.bearing(found.token)
    assert [user["email"] for user in (await program("GET", "/api/users")).body["items"]] == ["ana@example.com"]
    (listed,) = (await owner("GET", "/api/keys")).body["items"]
    assert "secret" not in listed
    used = datetime.fromisoformat(listed["last_used_at"])
    assert datetime.now(UTC) - used < timedelta(minutes=1)
    await exchanged(bus, key["secret"])
    assert (await owner("GET", f"/api/keys/{key['id']}")).body["last_used_at"] == listed["last_used_at"]


async def test_what_is_no_key_is_exchanged_for_nothing(call: Caller, bus: Bus) -> None:
    for secret in ("", "clk_", "clk_" + "a" * 8 + "_" + "b" * 43, "rt_x", "clk_aaaaaaaa_" + "é" * 43):
        assert await exchanged(bus, secret) == KeyExchanged(error="key-invalid")
    assert msgspec.json.decode(await bus.ask(asks.KEY, b"nonsense")) == {"error": "key-invalid"}


async def test_a_revoked_key_is_dead_within_five_seconds(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    key = await made(owner)
    program = call.bearing((await exchanged(bus, key["secret"])).token or "")
    assert (await program("GET", "/api/users")).status == 200
    assert (await owner("DELETE", f"/api/keys/{key['id']}")).status == 204

    async def dead() -> bool:
        return (await program("GET", "/api/users")).code == "token-invalid"

    await eventually(dead)
    assert (await exchanged(bus, key["secret"])).error == "key-invalid"
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        gone = await owner(method, f"/api/keys/{key['id']}{path}")
        assert (gone.status, gone.code) == (404, "key-not-found")


async def test_a_rotated_key_has_another_secret_and_the_old_one_ends_when_it_is_told(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    key = await made(owner)
    rotated = await owner("POST", f"/api/keys/{key['id']}/rotate", {"overlap_seconds": 60})
    assert rotated.status == 200
    assert rotated.body["id"] == key["id"]
    assert rotated.body["previous_until"] is not None
    for secret in (key["secret"], rotated.body["secret"]):
        assert (await exchanged(bus, secret)).token
    again = await owner("POST", f"/api/keys/{key['id']}/rotate")
    assert (again.status, again.body["previous_until"]) == (200, None)
    assert (await exchanged(bus, key["secret"])).error == "key-invalid"
    assert (await exchanged(bus, rotated.body["secret"])).error == "key-invalid"
    assert (await exchanged(bus, again.body["secret"])).token
    assert (await owner("POST", f"/api/keys/{key['id']}/rotate", {"overlap_seconds": 7 * 86400 + 1})).status == 422


async def test_a_key_that_has_ended_says_so(call: Caller, bus: Bus, db: Database) -> None:
    owner = await an_owner(call)
    key = await made(owner, expires_at=(datetime.now(UTC) + timedelta(seconds=40)).isoformat())
    assert (await exchanged(bus, key["secret"])).expires_in <= 40
    account = (await owner("GET", "/api/account")).body["id"]
    async with db.transaction(TenantId(ids.parse(ids.ACCOUNT, account))) as tx:
        await tx.execute(text("update api_keys set expires_at = now()"))
    assert (await exchanged(bus, key["secret"])).error == "key-expired"
    late = await owner("POST", "/api/keys", {"name": "T", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"})
    assert (late.status, late.code) == (422, "invalid")


async def test_only_persons_in_charge_make_keys_and_none_above_themselves(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    key = await made(owner, role="admin", scopes=["read", "send", "control", "settings"])
    program = call.bearing((await exchanged(bus, key["secret"])).token or "")
    for method, path in (("POST", "/api/keys"), ("GET", "/api/keys"), ("POST", f"/api/keys/{key['id']}/rotate"), ("GET", "/api/auth/me")):
        refused = await program(method, path, {"name": "x", "scopes": ["read"]} if path == "/api/keys" and method == "POST" else None)
        assert (refused.status, refused.code) == (403, "persons-only"), path
    await let_in(owner, "beto@example.com")
    agent = await signed_in(call, "beto@example.com")
    refused = await agent("POST", "/api/keys", {"name": "x", "scopes": ["read"]})
    assert (refused.status, refused.code) == (403, "forbidden")
    for changes in ({"role": "owner"}, {"scopes": []}, {"scopes": ["fly"]}, {"name": ""}, {"devices": ["cht_1"]}):
        refused = await owner("POST", "/api/keys", {"name": "x", "scopes": ["read"], **changes})
        assert (refused.status, refused.code) == (422, "invalid"), changes
    eva = await an_owner(call, "eva@example.com")
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")):
        refused = await eva(method, f"/api/keys/{key['id']}{path}", {"name": "Mine"} if method == "PATCH" else None)
        assert (refused.status, refused.code) == (404, "key-not-found")


async def test_a_key_made_twice_with_one_idempotency_key_is_one_key_with_one_secret(call: Caller, system: Database) -> None:
    owner = await an_owner(call)

    async def make() -> Answer:
        return await owner("POST", "/api/keys", {"name": "Tienda", "scopes": ["read"]}, headers={"Idempotency-Key": "k1"})

    one, two = await make(), await make()
    assert (one.status, two.status, one.body) == (201, 201, two.body)
    assert two.headers["Idempotency-Replayed"] == "true"
    async with system.system() as tx:
        kept = (await tx.execute(text("select body from idempotency"))).scalar_one()
    assert one.body["secret"].encode() not in kept


async def test_the_numbers_of_a_key_stand_on_the_bus_before_its_first_token(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    device = ids.public(ids.DEVICE, DEVICE)
    key = await made(owner, devices=[device])
    assert key["devices"] == [device]
    await exchanged(bus, key["secret"])
    bucket = await bus.bucket(buckets.ACCESS)
    id = str(ids.parse(ids.KEY, key["id"]))
    entry = await bucket.get(id)
    assert entry is not None
    assert msgspec.json.decode(entry.value, type=Access) == Access(devices=frozenset({DEVICE}))
    changed = await owner("PATCH", f"/api/keys/{key['id']}", {"devices": None, "scopes": ["read", "send"], "name": "Otra"})
    assert (changed.body["devices"], changed.body["scopes"], changed.body["name"]) == (None, ["read", "send"], "Otra")

    async def gone() -> bool:
        return await bucket.get(id) is None

    await eventually(gone)
    assert UUID(id)

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import aiohttp
import pytest
import sqlalchemy as sa
from contracts import buckets, ids
from contracts.principal import Role
from fastapi import APIRouter, Response
from servicekit import auth
from servicekit.db import Database
from servicekit.http import Body, Caller, Text, create_app, state
from servicekit.idempotency import Idempotent
from servicekit.run import Service
from servicekit.testing import eventually

MIGRATIONS = Path(__file__).parent / "migrations"
Db = Annotated[Database, state("db")]
router = APIRouter(prefix="/api/notes", tags=["notes"])


class New(Body):
    text: Text


@router.post("", status_code=201)
async def write(body: New, caller: Caller, db: Db, idem: Idempotent) -> Response:
    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        row = {"tenant": caller.tenant, "id": ids.new(), "text": body.text}
        await tx.execute(sa.text("insert into notes (tenant, id, text) values (:tenant, :id, :text)"), row)
        return await idem.finish(tx, 201, ids.public(ids.MESSAGE, row["id"]).join('""').encode())


@router.get("")
async def count(caller: Caller, db: Db) -> int:
    async with db.transaction(caller.tenant) as tx:
        return int(await tx.scalar(sa.text("select count(*) from notes")) or 0)


@asynccontextmanager
async def serving(urls, bus):
    port = None

    async def start(service):
        nonlocal port
        db = await service.enter(Database.open(urls.service_url, application="shop", pool=3))
        verifier = await service.enter(auth.Verifier.open(bus))
        service.health.check("database", db.ping)
        app = create_app(title="Shop", service=service, verifier=verifier, routers=[router], state={"db": db})
        port = service.serve(app, "127.0.0.1", 0)

    async with Service("shop").running(start), aiohttp.ClientSession() as session:

        async def call(method, path, **options):
            async with session.request(method, f"http://127.0.0.1:{port}{path}", **options) as response:
                return response.status, response.headers, await response.json()

        yield call


@pytest.fixture
async def call(provisioned, bus, signed_in):  # its key stands in the bucket before the service looks
    async with serving(provisioned("shop", MIGRATIONS), bus) as client:
        yield client


async def test_a_post_that_is_sent_twice_is_done_once(call, signed_in):
    headers = signed_in(Role.AGENT).headers
    keyed = headers | {"Idempotency-Key": "k-1"}
    first = await call("POST", "/api/notes", json={"text": "a"}, headers=keyed)
    again = await call("POST", "/api/notes", json={"text": "a"}, headers=keyed)
    assert (first[0], first[2]) == (again[0], again[2])
    assert "Idempotency-Replayed" not in first[1]
    assert again[1]["Idempotency-Replayed"] == "true"
    assert (await call("GET", "/api/notes", headers=headers))[2] == 1
    other = await call("POST", "/api/notes", json={"text": "b"}, headers=keyed)
    assert (other[0], other[2]["code"]) == (409, "idempotency-mismatch")
    await call("POST", "/api/notes", json={"text": "a"}, headers=headers)
    assert (await call("GET", "/api/notes", headers=headers))[2] == 2


async def test_a_key_is_a_short_printable_text(call, signed_in):
    for key in ("", "x" * 201, "a b"):
        status, _, body = await call("POST", "/api/notes", json={"text": "a"}, headers=signed_in().headers | {"Idempotency-Key": key})
        assert (status, body["code"]) == (422, "invalid")


async def test_of_many_posts_at_once_with_one_key_one_is_done(call, signed_in):
    headers = signed_in().headers | {"Idempotency-Key": "k"}
    answers = await asyncio.gather(*(call("POST", "/api/notes", json={"text": "a"}, headers=headers) for _ in range(12)))
    assert {status for status, _, _ in answers} <= {201, 409}
    assert len({body for status, _, body in answers if status == 201}) == 1
    assert (await call("GET", "/api/notes", headers=headers))[2] == 1


async def test_without_its_database_a_service_says_503_and_then_goes_on(call, signed_in, postgres):
    if not hasattr(postgres, "kill"):
        return
    headers = signed_in().headers
    assert (await call("GET", "/api/notes", headers=headers))[0] == 200
    await asyncio.to_thread(postgres.kill)
    for _ in range(3):
        status, sent, body = await call("GET", "/api/notes", headers=headers)
        assert (status, body["code"], sent["Retry-After"]) == (503, "unavailable", "2")
    status, _, body = await call("GET", "/health/ready")
    assert (status, body["checks"]) == (503, {"database": "DatabaseAway"})
    await asyncio.to_thread(postgres.start)
    assert (await call("GET", "/api/notes", headers=headers))[0] == 200

    async def ready():
        return (await call("GET", "/health/ready"))[0] == 200

    await eventually(ready)


async def test_a_raised_version_and_a_withdrawn_key_reach_every_service(call, signed_in, bus):
    caller = signed_in(version=1)
    versions, keys = await bus.bucket(buckets.VERSIONS), await bus.bucket(buckets.KEYS)
    assert (await call("GET", "/api/notes", headers=caller.headers))[0] == 200
    await versions.put(str(caller.principal.id), auth.encode_version(2))

    async def refused(headers):
        status, _, body = await call("GET", "/api/notes", headers=headers)
        return status == 401 and body["code"] == "token-invalid"

    await eventually(lambda: refused(caller.headers))
    fresh = signed_in(user=caller.principal.id, tenant=caller.principal.tenant, version=2)
    assert (await call("GET", "/api/notes", headers=fresh.headers))[0] == 200
    await keys.delete(signed_in.kid)
    await eventually(lambda: refused(fresh.headers))


async def test_a_verifier_knows_the_keys_and_versions_of_before_it_came(bus, signed_in):
    old, fresh = signed_in(version=1), signed_in(version=2)
    versions, keys = await bus.bucket(buckets.VERSIONS), await bus.bucket(buckets.KEYS)
    await versions.put(str(old.principal.id), auth.encode_version(2))
    await keys.put("broken", b"no key")
    async with auth.Verifier.open(bus) as verifier:
        assert verifier.verify(fresh.token) == fresh.principal
        with pytest.raises(auth.TokenInvalid):
            verifier.verify(old.token)

import asyncio
from pathlib import Path

import asyncpg
import pytest
from contracts import ids
from contracts.principal import Principal, Role
from servicekit import idempotency
from servicekit.db import Database
from servicekit.idempotency import InFlight, Mismatch, Stored, begin, fingerprint, finish

MIGRATIONS = Path(__file__).parent / "migrations"
BODY, OTHER = fingerprint("POST", "/a", b"{}"), fingerprint("POST", "/a", b"[]")


def a_caller(**changes):
    return Principal(**({"id": ids.new(), "tenant": ids.new(), "role": Role.AGENT} | changes))


@pytest.fixture
def urls(provisioned):
    return provisioned("shop", MIGRATIONS)


@pytest.fixture
async def db(urls):
    async with Database.open(urls.service_url, application="shop", pool=4) as opened:
        yield opened


async def done(db, caller, key="k", body=BODY, status=201, answer=b'{"n":1}'):
    async with db.transaction(caller.tenant) as tx:
        stored = await begin(tx, caller, key, body)
        if stored is None:
            await finish(tx, caller, key, body, status, answer)
        return stored


async def test_the_second_time_the_first_answer_is_given(db):
    caller = a_caller()
    assert await done(db, caller) is None
    stored = await done(db, caller, answer=b"another")
    assert stored == Stored(201, b'{"n":1}')
    response = stored.response()
    assert (response.status_code, response.body, response.headers["Idempotency-Replayed"]) == (201, b'{"n":1}', "true")


async def test_another_body_with_the_same_key_is_a_mismatch(db):
    caller = a_caller()
    await done(db, caller)
    with pytest.raises(Mismatch) as refused:
        await done(db, caller, body=OTHER)
    assert (refused.value.status, refused.value.code) == (409, "idempotency-mismatch")


async def test_a_key_that_is_being_answered_is_in_flight_and_then_replayed(db):
    caller = a_caller()
    async with db.transaction(caller.tenant) as tx:
        await begin(tx, caller, "k", BODY)
        with pytest.raises(InFlight) as refused:
            await done(db, caller)
        await finish(tx, caller, "k", BODY, 202, b"{}")
    assert (refused.value.status, refused.value.code) == (409, "idempotency-in-flight")
    assert await done(db, caller) == Stored(202, b"{}")


async def test_an_effect_that_fails_leaves_the_key_free(db):
    caller = a_caller()

    async def fail():
        async with db.transaction(caller.tenant) as tx:
            await begin(tx, caller, "k", BODY)
            await finish(tx, caller, "k", BODY, 201, b"{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await done(db, caller) is None


async def test_keys_of_other_callers_and_other_keys_are_other_keys(db):
    caller = a_caller()
    await done(db, caller)
    assert await done(db, a_caller()) is None
    assert await done(db, a_caller(tenant=caller.tenant)) is None
    assert await done(db, caller, key="another") is None


async def test_of_many_at_once_one_does_the_work(db):
    caller = a_caller()
    results = await asyncio.gather(*(done(db, caller) for _ in range(20)), return_exceptions=True)
    assert results.count(None) == 1
    assert all(result is None or isinstance(result, InFlight | Stored) for result in results)


async def test_after_a_day_a_key_is_new_again_and_its_row_is_swept(urls, db):
    caller, fresh = a_caller(), a_caller()
    await done(db, caller)
    await done(db, caller, key="another")
    await done(db, fresh)
    await aged(urls, caller)
    assert await done(db, caller, body=OTHER) is None
    assert await done(db, caller, body=OTHER) == Stored(201, b'{"n":1}')
    async with Database.open(urls.system_url, application="shop-system") as system_db:
        assert await idempotency.sweep(system_db) == 1
        assert await idempotency.sweep(system_db) == 0
    assert await done(db, fresh) is not None


async def aged(urls, caller):
    connection = await asyncpg.connect(urls.admin_url)
    try:
        await connection.execute("update shop.idempotency set made_at = now() - interval '25 hours' where tenant = $1", caller.tenant)
    finally:
        await connection.close()


def test_fingerprints_tell_parts_apart():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint("a") == fingerprint(b"a")

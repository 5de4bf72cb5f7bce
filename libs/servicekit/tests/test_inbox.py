import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from contracts.envelope import wrap
from contracts.events.devices import DeviceDeleted
from contracts.ids import TenantId
from servicekit import inbox
from servicekit.db import Database, raw
from servicekit.testing.databases import Urls

FOLDER = Path(__file__).parent / "outbox_migrations"
TENANT, OTHER = TenantId(uuid4()), TenantId(uuid4())


@pytest.fixture
def urls(provisioned: Callable[[str, Path], Urls]) -> Urls:
    return provisioned("boxes", FOLDER)


@pytest_asyncio.fixture
async def db(urls: Urls) -> AsyncIterator[Database]:
    async with Database.open(urls.service_url, application="test") as opened:
        yield opened


def some(count: int, tenant: TenantId = TENANT):
    return [wrap(tenant, DeviceDeleted(id=str(number))) for number in range(count)]


async def test_an_envelope_is_fresh_once_for_each_durable(db: Database):
    envelopes = some(3)
    async with db.transaction(TENANT) as tx:
        assert await inbox.fresh(tx, "boxes-a", envelopes[:2]) == envelopes[:2]
    async with db.transaction(TENANT) as tx:
        assert await inbox.fresh(tx, "boxes-a", envelopes) == envelopes[2:]
        assert await inbox.fresh(tx, "boxes-b", envelopes) == envelopes


async def test_a_batch_of_several_tenants_keeps_its_order_and_a_repeat_within_it_counts_once(db: Database):
    mine, theirs = some(3), some(3, OTHER)
    mixed = [mine[2], theirs[0], mine[0], mine[2], theirs[2]]
    async with db.transaction([TENANT, OTHER]) as tx:
        assert await inbox.fresh(tx, "boxes-a", mixed) == [mine[2], theirs[0], mine[0], theirs[2]]
        assert await inbox.fresh(tx, "boxes-a", []) == []


async def test_what_is_rolled_back_is_fresh_again(db: Database):
    envelopes = some(1)

    async def fail() -> None:
        async with db.transaction(TENANT) as tx:
            await inbox.fresh(tx, "boxes-a", envelopes)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with db.transaction(TENANT) as tx:
        assert await inbox.fresh(tx, "boxes-a", envelopes) == envelopes


async def test_of_two_processes_with_the_same_repeats_each_envelope_is_fresh_for_one(db: Database):
    envelopes = some(200)

    async def take(mine: list) -> list:  # type: ignore[type-arg]
        async with db.transaction(TENANT) as tx:
            return await inbox.fresh(tx, "boxes-a", mine)

    taken = await asyncio.gather(take(envelopes), take(envelopes[::-1]), take(envelopes))
    assert sorted(one.id for some in taken for one in some) == sorted(one.id for one in envelopes)


async def test_the_sweep_forgets_what_is_older_than_the_stream_keeps_and_nothing_else(db: Database, urls: Urls):
    old, new = some(5), some(5)
    async with db.transaction(TENANT) as tx:
        await inbox.fresh(tx, "boxes-a", old + new)
    async with Database.open(urls.admin_url, application="test-admin") as admin, admin.system() as tx:
        await (await raw(tx)).execute(
            "update boxes.inbox set seen_at = now() - interval '9 days' where id = any($1::uuid[])", [one.id for one in old]
        )
    async with Database.open(urls.system_url, application="test-system") as system:
        assert await inbox.sweep(system) == 5
        assert await inbox.sweep(system) == 0
        assert await inbox.sweep(system, timedelta(0)) == 5

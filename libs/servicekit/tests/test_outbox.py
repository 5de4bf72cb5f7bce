import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from contracts import subjects
from contracts.envelope import wrap
from contracts.events.devices import DeviceDeleted
from contracts.ids import TenantId
from servicekit import outbox
from servicekit.bus import Bus, BusAway
from servicekit.db import Database, raw
from servicekit.embedded import Nats, Postgres
from servicekit.outbox import Relay
from servicekit.testing import eventually
from servicekit.testing.databases import Urls

FOLDER = Path(__file__).parent / "outbox_migrations"
TENANT = TenantId(uuid4())


@pytest.fixture
def urls(provisioned: Callable[[str, Path], Urls]) -> Urls:
    return provisioned("boxes", FOLDER)


@pytest_asyncio.fixture
async def db(urls: Urls) -> AsyncIterator[Database]:
    async with Database.open(urls.service_url, application="test") as opened:
        yield opened


@pytest_asyncio.fixture
async def system_db(urls: Urls) -> AsyncIterator[Database]:
    async with Database.open(urls.system_url, application="test-system") as opened:
        yield opened


@asynccontextmanager
async def relaying(system_db: Database, bus: Bus, **changes: int) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    running = asyncio.create_task(Relay(system_db, bus, schema="boxes", **changes).run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await running


def some(count: int):
    return [wrap(TENANT, DeviceDeleted(id=str(number))) for number in range(count)]


async def rows(db: Database) -> int:
    async with db.system() as tx:
        return int(await (await raw(tx)).fetchval("select count(*) from outbox"))


async def stored(bus: Bus) -> list[str]:
    state = await bus.stream_state(subjects.EVENTS)
    found: list[str] = []
    async with await bus.ordered("evt.>", 1) as facts:
        while len(found) < state.messages:
            found.append((await anext(facts)).headers["Nats-Msg-Id"])
    return found


async def test_what_is_committed_is_published_in_its_order_and_the_table_is_empty_after(db: Database, system_db: Database, bus: Bus):
    envelopes = some(700)
    async with relaying(system_db, bus):
        for first in range(0, 700, 100):
            async with db.transaction(TENANT) as tx:
                await outbox.add(tx, *envelopes[first : first + 100])
        await eventually(lambda: is_empty(system_db))
    assert await stored(bus) == [str(one.id) for one in envelopes]


async def is_empty(db: Database) -> bool:
    return await rows(db) == 0


async def test_what_is_rolled_back_is_never_published(db: Database, system_db: Database, bus: Bus):
    async def fail() -> None:
        async with db.transaction(TENANT) as tx:
            await outbox.add(tx, *some(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await rows(system_db) == 0
    assert await Relay(system_db, bus, schema="boxes").once() == 0


async def test_a_fact_of_another_tenant_is_refused(db: Database, system_db: Database):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction(TenantId(uuid4())) as tx:
            await outbox.add(tx, *some(1))
    assert await rows(system_db) == 0


async def test_a_fact_reaches_the_bus_long_before_the_next_poll(db: Database, system_db: Database, bus: Bus, urls: Urls):
    async with relaying(system_db, bus):
        await eventually(lambda: listening(urls))
        times = []
        for one in some(5):
            began = asyncio.get_running_loop().time()
            async with db.transaction(TENANT) as tx:
                await outbox.add(tx, one)
            await eventually(lambda: is_empty(system_db), every=0.005)
            times.append(asyncio.get_running_loop().time() - began)
    assert sorted(times)[2] < outbox.POLL / 3


async def listening(urls: Urls) -> int:
    connection = await asyncpg.connect(urls.admin_url)
    try:
        return int(
            await connection.fetchval(
                "select count(*) from pg_stat_activity where application_name = 'outbox-listen' and query ilike 'listen%'"
            )
        )
    finally:
        await connection.close()


async def test_without_any_notice_the_poll_finds_it(urls: Urls, db: Database, system_db: Database, bus: Bus):
    async with relaying(system_db, bus):
        async with db.transaction(TENANT) as tx:
            connection = await raw(tx)
            one = some(1)[0]
            await connection.execute(
                "insert into outbox (tenant, msg_id, subject, payload) values ($1, $2, $3, $4)", TENANT, one.id, subjects.of(one), b"{}"
            )
        await eventually(lambda: is_empty(system_db))
    assert (await bus.stream_state(subjects.EVENTS)).messages == 1


async def test_a_relay_that_dies_between_the_ack_and_the_delete_publishes_again_and_the_stream_keeps_one(
    db: Database, system_db: Database, bus: Bus, urls: Urls
):
    envelopes = some(50)
    async with db.transaction(TENANT) as tx:
        await outbox.add(tx, *envelopes)

    class Dying(Bus):
        """Its process ends when the acks are there."""

        async def publish_raw(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
            await super().publish_raw(*arguments, **options)
            raise SystemError("killed")

    with pytest.raises(SystemError):
        await Relay(system_db, Dying(bus.connection), schema="boxes").once()
    assert (await bus.stream_state(subjects.EVENTS)).messages == 50
    assert await rows(system_db) == 50
    assert await Relay(system_db, bus, schema="boxes").once() == 50
    assert await rows(system_db) == 0
    assert await stored(bus) == [str(one.id) for one in envelopes]


async def test_of_two_relays_one_publishes(db: Database, system_db: Database, bus: Bus):
    async with db.transaction(TENANT) as tx:
        await outbox.add(tx, *some(10))
    published = asyncio.Event()
    go_on = asyncio.Event()

    class Slow(Bus):
        async def publish_raw(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
            published.set()
            await go_on.wait()
            await super().publish_raw(*arguments, **options)

    first = asyncio.create_task(Relay(system_db, Slow(bus.connection), schema="boxes").once())
    await published.wait()
    assert await Relay(system_db, bus, schema="boxes").once() == 0
    assert (await bus.stream_state(subjects.EVENTS)).messages == 0
    go_on.set()
    assert await first == 10


async def test_two_relays_at_work_keep_the_order(db: Database, system_db: Database, bus: Bus):
    envelopes = some(600)
    async with relaying(system_db, bus, batch=20), relaying(system_db, bus, batch=20):
        for first in range(0, 600, 50):
            async with db.transaction(TENANT) as tx:
                await outbox.add(tx, *envelopes[first : first + 50])
        await eventually(lambda: is_empty(system_db))
    assert await stored(bus) == [str(one.id) for one in envelopes]


async def test_while_the_bus_is_away_facts_wait_in_the_table_and_go_when_it_is_back(
    db: Database, system_db: Database, bus: Bus, nats: Nats
):
    envelopes = some(100)
    nats.kill()
    async with relaying(system_db, bus):
        async with db.transaction(TENANT) as tx:
            await outbox.add(tx, *envelopes)
        with pytest.raises(BusAway):
            await bus.publish(*some(1), timeout=0.3)
        assert await rows(system_db) == 100
        nats.start()
        await eventually(lambda: is_empty(system_db))
    assert await stored(bus) == [str(one.id) for one in envelopes]


async def test_a_relay_survives_the_death_of_its_database(db: Database, system_db: Database, bus: Bus, postgres: Postgres):
    envelopes = some(20)
    async with relaying(system_db, bus):
        async with db.transaction(TENANT) as tx:
            await outbox.add(tx, *envelopes[:10])
        await eventually(lambda: is_empty(system_db))
        postgres.stop()
        postgres.start()
        async with db.transaction(TENANT) as tx:
            await outbox.add(tx, *envelopes[10:])
        await eventually(lambda: is_empty(system_db))
    assert await stored(bus) == [str(one.id) for one in envelopes]


async def test_an_envelope_that_no_server_takes_is_refused_before_it_is_stored(db: Database, system_db: Database):
    with pytest.raises(outbox.TooLargeForTheBus):
        async with db.transaction(TENANT) as tx:
            await outbox.add(tx, wrap(TENANT, DeviceDeleted(id="x" * 2**20)))
    assert await rows(system_db) == 0

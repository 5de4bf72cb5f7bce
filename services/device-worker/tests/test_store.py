"""whatsmeow's own database: its tables are made by one process at a time."""

import asyncio
import threading

import asyncpg
from device_worker.whatsapp.store import alone, pooled
from servicekit.testing import eventually


async def test_of_two_that_make_the_tables_at_once_the_second_waits_for_the_first(empty_database):
    url = empty_database()
    done: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        inside.set()
        assert go_on.wait(60)
        done.append("first")

    watch = await asyncpg.connect(url)
    try:
        making = asyncio.create_task(asyncio.to_thread(asyncio.run, alone(url, first)))
        await eventually(inside.is_set)
        waiting = asyncio.create_task(asyncio.to_thread(asyncio.run, alone(pooled(url), lambda: done.append("second"))))

        async def waits() -> bool:
            return bool(await watch.fetchval("select count(*) from pg_locks where locktype = 'advisory' and not granted"))

        await eventually(waits)
        go_on.set()
        await asyncio.gather(making, waiting)
    finally:
        go_on.set()
        await watch.close()
    assert done == ["first", "second"]


async def test_with_the_database_away_it_is_tried_all_the_same():
    done: list[str] = []
    await alone("postgresql://nobody@127.0.0.1:1/nothing", lambda: done.append("tried"))
    assert done == ["tried"]

"""The outbox: facts and orders are rows of the transaction that made them, and reach the bus after its commit, at least once.

What is promised about order: the facts of one transaction keep theirs. Between transactions, rows are taken by id, and an id
is drawn before the commit: of two transactions at the same time the one with the higher id may commit, and be published,
first. Writers that lock the row they speak about (the chat, the device) before they add draw their ids one after the other, so
the facts about one such row are in order.
"""

import asyncio
from typing import Any

import asyncpg
import structlog
from contracts import envelope as envelopes
from contracts import subjects
from contracts.envelope import Envelope

from servicekit import metrics, tracing
from servicekit.bus import Bus, BusRefused
from servicekit.bus.connection import ROOM
from servicekit.bus.failures import is_away, where
from servicekit.db import Database, Tx, raw
from servicekit.timers import first

log = structlog.get_logger(__name__)

BATCH = 500
POLL = 1.0  # seconds; the poll is the truth, NOTIFY only makes it early
LARGEST = 1024 * 1024 - ROOM  # bytes of payload that a server with NATS's own setting takes
# Below the transaction's idle time-out: with a bus that is away the lock is given back, and not the connection lost.
PUBLISH = 8.0

_ADD = """
with added as (
    insert into outbox (tenant, msg_id, subject, payload)
    select tenant, msg_id, subject, payload
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[]) with ordinality as new (tenant, msg_id, subject, payload, place)
    order by place
    returning 1
)
select pg_notify('outbox_' || current_schema(), '') from (select count(*) from added) as counted
"""


class TooLargeForTheBus(ValueError):
    """The envelope is larger than a message may be: it would stand at the head of the outbox for ever."""


async def add(tx: Tx, *some: Envelope[Any]) -> None:
    """The envelopes will be published, in this order, if *tx* commits.  Raises: TooLargeForTheBus."""
    if not some:
        return
    payloads = [envelopes.encode(tracing.current(one)) for one in some]
    for one, payload in zip(some, payloads, strict=True):
        if len(payload) > LARGEST:
            raise TooLargeForTheBus(f"{one.type} {one.id} has {len(payload)} bytes.")
    connection = await raw(tx)
    await connection.execute(_ADD, [one.tenant for one in some], [one.id for one in some], [subjects.of(one) for one in some], payloads)


class Relay:
    """Publishes what stands in the outbox of one schema; of several processes one at a time does it, whichever holds the lock."""

    def __init__(self, db: Database, bus: Bus, *, schema: str, batch: int = BATCH) -> None:
        """Relay with *db* opened as ``<service>_system``, which may read and delete there."""
        self._db = db
        self._bus = bus
        self._schema = schema
        self._batch = batch
        self._wake = asyncio.Event()
        self._measured = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until *stopping*; whatever is away, it waits and goes on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(stopping))
            await self._relay(stopping)

    async def once(self) -> int:
        """Publish and delete one batch and tell its size; 0 when there is none or another process is at it."""
        async with self._db.system() as tx:
            connection = await raw(tx)
            if not await connection.fetchval("select pg_try_advisory_xact_lock(hashtextextended($1, 0))", f"outbox {self._schema}"):
                return 0
            rows = await connection.fetch("select id, subject, msg_id, payload from outbox order by id limit $1", self._batch)
            if not rows:
                return 0
            await self._bus.publish_raw([(row["subject"], row["msg_id"], row["payload"]) for row in rows], timeout=PUBLISH)
            # A crash between the ack and this delete publishes again: the stream drops it by the message id, and after its
            # two minutes the consumer's inbox does.
            await connection.execute("delete from outbox where id = any($1::bigint[])", [row["id"] for row in rows])
        metrics.OUTBOX_RELAYED.labels(self._schema).inc(len(rows))
        return len(rows)

    async def _relay(self, stopping: asyncio.Event) -> None:
        pause = POLL
        while not stopping.is_set():
            self._wake.clear()
            try:
                moved = await self.once()
                await self._measure()
                pause = POLL
            except Exception as problem:
                moved = 0
                if isinstance(problem, BusRefused) or not is_away(problem):
                    log.error("outbox.failed", schema=self._schema, error=type(problem).__name__, where=where(problem))
                else:
                    log.warning("outbox.waits", schema=self._schema, reason=type(problem).__name__)
                pause = min(pause * 2, 5.0)
                self._wake.clear()
            if moved < self._batch:
                await first(self._wake, stopping, timeout=pause)

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured < 10:
            return
        self._measured = now
        async with self._db.system() as tx:
            row = await (await raw(tx)).fetchrow(
                "select count(*) as rows, coalesce(extract(epoch from now() - min(made_at)), 0)::float as age from outbox"
            )
        metrics.OUTBOX_ROWS.labels(self._schema).set(row["rows"])
        metrics.OUTBOX_AGE.labels(self._schema).set(row["age"])

    async def _listen(self, stopping: asyncio.Event) -> None:
        """Wake the relay at each NOTIFY, over a connection that does nothing else."""
        gone = asyncio.Event()

        def notified(connection: object, pid: int, channel: str, payload: object) -> None:
            self._wake.set()

        def ended(connection: object) -> None:
            gone.set()

        while not stopping.is_set():
            gone.clear()
            try:
                connection = await _own(self._db)
                try:
                    connection.add_termination_listener(ended)
                    await connection.add_listener(f"outbox_{self._schema}", notified)
                    self._wake.set()
                    await first(gone, stopping)
                finally:
                    await _close(connection)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
                log.info("outbox.listen_waits", schema=self._schema, reason=type(problem).__name__)
            await first(stopping, timeout=1.0)


async def _own(db: Database) -> asyncpg.Connection:
    """Open a connection of our own with the role of *db*."""
    return await asyncpg.connect(db.url, timeout=5, server_settings={"application_name": "outbox-listen"})


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()

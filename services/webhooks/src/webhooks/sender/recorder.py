"""What became of attempts, in the database: of all lanes together, in one transaction for whatever has come in meanwhile."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from contracts import ids
from contracts.envelope import wrap
from contracts.events.webhooks import EndpointDisabled, EndpointWarned
from prometheus_client import Counter
from servicekit import outbox
from servicekit.bus.failures import is_away, where
from servicekit.db import Database, Tx, raw

from webhooks.domain.endpoints import State
from webhooks.domain.schedule import DISABLE_AFTER
from webhooks.store import deliveries, endpoints
from webhooks.store.deliveries import Tried
from webhooks.store.lanes import Key

MOST = 200

ATTEMPTS = Counter("clarin_webhooks_attempts_total", "Requests to endpoints, by what became of them.", ["outcome"])

log = structlog.get_logger()


class Recorder:
    """Writes attempts down; `put` returns when they are."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._queue: asyncio.Queue[tuple[Tried, asyncio.Future[None]]] = asyncio.Queue()

    async def put(self, tried: Tried) -> None:
        """It is written down."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((tried, written))
        await written

    async def run(self) -> None:
        """Write until cancelled; while the database is away, wait: what cannot be written is sent again later."""
        while True:
            some = [await self._queue.get()]
            while len(some) < MOST and not self._queue.empty():
                some.append(self._queue.get_nowait())
            await self._write([tried for tried, _ in some])
            for _, written in some:
                if not written.done():
                    written.set_result(None)

    async def _write(self, some: list[Tried]) -> None:
        pause = 0.1
        while True:
            try:
                async with self._db.transaction({one.key[0] for one in some}) as tx:
                    await deliveries.record(await raw(tx), some)
                    for one in some:
                        await judge(tx, one)
                for one in some:
                    ATTEMPTS.labels(one.error or "delivered").inc()
                return
            except Exception as error:
                if not is_away(error):
                    log.error("attempts could not be recorded", error=type(error).__name__, where=where(error), attempts=len(some))
                    if len(some) == 1:
                        return  # it stays due, and is sent again
                    for one in some:
                        await self._write([one])
                    return
                log.warning("attempts wait for the database", attempts=len(some))
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)


async def judge(tx: Tx, tried: Tried) -> None:
    """The endpoint is disabled where this attempt was its last, and its owners are told; or warned that it will be."""
    now = datetime.now(UTC)
    health = tried.health
    if tried.status == 410:
        await disable(tx, tried.key, "gone", now, health.failing_since if health and health.failures > 1 else None)
    elif not tried.delivered and health is not None and health.to_disable(tried.at):
        await disable(tx, tried.key, "failing", now, health.failing_since)
    elif health is not None and health.warned_at == tried.at and health.failing_since is not None:
        endpoint = await endpoints.get(await raw(tx), *tried.key)
        if endpoint is not None:
            warned = EndpointWarned(
                id=ids.public(ids.WEBHOOK, endpoint.id),
                url=endpoint.url,
                description=endpoint.description,
                failing_since=health.failing_since,
                disabled_at=health.failing_since + DISABLE_AFTER,
                at=now,
            )
            await outbox.add(tx, wrap(endpoint.tenant, warned))


async def disable(tx: Tx, key: Key, reason: str, now: datetime, since: datetime | None) -> None:
    """Nothing is sent to the endpoint any more, and what waited has failed."""
    c = await raw(tx)
    endpoint = await endpoints.get(c, *key, lock=True)
    if endpoint is None or endpoint.state is not State.ENABLED:
        return
    await endpoints.save(c, replace(endpoint, state=State.DISABLED, reason=reason, revision=endpoint.revision + 1))
    await deliveries.give_up(c, key, "disabled")
    told = EndpointDisabled(
        id=ids.public(ids.WEBHOOK, endpoint.id),
        url=endpoint.url,
        description=endpoint.description,
        reason="gone" if reason == "gone" else "failing",
        at=now,
        failing_since=since,
    )
    await outbox.add(tx, wrap(endpoint.tenant, told))
    log.info("endpoint disabled", endpoint=str(endpoint.id), reason=reason)

"""Sending to one endpoint, for as long as this process holds its lane."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog
from contracts import ids
from prometheus_client import Histogram
from servicekit.bus.failures import is_away, where
from servicekit.db import Database, raw
from servicekit.vault import Vault, WrongEncryptionKey

from webhooks.domain import bodies, schedule, signing, waha
from webhooks.domain.endpoints import Endpoint, State
from webhooks.domain.schedule import Bucket, Health
from webhooks.sender.recorder import Recorder
from webhooks.sender.target import Answer, Target
from webhooks.store import accounts, deliveries, endpoints, lanes
from webhooks.store.deliveries import Due, Tried
from webhooks.store.lanes import Key

#: How long an idle lane is kept: the next event needs no claim.
IDLE_SECONDS = 3.0
#: How long a busy one is kept while others wait for their turn.
TURN_SECONDS = 10.0
#: How much is read ahead, and for how long that holds.
AHEAD = 20
FRESH_SECONDS = 1.0

FIRST = Histogram(
    "clarin_webhooks_first_attempt_seconds",
    "From an event to the end of its first attempt.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)

log = structlog.get_logger()


class Lane:
    """One endpoint's lane.

    Attributes:
        woken: Set when something new may be due.
        until: The loop's time at which the lease ends; nothing is begun after it.
    """

    def __init__(self, key: Key, owner: UUID, *, db: Database, target: Target, recorder: Recorder, vault: Vault, until: float) -> None:
        self.key = key
        self.until = until
        self.woken = asyncio.Event()
        self._owner = owner
        self._db = db
        self._target = target
        self._recorder = recorder
        self._vault = vault
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._endpoint: Endpoint | None = None
        self._health = Health()
        self._bucket = Bucket(None)
        self._headers: dict[str, str] = {}
        self._secrets: dict[bytes, str] = {}
        self._ready: list[Due] = []
        self._flying: dict[UUID, asyncio.Task[None]] = {}
        self._fetched = 0.0
        self._stop = False
        self._broken = False

    async def run(self, crowded: asyncio.Event) -> None:
        """Send what is due, and give the lane back when nothing is, or when others wait and its turn is over."""
        try:
            async with self._db.transaction(self.key[0]) as tx:
                self._health = await lanes.health(await raw(tx), self.key)
            idle = self._loop.time()
            while self._loop.time() < self.until and not self._stop:
                self.woken.clear()
                pause = await self._send_some()
                now = self._loop.time()
                if self._flying or self._ready:
                    idle = now
                turn_over = crowded.is_set() and now - self._since > TURN_SECONDS
                if not self._flying and (pause > IDLE_SECONDS or now - idle >= IDLE_SECONDS or turn_over):
                    self._ready.clear()
                    if await self._give_back():
                        return
                    idle = now
                    continue
                await self._wait(min(pause, IDLE_SECONDS))
            if self._stop and not self._broken:
                if self._flying:
                    await asyncio.wait(self._flying.values())
                await self._give_back()
        except Exception as error:
            # The lease ends by itself, and another process (or this one) takes up what is still due.
            kind = log.warning if is_away(error) else log.error
            kind("a lane was left", endpoint=str(self.key[1]), error=type(error).__name__, where=where(error))
        finally:
            for task in self._flying.values():
                task.cancel()
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    def stop(self) -> None:
        """Begin nothing more; the attempts under way end."""
        self._stop = True
        self.woken.set()

    async def _wait(self, seconds: float) -> None:
        waits: set[asyncio.Future[Any]] = {asyncio.ensure_future(self.woken.wait())}
        await asyncio.wait(waits | set(self._flying.values()), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()

    async def _send_some(self) -> float:
        """Begin as many attempts as may be now, and tell for how many seconds there is nothing to do but wait."""
        now = datetime.now(UTC)
        if self._health.held(now) and self._health.held_until is not None:
            self._ready.clear()
            return (self._health.held_until - now).total_seconds()
        room = (1 if self._health.probing else self._endpoint.concurrency if self._endpoint else 1) - len(self._flying)
        if room <= 0:
            return IDLE_SECONDS
        pause = 0.0
        if self._loop.time() - self._fetched > FRESH_SECONDS:
            self._ready.clear()  # the endpoint may be another by now
        if len(self._ready) < room:
            pause = await self._fetch()
            if self._endpoint is None or self._endpoint.state is not State.ENABLED:
                self._ready.clear()
                return IDLE_SECONDS + 1 if not self._flying else IDLE_SECONDS
            room = (1 if self._health.probing else self._endpoint.concurrency) - len(self._flying)
        while room > 0 and self._ready:
            if delay := self._bucket.delay(self._loop.time()):
                return delay
            self._bucket.take()
            due = self._ready.pop(0)
            task = asyncio.create_task(self._attempt(self._endpoint, due) if self._endpoint else asyncio.sleep(0))
            self._flying[due.id] = task
            task.add_done_callback(partial(self._landed, due.id))
            room -= 1
        return IDLE_SECONDS if self._ready or room <= 0 else pause

    def _landed(self, id: UUID, task: asyncio.Task[None]) -> None:
        self._flying.pop(id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an attempt broke", endpoint=str(self.key[1]), error=type(error).__name__, where=where(error))
            self._stop = self._broken = True
        self.woken.set()

    async def _fetch(self) -> float:
        """Read the endpoint as it is now and what is due, and tell in how many seconds more will be."""
        self._fetched = self._loop.time()
        in_hand = [*self._flying, *(due.id for due in self._ready)]
        async with self._db.transaction(self.key[0]) as tx:
            c = await raw(tx)
            endpoint = await endpoints.get(c, *self.key)
            self._know(endpoint)
            if endpoint is None or endpoint.state is not State.ENABLED:
                return IDLE_SECONDS
            waha = endpoint.format == "waha"
            some = await deliveries.due(c, self.key, ordered=endpoint.ordered, besides=in_hand, limit=AHEAD, named=waha)
            # Asked after what is due: of what came since the account was suspended nothing may be taken.
            if await accounts.suspended(c, self.key[0]):
                self._endpoint = replace(endpoint, state=State.PAUSED)
                return IDLE_SECONDS
            self._ready += some
            if some:
                return 0.0
            next_at = await c.fetchval(lanes.next_due(endpoint.ordered), *self.key, in_hand)
        return IDLE_SECONDS if next_at is None else max(0.0, (next_at - datetime.now(UTC)).total_seconds())

    def _know(self, endpoint: Endpoint | None) -> None:
        before, self._endpoint = self._endpoint, endpoint
        if endpoint is None or (before is not None and before.revision == endpoint.revision):
            return
        if self._bucket.per_minute != endpoint.rate_per_minute:
            self._bucket = Bucket(endpoint.rate_per_minute)
        self._headers, self._secrets = {}, {}

    async def _attempt(self, endpoint: Endpoint, due: Due) -> None:
        at = datetime.now(UTC)
        id = ids.public(ids.EVENT, due.event)
        try:
            answer = await self._post(endpoint, due, id, at)
        except WrongEncryptionKey:
            answer = Answer(None, "secret-gone", 0)
        await self._recorder.put(self._tried(due, at, answer))
        if answer.error is not None:
            self._ready.clear()  # it may have been the last

    async def _post(self, endpoint: Endpoint, due: Due, id: str, at: datetime) -> Answer:
        if due.data is None or due.at is None:
            return Answer(None, "payload-gone", 0)
        headers, secrets = self._open(endpoint, at)
        if endpoint.format == "waha":
            named = waha.Named(session=due.session or "default", me=due.me, phone=due.phone)
            body = waha.body(id, due.type, due.at, due.data, named)
        else:
            body = bodies.plain(due.type, due.at, due.data)
        signed = signing.headers(secrets, id, at, body)
        if endpoint.format == "waha":
            signed |= signing.waha_headers(secrets[0], id, at, body)
        return await self._target.post(endpoint.url, {**headers, **signed, "Content-Type": "application/json"}, body)

    def _open(self, endpoint: Endpoint, at: datetime) -> tuple[Mapping[str, str], list[str]]:
        """Give the endpoint's own headers and the secrets that sign now.  Raises: WrongEncryptionKey."""
        if endpoint.headers is not None and not self._headers:
            sealed = self._vault.open(endpoint.headers, what=f"webhook headers {endpoint.id}")
            self._headers = msgspec.json.decode(sealed, type=dict[str, str])
        for sealed in endpoint.secrets(at):
            if sealed not in self._secrets:
                self._secrets[sealed] = self._vault.open(sealed, what=f"webhook secret {endpoint.id}").decode()
        return self._headers, [self._secrets[sealed] for sealed in endpoint.secrets(at)]

    def _tried(self, due: Due, at: datetime, answer: Answer) -> Tried:
        """Judge the answer: what becomes of the delivery, and how the endpoint fares."""
        now = datetime.now(UTC)
        if due.attempts == 0 and due.source == "event" and due.at is not None:
            FIRST.observe((now - due.at).total_seconds())
        delivered = answer.error is None
        next_at: datetime | None = None
        before = self._health
        if delivered:
            self._health = Health()
        elif answer.error != "payload-gone":
            asked = schedule.retry_after(answer.retry_after, now)
            self._health = before.failed(now, until=asked, draw=random.random())  # noqa: S311 - no secret hangs on it
            if self._health.to_warn(now):
                self._health = replace(self._health, warned_at=at)
            wait = schedule.wait(due.step, random.random())  # noqa: S311
            if wait is not None and answer.status != 410:
                next_at = max(now + wait, asked or now)
        return Tried(
            key=self.key,
            owner=self._owner,
            attempt=ids.new(),
            delivery=due.id,
            event=due.event,
            type=due.type,
            number=due.attempts + 1,
            step=due.step + 1,
            at=at,
            status=answer.status,
            error=answer.error,
            latency_ms=answer.latency_ms,
            answer=answer.text,
            delivered=delivered,
            next_at=next_at,
            health=self._health if self._health != before else None,
        )

    async def _give_back(self) -> bool:
        async with self._db.transaction(self.key[0]) as tx:
            c = await raw(tx)
            await lanes.lock(c, self.key)  # who lets the account act again wakes its lanes: before this, or after
            endpoint = await endpoints.get(c, *self.key)
            enabled = endpoint is not None and endpoint.state is State.ENABLED and not await accounts.suspended(c, self.key[0])
            ordered = endpoint is not None and endpoint.ordered
            return await lanes.release(c, self.key, self._owner, ordered=ordered, enabled=enabled)


def lease_end(now: float, lease: timedelta) -> float:
    """Give when to stop using a lease that was taken before *now*: well before others may take it."""
    return now + lease.total_seconds() * 0.75

"""Key-value buckets: streams of one message a subject, written by compare-and-set."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog

from servicekit.bus.connection import Connection, instant, status, time
from servicekit.bus.errors import BusAway, BusRefused, KeyMoved
from servicekit.bus.ordered import Push

log = structlog.get_logger(__name__)

_OPERATION = "KV-Operation"
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST_SEQUENCE = {10071, 10164}

Watcher = Callable[[str, "Entry | None"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands under a key.

    Attributes:
        revision: Grows with every write to the bucket; what a compare-and-set compares.
        created: UTC, when this revision was written.
    """

    key: str
    value: bytes
    revision: int
    created: datetime


class _Ack(msgspec.Struct):
    seq: int = 0
    error: dict[str, object] | None = None


class KeyValue:
    """One bucket. Every call takes *timeout* in seconds and raises BusAway when it passes; a write may have happened then."""

    def __init__(self, connection: Connection, bucket: str) -> None:
        self._connection = connection
        self._bucket = bucket

    async def get(self, key: str, *, timeout: float = 5.0) -> Entry | None:
        """Read a key; None when nothing stands there (any more).  Raises: BusAway."""
        found = await self._last(key, timeout)
        return None if found is None or found[1] else found[0]

    async def put(self, key: str, value: bytes, *, timeout: float = 5.0) -> int:
        """Write a key whatever stands there, and give its revision.  Raises: BusAway."""
        return await self._write(key, value, {}, timeout)

    async def create(self, key: str, value: bytes, *, timeout: float = 5.0) -> int:
        """Write a key where nothing stands, and give its revision.  Raises: KeyMoved: something does; BusAway."""
        try:
            return await self._write(key, value, {_EXPECTED: "0"}, timeout)
        except KeyMoved:
            found = await self._last(key, timeout)
            if found is None or not found[1]:
                raise
            return await self._write(key, value, {_EXPECTED: str(found[0].revision)}, timeout)

    async def update(self, key: str, value: bytes, revision: int, *, timeout: float = 5.0) -> int:
        """Write a key where *revision* stands, and give the new one.  Raises: KeyMoved: another stands there; BusAway."""
        return await self._write(key, value, {_EXPECTED: str(revision)}, timeout)

    async def delete(self, key: str, revision: int | None = None, *, timeout: float = 5.0) -> None:
        """Leave nothing under a key; with *revision*, only if that one stands there.  Raises: KeyMoved; BusAway."""
        headers = {_OPERATION: "DEL"}
        if revision is not None:
            headers[_EXPECTED] = str(revision)
        await self._write(key, b"", headers, timeout)

    async def entries(self, *, timeout: float = 5.0) -> dict[str, Entry]:
        """Read the whole bucket.  Raises: BusAway."""
        push = Push(self._connection, f"KV_{self._bucket}", [f"$KV.{self._bucket}.>"])
        found: dict[str, Entry] = {}
        try:
            async with asyncio.timeout(timeout):
                pending = await push.begin({"deliver_policy": "last_per_subject"})
                while pending > 0:
                    delivery = await push.next()
                    if delivery is None:
                        raise BusAway("The bus went away.")
                    pending = delivery.waiting
                    if _OPERATION not in delivery.headers:
                        entry = self._entry(delivery.subject, delivery.payload, delivery.sequence, delivery.first_seen)
                        found[entry.key] = entry
        except TimeoutError:
            raise BusAway(f"The bucket {self._bucket} was not read within {timeout:g} s.") from None
        finally:
            await push.close()
        return found

    async def keys(self, *, timeout: float = 5.0) -> list[str]:
        """Name the keys under which something stands.  Raises: BusAway."""
        return sorted(await self.entries(timeout=timeout))

    async def watch(self, handler: Watcher) -> "Watch":
        """Call *handler* with everything that stands here, then with each change (None: deleted); the first round is done on return.

        After a reconnect everything is read again. An entry that its age ends is not told: who lives by the age reads.

        Raises:
            BusAway: The first round could not be read.
        """
        watch = Watch(self._connection, self._bucket, handler)
        await watch.start()
        return watch

    async def _last(self, key: str, timeout: float) -> tuple[Entry, bool] | None:
        subject = f"$KV.{self._bucket}.{key}"
        message = await self._connection.request(f"$JS.API.DIRECT.GET.KV_{self._bucket}.{subject}", timeout=timeout)
        if (code := status(message)) == "404":
            return None
        headers = message.headers or {}
        if code:
            raise BusRefused(f"{self._bucket}: {headers.get('Description')}", status=int(code))
        entry = Entry(key, message.data, int(headers["Nats-Sequence"]), time(headers["Nats-Time-Stamp"]))
        return entry, _OPERATION in headers

    async def _write(self, key: str, value: bytes, headers: dict[str, str], timeout: float) -> int:
        message = await self._connection.request(f"$KV.{self._bucket}.{key}", value, timeout=timeout, headers=headers or None)
        ack = msgspec.json.decode(message.data, type=_Ack)
        if ack.error is None:
            return ack.seq
        number, code = int(str(ack.error.get("err_code", 0))), int(str(ack.error.get("code", 500)))
        if number in _WRONG_LAST_SEQUENCE:
            raise KeyMoved(f"{key} has changed meanwhile.")
        if code == 503:
            raise BusAway(f"The bucket {self._bucket} is away.")
        raise BusRefused(f"{self._bucket}: {ack.error.get('description')}", status=code, number=number)

    def _entry(self, subject: str, payload: bytes, sequence: int, nanoseconds: int) -> Entry:
        key = subject.removeprefix(f"$KV.{self._bucket}.")
        return Entry(key, payload, sequence, instant(nanoseconds))


class Watch:
    """A bucket being watched, until `close`."""

    def __init__(self, connection: Connection, bucket: str, handler: Watcher) -> None:
        self._connection = connection
        self._bucket = bucket
        self._handler = handler
        self._push = Push(connection, f"KV_{bucket}", [f"$KV.{bucket}.>"])
        self._known: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read everything once and go on in the background."""
        try:
            async with asyncio.timeout(10):
                while not await self._read():
                    await self._connection.connected.wait()
        except BaseException as problem:
            await self._push.close()
            if isinstance(problem, TimeoutError):
                raise BusAway(f"The bucket {self._bucket} was not read in time.") from None
            raise
        self._task = asyncio.create_task(self._follow(), name=f"watch {self._bucket}")

    async def close(self) -> None:
        """Call the handler no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._push.close()

    async def _read(self) -> bool:
        """Read everything that stands in the bucket; False when the consumer was lost on the way."""
        pending = await self._push.begin({"deliver_policy": "last_per_subject"})
        seen: set[str] = set()
        while pending > 0:
            delivery = await self._push.next()
            if delivery is None:
                return False
            pending = delivery.waiting
            seen.add(await self._take(delivery.subject, delivery.payload, delivery.sequence, delivery.first_seen, delivery.headers))
        for key in self._known - seen:
            await self._call(key, None)
        self._known &= seen
        return True

    async def _follow(self) -> None:
        pause = 0.05
        current = True
        while True:
            if current and (delivery := await self._push.next()) is not None:
                await self._take(delivery.subject, delivery.payload, delivery.sequence, delivery.first_seen, delivery.headers)
                pause = 0.05
                continue
            await self._connection.connected.wait()
            try:
                current = await self._read()
            except (BusAway, BusRefused) as problem:
                current = False
                log.info("bus.watch_waits", bucket=self._bucket, reason=str(problem))
            if not current:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def _take(self, subject: str, payload: bytes, sequence: int, nanoseconds: int, headers: dict[str, str]) -> str:
        key = subject.removeprefix(f"$KV.{self._bucket}.")
        if _OPERATION in headers:
            if key in self._known:
                self._known.discard(key)
                await self._call(key, None)
        else:
            self._known.add(key)
            await self._call(key, Entry(key, payload, sequence, instant(nanoseconds)))
        return key

    async def _call(self, key: str, entry: Entry | None) -> None:
        try:
            await self._handler(key, entry)
        except Exception as problem:
            log.error("bus.watcher_failed", bucket=self._bucket, error=type(problem).__name__)

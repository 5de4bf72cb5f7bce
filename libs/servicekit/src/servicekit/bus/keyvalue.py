"""Key-value buckets: streams of one message a subject, written by compare-and-set."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog
from nats.aio.msg import Msg

from servicekit.bus.connection import Connection, instant, status, time
from servicekit.bus.errors import BusAway, BusRefused, KeyMoved
from servicekit.bus.ordered import Push

log = structlog.get_logger(__name__)

_OPERATION = "KV-Operation"
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST_SEQUENCE = {10071, 10164}
_THE_END = "204"
_NOTHING = "404"
_BATCH = 1000
_SCANNED_WITHIN = 10.0

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
        # One that was written anew meanwhile may come twice, the newer one later.
        last = {found.key: (found, removed) for found, removed in await _scan(self._connection, self._bucket, timeout)}
        return {key: found for key, (found, removed) in last.items() if not removed}

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
        if (code := status(message)) == _NOTHING:
            return None
        if code:
            raise _refusal(message, self._bucket)
        return _found(message, self._bucket)

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
            await self._read()
        except BaseException:
            await self._push.close()
            raise
        self._task = asyncio.create_task(self._follow(), name=f"watch {self._bucket}")

    async def close(self) -> None:
        """Call the handler no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._push.close()

    async def _read(self) -> None:
        """Read everything that stands in the bucket, and what is written from then on."""
        last = 0
        seen: set[str] = set()
        for found, removed in await _scan(self._connection, self._bucket, _SCANNED_WITHIN):
            last = found.revision
            seen.add(found.key)
            await self._take(found, removed)
        for key in self._known - seen:
            await self._call(key, None)
        self._known &= seen
        await self._push.begin({"deliver_policy": "by_start_sequence", "opt_start_seq": last + 1})

    async def _follow(self) -> None:
        pause = 0.05
        current = True
        while True:
            if current and (delivery := await self._push.next()) is not None:
                key = delivery.subject.removeprefix(f"$KV.{self._bucket}.")
                entry = Entry(key, delivery.payload, delivery.sequence, instant(delivery.first_seen))
                await self._take(entry, _OPERATION in delivery.headers)
                pause = 0.05
                continue
            await self._connection.connected.wait()
            try:
                await self._read()
                current = True
            except (BusAway, BusRefused) as problem:
                current = False
                log.info("bus.watch_waits", bucket=self._bucket, reason=str(problem))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def _take(self, found: Entry, removed: bool) -> None:
        if not removed:
            self._known.add(found.key)
            await self._call(found.key, found)
        elif found.key in self._known:
            self._known.discard(found.key)
            await self._call(found.key, None)

    async def _call(self, key: str, entry: Entry | None) -> None:
        try:
            await self._handler(key, entry)
        except Exception as problem:
            log.error("bus.watcher_failed", bucket=self._bucket, error=type(problem).__name__)


def _found(message: Msg, bucket: str) -> tuple[Entry, bool]:
    """Read an answer of the server: what stands under the key, and whether it says that nothing does."""
    headers = message.headers or {}
    key = headers["Nats-Subject"].removeprefix(f"$KV.{bucket}.")
    return Entry(key, message.data, int(headers["Nats-Sequence"]), time(headers["Nats-Time-Stamp"])), _OPERATION in headers


def _refusal(message: Msg, bucket: str) -> BusRefused:
    return BusRefused(f"{bucket}: {(message.headers or {}).get('Description')}", status=int(status(message)))


async def _scan(connection: Connection, bucket: str, timeout: float) -> list[tuple[Entry, bool]]:
    """Read everything that stands in a bucket, in the order of writing, and what says that nothing does.

    No consumer is made for it: the server reads what is there and is done, so that an entry whose age ends meanwhile is missed by
    nobody. What is written while it reads stands behind the last one read, or is read too.

    Raises:
        BusAway: It could not be read within *timeout* seconds.
    """
    found: list[tuple[Entry, bool]] = []
    after = 0
    try:
        async with asyncio.timeout(timeout):
            while True:
                asked = msgspec.json.encode({"next_by_subj": f"$KV.{bucket}.>", "seq": after + 1, "batch": _BATCH})
                *messages, end = await connection.collect(f"$JS.API.DIRECT.GET.KV_{bucket}", asked, timeout=timeout)
                found += [_found(message, bucket) for message in messages]
                if status(end) not in {_THE_END, _NOTHING}:
                    raise _refusal(end, bucket)
                if not messages or int((end.headers or {}).get("Nats-Num-Pending", 0)) == 0:
                    return found
                after = found[-1][0].revision
    except TimeoutError:
        raise BusAway(f"The bucket {bucket} was not read within {timeout:g} s.") from None

"""Publishing into a stream with many acks in flight.

What one call publishes stands in the stream in the call's order, also when the server restarts meanwhile: what reached the
server before it went is a beginning of what was sent, everything after that is sent again in order, and what was stored
without its ack having come through is dropped by the stream as a repeat of the same message id.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from nats.aio.msg import Msg

from servicekit import metrics
from servicekit.bus.connection import Connection, status
from servicekit.bus.errors import BusAway, BusRefused

WINDOW = 2048  # acks in flight on one connection
CHUNK = 64  # messages written at a time
PATIENCE = 5.0  # seconds for the acks of one attempt
_FULL = {10023, 10077, 10047, 10076}  # no space, too many messages or bytes: somebody has to make room, the message is fine


@dataclass(frozen=True, slots=True)
class Item:
    """One message to publish; *id* is what the stream recognises a repeat by."""

    subject: str
    id: str
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class _Error(msgspec.Struct):
    code: int
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_ack = msgspec.json.Decoder(_Ack)


class _Flight:
    """One attempt: what is out, what came back."""

    def __init__(self, window: asyncio.Semaphore) -> None:
        self.window = window
        self.out: dict[int, str] = {}
        self.acked: set[int] = set()
        self.refusal: BusRefused | None = None
        self.broken = False
        self.changed = asyncio.Event()

    def answered(self, key: int, message: Msg) -> bool:
        if self.out.pop(key, None) is None:
            return True
        self.window.release()
        self.changed.set()
        if status(message) == "503":
            self.broken = True
            return True
        ack = _ack.decode(message.data)
        if ack.error is None:
            self.acked.add(key)
        elif ack.error.code == 503 or ack.error.err_code in _FULL:
            self.broken = True
        else:
            self.refusal = BusRefused(ack.error.description, status=ack.error.code, number=ack.error.err_code)
            self.broken = True
        return True

    def refused(self, key: int, subject: str) -> None:
        if self.out.pop(key, None) is not None:
            self.window.release()
        self.refusal = BusRefused(f"No permission to publish to {subject}.", status=403)
        self.broken = True
        self.changed.set()

    def give_up(self) -> None:
        self.broken = True
        self.changed.set()


class Publisher:
    """Publishes batches over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._window = asyncio.Semaphore(WINDOW)
        self._flights: set[_Flight] = set()
        connection.observe(self._observe)

    async def publish(self, items: Sequence[Item], *, timeout: float = 30.0) -> None:
        """Every item is in its stream.

        Raises:
            BusAway: Not all acks came within *timeout* seconds; some may have been stored.
            BusRefused: This user may not, or the item cannot be stored.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        missing = list(items)
        pause = 0.05
        while missing:
            before = len(missing)
            missing = await self._attempt(missing, deadline)
            if not missing:
                break
            if loop.time() + pause >= deadline:
                raise BusAway(f"{len(missing)} of {len(items)} messages have no ack after {timeout:g} s.")
            pause = 0.05 if len(missing) < before else min(pause * 2, 1.0)
            await asyncio.sleep(pause)
        for item in items:
            metrics.published(item.subject)

    async def _attempt(self, items: Sequence[Item], deadline: float) -> list[Item]:
        connection = self._connection
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                await connection.connected.wait()
        except TimeoutError:
            return list(items)
        flight = _Flight(self._window)
        self._flights.add(flight)
        try:
            commands: list[bytes] = []
            for key, item in enumerate(items):
                if len(commands) == CHUNK or self._window.locked():
                    await connection.post(commands)
                    commands.clear()
                    await asyncio.sleep(0)
                await self._window.acquire()
                # After the loss of one message nothing that comes later may go before it.
                if flight.broken:
                    self._window.release()
                    break
                reply = connection.expect(flight, key, item.subject)
                flight.out[key] = reply
                headers = {"Nats-Msg-Id": item.id, **item.headers}
                commands.append(connection.command(item.subject, item.payload, reply=reply, headers=headers))
            if not flight.broken:
                await connection.post(commands)
            patience = min(deadline, loop.time() + PATIENCE)
            while flight.out and not flight.broken:
                flight.changed.clear()
                try:
                    async with asyncio.timeout_at(patience):
                        await flight.changed.wait()
                except TimeoutError:
                    break
        finally:
            self._flights.discard(flight)
            for reply in flight.out.values():
                connection.forget(reply)
                self._window.release()
            flight.out.clear()
        if flight.refusal is not None:
            raise flight.refusal
        return [item for key, item in enumerate(items) if key not in flight.acked]

    def _observe(self, present: bool) -> None:
        if not present:
            for flight in self._flights:
                flight.give_up()

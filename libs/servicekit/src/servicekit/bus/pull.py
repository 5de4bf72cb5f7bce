"""The continuous pull of one durable: there is always a request open at the server, and no more is asked for than fits.

A fetch that waits for its answer before it asks again gets a quarter of the rate of overlapping requests.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import structlog
from nats.aio.msg import Msg

from servicekit.bus.connection import Connection, status
from servicekit.bus.errors import BusAway, BusRefused
from servicekit.timers import first

log = structlog.get_logger(__name__)

EXPIRES = 30.0  # seconds that a request stays open
HEARTBEAT = 3.0  # seconds between the server's signs of life while it has nothing
_NO_CONSUMER = 10014


@dataclass(slots=True, eq=False)
class Delivery:
    """One message in hand.

    Attributes:
        reply: Where its ack goes.
        sequence: In *stream*.
        delivered: How many times the server has handed it out, for whatever reason.
        first_seen: Unix time in nanoseconds at which the stream got it.
        waiting: Messages behind it in the stream, for this durable.
    """

    subject: str
    reply: str
    payload: bytes
    headers: dict[str, str]
    stream: str
    sequence: int
    delivered: int
    first_seen: int
    waiting: int

    @classmethod
    def of(cls, message: Msg) -> "Delivery":
        """Read what the server wrote into the ack's subject: ``$JS.ACK[.<domain>.<account>].<stream>.<durable>.<delivered>.<seq>…``."""
        parts = message.reply.split(".")
        first = 2 if len(parts) == 9 else 4
        return cls(
            subject=message.subject,
            reply=message.reply,
            payload=message.data,
            headers=message.headers or {},
            stream=parts[first],
            delivered=int(parts[first + 2]),
            sequence=int(parts[first + 3]),
            first_seen=int(parts[first + 5]),
            waiting=int(parts[first + 6]),
        )


class Pull:
    """Requests on one durable, and the durable's own life: declared, lost, declared again.

    Attributes:
        held: Messages in hand that came from here; the owner counts it down.
        ready: The durable is there, requests may be made.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        stream: str,
        durable: str,
        filters: list[str],
        inbox: str,
        capacity: int,
        ack_wait: timedelta,
        changed: Callable[[], None],
        replaced: Callable[[str], None],
    ) -> None:
        """Pull into *inbox*.

        Args:
            capacity: The most messages in hand and asked for together.
            changed: Called when requests have become possible.
            replaced: Called with the stream's name when the durable was made anew, so that everything comes again.
        """
        self.stream = stream
        self.durable = durable
        self.inbox = inbox
        self.capacity = capacity
        self.held = 0
        self.ready = False
        self._connection = connection
        self._outstanding = 0
        self._heard = 0.0
        self._not_before = 0.0
        self._dirty = False
        self._broken = asyncio.Event()
        self._changed = changed
        self._replaced = replaced
        self._created = ""
        self._config = {
            "durable_name": durable,
            "name": durable,
            "ack_policy": "explicit",
            "ack_wait": int(ack_wait.total_seconds() * 1e9),
            # From the beginning: what was there before the durable was made (again) is for this service as well. An inbox
            # remembers longer than the stream does.
            "deliver_policy": "all",
            "max_deliver": -1,
            "max_ack_pending": 20_000,
            "max_waiting": 512,
            "filter_subjects": filters,
        }

    async def top_up(self, now: float) -> None:
        """Ask for what fits, when that is worth a request."""
        if not self.ready or now < self._not_before:
            return
        if self._outstanding > 0 and now - self._heard > 2 * HEARTBEAT + 1:
            log.warning("bus.pull_silent", durable=self.durable)
            self._lose(dirty=False)
            return
        room = self.capacity - self.held - self._outstanding
        if room >= max(1, self.capacity // 4):
            self._outstanding += room
            self._heard = max(self._heard, now)
            request = {"batch": room, "expires": int(EXPIRES * 1e9), "idle_heartbeat": int(HEARTBEAT * 1e9)}
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.durable}"
            await self._connection.send(subject, msgspec.json.encode(request), reply=self.inbox)

    def arrived(self, now: float) -> None:
        """Count one message that came."""
        self._heard = now
        self._outstanding = max(0, self._outstanding - 1)

    def told(self, message: Msg, now: float) -> None:
        """Take a status message of the server."""
        self._heard = now
        code = status(message)
        headers = message.headers or {}
        if code == "100":
            return
        self._outstanding = max(0, self._outstanding - int(headers.get("Nats-Pending-Messages", 0)))
        description = headers.get("Description", "")
        if code in {"404", "408"}:
            return
        # A durable that was deleted: 409 for the open requests, 503 for new ones. Asked again without a wait, that is an
        # error every 0.2 ms for as long as it is missing.
        if code == "503" or "Deleted" in description:
            log.warning("bus.durable_missing", durable=self.durable, status=code)
            self._lose(dirty=False)
        else:
            log.info("bus.pull_interrupted", durable=self.durable, status=code, description=description)
            if "Nats-Pending-Messages" not in headers:
                self._outstanding = 0
            self._not_before = now + 1.0

    def disconnected(self) -> None:
        """Forget the open requests; on the way messages may have been lost that the server counts as handed out."""
        self._lose(dirty=True)

    async def tend(self, stopping: asyncio.Event) -> None:
        """Declare the durable, now and whenever it is lost, with a growing wait between the tries."""
        loop = asyncio.get_running_loop()
        pause = 0.1
        lost_at = 0.0
        while not stopping.is_set():
            await first(stopping, self._connection.connected)
            if stopping.is_set():
                return
            self._broken.clear()
            try:
                await self._declare()
                if self._dirty:
                    await self._recover()
            except (BusAway, BusRefused) as problem:
                log.warning("bus.declare_failed", durable=self.durable, reason=str(problem))
                self._broken.set()
            if not self._broken.is_set():
                self.ready = True
                self._changed()
                await first(stopping, self._broken)
            self.ready = False
            now = loop.time()
            pause = 0.1 if now - lost_at > 60 else min(pause * 2, 15.0)
            lost_at = now
            await first(stopping, timeout=pause)

    async def _declare(self) -> None:
        body = {"stream_name": self.stream, "config": self._config, "action": ""}
        made = await self._connection.api(f"CONSUMER.CREATE.{self.stream}.{self.durable}", body)
        if self._created and made["created"] != self._created:
            log.warning("bus.durable_made_anew", durable=self.durable)
            self._replaced(self.stream)
        self._created = made["created"]

    async def _recover(self) -> None:
        """Have everything that is not acked handed out again, in order.

        What a dying server had written into the connection and we never read counts as handed out: it would come back when
        its ack is overdue, after its successors. What we do hold comes again too and is recognised.
        """
        name = f"{self.stream}.{self.durable}"
        info = await self._connection.api(f"CONSUMER.INFO.{name}")
        if info["num_ack_pending"] > 0:
            try:
                await self._connection.api(f"CONSUMER.RESET.{name}", {})
            except BusRefused as problem:  # a server before 2.14: they come when their acks are overdue
                log.info("bus.reset_refused", durable=self.durable, reason=str(problem))
        self._dirty = False

    def _lose(self, *, dirty: bool) -> None:
        self._dirty |= dirty
        self._outstanding = 0
        self.ready = False
        self._broken.set()

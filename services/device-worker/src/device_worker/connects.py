"""Who may connect when: one line for the whole installation, in which the numbers that were in use last come first.

The line stands in the bus's bucket and is moved on by compare-and-set, a few places at a time. With the bus away each
worker keeps to its share of the rate. What the starts come to is this worker's own: it may be its way to WhatsApp alone
that is cut.
"""

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Callable
from uuid import UUID

import msgspec
import structlog
from contracts import buckets
from prometheus_client import Counter, Gauge
from servicekit.bus import Bus, BusAway, KeyMoved
from servicekit.bus.keyvalue import KeyValue
from servicekit.timers import first

from device_worker.pacing import Breaker, Line

_KEY = "line"
_TRIES = 6
_ASK_WITHIN = 1.0
_LOOK_AGAIN = 5.0
_STATES = {"open": 0, "probing": 1, "away": 2}

WAITING = Gauge("clarin_devices_connects_waiting", "Sessions that wait for their turn to connect.")
BREAKER = Gauge("clarin_devices_connects_breaker", "Whether WhatsApp answers: 0 it does, 1 a few sessions look, 2 it does not.")
TRIPS = Counter("clarin_devices_connects_trips", "Times that WhatsApp stopped answering so many sessions that all had to wait.")
PLACES = Counter(
    "clarin_devices_connects_places",
    "Places in the line, by where they came from: shared, alone with the bus away, or handed over past it.",
    ["of"],
)

log = structlog.get_logger()

_line = msgspec.json.Decoder(Line)


class Turn:
    """One session's place; *granted* is set when it may connect. It ends with `end`, connected or not."""

    def __init__(self, ended: Callable[["Turn"], None]) -> None:
        self.granted = asyncio.Event()
        self.over = False
        self._ended = ended

    def end(self) -> None:
        """Let the next one in; a second time is nothing."""
        if not self.over:
            self.over = True
            self._ended(self)


class Connects:
    """The turns of this worker's sessions."""

    def __init__(
        self,
        bus: Bus,
        *,
        at_once: int,
        rate: float,
        active: Callable[[UUID], float],
        workers: Callable[[], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Let *at_once* sessions of this worker connect at the same time, and *rate* a second of all workers together.

        Args:
            active: Gives when a device was in use last; the greater, the sooner is its turn.
            workers: Gives how many workers there are.
            clock: Seconds since 1970, about the same on every machine.
        """
        self._bus, self._at_once, self._rate, self._active, self._workers, self._clock = bus, at_once, rate, active, workers, clock
        self._burst = max(1, round(rate))
        self._breaker = Breaker(at_once)
        self._waiting: list[tuple[float, int, Turn]] = []
        self._going: set[Turn] = set()
        self._more = asyncio.Event()
        self._order = itertools.count()
        self._alone = Line()

    @property
    def state(self) -> str:
        """How the way to WhatsApp is: ``open``, ``probing`` or ``away``."""
        return self._breaker.state

    @property
    def waiting(self) -> int:
        """How many sessions wait."""
        return sum(not turn.over for *_, turn in self._waiting)

    def ask(self, device: UUID, *, handed: bool = False) -> Turn:
        """Stand in line for *device*; one that another worker *handed* over goes at once, since it paces what it lets go."""
        turn = Turn(self._end)
        if handed and self.state == "open" and self._free() > 0:
            self._going.add(turn)
            turn.granted.set()
            PLACES.labels("handed").inc()
            return turn
        heapq.heappush(self._waiting, (-self._active(device), next(self._order), turn))
        self._more.set()
        return turn

    def answered(self) -> None:
        """WhatsApp has answered a session, with whatever."""
        before = self._breaker.state
        self._breaker.answered()
        self._tell(before)

    def failed(self, device: UUID) -> None:
        """WhatsApp has not answered *device*."""
        before = self._breaker.state
        self._breaker.failed(device, time.monotonic())
        self._tell(before)

    async def run(self, stopping: asyncio.Event) -> None:
        """Grant turns until *stopping*."""
        self._bucket: KeyValue = await self._bus.bucket(buckets.CONNECTS)
        while not stopping.is_set():
            self._more.clear()
            before = self._breaker.state
            count = min(self._free(), self._at_once, self.waiting)
            self._tell(before)
            if count <= 0:
                await first(self._more, stopping, timeout=self._breaker.waits(time.monotonic()) or _LOOK_AGAIN)
                continue
            place = await self._reserve(count)
            for _ in range(count):
                # Anywhere within its place, so that the workers do not fall into step.
                await first(stopping, timeout=max(0.0, place + random.uniform(0, 1 / self._rate) - self._clock()))  # noqa: S311
                place += 1 / self._rate
                if stopping.is_set() or self._free() <= 0 or not self._grant():
                    break

    def _free(self) -> int:
        return self._breaker.allowed(time.monotonic()) - len(self._going)

    def _grant(self) -> bool:
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.over:
                self._going.add(turn)
                turn.granted.set()
                WAITING.set(self.waiting)
                return True
        return False

    def _end(self, turn: Turn) -> None:
        self._going.discard(turn)
        self._more.set()
        WAITING.set(self.waiting)

    async def _reserve(self, count: int) -> float:
        """Take so many places of the installation's line; give the time of the first."""
        try:
            for _ in range(_TRIES):
                entry = await self._bucket.get(_KEY, timeout=_ASK_WITHIN)
                line, place = (_line.decode(entry.value) if entry else Line()).reserve(self._clock(), count, self._rate, self._burst)
                try:
                    if entry is None:
                        await self._bucket.create(_KEY, msgspec.json.encode(line), timeout=_ASK_WITHIN)
                    else:
                        await self._bucket.update(_KEY, msgspec.json.encode(line), entry.revision, timeout=_ASK_WITHIN)
                except KeyMoved:  # another worker was faster
                    await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311
                    continue
                PLACES.labels("shared").inc(count)
                return place
        except BusAway:
            log.info("connects.bus_away")
        rate = self._rate / max(1, self._workers())
        self._alone, place = self._alone.reserve(self._clock(), count, rate, 1)
        PLACES.labels("alone").inc(count)
        return place

    def _tell(self, before: str) -> None:
        state = self._breaker.state
        BREAKER.set(_STATES[state])
        if state == before:
            return
        self._more.set()
        if state == "away":
            TRIPS.inc()
        log.warning("connects.whatsapp_is_away" if state == "away" else "connects.way_to_whatsapp", state=state)

"""How far each durable of the installation is, asked of JetStream itself: one list a stream, whatever the number of durables.

How long the oldest message has waited the server does not say without showing the message. What it says is when it last handed
something out, and when something was last done with: while there is work, the time since then is how long nothing has moved.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from contracts import access, subjects

from servicekit.bus import dlq
from servicekit.bus.connection import time
from servicekit.bus.errors import BusAway

if TYPE_CHECKING:
    from servicekit.bus.bus import Bus

State = Literal["idle", "working", "behind", "stuck", "absent"]

#: So long nothing moves where nothing is wrong: a retry of a message may take longer, and is worth a look.
LONG = timedelta(minutes=1)
#: So many messages are more than what comes in bursts; the alert says the same.
MANY = 10_000
_NEVER = "0001-01-01"  # how the server writes a time that has not been


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One durable.

    Attributes:
        declared: It is there; one that is not loses nothing, and begins with what its stream still has.
        pending: Messages that it has not been given yet. *in_hand*: given, and not done with.
        redelivered: Of those in hand, given more than once.
        fetching: Somebody asks for more right now.
        quiet: Since something was last given or done with; None where nothing waits.
        returning: Dead letters that were given back and are not done with. *dead*: those that wait for somebody to decide.
    """

    service: str
    durable: str
    stream: str
    declared: bool = True
    pending: int = 0
    in_hand: int = 0
    redelivered: int = 0
    fetching: bool = False
    quiet: timedelta | None = None
    returning: int = 0
    dead: int = 0

    @property
    def state(self) -> State:
        """Judge it: ``stuck`` means that nothing has moved for long, ``behind`` that much waits though it moves."""
        if not self.declared:
            return "absent"
        if self.quiet is None:
            return "idle"
        # What is asked for and not in hand yet has only just come, however quiet it was before.
        if self.quiet >= LONG and (self.in_hand or not self.fetching):
            return "stuck"
        return "behind" if self.pending > MANY else "working"


async def queues(bus: "Bus", *, timeout: float = 4.0) -> list[Queue]:
    """Read every durable there is and every one there should be, in the order in which the services declare them.

    Raises:
        BusAway: JetStream has not told everything within *timeout* seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            dead, *lists = await asyncio.gather(
                dlq.counts(bus, timeout=timeout), *(_listed(bus, stream, timeout) for stream in subjects.STREAMS)
            )
    except TimeoutError:
        raise BusAway(f"JetStream has not told within {timeout:g} s how far the durables are.") from None
    found = {(info["stream_name"], info["name"]): info for some in lists for info in some if info["config"].get("durable_name")}
    expected = [(stream, durable) for mine in access.EVERY.values() for stream, durable in mine.durables]
    others = [key for key in sorted(found) if key[0] != subjects.DLQ and key not in expected]
    named = [*expected, *others]
    # Of a durable that is no more the dead letters are still there.
    left = sorted(durable for _, durable in dead.keys() - {(durable.partition("-")[0], durable) for _, durable in named})
    return [_queue(stream, durable, found, dead) for stream, durable in (*named, *((subjects.DLQ, durable) for durable in left))]


async def _listed(bus: "Bus", stream: str, timeout: float) -> list[dict[str, Any]]:
    some: list[dict[str, Any]] = []
    while True:
        page = await bus.connection.api(f"CONSUMER.LIST.{stream}", {"offset": len(some)}, timeout=timeout)
        got = page.get("consumers") or []
        some += got
        if not got or len(some) >= page["total"]:
            return some


def _queue(stream: str, durable: str, found: Mapping[tuple[str, str], Mapping[str, Any]], dead: Mapping[tuple[str, str], int]) -> Queue:
    service = durable.partition("-")[0]
    back = found.get((subjects.DLQ, durable))
    info = found.get((stream, durable)) if stream != subjects.DLQ else None
    waiting = dead.get((service, durable), 0)
    returning = back["num_pending"] + back["num_ack_pending"] if back else 0
    if info is None:
        return Queue(service=service, durable=durable, stream=stream, declared=False, dead=waiting, returning=returning)
    works = info["num_pending"] or info["num_ack_pending"]
    return Queue(
        service=service,
        durable=durable,
        stream=stream,
        pending=info["num_pending"],
        in_hand=info["num_ack_pending"],
        redelivered=info["num_redelivered"],
        fetching=info["num_waiting"] > 0,
        quiet=_quiet(info) if works else None,
        returning=returning,
        dead=waiting,
    )


def _quiet(info: Mapping[str, Any]) -> timedelta:
    moved = [info["created"], info["delivered"].get("last_active"), info["ack_floor"].get("last_active")]
    last: datetime = max(time(at) for at in moved if at and not at.startswith(_NEVER))
    return max(timedelta(), time(info["ts"]) - last)

"""Dead letters: what a durable could not handle, kept for 30 days in the stream DLQ.

A letter's payload is the message's own, its headers say where it came from and the class and code of the error; never the
error's text, which may quote what the customer wrote.

A replay goes back to the one durable that failed: it is published on ``dlq.<service>.<durable>.again``, from which that
durable's consumer pulls besides its stream. Published on its old subject it would be a new fact for everyone: sockets and
webhooks, which have no inbox, would show it a second time.
"""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from contracts import subjects
from contracts.errors import Problem

from servicekit.bus.connection import instant, time
from servicekit.bus.errors import BusRefused
from servicekit.bus.publisher import Item
from servicekit.bus.pull import Delivery

if TYPE_CHECKING:
    from servicekit.bus.bus import Bus

SUBJECT = "Clarin-Subject"
STREAM = "Clarin-Stream"
SEQUENCE = "Clarin-Sequence"
ERROR = "Clarin-Error"
CODE = "Clarin-Code"
ATTEMPTS = "Clarin-Attempts"
FIRST_SEEN = "Clarin-First-Seen"
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter.

    Attributes:
        sequence: Its number here, which `replay` and `discard` take.
        at: UTC, when it was given up.
        subject, stream, origin: Where the message stood: its subject, stream and sequence.
        first_seen: UTC, when the stream got the message.
        code: The problem's code; ``undecodable`` or ``bug``.
    """

    sequence: int
    at: datetime
    service: str
    durable: str
    subject: str
    stream: str
    origin: int
    error: str
    code: str
    attempts: int
    first_seen: datetime
    payload: bytes


def again(service: str, durable: str) -> str:
    """Name the subject of replays for one durable."""
    return f"{subjects.dead(service, durable)}.again"


class Undecodable(Problem):
    """The payload is no envelope of a known kind."""

    code = "undecodable"


def code(problem: Exception) -> str:
    """Name the kind of *problem*; everything that is no `Problem` is a bug."""
    return problem.code if isinstance(problem, Problem) else "bug"


def letter(service: str, durable: str, delivery: Delivery, problem: Exception, attempts: int) -> Item:
    """Write the dead letter of a delivery; a replay that fails again keeps where it came from at first."""
    old = delivery.headers if delivery.stream == subjects.DLQ else {}
    cause = problem.__cause__ if isinstance(problem, Undecodable) and problem.__cause__ is not None else problem
    first_seen = instant(delivery.first_seen).isoformat()
    return Item(
        subjects.dead(service, durable),
        f"{durable}:{delivery.stream}:{delivery.sequence}",
        delivery.payload,
        {
            SUBJECT: old.get(SUBJECT, delivery.subject),
            STREAM: old.get(STREAM, delivery.stream),
            SEQUENCE: old.get(SEQUENCE, str(delivery.sequence)),
            FIRST_SEEN: old.get(FIRST_SEEN, first_seen),
            ERROR: type(cause).__name__,
            CODE: code(problem),
            ATTEMPTS: str(int(old.get(ATTEMPTS, 0)) + attempts),
        },
    )


async def entries(bus: "Bus", durable: str = "*", *, after: int = 0) -> AsyncIterator[Letter]:
    """Read the dead letters of one durable, or of all, oldest first."""
    while True:
        try:
            found = await bus.connection.api(
                f"STREAM.MSG.GET.{subjects.DLQ}", {"seq": after + 1, "next_by_subj": subjects.dead("*", durable)}
            )
        except BusRefused as problem:
            if problem.status == _NOT_FOUND:
                return
            raise
        message = found["message"]
        after = message["seq"]
        headers = _headers(base64.b64decode(message.get("hdrs", "")))
        _, service, name = message["subject"].split(".")
        yield Letter(
            sequence=after,
            at=time(message["time"]),
            service=service,
            durable=name,
            subject=headers.get(SUBJECT, ""),
            stream=headers.get(STREAM, ""),
            origin=int(headers.get(SEQUENCE, 0)),
            error=headers.get(ERROR, ""),
            code=headers.get(CODE, ""),
            attempts=int(headers.get(ATTEMPTS, 0)),
            first_seen=datetime.fromisoformat(headers.get(FIRST_SEEN, "1970-01-01T00:00:00+00:00")),
            payload=base64.b64decode(message.get("data", "")),
        )


async def replay(bus: "Bus", letter: Letter) -> None:
    """Give *letter* back to its durable and take it off the list."""
    headers = {
        SUBJECT: letter.subject,
        STREAM: letter.stream,
        SEQUENCE: str(letter.origin),
        FIRST_SEEN: letter.first_seen.isoformat(),
        ATTEMPTS: str(letter.attempts),
    }
    await bus.publish_items([Item(again(letter.service, letter.durable), f"again:{letter.sequence}", letter.payload, headers)])
    await discard(bus, letter.sequence)


async def discard(bus: "Bus", sequence: int) -> None:
    """Delete one dead letter for good; one that is gone already is fine."""
    try:
        await bus.connection.api(f"STREAM.MSG.DELETE.{subjects.DLQ}", {"seq": sequence})
    except BusRefused as problem:
        if problem.status not in {_NOT_FOUND, 400} and problem.number not in {10037, 10057, 10043}:
            raise


async def purge(bus: "Bus", service: str, durable: str) -> int:
    """Delete all dead letters of a durable and tell how many they were."""
    answer = await bus.connection.api(f"STREAM.PURGE.{subjects.DLQ}", {"filter": subjects.dead(service, durable)})
    return int(answer["purged"])


def _headers(raw: bytes) -> dict[str, str]:
    lines = raw.decode(errors="replace").split("\r\n")[1:]
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines) if value}

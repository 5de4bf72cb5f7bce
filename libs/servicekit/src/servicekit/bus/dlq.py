"""Dead letters: what a durable could not handle, kept for 30 days in the stream DLQ.

A letter's payload is the message's own, its headers say where it came from and the class and code of the error; never the
error's text, which may quote what the customer wrote.

A replay goes back to the one durable that failed: it is published on ``dlq.<service>.<durable>.again``, from which that
durable's consumer pulls besides its stream. Published on its old subject it would be a new fact for everyone: sockets and
webhooks, which have no inbox, would show it a second time.

Only forwards can the server be asked for the next message of a subject, so `newest` looks at stretches of the stream, from
its end backwards: as many messages as a page has, twice as many after each in which there was nothing.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

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
_AT_ONCE = 50  # letters of up to a megabyte


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


def entries(bus: "Bus", durable: str = "*", *, service: str = "*", after: int = 0, before: int | None = None) -> AsyncIterator[Letter]:
    """Read the dead letters of one durable, or of all, oldest first; those whose number is between *after* and *before*."""
    return _each(bus, subjects.dead(service, durable), after, before)


def given_back(bus: "Bus") -> AsyncIterator[Letter]:
    """Read what was given back in the last 30 days, handled or not, oldest first: the stream keeps that as well."""
    return _each(bus, subjects.again("*", "*"), 0, None)


async def newest(bus: "Bus", service: str = "*", durable: str = "*", *, before: int | None = None, limit: int = 50) -> list[Letter]:
    """Read up to *limit* dead letters, newest first; those with a lower number than *before*."""
    state = await bus.stream_state(subjects.DLQ)
    wanted = subjects.dead(service, durable)
    top = state.last_sequence + 1 if before is None else min(before, state.last_sequence + 1)
    width, found = limit, list[Letter]()
    while top > state.first_sequence and len(found) < limit:
        bottom = max(state.first_sequence, top - width)
        first = await _next(bus, wanted, bottom)
        if first is None or first.sequence >= top:
            top, width = bottom, width * 2
        elif top - first.sequence > 4 * limit:
            # After a long stretch of nothing: so many are not read for one page.
            width = (top - first.sequence) // 2
        else:
            rest = [one async for one in entries(bus, durable, service=service, after=first.sequence, before=top)]
            found += [*reversed(rest), first]
            top, width = bottom, limit
    return found[:limit]


async def read(bus: "Bus", sequence: int) -> Letter | None:
    """Read one dead letter; None: it was given back, deleted, or is too old."""
    found = await _message(bus, {"seq": sequence})
    return _letter(found) if found is not None and found["subject"].count(".") == 2 else None


async def counts(bus: "Bus", *, timeout: float = 5.0) -> dict[tuple[str, str], int]:
    """Tell how many dead letters each durable has, by service and durable; those that have none are left out.  Raises: BusAway."""
    info = await bus.connection.api(f"STREAM.INFO.{subjects.DLQ}", {"subjects_filter": subjects.dead("*", "*")}, timeout=timeout)
    named = ((subject.split("."), count) for subject, count in (info["state"].get("subjects") or {}).items())
    return {(service, durable): count for (_, service, durable), count in named}


async def replay(bus: "Bus", *letters: Letter) -> int:
    """Give *letters* back to their durables and take them off the list; tells how many, without those that somebody else gave back."""
    # The stream drops what it gets twice under one id.
    await bus.publish_items([_given_back(letter) for letter in letters])
    return sum([await discard(bus, letter.sequence) for letter in letters])


async def replay_some(bus: "Bus", durable: str, *, until: int, most: int, seconds: float) -> tuple[int, bool]:
    """Give the letters of a durable back, oldest first, those up to the number *until*: one that fails again has a higher one.

    It ends after *most* letters, or begins with no more after some *seconds*; tells how many they were, and whether there are more.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    seen, given, more, some = 0, 0, False, list[Letter]()
    async for letter in entries(bus, durable, before=until + 1):
        if seen == most or loop.time() > end:
            more = True
            break
        seen += 1
        some.append(letter)
        if len(some) == _AT_ONCE:
            given += await replay(bus, *some)
            some = []
    return given + (await replay(bus, *some) if some else 0), more


async def discard(bus: "Bus", sequence: int) -> bool:
    """Delete one dead letter for good; False: it was gone already."""
    return await bus.erase(sequence, subjects.DLQ)


async def purge(bus: "Bus", durable: str, *, until: int | None = None) -> int:
    """Delete all dead letters of a durable, or those up to the number *until*, and tell how many they were."""
    asked = {"filter": subjects.dead("*", durable), **({} if until is None else {"seq": until + 1})}
    return int((await bus.connection.api(f"STREAM.PURGE.{subjects.DLQ}", asked))["purged"])


def _given_back(letter: Letter) -> Item:
    headers = {
        SUBJECT: letter.subject,
        STREAM: letter.stream,
        SEQUENCE: str(letter.origin),
        FIRST_SEEN: letter.first_seen.isoformat(),
        ATTEMPTS: str(letter.attempts),
    }
    return Item(subjects.again(letter.service, letter.durable), f"again:{letter.sequence}", letter.payload, headers)


async def _each(bus: "Bus", subject: str, after: int, before: int | None) -> AsyncIterator[Letter]:
    while (found := await _next(bus, subject, after + 1)) is not None and (before is None or found.sequence < before):
        yield found
        after = found.sequence


async def _next(bus: "Bus", subject: str, sequence: int) -> Letter | None:
    found = await _message(bus, {"seq": sequence, "next_by_subj": subject})
    return None if found is None else _letter(found)


async def _message(bus: "Bus", which: Mapping[str, object]) -> dict[str, Any] | None:
    try:
        message: dict[str, Any] = (await bus.connection.api(f"STREAM.MSG.GET.{subjects.DLQ}", which))["message"]
    except BusRefused as problem:
        if problem.status == _NOT_FOUND:
            return None
        raise
    return message


def _letter(message: Mapping[str, Any]) -> Letter:
    headers = _headers(base64.b64decode(message.get("hdrs", "")))
    _, service, durable, *_ = message["subject"].split(".")
    return Letter(
        sequence=message["seq"],
        at=time(message["time"]),
        service=service,
        durable=durable,
        subject=headers.get(SUBJECT, ""),
        stream=headers.get(STREAM, ""),
        origin=int(headers.get(SEQUENCE, 0)),
        error=headers.get(ERROR, ""),
        code=headers.get(CODE, ""),
        attempts=int(headers.get(ATTEMPTS, 0)),
        first_seen=datetime.fromisoformat(headers.get(FIRST_SEEN, "1970-01-01T00:00:00+00:00")),
        payload=base64.b64decode(message.get("data", "")),
    )


def _headers(raw: bytes) -> dict[str, str]:
    lines = raw.decode(errors="replace").split("\r\n")[1:]
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines) if value}

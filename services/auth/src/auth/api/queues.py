"""How far behind what is told the services are, and what they could not handle, for the installation's owner.

Nothing here says what a message says. What is done to dead letters is done on the bus first, and told after: whoever asks again,
because the answer got lost, finds them gone, or has with the same Idempotency-Key the first answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Self

import structlog
from contracts import subjects
from contracts.edge import PublicAccountId
from contracts.envelope import wrap
from contracts.events.auth import DeadLettersDropped, DeadLettersReplayed
from contracts.ids import TenantId
from contracts.principal import Actor, Principal
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator
from servicekit import cursors, outbox
from servicekit.bus import Bus, BusAway, Queue, dlq, queues
from servicekit.bus.dlq import Letter
from servicekit.bus.queues import State
from servicekit.http import Body, Cursor, Doer, Limit, Page, problems
from servicekit.http.bodies import PAGE
from servicekit.idempotency import Idempotency, Idempotent, InFlight, Mismatch

from auth import store
from auth.api.callers import Installer
from auth.api.parts import Parts, WithParts
from auth.domain import DeadLetterGone, OwnersOfTheInstallationOnly, QueuesAway

#: So many letters are given back by one request; and after so many seconds it begins with no more.
MOST = 500
LONGEST = 10.0
_NAME = r"^[a-z]{1,40}$"
_DURABLE = r"^[a-z]{1,40}-[a-z-]{1,40}$"

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api/ops", tags=["ops"])


class QueueView(BaseModel):
    """A durable consumer: one service's place in a stream.

    Attributes:
        state: ``idle``; ``working``; ``behind``: it works, and more than 10,000 messages wait; ``stuck``: for a minute and more
            nothing was handed out or done with, though something waits; ``absent``: it is not there.
        pending: Messages that it has not been given yet. `in_hand`: given, and not done with. `redelivered`: of those, more than once.
        quiet_seconds: Since something was last handed out or done with; null where nothing waits.
        fetching: Somebody asks for more right now; where not, its service is away, full, or waits for what it needs itself.
        dead_letters: Messages that it could not handle. `returning`: those that were given back to it and are not done with.
    """

    service: str
    durable: str
    stream: str
    state: State
    pending: int
    in_hand: int
    redelivered: int
    quiet_seconds: float | None
    fetching: bool
    dead_letters: int
    returning: int

    @classmethod
    def of(cls, queue: Queue) -> Self:
        """Show *queue*."""
        return cls(
            service=queue.service,
            durable=queue.durable,
            stream=queue.stream,
            state=queue.state,
            pending=queue.pending,
            in_hand=queue.in_hand,
            redelivered=queue.redelivered,
            quiet_seconds=None if queue.quiet is None else round(queue.quiet.total_seconds(), 1),
            fetching=queue.fetching,
            dead_letters=queue.dead,
            returning=queue.returning,
        )


class ConcernedAccount(BaseModel):
    """Whose message it is."""

    id: PublicAccountId
    name: str


class DeadLetterView(BaseModel):
    """A message that a durable could not handle; not what it says.

    Attributes:
        id: Its number, which `clarin dlq` knows as well.
        at: When it was given up. `first_seen`: when the stream got it.
        type: Of the event or the order; null where its subject is none of ours.
        stream: With `sequence` where it stood.
        error: The class of what went wrong. `code`: its code; ``bug`` or ``undecodable`` where it has none.
        account: Null where nobody here has it.
    """

    id: int
    at: datetime
    service: str
    durable: str
    subject: str
    type: str | None
    stream: str
    sequence: int
    first_seen: datetime
    error: str
    code: str
    attempts: int
    account: ConcernedAccount | None


class Letters(Body):
    """One dead letter, or all of a durable.

    Attributes:
        until: Of all those up to this number: what has come since somebody looked stays.
    """

    id: Annotated[int | None, Field(ge=1, le=2**53)] = None
    durable: Annotated[str | None, Field(pattern=_DURABLE)] = None
    until: Annotated[int | None, Field(ge=1, le=2**53)] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.id is None) == (self.durable is None) or (self.id is not None and self.until is not None):
            raise ValueError("Give an id, or a durable and, if you like, until.")
        return self


class Settled(BaseModel):
    """What was done.

    Attributes:
        count: With how many letters.
        more: There are further ones: ask again with the same `until`, so that what fails once more is not given back for ever.
    """

    count: int
    more: bool = False
    until: int | None = None


@router.get("/queues", responses=problems(OwnersOfTheInstallationOnly, QueuesAway))
async def list_queues(owner: Installer, parts: WithParts) -> Page[QueueView]:
    """List every durable consumer of the installation and how far it is; all of them on one page."""
    with _reaching():
        found = await queues(parts.bus)
    return Page(items=[QueueView.of(one) for one in found], next_cursor=None)


@router.get("/dead-letters", responses=problems(cursors.BadCursor, OwnersOfTheInstallationOnly, QueuesAway))
async def list_dead_letters(
    owner: Installer,
    parts: WithParts,
    service: Annotated[str | None, Query(pattern=_NAME, description="such as conversations")] = None,
    durable: Annotated[str | None, Query(pattern=_DURABLE, description="such as conversations-whatsapp")] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> Page[DeadLetterView]:
    """List what could not be handled, the latest first."""
    view = f"dead-letters?{service}&{durable}"
    before = cursors.decode(owner.tenant, view, cursor, tuple[int])[0] if cursor else None
    with _reaching():
        async with asyncio.timeout(LONGEST):
            found = await dlq.newest(parts.bus, service or "*", durable or "*", before=before, limit=limit + 1)
    accounts = await _accounts(parts, {tenant for one in found if (tenant := _tenant(one)) is not None})
    more = cursors.encode(owner.tenant, view, (found[limit - 1].sequence,)) if len(found) > limit else None
    return Page(items=[_shown(one, accounts) for one in found[:limit]], next_cursor=more)


@router.post(
    "/dead-letters/replay",
    response_model=Settled,
    responses=problems(DeadLetterGone, OwnersOfTheInstallationOnly, QueuesAway, InFlight, Mismatch),
)
async def replay_dead_letters(body: Letters, owner: Installer, doer: Doer, parts: WithParts, idem: Idempotent) -> Response:
    """Give one dead letter, or those of a durable, back to the durable that could not handle them, and to no other."""
    return await _once(owner, parts, idem, lambda: _replay(body, doer, parts.bus))


@router.post(
    "/dead-letters/drop",
    response_model=Settled,
    responses=problems(DeadLetterGone, OwnersOfTheInstallationOnly, QueuesAway, InFlight, Mismatch),
)
async def drop_dead_letters(body: Letters, owner: Installer, doer: Doer, parts: WithParts, idem: Idempotent) -> Response:
    """Delete one dead letter, or those of a durable, for good."""
    return await _once(owner, parts, idem, lambda: _drop(body, doer, parts.bus))


async def _replay(body: Letters, doer: Actor, bus: Bus) -> tuple[Settled, DeadLettersReplayed]:
    if body.id is not None:
        letter = await dlq.read(bus, body.id)
        if letter is None or not await dlq.replay(bus, letter):
            raise DeadLetterGone(f"Of number {body.id} nothing is left to give back.")
        return Settled(count=1), DeadLettersReplayed(durable=letter.durable, count=1, letter=body.id, actor=doer)
    durable = body.durable or ""
    until = body.until or (await bus.stream_state(subjects.DLQ)).last_sequence
    count, more = await dlq.replay_some(bus, durable, until=until, most=MOST, seconds=LONGEST)
    return Settled(count=count, more=more, until=until), DeadLettersReplayed(durable=durable, count=count, actor=doer)


async def _drop(body: Letters, doer: Actor, bus: Bus) -> tuple[Settled, DeadLettersDropped]:
    if body.id is not None:
        letter = await dlq.read(bus, body.id)
        if letter is None or not await dlq.discard(bus, body.id):
            raise DeadLetterGone(f"Of number {body.id} nothing is left to drop.")
        return Settled(count=1), DeadLettersDropped(durable=letter.durable, count=1, letter=body.id, actor=doer)
    durable = body.durable or ""
    count = await dlq.purge(bus, durable, until=body.until)
    return Settled(count=count, until=body.until), DeadLettersDropped(durable=durable, count=count, actor=doer)


async def _once(
    owner: Principal,
    parts: Parts,
    idem: Idempotency,
    act: Callable[[], Awaitable[tuple[Settled, DeadLettersReplayed | DeadLettersDropped]]],
) -> Response:
    async with parts.db.transaction(owner.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
    with _reaching():
        settled, told = await act()
    log.info(f"{told.topic.entity}.{told.topic.happened}", durable=told.durable, count=told.count, letter=told.letter)
    async with parts.db.transaction(owner.tenant) as tx:
        if told.count:
            await outbox.add(tx, wrap(owner.tenant, told))
        return await idem.finish(tx, 200, settled.model_dump_json().encode())


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except (BusAway, TimeoutError) as away:
        raise QueuesAway("The services go on by themselves when it is back.") from away


async def _accounts(parts: Parts, some: Collection[TenantId]) -> dict[TenantId, ConcernedAccount]:
    if not some:
        return {}
    async with parts.db.transaction(some) as tx:
        found = await store.accounts.read(tx, some)
    return {one.account.id: ConcernedAccount(id=one.account.id, name=one.account.name) for one in found}


def _tenant(letter: Letter) -> TenantId | None:
    try:
        return subjects.parse(letter.subject).tenant
    except ValueError:
        return None


def _type(letter: Letter) -> str | None:
    try:
        parts = subjects.parse(letter.subject)
    except ValueError:
        return None
    return ".".join(part for part in (parts.service, parts.entity, parts.happened) if part)


def _shown(letter: Letter, accounts: Mapping[TenantId, ConcernedAccount]) -> DeadLetterView:
    tenant = _tenant(letter)
    return DeadLetterView(
        id=letter.sequence,
        at=letter.at,
        service=letter.service,
        durable=letter.durable,
        subject=letter.subject,
        type=_type(letter),
        stream=letter.stream,
        sequence=letter.origin,
        first_seen=letter.first_seen,
        error=letter.error,
        code=letter.code,
        attempts=letter.attempts,
        account=None if tenant is None else accounts.get(tenant),
    )

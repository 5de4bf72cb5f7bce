"""The fleet over HTTP, for the installation's owner: which workers there are, how they are, and who has what."""

from datetime import UTC, datetime
from typing import Annotated, Self

from contracts.errors import Forbidden
from contracts.principal import Principal
from fastapi import APIRouter, Depends
from pydantic import BaseModel, StringConstraints
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import Body, Caller, Page, problems, state

from device_worker import fleet
from device_worker.fleet import Fleet, NoOtherWorker, Shard, ShardMissing, State, Worker, WorkerMissing, WorkerTakesNone
from device_worker.shards import Report
from device_worker.store import census
from device_worker.store.census import Counted

TheBus = Annotated[Bus, state("bus")]
System = Annotated[Database, state("system")]

router = APIRouter(prefix="/api/ops", tags=["ops"])


class InstallationOnly(Forbidden):
    """Only the installation's owner may do this."""

    code = "installation-only"


async def _installer(caller: Caller) -> Principal:
    if caller.kind != "user" or not caller.installation:
        raise InstallationOnly
    return caller


Installer = Annotated[Principal, Depends(_installer)]


class WorkerView(BaseModel):
    """A worker.

    Attributes:
        state: ``running``, ``full`` (it keeps what it has), ``draining`` and ``drained`` (by order), ``recycling`` and
            ``ending`` (it hands everything over and ends).
        sessions: How many of its sessions stand where.
        connects: Its way to WhatsApp: ``open``, ``probing`` or ``away``.
        connects_waiting: Sessions that wait for their turn to connect.
        rss_mb: With `threads`, `files` and `db_connections`: of both its processes together.
        inbound_per_second: Messages that came in, lately.
        loss_windows: How often, since it started, something may have been lost that WhatsApp counted as delivered; by cause.
    """

    id: str
    version: str
    state: State
    sessions: dict[str, int]
    capacity: int
    shards: int
    connects: str
    connects_waiting: int
    rss_mb: float
    threads: int
    files: int
    db_connections: int
    journal_bytes: int
    sends_waiting: int
    sends_oldest_seconds: float
    inbound_per_second: float
    outbound_per_second: float
    loss_windows: dict[str, int]
    started_at: datetime | None

    @classmethod
    def of(cls, worker: Worker) -> Self:
        """Show *worker*."""
        report = worker.entry.report or Report()
        return cls(
            id=worker.entry.worker,
            version=report.version,
            state=worker.state,
            sessions=report.sessions,
            capacity=worker.entry.capacity,
            shards=worker.shards,
            connects=report.connects,
            connects_waiting=report.waiting,
            rss_mb=report.rss_mb,
            threads=report.threads,
            files=report.files,
            db_connections=report.db_connections,
            journal_bytes=report.journal_bytes,
            sends_waiting=report.sends_waiting,
            sends_oldest_seconds=report.sends_oldest_seconds,
            inbound_per_second=report.inbound,
            outbound_per_second=report.outbound,
            loss_windows=report.loss_windows,
            started_at=report.started_at,
        )


class ShardView(BaseModel):
    """A shard.

    Attributes:
        worker: Who has it; null: nobody, so that its numbers are not served.
        fence: The token with which its owner writes; 0 until the owner has been let in by the database.
        age_seconds: Since the owner said last that it lives; at 15 the shard is free.
        devices: Numbers in it. `sessions`: those that should have a session. `connected`: those that have.
        moved_to: The worker that was ordered to have it.
    """

    number: int
    worker: str | None
    fence: int
    age_seconds: float | None
    devices: int
    sessions: int
    connected: int
    moved_to: str | None

    @classmethod
    def of(cls, shard: Shard, counted: Counted | None) -> Self:
        """Show *shard*."""
        counted = counted or Counted()
        age = None if shard.renewed_at is None else max(0.0, round((datetime.now(UTC) - shard.renewed_at).total_seconds(), 1))
        return cls(
            number=shard.number,
            worker=shard.owner,
            fence=shard.fence,
            age_seconds=age,
            devices=counted.devices,
            sessions=counted.sessions,
            connected=counted.connected,
            moved_to=shard.moved_to,
        )


class Move(Body):
    """Who is to have the shard; null: whoever would have it by itself."""

    worker: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None


@router.get("/workers", responses=problems(InstallationOnly))
async def list_workers(owner: Installer, bus: TheBus) -> Page[WorkerView]:
    """List the live workers; all of them on one page."""
    return Page(items=[WorkerView.of(worker) for worker in (await Fleet.read(bus)).workers], next_cursor=None)


@router.post("/workers/{id}/drain", status_code=202, responses=problems(InstallationOnly, WorkerMissing, NoOtherWorker))
async def drain_worker(id: str, owner: Installer, bus: TheBus) -> WorkerView:
    """Have a worker hand its shards to the others and take none, until it is told otherwise; its process goes on."""
    return WorkerView.of(await fleet.drain(bus, id))


@router.post("/workers/{id}/undrain", status_code=202, responses=problems(InstallationOnly, WorkerMissing))
async def undrain_worker(id: str, owner: Installer, bus: TheBus) -> WorkerView:
    """Have a worker take its share again."""
    return WorkerView.of(await fleet.undrain(bus, id))


@router.get("/shards", responses=problems(InstallationOnly))
async def list_shards(owner: Installer, bus: TheBus, system: System) -> Page[ShardView]:
    """List all shards, with who has them; all of them on one page."""
    async with system.system() as tx:
        counted = await census.of_shards(tx)
    return Page(items=[ShardView.of(shard, counted.get(shard.number)) for shard in (await Fleet.read(bus)).shards], next_cursor=None)


@router.post("/shards/{number}/move", status_code=202, responses=problems(InstallationOnly, ShardMissing, WorkerMissing, WorkerTakesNone))
async def move_shard(number: int, body: Move, owner: Installer, bus: TheBus, system: System) -> ShardView:
    """Give a shard to a worker, for as long as that takes any; or, with null, let the rule decide again."""
    shard = await fleet.move(bus, number, body.worker)
    async with system.system() as tx:
        counted = await census.of_shards(tx)
    return ShardView.of(shard, counted.get(number))

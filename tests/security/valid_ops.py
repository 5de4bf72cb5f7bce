"""Requests for the operations of the fleet. The worker that is drained is one that only its entry tells of: no shard would go to it."""

from uuid import uuid4

import msgspec
from contracts import buckets, subjects
from device_worker.fleet import Fleet
from device_worker.shards import WorkerEntry
from servicekit.bus import Bus, Item, dlq

from .valid import Valid, key, valid
from .world import World, running

GHOST = "ghost~000000000000"
DURABLE = "security-letters"


async def ghost(world: World) -> str:
    async with Bus.open(running(world.system).nats, name="security") as bus:
        entry = WorkerEntry(worker=GHOST, incarnation=uuid4(), full=True)
        await (await bus.bucket(buckets.WORKERS)).put(GHOST.replace("~", "/"), msgspec.json.encode(entry))
    return GHOST


@valid("opsListWorkers", installation=True)
async def _(world: World) -> Valid:
    return Valid(caller=world.installer)


@valid("opsDrainWorker", installation=True)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await ghost(world)}, caller=world.installer)


@valid("opsUndrainWorker", installation=True)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await ghost(world)}, caller=world.installer)


@valid("opsListShards", installation=True)
async def _(world: World) -> Valid:
    return Valid(caller=world.installer)


@valid("opsMoveShard", installation=True)
async def _(world: World) -> Valid:
    async with Bus.open(running(world.system).nats, name="security") as bus:
        worker = next(worker.entry.worker for worker in (await Fleet.read(bus)).workers if worker.state == "running")
    return Valid(ids={"number": "7"}, body={"worker": worker}, caller=world.installer)


async def letter(world: World) -> int:
    """A dead letter of a durable that nobody has; its number."""
    async with Bus.open(running(world.system).nats, name="security") as bus:
        await bus.publish_items([Item(subjects.dead("security", DURABLE), str(uuid4()), b"{}", {})])
        [found] = await dlq.newest(bus, durable=DURABLE, limit=1)
    return found.sequence


@valid("opsListQueues", installation=True)
@valid("opsListDeadLetters", installation=True)
async def _(world: World) -> Valid:
    return Valid(caller=world.installer)


@valid("opsReplayDeadLetters", installation=True)
@valid("opsDropDeadLetters", installation=True)
async def _(world: World) -> Valid:
    return Valid(body={"id": await letter(world)}, headers=key(), caller=world.installer)

"""Requests for what is set of a number, its queue, its governor and its history."""

from datetime import UTC, datetime, timedelta

from clarin.client import eventually
from contracts.principal import Role

from .valid import Valid, key, valid
from .world import World


async def waiting(world: World) -> tuple[str, str]:
    """A number that is not connected, and a message that waits for it."""
    device = await world.new_device()
    body = {"device_id": device, "to": world.customer, "text": f"En espera {world.mark}"}
    sent = await world.owner.post("/api/messages/send", body, key=key()["idempotency-key"])

    async def there() -> bool:
        return bool((await world.owner.get(f"/api/devices/{device}/sends"))["items"])

    await eventually(there, 15, "the message does not come into the queue")
    return device, str(sent["id"])


@valid("devicesReadSettings")
@valid("devicesReadGovernor")
@valid("devicesListEvents")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.device})


@valid("devicesChangeSettings", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_device()}, body={"pace": {"per_minute": 30}, "labels": ["norte"]})


@valid("devicesPauseSending", role=Role.ADMIN)
async def _(world: World) -> Valid:
    until = datetime.now(UTC) + timedelta(hours=1)
    return Valid(ids={"id": await world.new_device()}, body={"until": until.isoformat()})


@valid("devicesResumeSending", role=Role.ADMIN)
@valid("devicesCancelSends", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_device()})


@valid("devicesListSends", role=Role.ADMIN)
async def _(world: World) -> Valid:
    device, _ = await waiting(world)
    return Valid(ids={"id": device})


@valid("devicesCancelSend", role=Role.ADMIN)
async def _(world: World) -> Valid:
    device, message = await waiting(world)
    return Valid(ids={"id": device, "message": message})

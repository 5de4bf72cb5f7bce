"""Requests for webhooks, their log, replays, and the events to pull."""

from datetime import UTC, datetime, timedelta

from contracts import ids
from contracts.principal import Role

from .valid import Valid, key, plain, valid
from .world import World

plain("webhooksListWebhooks", role=Role.ADMIN)


# not by who remembers what it was shown: the examples are the same for everybody
@valid("webhooksListEventTypes")
async def _(world: World) -> Valid:
    return Valid(caller=world.installer)


plain("eventsListEvents", query={"limit": "2"})
plain("webhooksListEventDeliveries", role=Role.ADMIN, query={"event": ids.public(ids.EVENT, ids.new())})


async def new_webhook(world: World) -> str:
    """An endpoint that nothing is sent to: an address that is documentation's own."""
    return await world.new("/api/webhooks", url="https://webhooks.invalid/", description=f"Tienda {world.mark}", types=["endpoint.*"])


async def new_delivery(world: World) -> dict[str, str]:
    id = await new_webhook(world)
    delivery = await world.new(f"/api/webhooks/{id}/test")
    return {"id": id, "delivery": delivery}


async def new_replay(world: World, id: str) -> str:
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    return await world.new(f"/api/webhooks/{id}/replays", since=since)


@valid("webhooksCreateWebhook", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"url": f"https://{world.mark}.invalid/", "types": ["endpoint.*"]}, headers=key())


@valid("webhooksReadWebhook", role=Role.ADMIN)
@valid("webhooksDeleteWebhook", role=Role.ADMIN)
@valid("webhooksStatistics", role=Role.ADMIN)
@valid("webhooksListAttempts", role=Role.ADMIN)
@valid("webhooksListDeliveries", role=Role.ADMIN)
@valid("webhooksListReplays", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await new_webhook(world)})


@valid("webhooksChangeWebhook", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await new_webhook(world)}, body={"description": f"Otra {world.mark}", "state": "paused"})


@valid("webhooksRotateWebhook", role=Role.ADMIN)
@valid("webhooksSendExample", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await new_webhook(world)}, body={}, headers=key())


@valid("webhooksRecover", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await new_webhook(world)}, body={"since": datetime.now(UTC).isoformat()}, headers=key())


@valid("webhooksReadDelivery", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids=await new_delivery(world))


@valid("webhooksResend", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids=await new_delivery(world), headers=key())


@valid("webhooksStartReplay", role=Role.ADMIN)
async def _(world: World) -> Valid:
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    return Valid(ids={"id": await new_webhook(world)}, body={"since": since}, headers=key())


@valid("webhooksReadReplay", role=Role.ADMIN)
@valid("webhooksCancelReplay", role=Role.ADMIN)
async def _(world: World) -> Valid:
    id = await new_webhook(world)
    return Valid(ids={"id": id, "replay": await new_replay(world, id)})

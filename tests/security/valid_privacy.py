"""A valid request for each operation on what is kept, erased and given out."""

from typing import Any

from clarin.client import eventually
from contracts.principal import Role

from .valid import Valid, key, plain, valid
from .world import World

plain("privacyGetRetention")
plain("privacySetRetention", Role.ADMIN, body={"message_days": None, "media_days": 3650})
plain("privacyListErasures", Role.ADMIN)
plain("privacyListExports", Role.ADMIN)


@valid("privacyEraseContact", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()}, headers=key())


@valid("privacyGetErasure", role=Role.ADMIN)
async def _(world: World) -> Valid:
    asked = await world.owner.post(f"/api/contacts/{await world.new_contact()}/erase", key=key()["idempotency-key"])
    return Valid(ids={"id": asked["id"]})


@valid("privacyExportContact", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()}, headers=key())


@valid("privacyGetExport", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await export(world)})


@valid("privacyFetchExport", role=Role.ADMIN)
async def _(world: World) -> Valid:
    id = await export(world)

    async def ready() -> Any:
        return (await world.owner.get(f"/api/privacy/exports/{id}"))["state"] == "ready"

    await eventually(ready, 30, "the export is not ready")
    return Valid(ids={"id": id})


@valid("privacyDropExport", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await export(world)})


async def export(world: World) -> str:
    made = await world.owner.post(f"/api/contacts/{await world.new_contact()}/exports", key=key()["idempotency-key"])
    return str(made["id"])

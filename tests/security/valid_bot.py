"""A valid request for each operation of the bot."""

from contracts.principal import Role

from .valid import Valid, plain, valid
from .world import World

plain("botReadBot")
plain("botReadFigures")
plain("botListPhrases", Role.ADMIN)
plain("botForgetPhrase", Role.ADMIN, query={"phrase": "hola"})
plain("botSimulate", body={"steps": [{"text": "hola"}]})


@valid("botSetBot", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"rules": [a_rule(world)]})


@valid("botSetNumber", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_device()}, body={"rules": [a_rule(world)]})


@valid("botReadNumber")
@valid("botClearNumber", role=Role.ADMIN)
async def _(world: World) -> Valid:
    device = await world.new_device()
    await world.owner.ask("PUT", f"/api/bot/devices/{device}", {"rules": [a_rule(world)]})
    return Valid(ids={"id": device})


@valid("botReadChat")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.chat["id"]})


@valid("botSwitchChat")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.chat["id"]}, body={"silent": True})


def a_rule(world: World) -> dict[str, object]:
    return {"id": "a", "name": f"Regla {world.mark}", "match": "exact", "phrases": ["a"], "reply": {"text": "b"}}

"""A valid request for each operation on what a team knows of contacts."""

from contracts.principal import Role

from .valid import Valid, key, plain, valid
from .world import World

plain("contactsListContactStates")
plain("contactsListContactFields")
plain("contactsSetContactStates", Role.ADMIN, body={"items": [{"name": "Nuevo"}, {"name": "Cliente", "color": "#40c057"}]})
plain("contactsSetContactFields", Role.ADMIN, body={"items": [{"key": "size", "name": "Talla", "kind": "text"}]})


@valid("contactsListContactNotes")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()})


@valid("contactsAddContactNote")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()}, body={"text": f"nota {world.mark}"}, headers=key())


@valid("contactsDeleteContactNote")
async def _(world: World) -> Valid:
    contact = await world.new_contact()
    note = await world.owner.post(f"/api/contacts/{contact}/notes", {"text": f"nota {world.mark}"}, key=key()["idempotency-key"])
    return Valid(ids={"id": contact, "note_id": note["id"]})

"""Requests for what is done to contacts as a whole, and for lists of them."""

import json

from aiohttp import FormData
from contracts.principal import Role

from .valid import Valid, key, plain, valid
from .world import World


def a_list(world: World) -> bytes:
    return f"name,phone\nlista {world.mark},+55 11 91234-5678\n".encode()


async def brought(world: World) -> str:
    """A list that nothing was done with yet."""
    form = FormData()
    form.add_field("file", a_list(world), filename="lista.csv")
    status, _, body = await world.owner.raw("POST", "/api/contacts/imports", data=form, headers=key())
    assert status == 201, body
    return str(json.loads(body)["id"])


plain("contactsListImports", Role.ADMIN)
plain("contactsExportContacts")


@valid("contactsUploadImport", role=Role.ADMIN)
async def _(world: World) -> Valid:
    # Without the mark: a stranger who sends it is shown what he sent.
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="l.csv"\r\n\r\nname,phone\nEva,+55 11 91234-5678\n\r\n--b--\r\n'
    return Valid(form=form, headers={"content-type": "multipart/form-data; boundary=b", **key()})


@valid("contactsGetImport", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await brought(world)})


@valid("contactsCheckImport", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await brought(world)}, body={})


@valid("contactsStartImport", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await brought(world)}, body={})


@valid("contactsCancelImport", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await brought(world)})


@valid("contactsGetImportErrors", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await brought(world)})


@valid("contactsListDuplicates")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()})


@valid("contactsMergeContact")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()}, body={"into": await world.new_contact()}, headers=key())


@valid("contactsBlockContact")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()})


@valid("contactsUnblockContact")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()})

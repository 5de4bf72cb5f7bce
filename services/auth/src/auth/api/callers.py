"""Who does it, beyond what every service asks."""

from typing import Annotated

from contracts.principal import Principal
from fastapi import Depends
from servicekit.http import Admin, Caller

from auth.domain import OwnersOfTheInstallationOnly, PersonsOnly


async def _person(caller: Caller) -> Principal:
    if caller.kind != "user":
        raise PersonsOnly("Sign in with e-mail address and password.")
    return caller


async def _person_in_charge(admin: Admin) -> Principal:
    return await _person(admin)


async def _installer(caller: Caller) -> Principal:
    if caller.kind != "user" or not caller.installation:
        raise OwnersOfTheInstallationOnly
    return caller


#: A caller that is no API key.  Raises: PersonsOnly.
Person = Annotated[Principal, Depends(_person)]
#: An admin or owner that is no API key: a key that could make keys would outlive its own end.  Raises: PersonsOnly.
PersonInCharge = Annotated[Principal, Depends(_person_in_charge)]
#: The installation's owner.  Raises: OwnersOfTheInstallationOnly.
Installer = Annotated[Principal, Depends(_installer)]

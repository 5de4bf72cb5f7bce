"""Who does it, beyond what every service asks."""

import ipaddress
from typing import Annotated

from contracts.principal import Actor, Principal
from fastapi import Depends, Request
from servicekit.http import Admin, Caller

from auth.domain import OwnersOfTheInstallationOnly, PersonsOnly


def address(request: Request) -> str | None:
    """Read who is behind the gateway, which sets X-Real-Ip itself and lets nobody else do so."""
    try:
        return str(ipaddress.ip_address(request.headers.get("X-Real-Ip", "")))
    except ValueError:
        return None


async def _actor(request: Request, caller: Caller) -> Actor:
    return Actor(id=caller.id, kind=caller.kind, address=address(request))


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


#: Who does it, as facts name them.
Doer = Annotated[Actor, Depends(_actor)]
#: A caller that is no API key.  Raises: PersonsOnly.
Person = Annotated[Principal, Depends(_person)]
#: An admin or owner that is no API key: a key that could make keys would outlive its own end.  Raises: PersonsOnly.
PersonInCharge = Annotated[Principal, Depends(_person_in_charge)]
#: The installation's owner.  Raises: OwnersOfTheInstallationOnly.
Installer = Annotated[Principal, Depends(_installer)]

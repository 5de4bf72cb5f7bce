"""A request for each operation that its owner may make. An operation without one fails the walk of test_isolation."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clarin.client import Client, eventually
from contracts.principal import Role

from .world import PASSWORD, World


@dataclass(frozen=True, kw_only=True)
class Valid:
    """One request.

    Attributes:
        ids: What stands in the path.
        caller: Who makes it, where it is not the owner.
        token: False where it is made without one.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    caller: Client | None = None
    token: bool = True


@dataclass(frozen=True)
class Rule:
    """How it is made, and the role that it needs."""

    make: Callable[[World], Awaitable[Valid]]
    role: Role


RULES: dict[str, Rule] = {}


def valid(operation: str, *, role: Role = Role.AGENT) -> Callable[[Any], Any]:
    def add(make: Callable[[World], Awaitable[Valid]]) -> Callable[[World], Awaitable[Valid]]:
        assert operation not in RULES
        RULES[operation] = Rule(make, role)
        return make

    return add


def plain(operation: str, role: Role = Role.AGENT, **what: Any) -> None:
    """A request that names nothing."""

    async def make(world: World) -> Valid:
        return Valid(**what)

    valid(operation, role=role)(make)


def key() -> dict[str, str]:
    return {"idempotency-key": secrets.token_hex(8)}


def new_email(world: World) -> str:
    return f"nuevo-{secrets.token_hex(4)}-{world.mark}@example.com"


# --- auth ---------------------------------------------------------------------------------------------------------------

plain("authJwks", token=False)
plain("meta", token=False)
plain("authMe")
plain("authListSessions")
plain("authListUsers")
plain("authTicket")


@valid("authRegister")
async def _(world: World) -> Valid:
    body = {"email": new_email(world), "password": PASSWORD, "name": f"Luis {world.mark}", "account": f"Otra {world.mark}"}
    return Valid(body=body, token=False)


@valid("authLogin")
async def _(world: World) -> Valid:
    return Valid(body={"email": world.agent.me["user"]["email"], "password": PASSWORD}, token=False)


@valid("authRefresh")
async def _(world: World) -> Valid:
    return Valid(body={"refresh_token": (await world.person()).refresh_token}, token=False)


@valid("authLogout")
async def _(world: World) -> Valid:
    return Valid(body={"refresh_token": (await world.person()).refresh_token}, token=False)


@valid("authChangePassword")
async def _(world: World) -> Valid:
    return Valid(body={"current": PASSWORD, "password": f"{PASSWORD}-nueva"}, caller=await world.person())


@valid("authCloseSession")
async def _(world: World) -> Valid:
    caller = await world.person()
    [session] = (await caller.get("/api/auth/sessions"))["items"]
    return Valid(ids={"id": session["id"]}, caller=caller)


@valid("authCreateUser", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"email": new_email(world), "name": f"Eva {world.mark}", "role": "agent"}, headers=key())


@valid("authChangeUser", role=Role.ADMIN)
async def _(world: World) -> Valid:
    user = await world.owner.post("/api/auth/users", {"email": new_email(world), "name": f"Eva {world.mark}"}, key=secrets.token_hex(8))
    return Valid(ids={"id": user["id"]}, body={"name": f"Eva María {world.mark}"})


# --- numbers ------------------------------------------------------------------------------------------------------------

plain("devicesListAll")


@valid("devicesCreate", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"name": f"Línea {world.mark}"}, headers=key())


@valid("devicesRead")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.device})


@valid("devicesChange", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.device}, body={"name": f"Ventas {world.mark}"})


@valid("devicesConnect", role=Role.ADMIN)
@valid("devicesDisconnect", role=Role.ADMIN)
@valid("devicesLogout", role=Role.ADMIN)
@valid("devicesDelete", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_device()})


@valid("devicesQr", role=Role.ADMIN)
async def _(world: World) -> Valid:
    device = await world.new_device()
    await world.owner.post(f"/api/devices/{device}/connect")

    async def shown() -> bool:
        status, _, _ = await world.owner.raw("GET", f"/api/devices/{device}/qr")
        return status == 200

    await eventually(shown, 30, "no QR")
    return Valid(ids={"id": device})


@valid("devicesPairingCode", role=Role.ADMIN)
async def _(world: World) -> Valid:
    phone = await world.system.phone(world.network, "Con código")
    return Valid(ids={"id": await world.new_device()}, body={"phone": phone})


# --- chats --------------------------------------------------------------------------------------------------------------

plain("chatsListChats")
plain("contactsListContacts", query={"q": ""})


@valid("chatsGetChat")
@valid("chatsListMessages")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.chat["id"]})


@valid("chatsRead")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.chat["id"]})


@valid("contactsEnter")
async def _(world: World) -> Valid:
    return Valid(body={"phone": f"+52155{secrets.randbelow(10**8):08d}", "name": f"Contacto {world.mark}"}, headers=key())


@valid("contactsGetContact")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()})


@valid("contactsRename")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()}, body={"name": f"Renombrado {world.mark}"})


@valid("messagesSend")
async def _(world: World) -> Valid:
    return Valid(body={"chat_id": world.chat["id"], "text": f"respuesta {world.mark}"}, headers=key())


@valid("messagesGetMessage")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.message})

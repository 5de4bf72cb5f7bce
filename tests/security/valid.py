"""A request for each operation that its owner may make. An operation without one fails the walk of test_isolation."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from auth import tokens
from clarin.client import Client, eventually
from contracts import ids
from contracts.ids import TenantId
from contracts.principal import Role

from .world import PASSWORD, World, as_admin


@dataclass(frozen=True, kw_only=True)
class Valid:
    """One request.

    Attributes:
        ids: What stands in the path.
        caller: Who makes it, where it is not the owner.
        token: False where it is made without one.
        form: A body that is no JSON.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    caller: Client | None = None
    token: bool = True


@dataclass(frozen=True)
class Rule:
    """How it is made, and the role that it needs; *installation*: that of the whole installation's owner."""

    make: Callable[[World], Awaitable[Valid]]
    role: Role
    installation: bool = False


RULES: dict[str, Rule] = {}


def valid(operation: str, *, role: Role = Role.AGENT, installation: bool = False) -> Callable[[Any], Any]:
    def add(make: Callable[[World], Awaitable[Valid]]) -> Callable[[World], Awaitable[Valid]]:
        assert operation not in RULES
        RULES[operation] = Rule(make, role, installation)
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


def new_name(world: World) -> str:
    return f"{secrets.token_hex(4)} {world.mark}"


# --- auth ---------------------------------------------------------------------------------------------------------------

plain("authJwks", token=False)
plain("meta", token=False)
plain("presence")
plain("authMe")
plain("authListSessions")
plain("authTicket")
plain("usersListUsers")
plain("accountReadAccount")
plain("teamsListTeams")
plain("activityListActivity", role=Role.ADMIN)
plain("invitationsListInvitations", role=Role.ADMIN)
plain("keysListKeys", role=Role.ADMIN)
plain("authForgot", body={"email": "quien-sea@example.com"}, token=False)


@valid("authPreviewInvitation")
async def _(world: World) -> Valid:
    shown = await world.owner.post("/api/invitations", {"role": "agent"}, key=secrets.token_hex(8))
    return Valid(query={"code": shown["url"].partition("code=")[2]}, token=False)


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


@valid("authReset")
async def _(world: World) -> Valid:
    """The link that would have been mailed: what stands in the database is its hash."""
    person = (await world.person()).me
    tenant = TenantId(ids.parse(ids.ACCOUNT, person["account"]["id"]))
    token = tokens.reset(tenant, secrets.token_bytes(32), ids.new())
    async with as_admin(world.system) as admin:
        await admin.execute(
            'insert into auth.password_resets (tenant, hash, "user", expires_at) values ($1, $2, $3, $4)',
            tenant,
            tokens.hashed(token),
            ids.parse(ids.USER, person["user"]["id"]),
            datetime.now(UTC) + timedelta(hours=1),
        )
    return Valid(body={"token": token, "password": f"{PASSWORD}-otra"}, token=False)


@valid("usersCreateUser", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"email": new_email(world), "name": f"Eva {world.mark}", "role": "agent"}, headers=key())


@valid("usersReadUser")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/users", email=new_email(world), name=f"Eva {world.mark}")})


@valid("usersChangeUser", role=Role.ADMIN)
async def _(world: World) -> Valid:
    id = await world.new("/api/users", email=new_email(world), name=f"Eva {world.mark}")
    return Valid(ids={"id": id}, body={"name": f"Eva María {world.mark}"})


@valid("accountChangeAccount", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"name": f"Café {world.mark}", "locale": "es"})


@valid("teamsCreateTeam", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"name": new_name(world), "members": [world.agent.me["user"]["id"]]}, headers=key())


@valid("teamsReadTeam")
@valid("teamsDeleteTeam", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/teams", name=new_name(world))})


@valid("teamsChangeTeam", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/teams", name=new_name(world))}, body={"name": new_name(world)})


@valid("invitationsInvite", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"email": new_email(world), "role": "agent"}, headers=key())


@valid("invitationsRevokeInvitation", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/invitations", email=new_email(world))})


@valid("keysCreateKey", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body={"name": new_name(world), "scopes": ["read"]}, headers=key())


@valid("keysReadKey", role=Role.ADMIN)
@valid("keysRevokeKey", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/keys", name=new_name(world), scopes=["read"])})


@valid("keysChangeKey", role=Role.ADMIN)
async def _(world: World) -> Valid:
    id = await world.new("/api/keys", name=new_name(world), scopes=["read"])
    return Valid(ids={"id": id}, body={"name": new_name(world), "scopes": ["read", "send"]})


@valid("keysRotateKey", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/keys", name=new_name(world), scopes=["read"])}, body={}, headers=key())


@valid("opsListAccounts", installation=True)
async def _(world: World) -> Valid:
    return Valid(caller=world.installer)


@valid("opsJudgeAccount", installation=True)
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.owner.me["account"]["id"]}, body={"limits": {"devices": 500}}, caller=world.installer)


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


@valid("contactsChangeContact")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new_contact()}, body={"name": f"Renombrado {world.mark}"})


@valid("messagesSend")
async def _(world: World) -> Valid:
    return Valid(body={"chat_id": world.chat["id"], "text": f"respuesta {world.mark}"}, headers=key())


@valid("messagesGetMessage")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.message})

"""A tenant with something of everything, a stranger beside it, and what the stranger must never see."""

import base64
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import jwt
import msgspec
from auth.keys import Vault
from clarin.client import Client, eventually
from clarin.folder import Folder, Running
from clarin.testing import System
from contracts.principal import Scope
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sim.testing import Api as Network

PASSWORD = "una-clave-bastante-larga-4821"
PUBLIC_ID = re.compile(r"\b[a-z]{3}_[0-9A-HJKMNP-TV-Z]{26}\b")


def folder(system: System) -> Folder:
    """The data folder of the installation that runs."""
    return Folder(Path(str(system.ready["data"])))


def running(system: System) -> Running:
    """What it says of itself."""
    return msgspec.convert(system.ready, Running)


@asynccontextmanager
async def as_admin(system: System) -> AsyncIterator[asyncpg.Connection]:
    """The database as who may do everything."""
    connection = await asyncpg.connect(str(system.ready["postgres"]))
    try:
        yield connection
    finally:
        await connection.close()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def segment(value: object) -> str:
    """One part of a token, whatever stands in it: a library would refuse to write what is wrong."""
    return base64url(json.dumps(value).encode())


@dataclass(frozen=True)
class Signer:
    """The key that the installation signs access tokens with, for tokens that it would not make itself."""

    key: Ed25519PrivateKey
    kid: str

    @classmethod
    async def of(cls, system: System) -> "Signer":
        async with as_admin(system) as admin:
            row = await admin.fetchrow(
                "select kid, private from auth.signing_keys where retired_at is null order by created_at desc, kid desc limit 1"
            )
        vault = Vault(base64.b64decode(folder(system).key("encryption")))
        return cls(Ed25519PrivateKey.from_private_bytes(vault.open(row["private"], what=row["kid"])), row["kid"])

    def again(self, token: str, **changes: object) -> str:
        """*token* with other claims, well signed."""
        claims = jwt.decode(token, options={"verify_signature": False}) | changes
        unsigned = f"{segment({'alg': 'EdDSA', 'kid': self.kid, 'typ': 'JWT'})}.{segment(claims)}"
        return f"{unsigned}.{base64url(self.key.sign(unsigned.encode()))}"

    def expired(self, token: str) -> str:
        now = int(time.time())
        return self.again(token, iat=now - 660, exp=now - 60)


class Recorder(Client):
    """A client that remembers every id that it was shown."""

    def __init__(self, url: str, seen: set[str], token: str | None = None) -> None:
        super().__init__(url, token)
        self.seen = seen

    async def raw(self, method: str, path: str, **options: Any) -> tuple[int, Mapping[str, str], bytes]:
        status, headers, body = await super().raw(method, path, **options)
        self.seen.update(PUBLIC_ID.findall(body.decode(errors="replace")))
        return status, headers, body


@dataclass
class World:
    """Everything whose name is to be kept holds *mark*."""

    system: System
    network: Network
    mark: str
    owner: Recorder
    agent: Recorder
    stranger: Client
    installer: Client
    stack: AsyncExitStack
    seen: set[str]
    keys: dict[Scope, str] = field(default_factory=dict)
    device: str = ""
    number: str = ""
    customer: str = ""
    chat: dict[str, Any] = field(default_factory=dict)
    message: str = ""

    @property
    def kept(self) -> set[str]:
        """What nobody else may be shown."""
        return {self.mark, self.number, self.customer, *self.keys.values()} | self.seen

    def leaked(self, answer: str, request: str = "") -> set[str]:
        """What of it stands in *answer*, but for what the *request* held already."""
        return {value for value in self.kept if value in answer and value not in request}

    async def person(self, role: str = "agent") -> Recorder:
        """Somebody new of the account, signed in."""
        email = f"{role}-{secrets.token_hex(4)}-{self.mark}@example.com"
        await self.owner.post(
            "/api/auth/users", {"email": email, "name": f"{role} {self.mark}", "role": role, "password": PASSWORD}, key=email
        )
        client = await self.stack.enter_async_context(Recorder(self.system.url, self.seen))
        await client.login(email, PASSWORD)
        return client

    async def new(self, path: str, **body: Any) -> str:
        """The id of something new."""
        return str((await self.owner.post(path, body, key=secrets.token_hex(8)))["id"])

    async def new_device(self) -> str:
        return str((await self.owner.add_device(f"Línea {self.mark}"))["id"])

    async def new_contact(self) -> str:
        body = {"phone": f"+52155{secrets.randbelow(10**8):08d}", "name": f"Contacto {self.mark}"}
        return str((await self.owner.post("/api/contacts", body, key=secrets.token_hex(8)))["id"])


@asynccontextmanager
async def world(system: System, network: Network) -> AsyncIterator[World]:
    """A tenant with a connected number, a customer who wrote and got an answer, an agent; and another tenant's owner."""
    mark = f"secreto{secrets.token_hex(6)}"
    async with AsyncExitStack() as stack:
        seen: set[str] = set()
        owner = await stack.enter_async_context(Recorder(system.url, seen))
        await owner.register(f"owner-{mark}@example.com", PASSWORD, name=f"Ana {mark}", account=f"Café {mark}")
        stranger = await stack.enter_async_context(system.owner())
        assert owner.token
        installer = await stack.enter_async_context(Client(system.url, (await Signer.of(system)).again(owner.token, ins=True)))
        made = World(system, network, mark, owner, owner, stranger, installer, stack, seen)
        made.agent = await made.person()
        made.number = await system.phone(network, "Número")
        made.customer = await system.phone(network, f"Cliente {mark}")
        made.device = await made.new_device()
        await owner.pair(made.device, network, made.number)
        await network.ask("POST", f"/phones/{made.customer}/messages", {"to": made.number, "text": f"hola {mark}"})

        async def arrived() -> Any:
            return next(iter((await owner.get("/api/chats"))["items"]), None)

        made.chat = await eventually(arrived, 30, "the customer's message did not arrive")
        made.message = (await owner.get(f"/api/chats/{made.chat['id']}/messages"))["items"][0]["id"]
        for scope in Scope:
            body = {"name": f"{scope.value} {mark}", "scopes": [scope.value], "role": "admin"}
            made.keys[scope] = (await owner.post("/api/keys", body, key=secrets.token_hex(8)))["secret"]
        yield made


def text(payload: bytes) -> str:
    """An answer as it is and as JSON would write it."""
    plain = payload.decode(errors="replace")
    try:
        return plain + json.dumps(json.loads(payload), ensure_ascii=False)
    except ValueError:
        return plain

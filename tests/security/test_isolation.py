"""Every operation of the API, as its owner and as everybody who is not: nobody else is served, nor shown a single byte."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from clarin.client import Client, eventually
from clarin.testing import System
from contracts.principal import Role, Scope
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sim.testing import Api as Network

from .valid import RULES, Rule, Valid
from .world import PUBLIC_ID, Signer, World, text, world

for part in sorted(Path(__file__).parent.glob("valid_*.py")):  # an area's own requests
    import_module(f".{part.stem}", __package__)

pytestmark = pytest.mark.timeout(300)

#: A socket or a stream is no request and an answer: the last test of this file has it.
SOCKETS = {"ws", "stream"}


TWICE = {"/api/devices": "/api/whatsapp", "/api/users": "/api/auth/users"}


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    anonymous: bool
    scope: Scope | None
    refuses: frozenset[str]


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, told in item.items():
            forbidden = told["responses"].get("403", {}).get("content", {}).get("application/problem+json", {}).get("examples", {})
            scope = Scope(told["x-scope"]) if "x-scope" in told else None
            yield Operation(told["operationId"], method.upper(), path, told.get("security") == [], scope, frozenset(forbidden))


@dataclass
class Walk:
    """One operation, sent as everybody; what was wrong stands in *faults*."""

    world: World
    signer: Signer
    operation: Operation
    rule: Rule
    faults: list[str]

    def fault(self, what: str) -> None:
        self.faults.append(f"{self.operation.id} ({self.operation.method} {self.operation.path}): {what}")

    async def send(self, request: Valid, token: str | None, path: str | None = None, **headers: str) -> tuple[int, str]:
        async with Client(self.world.system.url, token) as client:
            return await self.send_by(client, request, path, **headers)

    async def send_by(self, client: Client, request: Valid, path: str | None = None, **headers: str) -> tuple[int, str]:
        options: dict[str, Any] = {"json": request.body} if request.body is not None else {}
        if request.form is not None:
            options = {"data": request.form}
        where = (path or self.operation.path).format(**request.ids)
        status, _, payload = await client.raw(
            self.operation.method, where, params=request.query, headers={**request.headers, **headers}, **options
        )
        return status, text(payload)

    def refused(self, who: str, statuses: set[int], answer: tuple[int, str], request: Valid) -> None:
        status, body = answer
        if status not in statuses:
            self.fault(f"{who} got {status} and not {' or '.join(map(str, sorted(statuses)))}: {body[:200]}")
        self.silent(who, body, request)

    def silent(self, who: str, body: str, request: Valid) -> None:
        if leaked := self.world.leaked(body, json.dumps([request.body, dict(request.ids), dict(request.query)], ensure_ascii=False)):
            self.fault(f"{who} was shown {sorted(leaked)[:3]}")

    async def run(self) -> None:
        operation, rule, world = self.operation, self.rule, self.world
        if ("forbidden" in operation.refuses) != (rule.role is not Role.AGENT):
            self.fault(f"the description and the table do not agree that it needs the role {rule.role.value}")
        request = await rule.make(world)
        names = PUBLIC_ID.search(json.dumps([request.body, dict(request.ids)])) is not None

        async def fresh() -> Valid:
            """The very same where it names something, else a new one, so that one who succeeds is in nobody's way."""
            return request if names else await rule.make(world)

        caller = request.caller or world.owner
        assert caller.token
        if request.token:
            strangers: dict[str, str | None] = {
                "nobody": None,
                "an expired token": self.signer.expired(caller.token),
                "a forged token": Signer(Ed25519PrivateKey.generate(), self.signer.kid).again(caller.token),
                "another tenant's claim, unsigned": altered(caller.token),
            }
            answers = await asyncio.gather(*(self.send(request, token) for token in strangers.values()))
            for who, answer in zip(strangers, answers, strict=True):
                self.refused(who, {401}, answer, request)
            self.refused("an unknown key", {401}, await self.send(request, None, **{"x-api-key": "nonsense"}), request)
            if rule.role is not Role.AGENT or rule.installation:
                self.refused("an agent", {403}, await self.send_by(world.agent, request), request)
            if rule.installation:
                self.refused("an owner", {403}, await self.send_by(world.owner, request), request)
            await self.by_keys(request)
            for path in self.ways():
                foreign = disguised(await fresh(), world.mark)
                status, body = await self.send_by(world.stranger, foreign, path)
                if names:
                    self.refused(f"another tenant's owner at {path}", {403, 404}, (status, body), foreign)
                self.silent(f"another tenant's owner at {path}", body, foreign)
            # what was refused has changed nothing: now the one who may is served
            last = await fresh()
            status, body = await self.send_by(last.caller or world.owner, last)
        else:
            last = request
            status, body = await self.send(request, None)
        if not 200 <= status < 300:
            self.fault(f"whoever may got {status}: {body[:300]}")
        if request.token:
            again = disguised(last, world.mark)  # its Idempotency-Key is still the owner's
            status, body = await self.send_by(world.stranger, again)
            self.silent("another tenant's owner, after that,", body, again)
            if rule.installation:
                self.refused("another tenant's owner, after that,", {403}, (status, body), again)
            elif "idempotency-key" in again.headers and not names and not 200 <= status < 300:
                self.fault(f"another tenant's owner with the same Idempotency-Key got {status}: {body[:200]}")

    async def by_keys(self, request: Valid) -> None:
        """A key of every scope but the one that is needed; for reading, the right one is served."""
        operation = self.operation
        if operation.scope is None:
            self.fault("its description names no scope")
        wrong = [scope for scope in self.world.keys if scope is not operation.scope]
        answers = await asyncio.gather(*(self.send(request, None, **{"x-api-key": self.world.keys[scope]}) for scope in wrong))
        for scope, answer in zip(wrong, answers, strict=True):
            self.refused(f"a key that may {scope.value}", {403}, answer, request)
        for scope, key in self.world.keys.items():
            if scope is not operation.scope:
                continue
            if operation.method == "GET" and not operation.refuses & {"persons-only", "installation-only"}:
                status, body = await self.send(request, None, **{"x-api-key": key})
                if status != 200:
                    self.fault(f"a key that may {scope.value} got {status}: {body[:200]}")

    def ways(self) -> list[str]:
        """The paths that lead there: numbers and people have two."""
        path = self.operation.path
        return [path] + [path.replace(one, other, 1) for one, other in TWICE.items() if path.startswith(one)]


def disguised(request: Valid, mark: str) -> Valid:
    """*request* without the mark, so that what a stranger writes is not taken for what was kept from him."""
    return replace(request, body=json.loads(json.dumps(request.body).replace(mark, "ajeno")))


def altered(token: str) -> str:
    """*token* with its middle changed and its old signature."""
    head, middle, signature = token.split(".")
    return f"{head}.{middle[:-3]}AAA.{signature}"


async def whole(world: World) -> dict[str, Any] | None:
    """The description of the API, once every service has been asked for its own."""
    document = await world.owner.get("/openapi.json")
    return None if "x-missing" in document else dict(document)


async def test_every_operation_serves_its_owner_alone(system: System, network: Network):
    signer = await Signer.of(system)
    async with world(system, network) as made:
        document = await eventually(lambda: whole(made), 60, "a service does not say what it offers")
        found = {operation.id: operation for operation in operations(document)}
        faults = [
            f"{name} ({found[name].method} {found[name].path}) has no valid request: add one to valid.py or beside it"
            for name in sorted(found.keys() - RULES.keys() - SOCKETS)
        ]
        faults += [f"{name} has a valid request and is no operation any more" for name in sorted(RULES.keys() - found.keys())]
        assert made.owner.token
        assert (await status_of(system, signer.again(made.owner.token))) == 200, "the signing key is the installation's own"
        frames: list[str] = []
        async with made.stranger.socket() as socket:

            async def listen() -> None:
                while True:
                    frames.append(json.dumps(await socket.next(600), ensure_ascii=False))

            listening = asyncio.create_task(listen())
            for name, rule in RULES.items():
                if name in found:
                    await Walk(made, signer, found[name], rule, faults).run()
            # the stranger's own frame comes last: what was before it has been delivered
            own = await made.stranger.add_device("Mío")

            async def told() -> bool:
                return any(own["id"] in frame for frame in frames)

            await eventually(told, 20, "the stranger's own frame did not come")
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
        if leaked := {value for frame in frames for value in made.leaked(frame)}:
            faults.append(f"the stranger's socket told {sorted(leaked)[:3]}")
        state = await made.owner.get(f"/api/devices/{made.device}")
        assert state["state"] == "connected", "the walk has changed what it must not"
        assert not faults, "\n".join(["", *faults])


async def status_of(system: System, token: str) -> int:
    async with Client(system.url, token) as client:
        return (await client.raw("GET", "/api/auth/me"))[0]

"""The demo: a shop with two numbers, three people who answer, and customers who write to it.

Everything is found again at the next start. Passwords are random for each data folder.
"""

import asyncio
import secrets
from contextlib import AsyncExitStack
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

import aiohttp
import msgspec
from rich.table import Table
from sim.testing import Api as Network
from sim.testing import Refusal

from clarin.client import Client, Refused, eventually
from clarin.folder import Folder, Running, write

WITHIN = 60.0
ACCOUNT = "Café Luna"


class DemoFailed(Exception):
    """The demo could not be set up; the system itself runs."""


class Person(msgspec.Struct, frozen=True):
    """Someone who may sign in."""

    role: str
    name: str
    email: str
    password: str


PEOPLE = (("owner", "Ana Luna"), ("admin", "Bruno Díaz"), ("agent", "Carla Souza"))

#: By the name of the number: its phone.
NUMBERS = {"Ventas": "525550000001", "Soporte": "525550000002"}

#: Who writes where, and what; the last two words of the first are answered.
CUSTOMERS = (
    ("5215512340001", "Luis Herrera", "Ventas", ("¡Hola! ¿Tienen café de Chiapas?", "Quiero dos kilos, por favor.")),
    ("5215512340002", "María Campos", "Ventas", ("Buenos días, ¿hacen envíos a Puebla?",)),
    ("5511912340003", "João Pereira", "Soporte", ("Oi! Meu pedido chegou com a embalagem aberta.", "Podem trocar?")),
    ("5215512340004", "Sofía Núñez", "Soporte", ("Mi factura tiene el RFC equivocado 😕",)),
)
ANSWER = "¡Hola, Luis! Sí: tostado de esta semana, a 240 pesos el kilo."


class Credentials(msgspec.Struct, frozen=True):
    """Who may sign in to the demo."""

    people: tuple[Person, ...]

    @classmethod
    def of(cls, folder: Folder) -> Self:
        """Read them, or make them once."""
        path = folder.secrets / "demo.json"
        if not path.exists():
            people = tuple(Person(role, name, f"{role}@luna.example", secrets.token_urlsafe(12)) for role, name in PEOPLE)
            write(path, msgspec.json.format(msgspec.json.encode(cls(people))).decode())
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def table(self) -> Table:
        """Lay them out for a terminal."""
        table = Table(box=None, pad_edge=False)
        for heading in ("demo", "sign in as", "password"):
            table.add_column(heading)
        for person in self.people:
            table.add_row(person.role, person.email, person.password)
        return table


async def ensure(folder: Folder, running: Running) -> Credentials:
    """The demo's account, people, numbers and chats are there; what was there stays as it is.

    Raises:
        DemoFailed: Something refused, or took too long.
    """
    credentials = Credentials.of(folder)
    try:
        async with asyncio.timeout(WITHIN), AsyncExitStack() as stack:
            client = await stack.enter_async_context(Client(running.url))
            await _people(client, credentials.people)
            if running.sim_url:
                network = await stack.enter_async_context(Network(running.sim_url))
                await _shop(client, network)
    except (Refused, Refusal, TimeoutError, aiohttp.ClientError) as error:
        raise DemoFailed(f"The demo is not complete: {str(error) or f'not within {WITHIN:.0f} s'}.") from error
    return credentials


async def _people(client: Client, people: tuple[Person, ...]) -> None:
    owner, *others = people
    try:
        await client.login(owner.email, owner.password)
    except Refused as refused:
        if refused.status != 401:
            raise
        await client.register(owner.email, owner.password, name=owner.name, account=ACCOUNT)
    known = {user["email"] async for user in client.everything("/api/auth/users")}
    for person in others:
        if person.email not in known:
            await client.post("/api/auth/users", msgspec.to_builtins(person))


async def _shop(client: Client, network: Network) -> None:
    phones = {phone["number"] for phone in (await network.get("/phones"))["items"]}
    wanted = [(number, name) for name, number in NUMBERS.items()] + [(number, name) for number, name, _, _ in CUSTOMERS]
    for number, name in wanted:
        if number not in phones:
            await network.phone(number, name)
    devices = {device["name"]: device async for device in client.everything("/api/devices")}
    await asyncio.gather(*(_number(client, network, devices.get(name), name, number) for name, number in NUMBERS.items()))
    await asyncio.gather(*(_customer(network, *customer) for customer in CUSTOMERS))
    await _answer(client)


async def _number(client: Client, network: Network, device: Any, name: str, number: str) -> None:
    if device is None:
        device = await client.add_device(name)
    if device.get("phone") or device["state"] in {"connected", "connecting"}:
        return  # linked before: its worker connects it again by itself
    await client.pair(device["id"], network, number, within=WITHIN)


async def _customer(network: Network, number: str, name: str, shop: str, texts: tuple[str, ...]) -> None:
    if not (await network.get(f"/phones/{number}/chats/{NUMBERS[shop]}"))["items"]:
        for text in texts:
            await network.write(number, NUMBERS[shop], text)


async def _answer(client: Client) -> None:
    """The first customer has one answer, so that there are ticks to look at."""

    async def written() -> Any:
        chats = [chat async for chat in client.everything("/api/chats")]
        return next((chat for chat in chats if CUSTOMERS[0][1] in str(chat)), None)

    chat = await eventually(written, WITHIN, "no customer's message arrived")
    messages = [message async for message in client.everything(f"/api/chats/{chat['id']}/messages")]
    if not any(message["from_me"] for message in messages):
        key = str(uuid5(NAMESPACE_URL, f"clarin-demo:{chat['id']}"))
        await client.post("/api/messages/send", {"chat_id": chat["id"], "text": ANSWER}, key=key)

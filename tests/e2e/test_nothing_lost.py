"""Nothing lost, nothing doubled: the phones' view and the database agree to the message, whatever was killed meanwhile.

What whatsmeow had decrypted when its process was killed comes again and cannot be read again: it is asked for anew.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable

import aiohttp
import pytest
from clarin.client import Client
from clarin.testing import System
from sim.testing import Api as Network
from sim.testing import Refusal

pytestmark = pytest.mark.timeout(900)

DEVICES = 20
EACH_WAY = 2_000
CUSTOMERS_EACH = 5
RATE = 60.0  # messages a second in each direction
PATIENCE = 60.0


async def test_2000_messages_each_way_survive_the_death_of_everything(system: System, network: Network):
    async with system.owner() as owner:
        fleet = await paired(system, network, owner, DEVICES)
        customers = {device: [await system.phone(network, f"C{n}") for n in range(CUSTOMERS_EACH)] for device in fleet}
        inbound = [f"in-{n}" for n in range(EACH_WAY)]
        outbound = [f"out-{n}" for n in range(EACH_WAY)]
        chaos = asyncio.create_task(kill_everything(system))
        await asyncio.gather(write(network, fleet, customers, inbound), answer(owner, customers, outbound))
        await chaos

        phones = [number for numbers in customers.values() for number in numbers]

        stored, arrived = await settled(owner, network, phones)

    assert doubled(stored["in"]) == {}, "a customer's message stands twice in the database"
    missing = sorted(set(inbound) - set(stored["in"]), key=inbound.index)
    assert not missing, f"{len(missing)} of the customers' messages are lost, {stored['placeholders']} are shown as such: {missing[:40]}"
    assert doubled(arrived) == {}, "a customer got an answer twice"
    # What nobody knows of, or the phone could not read, stays `unknown` until a person decides: it is neither sent again nor given up in
    # silence.
    doubtful = in_doubt(stored)
    lost = set(outbound) - set(arrived) - doubtful
    assert not lost, f"answers are lost: {sorted(lost)}; {stored['status']}"
    # Each number has one message in hand at a time, and its worker is killed twice.
    assert len(doubtful) <= 2 * DEVICES, stored["status"]
    assert set(stored["out"]) == set(outbound)
    assert {stored["out"][text] for text in set(arrived) - doubtful} <= {"sent", "delivered", "read"}


async def settled(owner: Client, network: Network, phones: list[str]) -> tuple[dict, list[str]]:
    """What the API says and what the phones read, once nothing is missing, or nothing more has come for a long time.

    A phone has read a message before the API has heard of it.
    """
    found, since = -1, time.monotonic()
    while True:
        stored, arrived = await stored_texts(owner), await decrypted_texts(network, phones)
        inside = len(stored["in"])
        outside = len(set(arrived) | in_doubt(stored))
        told = len(stored["out"]) - stored["status"]["queued"] - stored["status"]["sending"]
        if inside + outside + told != found:
            found, since = inside + outside + told, time.monotonic()
        if min(inside, outside, told) >= EACH_WAY or time.monotonic() - since > PATIENCE:
            return stored, arrived
        await asyncio.sleep(2)


def in_doubt(stored: dict) -> set[str]:
    """Our texts of which the API does not say that they were sent."""
    return {text for text, status in stored["out"].items() if status in {"unknown", "failed"}}


async def paired(system: System, network: Network, owner: Client, count: int) -> dict[str, str]:
    """Device → number, all connected."""
    fleet: dict[str, str] = {}

    async def one(index: int) -> None:
        number = await system.phone(network, f"Tienda {index}")
        device = (await owner.add_device(f"Número {index}"))["id"]
        await owner.pair(device, network, number, within=180)
        await owner.unpaced(device)
        fleet[device] = number

    for start in range(0, count, 4):
        await asyncio.gather(*(one(index) for index in range(start, min(start + 4, count))))
    return fleet


async def kill_everything(system: System) -> None:
    """End each part once, at a bad moment, and give it time to come back."""
    for name in ("worker-1", "nats", "postgres", "conversations", "worker-1", "realtime", "gateway"):
        await asyncio.sleep(5)
        system.kill(name)


async def write(network: Network, fleet: dict[str, str], customers: dict[str, list[str]], texts: list[str]) -> None:
    """The customers write, evenly spread."""
    pairs = [(customer, fleet[device]) for device, numbers in customers.items() for customer in numbers]
    for n, text in enumerate(texts):
        customer, number = pairs[n % len(pairs)]
        await network.ask("POST", f"/phones/{customer}/messages", {"to": number, "text": text})
        await asyncio.sleep(1 / RATE)


async def answer(owner: Client, customers: dict[str, list[str]], texts: list[str]) -> None:
    """The agents write, each with a key, so that a repeat after a refusal is the same message."""
    pairs = [(device, customer) for device, numbers in customers.items() for customer in numbers]
    gate = asyncio.Semaphore(40)

    async def one(n: int, text: str) -> None:
        device, customer = pairs[n % len(pairs)]
        async with gate:
            await owner.insist("POST", "/api/messages/send", {"device_id": device, "to": customer, "text": text}, key=text, within=300)

    sends: list[Awaitable[None]] = []
    for n, text in enumerate(texts):
        sends.append(asyncio.create_task(one(n, text)))
        await asyncio.sleep(1 / RATE * random.uniform(0.5, 1.5))
    await asyncio.gather(*sends)


async def stored_texts(owner: Client) -> dict:
    """What the API says: customers' texts and placeholders, our texts with their status, and how many have which status."""
    inbound: list[str] = []
    placeholders = 0
    outbound: dict[str, str] = {}
    async for chat in owner.everything("/api/chats"):
        async for message in owner.everything(f"/api/chats/{chat['id']}/messages"):
            if message["from_me"]:
                assert message["text"] not in outbound, f"{message['text']} stands twice"
                outbound[message["text"]] = message["status"]
            elif message["kind"] == "undecryptable":
                placeholders += 1
            else:
                inbound.append(message["text"])
    return {"in": inbound, "placeholders": placeholders, "out": outbound, "status": Counter(outbound.values())}


async def decrypted_texts(network: Network, phones: list[str]) -> list[str]:
    """What the customers' phones decrypted."""
    texts: list[str] = []
    for number in phones:
        after = 0
        while items := (await reading(network, f"/phones/{number}/inbox?after={after}&wait=0"))["items"]:
            texts += [item["text"] for item in items]
            after = items[-1]["n"]
    return texts


async def reading(network: Network, path: str) -> dict:
    for _ in range(5):
        try:
            return await network.get(path)
        except (aiohttp.ClientError, Refusal):
            await asyncio.sleep(0.5)
    return await network.get(path)


def doubled(texts: list[str]) -> dict[str, int]:
    return {text: count for text, count in Counter(texts).items() if count > 1}

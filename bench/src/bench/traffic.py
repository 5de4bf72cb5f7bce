"""Steady traffic both ways over a fleet, who hears it, and what the records say of it in the end."""

import asyncio
import contextlib
import math
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from clarin.client import Client, Refused
from sim.testing import Api as Network
from sim.testing import Refusal

from bench.fleet import Fleet, Number
from bench.truth import PLACEHOLDER, Records

TICK = 0.05
_ACCEPTED_WITHIN = 90.0
_READERS = 8
#: Nothing has come for so many seconds: what the API says of the rest is asked.
_SILENT = 5.0
_GIVEN_UP = ("unknown", "failed")
#: The second is what a phone encrypted once more, because it could not be read.
_SHOWN = ("new_message", "message_replaced")


@dataclass(slots=True)
class Heard:
    """What the browsers were shown. Times are monotonic seconds.

    Attributes:
        texts: When a customer's message was shown first.
        states: When a device was said to stand where: (time, device, state).
        resumed: How often a socket that came back got all that it had missed.
        resynced: How often it was told to fetch everything anew.
    """

    texts: dict[str, float] = field(default_factory=dict)
    states: list[tuple[float, str, str]] = field(default_factory=list)
    resumed: int = 0
    resynced: int = 0

    def back(self, device: str, since: float) -> float | None:
        """Tell when *device* was connected next, after *since*."""
        return next((at for at, id, state in self.states if id == device and state == "connected" and at > since), None)


@contextlib.asynccontextmanager
async def listening(fleet: Fleet) -> AsyncIterator[Heard]:
    """Every account has a browser open, which comes back when its socket is closed."""
    heard = Heard()
    readers = [asyncio.create_task(_listen(client, heard)) for client in fleet.clients]
    try:
        yield heard
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _listen(client: Client, heard: Heard) -> None:
    since: tuple[str, int] | None = None
    while True:
        try:
            async with client.socket(since=since) as socket:
                heard.resumed += bool(socket.resumed)
                while True:
                    frame = await socket.next(3600)
                    at, _ = socket.frames.pop()
                    since = (socket.epoch, socket.seq)
                    if frame["event"] == "resync":
                        heard.resynced += 1
                    elif frame["event"] in _SHOWN and not frame["data"]["from_me"]:
                        heard.texts.setdefault(str(frame["data"]["text"]), at)
                    elif frame["event"] == "device_status":
                        heard.states.append((at, frame["data"]["id"], frame["data"]["state"]))
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            await asyncio.sleep(0.5)


class Traffic:
    """Writes in both directions and remembers what was written, and what was taken."""

    def __init__(self, network: Network, fleet: Fleet) -> None:
        self._network, self._fleet = network, fleet
        self._sending: set[asyncio.Task[None]] = set()
        self._n = 0
        self._run = secrets.token_hex(3)  # a kept fleet has the messages of former runs
        self.asked = 0
        self.refused = 0
        self.written: dict[str, float] = {}
        self.accepted: dict[str, float] = {}

    async def run(self, phase: str, rate: float, stopping: asyncio.Event, *, pairs: float = math.inf) -> None:
        """Write at *rate* messages a second, both directions together, until *stopping*, or *pairs* of them; texts begin with *phase*."""
        began, done = time.monotonic(), 0
        while not stopping.is_set() and done < pairs:
            due = min(int((time.monotonic() - began) * rate / 2) + 1, pairs)
            batch = []
            while done < due:
                done += 1
                batch.append(self._both(phase))
            if batch:
                at = time.monotonic()
                await self._network.ask("POST", "/messages", {"items": batch})
                self.written |= dict.fromkeys((item["text"] for item in batch), at)
            await asyncio.sleep(TICK)

    async def once_each(self, phase: str, rate: float) -> None:
        """Each number gets one message, and sends one."""
        await self.run(phase, rate, asyncio.Event(), pairs=len(self._fleet.numbers))

    async def sent(self) -> None:
        """Whatever was begun has been taken or refused."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def end(self) -> None:
        """Send nothing more: what was begun and not taken yet is called off."""
        sending = list(self._sending)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    def _both(self, phase: str) -> dict[str, str]:
        """Let the next number send; gives what its customer writes to it."""
        number = self._fleet.numbers[self._n % len(self._fleet.numbers)]
        self._n += 1
        self.asked += 2
        task = asyncio.create_task(self._send(number, f"{phase}-out-{self._run}-{self._n}"))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return {"from": number.customer, "to": number.phone, "text": f"{phase}-in-{self._run}-{self._n}"}

    async def _send(self, number: Number, text: str) -> None:
        body = {"device_id": number.device, "to": number.customer, "text": text}
        try:
            await self._fleet.clients[number.account].insist("POST", "/api/messages/send", body, key=text, within=_ACCEPTED_WITHIN)
        except (Refused, aiohttp.ClientError, TimeoutError, ValueError):
            self.refused += 1
        else:
            self.accepted[text] = time.monotonic()

    async def settled(self, heard: Heard, patience: float) -> Records:
        """Give the records once nothing is missing any more, or nothing more has come for *patience* seconds.

        What is known not to have arrived is not missing.
        """
        await self.sent()
        decrypted: set[str] = set()
        copies: list[str] = []
        after: dict[str, int] = {}
        before, since, asked = -1, time.monotonic(), 0.0
        while True:
            copies += await self._decrypted(after)
            decrypted.update(copies)
            now = time.monotonic()
            found = len(decrypted & self.accepted.keys()) + len(heard.texts.keys() & self.written.keys())
            if found != before:
                before, since = found, now
            if found == len(self.accepted) + len(self.written) or now - since > patience:
                break
            if now - max(since, asked) > _SILENT:
                stored, statuses = await self._stored()
                if self.written.keys() <= set(stored) and all(statuses.get(text) in _GIVEN_UP for text in self.accepted.keys() - decrypted):
                    break
                asked = time.monotonic()
            await asyncio.sleep(1)
        copies += await self._decrypted(after)  # a second copy may follow the first
        stored, statuses = await self._stored()
        return Records(
            written=list(self.written),
            stored=[text for text in stored if self._run in text or text == PLACEHOLDER],
            accepted=list(self.accepted),
            decrypted=[text for text in copies if self._run in text],
            statuses=statuses,
        )

    async def _decrypted(self, after: dict[str, int]) -> list[str]:
        """Read on in the inbox of each customer's phone."""
        gate = asyncio.Semaphore(_READERS)

        async def read(phone: str) -> list[str]:
            texts: list[str] = []
            async with gate:
                while items := (await self._insist(f"/phones/{phone}/inbox?after={after.get(phone, 0)}&wait=0"))["items"]:
                    texts += [item["text"] for item in items]
                    after[phone] = items[-1]["n"]
            return texts

        return [text for texts in await asyncio.gather(*(read(number.customer) for number in self._fleet.numbers)) for text in texts]

    async def _insist(self, path: str) -> dict[str, list[dict[str, Any]]]:
        for _ in range(10):
            with contextlib.suppress(aiohttp.ClientError, Refusal):
                return dict(await self._network.get(path))
            await asyncio.sleep(0.5)
        return dict(await self._network.get(path))

    async def _stored(self) -> tuple[list[str], dict[str, str]]:
        """Read what the API shows: the customers' texts, and how each of ours stands."""
        stored: list[str] = []
        statuses: dict[str, str] = {}

        async def read(client: Client) -> None:
            async for chat in client.everything("/api/chats"):
                async for message in client.everything(f"/api/chats/{chat['id']}/messages"):
                    if message["from_me"]:
                        statuses[message["text"]] = message["status"]
                    else:
                        stored.append(message["text"] or f"[{message['kind']}]")

        await asyncio.gather(*(read(client) for client in self._fleet.clients))
        return stored, statuses

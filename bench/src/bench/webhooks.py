"""How soon webhooks are tried, whether any is lost, and what a dead endpoint costs the others.

Events go onto the bus as conversations would tell them; receivers listen on loopback and check every signature with the standard's
own library. The same load twice in one run, in turns: all endpoints well, and every tenth dead (it takes connections and never answers).
The cost is how much later the well ones are told beside the dead.
"""

import asyncio
import statistics
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from clarin.client import Client
from contracts import ids
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import MessageReceived
from contracts.ids import DeviceId, TenantId
from contracts.views import MessageStatus
from servicekit.bus import Bus
from standardwebhooks import Webhook, WebhookVerificationError

from bench import figures
from bench.installation import installation, register

TENANTS = 100
ROUNDS = 3
#: Of the tenants, every so manieth has a dead endpoint beside its well one.
DEAD_EVERY = 10
PATIENCE = 60.0


class Receivers:
    """All well endpoints on one port: when each event came first, how often, and how many signatures were wrong."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.times: Counter[str] = Counter()
        self.wrong = 0
        self.secrets: dict[str, Webhook] = {}
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Take one delivery and check its signature."""
        now, body, id = time.monotonic(), await request.read(), request.headers["webhook-id"]
        try:
            self.secrets[request.match_info["name"]].verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.wrong += 1
        self.first.setdefault(id, now)
        self.times[id] += 1
        return web.Response(status=204)

    async def open(self, stack: AsyncExitStack) -> None:
        """Listen until *stack* ends."""
        app = web.Application()
        app.router.add_post("/{name}", self.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"


async def run(*, rate: int, seconds: float, tenants: int = TENANTS) -> dict[str, Any]:
    """Tell *rate* events a second over so many tenants, for *seconds* in each lap of which there are two times three."""
    async with installation() as system, AsyncExitStack() as stack:
        receivers = Receivers()
        await receivers.open(stack)
        dead = await asyncio.start_server(_never_answers, "127.0.0.1", 0)
        stack.callback(dead.close)
        clients = [await stack.enter_async_context(Client(system.url)) for _ in range(tenants)]
        gate = asyncio.Semaphore(3)

        async def prepare(number: int) -> None:
            async with gate:
                await register(clients[number])
                made = await clients[number].post("/api/webhooks", {"url": f"{receivers.url}/{number}"}, key="well")
                receivers.secrets[str(number)] = Webhook(made["secret"])

        await asyncio.gather(*(prepare(number) for number in range(tenants)))
        accounts = [TenantId(ids.parse(ids.ACCOUNT, client.me["account"]["id"])) for client in clients]
        bus = await stack.enter_async_context(Bus.open(str(system.ready["nats"]), name="bench"))
        told: dict[str, float] = {}
        await _lap(bus, accounts, told, rate, 1.0)  # caches, connections
        await _arrived(receivers, told)
        well, beside = [], []
        doomed: list[tuple[Client, str]] = []
        port = dead.sockets[0].getsockname()[1]
        for _ in range(ROUNDS):
            well.append(await _measured(bus, accounts, told, receivers, rate, seconds))
            for client in clients[::DEAD_EVERY]:
                made = await client.post("/api/webhooks", {"url": f"http://127.0.0.1:{port}/"})
                doomed.append((client, made["id"]))
            beside.append(await _measured(bus, accounts, told, receivers, rate, seconds))
            while doomed:
                client, id = doomed.pop()
                await client.ask("DELETE", f"/api/webhooks/{id}")
        lost = len(told.keys() - receivers.first.keys())
        repeated = sum(1 for count in receivers.times.values() if count > 1)
    waits = [wait for lap in well for wait in lap]
    cost = statistics.median(_p95(after) / _p95(before) for before, after in zip(well, beside, strict=True))
    return {
        "name": "webhooks",
        "first_attempt_p50_ms": round(figures.percentile(waits, 0.5) * 1000, 1),
        "first_attempt_p95_ms": round(_p95(waits) * 1000, 1),
        "first_attempt_p99_ms": round(figures.percentile(waits, 0.99) * 1000, 1),
        "dead_endpoint_cost": round(cost, 3),
        "beside_dead_p95_ms": round(_p95([wait for lap in beside for wait in lap]) * 1000, 1),
        "rate": rate,
        "tenants": tenants,
        "wrong_signatures": receivers.wrong,
        "lost": lost + receivers.wrong,
        "doubled": repeated,
        "asked": len(told),
        "done": len(receivers.first.keys() & told.keys()),
    }


def _p95(waits: list[float]) -> float:
    return figures.percentile(waits, 0.95)


async def _measured(
    bus: Bus, tenants: list[TenantId], told: dict[str, float], receivers: Receivers, rate: int, seconds: float
) -> list[float]:
    mine = await _lap(bus, tenants, told, rate, seconds)
    await _arrived(receivers, mine)
    return [receivers.first[id] - at for id, at in mine.items() if id in receivers.first] or [PATIENCE]


async def _lap(bus: Bus, tenants: list[TenantId], told: dict[str, float], rate: int, seconds: float) -> dict[str, float]:
    mine: dict[str, float] = {}
    began, sent = time.monotonic(), 0
    while sent < int(rate * seconds):
        due = min(int(rate * seconds), int((time.monotonic() - began) * rate) + 1) - sent
        some = [_message(tenants[(sent + number) % len(tenants)], sent + number) for number in range(due)]
        now = time.monotonic()
        mine |= {ids.public(ids.EVENT, one.id): now for one in some}
        await bus.publish(*some)
        sent += due
        await asyncio.sleep(0.005)
    told |= mine
    return mine


async def _arrived(receivers: Receivers, mine: dict[str, float]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not mine.keys() - receivers.first.keys():
            return
        await asyncio.sleep(0.1)


def _message(tenant: TenantId, number: int) -> Envelope[MessageReceived]:
    device = DeviceId(ids.new())
    body = MessageReceived(
        id=ids.public(ids.MESSAGE, ids.new()),
        chat_id=ids.public(ids.CHAT, ids.new()),
        device_id=ids.public(ids.DEVICE, device),
        from_me=False,
        kind="text",
        status=MessageStatus.RECEIVED,
        at=datetime.now(UTC),
        text=f"{number} " + "texto " * 20,
    )
    return wrap(tenant, body, audience=Audience(device=device))


async def _never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while await reader.read(65_536):
            pass
    writer.close()

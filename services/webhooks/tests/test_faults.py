"""Receivers as they are out there, names that lie, and a sender that is killed: nothing is lost, and nobody waits for another's."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from contracts.ids import TenantId
from servicekit.bus import Bus
from servicekit.testing import eventually
from webhooks.domain.addresses import Allowed
from webhooks.sender.target import Target

from .receiver import Receiver, certificate, receiving
from .world import World, a_message, event_id

ACCIDENTS = {
    "hang": "timeout",
    "drip": "timeout",
    "reset": "reset",
    "garbage": "protocol",
    "500": "status",
    "redirect": "redirect",
    "nobody": "connect",
    "expired": "tls",
    "inside": "address-refused",
    "unknown": "dns",
}


async def lookup(host: str, port: int) -> list[str]:
    """A name server on which an attacker has names."""
    if host == "rebound.example.com":
        return ["93.184.215.14", "169.254.169.254"]
    if host.endswith("example.com"):
        return ["127.0.0.1"]
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


async def test_whatever_a_receiver_does_others_are_served_and_its_log_says_what_it_did(bare: World, receiver: Receiver, bus: Bus):
    server, _ = certificate("other.example.com")
    async with receiving(server) as secure:
        await bare.replica(lookup=lookup, webhook_allow="127.0.0.0/8")
        ana, luis = bare.caller(), bare.caller()
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            urls = {name: f"{receiver.url}/{name}" for name in ("hang", "drip", "reset", "garbage", "500", "redirect")}
            urls |= {
                "nobody": f"http://127.0.0.1:{nobody.getsockname()[1]}/",
                "expired": secure.url.replace("127.0.0.1", "shop.example.com"),
                "inside": "https://rebound.example.com/",
                "unknown": "https://nowhere.example.org/",
            }
            receiver.answers |= {f"/{name}": name for name in ("hang", "drip", "reset", "garbage")}
            receiver.answers["/500"] = 500
            receiver.answers["/redirect"] = (307, f"Location: {receiver.url}/secret\r\n", "")
            receiver.answers["/flood"] = ("flood", "", "")
            made = {name: await ana.make(url) for name, url in urls.items()}
            await ana.make(f"{receiver.url}/good")
            await luis.make(f"{receiver.url}/luis")
            flood = await luis.make(f"{receiver.url}/flood")
            some = [a_message(ana.tenant) for _ in range(8)]
            await bus.publish(*some, *(a_message(luis.tenant) for _ in range(8)))
            await eventually(lambda: len(receiver.at("/good")) == len(receiver.at("/luis")) == 8)
            assert sorted(receiver.ids("/good")) == sorted(map(event_id, some))

            async def told() -> None:
                for name, error in ACCIDENTS.items():
                    log = await ana.attempts(made[name]["id"])
                    assert log, name
                    found = {one["error"] for one in log}
                    assert error in found <= {error, "timeout"}, (name, found)  # a busy machine is late itself

            await eventually(told, every=0.1)
            assert receiver.at("/secret") == []
            assert {one["error"] for one in await eventually(lambda: luis.attempts(flood["id"]))} == {None}


async def test_a_name_is_looked_up_once_and_only_what_was_judged_is_connected_to(receiver: Receiver):
    asked: list[str] = []

    async def changing(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if host.startswith("named") or len(asked) > 1 else ["127.0.0.99"]

    port = receiver.url.rpartition(":")[2]
    async with Target.open(Allowed.of("named.example.com,127.0.0.99"), seconds=1.0, lookup=changing) as target:
        # the first answer was judged, so the first answer is connected to: the second never counts
        answer = await target.post(f"http://first.example.com:{port}/", {}, b"{}")
        assert (answer.status, answer.error) == (None, "connect")
        assert asked == ["first.example.com"]
        assert (await target.post(f"http://second.example.com:{port}/", {}, b"{}")).error == "address-refused"
        assert (await target.post(f"http://named.example.com:{port}/", {}, b"{}")).status == 204
        for literal in (f"http://127.0.0.1:{port}/", f"http://[::1]:{port}/", f"http://[::ffff:7f00:1]:{port}/"):
            assert (await target.post(literal, {}, b"{}")).error == "address-refused"
        assert (await target.post(f"http://2130706433:{port}/", {}, b"{}")).error in {"url", "address-refused"}, "127.0.0.1"
    assert len(receiver.received) == 1


async def test_a_connection_is_used_again_and_one_that_was_closed_meanwhile_is_no_failure(receiver: Receiver):
    server, client = certificate("shop.example.com")
    async with receiving(server) as secure, Target.open(Allowed.of("127.0.0.0/8"), lookup=lookup, tls=client) as target:
        url = secure.url.replace("127.0.0.1", "shop.example.com")
        for _ in range(5):
            assert (await target.post(url, {}, b"{}")).error is None
        assert secure.connections == 1
        dropped = iter(["reset", 204])
        secure.answers["/"] = lambda _: next(dropped)
        assert (await target.post(url, {}, b"{}")).error is None, "the kept connection was gone: a fresh one is taken"
        secure.answers["/"] = "reset"
        assert (await target.post(url, {}, b"{}")).error == "reset"


async def test_a_dead_endpoint_is_left_alone_and_costs_one_request_now_and_then(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    receiver.answers["/dead"] = 500
    made = await ana.make(f"{receiver.url}/dead")
    await bus.publish(*(a_message(ana.tenant) for _ in range(30)))
    await eventually(lambda: _held(ana, made["id"]))
    tried = len(receiver.at("/dead"))
    assert tried <= 5 + 4
    for _ in range(5):
        await bus.publish(*(a_message(ana.tenant) for _ in range(5)))
        await eventually(lambda: _let_go(world))
    assert len(receiver.at("/dead")) == tried
    receiver.answers["/dead"] = 200
    await world.passes()
    await eventually(lambda: _settled(world))
    assert len(set(receiver.ids("/dead"))) == 55


async def _held(ana, id: str) -> bool:
    return bool((await ana("GET", f"/api/webhooks/{id}"))["held_until"])


async def _let_go(world: World) -> bool:
    return not await world.admin.fetchval("select count(*) from lanes where owner is not null")


async def _settled(world: World) -> bool:
    await world.admin.execute("update deliveries set next_at = now() where state = 'waiting' and next_at > now()")
    return not await world.admin.fetchval("select count(*) from deliveries where state = 'waiting'")


async def test_two_replicas_share_the_work_and_one_that_stops_gives_its_lanes_back(bare: World, receiver: Receiver, bus: Bus):
    stop = await bare.replica()
    await bare.replica()
    ana = bare.caller()
    made = [await ana.make(f"{receiver.url}/{number}", ordered=True) for number in range(6)]
    chat = uuid4()
    first = [a_message(ana.tenant, chat=chat) for _ in range(10)]
    await bus.publish(*first)
    await eventually(lambda: len(receiver.received) == 60)
    await stop()
    second = [a_message(ana.tenant, chat=chat) for _ in range(10)]
    await bus.publish(*second)
    await eventually(lambda: len(receiver.received) == 120, timeout=12)
    for number in range(len(made)):
        assert receiver.ids(f"/{number}") == [event_id(one) for one in (*first, *second)]


@asynccontextmanager
async def process(world: World):
    """The service as a process of its own; what is given kills it and starts it anew."""
    settings = world.settings
    environment = {
        **os.environ,
        "CLARIN_DATABASE_URL": settings.database_url,
        "CLARIN_SYSTEM_DATABASE_URL": settings.system_database_url,
        "CLARIN_NATS_URL": settings.nats_url,
        "CLARIN_CURSOR_SECRET": settings.cursor_secret,
        "CLARIN_ENCRYPTION_KEY": settings.encryption_key,
        "CLARIN_WEBHOOK_ALLOW": "127.0.0.0/8",
        "CLARIN_LOG_LEVEL": "WARNING",
    }
    running: list[asyncio.subprocess.Process] = []

    async def start() -> None:
        running.append(await asyncio.create_subprocess_exec(sys.executable, "-m", "webhooks", env=environment))

    async def kill() -> None:
        os.kill(running[-1].pid, signal.SIGKILL)
        await running[-1].wait()

    await start()
    try:
        yield start, kill
    finally:
        if running[-1].returncode is None:
            await kill()


@pytest.mark.timeout(120)
async def test_a_sender_that_is_killed_loses_nothing(bare: World, receiver: Receiver, bus: Bus):
    ana = TenantId(uuid4())
    await bare.replica()
    caller = bare.caller(ana)
    made = [await caller.make(f"{receiver.url}/{number}") for number in range(3)]
    await bare.stack.aclose()
    receiver.answers["/2"] = 0.1
    some = []
    async with process(bare) as (start, kill):
        for _ in range(20):
            batch = [a_message(ana, "é") for _ in range(5)]
            some += batch
            await bus.publish(*batch)
        await eventually(lambda: len(receiver.received) > len(some))
        await kill()
        assert len(receiver.received) < 3 * len(some), "it was killed at work"
        # as its lease would in twenty seconds
        await bare.admin.execute("update lanes set leased_until = now()")
        await start()
        wanted = set(map(event_id, some))
        for number in range(3):
            await eventually(lambda number=number: set(receiver.ids(f"/{number}")) == wanted, timeout=40)
    for one in receiver.received:
        assert one.verified(made[int(one.path[1:])]["secret"])["data"]["text"].endswith("é")
    assert len(receiver.received) < len(some) * 3 * 1.5, "repeats are what was under way when it was killed"

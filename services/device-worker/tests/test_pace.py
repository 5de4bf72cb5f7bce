"""How a number sends, with real sessions: budgets, pauses and bans let messages wait and say why; the proxy that is set is gone by."""

import asyncio
import base64
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from contracts import ids
from servicekit.testing import eventually

pytestmark = pytest.mark.timeout(120)


async def configure(world, device, **settings):
    answer = await world.client.patch(f"/api/devices/{device}/settings", json=settings)
    assert answer.status_code == 200, answer.text


async def meter(world, device):
    return (await world.client.get(f"/api/devices/{device}/governor")).json()


async def told(world, message, reason):
    """It was told of *message* that it waits for this reason; until when."""

    async def probe():
        found = [e.data for e in await world.events("devices.message.unsent") if e.data.message == message and e.data.outcome == "waiting"]
        assert reason in [event.reason for event in found], found
        return next(event for event in found if event.reason == reason)

    return await eventually(probe, every=0.1)


async def texts(world, phone, count):
    return [item["text"] for item in await world.phones.wait_for(phone, "inbox", count)]


async def test_what_is_over_a_budget_waits_and_says_why_while_others_are_answered_and_the_counts_survive_a_kill(world):
    worker = await world.worker()
    device = await world.linked()
    bea = world.ana[:-7] + "9" + world.ana[-6:]
    await world.phones.phone(bea, "Bea")
    await configure(world, device, pace={"new_contacts_per_day": 1, "warm_up": []})

    await world.order(device, world.ana, "first stranger")
    assert await texts(world, world.ana, 1) == ["first stranger"]
    held = await world.order(device, bea, "second stranger")
    behind = await world.order(device, bea, "and one more")
    why = await told(world, held, "new-contacts")
    assert why.until > datetime.now(UTC)
    await told(world, behind, "new-contacts")
    await world.order(device, world.ana, "she is no stranger now")
    assert await texts(world, world.ana, 2) == ["first stranger", "she is no stranger now"]
    shown = await meter(world, device)
    assert (shown["new_contacts"], shown["waiting"]) == ({"used": 1, "budget": 1}, {"new-contacts": 2})

    await worker.kill()
    await worker.start()
    await world.until(device, "connected", timeout=40)
    assert (await meter(world, device))["new_contacts"] == {"used": 1, "budget": 1}
    await world.phones.write(bea, world.shop, "hola?")
    assert await texts(world, bea, 2) == ["second stranger", "and one more"], "who writes is no stranger"


async def test_a_pause_holds_everything_and_what_is_cancelled_meanwhile_never_goes(world):
    await world.worker()
    device = await world.linked()
    await world.client.post(f"/api/devices/{device}/governor/pause", json={"until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()})
    cancelled = await world.order(device, world.ana, "never mind")
    kept = await world.order(device, world.ana, "kept")
    await told(world, cancelled, "paused")
    public = ids.public(ids.MESSAGE, cancelled)
    assert (await world.client.delete(f"/api/devices/{device}/sends/{public}")).status_code == 204
    await world.client.post(f"/api/devices/{device}/governor/resume")
    [sent] = await world.some("devices.message.sent")
    assert sent.message == kept
    assert await texts(world, world.ana, 1) == ["kept"]
    [gone] = [e.data for e in await world.events("devices.message.unsent") if e.data.outcome == "failed"]
    assert (gone.message, gone.reason) == (cancelled, "cancelled")

    await configure(world, device, pace={"typing": True})
    await world.order(device, world.ana, "a message that takes some seconds to type")

    async def typing():
        [ana] = [phone for phone in (await world.phones.get("/phones"))["items"] if phone["number"] == world.ana]
        return ana["typing"].get(world.shop) == "composing"

    await eventually(typing)
    await world.phones.wait_for(world.ana, "inbox", 2)

    await world.phones.post(f"/sessions/{world.shop}/ban", seconds=3)
    await world.until(device, "banned")
    shown = await meter(world, device)
    assert shown["paused_until"] is not None
    waits = await world.order(device, world.ana, "after the ban")
    assert (await told(world, waits, "paused")).until is not None
    [_, ban] = await world.some("devices.sending.paused", 2)
    assert (ban.id, ban.reason) == (device, shown["paused_reason"])
    await world.until(device, "connected", timeout=40)
    assert (await texts(world, world.ana, 3))[2] == "after the ban"
    reasons = [(step["state"], step["reason"]) for step in (await world.client.get(f"/api/devices/{device}/events")).json()["items"]]
    assert ("banned", ban.reason) in reasons
    assert ("pairing", "qr-shown") in reasons


@asynccontextmanager
async def relay(port: int):
    """A proxy with a password, in front of the network's own; gives its port and what it was told."""
    heads: list[bytes] = []
    running: set[asyncio.Task[None]] = set()

    async def pump(reader, writer):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def serve(reader, writer):
        running.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError), aborting(writer):  # either side may go as it likes
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            with aborting(there_writer):
                there_writer.write(head)
                await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed


@contextmanager
def aborting(writer):
    """Its connection is over at the end."""
    try:
        yield
    finally:
        writer.transport.abort()


async def test_a_session_goes_by_the_proxy_that_is_set_takes_a_change_at_once_and_keeps_its_link_when_it_cannot_connect(world):
    await world.worker()
    async with relay(world.network.info.proxy_port) as (port, heads):
        device = await world.device()
        await configure(world, device, proxy=f"http://ana:s3cr3t@127.0.0.1:{port}", shown_as="Ventas norte")
        await world.client.post(f"/api/devices/{device}/connect")
        await world.phones.phone(world.shop, "Shop")
        await world.phones.phone(world.ana, "Ana")
        await world.phones.post(f"/phones/{world.shop}/scan", qr=await world.qr(device))
        await world.until(device, "connected")
        password = base64.b64encode(b"ana:s3cr3t")
        assert len(heads) >= 2, "the pairing and the session"
        assert all(password in head for head in heads), heads
        await world.order(device, world.ana, "hola")
        assert await texts(world, world.ana, 1) == ["hola"]

        await configure(world, device, proxy="http://127.0.0.1:1")
        await world.told(device, "connecting", "cannot-connect")
        stuck = await world.show(device)
        assert (stuck["action"], stuck["phone"]) == ("set-the-proxy-again", world.shop)
        count = len(heads)
        await configure(world, device, proxy=None)
        await world.until(device, "connected", timeout=40)  # and nobody has scanned again: a failed connect forgets no keys
        assert len(heads) == count, "nothing goes by a proxy that is not set any more"
    await world.order(device, world.ana, "otra vez")
    assert await texts(world, world.ana, 2) == ["hola", "otra vez"]
    assert "s3cr3t" not in world.workers[0].log.read_text()

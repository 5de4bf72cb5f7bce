"""The whole service against the network on loopback: real whatsmeow sessions in a worker of its own."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from contracts import ids
from contracts.ids import DeviceId
from contracts.whatsapp import Address
from device_worker.sessions.standing import Standing
from device_worker.shards import shard_of
from device_worker.store import devices
from servicekit.testing import eventually

pytestmark = pytest.mark.timeout(120)


async def test_a_device_is_linked_by_qr_receives_and_sends_and_survives_a_restart(world):
    worker = await world.worker()
    device = await world.linked()
    shown = await world.show(device)
    assert (shown["phone"], shown["reason"], shown["action"]) == (world.shop, None, None)

    wa_id = await world.phones.write(world.ana, world.shop, "hola")
    [observed] = await world.some("devices.message.observed")
    assert (observed.wa_id, observed.text, observed.kind, observed.from_me, observed.push_name) == (wa_id, "hola", "text", False, "Ana")
    assert {observed.chat.kind, observed.chat_alt.kind} == {"pn", "lid"}
    assert Address("pn", world.ana) in (observed.chat, observed.chat_alt)

    message = await world.order(device, world.ana, "buenas")
    [sent] = await world.some("devices.message.sent")
    [arrived] = await world.phones.wait_for(world.ana, "inbox", 1)
    assert (sent.message, sent.wa_id, arrived["text"]) == (message, arrived["id"], "buenas")
    await world.some("devices.receipt.observed")

    assert await worker.stop() == 0
    await worker.start()
    await world.until(device, "connected")
    await world.phones.write(world.ana, world.shop, "otra vez")
    texts = [found.text for found in await world.some("devices.message.observed", 2)]
    assert texts == ["hola", "otra vez"]

    written = worker.log.read_text()
    for secret in (world.shop, world.ana, "hola", "buenas", "otra vez"):
        assert secret not in written


async def test_a_device_is_linked_by_code_stopped_started_logged_out_and_deleted(world):
    await world.worker()
    device = await world.device()
    await world.phones.phone(world.shop)
    code = await world.client.post(f"/api/devices/{device}/pairing-code", json={"phone": world.shop})
    assert code.status_code == 200, code.text
    await world.phones.post(f"/phones/{world.shop}/code", code=code.json()["code"])
    await world.until(device, "connected")

    await world.client.post(f"/api/devices/{device}/disconnect")
    stopped = await world.until(device, "disconnected")
    assert (stopped["reason"], stopped["action"]) == ("by-user", "connect")
    await eventually(lambda: offline(world))
    await world.client.post(f"/api/devices/{device}/connect")
    await world.until(device, "connected")

    await world.client.post(f"/api/devices/{device}/logout")
    gone = await world.until(device, "logged_out")
    assert (gone["reason"], gone["action"], gone["wanted"], gone["phone"]) == ("by-user", "scan-again", "disconnected", world.shop)
    await eventually(lambda: unlinked(world))

    await world.client.post(f"/api/devices/{device}/connect")
    await world.phones.post(f"/phones/{world.shop}/scan", qr=await world.qr(device))
    await world.until(device, "connected")
    assert (await world.client.delete(f"/api/devices/{device}")).status_code == 204

    async def nothing_left() -> bool:
        return not await world.rows("select 1 from devices") and await unlinked(world)

    await eventually(nothing_left)
    assert len(await world.events("devices.device.deleted")) == 1


async def test_a_pairing_that_is_called_off_leaves_no_qr_and_no_child(world):
    worker = await world.worker()
    device = await world.device()
    await world.client.post(f"/api/devices/{device}/connect")
    await world.qr(device)
    [child] = worker.children("pairing")
    await world.client.post(f"/api/devices/{device}/disconnect")
    assert (await world.client.get(f"/api/devices/{device}/qr")).status_code == 409
    await eventually(lambda: not psutil.pid_exists(child.pid))
    assert (await world.show(device))["state"] == "new"

    await world.client.post(f"/api/devices/{device}/connect")
    await world.qr(device)
    [child] = worker.children("pairing")
    await worker.kill()
    await eventually(lambda: not psutil.pid_exists(child.pid))


async def test_what_whatsapp_does_to_a_session_is_told_with_a_reason_and_survived_where_it_can_be(world):
    await world.worker()
    device = await world.linked()

    await world.phones.post(f"/sessions/{world.shop}/drop")
    await world.told(device, "connecting", "connection-lost")
    await world.until(device, "connected")

    await world.phones.post("/network", state="down")
    await world.until(device, "connecting")
    await world.phones.write(world.ana, world.shop, "while you were away")
    await world.phones.post("/network", state="up")
    await world.until(device, "connected", timeout=40)
    [observed] = await world.some("devices.message.observed")
    assert observed.text == "while you were away"

    await world.phones.post(f"/sessions/{world.shop}/replace")
    await world.told(device, "replaced", "opened-elsewhere")
    await world.until(device, "connected")
    await world.phones.post(f"/sessions/{world.shop}/replace")
    left = await world.until(device, "replaced")
    assert (left["action"], left["wanted"]) == ("connect", "disconnected")
    await world.client.post(f"/api/devices/{device}/connect")
    await world.until(device, "connected")

    await world.phones.post(f"/sessions/{world.shop}/ban", seconds=4)
    banned = await world.until(device, "banned")
    assert (banned["action"], banned["until"] is None) == ("wait", False)
    await world.until(device, "connected", timeout=40)

    await world.phones.post(f"/sessions/{world.shop}/logout")
    out = await world.until(device, "logged_out")
    assert (out["reason"], out["action"]) == ("unlinked-on-phone", "scan-again")


async def test_a_number_that_is_not_on_whatsapp_and_a_message_that_is_too_old_fail_with_their_reasons(world):
    await world.worker()
    device = await world.linked()
    nobody = await world.order(device, "5215559999999", "hello?")
    [unsent] = await world.some("devices.message.unsent")
    assert (unsent.message, unsent.outcome, unsent.reason) == (nobody, "failed", "not-on-whatsapp")

    await world.client.post(f"/api/devices/{device}/disconnect")
    await world.until(device, "disconnected")
    late = await world.order(device, world.ana, "too late", timedelta(seconds=1))
    kept = await world.order(device, world.ana, "in time")
    unsent = (await world.some("devices.message.unsent", 2))[1]
    assert (unsent.message, unsent.outcome, unsent.reason) == (late, "failed", "expired")
    await world.client.post(f"/api/devices/{device}/connect")
    [sent] = await world.some("devices.message.sent")
    assert sent.message == kept
    [arrived] = await world.phones.wait_for(world.ana, "inbox", 1)
    assert arrived["text"] == "in time"


async def test_read_marks_reach_the_customer_and_messages_keep_their_order(world):
    await world.worker()
    device = await world.linked()
    wa_id = await world.phones.write(world.ana, world.shop, "hola")
    [observed] = await world.some("devices.message.observed")
    await world.read(device, observed.chat, [wa_id])

    async def read() -> bool:
        items = (await world.phones.get(f"/phones/{world.ana}/receipts?after=0&wait=1"))["items"]
        return any(item["id"] == wa_id and item["type"] == "read" for item in items)

    await eventually(read)
    for number in range(15):
        to = (world.ana, observed.chat, observed.chat_alt)[number % 3]  # a phone, and both names that WhatsApp has for her
        await world.order(device, to, f"{number}")
    arrived = await world.phones.wait_for(world.ana, "inbox", 15)
    assert [item["text"] for item in arrived] == [f"{number}" for number in range(15)]


async def offline(world) -> bool:
    return (await world.phones.get("/stats"))["online"] == 0


async def unlinked(world) -> bool:
    return (await world.phones.get("/stats"))["connections"] == 0


async def test_what_was_reported_while_the_device_was_read_is_not_undone_by_the_reading(client, system_db):
    """A scan and a change of the settings came together: the pairing that had ended began again, for minutes."""
    id = DeviceId(ids.parse(ids.DEVICE, (await client.post("/api/devices", json={"name": "Sales"})).json()["id"]))
    async with system_db.system() as tx:
        read = await devices.in_shard(tx, shard_of(id), id)
    assert read is not None
    tools: Any = SimpleNamespace(system=system_db)
    standing = Standing(tools, replace(read, name="reported", revision=read.revision + 1))
    standing.wake()
    await standing.look()
    assert standing.device.name == "reported"
    for name in ("one", "two"):
        await client.patch(f"/api/devices/{ids.public(ids.DEVICE, id)}", json={"name": name})
    standing.wake()
    await standing.look()
    assert standing.device.name == "two"

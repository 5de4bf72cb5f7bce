"""The whole service against the network on loopback: real whatsmeow sessions in a worker of its own."""

import pytest
from contracts.whatsapp import Address

pytestmark = pytest.mark.timeout(120)

SHOP, ANA = "5215550000001", "5215551110001"


async def test_a_device_is_linked_by_qr_receives_and_sends_and_survives_a_restart(world):
    worker = await world.worker()
    device = await world.linked(SHOP)
    shown = await world.show(device)
    assert (shown["phone"], shown["reason"], shown["action"]) == (SHOP, None, None)

    await world.phones.phone(ANA, "Ana")
    wa_id = await world.phones.write(ANA, SHOP, "hola")
    [observed] = await world.some("devices.message.observed")
    assert (observed.wa_id, observed.text, observed.kind, observed.from_me, observed.push_name) == (wa_id, "hola", "text", False, "Ana")
    assert {observed.chat.kind, observed.chat_alt.kind} == {"pn", "lid"}
    assert Address("pn", ANA) in (observed.chat, observed.chat_alt)

    message = await world.order(device, ANA, "buenas")
    [sent] = await world.some("devices.message.sent")
    [arrived] = await world.phones.wait_for(ANA, "inbox", 1)
    assert (sent.message, sent.wa_id, arrived["text"]) == (message, arrived["id"], "buenas")
    await world.some("devices.receipt.observed")

    assert await worker.stop() == 0
    await worker.start()
    await world.until(device, "connected")
    await world.phones.write(ANA, SHOP, "otra vez")
    texts = [found.text for found in await world.some("devices.message.observed", 2)]
    assert texts == ["hola", "otra vez"]

"""Groups over a real session: what is said in one comes in where the number takes groups in, and answers reach all of it."""

import pytest
from contracts.whatsapp import Address
from servicekit.testing import eventually

pytestmark = pytest.mark.timeout(120)


async def test_a_group_is_read_named_and_answered(world):
    await world.worker(CLARIN_GROUPS="true")
    device = await world.linked()
    beto = f"{world.ana}1"
    await world.phones.phone(beto, "Beto")
    made = await world.phones.post("/groups", subject="Vecinos", members=[world.ana, beto, world.shop])
    group = Address("group", made["id"].partition("@")[0])

    for phone, text in ((world.ana, "hola a todos"), (beto, "¿quién viene?")):
        await world.phones.write(phone, made["id"], text)
    observed = await world.some("devices.message.observed", 2)
    assert [(one.chat, one.text, one.from_me) for one in observed] == [(group, "hola a todos", False), (group, "¿quién viene?", False)]
    for one, phone in zip(observed, (world.ana, beto), strict=True):
        assert Address("pn", phone) in (one.sender, one.sender_alt)
    [named] = await world.some("devices.group.observed")
    assert (named.chat, named.subject, named.members) == (group, "Vecinos", 3)

    message = await world.order(device, group, "yo voy")
    [sent] = await world.some("devices.message.sent")
    assert (sent.message, sent.chat) == (message, group)
    for phone in (world.ana, beto):

        async def arrived(phone=phone):
            items = (await world.phones.get(f"/phones/{phone}/inbox?after=0"))["items"]
            return [(item["text"], item["to"]) for item in items if item["id"] == sent.wa_id] == [("yo voy", made["id"])]

        await eventually(arrived)
    receipts = await world.some("devices.receipt.observed", 2)
    assert {receipt.chat for receipt in receipts} == {group}
    assert len({receipt.sender for receipt in receipts}) == 2

    await world.phones.ask("PATCH", f"/groups/{made['id']}", {"subject": "Vecinas"})
    assert [one.subject for one in await world.some("devices.group.observed", 2)] == ["Vecinos", "Vecinas"]

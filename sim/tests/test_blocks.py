"""Blocking over the real library: the list, what becomes of who is on it, and who hears of a change."""

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "573001112233"


async def test_who_is_blocked_keeps_one_tick_and_is_heard_again_only_after(api, shop, ana):
    lid = (await api.get(f"/phones/{ana}"))["lid"] + "@lid"
    await api.write(ana, SHOP, "antes")
    await shop.wait_for("message", text="antes")
    ticks = len(await api.wait_for(ana, "receipts", 1))
    assert lid in (await shop.do("block", ana, "block"))["blocked"]
    assert lid in (await shop.do("blocked"))["blocked"]
    assert (await api.get(f"/phones/{SHOP}"))["blocked"] == [ana]

    await api.write(ana, SHOP, "durante")
    assert lid not in (await shop.do("block", lid, "unblock"))["blocked"]
    await api.write(ana, SHOP, "después")
    await shop.wait_for("message", text="después")
    assert "durante" not in shop.texts(ana), "what was written meanwhile never comes"
    (tick,) = await api.wait_for(ana, "receipts", 1, after=ticks)
    lines = (await api.get(f"/phones/{ana}/chats/{SHOP}"))["items"]
    assert [(line["text"], line["status"]) for line in lines] == [("antes", "delivered"), ("durante", "sent"), ("después", "delivered")]
    assert tick["id"] == lines[2]["id"]


async def test_a_block_on_the_phone_and_one_of_another_session_is_heard_by_the_others(api, shop, ana, shared):
    lid = (await api.get(f"/phones/{ana}"))["lid"] + "@lid"
    second = await shared.sessions.link(SHOP)
    await api.post(f"/phones/{SHOP}/block", who=ana)
    for session in (shop, second):
        await session.wait_for("blocklist", changes=[[lid, True]])
    await second.do("block", ana, "unblock")
    await shop.wait_for("blocklist", changes=[[lid, False]])
    assert lid not in (await shop.do("blocked"))["blocked"]
    await second.do("logout")
    await second.kill()


async def test_a_session_of_somebody_blocked_writes_and_is_not_heard(api, shop, ana, shared):
    customer = await shared.sessions.link(ana)
    await api.post(f"/phones/{SHOP}/block", who=ana)
    await customer.do("send", SHOP, "desde una sesión")
    await api.post(f"/phones/{SHOP}/block", who=ana, blocked=False)
    await customer.do("send", SHOP, "y ahora")
    await shop.wait_for("message", text="y ahora")
    assert "desde una sesión" not in shop.texts(ana)
    await customer.kill()


async def test_nobody_blocks_himself_or_somebody_who_is_not_there(api, shop):
    for nobody in (SHOP, "573999999999"):
        with pytest.raises(RuntimeError):
            await shop.do("block", nobody, "block")
    assert (await api.get(f"/phones/{SHOP}"))["blocked"] == []

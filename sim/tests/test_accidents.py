"""Killed sessions, a killed network, cut lines, and what WhatsApp does to sessions: nothing is lost."""

import pytest
from servicekit.testing import eventually
from sim.testing import Refusal

SHOP, ANA = "573001112233", "573109998877"


@pytest.fixture
async def api(network):
    await network.api.phone(SHOP, "Tienda")
    await network.api.phone(ANA, "Ana")
    return network.api


async def test_messages_wait_for_a_session_that_is_away_and_come_in_order(api, sessions):
    shop = await sessions.link(SHOP)
    await api.write(ANA, SHOP, "antes")
    await shop.wait_for("message", text="antes")
    answer = await shop.do("send", ANA, "respuesta")
    await shop.wait_for("receipt", ids=[answer])
    await shop.kill()
    await eventually(lambda: nobody_online(api))
    texts = [f"mientras tanto {n}" for n in range(50)]
    for text in texts:
        await api.write(ANA, SHOP, text)
    await api.post(f"/phones/{ANA}/receipts", id=answer, type="read")
    await shop.start()
    await shop.wait_for("message", text=texts[-1])
    assert shop.texts() == ["antes", *texts]
    await shop.wait_for("receipt", ids=[answer], type=4)
    await eventually(lambda: nothing_waits(api))


async def test_what_a_killed_session_had_not_acknowledged_comes_again(api, sessions):
    shop = await sessions.link(SHOP)
    await api.write(ANA, SHOP, "antes")
    await api.wait_for(ANA, "receipts", 1)
    sent: set[str] = set()
    gone: set[str] = set()  # acknowledged by the library and not yet told by the process that was killed: not the network's to bring again
    for _ in range(3):
        items = [{"from": ANA, "to": SHOP, "text": f"n {n}"} for n in range(200)]
        sent |= set((await api.ask("POST", "/messages", {"items": items}))["ids"])
        await shop.wait_for("message")
        await shop.kill()
        await eventually(lambda: nobody_online(api))
        gone |= {tick["id"] for tick in await all_receipts(api)} - told(shop)
        await shop.start()
        await shop.wait_for("connected")
    await eventually(lambda: nothing_waits(api))
    assert (await api.get("/stats"))["redelivered"] > 0
    await eventually(lambda: everything_is_ticked(api, sent))
    # The library commits a ratchet before it hands the message over, and ignores a message that comes again under a used number: of what a
    # killed process had in hand at that instant, the network can bring nothing back.  Everything else must have been told.
    await eventually(lambda: told_all_but(len(sent) // 20, sent - gone, shop))
    assert len(gone) < 100


async def test_a_killed_network_goes_on_with_its_phones_sessions_and_ratchets(network, api, sessions):
    shop = await sessions.link(SHOP)
    await api.write(ANA, SHOP, "antes")
    await shop.wait_for("message", text="antes")
    await shop.do("send", ANA, "antes también")
    for n in range(2):
        items = [{"from": ANA, "to": SHOP, "text": f"{n}-{m}"} for m in range(100)]
        await network.api.ask("POST", "/messages", {"items": items})
        port = network.info.proxy_port
        await network.crash()
        assert network.info.proxy_port == port
        await shop.wait_for("connected")
        await network.api.write(ANA, SHOP, f"después {n}")
        await shop.wait_for("message", text=f"después {n}")
        await shop.do("send", ANA, f"respuesta {n}")
    assert {f"{n}-{m}" for n in range(2) for m in range(100)} <= set(shop.texts())
    got = await network.api.wait_for(ANA, "inbox", 3)
    assert [item["text"] for item in got] == ["antes también", "respuesta 0", "respuesta 1"]
    assert (await network.api.get("/stats"))["undecryptable"] == 0


async def test_a_cut_line_comes_back_and_nothing_is_lost(api, sessions):
    shop = await sessions.link(SHOP)
    assert (await api.post(f"/sessions/{SHOP}/drop"))["sessions"] == 1
    await shop.wait_for("disconnected")
    await api.write(ANA, SHOP, "mientras")
    await shop.wait_for("message", text="mientras")
    await api.post("/network", state="down")
    await shop.wait_for("disconnected")
    await api.write(ANA, SHOP, "sin red")
    assert (await api.get("/stats"))["connections"] == 0
    await api.post("/network", state="up")
    await shop.wait_for("message", text="sin red")


async def test_a_replaced_session_hears_it_and_a_removed_one_cannot_come_back(api, sessions):
    shop = await sessions.link(SHOP)
    await api.post(f"/sessions/{SHOP}/replace")
    await shop.wait_for("replaced")
    await shop.kill()
    await shop.start()
    await shop.wait_for("connected")
    assert (await api.post(f"/sessions/{SHOP}/logout"))["sessions"] == 1
    await shop.wait_for("logged_out")
    assert (await api.get(f"/phones/{SHOP}"))["sessions"] == []


async def test_a_session_that_was_removed_while_away_hears_it_when_it_comes_back(api, sessions):
    shop = await sessions.link(SHOP)
    await shop.kill()
    await api.post(f"/sessions/{SHOP}/logout")
    await shop.start()
    await shop.wait_for("logged_out")


async def test_a_banned_number_cannot_log_in_until_the_time_is_over(api, sessions):
    shop = await sessions.link(SHOP)
    await api.post(f"/sessions/{SHOP}/ban", seconds=3600)
    banned = await shop.wait_for("banned")
    assert 3500 < banned["expire"] / 1e9 <= 3600 or 3500 < banned["expire"] <= 3600
    await shop.kill()
    await api.post(f"/sessions/{SHOP}/ban", seconds=0)
    await shop.start()
    await shop.wait_for("connected")


async def test_a_qr_that_nobody_shows_is_refused(api, sessions):
    for qr, code in (("hola", "bad-qr"), ("2@x,AAAA,AAAA,AAAA", "qr-expired")):
        with pytest.raises(Refusal, match=code):
            await api.post(f"/phones/{SHOP}/scan", qr=qr)
    session = await sessions.start()
    text = (await session.wait_for("qr"))["text"]
    await session.kill()
    await eventually(lambda: no_connection(api))
    with pytest.raises(Refusal, match="qr-expired"):
        await api.post(f"/phones/{SHOP}/scan", qr=text)


def told_all_but(few, ids, session):
    missing = ids - told(session)
    assert len(missing) <= few, f"{len(missing)} of {len(ids)} were not told"
    return True


def told(session):
    return {event["id"] for event in session.events if event["event"] == "message"}


async def everything_is_ticked(api, sent):
    unticked = sent - {tick["id"] for tick in await all_receipts(api)}
    assert not unticked
    return True


async def nobody_online(api):
    return (await api.get("/stats"))["online"] == 0


async def no_connection(api):
    return (await api.get("/stats"))["connections"] == 0


async def nothing_waits(api):
    return (await api.get("/stats"))["waiting"] == 0


async def all_receipts(api):
    items = []
    while more := (await api.get(f"/phones/{ANA}/receipts?after={items[-1]['n'] if items else 0}"))["items"]:
        items += more
    return items

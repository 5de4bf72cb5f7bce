"""The real library, attached by the launcher: one network and one linked session for all tests here, a customer for each."""

import base64
import hashlib
import os

import pytest
from aiohttp import FormData
from servicekit.testing import eventually
from sim.testing import Refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "573001112233"


@pytest.fixture
def sessions(shared):
    return shared.sessions


async def test_text_goes_both_ways_with_its_ticks(api, shop, ana):
    id = await api.write(ana, SHOP, "hola")
    told = await shop.wait_for("message", id=id)
    assert (told["text"], told["chat"], told["name"]) == ("hola", f"{ana}@s.whatsapp.net", "Ana")
    (tick,) = await api.wait_for(ana, "receipts", 1)
    assert (tick["id"], tick["type"], tick["from"]) == (id, "delivered", SHOP)
    answer = await shop.do("send", ana, "buenas")
    (got,) = await api.wait_for(ana, "inbox", 1)
    assert (got["id"], got["kind"], got["text"], got["from"]) == (answer, "text", "buenas", SHOP)
    await shop.wait_for("receipt", ids=[answer], type=1)
    await api.post(f"/phones/{ana}/receipts", id=answer, type="read")
    await shop.wait_for("receipt", ids=[answer], type=4)
    await shop.do("read", id, f"{ana}@s.whatsapp.net")
    (read,) = await api.wait_for(ana, "receipts", 1, after=1)
    assert (read["id"], read["type"]) == (id, "read")


async def test_the_owners_phone_and_its_sessions_see_what_either_writes(api, shop, ana, sessions):
    inbox, before = len((await api.get(f"/phones/{SHOP}/inbox"))["items"]), await api.get(f"/phones/{SHOP}")
    second = await sessions.link(SHOP)
    assert len(before["sessions"]) == 1
    from_customer = await api.write(ana, SHOP, "para todos")
    for session in (shop, second):
        await session.wait_for("message", id=from_customer, text="para todos", from_me=False)
    typed = (await api.post(f"/phones/{SHOP}/typed", to=ana, text="desde mi teléfono"))["id"]
    for session in (shop, second):
        told = await session.wait_for("message", id=typed, text="desde mi teléfono", from_me=True)
        assert told["chat"].startswith(ana)
    answer = await shop.do("send", ana, "desde la primera sesión")
    await second.wait_for("message", id=answer, text="desde la primera sesión", from_me=True)
    own = (await api.wait_for(SHOP, "inbox", 2, after=inbox))[1]
    assert (own["id"], own["from"], own["to"], own["device"]) == (answer, SHOP, ana, 1)
    assert [i["text"] for i in await api.wait_for(ana, "inbox", 2)] == ["desde mi teléfono", "desde la primera sesión"]
    await second.do("logout")
    await second.kill()
    assert [session["device"] for session in (await api.get(f"/phones/{SHOP}"))["sessions"]] == [1]


async def test_a_code_typed_on_the_phone_links_the_session(api, ana, sessions):
    session = await sessions.start()
    await session.wait_for("qr")
    with pytest.raises(Refusal, match="no-code-shown"):
        await api.post(f"/phones/{ana}/code", code="ABCD-1234")
    code = await session.do("code", ana)
    with pytest.raises(Refusal, match="wrong-code"):
        await api.post(f"/phones/{ana}/code", code="AAAA-AAAA")
    await api.post(f"/phones/{ana}/code", code=code)
    await session.wait_for("connected")


async def test_what_was_written_before_linking_comes_as_history(api, ana, sessions):
    await api.write(SHOP, ana, "¿abren hoy?")
    await api.write(ana, SHOP, "sí, hasta las seis")
    session = await sessions.link(ana)
    told = await session.wait_for("history")
    assert sorted(told["texts"]) == ["sí, hasta las seis", "¿abren hoy?"]
    await session.kill()


async def test_messages_addressed_by_lid_arrive_with_the_number_beside(api, shop, ana):
    await api.ask("PATCH", f"/phones/{ana}", {"address": "lid"})
    lid = (await api.get(f"/phones/{ana}"))["lid"]
    id = await api.write(ana, SHOP, "desde un lid")
    told = await shop.wait_for("message", id=id)
    assert (told["chat"], told["alt"]) == (f"{lid}@lid", f"{ana}@s.whatsapp.net")
    answer = await shop.do("send", f"{lid}@lid", "a un lid")
    assert (await api.wait_for(ana, "inbox", 1))[0]["text"] == "a un lid"
    await shop.wait_for("receipt", ids=[answer])
    await api.wait_for(ana, "receipts", 1)


async def test_files_go_both_ways_whole(api, shop, ana):
    picture = os.urandom(300_000)
    form = FormData({"to": SHOP, "kind": "image", "caption": "la foto"})
    form.add_field("file", picture, filename="foto.jpg", content_type="image/jpeg")
    id = (await api.ask("POST", f"/phones/{ana}/media", data=form))["id"]
    await shop.wait_for("message", id=id, text="la foto")
    assert base64.b64decode(await shop.do("download", id)) == picture
    document = b"%PDF-1.4 " + os.urandom(50_000)
    await shop.do("send_document", ana, base64.b64encode(document).decode(), "precios.pdf", "los precios")
    (got,) = await api.wait_for(ana, "inbox", 1)
    assert (got["kind"], got["text"], got["media"]["file_name"]) == ("document", "los precios", "precios.pdf")
    assert (got["media"]["size"], got["media"]["sha256"]) == (len(document), hashlib.sha256(document).hexdigest())
    assert "broken" not in got["media"]


async def test_a_group_reads_what_any_of_its_phones_and_sessions_writes(api, shop, ana, another, sessions):
    beto, stranger = await another("Beto"), await another("Nadie")
    second = await sessions.link(beto)
    group = (await api.post("/groups", subject="Vecinos", members=[ana, beto, SHOP]))["id"]
    for text in ("hola a todos", "¿quién viene?"):  # with the key, and without
        id = await api.write(ana, group, text)
        for session in (shop, second):
            told = await session.wait_for("message", id=id, text=text)  # the key comes as a message of its own before
            assert (told["text"], told["chat"], told["alt"], told["name"]) == (text, group, f"{ana}@s.whatsapp.net", "Ana")
    assert {tick["from"] for tick in await api.wait_for(ana, "receipts", 4)} == {SHOP, beto}
    assert await shop.do("group", group) == {"subject": "Vecinos", "members": sorted([ana, beto, SHOP])}

    for number, text in enumerate(("yo voy", "y yo")):
        answer = await shop.do("send", group, text)
        got = (await api.wait_for(ana, "inbox", number + 1))[number]
        assert (got["id"], got["text"], got["from"], got["to"]) == (answer, text, SHOP, group)
        await second.wait_for("message", id=answer, text=text, chat=group)
        await shop.wait_for("receipt", ids=[answer], type=1)
    await api.post(f"/phones/{ana}/receipts", id=answer, type="read")
    await shop.wait_for("receipt", ids=[answer], type=4)

    await api.post(f"/phones/{SHOP}/typed", to=group, text="desde mi teléfono")
    await shop.wait_for("message", text="desde mi teléfono", chat=group, from_me=True)
    await api.ask("PATCH", f"/groups/{group}", {"subject": "Vecinas"})
    await shop.wait_for("group", group=group, subject="Vecinas")
    with pytest.raises(Refusal, match="not-a-member"):
        await api.write(stranger, group, "¿me leen?")
    with pytest.raises(Refusal, match="no-group"):
        await api.write(ana, "1@g.us", "¿hay alguien?")


async def test_what_a_session_of_a_group_cannot_open_is_encrypted_again_and_so_is_what_a_phone_cannot(api, shop, ana):
    group = (await api.post("/groups", subject="Vecinos", members=[ana, SHOP]))["id"]
    await api.post(f"/phones/{ana}/corrupt")
    id = await api.write(ana, group, "rota")
    await shop.wait_for("undecryptable", id=id)
    await shop.wait_for("message", id=id, text="rota")
    await api.post(f"/phones/{ana}/corrupt", direction="received")
    answer = await shop.do("send", group, "también rota")
    (got,) = await api.wait_for(ana, "inbox", 1)
    assert (got["id"], got["text"], got["to"]) == (answer, "también rota", group)


async def test_typing_and_presence_are_seen_on_the_other_side(api, shop, ana):
    id = await api.write(ana, SHOP, "hola")
    await shop.wait_for("message", id=id)
    await api.post(f"/phones/{ana}/typing", to=SHOP)  # it has not said that it is there: it is told nothing

    async def subscribed():
        try:
            await shop.do("subscribe", ana)
        except RuntimeError:  # the library shows no presence before it has learned its own name
            return False
        return True

    await eventually(subscribed)
    await api.post(f"/phones/{ana}/typing", to=SHOP, state="recording")
    assert (await shop.wait_for("typing"))["media"] == 2
    await shop.wait_for("presence", unavailable=True)
    await api.ask("PATCH", f"/phones/{ana}", {"presence": "available"})
    await shop.wait_for("presence", unavailable=False)
    await shop.do("typing", ana)
    await shop.do("send", ana, "ya")
    await api.wait_for(ana, "inbox", 1)
    assert (await api.get(f"/phones/{ana}"))["typing"] == {}


async def test_only_numbers_with_a_phone_are_on_whatsapp(api, shop, ana):
    assert await shop.do("known", ana, "19998887777") == {ana: True, "19998887777": False}
    with pytest.raises(RuntimeError):
        await shop.do("send", "19998887777", "¿hay alguien?")
    with pytest.raises(Refusal, match="not-on-whatsapp"):
        await api.write(ana, "19998887777", "¿hay alguien?")


async def test_a_message_that_a_session_cannot_open_is_encrypted_again(api, shop, ana):
    before = await api.get("/stats")
    for n in range(3):
        await api.post(f"/phones/{ana}/corrupt", count=1)
        id = await api.write(ana, SHOP, f"rota {n}")
        await shop.wait_for("undecryptable", id=id)
        await shop.wait_for("message", id=id, text=f"rota {n}")
    await api.write(ana, SHOP, "entera")
    await shop.wait_for("message", text="entera")
    assert (await api.get("/stats"))["retries_answered"] == before["retries_answered"] + 3


async def test_a_message_that_a_phone_cannot_open_is_encrypted_again(api, shop, ana):
    first = await api.write(ana, SHOP, "hola")
    await shop.wait_for("message", id=first)
    before = await api.get("/stats")
    await api.post(f"/phones/{ana}/corrupt", direction="received", count=30)
    sent = [(await shop.do("send", ana, f"rota {n}"), f"rota {n}") for n in range(30)]
    got = await api.wait_for(ana, "inbox", 30)
    assert sorted((item["id"], item["text"]) for item in got) == sorted(sent)
    assert (await api.get("/stats"))["retries_asked"] == before["retries_asked"] + 30
    assert (await api.get(f"/phones/{ana}"))["unread"] == []


async def test_hundreds_of_messages_in_any_order_are_all_opened_by_the_library(api, shop, ana):
    before = await api.get("/stats")
    await shop.do("send", ana, "hola")
    await api.post(f"/sessions/{SHOP}/hold")
    texts = {f"mensaje {n}" for n in range(300)}
    await api.ask("POST", "/messages", {"items": [{"from": ana, "to": SHOP, "text": text} for text in texts]})
    released = await api.post(f"/sessions/{SHOP}/release", shuffled=True)
    assert released["released"] >= 300
    await api.wait_for(ana, "receipts", 300)
    await eventually(lambda: len(shop.texts(ana)) == 300)
    assert set(shop.texts(ana)) == texts
    assert (await api.get("/stats"))["retries_answered"] == before["retries_answered"]


async def test_hundreds_of_messages_in_any_order_are_all_opened_by_the_phone(api, shop, ana):
    await api.write(ana, SHOP, "hola")
    await shop.wait_for("message", chat=f"{ana}@s.whatsapp.net")
    before = await api.get("/stats")
    await api.post(f"/phones/{ana}/hold")
    texts = {f"respuesta {n}" for n in range(200)}
    for text in texts:
        await shop.do("send", ana, text)
    await api.post(f"/phones/{ana}/release", shuffled=True)
    got = await api.wait_for(ana, "inbox", 200)
    assert {item["text"] for item in got} == texts
    assert (await api.get("/stats"))["undecryptable"] == before["undecryptable"]


async def plenty_of_prekeys(api):
    return (await api.get(f"/phones/{SHOP}"))["sessions"][0]["prekeys"] > 10


async def test_prekeys_are_asked_for_again_before_they_run_out(api, shop, ana, another):
    await api.post(f"/sessions/{SHOP}/prekeys", left=6)
    before = await api.get("/stats")
    customers = [await another() for _ in range(12)]
    await api.ask("POST", "/messages", {"items": [{"from": c, "to": SHOP, "text": "hola"} for c in customers]})
    for number in customers:
        await api.wait_for(number, "receipts", 1)
    await eventually(lambda: plenty_of_prekeys(api))
    assert (await api.get("/stats"))["retries_answered"] == before["retries_answered"]

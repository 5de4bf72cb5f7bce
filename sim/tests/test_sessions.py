"""The real library, attached by the launcher, against a network of its own per test."""

import base64
import hashlib
import os

import pytest
from aiohttp import FormData
from servicekit.testing import eventually

from sim.testing import Refusal

SHOP, ANA = "573001112233", "573109998877"


async def test_text_goes_both_ways_with_its_ticks(api, shop):
    id = await api.write(ANA, SHOP, "hola")
    told = await shop.wait_for("message", id=id)
    assert (told["text"], told["chat"], told["name"]) == ("hola", f"{ANA}@s.whatsapp.net", "Ana")
    (tick,) = await api.wait_for(ANA, "receipts", 1)
    assert (tick["id"], tick["type"], tick["from"]) == (id, "delivered", SHOP)
    answer = await shop.do("send", ANA, "buenas")
    (got,) = await api.wait_for(ANA, "inbox", 1)
    assert (got["id"], got["kind"], got["text"], got["from"]) == (answer, "text", "buenas", SHOP)
    await shop.wait_for("receipt", ids=[answer], type=1)
    await api.post(f"/phones/{ANA}/receipts", id=answer, type="read")
    await shop.wait_for("receipt", ids=[answer], type=4)
    await shop.do("read", id, f"{ANA}@s.whatsapp.net")
    (read,) = await api.wait_for(ANA, "receipts", 1, after=1)
    assert (read["id"], read["type"]) == (id, "read")


async def test_the_owners_phone_and_its_sessions_see_what_either_writes(api, shop, new_session):
    second = await new_session()
    await api.post(f"/phones/{SHOP}/scan", qr=(await second.wait_for("qr"))["text"])
    await second.wait_for("connected")
    from_customer = await api.write(ANA, SHOP, "para todos")
    for session in (shop, second):
        await session.wait_for("message", id=from_customer, text="para todos", from_me=False)
    typed = (await api.post(f"/phones/{SHOP}/typed", to=ANA, text="desde mi teléfono"))["id"]
    for session in (shop, second):
        told = await session.wait_for("message", id=typed, text="desde mi teléfono", from_me=True)
        assert told["chat"].startswith(ANA)
    answer = await shop.do("send", ANA, "desde la primera sesión")
    await second.wait_for("message", id=answer, text="desde la primera sesión", from_me=True)
    own = (await api.wait_for(SHOP, "inbox", 2))[1]
    assert (own["id"], own["from"], own["to"], own["device"]) == (answer, SHOP, ANA, 1)
    assert [i["text"] for i in await api.wait_for(ANA, "inbox", 2)] == ["desde mi teléfono", "desde la primera sesión"]


async def test_a_code_typed_on_the_phone_links_the_session(api, new_session):
    await api.phone(SHOP)
    session = await new_session()
    await session.wait_for("qr")
    with pytest.raises(Refusal, match="no-code-shown"):
        await api.post(f"/phones/{SHOP}/code", code="ABCD-1234")
    code = await session.do("code", SHOP)
    with pytest.raises(Refusal, match="wrong-code"):
        await api.post(f"/phones/{SHOP}/code", code="AAAA-AAAA")
    await api.post(f"/phones/{SHOP}/code", code=code)
    await session.wait_for("connected")


async def test_what_was_written_before_linking_comes_as_history(api, new_session):
    await api.phone(SHOP)
    await api.phone(ANA)
    await api.write(ANA, SHOP, "¿abren hoy?")
    await api.write(SHOP, ANA, "sí, hasta las seis")
    session = await new_session()
    await api.post(f"/phones/{SHOP}/scan", qr=(await session.wait_for("qr"))["text"])
    told = await session.wait_for("history")
    assert sorted(told["texts"]) == ["sí, hasta las seis", "¿abren hoy?"]


async def test_messages_addressed_by_lid_arrive_with_the_number_beside(api, shop):
    await api.ask("PATCH", f"/phones/{ANA}", {"address": "lid"})
    lid = (await api.get(f"/phones/{ANA}"))["lid"]
    id = await api.write(ANA, SHOP, "desde un lid")
    told = await shop.wait_for("message", id=id)
    assert (told["chat"], told["alt"]) == (f"{lid}@lid", f"{ANA}@s.whatsapp.net")
    answer = await shop.do("send", f"{lid}@lid", "a un lid")
    assert (await api.wait_for(ANA, "inbox", 1))[0]["text"] == "a un lid"
    await shop.wait_for("receipt", ids=[answer])
    await api.wait_for(ANA, "receipts", 1)


async def test_files_go_both_ways_whole(api, shop):
    picture = os.urandom(300_000)
    form = FormData({"to": SHOP, "kind": "image", "caption": "la foto"})
    form.add_field("file", picture, filename="foto.jpg", content_type="image/jpeg")
    id = (await api.ask("POST", f"/phones/{ANA}/media", data=form))["id"]
    await shop.wait_for("message", id=id, text="la foto")
    assert base64.b64decode(await shop.do("download", id)) == picture
    document = b"%PDF-1.4 " + os.urandom(50_000)
    await shop.do("send_document", ANA, base64.b64encode(document).decode(), "precios.pdf", "los precios")
    (got,) = await api.wait_for(ANA, "inbox", 1)
    assert (got["kind"], got["text"], got["media"]["file_name"]) == ("document", "los precios", "precios.pdf")
    assert (got["media"]["size"], got["media"]["sha256"]) == (len(document), hashlib.sha256(document).hexdigest())
    assert "broken" not in got["media"]


async def test_typing_and_presence_are_seen_on_the_other_side(api, shop):
    id = await api.write(ANA, SHOP, "hola")
    await shop.wait_for("message", id=id)
    await api.post(f"/phones/{ANA}/typing", to=SHOP)
    await shop.wait_for("typing")
    await shop.do("subscribe", ANA)
    await shop.wait_for("presence", unavailable=True)
    await api.ask("PATCH", f"/phones/{ANA}", {"presence": "available"})
    await shop.wait_for("presence", unavailable=False)
    await shop.do("typing", ANA)
    await shop.do("send", ANA, "ya")
    await api.wait_for(ANA, "inbox", 1)
    assert (await api.get(f"/phones/{ANA}"))["typing"] == {}


async def test_only_numbers_with_a_phone_are_on_whatsapp(api, shop):
    assert await shop.do("known", ANA, "19998887777") == {ANA: True, "19998887777": False}
    with pytest.raises(RuntimeError):
        await shop.do("send", "19998887777", "¿hay alguien?")
    with pytest.raises(Refusal, match="not-on-whatsapp"):
        await api.write(ANA, "19998887777", "¿hay alguien?")


async def test_a_message_that_a_session_cannot_open_is_encrypted_again(api, shop):
    for count in range(3):
        await api.post(f"/phones/{ANA}/corrupt", count=1)
        id = await api.write(ANA, SHOP, f"rota {count}")
        await shop.wait_for("undecryptable", id=id)
        await shop.wait_for("message", id=id, text=f"rota {count}")
    await api.write(ANA, SHOP, "entera")
    await shop.wait_for("message", text="entera")
    assert (await api.get("/stats"))["retries_answered"] == 3


async def test_a_message_that_a_phone_cannot_open_is_encrypted_again(api, shop):
    first = await api.write(ANA, SHOP, "hola")
    await shop.wait_for("message", id=first)
    for count in range(3):
        await api.post(f"/phones/{ANA}/corrupt", direction="received", count=1)
        id = await shop.do("send", ANA, f"rota {count}")
        got = (await api.wait_for(ANA, "inbox", 1, after=count))[0]
        assert (got["id"], got["text"]) == (id, f"rota {count}")
    assert (await api.get("/stats"))["retries_asked"] == 3


async def test_hundreds_of_messages_in_any_order_are_all_opened_by_the_library(api, shop):
    await shop.do("send", ANA, "hola")
    await api.post(f"/sessions/{SHOP}/hold")
    texts = {f"mensaje {n}" for n in range(300)}
    await api.ask("POST", "/messages", {"items": [{"from": ANA, "to": SHOP, "text": text} for text in texts]})
    released = await api.post(f"/sessions/{SHOP}/release", shuffled=True)
    assert released["released"] >= 300
    await api.wait_for(ANA, "receipts", 300)
    assert set(shop.texts()) == texts
    assert len(shop.texts()) == 300
    assert (await api.get("/stats"))["retries_answered"] == 0


async def test_hundreds_of_messages_in_any_order_are_all_opened_by_the_phone(api, shop):
    await api.write(ANA, SHOP, "hola")
    await shop.wait_for("message")
    await api.post(f"/phones/{ANA}/hold")
    texts = {f"respuesta {n}" for n in range(200)}
    for text in texts:
        await shop.do("send", ANA, text)
    await api.post(f"/phones/{ANA}/release", shuffled=True)
    got = await api.wait_for(ANA, "inbox", 200)
    assert {item["text"] for item in got} == texts
    assert (await api.get("/stats"))["undecryptable"] == 0


async def plenty_of_prekeys(api):
    return (await api.get(f"/phones/{SHOP}"))["sessions"][0]["prekeys"] > 10


async def test_prekeys_are_asked_for_again_before_they_run_out(api, shop):
    stock = (await api.get(f"/phones/{SHOP}"))["sessions"][0]["prekeys"]
    customers = [await api.phone(f"5731{n:08}") for n in range(stock)]
    await api.ask("POST", "/messages", {"items": [{"from": c, "to": SHOP, "text": "hola"} for c in customers]})
    for number in customers:
        await api.wait_for(number, "receipts", 1)
    await eventually(lambda: plenty_of_prekeys(api))
    assert (await api.get("/stats"))["retries_answered"] == 0

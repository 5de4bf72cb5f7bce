"""Each kind of message in both directions: what a virtual phone wrote or decrypted, held against what API and socket gave.

The table of docs/messages.md is made from `IN` and `OUT`: the last test says what should stand there.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from clarin.client import Client, Socket, eventually
from clarin.testing import Shop
from conversations.files import ffmpeg
from PIL import Image

pytestmark = pytest.mark.timeout(180)

DOCUMENT = Path(__file__).parents[2] / "docs" / "messages.md"

#: kind: what is compared of one that comes in.
IN = {
    "text": "text",
    "image": "bytes, caption, thumbnail",
    "video": "bytes, caption, thumbnail",
    "audio": "bytes",
    "voice": "bytes, seconds",
    "document": "bytes, name",
    "sticker": "bytes, thumbnail",
    "location": "coordinates, name",
    "contact": "name, phone",
    "poll": "question, options",
    "unsupported": "WhatsApp's name of it",
    "view once": "mark, bytes",
    "quoted reply": "the answered message",
    "reaction": "emoji on its message, and taken back",
    "edit": "new text on its message",
    "delete": "content gone from its message",
    "typed on the own phone": "text, as sent",
    "undecryptable": "placeholder replaced by the retry",
    "in a group": "text, its author, the group's name",
}
#: The same of one that goes out.
OUT = {
    "text": "text",
    "image": "bytes, caption",
    "video": "bytes, seconds",
    "audio": "bytes, seconds",
    "voice": "bytes (Opus), seconds, waveform",
    "document": "bytes, name",
    "sticker": "bytes (WebP)",
    "location": "coordinates, name",
    "contact": "name, phone",
    "quoted reply": "the answered message",
    "reaction": "emoji on its message, and taken back",
    "edit": "new text",
    "delete": "taken back for everyone",
    "in a group": "text, image, at each phone; its ticks",
}


def table() -> str:
    lines = ["| kind | received | sent |", "|---|---|---|"]
    lines += [f"| {kind} | {IN.get(kind, '–')} | {OUT.get(kind, '–')} |" for kind in dict.fromkeys([*IN, *OUT])]
    return "\n".join(lines)


def picture(format: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 80, 20)).save(out, format)
    return out.getvalue()


@pytest.fixture
async def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A second of sound and one of pictures."""
    folder = tmp_path_factory.mktemp("recordings")
    wav, mp4, mp3 = folder / "a.wav", folder / "a.mp4", folder / "a.mp3"
    await ffmpeg.run("-f", "lavfi", "-i", "sine=frequency=440:duration=2", "-y", str(wav))
    await ffmpeg.run("-i", str(wav), "-y", str(mp3))
    await ffmpeg.run("-f", "lavfi", "-i", "testsrc=duration=1:size=160x120:rate=10", "-pix_fmt", "yuv420p", "-y", str(mp4))
    return {"wav": wav.read_bytes(), "mp4": mp4.read_bytes(), "mp3": mp3.read_bytes()}


async def phone_sends(shop: Shop, customer: str, kind: str, data: bytes, name: str, **more: str) -> str:
    form = FormData({"to": shop.number, "kind": kind, **more})
    form.add_field("file", data, filename=name)
    return str((await shop.network.ask("POST", f"/phones/{customer}/media", data=form))["id"])


async def phone_does(shop: Shop, customer: str, kind: str, **what: Any) -> str:
    body = {"to": shop.number, "kind": kind, **what}
    return str((await shop.network.ask("POST", f"/phones/{customer}/kinds", body))["id"])


async def got(shop: Shop, path: str, **headers: str) -> bytes:
    status, _, body = await shop.client.raw("GET", path, headers=headers)
    assert status == 200, body
    return body


async def last(shop: Shop, chat: str) -> Any:
    return (await shop.client.get(f"/api/chats/{chat}/messages"))["items"][0]


async def test_every_kind_that_comes_in(shop: Shop, recordings: dict[str, bytes]):
    customer = await shop.customer("Luis")
    files = {
        "image": (picture(), "foto.jpg", "image/jpeg"),
        "video": (recordings["mp4"], "v.mp4", "video/mp4"),
        "audio": (recordings["mp3"], "a.mp3", "audio/mpeg"),
        "voice": (recordings["mp3"], "v.mp3", "audio/mpeg"),
        "document": (b"%PDF-1.4 " + b"x" * 1000, "precios.pdf", "application/pdf"),
        "sticker": (picture("WEBP"), "s.webp", "image/webp"),
    }
    async with shop.client.socket() as socket, Client(shop.system.url) as stranger:
        first = await shop.writes(customer, "hola")
        hello = await socket.event("new_message", text="hola")
        assert hello["kind"] == "text"
        chat = hello["chat_id"]

        for kind, (data, name, mime) in files.items():
            caption = "mira" if kind in ("image", "video") else ""
            await phone_sends(
                shop, customer, kind, data, name, caption=caption, seconds="2", **({"view_once": "1"} if kind == "image" else {})
            )
            arrived = await socket.event("new_message", kind=kind)
            assert (arrived["text"] or "") == caption
            assert arrived["view_once"] is (kind == "image")
            ready = await socket.event("message_media", id=arrived["id"])
            media = ready["media"]
            assert (media["state"], media["mime"], media["size"]) == ("ready", mime, len(data)), kind
            assert await got(shop, f"/api/media/{media['id']}") == data
            status, headers, body = await stranger.raw("GET", media["url"])  # who has the address needs no more
            assert (status, body) == (200, data)
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in headers["Content-Security-Policy"]
            if kind in ("image", "video", "sticker"):
                assert Image.open(io.BytesIO(await got(shop, media["thumbnail_url"]))).format == "JPEG"
            if kind == "voice":
                assert media["seconds"] == 2
            if kind == "document":
                assert (media["file_name"], headers["Content-Disposition"].partition(";")[0]) == (name, "attachment")
            shown = await last(shop, chat)
            assert {**shown, "media": None} == {**ready, "media": None}

        await phone_does(shop, customer, "location", latitude=19.4, longitude=-99.1, name="Casa", address="Calle 1")
        place = (await socket.event("new_message", kind="location"))["location"]
        assert (place["latitude"], place["longitude"], place["name"]) == (19.4, -99.1, "Casa")
        await phone_does(shop, customer, "contact", name="Marta", phone="5215550001111")
        [card] = (await socket.event("new_message", kind="contact"))["contacts"]
        assert (card["name"], card["phones"]) == ("Marta", ["+5215550001111"])
        await phone_does(shop, customer, "poll", name="¿Cuál?", options=["azul", "rojo"])
        assert (await socket.event("new_message", kind="poll"))["text"] == "¿Cuál?\n- azul\n- rojo"
        await phone_does(shop, customer, "unknown", name="Fiesta")
        assert (await socket.event("new_message", kind="unsupported"))["unsupported"] == "eventMessage"
        await phone_does(shop, customer, "quote", about=first, said="hola", text="como decía")
        answer = await socket.event("new_message", text="como decía")
        assert (answer["quoted_id"], answer["quoted"]["text"]) == (hello["id"], "hola")

        await phone_does(shop, customer, "reaction", about=first, text="👍")
        reacted = await socket.event("message_reacted", id=hello["id"])
        assert [(r["emoji"], r["from_me"], r["sender_name"]) for r in reacted["reactions"]] == [("👍", False, "Luis")]
        await phone_does(shop, customer, "reaction", about=first, text="")
        assert (await socket.event("message_reacted", id=hello["id"]))["reactions"] == []
        await phone_does(shop, customer, "edit", about=first, text="hola, buenas")
        edited = await socket.event("message_edited", id=hello["id"])
        assert (edited["text"], edited["edited_at"] is not None) == ("hola, buenas", True)
        await phone_does(shop, customer, "delete", about=first)
        deleted = await socket.event("message_deleted", id=hello["id"])
        assert (deleted["text"], deleted["deleted_at"] is not None) == (None, True)
        assert (await shop.client.get(f"/api/messages/{hello['id']}"))["text"] is None

        await shop.network.ask("POST", f"/phones/{shop.number}/typed", {"to": customer, "text": "desde el teléfono"})
        typed = await socket.event("new_message", text="desde el teléfono")
        assert (typed["from_me"], typed["status"], typed["origin"]) == (True, "sent", "phone")

        await shop.network.ask("POST", f"/phones/{customer}/corrupt", {"count": 1})
        await shop.writes(customer, "rota")
        placeholder = await socket.event("new_message", kind="undecryptable")
        replaced = await socket.event("message_replaced", id=placeholder["id"])
        assert (replaced["kind"], replaced["text"]) == ("text", "rota")


async def sends(shop: Shop, socket: Socket, chat: str, data: bytes, name: str, **fields: str) -> Any:
    form = FormData({"chat_id": chat, **fields}, quote_fields=False)
    form.add_field("file", data, filename=name)
    status, _, body = await shop.client.raw("POST", "/api/messages/send/media", data=form)
    assert status == 202, body
    sent = await socket.event("message_sent", id=json.loads(body)["id"])
    assert sent["media"]["state"] == "ready"
    return sent


async def test_every_kind_that_goes_out(shop: Shop, recordings: dict[str, bytes]):
    customer = await shop.customer("Luis")
    first = await shop.writes(customer, "hola")
    seen = 0

    async def phone() -> dict[str, Any]:
        nonlocal seen
        [item] = await shop.network.wait_for(customer, "inbox", 1, after=seen)
        seen = item["n"]
        return dict(item)

    async with shop.client.socket() as socket:

        async def chat_of() -> Any:
            return (await shop.client.get("/api/chats"))["items"]

        [found] = await eventually(chat_of, 20, "no chat")
        chat, hello = found["id"], found["last_message"]
        for kind, data, name, fields in (
            ("image", picture("PNG"), "foto.png", {"caption": "mira"}),
            ("video", recordings["mp4"], "v.mp4", {"caption": "mira"}),
            ("audio", recordings["mp3"], "a.mp3", {"kind": "audio"}),
            ("voice", recordings["wav"], "nota.wav", {"kind": "voice"}),
            ("document", b"uno,dos\n" * 100, "../../etc/lista.csv", {"kind": "document"}),
            ("sticker", picture("PNG"), "s.png", {"kind": "sticker"}),
        ):
            sent = await sends(shop, socket, chat, data, name, **fields)
            item = await phone()
            assert (sent["kind"], item["kind"], item["text"]) == (kind, kind, fields.get("caption", ""))
            assert "broken" not in item["media"]
            whole = await got(shop, sent["media"]["url"])
            assert item["media"]["sha256"] == hashlib.sha256(whole).hexdigest()
            assert item["media"]["size"] == len(whole) == sent["media"]["size"]
            if kind in ("video", "audio", "voice"):
                assert item["facts"]["seconds"] == sent["media"]["seconds"] > 0
            if kind == "voice":
                assert (item["media"]["mime"], item["facts"]["waveform"]) == ("audio/ogg; codecs=opus", sent["media"]["waveform"])
            if kind == "document":
                assert item["media"]["file_name"] == sent["media"]["file_name"] == "lista.csv"

        place = {"latitude": 19.4, "longitude": -99.1, "name": "Casa"}
        await shop.client.post("/api/messages/send", {"chat_id": chat, "location": place})
        item = await phone()
        assert {name: item["facts"][name] for name in place} == place
        await shop.client.post("/api/messages/send", {"chat_id": chat, "contacts": [{"name": "Marta", "phones": ["+52 155"]}]})
        item = await phone()
        assert item["text"] == "Marta"
        assert "+52 155" in item["facts"]["vcards"][0]

        text = await shop.client.post("/api/messages/send", {"chat_id": chat, "text": "buenas", "reply_to": hello["id"]})
        answered = await phone()
        assert (answered["text"], answered["quoted"]) == ("buenas", first)
        await socket.event("message_sent", id=text["id"])

        for emoji in ("👍", ""):
            await shop.client.post(f"/api/messages/{hello['id']}/react", {"emoji": emoji})
            item = await phone()
            assert (item["kind"], item["text"], item["about"]) == ("reaction", emoji, first)
            marks = (await socket.event("message_reacted", id=hello["id"]))["reactions"]
            assert [(mark["emoji"], mark["from_me"]) for mark in marks] == ([(emoji, True)] if emoji else [])
        await shop.client.ask("PATCH", f"/api/messages/{text['id']}", {"text": "muy buenas"})
        item = await phone()
        assert (item["kind"], item["text"], item["about"]) == ("edit", "muy buenas", answered["id"])
        assert (await socket.event("message_edited", id=text["id"]))["text"] == "muy buenas"
        await shop.client.ask("DELETE", f"/api/messages/{text['id']}")
        item = await phone()
        assert (item["kind"], item["about"]) == ("revoke", answered["id"])
        assert (await socket.event("message_deleted", id=text["id"]))["text"] is None


async def test_a_group_is_one_chat_read_and_answered_where_the_number_takes_groups_in(shop: Shop):
    ana, beto = await shop.customer("Ana"), await shop.customer("Beto")
    members = {"subject": "Vecinos", "members": [ana, beto, shop.number]}
    group = (await shop.network.ask("POST", "/groups", members))["id"]

    async def says(phone: str, text: str) -> None:
        await shop.network.ask("POST", f"/phones/{phone}/messages", {"to": group, "text": text})

    async with shop.client.socket() as socket:
        await says(ana, "a nadie")  # groups are not taken in where nobody has said so
        await shop.writes(ana, "¿me leen?")
        await socket.event("new_message", text="¿me leen?")  # what came before it has come
        await shop.client.ask("PATCH", f"/api/devices/{shop.device}/settings", {"receive": {"groups": True}})
        authors = {}
        for phone, name in ((ana, "Ana"), (beto, "Beto")):

            async def taken_in(phone: str = phone, name: str = name) -> Any:
                await says(phone, f"soy {name}")  # the setting is felt within a moment
                try:
                    return await socket.event("new_message", 2, text=f"soy {name}")
                except TimeoutError:
                    return None

            told = await eventually(taken_in, 30, "what is said in the group does not come in")
            assert (told["sender_name"], told["contact_id"], told["from_me"]) == (name, None, False)
            authors[name] = (await shop.client.get(f"/api/contacts/{told['sender_id']}"))["phone"]
        assert authors == {"Ana": ana, "Beto": beto}
        chat = told["chat_id"]

        async def named() -> bool:
            return (await shop.client.get(f"/api/chats/{chat}"))["name"] == "Vecinos"

        await eventually(named, 20, "the chat is not called as the group is")
        messages = (await shop.client.get(f"/api/chats/{chat}/messages"))["items"]
        assert "a nadie" not in {message["text"] for message in messages}
        assert (await shop.client.get("/api/leads"))["items"] == []

        answer = await shop.client.post("/api/messages/send", {"chat_id": chat, "text": "bienvenidos"})
        await socket.event("message_status", id=answer["id"], status="delivered")
        await sends(shop, socket, chat, picture(), "plano.jpg", caption="el plano")
        for phone in (ana, beto):

            async def answered(phone: str = phone) -> Any:
                items = (await shop.network.get(f"/phones/{phone}/inbox?after=0"))["items"]
                own = [item for item in items if item["from"] == shop.number]
                return own if len(own) == 2 else None

            own = await eventually(answered, 20, "the answers are not in the group")
            assert [(item["kind"], item["text"], item["to"]) for item in own] == [
                ("text", "bienvenidos", group),
                ("image", "el plano", group),
            ]
            assert "broken" not in own[1]["media"]
        await shop.network.ask("PATCH", f"/groups/{group}", {"subject": "Vecinas"})
        renamed = await socket.until(lambda frame: frame["event"] == "chat_changed" and frame["data"]["name"] == "Vecinas")
        assert (renamed["data"]["id"], renamed["data"]["contact_id"]) == (chat, None)


async def test_a_file_that_whatsapp_has_no_more_says_so_and_can_be_tried_again(shop: Shop):
    customer = await shop.customer()
    async with shop.client.socket() as socket:
        await phone_sends(shop, customer, "image", picture(), "foto.jpg", lost="1")
        arrived = await socket.event("new_message", kind="image")
        media = (await socket.event("message_media", id=arrived["id"]))["media"]
        assert (media["state"], media["reason"], media["url"]) == ("expired", "media-expired", None)
        status, _, body = await shop.client.raw("GET", f"/api/media/{media['id']}")
        assert (status, b"media-expired" in body) == (410, True)
        again = await shop.client.post(f"/api/media/{media['id']}/retry")
        assert again["state"] == "pending"
        assert (await socket.event("message_media", id=arrived["id"]))["media"]["state"] == "expired"


def test_the_table_of_kinds_is_the_one_that_is_tested():
    assert table() in DOCUMENT.read_text(), table()

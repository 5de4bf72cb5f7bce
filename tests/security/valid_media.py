"""Requests for files, and for what is done to messages."""

import io
import json
import secrets

from aiohttp import FormData
from clarin.client import eventually
from PIL import Image

from .valid import Valid, key, valid
from .world import World


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), (secrets.randbelow(256), secrets.randbelow(256), 9)).save(out, "JPEG")
    return out.getvalue()


async def uploaded(world: World) -> dict[str, str]:
    form = FormData()
    form.add_field("file", picture(), filename="foto.jpg")
    status, _, body = await world.owner.raw("POST", "/api/media", data=form, headers=key())
    assert status == 201, body
    return dict(json.loads(body))


async def of_a_message(world: World) -> str:
    """A file that whoever sees the chat may see."""
    id = (await uploaded(world))["id"]
    message = await world.owner.post("/api/messages/send/media", {"chat_id": world.chat["id"], "media_id": id}, key=secrets.token_hex(8))
    return str(message["media"]["id"])


async def sent(world: World) -> str:
    id = await world.new("/api/messages/send", chat_id=world.chat["id"], text=f"dicho {world.mark}")

    async def gone() -> bool:
        return (await world.owner.get(f"/api/messages/{id}"))["status"] not in ("queued", "sending")

    await eventually(gone, 30, "the message was not sent")
    return id


@valid("mediaUpload")
async def _(world: World) -> Valid:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f.jpg"\r\n\r\n' + picture() + b"\r\n--b--\r\n"
    return Valid(form=form, headers={"content-type": "multipart/form-data; boundary=b", **key()})


@valid("messagesSendMedia")
async def _(world: World) -> Valid:
    return Valid(body={"chat_id": world.chat["id"], "media_id": (await uploaded(world))["id"]}, headers=key())


@valid("mediaGetMedia")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await of_a_message(world)})


@valid("mediaGetThumbnail")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await of_a_message(world)})


@valid("mediaRetry")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await of_a_message(world)})


@valid("mediaGetByLink")
async def _(world: World) -> Valid:
    return Valid(query={"token": (await uploaded(world))["url"].partition("token=")[2]}, token=False)


@valid("messagesReact")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.message}, body={"emoji": "👍"}, headers=key())


@valid("messagesListEdits")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.message})


@valid("messagesEdit")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await sent(world)}, body={"text": f"dicho mejor {world.mark}"})


@valid("messagesDelete")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await sent(world)})

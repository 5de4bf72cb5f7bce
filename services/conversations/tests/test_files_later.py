"""Files that are sent later: they wait with their message, and go with it."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from contracts import ids
from contracts.commands import SendMessage
from contracts.events.conversations import ScheduleChanged
from contracts.principal import Role
from conversations.store import media
from conversations.timers import clock, deleting
from conversations.timers import erasing as eraser
from PIL import Image
from servicekit.db import Database
from servicekit.objects import Objects
from servicekit.testing import eventually

from .conftest import running
from .facts import a_deletion, a_device, a_message


@pytest.fixture
def owner(signed_in, tenant):
    return signed_in(Role.OWNER, tenant)


@pytest.fixture
def objects(tmp_path) -> Objects:
    return Objects.folder(tmp_path)


@pytest_asyncio.fixture
async def system(world):
    async with Database.open(world.urls.system_url, application="test", pool=2) as db:
        yield db


@pytest.fixture
async def chat(client, world, tenant, device, owner):
    await world.handle([a_device(tenant, device), a_message(tenant, device, push_name="Ana Paz", wa_id="A1")])
    [chat] = (await client.get("/api/chats", headers=owner.headers)).json()["items"]
    await world.forget_told()
    return chat


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


async def uploaded(client: Any, someone: Any, color: int = 1) -> str:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), (color, 8, 8)).save(out, "JPEG")
    made = await client.post("/api/media", files={"file": ("foto.jpg", out.getvalue())}, headers=someone.headers)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def later(client: Any, someone: Any, chat: Any, media_id: str, **more: str) -> Any:
    body = {"chat_id": chat["id"], "media_id": media_id, "send_at": in_an_hour()} | more
    return await client.post("/api/messages/send/media", json=body, headers=someone.headers)


async def the_object(world: Any, media_id: str) -> str:
    [row] = await world.rows("select object from media where id = $1", ids.parse(ids.MEDIA, media_id))
    return str(row["object"])


async def come_due(world: Any, system: Database) -> list[Any]:
    """What is due is sent, or is not; returns what is told of it."""
    await world.admin.execute("update scheduled set send_at = now() - interval '1 s'")
    await world.forget_told()

    async def done() -> list[Any]:
        return await world.told(ScheduleChanged)

    async with running(clock.send_scheduled(world.db, system, expiry=timedelta(hours=1))):
        return list(await eventually(done))


async def test_a_file_waits_with_its_message_and_goes_out_with_it(client, world, system, tenant, device, owner, chat):
    file = await uploaded(client, owner)
    made = await later(client, owner, chat, file, caption="La lista", reply_to=chat["last_message"]["id"])
    assert (made.status_code, made.json()["state"], made.json()["kind"], made.json()["text"]) == (201, "waiting", "image", "La lista")
    assert (made.json()["media"]["id"], made.json()["media"]["state"]) == (file, "ready")
    [told] = await world.told(ScheduleChanged)
    assert (told.data.kind, told.data.media.file_name) == ("image", "foto.jpg")
    assert (await client.get(made.json()["media"]["thumbnail_url"])).status_code == 200
    # An upload that waits with a message is nobody's to throw away, nor to send once more.
    await world.admin.execute("update media set created_at = now() - interval '40 days'")
    async with system.system() as tx:
        assert await media.abandoned(tx, timedelta(days=1)) == 0
    for again in (later(client, owner, chat, file), client.post("/api/messages/send/media", json={"chat_id": chat["id"], "media_id": file}, headers=owner.headers)):  # fmt: skip  # noqa: E501
        refused = await again
        assert (refused.status_code, refused.json()["code"]) == (404, "media-not-found")
    listed = await client.get("/api/messages/scheduled", params={"chat_id": chat["id"]}, headers=owner.headers)
    assert listed.json()["items"] == [made.json()]
    [told] = await come_due(world, system)
    assert (told.data.state, told.data.media) == ("sent", None)
    [order] = await world.told(SendMessage)
    assert (order.data.kind, order.data.text, order.data.quoted.wa_id, order.data.media.mime) == ("image", "La lista", "A1", "image/jpeg")
    sent = (await client.get(f"/api/messages/{told.data.message_id}", headers=owner.headers)).json()
    assert (sent["media"]["id"], sent["text"], sent["origin"]) == (file, "La lista", "schedule")
    assert (await client.get(f"/api/media/{file}", headers=owner.headers)).status_code == 200


async def test_what_is_cancelled_or_cannot_be_sent_leaves_no_file(client, world, system, objects, tenant, device, owner, chat):
    cancelled, failed = await uploaded(client, owner, 1), await uploaded(client, owner, 2)
    keys = [await the_object(world, file) for file in (cancelled, failed)]
    made = [(await later(client, owner, chat, file)).json() for file in (cancelled, failed)]
    gone = await client.delete(f"/api/messages/scheduled/{made[0]['id']}", headers=owner.headers)
    assert (gone.json()["state"], gone.json()["media"]) == ("cancelled", None)
    await world.handle([a_deletion(tenant, device)])
    [told] = await come_due(world, system)
    assert (told.data.id, told.data.state, told.data.reason, told.data.media) == (made[1]["id"], "failed", "device-not-found", None)
    assert await world.rows("select 1 from media") == []
    await world.admin.execute("update released_objects set held_until = null")
    while await deleting.delete_some(world.db, system, objects):
        pass
    assert [await objects.size(key) for key in keys] == [None, None]


async def test_a_file_that_waits_is_erased_with_whom_it_was_for(client, world, bus, tenant, owner, chat):
    await later(client, owner, chat, await uploaded(client, owner))
    answer = await client.post(f"/api/contacts/{chat['contact']['id']}/erase", headers=owner.headers)
    assert answer.status_code == 202, answer.text
    await eraser.go_on(world.db, bus, tenant, ids.parse(ids.ERASURE, answer.json()["id"]))
    assert await world.rows("select 1 from media") == []
    assert [row["erasure"] for row in await world.rows("select erasure from released_objects")] == [
        ids.parse(ids.ERASURE, answer.json()["id"])
    ]


async def test_a_file_without_words_takes_none_later(client, world, owner, chat):
    out = io.BytesIO()
    Image.new("RGBA", (512, 512), (9, 9, 9, 0)).save(out, "WEBP")
    sticker = await client.post("/api/media", files={"file": ("s.webp", out.getvalue())}, data={"kind": "sticker"}, headers=owner.headers)
    assert sticker.status_code == 201, sticker.text
    refused = await later(client, owner, chat, sticker.json()["id"], caption="¿Oyes?")
    assert (refused.status_code, refused.json()["code"]) == (422, "media-invalid")
    past = await later(client, owner, chat, sticker.json()["id"], send_at="2020-01-01T00:00:00Z")
    assert (past.status_code, past.json()["code"]) == (422, "schedule-invalid")
    made = await later(client, owner, chat, sticker.json()["id"])
    assert (made.status_code, made.json()["kind"], made.json()["text"]) == (201, "sticker", "")
    path = f"/api/messages/scheduled/{made.json()['id']}"
    refused = await client.patch(path, json={"text": "¿Oyes?"}, headers=owner.headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "schedule-invalid")
    moved = await client.patch(path, json={"send_at": in_an_hour()}, headers=owner.headers)
    assert (moved.status_code, moved.json()["media"]["id"]) == (200, sticker.json()["id"])

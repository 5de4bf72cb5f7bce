"""Files through the API: sent here, given back, and everything that somebody may try with them."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from contracts import ids
from contracts.media import LIMITS
from contracts.principal import Role
from conversations import api
from conversations.api.media import span_of
from conversations.domain import links
from conversations.files import Files, content_disposition, safe_name, sniff
from conversations.files.convert import waveform
from conversations.files.pictures import NoPicture, thumbnail
from conversations.settings import ConversationsSettings
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from servicekit import cursors
from servicekit.auth import Verifier
from servicekit.health import Health
from servicekit.http import create_app
from servicekit.objects import Objects


def picture(format: str = "JPEG", size: tuple[int, int] = (640, 480)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 80, 20)).save(out, format)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where objects lie; what is on its way lies beside."""
    (tmp_path / "way").mkdir()
    return tmp_path / "objects"


@pytest_asyncio.fixture
async def files(world: Any, bus: Any, signed_in: Any, tenant: Any, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API as the owner of *tenant*, on a folder of objects."""
    settings = ConversationsSettings(
        database_url="postgresql://unused", system_database_url="postgresql://unused", nats_url="nats://unused", cursor_secret="c" * 32,
        media_url=folder.as_uri(),
    )  # fmt: skip
    on_disk = Files(settings.objects, folder.with_name("way"))
    async with Verifier.open(bus) as verifier:
        app = create_app(
            title="test",
            service=Health(),
            verifier=verifier,
            routers=api.ROUTERS,
            cursor_secret=settings.cursor_secret,
            body_limits=api.BODY_LIMITS,
            state={
                "db": world.db,
                "bus": bus,
                "settings": settings,
                "verifier": verifier,
                "files": on_disk,
            },
        )
        headers = signed_in(Role.OWNER, tenant).headers
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers, timeout=60) as opened:
            yield opened


async def send(files: httpx.AsyncClient, data: bytes, name: str = "foto.jpg", **fields: str) -> httpx.Response:
    return await files.post("/api/media", files={"file": (name, data)}, data=fields)


async def test_a_file_comes_back_whole_in_parts_and_small(files, folder):
    data = b"%PDF-1.4 " + bytes(range(256)) * 2000
    made = (await send(files, data, "precios.pdf")).json()
    assert (made["state"], made["mime"], made["size"], made["file_name"]) == ("ready", "application/pdf", len(data), "precios.pdf")
    whole = await files.get(f"/api/media/{made['id']}")
    assert (whole.status_code, whole.content, whole.headers["content-disposition"].partition(";")[0]) == (200, data, "attachment")
    part = await files.get(f"/api/media/{made['id']}", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, data[10:20], f"bytes 10-19/{len(data)}")
    beyond = await files.get(f"/api/media/{made['id']}", headers={"range": f"bytes={len(data)}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range-invalid")
    same = await files.get(f"/api/media/{made['id']}", headers={"if-none-match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert (await files.get(f"/api/media/{made['id']}/thumbnail")).json()["code"] == "no-thumbnail"

    image = (await send(files, picture("PNG"))).json()
    assert (image["mime"], image["width"], image["height"]) == ("image/jpeg", 640, 480)
    small = await files.get(image["thumbnail_url"], headers={"authorization": ""})
    assert max(Image.open(io.BytesIO(small.content)).size) == 320
    again = (await send(files, data, "otra.pdf")).json()
    assert again["id"] != made["id"]
    stored = [path for path in folder.rglob("*") if path.is_file() and path.name == hashlib.sha256(data).hexdigest()]
    assert len(stored) == 1, "what is the same lies there once"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("foto.jpg", b"#!/bin/sh\nrm -rf /\n"),
        ("foto.png", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("foto.jpg", b"<!DOCTYPE html><html><script>alert(1)</script></html>"),
        ("../../../etc/passwd", b"root:x:0:0"),
    ],
)
async def test_what_is_not_what_it_says_is_a_heap_of_bytes_to_be_saved(files, folder, name, data):
    made = (await send(files, data, name)).json()
    given_back = await files.get(made["url"], headers={"authorization": ""})
    headers = given_back.headers
    assert (given_back.content, headers["content-type"]) == (data, "application/octet-stream")
    assert headers["content-disposition"].startswith("attachment")
    assert (headers["x-content-type-options"], "sandbox" in headers["content-security-policy"]) == ("nosniff", True)
    assert "/" not in made["file_name"]
    assert all(path.is_relative_to(folder) for path in folder.rglob("*"))
    assert (await send(files, data, name, kind="image")).json()["code"] == "media-invalid"


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(files):
    read = 0

    async def huge() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 65_536

    headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(2 << 30)}
    answer = await files.post("/api/media", content=huge(), headers=headers)
    assert (answer.status_code, answer.json()["code"], read) == (413, "too-large", 0)
    sticker = await send(files, b"x" * (LIMITS["sticker"] + 1), kind="sticker")
    assert (sticker.status_code, sticker.json()["code"]) == (413, "media-too-large")


async def test_an_upload_that_breaks_off_leaves_nothing(files, folder, world):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    for body in (head + picture(), head, b"--b--\r\n", b"nonsense"):
        answer = await files.post("/api/media", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
        assert (answer.status_code, answer.json()["code"]) == (400, "upload-broken"), body[:50]
    assert (await files.post("/api/media", content=b"{}", headers={"content-type": "application/json"})).status_code == 400
    assert not folder.exists() or not any(folder.rglob("*"))
    assert not list(folder.with_name("way").iterdir())
    assert await world.rows("select 1 from media") == []


async def test_files_are_seen_by_who_sent_them_and_by_nobody_elsewhere(files, signed_in, tenant):
    made = (await send(files, picture())).json()
    for other in (signed_in(Role.OWNER, ids.new()), signed_in(Role.OWNER, tenant)):
        for path in ("", "/thumbnail"):
            answer = await files.get(f"/api/media/{made['id']}{path}", headers=other.headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "media-not-found")
    broken = made["url"][:-2] + ("AA" if made["url"][-2:] != "AA" else "BB")
    for url in (broken, "/api/media/file?token=x", f"/api/media/file?token={'0' * 32}.{made['url'].partition('.')[2]}"):
        assert (await files.get(url, headers={"authorization": ""})).status_code == 404


async def test_the_same_key_sends_a_file_once(files, world):
    data = picture()
    first = await files.post("/api/media", files={"file": ("a.jpg", data)}, headers={"idempotency-key": "k1"})
    again = await files.post("/api/media", files={"file": ("a.jpg", data)}, headers={"idempotency-key": "k1"})
    other = await files.post("/api/media", files={"file": ("a.jpg", picture(size=(9, 9)))}, headers={"idempotency-key": "k1"})
    assert (first.json()["id"], again.headers["idempotency-replayed"]) == (again.json()["id"], "true")
    assert other.status_code in (409, 422)
    assert len(await world.rows("select 1 from media")) == 1


def test_an_address_is_the_same_within_the_hour_and_ends_after_a_day():
    cursors.init("c" * 32)
    tenant, media = ids.new(), ids.new()
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    made = links.address(tenant, media, now=noon)
    assert made == links.address(tenant, media, now=noon + timedelta(minutes=59))
    token = made.partition("token=")[2]
    assert links.read(token, noon + timedelta(hours=24))[:3] == (tenant, media, False)
    assert links.read(token, noon + timedelta(hours=26)) is None


@given(st.text(max_size=300))
def test_no_name_is_a_path_or_breaks_a_header(name: str):
    plain = safe_name(name)
    assert plain is None or (not set(plain) & set('/\\\0\r\n"') and plain not in (".", "..") and len(plain) <= 150)
    assert content_disposition("image/jpeg", name).isprintable()
    content_disposition("text/html", name).encode("latin-1")


@given(st.text(alphabet="bytes=0123456789-, ", max_size=20), st.integers(0, 100))
def test_a_range_lies_within_the_file_or_is_none(text: str, size: int):
    span = span_of(text, size)
    assert span is None or 0 <= span[0] <= span[1] <= size


def test_a_waveform_has_64_levels_and_its_loudest_is_100():
    quiet, loud = b"\x10\x00" * 8000, b"\x00\x40" * 8000
    levels = waveform(quiet + loud)
    assert (len(levels), levels[-1]) == (64, 100)
    assert levels[0] < 5
    assert waveform(b"") == bytes(64)


def test_a_bomb_is_no_picture(tmp_path):
    file = tmp_path / "bomb"
    file.write_bytes(picture("PNG", (20_000, 4_000)))
    assert sniff(file) == "image/png"
    with pytest.raises(NoPicture):
        asyncio.run(thumbnail(file, "image/png"))


async def test_a_folder_keeps_objects_whole(tmp_path):
    objects = Objects.folder(tmp_path / "o")
    file = tmp_path / "f"
    file.write_bytes(b"abc" * 1000)
    await objects.put("t/ab/x", file)
    assert (await objects.size("t/ab/x"), await objects.size("t/ab/y")) == (3000, None)
    assert b"".join([chunk async for chunk in await objects.read("t/ab/x", 3, 9)]) == b"abcabc"
    await objects.delete("t/ab/x", "t/ab/x")
    assert await objects.size("t/ab/x") is None

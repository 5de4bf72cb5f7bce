"""Files from WhatsApp's hosts: opened piece by piece, checked, kept; and the many ways in which they cannot be had."""

import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from contracts import ids
from contracts.commands import FetchMedia
from contracts.envelope import decode, wrap
from contracts.ids import DeviceId, TenantId
from contracts.media import LIMITS, object_key
from contracts.whatsapp import MediaSource
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from device_worker.media import Decryption, Downloads, MediaBroken
from hypothesis import given
from hypothesis import strategies as st
from servicekit.bus import Bus
from servicekit.objects import Objects

TENANT, DEVICE = TenantId(ids.new()), DeviceId(ids.new())
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 5000


def sealed(plain: bytes, key: bytes) -> bytes:
    """As a phone does it, for an image."""
    keys = HKDF(hashes.SHA256(), 112, None, b"WhatsApp Image Keys").derive(key)
    pad = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(keys[16:48]), modes.CBC(keys[:16])).encryptor()
    body = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    return body + hmac.digest(keys[48:80], keys[:16] + body, "sha256")[:10]


def opened(data: bytes, key: bytes, sha256: bytes, sizes: list[int]) -> bytes:
    opening = Decryption("image", key, hashlib.sha256(data).digest(), sha256)
    plain, at = b"", 0
    for size in [*sizes, len(data)]:
        plain += opening.update(data[at : at + size])
        at += size
    return plain + opening.finish()


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=12))
def test_a_file_is_opened_whole_in_whatever_pieces_it_comes(plain: bytes, sizes: list[int]):
    key = b"k" * 32
    assert opened(sealed(plain, key), key, hashlib.sha256(plain).digest(), sizes) == plain


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_file_of_which_anything_was_changed_is_not_opened(plain: bytes, data: Any):
    key = b"k" * 32
    whole = bytearray(sealed(plain, key))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(MediaBroken):
        opened(bytes(whole), key, hashlib.sha256(plain).digest(), [])


@asynccontextmanager
async def hosts(files: dict[str, bytes]) -> AsyncIterator[str]:
    """Serve them, on loopback."""

    async def get(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in files:
            raise web.HTTPNotFound
        return web.Response(body=files[name])

    app = web.Application()
    app.router.add_get("/v/{name}", get)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_file_is_fetched_kept_by_its_content_or_said_to_be_lost(bus: Bus, tmp_path: Path):
    key = os.urandom(32)
    data = sealed(PNG, key)
    source = MediaSource(path="/v/good?ccb=1", key=key, enc_sha256=hashlib.sha256(data).digest(), sha256=hashlib.sha256(PNG).digest())
    objects = Objects.folder(tmp_path / "objects")

    def order(path: str, size: int = len(PNG), **changes: Any) -> Any:
        told = MediaSource(**{name: getattr(source, name) for name in ("key", "enc_sha256", "sha256")} | {"path": path} | changes)
        return wrap(TENANT, FetchMedia(media=ids.new(), device=DEVICE, kind="image", source=told, size=size))

    orders = [
        order("/v/good?ccb=1"),
        order("/v/gone"),
        order("/v/good", key=b"w" * 32),
        order("/v/good", size=LIMITS["image"] + 1),
        order("/v/good", key=b"short"),
    ]
    async with hosts({"good": data}) as address:
        consumer = Downloads(bus, objects, at_once=4, host=address).consumer()
        await consumer.handle(orders)
        await consumer.handle(orders[:1])
    state = await bus.stream_state()
    reader = await bus.ordered("evt.>", state.first_sequence)
    told: dict[Any, Any] = {}
    try:
        async for fact in reader:
            body = decode(fact.payload).data
            told[body.media] = body
            if fact.sequence >= state.last_sequence:
                break
    finally:
        await reader.close()
    stored, *lost = [told[one.data.media] for one in orders]
    name = object_key(TENANT, hashlib.sha256(PNG).hexdigest())
    assert (stored.object, stored.mime, stored.size) == (name, "image/png", len(PNG))
    assert b"".join([chunk async for chunk in await objects.read(name)]) == PNG
    assert [one.reason for one in lost] == ["media-expired", "media-corrupt", "media-too-large", "media-corrupt"]
    assert [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()] == [stored.sha256]

"""Files of messages: fetched from WhatsApp's hosts into the object store, and taken out of it to be sent.

The library would give a file as one piece of memory, in the process that must do nothing but journal. The format is public
and small (AES-CBC with a code at its end, the keys derived from the message's), so it is read here, chunk by chunk.
https://github.com/tulir/whatsmeow/blob/main/download.go
"""

import asyncio
import base64
import hashlib
import hmac
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import filetype
import structlog
from contracts import subjects
from contracts.commands import FetchMedia, SendMessage
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.devices import MediaFailed, MediaStored
from contracts.media import LIMITS, object_key
from contracts.whatsapp import MessageKind
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from prometheus_client import Counter
from servicekit.bus import Bus, Consumer
from servicekit.objects import Objects
from yarl import URL

from device_worker.convert import Uploaded
from device_worker.host.remote import Client

log = structlog.get_logger()

DURABLE = "devices-media"

_HOST = "https://mmg.whatsapp.net"
_CHUNK = 256 << 10
_CODE = 10
_BLOCK = 16
_HEAD = 8192
_TRIES = 3
_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=5, sock_read=30)

#: By the kind of message: what its keys are derived with, and how the hosts call it.
_KINDS: dict[MessageKind, tuple[bytes, str]] = {
    "image": (b"WhatsApp Image Keys", "image"),
    "sticker": (b"WhatsApp Image Keys", "image"),
    "video": (b"WhatsApp Video Keys", "video"),
    "audio": (b"WhatsApp Audio Keys", "audio"),
    "voice": (b"WhatsApp Audio Keys", "audio"),
    "document": (b"WhatsApp Document Keys", "document"),
}

FETCHED = Counter("clarin_devices_media_fetched", "Files that were to be fetched, by what became of them.", ["outcome"])


class MediaBroken(Exception):
    """The file cannot be had; the text is the reason's code."""


class Decryption:
    """Opens one file, piece by piece; off the loop, since it is work."""

    def __init__(self, kind: MessageKind, key: bytes, enc_sha256: bytes, sha256: bytes) -> None:
        keys = HKDF(hashes.SHA256(), 112, None, _KINDS[kind][0]).derive(key)
        vector, cipher, code = keys[:16], keys[16:48], keys[48:80]
        self._decryptor = Cipher(algorithms.AES(cipher), modes.CBC(vector)).decryptor()
        self._code = hmac.new(code, vector, "sha256")
        self._sealed, self._plain = hashlib.sha256(), hashlib.sha256()
        self._expected = enc_sha256, sha256
        self._tail = b""
        self._last = b""
        self.size = 0

    def update(self, data: bytes) -> bytes:
        """Give the plain bytes that are certain by now."""
        self._sealed.update(data)
        data = self._tail + data
        ready = max(len(data) - _CODE, 0) // _BLOCK * _BLOCK
        data, self._tail = data[:ready], data[ready:]
        self._code.update(data)
        return self._keep(self._last + self._decryptor.update(data), _BLOCK)

    def finish(self) -> bytes:
        """Give the rest.  Raises: MediaBroken: it is not the file that the message speaks of."""
        if len(self._tail) != _CODE or len(self._last) != _BLOCK:
            raise MediaBroken("media-corrupt")
        if not hmac.compare_digest(self._code.digest()[:_CODE], self._tail):
            raise MediaBroken("media-corrupt")
        padding = self._last[-1]
        if not 1 <= padding <= _BLOCK or self._last[-padding:] != bytes([padding]) * padding:
            raise MediaBroken("media-corrupt")
        rest = self._last[:-padding]
        self._plain.update(rest)
        self.size += len(rest)
        told, expected = (self._sealed.digest(), self._plain.digest()), self._expected
        if any(wanted and wanted != found for wanted, found in zip(expected, told, strict=True)):
            raise MediaBroken("media-corrupt")
        return rest

    @property
    def sha256(self) -> str:
        """Of the plain bytes, in hexadecimal."""
        return self._plain.hexdigest()

    def _keep(self, data: bytes, kept: int) -> bytes:
        data, self._last = (data[:-kept], data[-kept:]) if data else (b"", b"")
        self._plain.update(data)
        self.size += len(data)
        return data


class Downloads:
    """Carries out the orders to fetch a file. Any worker does: no session is needed."""

    def __init__(self, bus: Bus, objects: Objects, *, at_once: int, host: str = _HOST) -> None:
        self._bus, self._objects, self._host = bus, objects, host
        self._places = asyncio.Semaphore(at_once)
        self._at_once = at_once

    def consumer(self) -> Consumer:
        """Describe the durable; an order is done when how it ended has been told."""
        return Consumer(
            durable=DURABLE, stream=subjects.COMMANDS, bodies=(FetchMedia,), handle=self._handle, batch=self._at_once, concurrency=2
        )

    async def _handle(self, orders: Sequence[Envelope[Any]]) -> None:
        # Outside of WhatsApp's own proxies and authorities nothing is trusted but what the environment says.
        async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as http:
            await asyncio.gather(*(self._carry_out(http, order) for order in orders))

    async def _carry_out(self, http: aiohttp.ClientSession, order: Envelope[FetchMedia]) -> None:
        wanted = order.data
        body: MediaStored | MediaFailed
        try:
            async with self._places:
                body = await self._fetch(http, order)
            FETCHED.labels("stored").inc()
        except MediaBroken as error:
            body = MediaFailed(media=wanted.media, device=wanted.device, reason=str(error), attempt=wanted.attempt)
            FETCHED.labels(str(error)).inc()
        await self._bus.publish(wrap(order.tenant, body, audience=Audience(device=wanted.device)))

    async def _fetch(self, http: aiohttp.ClientSession, order: Envelope[FetchMedia]) -> MediaStored:
        wanted = order.data
        limit = LIMITS.get(wanted.kind)
        if limit is None or len(wanted.source.key) != 32 or not wanted.source.path.startswith("/"):
            raise MediaBroken("media-corrupt")
        if wanted.size > limit:
            raise MediaBroken("media-too-large")
        with tempfile.TemporaryDirectory(prefix="clarin-media-") as folder:
            file = Path(folder) / "file"
            for attempt in range(1, _TRIES + 1):
                try:
                    opened = await self._download(http, wanted, limit, file)
                    break
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    log.info("media.unreachable", device=str(wanted.device), error=type(error).__name__, attempt=attempt)
                    if attempt == _TRIES:
                        raise MediaBroken("media-unreachable") from error
                    await asyncio.sleep(attempt)
            key = object_key(order.tenant, opened.sha256)
            if await self._objects.size(key) != opened.size:
                await self._objects.put(key, file)
            found = await asyncio.to_thread(sniff, file)
        return MediaStored(
            media=wanted.media,
            device=wanted.device,
            object=key,
            mime=found,
            size=opened.size,
            sha256=opened.sha256,
            attempt=wanted.attempt,
        )

    async def _download(self, http: aiohttp.ClientSession, wanted: FetchMedia, limit: int, file: Path) -> Decryption:
        """The plain file is in *file*.  Raises: MediaBroken; aiohttp's errors."""
        source = wanted.source
        opening = Decryption(wanted.kind, source.key, source.enc_sha256, source.sha256)
        async with http.get(self._url(wanted), allow_redirects=False, headers={"Origin": "https://web.whatsapp.com"}) as answer:
            if answer.status in (403, 404, 410):
                raise MediaBroken("media-expired")
            answer.raise_for_status()
            if answer.status != 200:
                raise MediaBroken("media-unreachable")
            with file.open("wb") as out:
                async for data in answer.content.iter_chunked(_CHUNK):
                    if opening.size + len(data) > limit + _CHUNK:
                        raise MediaBroken("media-too-large")
                    await asyncio.to_thread(_write, out, opening, data)
                await asyncio.to_thread(_write, out, opening, None)
        if opening.size > limit:
            raise MediaBroken("media-too-large")
        return opening

    def _url(self, wanted: FetchMedia) -> URL:
        path = wanted.source.path
        marks = base64.urlsafe_b64encode(wanted.source.enc_sha256).decode()
        more = f"hash={marks}&mms-type={_KINDS[wanted.kind][1]}&__wa-mms="
        return URL(f"{self._host}{path}{'&' if '?' in path else '?'}{more}", encoded=True)


def _write(out: BinaryIO, opening: Decryption, data: bytes | None) -> None:
    out.write(opening.finish() if data is None else opening.update(data))


def sniff(file: Path) -> str:
    """Tell what a file is by its first bytes; what they do not tell is a heap of bytes."""
    with file.open("rb") as opened:
        kind = filetype.guess(opened.read(_HEAD))
    return str(kind.mime) if kind is not None else "application/octet-stream"


#: How the library calls what a file is, by the kind of message.
_CALLED = {"image": "image", "sticker": "image", "video": "video", "audio": "audio", "voice": "audio", "document": "document"}


class Uploads:
    """Puts the files of orders on WhatsApp's hosts, few at a time: the library holds each in memory."""

    def __init__(self, objects: Objects, *, at_once: int = 2) -> None:
        self._objects = objects
        self._places = asyncio.Semaphore(at_once)

    async def __call__(self, client: Client, order: SendMessage) -> Uploaded | None:
        """Give where the order's file is now; None where it has none.

        Raises: NotRunning, CallFailed: nothing was sent; ObjectMissing, ObjectsAway.
        """
        media = order.media
        if media is None or media.object is None or order.kind not in _CALLED:
            return None
        async with self._places:
            with tempfile.TemporaryDirectory(prefix="clarin-media-") as folder:
                file = Path(folder) / "file"
                await self._objects.fetch(media.object, file)
                return Uploaded(*await client.upload(str(file), _CALLED[order.kind]))

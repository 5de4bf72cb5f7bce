"""Files that people send here: streamed from the request to the disk, and from there into the object store."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.errors import Malformed
from contracts.errors import TooLarge as TooLargeError
from contracts.ids import TenantId
from contracts.media import LARGEST, object_key, thumbnail_key
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from servicekit.objects import ObjectMissing, Objects
from starlette.requests import ClientDisconnect, Request

from conversations.files.pictures import thumbnail
from conversations.files.sniff import safe_name

_LONGEST_FIELD = 300_000
_MOST_PARTS = 20
_CHUNK = 256 << 10


class TooLarge(TooLargeError):
    """The file is larger than a message may carry."""

    code = "media-too-large"


class UploadBroken(Malformed):
    """This is no form with one file in it, or it broke off."""

    code = "upload-broken"


@dataclass(slots=True)
class Upload:
    """What a form held: its texts and, on the disk, its one file."""

    file: Path
    name: str | None = None
    size: int = 0
    sha256: str = ""
    has_file: bool = False
    fields: dict[str, str] = field(default_factory=dict)


class Files:
    """The object store as this service uses it, and a folder for what is on its way."""

    def __init__(
        self, objects: Objects, scratch: Path | None = None, *, hold: Callable[[TenantId, str], Awaitable[None]] | None = None
    ) -> None:
        """Use *objects*, and *scratch* (the machine's own by default) for what is on its way.

        Args:
            hold: Returns when nobody deletes an object until a row can name it.
        """
        self.objects = objects
        self._hold = hold
        self._scratch = scratch
        self._places = asyncio.Semaphore(4)

    @asynccontextmanager
    async def received(self, request: Request, *, file: bool = True) -> AsyncIterator[Upload]:
        """The form of *request*, its file on the disk while the block lasts; what breaks off leaves nothing.

        Args:
            file: There must be one.

        Raises: TooLarge, UploadBroken.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > LARGEST + _LONGEST_FIELD * 2:
            raise TooLarge(f"A file has at most {LARGEST} bytes.")
        with tempfile.TemporaryDirectory(prefix="clarin-upload-", dir=self._scratch) as folder:
            form = _Form(Path(folder) / "file", request.headers.get("content-type", ""))
            try:
                try:
                    async for chunk in request.stream():
                        for start in range(0, len(chunk), _CHUNK):
                            await asyncio.to_thread(form.write, chunk[start : start + _CHUNK])
                    upload = await asyncio.to_thread(form.done)
                except (FormParserError, ClientDisconnect) as error:
                    raise UploadBroken from error
                if file and not upload.has_file:
                    raise UploadBroken("There is no file in it.")
                yield upload
            finally:
                form.close()

    async def keep(self, tenant: TenantId, file: Path) -> tuple[str, str, int]:
        """The file is an object; returns its key, hash and size."""
        sha256, size = await asyncio.to_thread(_hashed, file)
        key = object_key(tenant, sha256)
        if self._hold is not None:
            await self._hold(tenant, key)
        if await self.objects.size(key) != size:
            await self.objects.put(key, file)
        return key, sha256, size

    async def picture(self, key: str, mime: str) -> AsyncIterator[bytes]:
        """Begin to read the small picture of an object, made when it is first wanted.  Raises: ObjectMissing, NoPicture."""
        name = thumbnail_key(key)
        try:
            return await self.objects.read(name)
        except ObjectMissing:
            pass
        async with self._places:
            with tempfile.TemporaryDirectory(prefix="clarin-picture-", dir=self._scratch) as folder:
                file = Path(folder) / "file"
                await self.objects.fetch(key, file)
                small = await thumbnail(file, mime)
        await self.objects.put(name, small)
        return _once(small)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


class _Form:
    """Reads a multipart body as it comes: the one file to the disk, short texts to memory, nothing else."""

    def __init__(self, file: Path, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise UploadBroken("Send multipart/form-data.")
        self._upload = Upload(file)
        self._out = file.open("wb")
        self._hash = hashlib.sha256()
        self._has_file = self._in_file = self._ended = False
        self._parts = 0
        self._name, self._text = "", bytearray()
        self._header, self._value, self._disposition = bytearray(), bytearray(), b""
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }
        self._parser = MultipartParser(options[b"boundary"], callbacks)

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def done(self) -> Upload:
        if not self._ended:
            raise UploadBroken("It broke off.")
        self._out.close()
        self._upload.sha256, self._upload.has_file = self._hash.hexdigest(), self._has_file
        return self._upload

    def close(self) -> None:
        self._out.close()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise UploadBroken("There are too many parts.")
        self._name, self._text, self._disposition, self._in_file = "", bytearray(), b"", False

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options or self._name == "file":
            if self._has_file:
                raise UploadBroken("There are two files in it.")
            self._has_file = self._in_file = True
            self._upload.name = safe_name(options.get(b"filename", b"").decode("utf-8", "replace"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            self._text += data[start:end]
            if len(self._text) > _LONGEST_FIELD:
                raise UploadBroken("A text in it is too long.")
            return
        self._upload.size += end - start
        if self._upload.size > LARGEST:
            raise TooLarge(f"A file has at most {LARGEST} bytes.")
        part = data[start:end]
        self._out.write(part)
        self._hash.update(part)

    def _part_end(self) -> None:
        if not self._in_file and self._name:
            self._upload.fields[self._name] = self._text.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True


def _hashed(file: Path) -> tuple[str, int]:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest(), file.stat().st_size

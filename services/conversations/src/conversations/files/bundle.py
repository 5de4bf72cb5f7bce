"""All that is known of a contact, as one ZIP on the disk: written a piece at a time, whatever its size.

contact.json        who it is, its fields, tags and notes
chats.json          its threads
messages.jsonl      every message, a JSON object a line, as the API shows it
edits.jsonl         what messages said before they were changed
messages.html       the same, to be read by a person
leads.json          its leads with their tasks and notes
media/<id>-<name>   the files that are here
"""

import asyncio
import html
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from contracts.views import Message

from conversations.files.sniff import safe_name

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src 'self'">
<style>
body {{ font: 15px/1.5 sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }}
p {{ margin: .4rem 0; padding: .4rem .8rem; border-radius: .6rem; background: #f1f3f5; white-space: pre-wrap; overflow-wrap: anywhere }}
p.me {{ background: #d3f9d8; margin-left: 4rem }}
small {{ color: #868e96 }}
</style>
</head><body><h1>{title}</h1>
"""


class Bundle:
    """A ZIP that is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip: zipfile.ZipFile | None = None

    async def __aenter__(self) -> Self:
        self._zip = await asyncio.to_thread(zipfile.ZipFile, self._path, "w", zipfile.ZIP_DEFLATED)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._zip is not None:
            await asyncio.to_thread(self._zip.close)

    async def add(self, name: str, value: Any) -> None:
        """The file *name* holds this as JSON."""
        assert self._zip is not None, "The bundle is open."  # noqa: S101
        text = msgspec.json.format(msgspec.json.encode(value), indent=2)
        await asyncio.to_thread(self._zip.writestr, name, text)

    async def stream(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """The file *name* holds these bytes; tells how many."""
        assert self._zip is not None, "The bundle is open."  # noqa: S101
        size = 0
        entry = await asyncio.to_thread(self._zip.open, name, "w", force_zip64=True)
        try:
            async for chunk in chunks:
                await asyncio.to_thread(entry.write, chunk)
                size += len(chunk)
        finally:
            await asyncio.to_thread(entry.close)
        return size


def media_name(id: str, name: str | None) -> str:
    """Name a file's place in the bundle; nothing from outside leads out of its folder."""
    return f"media/{id}-{safe_name(name or '') or 'file'}"


def page(title: str) -> bytes:
    """Begin the readable page."""
    return _PAGE.format(title=html.escape(title)).encode()


def line(message: Message, files: Mapping[str, str]) -> bytes:
    """Write one message of the readable page."""
    who = "→" if message.from_me else "←"
    body = html.escape(message.text or "")
    media = message.media
    if media is not None:
        place = files.get(media.id or "")
        name = html.escape(media.file_name or media.mime)
        body += f' <a href="{html.escape(place)}">{name}</a>' if place else f" [{name}]"
    if not body:
        body = f"[{message.kind}]"
    side = ' class="me"' if message.from_me else ""
    return f"<p{side}><small>{message.at:%Y-%m-%d %H:%M} {who}</small> {body}</p>\n".encode()


END = b"</body></html>\n"

"""A file as WhatsApp takes it for each kind of message."""

import asyncio
import struct
from dataclasses import dataclass
from pathlib import Path

from contracts.whatsapp import MessageKind

from conversations.files import ffmpeg, pictures
from conversations.files.pictures import NoPicture

_LEVELS = 64
_RATE = 8000
_AUDIO = frozenset({"audio/mpeg", "audio/mp4", "audio/aac", "audio/amr", "audio/ogg"})
_PREVIEW = 72


class NotConvertible(Exception):
    """The file cannot be sent as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The file that is sent, with what its message says of it."""

    file: Path
    kind: MessageKind
    mime: str
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    waveform: bytes | None = None
    preview: bytes | None = None


def natural(mime: str) -> MessageKind:
    """Tell what a file is sent as where nobody says."""
    match mime.partition("/")[0]:
        case "image" if mime in ("image/jpeg", "image/png"):
            return "image"
        case "video" if mime in ("video/mp4", "video/3gpp"):
            return "video"
        case "audio" if mime in _AUDIO:
            return "audio"
    return "document"


async def fit(file: Path, mime: str, kind: MessageKind | None) -> Converted:
    """Make of *file* what goes as *kind*: an image a JPEG, a voice note Opus in Ogg, a sticker a WebP.  Raises: NotConvertible.

    Args:
        mime: As its bytes say.
        kind: By the file where None.
    """
    kind = kind or natural(mime)
    try:
        match kind:
            case "image":
                return await _image(file, mime)
            case "sticker":
                sticker = file.with_suffix(".webp")
                await asyncio.to_thread(pictures.as_webp, file, sticker)
                return Converted(file=sticker, kind=kind, mime="image/webp", width=512, height=512)
            case "video":
                return await _video(file, mime)
            case "voice":
                return await _voice(file)
            case "audio":
                return await _audio(file, mime)
            case "document":
                return Converted(file=file, kind=kind, mime=mime)
    except NoPicture as error:
        raise NotConvertible("This is no image that can be read.") from error
    except ffmpeg.Failed as error:
        raise NotConvertible("This cannot be read as sound or video.") from error
    raise NotConvertible(f"A file is not sent as {kind}.")


async def _image(file: Path, mime: str) -> Converted:
    if mime != "image/jpeg":
        jpeg = file.with_suffix(".jpg")
        await asyncio.to_thread(pictures.as_jpeg, file, jpeg)
        file = jpeg
    size = await asyncio.to_thread(pictures.size, file)
    if size is None:
        raise NoPicture("No image.")
    preview = await pictures.thumbnail(file, "image/jpeg", edge=_PREVIEW)
    return Converted(file=file, kind="image", mime="image/jpeg", width=size[0], height=size[1], preview=preview)


async def _video(file: Path, mime: str) -> Converted:
    if mime not in ("video/mp4", "video/3gpp"):
        made = file.with_suffix(".mp4")
        await ffmpeg.run(*ffmpeg.source(file), "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac",
                         "-movflags", "+faststart", "-f", "mp4", "-y", f"file:{made}")  # fmt: skip
        file, mime = made, "video/mp4"
    seconds, size = await ffmpeg.probe(file)
    if size is None:
        raise ffmpeg.Failed("There is no picture in it.")
    preview = await pictures.thumbnail(file, mime, edge=_PREVIEW)
    return Converted(file=file, kind="video", mime=mime, seconds=seconds, width=size[0], height=size[1], preview=preview)


async def _audio(file: Path, mime: str) -> Converted:
    if mime not in _AUDIO:
        made = file.with_suffix(".mp3")
        await ffmpeg.run(*ffmpeg.source(file), "-vn", "-c:a", "libmp3lame", "-q:a", "4", "-f", "mp3", "-y", f"file:{made}")
        file, mime = made, "audio/mpeg"
    seconds, _ = await ffmpeg.probe(file)
    if seconds is None:
        raise ffmpeg.Failed("There is no sound in it.")
    return Converted(file=file, kind="audio", mime=mime, seconds=seconds)


async def _voice(file: Path) -> Converted:
    made = file.with_suffix(".ogg")
    await ffmpeg.run(*ffmpeg.source(file), "-vn", "-map_metadata", "-1", "-ac", "1", "-ar", "48000", "-c:a", "libopus", "-b:a", "24k",
                     "-application", "voip", "-f", "ogg", "-y", f"file:{made}")  # fmt: skip
    samples, _ = await ffmpeg.run(*ffmpeg.source(made), "-ac", "1", "-ar", str(_RATE), "-f", "s16le", "pipe:1")
    seconds = max(1, round(len(samples) / 2 / _RATE))
    levels = await asyncio.to_thread(waveform, samples)
    return Converted(file=made, kind="voice", mime="audio/ogg; codecs=opus", seconds=seconds, waveform=levels)


def waveform(samples: bytes) -> bytes:
    """Give 64 levels from 0 to 100 of signed 16-bit samples, the loudest of which is 100."""
    count = len(samples) // 2
    if count == 0:
        return bytes(_LEVELS)
    step = max(count // _LEVELS, 1)
    stride = max(step // 200, 1)  # a level needs no more samples than that
    peaks = []
    for level in range(_LEVELS):
        start, end = level * count // _LEVELS, (level + 1) * count // _LEVELS
        part = struct.unpack(f"<{end - start}h", samples[start * 2 : end * 2])[::stride]
        peaks.append(sum(map(abs, part)) / len(part) if part else 0.0)
    loudest = max(peaks) or 1.0
    return bytes(round(peak / loudest * 100) for peak in peaks)

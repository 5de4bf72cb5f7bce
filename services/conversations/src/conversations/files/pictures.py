"""Small pictures of images, stickers and videos."""

import asyncio
import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from conversations.files import ffmpeg

_MOST_PIXELS = 50_000_000
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
Image.MAX_IMAGE_PIXELS = _MOST_PIXELS

_UNREADABLE = (UnidentifiedImageError, Image.DecompressionBombWarning, Image.DecompressionBombError, OSError, ValueError, SyntaxError)
_EDGE = 320
_QUALITY = 75


class NoPicture(Exception):
    """There is no picture of this file."""


async def thumbnail(file: Path, mime: str, *, edge: int = _EDGE) -> bytes:
    """Make a JPEG with edges up to *edge*.  Raises: NoPicture."""
    if mime.startswith("image/"):
        return await asyncio.to_thread(_small, file, edge)
    if mime.startswith("video/"):
        frame = file.with_suffix(".frame")
        try:
            await ffmpeg.run(*ffmpeg.source(file), "-frames:v", "1", "-vf", f"scale=w={edge}:h={edge}:force_original_aspect_ratio=decrease",
                             "-f", "image2", "-c:v", "mjpeg", "-y", f"file:{frame}")  # fmt: skip
            return await asyncio.to_thread(_small, frame, edge)
        except ffmpeg.Failed as error:
            raise NoPicture(str(error)) from error
        finally:
            frame.unlink(missing_ok=True)
    raise NoPicture("Nothing to be seen.")


def size(file: Path) -> tuple[int, int] | None:
    """Read width and height of an image, as it is to be shown; None for what is none."""
    try:
        with _open(file) as image:
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            return (image.height, image.width) if turned else (image.width, image.height)
    except NoPicture:
        return None


def as_webp(file: Path, to: Path) -> None:
    """Make a sticker: 512 by 512, nothing cut off.  Raises: NoPicture."""
    with _open(file) as image:
        try:
            shown = ImageOps.exif_transpose(image).convert("RGBA")
            shown = ImageOps.contain(shown, (512, 512))
            sticker = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
            sticker.paste(shown, ((512 - shown.width) // 2, (512 - shown.height) // 2))
            sticker.save(to, "WEBP", quality=80)
        except (OSError, ValueError, SyntaxError) as error:
            raise NoPicture(type(error).__name__) from error


def as_jpeg(file: Path, to: Path) -> None:
    """Make a JPEG of any image.  Raises: NoPicture."""
    with _open(file) as image:
        try:
            _flat(ImageOps.exif_transpose(image)).save(to, "JPEG", quality=88)
        except (OSError, ValueError, SyntaxError) as error:
            raise NoPicture(type(error).__name__) from error


def _small(file: Path, edge: int) -> bytes:
    with _open(file) as image:
        try:
            image.draft("RGB", (edge * 2, edge * 2))
            shown = _flat(ImageOps.exif_transpose(image))
            shown.thumbnail((edge, edge))
            out = io.BytesIO()
            shown.save(out, "JPEG", quality=_QUALITY)
        except (OSError, ValueError, SyntaxError) as error:
            raise NoPicture(type(error).__name__) from error
    return out.getvalue()


def _flat(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "P"):
        seen = image.convert("RGBA")
        ground = Image.new("RGB", seen.size, (255, 255, 255))
        ground.paste(seen, mask=seen.getchannel("A"))
        return ground
    return image.convert("RGB")


def _open(file: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(file, formats=_FORMATS)
    except _UNREADABLE as error:
        raise NoPicture(type(error).__name__) from error

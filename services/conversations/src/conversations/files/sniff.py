"""What a file is, by its bytes, and what it may be called."""

import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

import filetype

BYTES = "application/octet-stream"
_HEAD = 8192

#: What a browser may show by itself: nothing in which a script can be. The rest is saved.
INLINE: frozenset[str] = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "audio/ogg",
        "audio/mpeg",
        "audio/mp4",
        "audio/aac",
        "audio/amr",
        "audio/x-wav",
        "video/mp4",
        "video/webm",
        "video/3gpp",
    }
)

_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_LONGEST_NAME = 150


def sniff(file: Path) -> str:
    """Tell what a file is by its first bytes; what they do not tell (a script, a page, an SVG) is a heap of bytes."""
    with file.open("rb") as opened:
        kind = filetype.guess(opened.read(_HEAD))
    return str(kind.mime) if kind is not None else BYTES


def safe_name(name: str | None) -> str | None:
    """Give what is left of a name when it can be no path, hides no ending and fits everywhere; None for nothing."""
    if name is None:
        return None
    plain = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    plain = "".join(c for c in _UNFIT.sub("", plain) if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn")).strip(" .")
    if len(plain) > _LONGEST_NAME:
        stem, dot, ending = plain.rpartition(".")
        kept = dot + ending if dot and len(ending) <= 10 else ""
        plain = (stem if kept else plain)[: _LONGEST_NAME - len(kept)] + kept
    return plain or None


def content_disposition(mime: str, name: str | None) -> str:
    """Write the header: shown where that is harmless, else saved, under a name that is only a name."""
    way = "inline" if mime in INLINE else "attachment"
    plain = safe_name(name)
    if plain is None:
        return way
    ascii_name = plain.encode("ascii", "ignore").decode().replace('"', "").strip() or "file"
    return f"{way}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(plain, safe='')}"

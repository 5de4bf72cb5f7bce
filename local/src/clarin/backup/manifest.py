"""What a backup says of itself: of which version it is, and what its files must be."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

FORMAT = 1
_NAME = "manifest.json"
_CHUNK = 1 << 20


class NotRestorable(Exception):
    """Nothing was restored; the text says why."""


class File(msgspec.Struct, frozen=True):
    """What one file must be."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The index of a backup.

    Attributes:
        format: How the folder is laid out.
        schemas: The last migration that each schema has seen.
        leakproof: Functions of the database's own that searches may trust; no dump holds that.
        key: What the encryption key is recognised by.
        files: Every other file of the folder.
    """

    format: int
    version: str
    made_at: datetime
    schemas: dict[str, str]
    leakproof: list[str]
    key: str
    with_key: bool
    messages: dict[str, int]
    files: dict[str, File]

    def write(self, folder: Path) -> None:
        """It stands in *folder*."""
        (folder / _NAME).write_bytes(msgspec.json.format(msgspec.json.encode(self)))


def read(folder: Path) -> Manifest:
    """Read the index of a backup.  Raises: NotRestorable."""
    try:
        found = msgspec.json.decode((folder / _NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise NotRestorable(f"{folder} is no backup: it has no {_NAME}.") from None
    except msgspec.MsgspecError as error:
        raise NotRestorable(f"{folder / _NAME} cannot be read: {error}") from None
    if found.format > FORMAT:
        raise NotRestorable(f"The backup is of a newer Clarin ({found.version}): update this one first.")
    return found


def check(folder: Path, manifest: Manifest) -> None:
    """Every file is there and what it was.  Raises: NotRestorable."""
    here = dict(files(folder))
    for name, known in manifest.files.items():
        path = here.pop(name, None)
        if path is None:
            raise NotRestorable(f"{name} is missing in the backup.")
        if path.stat().st_size != known.bytes or digest(path) != known.sha256:
            raise NotRestorable(f"{name} is not what was backed up: its checksum is another one.")
    if here:
        raise NotRestorable(f"{min(here)} is in the folder, and was not backed up.")


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file of a backup but the index."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != _NAME:
            yield str(path.relative_to(folder)), path


def described(folder: Path) -> dict[str, File]:
    """Describe every file of a backup that has just been made."""
    return {name: File(path.stat().st_size, digest(path)) for name, path in files(folder)}


def digest(path: Path) -> str:
    """Give the SHA-256 of a file."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def recognised_by(key: str) -> str:
    """Give what a key is recognised by, and cannot be found from."""
    return hashlib.pbkdf2_hmac("sha256", key.encode(), b"clarin backup", 200_000).hex()[:16]

"""Media as WhatsApp keeps it: encrypted on the hosts by the hash of its encryption, its key in the message alone."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sim.keys import hkdf

KEY_INFO = {
    "image": b"WhatsApp Image Keys",
    "sticker": b"WhatsApp Image Keys",
    "video": b"WhatsApp Video Keys",
    "audio": b"WhatsApp Audio Keys",
    "voice": b"WhatsApp Audio Keys",
    "document": b"WhatsApp Document Keys",
    "history": b"WhatsApp History Keys",
}
_HOST = "https://mmg.whatsapp.net"


class MediaBroken(Exception):
    """The file is not on the hosts, or is not what the message says."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What a message says of a file on the hosts; the hashes are raw SHA-256."""

    key: bytes
    path: str
    hash_encrypted: bytes
    hash_plain: bytes
    size: int

    def fields(self) -> dict[str, Any]:
        """As the fields of a media message."""
        return {
            "mediaKey": self.key,
            "directPath": self.path,
            "URL": _HOST + self.path,
            "fileEncSHA256": self.hash_encrypted,
            "fileSHA256": self.hash_plain,
            "fileLength": self.size,
        }


class Hosts:
    """The files of every media host, in one folder, named by the hash of their encryption."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def keep(self, encrypted: bytes) -> str:
        """Store one encrypted file; its path on the hosts."""
        name = hashlib.sha256(encrypted).hexdigest()
        part = self._folder / f"{name}.{os.urandom(4).hex()}.part"
        part.write_bytes(encrypted)
        part.replace(self._folder / name)
        return f"/v/{name}"

    def file(self, name: str) -> Path | None:
        """Where the file of that name lies, if it is here."""
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            return None
        path = self._folder / name
        return path if path.exists() else None

    def lose(self, path: str) -> None:
        """The file at *path* is gone."""
        if file := self.file(path.split("?")[0].rpartition("/")[2]):
            file.unlink()

    def upload(self, plain: bytes, kind: str) -> Uploaded:
        """Encrypt as a phone does, and store."""
        key = os.urandom(32)
        vector, cipher, code = _keys(key, kind)
        pad = 16 - len(plain) % 16
        encryptor = Cipher(algorithms.AES(cipher), modes.CBC(vector)).encryptor()
        sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        sealed += hmac.digest(code, vector + sealed, "sha256")[:10]
        path = self.keep(sealed)
        return Uploaded(key, path + "?ccb=1", hashlib.sha256(sealed).digest(), hashlib.sha256(plain).digest(), len(plain))

    def download(self, path: str, key: bytes, kind: str) -> bytes:
        """The plain file at *path*.  Raises: MediaBroken."""
        file = self.file(path.split("?")[0].rpartition("/")[2])
        if file is None:
            raise MediaBroken("The file is not on the hosts.")
        sealed = file.read_bytes()
        vector, cipher, code = _keys(key, kind)
        if len(sealed) < 26 or not hmac.compare_digest(hmac.digest(code, vector + sealed[:-10], "sha256")[:10], sealed[-10:]):
            raise MediaBroken("The file's code is wrong.")
        decryptor = Cipher(algorithms.AES(cipher), modes.CBC(vector)).decryptor()
        plain = decryptor.update(sealed[:-10]) + decryptor.finalize()
        return plain[: -plain[-1]]


def _keys(key: bytes, kind: str) -> tuple[bytes, bytes, bytes]:
    keys = hkdf(key, None, KEY_INFO[kind], 112)
    return keys[:16], keys[16:48], keys[48:80]

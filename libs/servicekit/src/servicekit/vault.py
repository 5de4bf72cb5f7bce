"""The installation's encryption key and what it guards. No I/O."""

import base64
import binascii
import os
from contextlib import suppress
from itertools import pairwise

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field, ValidationInfo, field_validator

from servicekit.settings import Settings

_NONCE = 12


class WrongEncryptionKey(ValueError):
    """What stands in the database was sealed with another key than CLARIN_ENCRYPTION_KEY."""


class Vault:
    """Seals small secrets with AES-256-GCM and derives keys of its own for other uses."""

    def __init__(self, key: bytes, previous: bytes | None = None) -> None:
        """Use *key*, 32 bytes; what was sealed with *previous* can still be opened."""
        self._key = key
        self._cipher = AESGCM(key)
        self._openers = [self._cipher] if previous is None else [self._cipher, AESGCM(previous)]

    def seal(self, secret: bytes, *, what: str) -> bytes:
        """Encrypt *secret* as *what*, which it can only be opened as."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, what.encode())

    def open(self, sealed: bytes, *, what: str) -> bytes:
        """Decrypt.  Raises: WrongEncryptionKey: another key, another *what*, or altered."""
        for cipher in self._openers:
            with suppress(InvalidTag):
                return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], what.encode())
        raise WrongEncryptionKey("A secret cannot be opened: CLARIN_ENCRYPTION_KEY is not the one it was sealed with.")

    def derive(self, use: str) -> bytes:
        """Derive the 32-byte key for *use*."""
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"clarin auth {use}".encode()).derive(self._key)


def _bytes(value: str) -> bytes:
    try:
        raw = base64.b64decode(value, altchars=b"-_" if "-" in value or "_" in value else None, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if len(raw) != 32:
        raise ValueError("not 32 bytes")
    return raw


class WithVault(Settings):
    """A process that keeps secrets in its database.

    Attributes:
        encryption_key_previous: Opens what was sealed before the encryption key was changed.
    """

    encryption_key: str = Field(
        repr=False, description="32 random bytes in base64, the same in every replica, kept as long as the database"
    )
    encryption_key_previous: str | None = Field(None, repr=False, description="32 bytes in base64: the key before this one")

    @field_validator("encryption_key", "encryption_key_previous")
    @classmethod
    def _is_32_bytes(cls, value: str | None) -> str | None:
        return None if value is None else base64.b64encode(_bytes(value)).decode()

    @field_validator("encryption_key")
    @classmethod
    def _key_is_random_in_production(cls, value: str, info: ValidationInfo) -> str:
        raw = base64.b64decode(value)
        steps = {(after - before) % 256 for before, after in pairwise(raw)}
        readable = all(0x20 <= byte < 0x7F for byte in raw)
        if info.data.get("env") == "production" and (len(steps) < 8 or readable or len(set(raw)) < 16):
            raise ValueError("not random")
        return value

    @property
    def key(self) -> bytes:
        """Give the encryption key's bytes."""
        return base64.b64decode(self.encryption_key)

    @property
    def vault(self) -> Vault:
        """Make what seals and opens."""
        return Vault(self.key, None if self.encryption_key_previous is None else base64.b64decode(self.encryption_key_previous))

"""The installation's encryption key and what it guards: the keys that access tokens are signed with. No I/O."""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from servicekit.auth import jwk

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A signing key as it is kept.

    Attributes:
        public: A JWK.
    """

    kid: str
    private: bytes
    public: Mapping[str, str]
    created_at: datetime


class Keyring:
    """The keys whose tokens are good; the newest signs."""

    def __init__(self, vault: Vault) -> None:
        """Start empty: `hold` what is kept before anything is signed."""
        self._vault = vault
        self._current: tuple[Ed25519PrivateKey, str] | None = None
        self.public: tuple[Mapping[str, str], ...] = ()

    @property
    def current(self) -> tuple[Ed25519PrivateKey, str]:
        """Give the key that signs, and its id."""
        if self._current is None:
            raise RuntimeError("The keyring is empty.")
        return self._current

    def hold(self, kept: Sequence[SealedKey]) -> None:
        """Hold exactly these.  Raises: WrongEncryptionKey."""
        newest = max(kept, key=lambda key: (key.created_at, key.kid))
        if self._current is None or self._current[1] != newest.kid:
            private = Ed25519PrivateKey.from_private_bytes(self._vault.open(newest.private, what=newest.kid))
            self._current = (private, newest.kid)
        self.public = tuple(key.public for key in kept)


def make(vault: Vault, now: datetime) -> SealedKey:
    """Make a signing key; its id is the RFC 7638 thumbprint of its public half."""
    key = Ed25519PrivateKey.generate()
    x = jwk(key.public_key(), "")["x"]
    thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
    return SealedKey(kid=kid, private=vault.seal(key.private_bytes_raw(), what=kid), public=jwk(key.public_key(), kid), created_at=now)

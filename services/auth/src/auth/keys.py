"""What the installation's encryption key guards: the keys that access tokens are signed with. No I/O."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from servicekit.auth import jwk
from servicekit.vault import Vault, WrongEncryptionKey

__all__ = ["Keyring", "SealedKey", "Vault", "WrongEncryptionKey", "make"]


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

"""Curve25519 key pairs, XEdDSA signatures and HKDF: the primitives under Noise and Signal."""

from __future__ import annotations

import hmac
import os
from functools import cached_property

import xeddsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

DJB = b"\x05"
"""The type byte that Signal puts before a Curve25519 public key."""


def hkdf(secret: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    """RFC 5869 with SHA-256.  Written out because it runs several times a message and the object of `cryptography` costs more."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    out = block = b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


class KeyPair:
    """A Curve25519 private key (clamped) with its public half, both 32 bytes."""

    def __init__(self, private: bytes | None = None) -> None:
        raw = bytearray(private or os.urandom(32))
        raw[0] &= 248
        raw[31] = raw[31] & 127 | 64
        self.private = bytes(raw)

    @cached_property
    def _key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.private)

    @cached_property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def exchange(self, public: bytes) -> bytes:
        """The shared secret with *public*."""
        return self._key.exchange(X25519PublicKey.from_public_bytes(public))

    def sign(self, message: bytes) -> bytes:
        """An XEdDSA signature of 64 bytes that `verify` accepts for this public key."""
        return bytes(xeddsa.ed25519_priv_sign(xeddsa.priv_force_sign(self.private, False), message))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether *signature* over *message* was made with the private half of *public*.  The sign bit travels in the signature's last bit."""
    if len(signature) != 64:
        return False
    sign = bool(signature[63] & 0x80)
    plain = signature[:63] + bytes([signature[63] & 0x7F])
    return bool(xeddsa.ed25519_verify(plain, xeddsa.curve25519_pub_to_ed25519_pub(public, sign), message))

"""Sender keys, version 3: in a group a device seals a message once for all, under a chain whose key everybody got from it pairwise.

A key is plain data, as a session is. The constants are Signal's: info WhisperGroup, AES in CBC, a signature over all that goes before it.
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from msgspec import Struct, field

from sim.keys import DJB, KeyPair, hkdf, verify
from sim.ratchet import MAX_SKIPPED, VERSION, AlreadyRead, Chain, Undecryptable
from sim.wire import Malformed, numbers_and_bytes, pack

_SIGNATURE = 64


class OwnKey(Struct):
    """What a device seals with; *given* are the devices that have got it."""

    id: int
    chain: Chain
    signing: bytes
    given: list[str] = field(default_factory=list)

    @classmethod
    def fresh(cls) -> OwnKey:
        """A new one, which nobody has."""
        return cls(int.from_bytes(os.urandom(4), "big") & 0x7FFFFFFF, Chain(os.urandom(32)), KeyPair().private)

    def distribution(self) -> bytes:
        """What another device needs to open what is sealed from now on."""
        public = KeyPair(self.signing).public
        return VERSION + pack((1, self.id), (2, self.chain.index), (3, self.chain.key), (4, DJB + public))

    def seal(self, plain: bytes) -> bytes:
        """The message for the whole group; the chain moves on."""
        index = self.chain.index
        vector, cipher = _keys(self.chain.step())
        pad = 16 - len(plain) % 16
        encryptor = Cipher(algorithms.AES(cipher), modes.CBC(vector)).encryptor()
        body = VERSION + pack((1, self.id), (2, index), (3, encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()))
        return body + KeyPair(self.signing).sign(body)


class TheirKey(Struct):
    """What another device's messages are opened with, with the secrets of those that were passed over."""

    id: int
    chain: Chain
    signing: bytes
    skipped: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, distribution: bytes) -> TheirKey:
        """What a device gave.  Raises: Undecryptable."""
        try:
            numbers, blobs = numbers_and_bytes(distribution[1:])
            return cls(numbers[1], Chain(blobs[3], numbers.get(2, 0)), blobs[4][1:])
        except (Malformed, KeyError) as error:
            raise Undecryptable("Not a key of a group.") from error

    def open(self, message: bytes) -> bytes:
        """The plain bytes; the chain moves on only when the signature is right.  Raises: Undecryptable."""
        body, signature = message[:-_SIGNATURE], message[-_SIGNATURE:]
        try:
            numbers, blobs = numbers_and_bytes(body[1:])
            index, sealed = numbers.get(2, 0), blobs[3]
        except (Malformed, KeyError) as error:
            raise Undecryptable("Not a message of a group.") from error
        if numbers.get(1) != self.id or not verify(self.signing, body, signature):
            raise Undecryptable("Another key, or a wrong signature.")
        if index < self.chain.index:
            if index not in self.skipped:
                raise AlreadyRead("This message's key is gone.")
            return _open(self.skipped.pop(index), sealed)
        if index - self.chain.index > MAX_SKIPPED:
            raise Undecryptable("Too far ahead.")
        while self.chain.index < index:
            passed = self.chain.index
            self.skipped[passed] = self.chain.step()
        return _open(self.chain.step(), sealed)


def _keys(secret: bytes) -> tuple[bytes, bytes]:
    keys = hkdf(secret, None, b"WhisperGroup", 48)
    return keys[:16], keys[16:]


def _open(secret: bytes, sealed: bytes) -> bytes:
    vector, cipher = _keys(secret)
    decryptor = Cipher(algorithms.AES(cipher), modes.CBC(vector)).decryptor()
    plain = decryptor.update(sealed) + decryptor.finalize()
    return plain[: -plain[-1]]

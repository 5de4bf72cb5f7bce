"""The server's half of Noise XX (25519, AES-GCM, SHA-256) with WhatsApp's prologue, and the cipher that it leaves behind."""

from __future__ import annotations

import hashlib
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sim.keys import KeyPair, hkdf
from sim.nodes import BadStanza
from sim.proto import DecodeError, wa6

PROLOGUE = b"WA\x06\x03"
_NAME = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"


def _nonce(counter: int) -> bytes:
    return bytes(8) + struct.pack(">I", counter)


class Transport:
    """Seals what the server writes and opens what the client wrote; the counters must never skip."""

    def __init__(self, reading: bytes, writing: bytes) -> None:
        self._reading, self._writing = AESGCM(reading), AESGCM(writing)
        self._read = self._written = 0

    def seal(self, plain: bytes) -> bytes:
        """One frame with its three-byte length."""
        sealed = self._writing.encrypt(_nonce(self._written), plain, None)
        self._written += 1
        return len(sealed).to_bytes(3, "big") + sealed

    def open(self, sealed: bytes) -> bytes:
        """The plain stanza of one frame.  Raises: BadStanza."""
        try:
            plain = self._reading.decrypt(_nonce(self._read), sealed, None)
        except InvalidTag as error:
            raise BadStanza("A frame does not open.") from error
        self._read += 1
        return plain


class Handshake:
    """Three messages: client hello → `hello`, client finish → `finish`."""

    def __init__(self, static: KeyPair, certificate: bytes) -> None:
        self._static, self._certificate = static, certificate
        self._ephemeral = KeyPair()
        self._hash = self._salt = _NAME
        self._cipher, self._counter = AESGCM(_NAME), 0
        self._mix_hash(PROLOGUE)

    def hello(self, message: bytes) -> bytes:
        """Answer the client's first message.  Raises: BadStanza."""
        theirs = _parse(message).clientHello.ephemeral
        if len(theirs) != 32:
            raise BadStanza("A client hello without a key.")
        self._mix_hash(theirs)
        self._mix_hash(self._ephemeral.public)
        self._mix_key(self._ephemeral.exchange(theirs))
        static = self._encrypt(self._static.public)
        self._mix_key(self._static.exchange(theirs))
        payload = self._encrypt(self._certificate)
        answer = wa6.HandshakeMessage.ServerHello(ephemeral=self._ephemeral.public, static=static, payload=payload)
        return bytes(wa6.HandshakeMessage(serverHello=answer).SerializeToString())

    def finish(self, message: bytes) -> tuple[bytes, bytes, Transport]:
        """The client's static key, its login payload and the cipher from now on.  Raises: BadStanza."""
        last = _parse(message).clientFinish
        try:
            static = self._decrypt(last.static)
            self._mix_key(self._ephemeral.exchange(static))
            payload = self._decrypt(last.payload)
        except (InvalidTag, ValueError) as error:
            raise BadStanza("The handshake does not close.") from error
        keys = hkdf(b"", self._salt, b"", 64)
        return static, payload, Transport(reading=keys[:32], writing=keys[32:])

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix_key(self, secret: bytes) -> None:
        keys = hkdf(secret, self._salt, b"", 64)
        self._salt, self._cipher, self._counter = keys[:32], AESGCM(keys[32:]), 0

    def _encrypt(self, plain: bytes) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._counter), plain, self._hash)
        self._counter += 1
        self._mix_hash(sealed)
        return sealed

    def _decrypt(self, sealed: bytes) -> bytes:
        plain = self._cipher.decrypt(_nonce(self._counter), sealed, self._hash)
        self._counter += 1
        self._mix_hash(sealed)
        return plain


def _parse(message: bytes) -> wa6.HandshakeMessage:
    try:
        return wa6.HandshakeMessage.FromString(message)
    except DecodeError as error:
        raise BadStanza("Not a handshake message.") from error

"""One Signal session, version 3: X3DH to begin, then the double ratchet.

A session is plain data (`State`), so that it can be stored as it is; the functions here move it on.  Decrypting changes nothing unless the
message authentication code is right.  The constants are Signal's: infos WhisperText, WhisperRatchet, WhisperMessageKeys, an 8-byte code,
https://signal.org/docs/specifications/doubleratchet/ and https://signal.org/docs/specifications/x3dh/.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from msgspec import Struct, field

from sim.keys import DJB, KeyPair, hkdf
from sim.wire import Malformed, numbers_and_bytes, pack

VERSION = b"\x33"
MAX_SKIPPED = 2000
MAX_CHAINS = 5


class Undecryptable(Exception):
    """A message that this session cannot open: no session, a key already used, or a wrong code."""


class AlreadyRead(Undecryptable):
    """The message's key was used before: it is a repeat."""


class Bundle(NamedTuple):
    """What a device publishes so that others can write to it first."""

    registration: int
    identity: bytes
    signed_id: int
    signed: bytes
    one_time_id: int | None = None
    one_time: bytes | None = None


class Chain(Struct):
    """A symmetric ratchet: the key, and the number of the next message."""

    key: bytes
    index: int = 0

    def step(self) -> bytes:
        """The next message's secret; the chain moves on."""
        secret = hmac.digest(self.key, b"\1", "sha256")
        self.key = hmac.digest(self.key, b"\2", "sha256")
        self.index += 1
        return secret


class Receiving(Struct):
    """The other side's chain under one of its ratchet keys, with the secrets of messages that were passed over."""

    ratchet: bytes
    chain: Chain
    skipped: dict[int, bytes] = field(default_factory=dict)


class Opening(Struct):
    """What the first messages carry until the other side has answered."""

    registration: int
    signed_id: int
    one_time_id: int | None = None


class State(Struct):
    """One session.

    Attributes:
        base: The initiator's base key, which names the session on both sides.
        ratchet: Our ratchet's private key; *ratchet_public* its public half.
        previous: Length of our sending chain before this one.
        created_at: Unix seconds.
    """

    base: bytes
    theirs: bytes
    root: bytes
    ratchet: bytes
    ratchet_public: bytes
    sending: Chain
    created_at: float
    previous: int = 0
    receiving: list[Receiving] = field(default_factory=list)
    opening: Opening | None = None


def initiate(identity: KeyPair, registration: int, bundle: Bundle, now: float) -> State:
    """A session towards the owner of *bundle*, whose first messages carry what the other side needs to follow."""
    base, ratchet = KeyPair(), KeyPair()
    secrets = identity.exchange(bundle.signed) + base.exchange(bundle.identity) + base.exchange(bundle.signed)
    if bundle.one_time is not None:
        secrets += base.exchange(bundle.one_time)
    root, chain = _derive(secrets)
    next_root, sending = _turn(root, ratchet, bundle.signed)
    return State(
        base=base.public,
        theirs=bundle.identity,
        root=next_root,
        ratchet=ratchet.private,
        ratchet_public=ratchet.public,
        sending=Chain(sending),
        created_at=now,
        receiving=[Receiving(bundle.signed, Chain(chain))],
        opening=Opening(registration, bundle.signed_id, bundle.one_time_id),
    )


def respond(identity: KeyPair, signed: KeyPair, one_time: KeyPair | None, theirs: bytes, base: bytes, now: float) -> State:
    """The session that the sender of a first message has begun with us."""
    secrets = signed.exchange(theirs) + identity.exchange(base) + signed.exchange(base)
    if one_time is not None:
        secrets += one_time.exchange(base)
    root, chain = _derive(secrets)
    return State(
        base=base, theirs=theirs, root=root, ratchet=signed.private, ratchet_public=signed.public, sending=Chain(chain), created_at=now
    )


def encrypt(state: State, identity: KeyPair, plain: bytes) -> tuple[str, bytes]:
    """The kind of message (`pkmsg` or `msg`) and its bytes; the sending chain moves on."""
    number = state.sending.index
    cipher, code, vector = _message_keys(state.sending.step())
    pad = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(cipher), modes.CBC(vector)).encryptor()
    sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    body = VERSION + pack((1, DJB + state.ratchet_public), (2, number), (3, state.previous), (4, sealed))
    body += _code(code, identity.public, state.theirs, body)
    first = state.opening
    if first is None:
        return "msg", body
    return "pkmsg", VERSION + pack(
        (1, first.one_time_id),
        (2, DJB + state.base),
        (3, DJB + identity.public),
        (4, body),
        (5, first.registration),
        (6, first.signed_id),
    )


def decrypt(state: State, identity: KeyPair, message: bytes) -> bytes:
    """The plain bytes; the session moves on only when the code is right.  Raises: Undecryptable."""
    try:
        numbers, blobs = numbers_and_bytes(message[1:-8])
        ratchet, sealed, number = blobs[1][1:], blobs[4], numbers.get(2, 0)
    except (Malformed, KeyError) as error:
        raise Undecryptable("Not a Signal message.") from error
    known = next((r for r in state.receiving if r.ratchet == ratchet), None)
    if known is not None and number < known.chain.index:
        secret = known.skipped.get(number)
        if secret is None:
            raise AlreadyRead("This message's key is gone.")
        plain = _open(secret, identity, state, message, sealed)
        del known.skipped[number]
        return plain
    root = state.root
    if known is None:
        root, key = _turn(root, KeyPair(state.ratchet), ratchet)
        ahead = Chain(key)
    else:
        ahead = Chain(known.chain.key, known.chain.index)
    if number - ahead.index > MAX_SKIPPED:
        raise Undecryptable("Too far ahead.")
    skipped: dict[int, bytes] = {}
    while ahead.index < number:
        passed = ahead.index
        skipped[passed] = ahead.step()
    plain = _open(ahead.step(), identity, state, message, sealed)
    if known is None:
        known = _turn_around(state, root, Receiving(ratchet, ahead))
    known.chain = ahead
    known.skipped |= skipped
    while len(known.skipped) > MAX_SKIPPED:
        del known.skipped[next(iter(known.skipped))]
    state.opening = None
    return plain


def _turn_around(state: State, root: bytes, theirs: Receiving) -> Receiving:
    """They have a new ratchet key, so we take a new one too."""
    ours = KeyPair()
    state.previous = max(state.sending.index - 1, 0)
    state.root, sending = _turn(root, ours, theirs.ratchet)
    state.ratchet, state.ratchet_public, state.sending = ours.private, ours.public, Chain(sending)
    state.receiving.append(theirs)
    del state.receiving[:-MAX_CHAINS]
    return theirs


def _derive(secrets: bytes) -> tuple[bytes, bytes]:
    keys = hkdf(b"\xff" * 32 + secrets, None, b"WhisperText", 64)
    return keys[:32], keys[32:]


def _turn(root: bytes, ours: KeyPair, theirs: bytes) -> tuple[bytes, bytes]:
    keys = hkdf(ours.exchange(theirs), root, b"WhisperRatchet", 64)
    return keys[:32], keys[32:]


def _message_keys(secret: bytes) -> tuple[bytes, bytes, bytes]:
    keys = hkdf(secret, None, b"WhisperMessageKeys", 80)
    return keys[:32], keys[32:64], keys[64:]


def _code(key: bytes, sender: bytes, receiver: bytes, body: bytes) -> bytes:
    return hmac.digest(key, DJB + sender + DJB + receiver + body, "sha256")[:8]


def _open(secret: bytes, identity: KeyPair, state: State, message: bytes, sealed: bytes) -> bytes:
    cipher, code, vector = _message_keys(secret)
    if not hmac.compare_digest(_code(code, state.theirs, identity.public, message[:-8]), message[-8:]):
        raise Undecryptable("The code is wrong.")
    decryptor = Cipher(algorithms.AES(cipher), modes.CBC(vector)).decryptor()
    plain = decryptor.update(sealed) + decryptor.finalize()
    return plain[: -plain[-1]]

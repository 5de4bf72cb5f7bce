"""A phone as Signal sees it: an identity, prekeys, and a record of sessions for every device it talks to."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable

from msgspec import Struct, field

from sim import ratchet
from sim.keys import DJB, KeyPair
from sim.ratchet import Bundle, State, Undecryptable
from sim.wire import Malformed, numbers_and_bytes

SIGNED_ID = 1
FRESH_SECONDS = 10.0
"""So long a session that was begun anew serves the next retries too: forty broken messages must not begin forty sessions."""
_KEPT_STATES = 8


class Secrets(Struct, frozen=True):
    """What a phone must never lose.  One-time prekeys are derived from *seed*, so none has to be stored."""

    identity: bytes
    signed: bytes
    seed: bytes
    registration: int

    @classmethod
    def fresh(cls) -> Secrets:
        """A new phone's."""
        return cls(KeyPair().private, KeyPair().private, os.urandom(32), int.from_bytes(os.urandom(2), "big") & 0x3FFF | 1)


class Record(Struct):
    """The sessions with one device, the one in use first; older ones still open what was on its way."""

    states: list[State] = field(default_factory=list)


class Signal:
    """Encrypts for and decrypts from devices, named by the caller's own addresses.

    *load* reads a stored record or None; *changed* is told the address whose record moved on and must store it before anything leaves.
    """

    def __init__(self, secrets: Secrets, load: Callable[[str], Record | None], changed: Callable[[str], None]) -> None:
        self.registration = secrets.registration
        self.identity = KeyPair(secrets.identity)
        self.signed = KeyPair(secrets.signed)
        self._seed = secrets.seed
        self._signature: bytes | None = None
        self._records: dict[str, Record] = {}
        self._load, self._changed = load, changed

    @property
    def signature(self) -> bytes:
        """The identity's signature under the signed prekey."""
        if self._signature is None:
            self._signature = self.identity.sign(DJB + self.signed.public)
        return self._signature

    def one_time(self, number: int) -> KeyPair:
        """The one-time prekey of that number."""
        return KeyPair(hmac.digest(self._seed, number.to_bytes(4, "big"), "sha256"))

    def app_state_key(self) -> bytes:
        """The key of the phone's app state, 32 bytes."""
        return hmac.digest(self._seed, b"app state", "sha256")

    def record(self, address: str) -> Record:
        """The sessions with a device, empty when there were none."""
        found = self._records.get(address)
        if found is None:
            found = self._records[address] = self._load(address) or Record()
        return found

    def encrypt(self, address: str, bundle: Callable[[], Bundle], plain: bytes) -> tuple[str, bytes]:
        """Kind and bytes for the device at *address*, whose *bundle* is asked for only when there is no session yet."""
        record = self.record(address)
        if not record.states:
            record.states.append(ratchet.initiate(self.identity, self.registration, bundle(), time.time()))
        pad = os.urandom(1)[0] % 16 + 1
        sealed = ratchet.encrypt(record.states[0], self.identity, plain + bytes([pad]) * pad)
        self._changed(address)
        return sealed

    def renew(self, address: str, bundle: Callable[[], Bundle], *, force: bool = False) -> None:
        """The next message to *address* begins a new session, unless one was begun a moment ago and waits for its first answer."""
        record = self.record(address)
        now = time.time()
        current = record.states[0] if record.states else None
        if not force and current and current.opening and now - current.created_at < FRESH_SECONDS:
            return
        self._put_first(record, ratchet.initiate(self.identity, self.registration, bundle(), now))
        self._changed(address)

    def decrypt(self, address: str, kind: str, message: bytes) -> bytes:
        """The plain bytes without their padding.  Raises: Undecryptable."""
        record = self.record(address)
        plain = self._decrypt_first(record, message) if kind == "pkmsg" else self._decrypt_next(record, message)
        self._changed(address)
        if not plain or not 1 <= plain[-1] <= len(plain):
            raise Undecryptable("The padding is wrong.")
        return plain[: -plain[-1]]

    def _decrypt_first(self, record: Record, message: bytes) -> bytes:
        try:
            numbers, blobs = numbers_and_bytes(message[1:])
            base, theirs, inner = blobs[2][1:], blobs[3][1:], blobs[4]
        except (Malformed, KeyError) as error:
            raise Undecryptable("Not a first Signal message.") from error
        known = next((s for s in record.states if s.base == base), None)
        if known is None:
            one_time = self.one_time(numbers[1]) if 1 in numbers else None
            known = ratchet.respond(self.identity, self.signed, one_time, theirs, base, time.time())
        plain = ratchet.decrypt(known, self.identity, inner)
        self._put_first(record, known)
        return plain

    def _decrypt_next(self, record: Record, message: bytes) -> bytes:
        failed: Undecryptable | None = None
        for state in record.states:
            try:
                plain = ratchet.decrypt(state, self.identity, message)
            except ratchet.AlreadyRead:
                raise
            except Undecryptable as error:
                failed = error
                continue
            self._put_first(record, state)
            return plain
        raise failed or Undecryptable("No session with this device.")

    def _put_first(self, record: Record, state: State) -> None:
        record.states = [state, *(s for s in record.states if s is not state)][:_KEPT_STATES]

"""Linking a session to a phone: the phone scans a QR text, or its owner types a code, exactly as WhatsApp's own do."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import time
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sim.connection import Closed, Connection
from sim.database import Database
from sim.directory import Companion, Directory, Phone
from sim.keys import KeyPair, hkdf, verify
from sim.nodes import LID, PN, SERVER, Attr, BadStanza, Node
from sim.proto import adv

_REFS = 6
_ROUNDS = 131_072
_ACCOUNT, _DEVICE = b"\6\0", b"\6\1"


class LinkRefused(Exception):
    """The phone cannot link that.  *code* says why, for machines; *wrong* whether the text itself is at fault."""

    def __init__(self, code: str, detail: str, *, wrong: bool = False) -> None:
        super().__init__(detail)
        self.code, self.wrong = code, wrong


@dataclass(slots=True)
class CodeShown:
    """A session that shows a code for a number, and waits for the phone."""

    connection: Connection
    wrapped: bytes
    ref: bytes
    finished: asyncio.Queue[Node] = field(default_factory=asyncio.Queue)


class Linking:
    """Knows which QR texts and codes are shown right now, and by whom."""

    def __init__(self, db: Database, directory: Directory) -> None:
        self._db, self._directory = db, directory
        self._refs: dict[str, Connection] = {}
        self._codes: dict[str, CodeShown] = {}

    def offer(self, connection: Connection) -> None:
        """The session has what it needs to show one QR text after the other."""
        refs = [f"2@{base64.b64encode(os.urandom(24)).decode()}" for _ in range(_REFS)]
        self._refs |= dict.fromkeys(refs, connection)
        offer = Node("pair-device", {}, [Node("ref", {}, ref.encode()) for ref in refs])
        connection.send(Node("iq", {"from": SERVER, "id": "pair", "type": "set", "xmlns": "md"}, [offer]))

    def leave(self, connection: Connection) -> None:
        """What the session showed can no longer be scanned or typed."""
        self._refs = {ref: c for ref, c in self._refs.items() if c is not connection}
        self._codes = {number: shown for number, shown in self._codes.items() if shown.connection is not connection}

    def code_shown(self, connection: Connection, hello: Node) -> bytes:
        """The session shows a code for a number; the reference that both sides name it by."""
        wrapped = hello.child("link_code_pairing_wrapped_companion_ephemeral_pub").data
        if len(wrapped) != 80:
            raise BadStanza("The wrapped key is not 80 bytes long.")
        shown = CodeShown(connection, wrapped, os.urandom(8).hex().encode())
        self._codes[hello.jid("jid").user] = shown
        return shown.ref

    def code_finished(self, connection: Connection, finish: Node) -> None:
        """The session has answered what the phone made of the code."""
        for shown in self._codes.values():
            if shown.connection is connection:
                shown.finished.put_nowait(finish)

    async def scan(self, phone: Phone, qr: str) -> Companion:
        """The session that shows *qr* is linked to the phone.  Raises: LinkRefused."""
        parts = qr.strip().rpartition("#")[2].split(",")
        if len(parts) < 4:
            raise LinkRefused("bad-qr", "This is not the text of a WhatsApp QR code.", wrong=True)
        try:
            identity, secret = base64.b64decode(parts[2], validate=True), base64.b64decode(parts[3], validate=True)
        except binascii.Error as error:
            raise LinkRefused("bad-qr", "This is not the text of a WhatsApp QR code.", wrong=True) from error
        connection = self._refs.get(parts[0])
        if connection is None:
            raise LinkRefused("qr-expired", "Nobody shows this QR code now; scan the one on the screen.")
        return await self._link(phone, connection, identity, secret)

    async def enter_code(self, phone: Phone, code: str) -> Companion:
        """The session that shows *code* for this phone is linked to it.  Raises: LinkRefused."""
        shown = self._codes.get(phone.number)
        if shown is None:
            raise LinkRefused("no-code-shown", "No session shows a code for this number now.")
        password = code.replace("-", "").strip().upper().encode()
        wrapped = shown.wrapped
        theirs = await asyncio.to_thread(_wrap, password, wrapped[:32], wrapped[32:48], wrapped[48:])
        ephemeral, salt, vector = KeyPair(), os.urandom(32), os.urandom(16)
        ours = await asyncio.to_thread(_wrap, password, salt, vector, ephemeral.public)
        identity = phone.signal.identity
        hello = [
            Node("link_code_pairing_ref", {}, shown.ref),
            Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, salt + vector + ours),
            Node("primary_identity_pub", {}, identity.public),
        ]
        attrs: dict[str, Attr] = {"from": SERVER, "id": os.urandom(5).hex(), "type": "link_code_companion_reg", "t": int(time.time())}
        stage = Node("link_code_companion_reg", {"stage": "primary_hello"}, hello)
        shown.connection.send(Node("notification", attrs, [stage]))
        wrong = LinkRefused("wrong-code", "This is not the code on the screen.", wrong=True)
        try:
            finish = await asyncio.wait_for(shown.finished.get(), 5)
            bundle, companion = finish.child("link_code_pairing_wrapped_key_bundle").data, finish.child("companion_identity_public").data
            shared = ephemeral.exchange(theirs)
            key = hkdf(shared, bundle[:32], b"link_code_pairing_key_bundle_encryption_key", 32)
            opened = AESGCM(key).decrypt(bundle[32:44], bundle[44:], None)
        except (TimeoutError, InvalidTag, BadStanza, ValueError) as error:
            raise wrong from error
        if opened[:32] != companion or opened[32:64] != identity.public:
            raise wrong
        secret = hkdf(shared + identity.exchange(companion) + opened[64:], None, b"adv_secret", 32)
        linked = await self._link(phone, shown.connection, companion, secret)
        self._codes.pop(phone.number, None)
        return linked

    async def _link(self, phone: Phone, connection: Connection, identity: bytes, secret: bytes) -> Companion:
        device = phone.next_device
        details = adv.ADVDeviceIdentity(rawID=1, timestamp=int(time.time()), keyIndex=device).SerializeToString()
        account = phone.signal.identity
        signed = adv.ADVSignedDeviceIdentity(
            details=details, accountSignatureKey=account.public, accountSignature=account.sign(_ACCOUNT + details + identity)
        ).SerializeToString()
        sealed = adv.ADVSignedDeviceIdentityHMAC(details=signed, HMAC=hmac.digest(secret, signed, "sha256")).SerializeToString()
        companion = Companion(phone, device, identity, connection.static)
        content = [
            Node("device-identity", {}, bytes(sealed)),
            Node("device", {"jid": companion.jid(PN), "lid": companion.jid(LID)}),
            Node("platform", {"name": "android"}),
        ]
        try:
            answer = await connection.ask("md", "set", [Node("pair-success", {}, content)], t=int(time.time()))
        except (TimeoutError, Closed) as error:
            raise LinkRefused("session-gone", "The session that showed it went away.") from error
        if answer.text("type") != "result":
            raise LinkRefused("pairing-refused", "The session did not accept the phone.")
        theirs = adv.ADVSignedDeviceIdentity.FromString(answer.child("pair-device-sign").child("device-identity").data)
        if not verify(identity, _DEVICE + theirs.details + identity + account.public, theirs.deviceSignature):
            raise LinkRefused("pairing-refused", "The session signed with another key.")
        phone.next_device = device % 255 + 1
        self._directory.save(phone)
        linked = self._directory.link(phone, device, identity, connection.static)
        self.leave(connection)
        await self._db.committed()
        connection.fail(Node("stream:error", {"code": "515"}))
        return linked


def _wrap(password: bytes, salt: bytes, vector: bytes, data: bytes) -> bytes:
    """AES-CTR under a key derived from the code: the same both ways."""
    key = hashlib.pbkdf2_hmac("sha256", password, salt, _ROUNDS, 32)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(vector)).encryptor()
    return encryptor.update(data) + encryptor.finalize()

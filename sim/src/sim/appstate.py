"""The one piece of app state that a session needs: the owner's push name, without which the library refuses to send its presence.

App state is a set of collections, each a chain of signed and encrypted patches; here `critical_block` has one patch with one entry, the
others have none.  Keys: https://github.com/tulir/whatsmeow/tree/main/appstate describes the scheme that is followed.
"""

from __future__ import annotations

import hmac
import json
import os
import time
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sim.keys import hkdf
from sim.proto import action, e2e, sync

COLLECTION = "critical_block"
_KEY_ID = bytes(5) + b"\1"
_VERSION = 1
_SET = 0


def share(key: bytes) -> Any:
    """The message with which a phone gives its sessions the key of its app state (32 bytes)."""
    data = e2e.AppStateSyncKeyData(
        keyData=key,
        fingerprint=e2e.AppStateSyncKeyFingerprint(rawID=1, currentIndex=0, deviceIndexes=[0]),
        timestamp=int(time.time() * 1000),
    )
    shared = e2e.AppStateSyncKeyShare(keys=[e2e.AppStateSyncKey(keyID=e2e.AppStateSyncKeyId(keyID=_KEY_ID), keyData=data)])
    kind = e2e.ProtocolMessage.APP_STATE_SYNC_KEY_SHARE
    return e2e.Message(protocolMessage=e2e.ProtocolMessage(type=kind, appStateSyncKeyShare=shared))


def name_patch(key: bytes, name: str) -> bytes:
    """The first patch of `critical_block`, which sets the push name."""
    keys = hkdf(key, None, b"WhatsApp Mutation Keys", 160)
    for_index, for_value, for_value_code, for_snapshot, for_patch = (keys[i : i + 32] for i in range(0, 160, 32))
    index = json.dumps(["setting_pushName"]).encode()
    value = action.SyncActionValue(timestamp=int(time.time() * 1000), pushNameSetting=action.PushNameSetting(name=name))
    plain = action.SyncActionData(index=index, value=value, padding=b"", version=1).SerializeToString()
    vector, pad = os.urandom(16), 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(for_value), modes.CBC(vector)).encryptor()
    content = vector + encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    length = (len(_KEY_ID) + 1).to_bytes(8, "big")
    value_code = hmac.digest(for_value_code, bytes([_SET + 1]) + _KEY_ID + content + length, "sha512")[:32]
    record = sync.SyncdRecord(
        index=sync.SyncdIndex(blob=hmac.digest(for_index, index, "sha256")),
        value=sync.SyncdValue(blob=content + value_code),
        keyID=sync.KeyId(ID=_KEY_ID),
    )
    tail = _VERSION.to_bytes(8, "big") + COLLECTION.encode()
    # The hash of a collection is the sum of its entries' hashes; with one entry there is nothing to add.
    snapshot_code = hmac.digest(for_snapshot, hkdf(value_code, None, b"WhatsApp Patch Integrity", 128) + tail, "sha256")
    patch = sync.SyncdPatch(
        version=sync.SyncdVersion(version=_VERSION),
        mutations=[sync.SyncdMutation(operation=_SET, record=record)],
        snapshotMAC=snapshot_code,
        patchMAC=hmac.digest(for_patch, snapshot_code + value_code + tail, "sha256"),
        keyID=sync.KeyId(ID=_KEY_ID),
    )
    return bytes(patch.SerializeToString())

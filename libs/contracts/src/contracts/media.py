"""What the services agree on about files: where they lie, and how large they may be."""

from contracts.ids import TenantId
from contracts.whatsapp import MessageKind

_MIB = 1 << 20

#: The kinds of message that carry a file, each with the bytes that it may have: WhatsApp's own limits, a document's below it.
LIMITS: dict[MessageKind, int] = {
    "image": 16 * _MIB,
    "video": 64 * _MIB,
    "audio": 16 * _MIB,
    "voice": 16 * _MIB,
    "sticker": 1 * _MIB,
    "document": 100 * _MIB,
}

#: What a file that nobody has named a kind for may have.
LARGEST = max(LIMITS.values())


def object_key(tenant: TenantId, sha256: str) -> str:
    """Name where a file of *tenant* lies in the object store, by its content. Nothing from outside but the hash of it stands in a key.

    Raises: ValueError: That is no hash.
    """
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("A SHA-256 has 64 hexadecimal digits.")
    return f"{tenant}/{sha256[:2]}/{sha256}"


def thumbnail_key(key: str) -> str:
    """Name where the small picture of an object lies."""
    return f"{key}.thumbnail"

"""What WhatsApp calls things, as far as two services must agree: addresses, kinds of message, ticks."""

from typing import Literal

import msgspec

AddressKind = Literal["pn", "lid", "group", "status", "channel", "username"]

#: What a message is. ``unsupported`` is shown honestly as such; ``undecryptable`` is replaced when its retry arrives;
#: a ``note`` is written beside a chat and WhatsApp never gets it.
MessageKind = Literal[
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "location",
    "contact",
    "reaction",
    "edit",
    "delete",
    "unsupported",
    "undecryptable",
    "note",
]

ReceiptStatus = Literal["delivered", "read", "played"]


class Address(msgspec.Struct, frozen=True):
    """Whom WhatsApp means: a phone number (``pn``, digits only), a LID, a group. A LID is never made into a phone."""

    kind: AddressKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Media(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that belongs to a message, as the sender described it; *object* is its key in the object store once it is here."""

    mime: str
    size: int = 0
    file_name: str | None = None
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    object: str | None = None


class Quoted(msgspec.Struct, frozen=True, kw_only=True):
    """The message that this one answers, as WhatsApp names it."""

    wa_id: str
    sender: Address | None = None

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
    "poll",
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
    """A file that belongs to a message, as the sender described it; *object* is its key in the object store once it is here.

    Attributes:
        waveform: Of a voice note: up to 64 levels from 0 to 100.
        preview: A JPEG of a few KiB, which phones show until they have the file.
    """

    mime: str
    size: int = 0
    file_name: str | None = None
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    object: str | None = None
    waveform: bytes | None = None
    preview: bytes | None = None
    source: "MediaSource | None" = None


class MediaSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where WhatsApp keeps a file and the key that opens it. It goes over internal facts and orders alone.

    Attributes:
        path: Below the media hosts, beginning with a slash.
        key: 32 bytes, from which the file's own keys are derived.
        enc_sha256: Of the file as the hosts have it.
        sha256: Of the file itself.
    """

    path: str
    key: bytes
    enc_sha256: bytes
    sha256: bytes


class Quoted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The message that this one answers (or, for a reaction, an edit and a deletion, is about), as WhatsApp names it.

    Attributes:
        kind: What it was, as whoever quotes it says; with *text*, its beginning.
        from_me: With a reaction, an edit or a deletion: the number itself wrote it; None where WhatsApp does not say.
    """

    wa_id: str
    sender: Address | None = None
    kind: MessageKind | None = None
    text: str | None = None
    from_me: bool | None = None


class Location(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place, in degrees.

    Attributes:
        live: The sender shares where he is; this is where he was.
    """

    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
    live: bool = False


class ContactCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody's card.

    Attributes:
        phones: As they stand in the card.
        vcard: The card as it came, at most 16 KiB.
    """

    name: str
    phones: tuple[str, ...] = ()
    vcard: str | None = None


class Raw(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message of a kind that Clarin does not know, as it came.

    Attributes:
        what: WhatsApp's own name of it, such as ``eventMessage``.
        data: The protobuf of the message, where it has at most 16 KiB.
    """

    what: str
    data: bytes | None = None

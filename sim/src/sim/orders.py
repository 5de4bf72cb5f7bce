"""The bodies that the control API takes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from sim.directory import Address, AutoReceipts

Text = Annotated[str, Meta(min_length=1, max_length=65_536)]
Name = Annotated[str, Meta(max_length=300)]


class NewPhone(Struct, forbid_unknown_fields=True):
    """A phone that is to be."""

    number: str
    name: Name = ""


class NewGroup(Struct, forbid_unknown_fields=True):
    """A group that is to be; the first of its members makes it."""

    subject: Annotated[str, Meta(min_length=1, max_length=100)]
    members: Annotated[list[str], Meta(min_length=1, max_length=1024)]


class Rename(Struct, forbid_unknown_fields=True):
    """How a group is called from now on."""

    subject: Annotated[str, Meta(min_length=1, max_length=100)]


class Change(Struct, forbid_unknown_fields=True):
    """What is to change of a phone; what is left out stays."""

    name: Name | None = None
    auto_receipts: AutoReceipts | None = None
    address: Address | None = None
    presence: Literal["available", "unavailable"] | None = None


class Scan(Struct, forbid_unknown_fields=True):
    """The text of the QR code on the screen."""

    qr: str


class Code(Struct, forbid_unknown_fields=True):
    """The code on the screen, with or without its dash."""

    code: str


class Write(Struct, forbid_unknown_fields=True):
    """A text for a number."""

    to: str
    text: Text
    address: Address | None = None


class Kinds(Struct, forbid_unknown_fields=True):
    """A message of another kind than text and files.

    Attributes:
        text: The emoji, the new text, or the answer's.
        about: The message that it is about, or answers.
        said: What the answered message said.
    """

    to: str
    kind: Literal["location", "contact", "poll", "unknown", "quote", "reaction", "edit", "delete"]
    text: Annotated[str, Meta(max_length=65_536)] = ""
    about: str = ""
    said: str = ""
    name: str = ""
    address: str = ""
    phone: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    options: list[str] = msgspec.field(default_factory=list)


class Batch(Struct, forbid_unknown_fields=True):
    """Many texts at once."""

    items: Annotated[list[Written], Meta(max_length=10_000)]


class Written(Struct, forbid_unknown_fields=True):
    """One text of a batch."""

    sender: str = msgspec.field(name="from")
    to: str
    text: Text


class Tick(Struct, forbid_unknown_fields=True):
    """A tick for a message of the inbox."""

    id: str
    type: Literal["delivered", "read"] = "delivered"


class Block(Struct, forbid_unknown_fields=True):
    """Whom the phone blocks from now on, or does no more."""

    who: str
    blocked: bool = True


class Typing(Struct, forbid_unknown_fields=True):
    """What the phone is seen to do."""

    to: str
    state: Literal["composing", "recording", "paused"] = "composing"


class Corrupt(Struct, forbid_unknown_fields=True):
    """So many of the next messages that the phone writes, those that it writes again among them, or gets, cannot be opened."""

    count: Annotated[int, Meta(ge=0, le=1000)] = 1
    direction: Literal["sent", "received"] = "sent"


class Ban(Struct, forbid_unknown_fields=True):
    """For how long the number cannot log in; 0 ends it."""

    seconds: Annotated[float, Meta(ge=0)]


class Release(Struct, forbid_unknown_fields=True):
    """Whether what was held is let go in another order."""

    shuffled: bool = False


class State(Struct, forbid_unknown_fields=True):
    """Whether the network is there."""

    state: Literal["up", "down"]


class Prekeys(Struct, forbid_unknown_fields=True):
    """How many one-time prekeys are left to each session."""

    left: Annotated[int, Meta(ge=0)] = 0

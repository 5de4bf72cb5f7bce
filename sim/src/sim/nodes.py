"""What travels on the wire: nodes (tag, attributes, content) and the addresses in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self, TypeAlias

PN = "s.whatsapp.net"
LID = "lid"
GROUP = "g.us"


class BadStanza(Exception):
    """A stanza lacks what it must have, or is not what its tag says."""


@dataclass(frozen=True, slots=True)
class JID:
    """An address: user@server, or user:device@server; only a server when *user* is empty."""

    user: str
    server: str = PN
    device: int = 0

    def __str__(self) -> str:
        if not self.user:
            return self.server
        return f"{self.user}:{self.device}@{self.server}" if self.device else f"{self.user}@{self.server}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes.  Raises: BadStanza."""
        user, at, server = text.rpartition("@")
        if not at:
            return cls("", text)
        user, _, device = user.partition(":")
        if device and not device.isdecimal():
            raise BadStanza(f"No address: {len(text)} characters with a device that is no number.")
        return cls(user, server, int(device or 0))

    @property
    def bare(self) -> JID:
        """The same without a device."""
        return JID(self.user, self.server)


SERVER = JID("", PN)

Attr: TypeAlias = str | int | JID | None
Content: TypeAlias = "list[Node] | bytes | str | None"


@dataclass(slots=True)
class Node:
    """One element.  An attribute that is None is not written; numbers are written in decimal and come back as text."""

    tag: str
    attrs: dict[str, Attr] = field(default_factory=dict)
    content: Content = None

    @property
    def children(self) -> list[Node]:
        """The elements inside; none when the content is something else."""
        return self.content if isinstance(self.content, list) else []

    @property
    def data(self) -> bytes:
        """The content as bytes; a token that stood for text is text again."""
        if isinstance(self.content, str):
            return self.content.encode()
        return self.content if isinstance(self.content, bytes) else b""

    @property
    def number(self) -> int:
        """The content as a big-endian number, as prekey ids are written."""
        return int.from_bytes(self.data, "big")

    def find(self, tag: str) -> Node | None:
        """The first child of that tag, if there is one."""
        return next((child for child in self.children if child.tag == tag), None)

    def child(self, tag: str) -> Node:
        """The first child of that tag.  Raises: BadStanza."""
        found = self.find(tag)
        if found is None:
            raise BadStanza(f"<{self.tag}> without <{tag}>.")
        return found

    def text(self, name: str, default: str | None = None) -> str:
        """An attribute as text.  Raises: BadStanza: it is not there and has no default."""
        value = self.attrs.get(name)
        if value is None:
            if default is None:
                raise BadStanza(f"<{self.tag}> without {name}.")
            return default
        return str(value)

    def jid(self, name: str) -> JID:
        """An attribute as an address.  Raises: BadStanza."""
        value = self.attrs.get(name)
        if isinstance(value, JID):
            return value
        if value is None:
            raise BadStanza(f"<{self.tag}> without {name}.")
        return JID.parse(str(value))

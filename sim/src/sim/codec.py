"""Nodes to WhatsApp's binary XML (dictionary version 3) and back.

Lengths are big-endian.  A string is a one- or two-byte token where the dictionary has it, else its bytes; hexadecimal and number packing
is read, never written.
"""

from __future__ import annotations

import zlib

from sim.nodes import JID, LID, PN, Attr, BadStanza, Node
from sim.tokens import Tokens

_EMPTY, _DICTIONARY, _JID_DEVICE, _INTEROP, _JID_FULL, _JID, _HEX, _NIBBLE = 0, 236, 247, 245, 246, 250, 251, 255
_LIST8, _LIST16, _BINARY8, _BINARY20, _BINARY32 = 248, 249, 252, 253, 254
_DOMAINS = {0: PN, 1: LID, 128: "hosted", 129: "hosted.lid"}
_PACKED = {_HEX: "0123456789ABCDEF", _NIBBLE: "0123456789-.???\0"}
_DEPTH = 32


class Codec:
    """Encodes and decodes with one version of the token tables."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def encode(self, node: Node) -> bytes:
        """One stanza, uncompressed, with its leading flag byte."""
        out = bytearray(b"\0")
        self._write_node(out, node)
        return bytes(out)

    def decode(self, data: bytes) -> Node:
        """Read one stanza.  Raises: BadStanza."""
        try:
            body = zlib.decompress(data[1:]) if data[0] & 2 else data[1:]
            return _Reader(body, self.tokens).node(0)
        except (IndexError, UnicodeDecodeError, ValueError, zlib.error) as error:
            raise BadStanza(f"Not binary XML: {error}") from error

    def _write_node(self, out: bytearray, node: Node) -> None:
        attrs = [(name, value) for name, value in node.attrs.items() if value is not None]
        content = node.content
        _write_list(out, 1 + 2 * len(attrs) + (content is not None))
        self._write_text(out, node.tag)
        for name, value in attrs:
            self._write_text(out, name)
            self._write_value(out, value)
        if isinstance(content, list):
            _write_list(out, len(content))
            for child in content:
                self._write_node(out, child)
        elif isinstance(content, bytes):
            _write_bytes(out, content)
        elif content is not None:
            self._write_text(out, content)

    def _write_value(self, out: bytearray, value: Attr) -> None:
        if not isinstance(value, JID):
            self._write_text(out, str(value))
        elif value.device and value.server in (PN, LID):
            out += bytes((_JID_DEVICE, int(value.server == LID), value.device))
            self._write_text(out, value.user)
        else:
            out.append(_JID)
            if value.user:
                self._write_text(out, value.user)
            else:
                out.append(_EMPTY)
            self._write_text(out, value.server)

    def _write_text(self, out: bytearray, text: str) -> None:
        single = self.tokens.single_index.get(text)
        if single is not None:
            out.append(single)
            return
        double = self.tokens.double_index.get(text)
        if double is not None:
            out += bytes((_DICTIONARY + double[0], double[1]))
            return
        _write_bytes(out, text.encode())


def _write_list(out: bytearray, size: int) -> None:
    if size == 0:
        out.append(_EMPTY)
    elif size < 256:
        out += bytes((_LIST8, size))
    else:
        out.append(_LIST16)
        out += size.to_bytes(2, "big")


def _write_bytes(out: bytearray, data: bytes) -> None:
    size = len(data)
    if size < 256:
        out += bytes((_BINARY8, size))
    elif size < 1 << 20:
        out.append(_BINARY20)
        out += size.to_bytes(3, "big")
    else:
        out.append(_BINARY32)
        out += size.to_bytes(4, "big")
    out += data


class _Reader:
    """One pass over one stanza; never reads past its end."""

    def __init__(self, data: bytes, tokens: Tokens) -> None:
        self.data = data
        self.tokens = tokens
        self.at = 0

    def node(self, depth: int) -> Node:
        if depth > _DEPTH:
            raise BadStanza("Nested too deeply.")
        size = self._size(self._byte())
        if size < 1:
            raise BadStanza("An element without a tag.")
        tag = self._string()
        attrs: dict[str, Attr] = {}
        for _ in range((size - 1) >> 1):
            name = self._string()
            attrs[name] = self._address_or_text()
        return Node(tag, attrs, self._content(depth) if size % 2 == 0 else None)

    def _content(self, depth: int) -> list[Node] | bytes | str | None:
        kind = self._byte()
        if kind == _EMPTY:
            return None
        if kind in (_LIST8, _LIST16):
            return [self.node(depth + 1) for _ in range(self._size(kind))]
        if kind in (_BINARY8, _BINARY20, _BINARY32):
            return self._take(self._length(kind))
        value = self._value(kind)
        return value if isinstance(value, str) else str(value)

    def _string(self) -> str:
        value = self._value(self._byte())
        if not isinstance(value, str):
            raise BadStanza("Text was expected.")
        return value

    def _address_or_text(self) -> JID | str:
        return self._value(self._byte()) or ""

    def _value(self, kind: int) -> JID | str | None:
        if kind == _EMPTY:
            return None
        if kind in (_BINARY8, _BINARY20, _BINARY32):
            return self._take(self._length(kind)).decode()
        if kind == _JID:
            user = self._value(self._byte())
            return JID(str(user or ""), self._string())
        if kind == _JID_DEVICE:
            domain, device = self._byte(), self._byte()
            return JID(self._string(), _DOMAINS.get(domain, PN), device)
        if kind in (_JID_FULL, _INTEROP):
            user, device = self._string(), self._number(2)
            integrator = self._number(2) if kind == _INTEROP else None
            return JID(user if integrator is None else f"{integrator}-{user}", self._string(), device)
        if kind in _PACKED:
            return self._packed(_PACKED[kind])
        if _DICTIONARY <= kind < _DICTIONARY + len(self.tokens.double):
            return self.tokens.double[kind - _DICTIONARY][self._byte()]
        if 0 < kind < len(self.tokens.single):
            return self.tokens.single[kind]
        raise BadStanza(f"Unknown tag {kind}.")

    def _packed(self, alphabet: str) -> str:
        head = self._byte()
        text = "".join(alphabet[b >> 4] + alphabet[b & 15] for b in self._take(head & 127))
        return text[:-1] if head & 128 else text

    def _length(self, kind: int) -> int:
        if kind == _BINARY20:
            return self._number(3) & 0xFFFFF
        return self._number(1 if kind == _BINARY8 else 4)

    def _size(self, kind: int) -> int:
        if kind == _EMPTY:
            return 0
        if kind not in (_LIST8, _LIST16):
            raise BadStanza(f"A list was expected, not {kind}.")
        return self._number(1 if kind == _LIST8 else 2)

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise BadStanza("Cut short.")
        taken = self.data[self.at : end]
        self.at = end
        return taken

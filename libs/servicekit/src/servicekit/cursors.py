"""Where the next page of a list begins, as a text that nobody else can make and that holds for one tenant and one filter."""

import base64
import binascii
import hashlib
import hmac
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from contracts.errors import Invalid
from contracts.ids import TenantId

T = TypeVar("T")

_VERSION = b"\x01"
_VIEW_BYTES = 8
_MAC_BYTES = 16


class BadCursor(Invalid):
    """This cursor does not belong to this list."""

    code = "bad-cursor"


class Cursors:
    """Writes and reads cursors with one secret."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"clarin.cursors\x00" + secret.encode()).digest()

    def encode(self, tenant: TenantId, view: str, key: tuple[Any, ...]) -> str:
        """Write the place after the row with *key* in the list *view* of *tenant*.

        Args:
            view: The list and its filters, in one text: ``chats?assignee=usr_…``.
            key: The values that the list is ordered by: texts, numbers, times, UUIDs.
        """
        body = _VERSION + _view(view) + msgspec.msgpack.encode(key)
        return base64.urlsafe_b64encode(body + self._mac(tenant, body)).rstrip(b"=").decode()

    def decode(self, tenant: TenantId, view: str, text: str, shape: type[T]) -> T:
        """Read the key back as *shape*, such as ``tuple[datetime, UUID]``.

        Raises:
            BadCursor: Another tenant's, another list's or filter's, or not from here at all.
        """
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise BadCursor("Take the next_cursor of the page before as it is.") from None
        body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if not hmac.compare_digest(self._mac(tenant, body), mac):
            raise BadCursor("Take the next_cursor of the page before as it is.")
        if body[:1] != _VERSION or body[1 : 1 + _VIEW_BYTES] != _view(view):
            raise BadCursor("This cursor is of a list with other filters.")
        try:
            return msgspec.msgpack.decode(body[1 + _VIEW_BYTES :], type=shape)
        except msgspec.MsgspecError:
            raise BadCursor("This cursor is of an older version.") from None

    def _mac(self, tenant: TenantId, body: bytes) -> bytes:
        return hmac.digest(self._key, UUID(int=tenant.int).bytes + body, "sha256")[:_MAC_BYTES]


def _view(view: str) -> bytes:
    return hashlib.sha256(view.encode()).digest()[:_VIEW_BYTES]


_current: Cursors | None = None


def init(secret: str) -> None:
    """Every cursor of this process is made with *secret* from now on; `create_app` calls this."""
    global _current
    _current = Cursors(secret)


def encode(tenant: TenantId, view: str, key: tuple[Any, ...]) -> str:
    """Write a cursor with this process's secret: see `Cursors.encode`."""
    return _ready().encode(tenant, view, key)


def decode(tenant: TenantId, view: str, text: str, shape: type[T] = tuple) -> T:  # type: ignore[assignment]
    """Read a cursor with this process's secret: see `Cursors.decode`.  Raises: BadCursor."""
    return _ready().decode(tenant, view, text, shape)


def _ready() -> Cursors:
    if _current is None:
        raise RuntimeError("cursors.init was not called: give create_app a cursor_secret.")
    return _current

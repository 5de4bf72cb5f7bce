"""Which messages were kept of late: what WhatsApp brings again, because it has not heard that they are here, is no news."""

from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from google.protobuf.message import DecodeError

from device_worker.journal import last
from device_worker.whatsapp.proto import Kind, parse

#: Of all devices of a host.
MOST = 100_000
#: Of each journal that a dead process has left: more than WhatsApp brings again.
_LEFT = 5_000


class Recent:
    """The last of some messages, of all devices, and how often each was added."""

    def __init__(self, most: int = MOST) -> None:
        self._ids: OrderedDict[tuple[bytes, str], int] = OrderedDict()
        self._most = most

    def __contains__(self, id: tuple[bytes, str]) -> bool:
        return id in self._ids

    def add(self, id: tuple[bytes, str]) -> int:
        """Remember *id*, and forget the oldest; tells how often it was added."""
        count = self._ids[id] = self._ids.get(id, 0) + 1
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
        return count


def left(journals: Path) -> list[tuple[bytes, str]]:
    """Give the devices and ids of the last messages in the journals of dead processes."""
    found = []
    for record in last(journals, _LEFT):
        if record.kind == Kind.MESSAGE:
            with suppress(DecodeError):  # the worker sets aside what it cannot read
                found.append((record.device.bytes, parse(record.kind, record.raw).Info.ID))
    return found

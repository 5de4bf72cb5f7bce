"""The library's protobuf classes, by the names that the rest of the service uses."""

from typing import Any

from device_worker.whatsapp import bare  # noqa: F401  (first: see there)

# isort: split
from neonize.proto import Neonize_pb2 as neonize_pb2
from neonize.proto.waCommon import WACommon_pb2 as common
from neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2 import DeviceProps
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e
from neonize.proto.waHistorySync import WAWebProtobufsHistorySync_pb2 as history
from neonize.proto.waWeb import WAWebProtobufsWeb_pb2 as web

__all__ = ["EVENTS", "JOURNALLED", "DeviceProps", "Kind", "common", "e2e", "history", "neonize_pb2", "parse", "web"]


class Kind:
    """The library's numbers for the events that are asked for here, and what is kept beside them."""

    DEVICE = 0
    PAIR_STATUS = 2
    CONNECTED = 3
    LOGGED_OUT = 6
    STREAM_REPLACED = 7
    TEMPORARY_BAN = 8
    CONNECT_FAILURE = 9
    CLIENT_OUTDATED = 10
    STREAM_ERROR = 11
    DISCONNECTED = 12
    HISTORY_SYNC = 13
    MESSAGE = 17
    RECEIPT = 18
    CHAT_PRESENCE = 19
    GROUP_INFO = 22
    BLOCKLIST = 30
    UNDECRYPTABLE = 44
    #: Not the library's: somebody's device asked for messages of ours again, and got no answer.
    UNREADABLE = 200


EVENTS: dict[int, Any] = {
    Kind.DEVICE: neonize_pb2.Device,
    Kind.PAIR_STATUS: neonize_pb2.PairStatus,
    Kind.CONNECTED: neonize_pb2.Connected,
    Kind.LOGGED_OUT: neonize_pb2.LoggedOut,
    Kind.STREAM_REPLACED: neonize_pb2.StreamReplaced,
    Kind.TEMPORARY_BAN: neonize_pb2.TemporaryBan,
    Kind.CONNECT_FAILURE: neonize_pb2.ConnectFailure,
    Kind.CLIENT_OUTDATED: neonize_pb2.ClientOutdated,
    Kind.STREAM_ERROR: neonize_pb2.StreamError,
    Kind.DISCONNECTED: neonize_pb2.Disconnected,
    Kind.HISTORY_SYNC: neonize_pb2.HistorySync,
    Kind.MESSAGE: neonize_pb2.Message,
    Kind.RECEIPT: neonize_pb2.Receipt,
    Kind.CHAT_PRESENCE: neonize_pb2.ChatPresence,
    Kind.GROUP_INFO: neonize_pb2.GroupInfoEvent,
    Kind.BLOCKLIST: neonize_pb2.BlocklistEvent,
    Kind.UNDECRYPTABLE: neonize_pb2.UndecryptableMessage,
    Kind.UNREADABLE: neonize_pb2.Receipt,
}

#: Facts that must not be lost; everything else tells how the session stands.
JOURNALLED = frozenset({Kind.HISTORY_SYNC, Kind.MESSAGE, Kind.RECEIPT, Kind.BLOCKLIST, Kind.UNDECRYPTABLE, Kind.UNREADABLE})


def parse(kind: int, raw: bytes) -> Any:
    """Read an event, also one in which fields are missing.  Raises: google.protobuf.message.DecodeError."""
    event = EVENTS[kind]()
    event.MergeFromString(raw)
    return event

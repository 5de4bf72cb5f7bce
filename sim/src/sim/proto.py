"""The protobuf classes of WhatsApp, taken from neonize without loading its shared object.

`import neonize` would map 66 MB, start a Go runtime and configure logging; the generated classes below `neonize.proto` need none of that.
While they are imported a bare package stands in for `neonize`; it is removed again, so that a later `import neonize` finds the real one.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from google.protobuf.message import DecodeError


def library_folder() -> str:
    """Where neonize is installed.  Raises: ModuleNotFoundError."""
    spec = importlib.util.find_spec("neonize")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("neonize is not installed, and the network reads its tokens and protobufs from there.")
    return str(spec.submodule_search_locations[0])


def _load(*names: str) -> list[Any]:
    if "neonize" in sys.modules:
        return [importlib.import_module(f"neonize.proto.{name}") for name in names]
    bare = ModuleType("neonize")
    bare.__path__ = [library_folder()]
    sys.modules["neonize"] = bare
    try:
        return [importlib.import_module(f"neonize.proto.{name}") for name in names]
    finally:
        del sys.modules["neonize"]


__all__ = ["DecodeError", "action", "adv", "cert", "common", "e2e", "history", "library_folder", "sync", "wa6"]

wa6, cert, adv, e2e, history, sync, action, common = _load(
    "waWa6.WAWebProtobufsWa6_pb2",
    "waCert.WACert_pb2",
    "waAdv.WAAdv_pb2",
    "waE2E.WAWebProtobufsE2E_pb2",
    "waHistorySync.WAWebProtobufsHistorySync_pb2",
    "waServerSync.WAWebProtobufsServerSync_pb2",
    "waSyncAction.WAWebProtobufSyncAction_pb2",
    "waCommon.WACommon_pb2",
)

"""Attaches this process to the WhatsApp network on loopback, once neonize is imported; until then it costs nothing.

whatsmeow trusts a certificate chain under one hard-coded key, which lies once in the writable data of neonize's shared object.  Right
after `neonize._binder` has loaded that object the key is overwritten with the network's.  Not exactly one hit: the import fails, because a
session that goes on would talk to nobody, or to the real WhatsApp.  Only the standard library is used here, and a `sitecustomize` that
this one hides is run as well.
"""

import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_WHATSAPP = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")
_TARGET = "neonize._binder"


def trust(root: bytes) -> None:
    """Whatsmeow in this process trusts *root* and no other.  Raises: ImportError."""
    import ctypes

    hits = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            parts = line.split()
            if len(parts) < 6 or "/neonize-" not in parts[5] or not parts[1].startswith("rw"):
                continue
            start, end = (int(address, 16) for address in parts[0].split("-"))
            data = ctypes.string_at(start, end - start)
            at = data.find(_WHATSAPP)
            while at >= 0:
                hits.append(start + at)
                at = data.find(_WHATSAPP, at + 1)
    if len(hits) != 1:
        raise ImportError(f"whatsmeow's trusted key was expected once in memory and found {len(hits)} times: not attached, not started.")
    ctypes.memmove(hits[0], root, 32)


class _Attaching(Loader):
    def __init__(self, loader: Loader, root: bytes) -> None:
        self._loader, self._root = loader, root

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        trust(self._root)


class _Finder(MetaPathFinder):
    def __init__(self, root: bytes) -> None:
        self._root = root

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != _TARGET:
            return None
        spec = PathFinder.find_spec(fullname, path, target)  # type: ignore[arg-type]
        if spec is not None and spec.loader is not None:
            spec.loader = _Attaching(spec.loader, self._root)
        return spec


def _attach() -> None:
    root = os.environ.get("CLARIN_SIM_ROOT_KEY", "")
    if not root:
        return
    if os.environ.get("CLARIN_ENV", "").strip().lower() == "production":
        sys.stderr.write("The WhatsApp network on loopback does not run where CLARIN_ENV is production.\n")
        os._exit(2)
    sys.meta_path.insert(0, _Finder(bytes.fromhex(root)))


def _run_hidden() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if os.path.abspath(path or ".") != here])
    if spec is not None and spec.loader is not None:
        module = ModuleType("sitecustomize")
        module.__spec__, module.__file__ = spec, spec.origin
        spec.loader.exec_module(module)


_attach()
_run_hidden()

"""neonize without its Python client: the shared object's bindings and the protobuf classes, nothing else.

The package's own ``__init__`` brings the client along, and with it an HTML parser, an image library, a link previewer and
libmagic: 0.6 s and 30 MB in every worker and every pairing, for nothing that is used here. Where the shared object is
missing it fetches one from the network and runs it, which a server must never do. And to name it, it forks a shell.

Imported before anything of neonize, by the two modules that need it.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NoReturn


def _refuse() -> NoReturn:
    raise ImportError("The shared object of neonize is missing or of another version: install the wheel again.")


def _prepare() -> None:
    if "neonize" in sys.modules:
        return
    found = find_spec("neonize")
    if found is None or found.submodule_search_locations is None:
        _refuse()
    folder = next(iter(found.submodule_search_locations))
    for name, path in (("neonize", folder), ("neonize.utils", f"{folder}/utils")):
        package = ModuleType(name)
        package.__path__ = [path]
        package.__spec__ = ModuleSpec(name, None, is_package=True)  # for whoever looks where it is installed
        package.__spec__.submodule_search_locations = [path]
        sys.modules[name] = package
    objects = list(Path(folder).glob("neonize-*.so"))  # a wheel brings the one of its platform
    if len(objects) != 1:
        _refuse()
    name = objects[0].name
    _module("neonize.utils.platform", generated_name=lambda: name)
    _module("neonize.download", __GONEONIZE_VERSION__=version("neonize"), download=_refuse)


def _module(name: str, **content: object) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module


_prepare()

"""How a Python process is brought to the network on loopback, without knowing of it.

`environment(info)` gives what to add to a process's environment:

* `HTTPS_PROXY` and `SSL_CERT_FILE` lead the library's sockets to the network.  Go reads both once, at start, so they must be there before.
* `PYTHONPATH` starts with the folder `bootstrap`, whose `sitecustomize` writes the network's root key over the one that whatsmeow carries,
  the moment neonize has loaded its shared object.  It never imports neonize by itself.
* `CLARIN_SIM_ROOT_KEY` is that root key.

Children that inherit the environment are attached too, so that a worker may start `sys.executable -m …` as it likes.  Isolated
interpreters (`python -I`, `-E`, `-S`) are not.  Everything here refuses when CLARIN_ENV is production.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, convert

BOOTSTRAP = Path(__file__).parent / "bootstrap"


class Refused(Exception):
    """This is no place for the network on loopback."""


class Info(Struct, frozen=True):
    """What the running network writes to its info file.

    Attributes:
        root_key: Public root key of its Noise certificates, hexadecimal.
        proxy_port: HTTP CONNECT proxy on 127.0.0.1.
        ca_file: PEM file of its TLS authority.
        control_url: Base address of the control API, without a slash at its end.
    """

    root_key: str
    proxy_port: int
    ca_file: str
    control_url: str
    pid: int


def refuse_production(environ: Mapping[str, str]) -> None:
    """Raises: Refused."""
    if environ.get("CLARIN_ENV", "").strip().lower() == "production":
        raise Refused("The WhatsApp network on loopback does not run where CLARIN_ENV is production.")


def read_info(path: Path) -> Info:
    """What the network at *path* says of itself.  Raises: FileNotFoundError, msgspec.ValidationError."""
    return convert(json.loads(path.read_text()), Info)


def environment(info: Info, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """*base* (this process's own environment by default) with all that attaches a Python process to the network.  Raises: Refused."""
    env = dict(os.environ if base is None else base)
    refuse_production(env)
    paths = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(BOOTSTRAP)]
    for name in ("https_proxy", "no_proxy", "all_proxy", "ALL_PROXY"):
        env.pop(name, None)
    return env | {
        "HTTPS_PROXY": f"http://127.0.0.1:{info.proxy_port}",
        "NO_PROXY": "localhost,127.0.0.1",
        "SSL_CERT_FILE": info.ca_file,
        "PYTHONPATH": os.pathsep.join([str(BOOTSTRAP), *paths]),
        "CLARIN_SIM_ROOT_KEY": info.root_key,
    }

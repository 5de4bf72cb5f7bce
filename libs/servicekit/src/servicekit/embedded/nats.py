"""NATS with JetStream."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from servicekit.embedded.child import Child
from servicekit.embedded.server import Server, StartFailed, answers


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Someone who may connect; *permissions* as in a NATS configuration, None for everything."""

    password: str = field(repr=False)
    permissions: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One server of several that keep their streams together.

    Attributes:
        name: Its own, which it keeps as long as its folder.
        port: Where the others reach it.
        ports: Where each of them is reached, this one among them.
    """

    name: str
    port: int
    ports: tuple[int, ...]
    password: str = field(repr=False)

    def configuration(self) -> dict[str, object]:
        """Write what the server must know of the others."""
        routes = [f"nats://route:{quote(self.password)}@127.0.0.1:{port}" for port in self.ports if port != self.port]
        known = {"user": "route", "password": self.password, "timeout": 2}
        return {"name": "clarin", "listen": f"127.0.0.1:{self.port}", "authorization": known, "routes": routes, "no_advertise": True}


class Nats(Server):
    """A NATS server with JetStream, its streams below ``folder``.

    Without *users* everyone on this machine may do everything; with them, ``url`` is the one of *admin*.
    """

    name = "nats"

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        log: Path | None = None,
        users: Mapping[str, User] | None = None,
        admin: str = "migrator",
        durable: bool = True,
        member: Member | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """Know how it is to run.

        Args:
            durable: An acknowledged message is on disk (``sync_interval: always``).
            member: It is one of a cluster; its streams answer once most of the cluster is there.
            options: Further lines of the configuration.
        """
        super().__init__(folder, port=port, log=log)
        self.member = member
        if member is not None:
            self.name = member.name
        self.users = dict(users or {})
        self.admin = admin
        self.durable = durable
        self.options = dict(options or {})

    @property
    def url(self) -> str:
        """The server, as *admin* where it knows users."""
        return self.url_as(self.admin) if self.users else f"nats://127.0.0.1:{self.port}"

    def url_as(self, user: str) -> str:
        """The server, as *user*."""
        return f"nats://{quote(user)}:{quote(self.users[user].password)}@127.0.0.1:{self.port}"

    def _launch(self) -> Child:
        configuration: dict[str, object] = {
            "listen": f"127.0.0.1:{self.port}",
            "server_name": self.member.name if self.member else "clarin",
            "max_payload": 1 << 20,
            "max_connections": 65536,
            # The streams' own limits count, and not how full the disk happens to be when they are declared.
            "jetstream": {
                "store_dir": str(self.folder / "jetstream"),
                "max_file_store": 1 << 40,
                **({"sync_interval": "always"} if self.durable else {}),
            },
        }
        if self.users:
            configuration["authorization"] = {"users": [_entry(name, user) for name, user in self.users.items()]}
        if self.member is not None:
            configuration["cluster"] = self.member.configuration()
        configuration |= self.options
        path = self.folder / "nats.conf"
        path.touch(mode=0o600)
        path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in configuration.items()))
        return Child([program("nats-server"), "-c", path], log=self.log, cwd=self.folder)

    def _ready(self) -> bool:
        return answers(self.port, b"INFO ")


def program(name: str, also: Sequence[Path] = ()) -> Path:
    """Find a program that a wheel brought: beside this Python, in *also*, or on the path.  Raises: StartFailed."""
    for place in (Path(sys.executable).parent, Path(sys.prefix) / "bin", *also):
        if (place / name).is_file():
            return place / name
    found = shutil.which(name)
    if found is None:
        raise StartFailed(f"The program {name} is missing: run `make setup`.")
    return Path(found)


def _entry(name: str, user: User) -> dict[str, object]:
    entry: dict[str, object] = {"user": name, "password": user.password}
    if user.permissions is not None:
        entry["permissions"] = dict(user.permissions)
    return entry

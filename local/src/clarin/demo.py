"""The demo: a shop with two numbers, and customers who write to it."""

import secrets
from typing import Self

import msgspec
from rich.table import Table

from clarin.folder import Folder, Running, write


class DemoFailed(Exception):
    """The demo could not be set up."""


class Credentials(msgspec.Struct, frozen=True):
    """Who may sign in to the demo."""

    email: str
    password: str

    @classmethod
    def of(cls, folder: Folder) -> Self:
        """Read them, or make them once: the password is random and stays in this folder."""
        path = folder.secrets / "demo.json"
        if not path.exists():
            write(path, msgspec.json.encode(cls("owner@demo.example", secrets.token_urlsafe(12))).decode())
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def table(self) -> Table:
        """Lay them out for a terminal."""
        table = Table(box=None, pad_edge=False)
        for heading in ("sign in as", "password"):
            table.add_column(heading)
        table.add_row(self.email, self.password)
        return table


async def ensure(folder: Folder, running: Running) -> Credentials:
    """The demo's account, numbers and chats are there; what is there already stays."""
    return Credentials.of(folder)

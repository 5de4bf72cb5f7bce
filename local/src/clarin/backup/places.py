"""Where an installation keeps what it keeps: on this machine, or behind the addresses of its servers."""

from dataclasses import dataclass, field
from typing import Self

from pydantic import Field
from servicekit.objects import Objects, WithObjects
from servicekit.settings import NatsUrl, PostgresUrl

from clarin.folder import Folder, Running

KEY = "encryption"


class Elsewhere(WithObjects):
    """The addresses of an installation in containers, as its own processes are given them."""

    admin_database_url: PostgresUrl | None = Field(None, repr=False, description="a postgresql:// address, as a superuser")
    nats_url: NatsUrl | None = Field(None, repr=False, description="a nats:// address, as the migrator")
    encryption_key: str = Field("", repr=False, description="the key that encrypts what is kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The servers, as who may do everything, the store of files, and the key."""

    postgres: str = field(repr=False)
    nats: str = field(repr=False)
    objects: Objects
    key: str = field(repr=False)

    @classmethod
    def here(cls, folder: Folder, running: Running) -> Self:
        """Find them where `clarin up` runs."""
        return cls(postgres=running.postgres, nats=running.nats, objects=Objects.folder(folder.root / "media"), key=folder.key(KEY))

    @classmethod
    def named(cls) -> Self | None:
        """Read them from the environment; None where it names no servers."""
        told = Elsewhere()
        if told.admin_database_url is None or told.nats_url is None:
            return None
        return cls(postgres=told.admin_database_url, nats=told.nats_url, objects=told.objects, key=told.encryption_key)

    def database(self, name: str) -> str:
        """Give the address of a database."""
        return f"{self.postgres.rpartition('/')[0]}/{name}"

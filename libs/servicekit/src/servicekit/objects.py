"""Objects in a folder or in a store that speaks S3, by key; streamed, so that no object has to fit into memory.

The address says which: ``file:///var/lib/clarin/media`` or ``s3://bucket/below``, for another server than Amazon's with its
``endpoint``. Keys are our own: nothing from outside becomes a part of one.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import obstore
from contracts.errors import Unavailable
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store
from pydantic import Field, SecretStr

from servicekit.settings import Settings

_CHUNK = 256 << 10
_SECONDS = "30s"


class ObjectMissing(Exception):
    """There is no object under this key."""


class ObjectsAway(Unavailable):
    """The files cannot be reached just now; try again."""

    code = "objects-away"


class WithObjects(Settings):
    """A process that keeps objects."""

    media_url: str = Field(
        "file:///var/lib/clarin/media", pattern=r"^(file:///|s3://[^/]+)", description="file:///a/folder, or s3://bucket/a/prefix"
    )
    media_endpoint: str | None = Field(None, pattern=r"^https?://", description="the http(s):// address of a server that speaks S3")
    media_region: str = Field("us-east-1", description="the region of the bucket")
    media_access_key: str | None = Field(None, description="the id of the key to the bucket")
    media_secret_key: SecretStr | None = Field(None, description="the key to the bucket")

    @property
    def objects(self) -> "Objects":
        """Open the store that the settings name; nothing is reached before it is used."""
        secret = self.media_secret_key.get_secret_value() if self.media_secret_key else None
        return Objects(
            self.media_url, endpoint=self.media_endpoint, region=self.media_region, access_key=self.media_access_key, secret_key=secret
        )


class Objects:
    """One store.  Everything raises `ObjectsAway` where it does not answer."""

    def __init__(
        self,
        url: str,
        *,
        endpoint: str | None = None,
        region: str = "us-east-1",
        access_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._folder: Path | None = None
        self._store: Any = None
        if parts.scheme == "file":
            self._folder = Path(parts.path)
            return
        options: dict[str, Any] = {"bucket": parts.netloc, "region": region, "prefix": parts.path.strip("/") or None}
        if endpoint:
            options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        if access_key:
            options |= {"access_key_id": access_key, "secret_access_key": secret_key}
        plain = bool(endpoint and endpoint.startswith("http://"))
        self._store = S3Store(
            **{name: value for name, value in options.items() if value is not None},
            client_options={"timeout": _SECONDS, "connect_timeout": "3s", "allow_http": plain},
            retry_config={"max_retries": 2},
        )

    @classmethod
    def folder(cls, path: Path) -> Self:
        """Use a folder of this machine."""
        return cls(path.absolute().as_uri())

    async def put(self, key: str, content: Path | bytes) -> None:
        """The object is *content*, whole or not at all; a file is streamed, in parts where it is large."""
        store = await self._opened()
        try:
            await obstore.put_async(store, key, content)
        except (BaseError, OSError) as error:
            raise ObjectsAway(type(error).__name__) from error

    async def size(self, key: str) -> int | None:
        """Give the object's size in bytes; None where there is none."""
        store = await self._opened()
        try:
            return int((await obstore.head_async(store, key))["size"])
        except (NotFoundError, FileNotFoundError):
            return None
        except (BaseError, OSError) as error:
            raise ObjectsAway(type(error).__name__) from error

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Begin to read the bytes from *start* up to *end* (exclusive), in chunks.  Raises: ObjectMissing."""
        store = await self._opened()
        options: Any = {"range": (start, end)} if end is not None else {"range": {"offset": start}} if start else None
        try:
            found = await obstore.get_async(store, key, options=options)
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectMissing(key) from error
        except (BaseError, OSError) as error:
            raise ObjectsAway(type(error).__name__) from error
        return _chunks(found.stream(min_chunk_size=_CHUNK))

    async def fetch(self, key: str, to: Path) -> None:
        """The object is in the file *to*.  Raises: ObjectMissing."""
        chunks = await self.read(key)
        with to.open("wb") as file:  # the writes are off the loop
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)

    async def keys(self) -> AsyncIterator[str]:
        """Name every object."""
        store = await self._opened()
        try:
            async for some in obstore.list(store):
                for one in some:
                    yield str(one["path"])
        except (BaseError, OSError) as error:
            raise ObjectsAway(type(error).__name__) from error

    async def delete(self, *keys: str) -> None:
        """None of them is there any more; one that was not is no error."""
        store = await self._opened()
        for key in keys:
            try:
                await obstore.delete_async(store, key)
            except (NotFoundError, FileNotFoundError):
                continue
            except (BaseError, OSError) as error:
                raise ObjectsAway(type(error).__name__) from error

    async def _opened(self) -> Any:
        if self._store is None:
            assert self._folder is not None, "A store is a folder or remote."  # noqa: S101
            try:
                self._store = await asyncio.to_thread(LocalStore, self._folder, mkdir=True)
            except (BaseError, OSError) as error:
                raise ObjectsAway(type(error).__name__) from error
        return self._store


async def _chunks(stream: Any) -> AsyncIterator[bytes]:
    async for chunk in stream:
        yield bytes(chunk)

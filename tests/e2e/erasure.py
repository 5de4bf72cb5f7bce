"""Where a person could have left a trace: every table of every database, the streams, the objects, the workers' disks, the logs."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from clarin.testing import System
from contracts import subjects
from servicekit.bus import Bus, BusRefused


class Traces:
    """Looks for texts in everything that one installation keeps."""

    def __init__(self, system: System, *words: str) -> None:
        self.data = system.folder / "data"
        self.running = json.loads((self.data / "state" / "run.json").read_text())
        self.words = [word.encode() for word in words]
        # A bytea is shown in hexadecimal.
        self.needles = [*self.words, *(word.hex().encode() for word in self.words)]

    async def found(self) -> list[str]:
        """Name every place in which one of them stands."""
        places = [place async for place in self._tables()]
        places += [place async for place in self._streams()]
        return places + list(self._files())

    async def _tables(self) -> AsyncIterator[str]:
        main = self.running["postgres"]
        admin = await asyncpg.connect(main)
        databases = [row[0] for row in await admin.fetch("select datname from pg_database where not datistemplate")]
        await admin.close()
        for database in databases:
            connection = await asyncpg.connect(main.replace(urlsplit(main).path, f"/{database}"))
            try:
                tables = await connection.fetch(
                    "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables where schemaname not in "
                    "('pg_catalog', 'information_schema')"
                )
                for (table,) in tables:
                    for (text,) in await connection.fetch(f"select t::text from {table} t"):  # noqa: S608  # the catalogue's names
                        if any(needle in text.encode() for needle in self.needles):
                            yield f"{database}: {table}"
            finally:
                await connection.close()

    async def _streams(self) -> AsyncIterator[str]:
        async with Bus.open(self.running["nats"], name="traces") as bus:
            async for subject, payload in _orders(bus):
                if any(word in payload for word in self.words):
                    yield f"{subjects.COMMANDS}: {subject}"
            for stream in (subjects.EVENTS, subjects.DLQ):
                async with await bus.ordered(">", 1, stream=stream) as ordered:
                    left = ordered.pending
                    while left > 0:
                        fact = await anext(ordered)
                        left -= 1
                        if any(word in fact.payload for word in self.words):
                            yield f"{stream}: {fact.subject}"

    def _files(self) -> list[str]:
        parts = [self.data / "media", self.data / "logs", *self.data.glob("worker*")]
        files = [path for part in parts for path in part.rglob("*") if path.is_file()]
        return [str(path.relative_to(self.data)) for path in files if any(word in _read(path) for word in self.words)]


async def _orders(bus: Bus) -> AsyncIterator[tuple[str, bytes]]:
    """Read what stands in the work queue, one by one: no consumer may read it in order."""
    after = 0
    while True:
        try:
            found = await bus.connection.api(f"STREAM.MSG.GET.{subjects.COMMANDS}", {"seq": after + 1, "next_by_subj": ">"})
        except BusRefused:
            return
        message = found["message"]
        after = message["seq"]
        yield message["subject"], base64.b64decode(message.get("data", ""))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a segment that has just been dropped
        return b""

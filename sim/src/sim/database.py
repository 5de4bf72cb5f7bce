"""One SQLite file that is always ahead of the wire.

Writes go into an open transaction at once and are committed together a moment later; whatever must not leave before them is given to
`then`, and leaves after the commit.  So a process that is killed at any instant has never told anyone more than its file knows.
The file survives a killed process, not a power cut in the same second (synchronous=NORMAL): it is a test network.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_BATCH_SECONDS = 0.002
_CHECKPOINT_COMMITS = 2000


class Database:
    """The file, its open transaction, and those who wait for the commit.  Used from the event loop's thread alone."""

    def __init__(self, path: Path, schema: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._path = path
        path.chmod(0o600)
        for pragma in ("journal_mode=wal", "synchronous=normal", "wal_autocheckpoint=0", "cache_size=-16000"):
            self._connection.execute(f"pragma {pragma}")
        self._connection.executescript(schema)
        self._open = False
        self._scheduled = False
        self._late: dict[Hashable, Callable[[], None]] = {}
        self._waiting: list[Callable[[], None]] = []
        self._last = 0.0
        self._commits = 0
        self._checkpoint: asyncio.Task[None] | None = None
        self.failed: asyncio.Future[None] | None = None

    def read(self, sql: str, *values: Any) -> list[Any]:
        """Rows, with what is written and not yet committed among them."""
        return self._connection.execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> None:
        """Written at once, committed with the batch."""
        if not self._open:
            self._connection.execute("begin immediate")
            self._open = True
            self._schedule()
        self._connection.execute(sql, values)

    def write_late(self, key: Hashable, write: Callable[[], None]) -> None:
        """*write* is called once before the commit, however often its *key* is named until then."""
        self._late[key] = write
        self._schedule()

    def then(self, callback: Callable[[], None]) -> None:
        """*callback* runs, in order, once all that is written so far is committed; at once when nothing is pending."""
        if self._open or self._late or self._waiting:
            self._waiting.append(callback)
            self._schedule()
        else:
            callback()

    async def committed(self) -> None:
        """Returns when all that is written so far is committed."""
        done = asyncio.get_running_loop().create_future()
        self.then(lambda: None if done.done() else done.set_result(None))
        await done

    def close(self) -> None:
        """Everything is committed and the file is whole."""
        self.commit()
        self._connection.execute("pragma wal_checkpoint(truncate)")
        self._connection.close()

    def _schedule(self) -> None:
        if self._scheduled:
            return
        self._scheduled = True
        loop = asyncio.get_running_loop()
        since = time.monotonic() - self._last
        if since < _BATCH_SECONDS:
            loop.call_later(_BATCH_SECONDS - since, self._commit_or_fail)
        else:
            loop.call_soon(self._commit_or_fail)

    def _commit_or_fail(self) -> None:
        try:
            self.commit()
        except sqlite3.Error as error:  # a full or broken disk: nobody may be told anything that is not kept
            if self.failed and not self.failed.done():
                self.failed.set_exception(error)

    def commit(self) -> None:
        """What is pending is committed, and those who waited are called."""
        self._scheduled = False
        late, self._late = self._late, {}
        for write in late.values():
            write()
        if self._open:
            self._connection.execute("commit")
            self._open = False
            self._commits += 1
        self._last = time.monotonic()
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            try:
                callback()
            except Exception:  # one that fails must not keep the others from leaving
                log.exception("what waited for a commit failed")
        if self._commits >= _CHECKPOINT_COMMITS and (self._checkpoint is None or self._checkpoint.done()):
            self._commits = 0
            self._checkpoint = asyncio.get_running_loop().create_task(asyncio.to_thread(self._copy_back))

    def _copy_back(self) -> None:
        """The log is copied into the file on a second connection: it syncs the disk, which must not hold up the loop."""
        side = sqlite3.connect(self._path)
        try:
            side.execute("pragma wal_checkpoint(passive)")
        finally:
            side.close()

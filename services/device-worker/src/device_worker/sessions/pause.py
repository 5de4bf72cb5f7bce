"""When no session may be connected, because what it receives could not be kept."""

import asyncio
import contextlib
from collections.abc import Iterator


class Pause:
    """Reasons to be disconnected, for all sessions at once; with none, they connect."""

    def __init__(self) -> None:
        self._reasons: dict[str, None] = {}
        self._clear = asyncio.Event()
        self._clear.set()
        self._watchers: set[asyncio.Event] = set()

    @property
    def reason(self) -> str | None:
        """The first reason there is."""
        return next(iter(self._reasons), None)

    def set(self, reason: str, holds: bool) -> bool:
        """Add or take away a reason; tell whether that changed anything."""
        if (reason in self._reasons) == holds:
            return False
        if holds:
            self._reasons[reason] = None
            self._clear.clear()
        else:
            del self._reasons[reason]
            if not self._reasons:
                self._clear.set()
        for watcher in self._watchers:
            watcher.set()
        return True

    @contextlib.contextmanager
    def watched_by(self, event: asyncio.Event) -> Iterator[None]:
        """Set *event* at every change, while the block lasts."""
        self._watchers.add(event)
        try:
            yield
        finally:
            self._watchers.discard(event)

"""Reading and writing, straight on asyncpg: the tenant first in each statement.

Everybody who writes takes locks in one order: the stage that a card goes to, the lead, what hangs on it, and the sums of
stages last (a trigger takes those, sorted). Who holds a stage's row alone gives out ranks in it.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from prometheus_client import Counter
from servicekit.db import DatabaseBusy

T = TypeVar("T")

ATTEMPTS = 5
"""How often a transaction starts again before others hear of it."""

RETRIES = Counter("clarin_pipeline_retries_total", "Transactions that started again because somebody else was at the same rows.")


class Moved(Exception):  # a signal to start again, not an error that anybody sees
    """What was read before its lock is elsewhere after it."""


async def persistently(work: Callable[[], Awaitable[T]]) -> T:
    """Do *work*, which is one transaction, again while others are at the same rows."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await work()
        except (Moved, DatabaseBusy):
            RETRIES.inc()
    return await work()

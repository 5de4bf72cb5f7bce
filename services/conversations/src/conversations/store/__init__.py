"""Reading and writing, straight on asyncpg: one statement for a batch, the tenant first in each.

Everybody who writes takes locks in one order: addresses (advisory), contacts, chats, and within each by key. Who holds a
chat's row may write its messages. What was read before its lock and is gone after it raises `Moved`: the transaction
starts again.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from prometheus_client import Counter
from servicekit.db import DatabaseBusy

T = TypeVar("T")

ATTEMPTS = 5
"""How often a transaction starts again before others hear of it."""

RETRIES = Counter("clarin_conversations_retries_total", "Transactions that started again because somebody else was at the same rows.")


class Moved(Exception):  # a signal to start again, not an error that anybody sees
    """A contact or chat was merged away between being read and being locked."""


async def by_index(c: asyncpg.Connection) -> None:
    """Until the transaction ends, every statement looks its keys up in an index.

    The planner guesses a batch to be worth reading a whole table up to a size that is reached in weeks: for a handful of keys among
    many tenants' rows an index is right always.
    """
    await c.fetchrow(
        "select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
        "set_config('enable_mergejoin', 'off', true)"
    )


async def by_values(c: asyncpg.Connection) -> None:
    """Until the transaction ends, every statement is planned for the values that it has.

    How a name begins says whether three chats fit or half of them: a plan that was made for any of it once walked all chats for three.
    No page is worth starting other processes for.
    """
    await c.execute("set local plan_cache_mode = force_custom_plan; set local max_parallel_workers_per_gather = 0")


async def persistently(work: Callable[[], Awaitable[T]]) -> T:
    """Do *work*, which is one transaction, again while others are at the same rows."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await work()
        except (Moved, DatabaseBusy):
            RETRIES.inc()
    return await work()

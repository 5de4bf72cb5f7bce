"""What happens by the clock: reminders, and what is cleaned up now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from contracts.envelope import wrap
from contracts.events.pipeline import TaskDue
from servicekit import idempotency, inbox, outbox, timers
from servicekit.db import Database, raw

from pipeline.store import rules, tasks

log = structlog.get_logger()

REMINDING = timedelta(seconds=2)
SWEEPING = timedelta(minutes=10)
RUNS_KEPT_DAYS = 90
_BATCH = 200


def remind(system: Database) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that tells of tasks whose hour has come, each once, whichever replica is first."""

    async def run() -> None:
        while await reminded(system) == _BATCH:
            pass

    return timers.every(REMINDING, run, name="remind")


async def reminded(system: Database) -> int:
    """The tasks that are due have been told of; give how many."""
    async with system.system() as tx:
        due = await tasks.due(await raw(tx), limit=_BATCH)
        await outbox.add(
            tx, *(wrap(task.tenant, TaskDue(**task.fields(), lead_title=task.lead_title), audience=task.audience()) for task in due)
        )
    return len(due)


def sweep(system: Database) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that deletes answered keys, facts seen long ago and old runs of rules."""

    async def run() -> None:
        keys = await idempotency.sweep(system)
        seen = await inbox.sweep(system)
        async with system.system() as tx:
            runs = await rules.sweep(await raw(tx), days=RUNS_KEPT_DAYS)
        if keys or seen or runs:
            log.info("swept", keys=keys, seen=seen, runs=runs)

    return timers.every(SWEEPING, run, name="sweep")

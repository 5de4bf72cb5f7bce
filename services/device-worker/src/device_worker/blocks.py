"""Blocking people on WhatsApp itself: each number after its own orders, as soon as it is connected; and whom it blocks already.

To block twice is to block once, so an order is simply tried again: after a moment where WhatsApp gave no answer, when the number is
back where it was away. A newer order about the same person counts in place of an older one, also while that one is being carried out.

The whole list is told after each connection, for what was done before the number was linked or while no session heard of it; and again
later, when the history that names the people has come.
"""

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from contracts.envelope import Audience, wrap
from contracts.events.devices import BlocksListed
from contracts.ids import DeviceId
from contracts.whatsapp import Address
from prometheus_client import Counter
from servicekit import outbox
from servicekit.db import Database, is_away, is_busy

from device_worker import convert, shards
from device_worker.host.remote import Client
from device_worker.leases import Leases
from device_worker.sessions import Sessions
from device_worker.shards import shard_of
from device_worker.store import blocks
from device_worker.store.blocks import Order
from device_worker.whatsapp import CallFailed, Meaning, NotRunning, is_refusal

EVERY = timedelta(seconds=1)
_MOST_ATTEMPTS = 6
_LONGEST_BACKOFF = timedelta(minutes=5)

#: Seconds from a connection, or from the list before, to the list that is told; the last holds for all that follow.
_LISTED_AFTER = (0.0, 600.0, 6 * 3600.0)
#: At once: whoever starts with a thousand numbers asks for their lists one after the other.
_MOST_LISTS = 4
#: A list goes in one event, which the bus must take.
MOST_LISTED = 5_000

log = structlog.get_logger()

DONE = Counter("clarin_devices_blocks", "Orders to block or unblock somebody that ended, by outcome.", ["outcome"])


class NotNow(Exception):
    """The number cannot do it at this moment: nothing was tried in vain."""


class Blocks:
    """One task for each number that has somebody to block, and none for the others."""

    def __init__(self, system: Database, sessions: Sessions, leases: Leases) -> None:
        self._system, self._sessions, self._leases = system, sessions, leases
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._lists: dict[DeviceId, tuple[float, int]] = {}

    def connected(self, device: DeviceId) -> None:
        """The number is connected: its list is told at the next look."""
        self._lists[device] = (time.monotonic(), 0)

    async def poll(self) -> None:
        """Begin with every connected number for which something waits, and give up what has waited too long."""
        mine = [shard for shard in shards.EVERY if self._leases.fence(shard) is not None]
        if not mine:
            return
        async with self._system.system() as tx:
            expired = await blocks.expire(tx, mine, datetime.now(UTC))
            waiting = await blocks.waiting(tx, mine)
        if expired:
            DONE.labels("expired").inc(expired)
        for device in waiting:
            if device not in self._running and self._sessions.connected(device) is not None:
                self._begin(device, self._work(device))
        now = time.monotonic()
        due = [device for device, (at, _) in self._lists.items() if at <= now and device not in self._running]
        for device in due[:_MOST_LISTS]:
            self._begin(device, self._tell_list(device))

    def _begin(self, device: DeviceId, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"blocks {device}")
        self._running[device] = task
        task.add_done_callback(lambda task: self._ended(device, task))

    def _ended(self, device: UUID, task: asyncio.Task[None]) -> None:
        self._running.pop(device, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("blocks.failed", device=str(device), error=type(error).__name__, exc_info=error)

    async def _work(self, device: DeviceId) -> None:
        """Carry out what waits, one after the other, until nothing does or the session is gone; the next look goes on."""
        shard = shard_of(device)
        while self._leases.fence(shard) is not None and (session := self._sessions.connected(device)) is not None:
            client = session.client
            if client is None:
                return
            try:
                async with self._system.system() as tx:
                    order = await blocks.first(tx, shard, device)
                if order is None:
                    return
                await self._settle(order, *await _carry_out(client, order))
            except NotNow:
                return
            except Exception as error:
                if not (is_away(error) or is_busy(error)):
                    raise
                return

    async def _tell_list(self, device: DeviceId) -> None:
        """Tell whom the number blocks, and know when to tell it again; one that is not connected is asked when it is."""
        _, told = self._lists.pop(device)
        session, at = self._sessions.connected(device), datetime.now(UTC)
        if session is None or (client := session.client) is None:
            return
        try:
            found = {one for jid in await client.blocked() if (one := convert.parse_address("@".join(jid))) is not None}
            listed = sorted((one for one in found if one.kind in ("pn", "lid")), key=str)
            body = BlocksListed(device=device, addresses=tuple(listed[:MOST_LISTED]), whole=len(listed) <= MOST_LISTED, at=at)
            async with self._system.system() as tx:
                await outbox.add(tx, wrap(session.device.tenant, body, occurred_at=at, audience=Audience(device=device)))
        except (NotRunning, CallFailed) as error:
            log.info("blocks.not_listed", device=str(device), reason=type(error).__name__)
        except Exception as error:
            if not (is_away(error) or is_busy(error)):
                raise
        else:
            told += 1
        after = _LISTED_AFTER[min(told, len(_LISTED_AFTER) - 1)] or _LISTED_AFTER[1]
        self._lists.setdefault(device, (time.monotonic() + after, told))

    async def _settle(self, order: Order, reason: str | None, final: bool) -> None:
        async with self._system.system() as tx:
            if reason is None:
                await blocks.finish(tx, order, "done", datetime.now(UTC))
            elif final or order.attempts + 1 >= _MOST_ATTEMPTS:
                await blocks.finish(tx, order, "failed", datetime.now(UTC), reason)
            else:
                await blocks.again(tx, order, min(timedelta(seconds=2**order.attempts), _LONGEST_BACKOFF))
                return
        DONE.labels(reason or "done").inc()


async def _carry_out(client: Client, order: Order) -> tuple[str | None, bool]:
    """Do it for each address: give why it came to nothing (None: it did not), and whether that is final.  Raises: NotNow."""
    listed: set[str] | None = None
    failed: list[tuple[str, bool]] = []
    for address in sorted(order.addresses, key=lambda one: one.kind != "pn"):
        if listed is not None and _is_so(address, listed, order.blocked):
            continue  # the other name of one of those before
        try:
            listed = set(await client.block(*convert.jid_parts(address), order.blocked))
        except ValueError:
            failed.append(("address-not-supported", True))
        except NotRunning as error:
            raise NotNow from error
        except CallFailed as error:
            if error.meaning is Meaning.NOT_CONNECTED:
                raise NotNow from error
            failed.append(_meant(error))
    # One whom WhatsApp does not know under a second name is blocked all the same; one who could not be asked about is asked again.
    again = next((one for one in failed if not one[1]), None)
    if again is not None:
        return again
    if listed is None:
        return failed[0] if failed else ("address-not-supported", True)
    return None, True


def _is_so(address: Address, listed: set[str], blocked: bool) -> bool:
    """Tell whether WhatsApp's list, which names people by their LIDs, says of *address* what is wanted."""
    return address.kind == "lid" and (address.value in listed) == blocked


def _meant(error: CallFailed) -> tuple[str, bool]:
    if error.meaning is Meaning.NOT_ON_WHATSAPP:
        return "not-on-whatsapp", True
    if is_refusal(str(error)):
        return "refused", True
    return "no-answer", False

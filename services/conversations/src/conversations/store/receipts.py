"""Receipts that came before the message they are about."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from contracts.ids import ChatId, DeviceId, TenantId
from contracts.views import MessageStatus
from servicekit.db import Tx, raw

from conversations.domain.statuses import RANK
from conversations.store.messages import WaName

_RANKED = sorted(RANK, key=RANK.__getitem__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One tick that waits.

    Attributes:
        own: Our own phone has read this message of a customer.
        status: ``unknown``, which every tick is further than: the phone could not read it.
    """

    tenant: TenantId
    device: DeviceId
    wa_id: str
    own: bool
    status: MessageStatus
    at: datetime
    chat: ChatId | None

    @property
    def name(self) -> WaName:
        """What it calls its message."""
        return self.tenant, self.device, self.wa_id


async def keep(c: asyncpg.Connection, ticks: Collection[Pending]) -> None:
    """These wait for their messages; of several for one message the furthest is kept."""
    furthest: dict[tuple[WaName, bool], Pending] = {}
    for tick in ticks:
        present = furthest.get((tick.name, tick.own))
        if present is None or RANK[tick.status] > RANK[present.status]:
            furthest[tick.name, tick.own] = tick
    if not furthest:
        return
    some = [furthest[key] for key in sorted(furthest)]
    await c.execute(
        """
        insert into pending_receipts as p (tenant, device, wa_id, own, status, at, chat)
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[], $5::text[], $6::timestamptz[], $7::uuid[])
        on conflict (tenant, device, wa_id, own) do update
           set status = excluded.status, at = excluded.at, chat = coalesce(excluded.chat, p.chat)
         where array_position($8::text[], excluded.status) > array_position($8::text[], p.status)
        """,
        [t.tenant for t in some],
        [t.device for t in some],
        [t.wa_id for t in some],
        [t.own for t in some],
        [t.status for t in some],
        [t.at for t in some],
        [t.chat for t in some],
        _RANKED,
    )


async def waiting(c: asyncpg.Connection, names: Collection[WaName]) -> list[Pending]:
    """Read what waits for messages of these WhatsApp ids."""
    if not names:
        return []
    rows = await c.fetch(
        """
        select p.tenant, p.device, p.wa_id, p.own, p.status, p.at, p.chat
          from unnest($1::uuid[], $2::uuid[], $3::text[]) as u (tenant, device, wa_id)
          join pending_receipts p on (p.tenant, p.device, p.wa_id) = (u.tenant, u.device, u.wa_id)
        """,
        *zip(*names, strict=True),
    )
    return [_pending(row) for row in rows]


async def waiting_in(c: asyncpg.Connection, keys: Collection[tuple[TenantId, ChatId]]) -> list[Pending]:
    """Read the other side's ticks that wait in these chats."""
    if not keys:
        return []
    rows = await c.fetch(
        """
        select p.tenant, p.device, p.wa_id, p.own, p.status, p.at, p.chat from unnest($1::uuid[], $2::uuid[]) as u (tenant, chat)
          join pending_receipts p on p.tenant = u.tenant and p.chat = u.chat and not p.own
        """,
        *zip(*keys, strict=True),
    )
    return [_pending(row) for row in rows]


async def drop(c: asyncpg.Connection, ticks: Collection[Pending]) -> None:
    """These wait no longer."""
    if ticks:
        await c.execute(
            """
            delete from pending_receipts p using unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[]) as u (tenant, device, wa_id, own)
             where (p.tenant, p.device, p.wa_id, p.own) = (u.tenant, u.device, u.wa_id, u.own)
            """,
            [t.tenant for t in ticks],
            [t.device for t in ticks],
            [t.wa_id for t in ticks],
            [t.own for t in ticks],
        )


async def sweep(tx: Tx, older_than: timedelta) -> int:
    """What has waited for longer than *older_than* is gone; returns how many. As the system role, for all tenants."""
    done: str = await (await raw(tx)).execute("delete from pending_receipts where kept_at < now() - $1::interval", older_than)
    return int(done.rpartition(" ")[2])


def _pending(row: asyncpg.Record) -> Pending:
    return Pending(tenant=row[0], device=row[1], wa_id=row[2], own=row[3], status=MessageStatus(row[4]), at=row[5], chat=row[6])

"""What the bot remembers of chats, and the answers that wait for their moment."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from contracts.ids import ChatId, DeviceId, TenantId, UserId

from bot.domain.state import State

_ONE = "select * from chats where tenant = $1 and id = $2"
_HELD = f"{_ONE} for update"

Key = tuple[TenantId, ChatId]


class Chat(msgspec.Struct, kw_only=True):
    """One chat; *team* and *assignee* as of its newest known standing."""

    tenant: TenantId
    id: ChatId
    device: DeviceId
    team: UUID | None = None
    assignee: UserId | None = None
    state: State = State()


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An order that goes out at its time; *id* is the order's."""

    tenant: TenantId
    id: UUID
    chat: ChatId
    due_at: datetime
    payload: bytes


async def load(c: asyncpg.Connection, keys: Collection[Key]) -> dict[Key, Chat]:
    """Read those of *keys* that are known, and hold them until the transaction ends."""
    some = sorted(keys)
    rows = await c.fetch(
        """
        select chats.* from chats
        join unnest($1::uuid[], $2::uuid[]) as wanted (tenant, id) on chats.tenant = wanted.tenant and chats.id = wanted.id
        order by chats.tenant, chats.id for update of chats
        """,
        [tenant for tenant, _ in some],
        [id for _, id in some],
    )
    return {(chat.tenant, chat.id): chat for chat in map(_chat, rows)}


async def find(c: asyncpg.Connection, tenant: TenantId, id: ChatId, *, lock: bool = False) -> Chat | None:
    """Read one chat."""
    row = await c.fetchrow(_HELD if lock else _ONE, tenant, id)
    return _chat(row) if row is not None else None


async def save(c: asyncpg.Connection, chats: Iterable[Chat]) -> None:
    """Keep them as they are now."""
    some = sorted(chats, key=lambda chat: (chat.tenant, chat.id))
    if not some:
        return
    await c.execute(
        """
        insert into chats (tenant, id, device, team, assignee, state)
        select tenant, id, device, team, assignee, state::jsonb
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[])
            as new (tenant, id, device, team, assignee, state)
        on conflict (tenant, id) do update
            set device = excluded.device, team = excluded.team, assignee = excluded.assignee, state = excluded.state
        """,
        [chat.tenant for chat in some],
        [chat.id for chat in some],
        [chat.device for chat in some],
        [chat.team for chat in some],
        [chat.assignee for chat in some],
        [msgspec.json.encode(chat.state).decode() for chat in some],
    )


async def wait(c: asyncpg.Connection, orders: Iterable[Waiting]) -> None:
    """The orders go out when they are due; one that waits already is the same one."""
    some = list(orders)
    if some:
        await c.execute(
            """
            insert into pending (tenant, id, chat, due_at, payload)
            select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::bytea[]) on conflict do nothing
            """,
            [order.tenant for order in some],
            [order.id for order in some],
            [order.chat for order in some],
            [order.due_at for order in some],
            [order.payload for order in some],
        )


async def hush(c: asyncpg.Connection, keys: Collection[Key]) -> None:
    """What waits to be said in these chats is not said any more."""
    if keys:
        some = sorted(keys)
        await c.execute(
            "delete from pending using unnest($1::uuid[], $2::uuid[]) as gone (tenant, chat) "
            "where pending.tenant = gone.tenant and pending.chat = gone.chat",
            [tenant for tenant, _ in some],
            [chat for _, chat in some],
        )


async def forget(c: asyncpg.Connection, tenant: TenantId, chats: Collection[UUID]) -> int:
    """Nothing is remembered of these chats, and nothing waits to be said in them; tells how much that was."""
    some = list(chats)
    waiting = await c.execute("delete from pending where tenant = $1 and chat = any($2::uuid[])", tenant, some)
    known = await c.execute("delete from chats where tenant = $1 and id = any($2::uuid[])", tenant, some)
    return sum(int(tag.rpartition(" ")[2]) for tag in (waiting, known))


async def due(c: asyncpg.Connection, limit: int) -> set[TenantId]:
    """Name the accounts whose orders are due; asked by the system's role."""
    rows = await c.fetch(
        "select distinct tenant from (select tenant from pending where due_at <= now() order by due_at limit $1) as d", limit
    )
    return {TenantId(row["tenant"]) for row in rows}


async def take(c: asyncpg.Connection, tenants: Collection[TenantId], limit: int) -> list[bytes]:
    """Take the orders that are due, the oldest first, from what waits."""
    rows = await c.fetch(
        """
        delete from pending using (
            select tenant, id from pending where tenant = any($1::uuid[]) and due_at <= now()
            order by due_at limit $2 for update skip locked
        ) as taken
        where pending.tenant = taken.tenant and pending.id = taken.id
        returning pending.due_at, pending.payload
        """,
        [*tenants],
        limit,
    )
    return [row["payload"] for row in sorted(rows, key=lambda row: row["due_at"])]


async def next_due(c: asyncpg.Connection) -> datetime | None:
    """Say when the next order is due; asked by the system's role."""
    at: datetime | None = await c.fetchval("select min(due_at) from pending")
    return at


def _chat(row: asyncpg.Record) -> Chat:
    return Chat(
        tenant=TenantId(row["tenant"]),
        id=ChatId(row["id"]),
        device=DeviceId(row["device"]),
        team=row["team"],
        assignee=row["assignee"],
        state=msgspec.convert(row["state"], State),
    )

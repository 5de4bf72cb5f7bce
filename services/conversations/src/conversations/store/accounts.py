"""What each account may do, as far as conversations must know it, and how much of it is used up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
from contracts.events.auth import AccountChanged, AccountRegistered
from contracts.ids import TenantId

from conversations.domain.allowance import AccountSuspended, Day, MessageLimit

#: How long it is known what an account wrote on a day.
_KEPT = timedelta(days=7)


async def learn(c: asyncpg.Connection, changes: Sequence[tuple[TenantId, AccountRegistered | AccountChanged]]) -> None:
    """The accounts stand as their newest revision says."""
    newest: dict[TenantId, tuple[str, bool, int | None, int]] = {}
    for tenant, change in changes:
        if isinstance(change, AccountChanged):
            row = change.time_zone, change.suspended, change.limits.messages_per_day, change.revision
        else:
            row = change.time_zone, False, None, 0
        if tenant not in newest or newest[tenant][3] < row[3]:
            newest[tenant] = row
    keys = sorted(newest)
    if keys:
        await c.execute(
            """
            insert into accounts as a (tenant, time_zone, suspended, messages_per_day, revision)
            select * from unnest($1::uuid[], $2::text[], $3::boolean[], $4::integer[], $5::bigint[])
            on conflict (tenant) do update
               set time_zone = excluded.time_zone, suspended = excluded.suspended,
                   messages_per_day = excluded.messages_per_day, revision = excluded.revision
             where a.revision < excluded.revision
            """,
            keys,
            *map(list, zip(*(newest[key] for key in keys), strict=True)),
        )


async def spend(c: asyncpg.Connection, tenant: TenantId, now: datetime, messages: int = 1) -> None:
    """The account writes so many messages more today, in the caller's transaction: what is not sent after all is not counted.

    Raises:
        AccountSuspended: It may write none.
        MessageLimit: It has written as many as it may, or would with these.
    """
    account = await c.fetchrow("select time_zone, suspended, messages_per_day from accounts where tenant = $1", tenant)
    if account is None:
        return  # nobody has said that it has limits
    if account["suspended"]:
        raise AccountSuspended("Ask the installation's owner.")
    most = account["messages_per_day"]
    if most is None:
        return
    today = Day.at(now, account["time_zone"])
    if messages > most:
        raise MessageLimit.until(today.ends_at, now, most)
    written = await c.fetchval(
        """
        insert into message_days as d (tenant, day, written) values ($1, $2, $3)
        on conflict (tenant, day) do update set written = d.written + $3 where d.written + $3 <= $4
        returning written
        """,
        tenant,
        today.date,
        messages,
        most,
    )
    if written is None:
        raise MessageLimit.until(today.ends_at, now, most)
    if written == messages:
        await c.execute("delete from message_days where tenant = $1 and day < $2", tenant, today.date - _KEPT)

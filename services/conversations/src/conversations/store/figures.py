"""The figures of the dashboard: recounts of what stands in the messages, hour by hour and chat by chat.

A recount costs more than adding one, and is right whatever came twice, late, out of order or was merged away. What a recount changes,
triggers add to counts by day that a period is read from, so that it is no matter how many chats there are.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg
import msgspec
from contracts.ids import ChatId, ContactId, DeviceId, TenantId, UserId

from conversations.domain import waits as buckets
from conversations.domain.messages import NOTES

#: As far back as it is looked for the customer's word that somebody has answered now.
PATIENCE_DAYS = 14
#: Sent for certain; what failed or waits is not counted.
SENT = ("sent", "delivered", "read", "played")
#: What is no person's answer.
AUTOMATIC = ("bot", "automation", "schedule")

NOBODY = UUID(int=0)
#: All numbers, or everybody.
ALL = UUID(int=0)
#: Of a period with so many answers the waits are looked at one by one; of one with more they are read from buckets.
EXACT_MOST = 1000
#: A day of a chat does not know of another one as far back as that: no period is so long.
PERIOD_DAYS_MAX = 400
#: Additions to what stands open, before they are summed up.
ADDITIONS_MOST = 200


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of some part of a period."""

    received: int
    sent: int


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What was said in a period, on the numbers that were asked for: each day, hour of the day and number on which anything was."""

    days: dict[date, Count]
    hours: dict[int, Count]
    numbers: dict[DeviceId, Count]

    @property
    def all(self) -> Count:
        """Sum it up."""
        return Count(received=sum(one.received for one in self.days.values()), sent=sum(one.sent for one in self.days.values()))


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one person did: chats with a message of theirs, and messages."""

    author: UserId
    handled: int
    sent: int


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long customers waited for a person's word, in seconds."""

    responses: int
    median: float | None
    p90: float | None


async def lock(c: asyncpg.Connection, tenants: Collection[TenantId]) -> None:
    """Nobody else recounts these accounts until the transaction ends; what the others have committed is seen from here on."""
    await c.execute(
        "select pg_advisory_xact_lock(hashtextextended('figures ' || t, 0)) from unnest($1::text[]) as t", sorted(map(str, tenants))
    )


async def recount(c: asyncpg.Connection, touched: Sequence[tuple[TenantId, ChatId, datetime]]) -> None:
    """The figures of every hour, day and wait that the messages of these chats at these times are part of are as the messages say.

    Of days whose messages are not kept any more (`store.retention`) they stay as they were counted.
    """
    touched = [*touched, *await _moved(c, touched)]
    kept = {row[0]: row[1] for row in await c.fetch(_KEPT, sorted({tenant for tenant, _, _ in touched}))}
    touched = [one for one in touched if one[0] not in kept or one[2] >= kept[one[0]]]
    tenants = [tenant for tenant, _, _ in touched]
    chats = [chat for _, chat, _ in touched]
    times = [at for _, _, at in touched]
    await c.execute(_HOURS, tenants, times, [*NOTES], [*SENT])
    await c.execute(_CHATS, tenants, chats, times, [*NOTES], [*SENT])
    await c.execute(_RESPONSES, tenants, chats, [*NOTES], PATIENCE_DAYS, [*AUTOMATIC])
    await settle(c, set(tenants))


async def settle(c: asyncpg.Connection, tenants: Collection[TenantId], *, additions: int = ADDITIONS_MOST) -> None:
    """What came to the figures of chats, or went, is in the counts that a period is read from; the caller holds the accounts' locks."""
    await c.execute(_ACTIVES, list(tenants), PERIOD_DAYS_MAX)
    await c.execute(_STANDING, list(tenants), additions)


async def merged(c: asyncpg.Connection, contacts: Collection[tuple[TenantId, ContactId]]) -> list[tuple[TenantId, ChatId, datetime]]:
    """Give what is still counted as said in chats that these contacts' chats stand for by now, to be recounted."""
    if not contacts:
        return []
    rows = await c.fetch(_MERGED, [tenant for tenant, _ in contacts], [contact for _, contact in contacts])
    return [(row["tenant"], row["chat"], row["at"]) for row in rows]


async def _moved(c: asyncpg.Connection, touched: Sequence[tuple[TenantId, ChatId, datetime]]) -> list[tuple[TenantId, ChatId, datetime]]:
    """Give where the messages of chats that were merged away are now."""
    old = sorted({(tenant, chat) for tenant, chat, _ in touched})
    rows = await c.fetch(
        """
        select r.tenant, r.old, r.new from unnest($1::uuid[], $2::uuid[]) as u (tenant, chat)
        join chat_redirects r on r.tenant = u.tenant and r.old = u.chat
        """,
        [tenant for tenant, _ in old],
        [chat for _, chat in old],
    )
    became = {(row["tenant"], row["old"]): row["new"] for row in rows}
    return [(tenant, became[tenant, chat], at) for tenant, chat, at in touched if (tenant, chat) in became]


_KEPT = "select tenant, kept_from from retention where tenant = any($1::uuid[]) and kept_from is not null"

_ZONE = "coalesce((select time_zone from accounts where accounts.tenant = {}.tenant), 'UTC')"

_MERGED = f"""
select distinct f.tenant, f.chat, (f.day + time '12:00') at time zone {_ZONE.format("f")} as at
from unnest($1::uuid[], $2::uuid[]) as u (tenant, contact)
join chats h on h.tenant = u.tenant and h.contact = u.contact
join chat_redirects r on r.tenant = h.tenant and r.new = h.id
join figure_chats f on f.tenant = r.tenant and f.chat = r.old
order by 1, 2, 3
"""  # noqa: S608

_HOURS = f"""
with dirty as (
    select distinct t.tenant, {_ZONE.format("t")} as zone, date_trunc('hour', t.at at time zone {_ZONE.format("t")}) as hour
    from unnest($1::uuid[], $2::timestamptz[]) as t (tenant, at)
), counted as (
    select d.tenant, d.hour, m.device,
        count(*) filter (where not m.from_me) as received,
        count(*) filter (where m.from_me and m.status = any($4::text[])) as sent
    from dirty d
    join messages m on m.tenant = d.tenant
        and m.at >= (d.hour at time zone d.zone) - interval '1 hour'
        and m.at < (d.hour at time zone d.zone) + interval '2 hours'
        and date_trunc('hour', m.at at time zone d.zone) = d.hour
        and not m.history and m.kind <> all($3::text[])
    group by d.tenant, d.hour, m.device
), gone as (
    delete from figure_hours f using dirty d
    where f.tenant = d.tenant and f.hour = d.hour
        and not exists (select from counted n where n.tenant = f.tenant and n.hour = f.hour and n.device = f.device)
)
insert into figure_hours as f (tenant, hour, device, received, sent)
select tenant, hour, device, received, sent from counted
on conflict (tenant, hour, device) do update set received = excluded.received, sent = excluded.sent
    where (f.received, f.sent) is distinct from (excluded.received, excluded.sent)
"""  # noqa: S608 - nothing of a request

_CHATS = f"""
with dirty as (
    select distinct t.tenant, t.chat, {_ZONE.format("t")} as zone, (t.at at time zone {_ZONE.format("t")})::date as day
    from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as t (tenant, chat, at)
), counted as (
    select d.tenant, d.day, d.chat, max(m.device::text)::uuid as device,
        coalesce(case when m.from_me and m.origin is distinct from 'bot' then m.author end, '{NOBODY}') as author,
        count(*) filter (where not m.from_me) as received,
        count(*) filter (where m.from_me and m.status = any($5::text[])) as sent
    from dirty d
    join messages m on m.tenant = d.tenant and m.chat = d.chat
        and m.at >= (d.day::timestamp at time zone d.zone) and m.at < ((d.day + 1)::timestamp at time zone d.zone)
        and not m.history and m.kind <> all($4::text[])
        and (not m.from_me or m.status = any($5::text[]))
    group by 1, 2, 3, 5
), gone as (
    delete from figure_chats f using dirty d
    where f.tenant = d.tenant and f.day = d.day and f.chat = d.chat
        and not exists (select from counted n where n.tenant = f.tenant and n.day = f.day and n.chat = f.chat and n.author = f.author)
)
insert into figure_chats as f (tenant, day, chat, device, author, received, sent)
select tenant, day, chat, device, author, received, sent from counted
on conflict (tenant, day, chat, author) do update
    set received = excluded.received, sent = excluded.sent, device = excluded.device
    where (f.received, f.sent, f.device) is distinct from (excluded.received, excluded.sent, excluded.device)
"""  # noqa: S608

_RESPONSES = f"""
with dirty as (
    select distinct tenant, chat from unnest($1::uuid[], $2::uuid[]) as t (tenant, chat)
), words as (
    select m.tenant, m.chat, m.device, m.at, m.id, m.from_me, m.author,
        lag(m.from_me) over (partition by m.tenant, m.chat order by m.at, m.id) as before
    from dirty d
    join messages m on m.tenant = d.tenant and m.chat = d.chat and m.at >= now() - make_interval(days => $4)
        and m.at >= coalesce((select kept_from from retention r where r.tenant = d.tenant), '-infinity')
        and not m.history and m.kind <> all($3::text[]) and not (m.from_me and coalesce(m.origin, '') = any($5::text[]))
        and m.status <> 'failed'
), waits as (
    select distinct on (w.tenant, w.chat, w.at) w.tenant, w.chat, w.at as asked_at, w.device, answer.at as answered_at, answer.author
    from words w
    join lateral (
        select a.at, a.author from words a
        where a.tenant = w.tenant and a.chat = w.chat and a.from_me and (a.at, a.id) > (w.at, w.id)
        order by a.at, a.id limit 1
    ) as answer on true
    where not w.from_me and w.before is distinct from false
    order by w.tenant, w.chat, w.at, w.id
), gone as (
    delete from figure_responses f using dirty d
    where f.tenant = d.tenant and f.chat = d.chat and f.asked_at >= now() - make_interval(days => $4)
        and f.asked_at >= coalesce((select kept_from from retention r where r.tenant = f.tenant), '-infinity')
        and not exists (select from waits n where n.tenant = f.tenant and n.chat = f.chat and n.asked_at = f.asked_at)
)
insert into figure_responses as f (tenant, chat, asked_at, answered_at, device, author, day)
select w.tenant, w.chat, w.asked_at, w.answered_at, w.device, w.author, (w.answered_at at time zone {_ZONE.format("w")})::date
from waits w
on conflict (tenant, chat, asked_at) do update set answered_at = excluded.answered_at, author = excluded.author, day = excluded.day
    where (f.answered_at, f.author) is distinct from (excluded.answered_at, excluded.author)
"""  # noqa: S608

# Of each chat, and of each who wrote in it, the days between which something changed as they are and as they were: what the one says of
# the counts is added, what the other said is taken away. A chat has one day for everybody, however many wrote on it.
_ACTIVES = f"""
with noted as (
    delete from figure_changes where tenant = any($1::uuid[]) returning tenant, chat, device, author, day, came, sent
), net as (
    select tenant, chat, device, author, day, sum(came)::int as came, sum(sent)::bigint as sent from noted group by 1, 2, 3, 4, 5
), turned as (
    select tenant, chat, device, author, day, came from net where came <> 0 and author <> '{NOBODY}'
    union all
    select n.tenant, n.chat, n.device, '{NOBODY}', n.day, (rows.are > 0)::int - (rows.are > n.came)::int
    from (select tenant, chat, device, day, sum(came)::int as came from net group by 1, 2, 3, 4) n
    cross join lateral (
        select count(*) as are from figure_chats f where f.tenant = n.tenant and f.chat = n.chat and f.day = n.day and f.device = n.device
    ) rows
    where (rows.are > 0) <> (rows.are > n.came)
), spans as materialized (
    select t.*, coalesce(before.day, t.lo) as first, coalesce(after.day, t.hi) as last
    from (select tenant, chat, device, author, min(day) as lo, max(day) as hi from turned group by 1, 2, 3, 4) t
    left join lateral (
        select f.day from figure_chats f where f.tenant = t.tenant and f.chat = t.chat and f.day < t.lo and f.device = t.device
            and t.author in ('{NOBODY}', f.author)
        order by f.day desc limit 1
    ) before on true
    left join lateral (
        select f.day from figure_chats f where f.tenant = t.tenant and f.chat = t.chat and f.day > t.hi and f.device = t.device
            and t.author in ('{NOBODY}', f.author)
        order by f.day limit 1
    ) after on true
), present as (
    select distinct s.tenant, s.chat, s.device, s.author, f.day
    from spans s join figure_chats f on f.tenant = s.tenant and f.chat = s.chat and f.day between s.first and s.last
        and f.device = s.device and s.author in ('{NOBODY}', f.author)
), stood as (
    select tenant, chat, device, author, day, 1 as n from present
    union all
    (select tenant, chat, device, author, day, -1 from present
     except select tenant, chat, device, author, day, -1 from turned where came = 1)
    union all
    select tenant, chat, device, author, day, -1 from turned where came = -1
), counted as (
    select tenant, device, author, day as since, day, n as chats, 0 as sent from stood
    union all
    select tenant, device, author, lag(day) over (partition by tenant, chat, device, author, n order by day), day, -n, 0 from stood
    union all
    select tenant, device, author, day, day, 0, sent from net where author <> '{NOBODY}'
), handled as (
    insert into figure_handled as f (tenant, part, since, day, author, chats, sent)
    select tenant, p.part, since, day, author, sum(chats), sum(sent)
    from counted cross join lateral (values ('{ALL}'::uuid), (device)) as p (part)
    where day - since < $2 and author <> '{NOBODY}' group by 1, 2, 3, 4, 5 having sum(chats) <> 0 or sum(sent) <> 0
    order by 3, 4
    on conflict (tenant, part, since, day, author) do update set chats = f.chats + excluded.chats, sent = f.sent + excluded.sent
)
insert into figure_actives as f (tenant, since, day, device, chats)
select tenant, since, day, device, sum(chats) from counted
where day - since < $2 and author = '{NOBODY}' group by 1, 2, 3, 4 having sum(chats) <> 0 order by 2, 3
on conflict (tenant, since, day, device) do update set chats = f.chats + excluded.chats
"""  # noqa: S608

_STANDING = """
with gone as (
    delete from figure_standing where tenant in (
        select tenant from figure_standing where tenant = any($1::uuid[]) group by tenant having count(*) > $2
    ) returning tenant, device, assignee, open, waiting
)
insert into figure_standing (tenant, device, assignee, open, waiting)
select tenant, device, assignee, sum(open), sum(waiting) from gone group by 1, 2, 3 having sum(open) <> 0 or sum(waiting) <> 0
"""

Devices = Collection[DeviceId] | None
"""The numbers to count; None: all."""


async def said(c: asyncpg.Connection, tenant: TenantId, first: date, last: date, devices: Devices) -> Said:
    """Sum up the messages of a period."""
    rows = await c.fetch(
        """
        select hour::date as day, extract(hour from hour)::int as of_day, device, sum(received) as received, sum(sent) as sent
        from figure_hours
        where tenant = $1 and hour >= $2::date::timestamp and hour < ($3::date + 1)::timestamp
            and ($4::uuid[] is null or device = any($4::uuid[]))
        group by grouping sets ((1), (2), (3)) order by 1, 2, 3
        """,
        tenant,
        first,
        last,
        _list(devices),
    )
    counts = [(row, Count(received=row["received"], sent=row["sent"])) for row in rows]
    return Said(
        days={row["day"]: count for row, count in counts if row["day"] is not None},
        hours={row["of_day"]: count for row, count in counts if row["of_day"] is not None},
        numbers={DeviceId(row["device"]): count for row, count in counts if row["device"] is not None},
    )


async def total(c: asyncpg.Connection, tenant: TenantId, first: date, last: date, devices: Devices) -> Count:
    """Count the messages of a period."""
    row = await c.fetchrow(
        """
        select coalesce(sum(received), 0) as received, coalesce(sum(sent), 0) as sent from figure_hours
        where tenant = $1 and hour >= $2::date::timestamp and hour < ($3::date + 1)::timestamp
            and ($4::uuid[] is null or device = any($4::uuid[]))
        """,
        tenant,
        first,
        last,
        _list(devices),
    )
    return Count(received=row["received"], sent=row["sent"])


async def active(c: asyncpg.Connection, tenant: TenantId, first: date, last: date, devices: Devices) -> dict[DeviceId, int]:
    """Count the chats in which anything was said in a period, by number; a chat is of one number always."""
    rows = await c.fetch(
        """
        select device, sum(chats) as active from figure_actives
        where tenant = $1 and since between $2 and $3 and day <= $3 and ($4::uuid[] is null or device = any($4::uuid[]))
        group by device having sum(chats) > 0 order by device
        """,
        tenant,
        first,
        last,
        _list(devices),
    )
    return {DeviceId(row["device"]): row["active"] for row in rows}


async def waits(
    c: asyncpg.Connection, tenant: TenantId, first: date, last: date, devices: Devices, *, each: bool = True, exact: int = EXACT_MOST
) -> dict[UserId | None, Waits]:
    """Say how long customers waited who got a person's word in the period: None for all of them, and *each*, whose each was.

    Of more than *exact* answers the median and the ninth decile are up to 2 % off (in the first second, up to a second).
    """
    rows = await c.fetch(
        """
        select whose, sum(counts)::text as packed from figure_waits
        where tenant = $1 and part = any($4::uuid[]) and day between $2 and $3 and ($5 or whose = $6) group by whose
        """,
        tenant,
        first,
        last,
        _parts(devices),
        each,
        ALL,
    )
    packed = {UserId(row["whose"]): row["packed"] for row in rows}
    everybody = buckets.parse(packed.pop(UserId(ALL), ""))
    if sum(everybody) <= exact:
        return await _each_wait(c, tenant, first, last, devices)
    return {None: _summed(everybody)} | {author: _summed(buckets.parse(one)) for author, one in packed.items() if one != "0"}


def _summed(counts: buckets.Counts) -> Waits:
    median, p90 = buckets.percentiles(counts, 0.5, 0.9)
    return Waits(responses=sum(counts), median=median, p90=p90)


async def _each_wait(c: asyncpg.Connection, tenant: TenantId, first: date, last: date, devices: Devices) -> dict[UserId | None, Waits]:
    """Look at the waits one by one."""
    rows = await c.fetch(
        """
        select grouping(author) = 1 as everybody, author, count(*) as responses,
            percentile_cont(array[0.5, 0.9]) within group (order by date_part('epoch', answered_at - asked_at)) as waited
        from figure_responses where tenant = $1 and day between $2 and $3 and ($4::uuid[] is null or device = any($4::uuid[]))
        group by grouping sets ((), (author))
        """,
        tenant,
        first,
        last,
        _list(devices),
    )
    found: dict[UserId | None, Waits] = {}
    for row in rows:
        median, p90 = row["waited"] or (None, None)
        if row["everybody"]:
            found[None] = Waits(responses=row["responses"], median=median, p90=p90)
        elif row["author"] is not None:  # on the number's own phone
            found[UserId(row["author"])] = Waits(responses=row["responses"], median=median, p90=p90)
    return found


async def work(c: asyncpg.Connection, tenant: TenantId, first: date, last: date, devices: Devices) -> list[Work]:
    """Say what each person did in the period."""
    rows = await c.fetch(
        """
        select author, sum(chats) as handled, sum(sent)::bigint as sent from figure_handled
        where tenant = $1 and part = any($4::uuid[]) and since between $2 and $3 and day <= $3
        group by author having sum(chats) > 0 order by handled desc, author
        """,
        tenant,
        first,
        last,
        _parts(devices),
    )
    return [Work(author=UserId(row["author"]), handled=row["handled"], sent=row["sent"]) for row in rows]


async def standing(c: asyncpg.Connection, tenant: TenantId, devices: Devices) -> tuple[dict[UserId | None, int], int]:
    """Count the chats that are open now by who answers them, and those in which a customer waits."""
    rows = await c.fetch(
        """
        select assignee, sum(open) as open, sum(waiting) as waiting from figure_standing
        where tenant = $1 and ($2::uuid[] is null or device = any($2::uuid[]))
        group by assignee having sum(open) > 0
        """,
        tenant,
        _list(devices),
    )
    return {row["assignee"]: row["open"] for row in rows}, sum(row["waiting"] for row in rows)


async def time_zone(c: asyncpg.Connection, tenant: TenantId) -> str:
    """Name the account's time zone."""
    return await c.fetchval("select time_zone from accounts where tenant = $1", tenant) or "UTC"


async def names(c: asyncpg.Connection, tenant: TenantId) -> tuple[dict[UserId, str], dict[DeviceId, str]]:
    """Name the people and the numbers of the account."""
    people = await c.fetch("select id, name from agents where tenant = $1", tenant)
    devices = await c.fetch("select id, name from devices where tenant = $1", tenant)
    return {UserId(row["id"]): row["name"] for row in people}, {DeviceId(row["id"]): row["name"] for row in devices}


def _list(devices: Devices) -> list[DeviceId] | None:
    return None if devices is None else [*devices]


def _parts(devices: Devices) -> list[UUID]:
    return [ALL] if devices is None else [*devices]

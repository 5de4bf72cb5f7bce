"""A story stands in the tables of conversations, as if it had happened: written by COPY, a day at a time."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.ids import TenantId
from conversations.domain.messages import NOTES
from conversations.domain.profiles import usual
from conversations.store.figures import ALL, AUTOMATIC, NOBODY, PATIENCE_DAYS, PERIOD_DAYS_MAX, SENT

from clarin.seed.story import Message, Story, Thread

NUMBERS = ("Ventas", "Soporte", "Cobranza", "Sucursal Centro", "Sucursal Norte")
AGENTS = ("Ana Luna", "Bruno Díaz", "Carla Souza", "Diego Paz", "Elena Ríos", "Fabio Lima", "Gina Soto", "Hugo Prado")
TAGS = ("Mayoreo", "Urgente", "Reclamo", "VIP", "Factura", "Seguimiento")
_AT_ONCE = 20_000
_FILLED = (
    *("contacts", "contact_aliases", "chats", "chat_tags", "contact_tags", "profiles", "messages", "message_words", "searched_names"),
    *("figure_hours", "figure_chats", "figure_responses", "figure_actives", "figure_handled", "figure_waits"),
    *("figure_changes", "figure_standing"),
)

Progress = Callable[[int, int], None]


class NotEmpty(Exception):
    """There are chats in this account already."""


async def fill(
    c: asyncpg.Connection,
    tenant: TenantId,
    *,
    chats: int,
    messages: int,
    seed: int,
    until: datetime,
    add: bool = False,
    tidy: bool = True,
    progress: Progress = lambda done, of: None,
) -> float:
    """The account has so many chats and messages more; gives how many seconds that took.

    Args:
        c: A superuser's connection to the database of the services.
        seed: The same one tells the same story, up to the ids of numbers, people and tags that are here already.
        add: Also where there are chats.
        tidy: What the planner knows of the tables is brought up to date.

    Raises:
        NotEmpty: There are chats, and *add* was not said.
        ValueError: Fewer messages than chats.
    """
    began = time.monotonic()
    async with c.transaction():
        await c.execute("set local search_path = conversations, extensions; set local synchronous_commit = off")
        if not add and await c.fetchval("select exists (select from chats where tenant = $1)", tenant):
            raise NotEmpty("This account has chats already; --add puts more beside them.")
        story = Story(
            chats=chats,
            messages=messages,
            devices=await _known(c, "devices", tenant, "not deleted", NUMBERS, "name, state", "'disconnected'"),
            agents=await _known(c, "agents", tenant, "active", AGENTS, "name, role", "'agent'"),
            until=until,
            seed=seed,
        )
        tags = await _known(c, "tags", tenant, "true", TAGS, "name, color", "'#228be6'")
        await c.execute("insert into accounts (tenant, time_zone, revision) values ($1, 'UTC', -1) on conflict do nothing", tenant)
        done = 0
        waiting: list[Message] = []
        for day in story.days():
            waiting += day
            if len(waiting) >= _AT_ONCE:
                await _messages(c, tenant, waiting)
                done += len(waiting)
                waiting.clear()
                progress(done, messages)
        await _messages(c, tenant, waiting)
        for first in range(0, len(story.threads), _AT_ONCE):
            await _threads(c, tenant, story.threads[first : first + _AT_ONCE], tags)
        progress(messages, messages)
        await _figures(c, tenant)
    for table in _FILLED if tidy else ():
        await c.execute(f"vacuum (analyze) conversations.{table}")
    return time.monotonic() - began


async def _known(
    c: asyncpg.Connection, table: str, tenant: TenantId, live: str, names: tuple[str, ...], columns: str, value: str
) -> list[UUID]:
    """Give the ids of what the account has in *table*; where that is nothing, what *names* calls is made."""
    found = [row["id"] for row in await c.fetch(f"select id from {table} where tenant = $1 and {live} order by id", tenant)]  # noqa: S608
    if table == "tags" and 0 < len(found) < len(TAGS):
        return (found * len(TAGS))[: len(TAGS)]
    if not found:
        found = [ids.derived("seed", table, tenant, name) for name in names]
        await c.execute(
            f"""
            insert into {table} (tenant, id, {columns})
            select $1, u.id, u.name, {value} from unnest($2::uuid[], $3::text[]) as u (id, name)
            """,  # noqa: S608 - nothing of a request
            tenant,
            found,
            list(names),
        )
    return found


_MESSAGE = (
    *("tenant", "id", "chat", "device", "wa_id", "from_me", "kind", "text"),
    *("status", "author", "origin", "at", "media", "unseen"),
)


async def _messages(c: asyncpg.Connection, tenant: TenantId, said: Iterable[Message]) -> None:
    records = (
        (tenant, m.id, m.chat, m.device, m.wa_id, m.from_me, m.kind, m.text, m.status, m.author, m.origin, m.at, m.media, m.unseen)
        for m in said
    )
    await c.copy_records_to_table("messages", records=records, columns=_MESSAGE, schema_name="conversations")


async def _threads(c: asyncpg.Connection, tenant: TenantId, threads: list[Thread], tags: list[UUID]) -> None:
    states = [state.id for state in usual(tenant)]

    async def copy(table: str, columns: str, records: Iterable[tuple[object, ...]]) -> None:
        await c.copy_records_to_table(table, records=records, columns=["tenant", *columns.split()], schema_name="conversations")

    await copy(
        "contacts",
        "id push_name push_name_at phone created_at",
        ((tenant, t.contact, t.name, t.created_at, t.phone, t.created_at) for t in threads),
    )
    await copy("contact_aliases", "kind value contact learned_at", ((tenant, "pn", t.phone, t.contact, t.created_at) for t in threads))
    await copy(
        "chats",
        "id device contact address_kind address_value address_at unread last_message_at last_message_id created_at status snoozed_until "
        "assignee assigned_way revision waiting_since asked_at answered_at began_at first_response_at first_response_by closed_at",
        (
            (
                *(tenant, t.chat, t.device, t.contact, "pn", t.phone, t.created_at, t.unread, t.last_at, t.last, t.created_at, t.status),
                t.last_at + timedelta(days=400) if t.status == "snoozed" and t.last_at else None,
                *(t.assignee, "manual" if t.assignee else None, 1, t.waiting_since, t.asked_at, t.answered_at, t.began_at),
                *(t.first_response_at, t.first_response_by, t.last_at if t.status == "closed" else None),
            )
            for t in threads
        ),
    )
    await copy("chat_tags", "chat tag", ((tenant, t.chat, tag) for t in threads for tag in {tags[n] for n in t.tags}))
    await copy("contact_tags", "contact tag", ((tenant, t.contact, tags[t.tags[0]]) for t in threads if t.tags))
    await copy("profiles", "contact state", ((tenant, t.contact, states[t.state]) for t in threads if t.state is not None))


async def _figures(c: asyncpg.Connection, tenant: TenantId) -> None:
    """The figures of the dashboard are as the messages say, all of them."""
    zone = await c.fetchval("select time_zone from accounts where tenant = $1", tenant)
    for table in ("figure_hours", "figure_chats", "figure_responses"):
        await c.execute(f"delete from {table} where tenant = $1", tenant)  # noqa: S608
    await c.execute(_HOURS, tenant, zone, [*NOTES], [*SENT])
    await c.execute(_CHATS, tenant, zone, [*NOTES], [*SENT])
    # Of an account that is new the planner expects no rows, and would look through all words for each.
    await c.execute("set local enable_nestloop = off")
    await c.execute(_RESPONSES, tenant, zone, [*NOTES], [*AUTOMATIC], timedelta(days=PATIENCE_DAYS))
    # What the triggers noted is settled all at once.
    for table in ("figure_changes", "figure_actives", "figure_handled"):
        await c.execute(f"delete from {table} where tenant = $1", tenant)  # noqa: S608
    await c.execute(_ACTIVES, tenant, PERIOD_DAYS_MAX)
    await c.execute(_HANDLED, tenant, PERIOD_DAYS_MAX)


_HOURS = """
    insert into figure_hours (tenant, hour, device, received, sent)
    select tenant, date_trunc('hour', at at time zone $2), device,
           count(*) filter (where not from_me), count(*) filter (where from_me and status = any ($4::text[]))
      from messages where tenant = $1 and not history and kind <> all ($3::text[]) group by 1, 2, 3
"""
_CHATS = f"""
    insert into figure_chats (tenant, day, chat, device, author, received, sent)
    select tenant, (at at time zone $2)::date, chat, max(device::text)::uuid,
           coalesce(case when from_me and origin is distinct from 'bot' then author end, '{NOBODY}'),
           count(*) filter (where not from_me), count(*) filter (where from_me)
      from messages
     where tenant = $1 and not history and kind <> all ($3::text[]) and (not from_me or status = any ($4::text[])) group by 1, 2, 3, 5
"""  # noqa: S608 - nothing of a request
#: A customer's first word since the last answer is answered by the first answer after it.
_RESPONSES = """
    insert into figure_responses (tenant, chat, asked_at, answered_at, device, author, day)
    with words as (
        select chat, device, at, from_me, author,
               count(*) filter (where from_me) over w as answers, row_number() over w as place
          from messages
         where tenant = $1 and not history and kind <> all ($3::text[]) and not (from_me and coalesce(origin, '') = any ($4::text[]))
           and status <> 'failed'
        window w as (partition by chat order by at, id)
    ), asked as (
        select distinct on (chat, answers) chat, answers, at, device from words where not from_me order by chat, answers, place
    )
    select distinct on (q.chat, q.at) $1, q.chat, q.at, a.at, q.device, a.author, (a.at at time zone $2)::date
      from asked q join words a on a.chat = q.chat and a.from_me and a.answers = q.answers + 1
     where a.at - q.at < $5 order by q.chat, q.at, a.at
"""
#: A chat counts 1 on each day, and -1 for each two days that follow each other.
_ACTIVES = """
    insert into figure_actives (tenant, since, day, device, chats)
    with days as (
        select distinct device, chat, day from figure_chats where tenant = $1
    ), counted as (
        select device, day as since, day, 1 as chats from days
        union all
        select device, lag(day) over (partition by device, chat order by day), day, -1 from days
    )
    select $1, since, day, device, sum(chats) from counted where day - since < $2 group by 2, 3, 4 order by 2, 3
"""
_HANDLED = f"""
    insert into figure_handled (tenant, part, since, day, author, chats, sent)
    with days as (
        select device, chat, author, day, sent from figure_chats where tenant = $1 and author <> '{NOBODY}'
    ), counted as (
        select device, author, day as since, day, 1 as chats, sent from days
        union all
        select device, author, lag(day) over (partition by device, chat, author order by day), day, -1, 0 from days
    )
    select $1, p.part, since, day, author, sum(chats), sum(sent)
      from counted cross join lateral (values ('{ALL}'::uuid), (device)) as p (part)
     where day - since < $2 group by 2, 3, 4, 5 order by 2, 3, 4
"""  # noqa: S608 - nothing of a request

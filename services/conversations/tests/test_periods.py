"""What a period is read from is what a look at every message of it would give, whatever happened to the messages in which order."""

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from runpy import run_path
from statistics import median

import pytest
from contracts import ids
from contracts.events.conversations import ContactChanged, MessageReceived
from contracts.ids import DeviceId
from conversations.consumers import figures as counting
from conversations.store import figures
from servicekit.db import raw

from .conftest import MIGRATIONS
from .facts import ANA, ANA_LID, a_message
from .test_figures import recounted

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAYS = 12
FAILED, SENT = "failed", "delivered"


def at(dice: random.Random) -> datetime:
    return TODAY - timedelta(days=dice.randrange(1, DAYS), seconds=dice.randrange(86_400), microseconds=dice.randrange(1_000_000))


async def say(world, tenant, dice, chats, people):
    """Some messages come; gives what was touched."""
    touched = []
    for _ in range(dice.randrange(1, 6)):
        chat, device = dice.choice(chats)
        author = dice.choice([None, None, *people])
        from_me = author is not None or dice.random() < 0.2
        await world.admin.execute(
            "insert into messages (tenant, id, device, chat, wa_id, from_me, kind, text, status, author, at) "
            "values ($1, $2, $3, $4, $5, $6, 'text', 'Hola', $7, $8, $9)",
            *(tenant, ids.new(), device, chat, str(ids.new()), from_me, dice.choice((SENT, SENT, FAILED)) if from_me else "received"),
            *(author, when := at(dice)),
        )
        touched.append((tenant, chat, when))
    return touched


async def undo(world, tenant, dice, chats, people):
    """Some messages fail after all, are sent after all, are another chat's, are said by somebody else, or are gone."""
    rows = await world.rows("select id, chat, device, at, from_me from messages order by id")
    touched = []
    for row in dice.sample(rows, min(len(rows), dice.randrange(1, 6))):
        touched.append((tenant, row["chat"], row["at"]))
        match dice.randrange(4):
            case 0:
                await world.admin.execute("delete from messages where id = $1", row["id"])
            case 1:
                other = dice.choice([chat for chat, device in chats if device == row["device"]])
                await world.admin.execute("update messages set chat = $2 where id = $1", row["id"], other)
                touched.append((tenant, other, row["at"]))
            case 2 if row["from_me"]:
                await world.admin.execute("update messages set status = $2 where id = $1", row["id"], dice.choice((SENT, FAILED)))
            case _ if row["from_me"]:
                await world.admin.execute("update messages set author = $2 where id = $1", row["id"], dice.choice([None, *people]))
    return touched


async def turn(world, tenant, dice, chats, people):
    """Chats come, go and are given to somebody."""
    for _ in range(3):
        chat, device = dice.choice(chats)
        if dice.random() < 0.3:
            await world.admin.execute("delete from chats where id = $1", chat)
        await world.admin.execute(
            """
            insert into chats (tenant, id, device, contact, address_kind, address_value, last_message_at, status, assignee, waiting_since)
            values ($1, $2, $3, $2, 'pn', ($2::uuid)::text, now(), $4, $5, $6)
            on conflict (tenant, id) do update
               set status = excluded.status, assignee = excluded.assignee, waiting_since = excluded.waiting_since
            """,
            *(tenant, chat, device, dice.choice(("open", "open", "closed")), dice.choice([None, *people])),
            dice.choice([None, at(dice)]),
        )
    return []


async def look(world, tenant, first: date, last: date, devices):
    """Look at all rows: active by number, what each did, the waits of everybody and each, and what stands open."""
    _, spoken, waits = await recounted(world, UTC)
    of_chat = {row["chat"]: row["device"] for row in await world.rows("select distinct chat, device from messages")}
    here = {chat for chat, device in of_chat.items() if devices is None or device in devices}
    within = [(chat, author, n) for (day, chat, author, _), n in spoken.items() if first <= day <= last and chat in here]
    active = Counter(of_chat[chat] for chat in {chat for chat, _, _ in within})
    handled = defaultdict(set)
    sent = Counter()
    for chat, author, n in within:
        if author is not None:
            handled[author].add(chat)
            sent[author] += n
    waited = defaultdict(list)
    for chat, asked, answered, author in waits:
        if first <= answered.date() <= last and chat in here:
            for whose in {None, author}:  # on the number's own phone nobody answers
                waited[whose].append((answered - asked).total_seconds())
    chats = [row for row in await world.rows("select * from chats where status = 'open'") if devices is None or row["device"] in devices]
    opened = Counter(row["assignee"] for row in chats), sum(row["waiting_since"] is not None for row in chats)
    return active, {author: (len(some), sent[author]) for author, some in handled.items()}, waited, opened


@pytest.mark.parametrize("seed", range(3))
async def test_a_period_equals_a_look_at_every_message_after_whatever_happened(world, tenant, seed):
    dice = random.Random(seed)
    devices = [DeviceId(ids.new()) for _ in range(2)]
    chats = [(ids.new(), device) for device in devices for _ in range(3)]
    people = [ids.new() for _ in range(3)]
    for _ in range(12):
        deed = dice.choice((say, say, undo, undo, turn))
        touched = await deed(world, tenant, dice, chats, people)
        dice.shuffle(touched)
        async with world.db.transaction(tenant) as tx:
            c = await raw(tx)
            await figures.lock(c, [tenant])
            await figures.recount(c, touched)
            if dice.random() < 0.5:
                await figures.recount(c, touched[:2])
            await figures.settle(c, [tenant], additions=5)
    for _ in range(15):
        first, last = sorted((TODAY - timedelta(days=dice.randrange(DAYS + 2))).date() for _ in range(2))
        seen = dice.choice((None, devices[:1], devices))
        active, work, waited, opened = await look(world, tenant, first, last, seen)
        async with world.db.transaction(tenant) as tx:
            c = await raw(tx)
            assert await figures.active(c, tenant, first, last, seen) == active
            assert {one.author: (one.handled, one.sent) for one in await figures.work(c, tenant, first, last, seen)} == work
            assert await figures.standing(c, tenant, seen) == opened
            for exact, off in ((figures.EXACT_MOST, 0), (0, 0.02)):
                found = await figures.waits(c, tenant, first, last, seen, exact=exact)
                counted = {whose: one.responses for whose, one in found.items() if one.responses}
                assert counted == {whose: len(some) for whose, some in waited.items()}
                for whose, some in waited.items():
                    assert found[whose].median == pytest.approx(median(some), rel=off, abs=off and 1), whose
                assert found.get(None) == (await figures.waits(c, tenant, first, last, seen, each=False, exact=exact)).get(None)
    assert await world.rows("select * from figure_changes") == []
    kept = await counts(world)
    await world.admin.execute("delete from figure_actives; delete from figure_waits; update figure_standing set open = open + 1")
    await world.admin.execute(run_path(str(MIGRATIONS / "0024_figures_of_what_is_here.py"))["_FILL"])
    assert await counts(world) == kept, "a migration counts what is here as if it had been settled as it came"


async def counts(world):
    """Give all that a period is read from."""
    return [
        await world.rows("select * from figure_actives where chats <> 0 order by since, day, device"),
        await world.rows("select * from figure_handled where chats <> 0 or sent <> 0 order by part, since, day, author"),
        await world.rows("select * from figure_waits where counts <> 0 order by part, day, whose"),
        await world.rows(
            "select device, assignee, sum(open) as open, sum(waiting) as waiting from figure_standing group by 1, 2 "
            "having sum(open) <> 0 order by 1, 2"
        ),
    ]


async def test_chats_that_become_one_are_counted_once(world, tenant, device):
    when = TODAY - timedelta(days=3)
    first, last = (when - timedelta(days=1)).date(), TODAY.date()
    handle = counting.handler(world.db)

    async def active():
        async with world.db.transaction(tenant) as tx:
            return await figures.active(await raw(tx), tenant, first, last, None)

    await world.handle([a_message(tenant, device, chat=ANA_LID, at=when), a_message(tenant, device, chat=ANA, at=when)])
    await handle(await world.told(MessageReceived))
    assert await active() == {device: 2}
    late = a_message(tenant, device, chat=ANA, at=when + timedelta(days=1))
    await world.handle([late])
    await world.handle([a_message(tenant, device, chat=ANA_LID, chat_alt=ANA, at=when)])
    # The last one was told of the chat that it was in then, and comes after that became another one.
    await handle([*(await world.told(ContactChanged)), *(await world.told(MessageReceived))[2:3]])
    assert await active() == {device: 1}
    _, chats, _ = await recounted(world, UTC)
    rows = await world.rows("select day, chat, received from figure_chats")
    assert {(row["day"], row["chat"]): row["received"] for row in rows} == {(day, chat): n for (day, chat, _, _), n in chats.items()}

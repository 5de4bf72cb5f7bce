"""What is seeded is the same for the same seed, whole, and counted on the dashboard as it would be had it happened."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from clarin.processes import migrations
from clarin.seed.filling import NotEmpty, fill
from clarin.seed.story import DAYS, Story
from contracts import ids
from contracts.ids import TenantId
from conversations.domain.messages import NOTES
from conversations.store import figures
from hypothesis import given, settings
from hypothesis import strategies as st

UNTIL = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
MORE = st.integers(0, 300)


def a_story(chats, messages, seed=1):
    return Story(chats=chats, messages=messages, devices=[UUID(int=1), UUID(int=2)], agents=[UUID(int=3)], until=UNTIL, seed=seed)


@settings(max_examples=8, deadline=None)
@given(chats=st.integers(1, 40), more=MORE, seed=st.integers(0, 1000))
def test_a_story_has_what_was_asked_for_in_the_order_in_which_it_was_said(chats, more, seed):
    story = a_story(chats, chats + more, seed)
    said = [message for day in story.days() for message in day]
    assert len(said) == len({message.id for message in said}) == chats + more
    assert said == sorted(said, key=lambda message: (message.at, message.id))
    assert UNTIL - timedelta(days=DAYS) <= said[0].at <= said[-1].at < UNTIL
    assert {message.chat for message in said} == {thread.chat for thread in story.threads}
    assert len(story.threads) == chats
    assert len({thread.phone for thread in story.threads}) == chats


def test_the_same_seed_tells_the_same_story_and_another_one_another():
    first, again, other = ([*a_story(20, 200, seed).days()] for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(("chats", "messages"), [(0, 5), (6, 5)])
def test_a_story_that_cannot_be_told_is_refused(chats, messages):
    with pytest.raises(ValueError, match="at least one message"):
        a_story(chats, messages)


@pytest.fixture
async def admin(provisioned):
    c = await asyncpg.connect(provisioned("conversations", migrations("conversations")).admin_url)
    await c.execute("set search_path = conversations, extensions")
    yield c
    await c.close()


async def rows(c, table):
    return Counter(map(tuple, await c.fetch(f"select * from {table}")))  # noqa: S608


async def test_what_is_filled_in_is_counted_searched_and_left_alone(admin):
    tenant = TenantId(ids.new())
    await fill(admin, tenant, chats=60, messages=900, seed=4, until=UNTIL)
    assert await admin.fetchval("select count(*) from messages") == 900
    assert await admin.fetchval("select count(*) from message_words") == await admin.fetchval(
        "select count(*) from messages where text <> ''"
    )
    wrong = """
        select count(*) from chats h where
            unread <> (select count(*) from messages m where m.chat = h.id and m.unseen)
            or last_message_at <> (select max(at) from messages m where m.chat = h.id and m.kind <> 'note')
            or not exists (select from messages m where m.chat = h.id and m.id = h.last_message_id and m.at = h.last_message_at)
    """
    assert await admin.fetchval(wrong) == 0
    counted = [await rows(admin, table) for table in ("figure_hours", "figure_chats")]
    assert sum(row[3] + row[4] for row in counted[0]) > 700
    said = await admin.fetch("select chat, at, from_me, kind, origin from messages order by at, id")
    await figures.recount(admin, [(tenant, row["chat"], row["at"]) for row in said])
    assert [await rows(admin, table) for table in ("figure_hours", "figure_chats")] == counted
    # As it would have been settled had they come one by one.
    periods = [await rows(admin, f"{table} where chats <> 0") for table in ("figure_actives", "figure_handled")]
    await admin.execute("create temporary table gone as select * from figure_chats where md5(chat::text || day) > '7'")
    await admin.execute("delete from figure_chats f using gone g where (f.day, f.chat, f.author) = (g.day, g.chat, g.author)")
    await figures.settle(admin, [tenant])
    assert [await rows(admin, f"{table} where chats <> 0") for table in ("figure_actives", "figure_handled")] != periods
    await admin.execute("insert into figure_chats select * from gone")
    await figures.settle(admin, [tenant])
    assert [await rows(admin, f"{table} where chats <> 0") for table in ("figure_actives", "figure_handled")] == periods

    await fill(admin, tenant, chats=5, messages=50, seed=5, until=UNTIL, add=True)
    assert await admin.fetchval("select count(*) from messages") == 950
    asked, answers = {}, {}
    for row in await admin.fetch("select chat, at, from_me, kind, origin from messages order by at, id"):
        if row["kind"] in NOTES or (row["from_me"] and row["origin"] == "bot"):
            continue
        if not row["from_me"]:
            asked.setdefault(row["chat"], row["at"])
        elif row["chat"] in asked:
            answers[row["chat"], asked.pop(row["chat"])] = row["at"]
    patience = timedelta(days=figures.PATIENCE_DAYS)
    kept = {(row["chat"], row["asked_at"]): row["answered_at"] for row in await admin.fetch("select * from figure_responses")}
    assert kept == {key: at for key, at in answers.items() if at - key[1] < patience}
    with pytest.raises(NotEmpty):
        await fill(admin, tenant, chats=1, messages=1, seed=1, until=UNTIL)
    assert await admin.fetchval("select count(*) from messages") == 950

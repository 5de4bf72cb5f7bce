"""With many rows, and as the service's role under row-level security, nothing reads a whole table."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest_asyncio
from contracts import ids
from contracts.ids import DeviceId, TenantId
from contracts.principal import Access, Principal, Role
from contracts.views import MessageStatus
from contracts.whatsapp import Address
from conversations.consumers import whatsapp
from conversations.store import by_index, figures, reading
from conversations.store.reading import Wanted
from servicekit.db import Database, raw
from servicekit.migrations import lint

from .facts import NOON, a_message, a_receipt, a_sent, an_unsent, later

BIG = ("contacts", "contact_aliases", "chats", "messages", "chat_tags", "chat_marks")


class Explained:
    """A connection that also keeps the plan of everything it fetches."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def execute(self, query: str) -> str:
        return await self._connection.execute(query)

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        rows = await self._connection.fetch(f"explain {query}", *values)
        self.plans.append("\n".join(row[0] for row in rows))
        return await self._connection.fetch(query, *values)

    async def fetchrow(self, query: str, *values: object) -> asyncpg.Record | None:
        rows = await self.fetch(query, *values)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *values: object) -> object:
        row = await self.fetchrow(query, *values)
        return row[0] if row else None


@pytest_asyncio.fixture
async def crowded(world):
    """Twenty tenants with 500 chats and 4,000 messages each; returns one tenant and one of its devices."""
    await world.admin.execute(
        """
        set session_replication_role = replica; -- nothing is searched here
        create temporary table t as select gen_random_uuid() as tenant, gen_random_uuid() as device from generate_series(1, 20);
        insert into contacts (tenant, id, push_name, phone)
        select tenant, gen_random_uuid(), 'Name ' || n, (5511900000000 + n)::text from t, generate_series(1, 500) n;
        insert into contact_aliases (tenant, kind, value, contact) select tenant, 'pn', phone, id from contacts;
        insert into chats (tenant, id, device, contact, address_kind, address_value, last_message_at, unread)
        select k.tenant, gen_random_uuid(), t.device, k.id, 'pn', k.phone, now() - random() * interval '30 days', (random() * 3)::int
          from contacts k join t using (tenant);
        insert into messages (tenant, id, device, chat, wa_id, from_me, kind, text, status, at, unseen)
        select tenant, gen_random_uuid(), device, id, gen_random_uuid()::text, n % 2 = 0, 'text', 'Hola', 'read',
               last_message_at - n * interval '1 min', n = 1
          from chats, generate_series(0, 7) n;
        create temporary table w as
        select tenant, gen_random_uuid() as agent, gen_random_uuid() as team, gen_random_uuid() as tag from t, generate_series(1, 4);
        with picked as (select ctid as place, tenant, (random() * 3)::int as n from chats)
        update chats c
           set status = (array['open', 'open', 'pending', 'closed'])[1 + (random() * 3)::int],
               assignee = case when n > 0 then (select agent from w where w.tenant = c.tenant order by agent offset n limit 1) end,
               team = case when n > 1 then (select team from w where w.tenant = c.tenant order by agent offset n limit 1) end
          from picked where c.ctid = place;
        insert into chat_tags (tenant, chat, tag)
        select c.tenant, c.id, w.tag from chats c join w using (tenant) where random() < 0.2;
        insert into chat_marks (tenant, agent, chat, read_at, pinned_at, unread_at)
        select tenant, assignee, id, now() - interval '9 days', case when random() < 0.05 then now() end,
               case when random() < 0.05 then now() end
          from chats where assignee is not null;
        analyze chat_tags; analyze chat_marks;
        update chats c set last_message_id = m.id from messages m where m.tenant = c.tenant and m.chat = c.id and m.at = c.last_message_at;
        analyze contacts; analyze contact_aliases; analyze chats; analyze messages;
        reset session_replication_role;
        """
    )
    [row] = await world.rows("select tenant, device from t limit 1")
    return TenantId(row["tenant"]), DeviceId(row["device"])


async def work(world, tenant):
    """One of the people, the teams and the tags of the crowded tenant."""
    [row] = await world.rows(
        "select assignee, team from chats where tenant = $1 and assignee is not null and team is not null limit 1", tenant
    )
    [tag] = await world.rows("select tag from chat_tags where tenant = $1 limit 1", tenant)
    return row["assignee"], row["team"], tag["tag"]


def sees(tenant, agent, device, team):
    """Callers who see one number, several, their teams' chats, and their own."""
    for access in (
        Access(devices=frozenset({device})),
        Access(devices=frozenset({device, ids.new()})),
        Access(chats="own"),
        Access(chats="team", teams=frozenset({team})),
        Access(chats="team", teams=frozenset({team, ids.new()}), devices=frozenset({device, ids.new()})),
    ):
        yield Principal(id=agent, tenant=tenant, role=Role.AGENT, access=access)


async def test_the_list_of_chats_reads_what_it_shows(world, crowded):
    tenant, device = crowded
    [row] = await world.rows("select last_message_at, id from chats where tenant = $1 order by 1 desc offset 100 limit 1", tenant)
    after = row["last_message_at"], row["id"]
    agent, team, tag = await work(world, tenant)
    async with world.db.transaction(tenant) as tx:
        c = Explained(await raw(tx))
        for wanted in (
            Wanted(),
            Wanted(unread=True),
            Wanted(unread=False),
            Wanted(device=device, unread=True),
            Wanted(query="Name 12"),
            Wanted(query="5511900000"),
            Wanted(status="open"),
            Wanted(status="open", assignee="none"),
            Wanted(assignee=agent),
            Wanted(assignee=agent, status="open"),
            Wanted(team=team),
            Wanted(team=team, status="open", unread=True),
            Wanted(tag=tag),
            Wanted(tag=tag, status="open", assignee=agent),
        ):
            found = await reading.list_chats(c, tenant, wanted, limit=51)
            assert found, wanted
            met = await reading.list_chats(c, tenant, wanted, limit=51, few={"tag": 0, "query": 0})
            assert met == found, "what many have is met on the way down"
            assert await reading.list_chats(c, tenant, wanted, limit=51, after=after) or wanted.tag or wanted.query, wanted
        for seer in sees(tenant, agent, device, team):
            for wanted in (Wanted(), Wanted(unread=True), Wanted(query="Name 12"), Wanted(status="open"), Wanted(team=team)):
                assert await reading.list_chats(c, tenant, wanted, limit=51, after=after, seer=seer) or wanted.query, (seer, wanted)
            assert (await reading.count_chats(c, tenant, {"open": Wanted(status="open"), "all": Wanted()}, seer))["all"]
            await reading.list_chats(c, tenant, Wanted(pinned=True), limit=51, seer=seer)
    for plan in c.plans:
        assert "Seq Scan" not in plan, plan
        assert "InitPlan" in plan, "Row-level security is in force."


async def test_pages_of_messages_and_contacts_read_what_they_show(world, crowded):
    tenant, device = crowded
    [row] = await world.rows("select id, contact, last_message_at from chats where tenant = $1 limit 1", tenant)
    async with world.db.transaction(tenant) as tx:
        c = Explained(await raw(tx))
        assert len(await reading.list_messages(c, tenant, row["id"], limit=5)) == 5
        after = row["last_message_at"] - timedelta(minutes=3), ids.new()
        assert await reading.list_messages(c, tenant, row["id"], limit=51, after=after)
        assert await reading.list_contacts(c, tenant, limit=51)
        assert await reading.list_contacts(c, tenant, limit=51, query="Name 12")
        assert await reading.list_contacts(c, tenant, limit=51, query="55119")
        assert await reading.chat(c, tenant, row["id"])
        agent, team, _ = await work(world, tenant)
        for seer in sees(tenant, agent, device, team):
            await reading.list_contacts(c, tenant, limit=51, seer=seer)
            await reading.list_contacts(c, tenant, limit=51, query="Name 12", seer=seer)
            await reading.chat(c, tenant, row["id"], seer)
            await reading.chat_id(c, tenant, row["id"], seer)
            await reading.contact(c, tenant, row["contact"], seer)
    for plan in c.plans:
        assert "Seq Scan" not in plan, plan


async def test_a_batch_reads_no_whole_table(world, crowded):
    tenant, device = crowded
    named = await world.rows("select id, wa_id from messages where tenant = $1 and from_me limit 40", tenant)
    before = await scans(world)
    async with Database.open(world.urls.service_url, application="plans") as db:
        handle = whatsapp.handler(db)
        for turn in range(3):
            batch = [a_message(tenant, device, chat=Address("pn", str(5511900000000 + n)), push_name=f"N{n}") for n in range(1, 150)]
            batch += [
                a_message(tenant, device, chat=Address("pn", str(5511900000000 + n)), chat_alt=Address("lid", f"9{n}{turn}"))
                for n in range(3)
            ]
            batch += [a_message(tenant, device, chat=Address("pn", str(4411900000000 + turn * 9 + n))) for n in range(9)]
            batch += [a_receipt(tenant, device, row["wa_id"], status="played") for row in named[:10]]
            batch += [a_receipt(tenant, device, f"nobody{turn}"), a_receipt(tenant, device, named[0]["wa_id"], own=True, at=NOON)]
            batch += [a_sent(tenant, device, named[-1]["id"], "W1"), an_unsent(tenant, device, named[-2]["id"], "unknown", at=later(1))]
            await handle(batch)
    # the pool is closed, so its sessions have handed in their counts
    after = await scans(world)
    assert after == before


async def scans(world, *tables):
    """Count the rows of each big table (or of *tables*) that were read by reading the whole table."""
    await world.admin.execute("select pg_stat_clear_snapshot()")
    await world.admin.execute("select pg_stat_force_next_flush()")
    rows = await world.rows("select relname, seq_tup_read from pg_stat_user_tables where schemaname = 'conversations'")
    return {row["relname"]: row["seq_tup_read"] for row in rows if row["relname"] in (tables or BIG)}


async def test_a_period_is_read_from_counts_and_not_chat_by_chat(world, crowded):
    tenant, device = crowded
    said = await world.rows("select tenant, chat, at from messages where tenant = $1 and at > now() - interval '9 days' limit 600", tenant)
    async with world.db.transaction(tenant) as tx:
        c = await raw(tx)
        await by_index(c)
        await figures.recount(c, [tuple(row.values()) for row in said])
    await world.admin.execute("analyze figure_chats; analyze figure_actives; analyze figure_handled; analyze figure_waits")
    period = said[0]["at"].date() - timedelta(days=30), said[0]["at"].date() + timedelta(days=30)
    async with world.db.transaction(tenant) as tx:
        await by_index(await raw(tx))
        c = Explained(await raw(tx))
        for devices in (None, [device], [device, ids.new()]):
            assert sum((await figures.active(c, tenant, *period, devices)).values()) > 50
            assert (await figures.total(c, tenant, *period, devices)).received
            assert (await figures.said(c, tenant, *period, devices)).days
            for read in (figures.work, figures.waits):
                await read(c, tenant, *period, devices, **({"exact": 0} if read is figures.waits else {}))
            await figures.standing(c, tenant, devices)
    for plan in c.plans:
        assert "Seq Scan" not in plan, plan
        assert "figure_chats" not in plan, plan
        assert "figure_responses" not in plan, plan


def test_no_migration_holds_up_a_table_in_use():
    assert lint(Path(__file__).parent.parent / "migrations") == []


async def test_nothing_is_seen_without_a_tenant(world, tenant, device):
    await world.handle([a_message(tenant, device)])
    rows = await world.rows("select relname from pg_class where relnamespace = 'conversations'::regnamespace and relkind = 'r'")
    tables = [row["relname"] for row in rows]
    async with world.db.system() as tx:
        c = await raw(tx)
        for table in tables:
            if table != "schema_version":
                assert await c.fetchval(f'select count(*) from "{table}"') == 0, table  # noqa: S608
    assert {*BIG, "devices", "outbox", "idempotency", "pending_receipts"} <= set(tables)


def test_every_status_of_the_contract_has_a_place():
    from conversations.domain.statuses import RANK

    assert set(RANK) | {MessageStatus.RECEIVED} == set(MessageStatus)

"""The board on a real database: pages, sums, filters, stages; and many hands at once."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from contracts import ids
from contracts.events.pipeline import LeadMoved, PipelineChanged, PipelineDeleted
from contracts.principal import Role
from pipeline.domain import ranks
from pipeline.store import board as boards
from pipeline.store import leads as stored
from pipeline.store.board import Filter
from servicekit.db import raw
from servicekit.migrations import lint

from .conftest import Api
from .facts import a_contact, new_contact, public


async def fill(world, tenant, stage, count, *, value=100, currency="MXN"):
    """A stage with many leads, put there as the service's role would, in one statement."""
    places = ranks.spread(None, None, count)
    await world.admin.execute(
        """
        insert into leads (tenant, id, pipeline, stage, kind, title, value, currency, rank, version, created_at, at, stage_since)
        select $1, uuidv7(), s.pipeline, s.id, s.kind, 'Lead ' || n.place, $4, $5, n.rank, 1, now(), now(), now()
          from stages s, unnest($3::text[]) with ordinality as n (rank, place) where s.tenant = $1 and s.id = $2
        """,
        tenant,
        ids.parse(ids.STAGE, stage),
        places,
        value,
        currency,
    )


async def truth(world, tenant):
    """What stands in the rows, and what is kept of it."""
    counted = await world.rows(
        "select stage, currency, count(*)::int as n, sum(value)::bigint as v from leads where tenant = $1 group by 1, 2 order by 1, 2",
        tenant,
    )
    kept = await world.rows(
        "select stage, currency, leads::int as n, value::bigint as v from stage_totals where tenant = $1 and leads <> 0 order by 1, 2",
        tenant,
    )
    return counted, kept


async def test_a_column_comes_in_pages_with_what_all_of_it_is_worth(owner, world, tenant):
    stage = (await owner.stages())[1]
    await fill(world, tenant, stage, 130)
    await fill(world, tenant, (await owner.stages())[2], 3, value=33, currency="CLP")
    await owner.lead("Otra moneda", stage_id=stage, currency="USD", value=3)
    board = await owner.get("/api/pipeline", limit=20)
    column = board["items"][1]
    assert column["count"] == 131
    assert column["totals"] == [
        {"currency": "MXN", "count": 130, "value": 13_000, "weighted": 3_250},
        {"currency": "USD", "count": 1, "value": 3, "weighted": 1},
    ]
    assert board["items"][2]["totals"] == [{"currency": "CLP", "count": 3, "value": 99, "weighted": 50}]
    titles, page = [lead["title"] for lead in column["leads"]["items"]], column["leads"]
    while page["next_cursor"]:
        path = f"/api/pipelines/{board['pipeline']['id']}/stages/{stage}/leads"
        page = await owner.get(path, limit=50, cursor=page["next_cursor"])
        titles += [lead["title"] for lead in page["items"]]
    assert titles == ["Otra moneda", *(f"Lead {n}" for n in range(1, 131))]


async def test_a_foreign_cursor_is_refused(owner, stranger, world, tenant):
    stage = (await owner.stages())[0]
    await fill(world, tenant, stage, 3)
    board = await owner.get("/api/pipeline", limit=1)
    cursor = board["items"][0]["leads"]["next_cursor"]
    path = f"/api/pipelines/{board['pipeline']['id']}/stages"
    await owner.refused("GET", f"{path}/{(await owner.stages())[1]}/leads", None, 422, "bad-cursor", cursor=cursor)
    await owner.refused("GET", f"{path}/{stage}/leads", None, 422, "bad-cursor", cursor=cursor, q="x")
    await owner.refused("GET", "/api/leads", None, 422, "bad-cursor", cursor=cursor)
    theirs = (await stranger.get("/api/pipeline"))["pipeline"]["id"]
    mine = (await stranger.stages())[0]
    await stranger.refused("GET", f"/api/pipelines/{theirs}/stages/{mine}/leads", None, 422, "bad-cursor", cursor=cursor)
    await stranger.refused("GET", f"{path}/{stage}/leads", None, 404, "stage-not-found")


async def test_leads_are_filtered(owner, agent, world, tenant):
    tag, contact = ids.new(), new_contact()
    await world.handle([a_contact(tenant, contact, "Ána Pérez", "5511912345678")])
    await owner.lead("Mesas 50%", value=500, tags=[public(ids.TAG, tag)], contact_id=public(ids.CONTACT, contact))
    await agent.lead("Sillas", value=1500, currency="BRL")
    await owner.lead("Bancos", owner_id=None, stage_id=(await owner.stages())[1])
    await world.admin.execute("update leads set stage_since = now() - interval '5 days', created_at = '2026-01-15' where title = 'Sillas'")

    async def found(**params):
        board = await owner.get("/api/pipeline", **params)
        titles = sorted(lead["title"] for column in board["items"] for lead in column["leads"]["items"])
        assert sum(column["count"] for column in board["items"]) == len(titles)
        assert sorted(lead["title"] for lead in (await owner.get("/api/leads", **params))["items"]) == titles
        return titles

    assert await found() == ["Bancos", "Mesas 50%", "Sillas"]
    assert await found(owner_id=public(ids.USER, agent.caller.principal.id)) == ["Sillas"]
    assert await found(owned=False) == ["Bancos"]
    assert await found(tag_id=public(ids.TAG, tag)) == ["Mesas 50%"]
    assert await found(value_min=1000) == ["Sillas"]
    assert await found(value_max=1000, value_min=1) == ["Mesas 50%"]
    assert await found(currency="BRL") == ["Sillas"]
    assert await found(stuck=True) == ["Sillas"]
    assert await found(stuck=False) == ["Bancos", "Mesas 50%"]
    assert await found(since="2026-01-01T00:00:00Z", until="2026-02-01T00:00:00Z") == ["Sillas"]
    assert await found(q="MESAS") == ["Mesas 50%"]
    assert await found(q="%") == ["Mesas 50%"]
    assert await found(q="ána p") == ["Mesas 50%"]
    assert await found(q="551191") == ["Mesas 50%"]
    assert await found(q="nadie") == []


async def test_many_hands_at_once_lose_double_and_miscount_nothing(world, client, signed_in, tenant):
    hands = [Api(client, signed_in(Role.AGENT, tenant)) for _ in range(6)]
    stages = (await hands[0].stages())[:3]
    cards = [await hands[0].lead(f"c{n}", value=10**n) for n in range(8)]
    await fill(world, tenant, stages[1], 40, value=7)

    async def work(hand: Api, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(12):
            card = await hand.get(f"/api/leads/{dice.choice(cards)['id']}")
            if dice.random() < 0.2:
                await hand.ask("PUT", f"/api/leads/{card['id']}", {"value": dice.randrange(1000)})
                continue
            other = dice.choice(cards)["id"]
            side = {dice.choice(["after_id", "before_id"]): other} if dice.random() < 0.7 else {}
            body = {"stage_id": dice.choice(stages), "version": card["version"], **side}
            answer = await client.post(f"/api/leads/{card['id']}/move", json=body, headers=hand.caller.headers)
            assert answer.status_code in {200, 409}, answer.text

    await asyncio.gather(*(work(hand, seed) for seed, hand in enumerate(hands)))
    counted, kept = await truth(world, tenant)
    assert counted == kept
    rows = await world.rows("select id, stage, rank from leads where tenant = $1", tenant)
    assert len(rows) == len({row["id"] for row in rows}) == 48
    assert len({(row["stage"], row["rank"]) for row in rows}) == 48
    assert all(ranks.fits(row["rank"]) for row in rows)
    for card in cards:  # and none is stuck
        now = await hands[0].get(f"/api/leads/{card['id']}")
        await hands[0].move(now, stages[2])
    assert {row["title"] for row in await world.rows("select title from leads where stage = $1", ids.parse(ids.STAGE, stages[2]))} >= {
        card["title"] for card in cards
    }


async def test_moves_to_one_and_the_same_place_even_the_ranks_out(owner, world, tenant):
    stage = (await owner.stages())[0]
    await fill(world, tenant, stage, 90)
    middle = await world.admin.fetchval("select id from leads where title = 'Lead 45'")
    moving = [row["id"] for row in await world.rows("select id from leads where title in ('Lead 80', 'Lead 81')")]
    evened = 0
    async with world.db.transaction(tenant) as tx:
        c = await raw(tx)
        for n in range(260):
            one = moving[n % 2]
            rank, even = await stored.place(c, tenant, ids.parse(ids.STAGE, stage), after=middle, moving=one)
            evened += even
            await c.execute("update leads set rank = $3 where tenant = $1 and id = $2", tenant, one, rank)
    rows = await world.rows('select title, rank from leads order by rank collate "C"')
    assert evened >= 1
    assert all(ranks.fits(row["rank"]) for row in rows)
    titles = [row["title"] for row in rows]
    assert titles[44:47] == ["Lead 45", "Lead 81", "Lead 80"]
    assert [title for title in titles if title not in {"Lead 80", "Lead 81"}] == [f"Lead {n}" for n in range(1, 91) if n not in {80, 81}]


async def test_a_deleted_stage_moves_its_leads_on_in_their_order(owner, world, tenant):
    board = (await owner.get("/api/pipelines"))["items"][0]
    stages, path = [stage["id"] for stage in board["stages"]], f"/api/pipelines/{board['id']}/stages"
    for title in ("dos", "uno"):
        await owner.lead(title, stage_id=stages[0], value=5)
    await owner.lead("cero", stage_id=stages[1], value=1)
    await owner.refused("DELETE", f"{path}/{stages[0]}", None, 409, "leads-in-the-way")
    await owner.refused("DELETE", f"{path}/{stages[0]}", None, 404, "stage-not-found", move_to=stages[0])
    other = await owner.ask("POST", "/api/pipelines", {"name": "Otro"}, status=201)
    await owner.refused("DELETE", f"{path}/{stages[0]}", None, 422, "stage-of-another-pipeline", move_to=other["stages"][0]["id"])
    await owner.ask("DELETE", f"{path}/{stages[0]}", status=204, move_to=stages[4])
    await owner.ask("DELETE", f"{path}/{stages[2]}", status=204)
    assert await owner.columns() == [["cero"], [], ["uno", "dos"], []]
    won = (await owner.get("/api/leads", stage_id=stages[4]))["items"]
    assert {lead["title"] for lead in won} == {"uno", "dos"}
    assert all(lead["closed_at"] and lead["version"] == 2 for lead in won)
    counted, kept = await truth(world, tenant)
    assert counted == kept
    assert len(await world.told(LeadMoved)) == 2
    for stage in (stages[1], stages[3]):
        status = 204 if stage == stages[1] else 409
        await owner.ask("DELETE", f"{path}/{stage}", status=status, move_to=stages[4])


async def test_a_deleted_pipeline_moves_its_leads_to_another(owner, world, tenant):
    [first] = (await owner.get("/api/pipelines"))["items"]
    await owner.refused("DELETE", f"/api/pipelines/{first['id']}", None, 409, "last-of-its-kind")
    other = await owner.ask("POST", "/api/pipelines", {"name": "Otro", "currency": "brl", "stages": [{"name": "Único"}]}, status=201)
    assert (other["currency"], [stage["probability"] for stage in other["stages"]]) == ("BRL", [50])
    await owner.lead("uno", value=5)
    await owner.refused("DELETE", f"/api/pipelines/{first['id']}", None, 409, "leads-in-the-way")
    target = other["stages"][0]["id"]
    await owner.ask("DELETE", f"/api/pipelines/{first['id']}", status=204, move_to=target)
    [left] = (await owner.get("/api/pipelines"))["items"]
    assert (left["name"], left["default"]) == ("Otro", True)
    [lead] = (await owner.get("/api/leads"))["items"]
    assert (lead["stage_id"], lead["pipeline_id"], lead["status"]) == (target, other["id"], "open")
    assert len(await world.told(PipelineDeleted)) == 1
    counted, kept = await truth(world, tenant)
    assert counted == kept


async def test_stages_are_added_changed_and_put_in_order(owner, world):
    board = (await owner.get("/api/pipelines"))["items"][0]
    path = f"/api/pipelines/{board['id']}"
    stage = await owner.ask("POST", f"{path}/stages", {"name": "Demo", "color": "#112233", "rotting_days": 2}, status=201)
    names = [one["name"] for one in (await owner.get(path))["stages"]]
    assert names == ["Nuevo", "Contactado", "Propuesta", "Negociación", "Demo", "Ganado", "Perdido"]
    changed = await owner.ask("PATCH", f"{path}/stages/{stage['id']}", {"position": 0, "probability": 5, "rotting_days": None})
    assert (changed["probability"], changed["rotting_days"], changed["color"]) == (5, None, "#112233")
    stages = (await owner.get(path))["stages"]
    assert stages[0]["name"] == "Demo"
    order = [one["id"] for one in reversed(stages)]
    shown = await owner.ask("PATCH", path, {"stages": order, "name": "Ventas 2"})
    assert ([one["id"] for one in shown["stages"]], shown["name"]) == (order, "Ventas 2")
    await owner.refused("PATCH", path, {"stages": order[1:]}, 404, "stage-not-found")
    lead = await owner.lead(stage_id=stage["id"])
    await owner.ask("PATCH", f"{path}/stages/{stage['id']}", {"kind": "lost"})
    assert (await owner.get(f"/api/leads/{lead['id']}"))["status"] == "lost"
    revisions = [told.data.revision for told in await world.told(PipelineChanged)]
    assert revisions == sorted(set(revisions))
    for bad in ({"name": ""}, {"name": "x", "color": "red"}, {"name": "x", "probability": 101}, {"name": "x", "rotting_days": 0}):
        await owner.refused("POST", f"{path}/stages", bad, 422, "invalid")


class Explained:
    """A connection that also keeps the plan of everything it fetches."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        self.plans.append("\n".join(row[0] for row in await self._connection.fetch(f"explain {query}", *values)))
        return await self._connection.fetch(query, *values)


async def test_a_board_reads_what_it_shows_and_not_the_stage(owner, world, tenant):
    stages = await owner.stages()
    for stage in stages[:3]:
        await fill(world, tenant, stage, 3000)
    await world.admin.execute("analyze leads; analyze stages; analyze chats; analyze contacts; analyze tasks; analyze stage_totals")
    pipeline = ids.parse(ids.PIPELINE, (await owner.get("/api/pipelines"))["items"][0]["id"])
    async with world.db.transaction(tenant) as tx:
        c = Explained(await raw(tx))
        shown = await boards.columns(c, tenant, pipeline, Filter(), None, limit=31)
        totals = await boards.totals(c, tenant, pipeline, Filter(), None)
        assert await boards.column(c, tenant, ids.parse(ids.STAGE, stages[0]), Filter(), None, limit=51, after="a9")
        assert await boards.newest(c, tenant, Filter(), None, limit=51, after=(datetime.now(UTC) + timedelta(1), ids.new()))
    assert [len(cards) for cards in shown.values()] == [31] * 3
    assert [total[0].leads for total in totals.values()] == [3000] * 3
    for plan in c.plans:
        assert "Seq Scan on leads" not in plan, plan
    assert "stage_totals" in c.plans[1]


def test_no_migration_holds_up_a_table_in_use():
    assert lint(Path(__file__).parent.parent / "migrations") == []


async def test_nothing_is_seen_without_a_tenant(owner, world):
    await owner.lead()
    rows = await world.rows("select relname from pg_class where relnamespace = 'pipeline'::regnamespace and relkind = 'r'")
    tables = {row["relname"] for row in rows} - {"schema_version"}
    async with world.db.system() as tx:
        c = await raw(tx)
        for table in tables:
            assert await c.fetchval(f'select count(*) from "{table}"') == 0, table  # noqa: S608
    assert {"leads", "stage_totals", "outbox", "inbox", "idempotency"} <= tables

"""A board with many leads: the pipeline service as a process over HTTP, with a database and a bus of its own.

One account holds all the leads that were asked for, a hundred others a hundred each. One request follows the other: what is measured is
how long one takes, not how many fit on a machine that the caller shares with the service and its database.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
from contracts import ids
from contracts.ids import TenantId
from contracts.principal import Role
from fractional_indexing import generate_n_keys_between

from bench.alone import Caller, alone
from bench.figures import latencies, percentile

CALLERS = 1
OTHERS = 100
LEADS_OF_OTHERS = 100
_FILL = """
    insert into pipeline.leads (tenant, id, pipeline, stage, kind, title, value, currency, rank, version, created_at, at, stage_since)
    select $1, uuidv7(), s.pipeline, s.id, s.kind, 'Lead ' || n.place, (random() * 1000000)::bigint, 'MXN', n.rank, 1,
           now() - random() * interval '90 days', now(), now() - random() * interval '20 days'
      from pipeline.stages s, unnest($3::text[]) with ordinality as n (rank, place) where s.tenant = $1 and s.id = $2
"""

_WRONG = """
    select count(*) from (select stage, count(*) as n, sum(value) as v from pipeline.leads where tenant = $1 group by 1) a
      full join (select stage, leads as n, value as v from pipeline.stage_totals where tenant = $1) b using (stage)
     where (coalesce(a.n, 0), coalesce(a.v, 0)) is distinct from (coalesce(b.n, 0), coalesce(b.v, 0))
"""


async def run(*, leads: int, queries: int, moves: int) -> dict[str, Any]:
    """Give the time that a look and a move take with so many *leads*."""
    async with alone("pipeline") as service:
        url, postgres, sign_in = service.url, service.postgres, service.sign_in
        tenant = TenantId(ids.new())
        async with aiohttp.ClientSession() as session:
            callers = [Caller(session, url, sign_in(Role.AGENT, tenant).headers) for _ in range(CALLERS)]
            stages = [stage["id"] for stage in (await callers[0].ask("GET", "/api/pipelines"))["items"][0]["stages"]]
            admin = await asyncpg.connect(postgres.url)
            try:
                held = await _fill(admin, tenant, stages, leads)
                for _ in range(OTHERS):
                    other = TenantId(ids.new())
                    caller = Caller(session, url, sign_in(Role.AGENT, other).headers)
                    theirs = [stage["id"] for stage in (await caller.ask("GET", "/api/pipelines"))["items"][0]["stages"]]
                    await _fill(admin, other, theirs, LEADS_OF_OTHERS)
                await admin.execute("vacuum analyze")
                cards = [row["id"] for row in await admin.fetch("select id from pipeline.leads where tenant = $1", tenant)]
                await _together(callers, _look, 40)  # the pool and its statements are warm
                looks = await _together(callers, _look, queries)
                filtered = await _together(callers, lambda caller: _look(caller, stuck="true"), max(10, queries // 10))
                searched = await _together(callers, lambda caller: _look(caller, q="lead 12"), max(10, queries // 10))
                pages = await _together(callers, _page_of(stages[0]), queries // 2)
                moved = await _together(callers, _move_of(cards, stages), moves)
                wrong = await admin.fetchval(_WRONG, tenant)
                left = await admin.fetchval("select count(*) from pipeline.leads where tenant = $1", tenant)
            finally:
                await admin.close()
    return {
        "query_p95_ms": latencies(looks)["p95_ms"],
        "move_p95_ms": latencies(moved)["p95_ms"],
        "query_p50_ms": round(percentile(looks, 0.5) * 1000, 1),
        "move_p50_ms": round(percentile(moved, 0.5) * 1000, 1),
        "page_p95_ms": latencies(pages)["p95_ms"],
        "stuck_p95_ms": latencies(filtered)["p95_ms"],
        "search_p95_ms": latencies(searched)["p95_ms"],
        "leads": leads,
        "largest_stage": held,
        "tenants": OTHERS + 1,
        "wrong_totals": wrong,
        "lost": leads - left if left < leads else 0,
        "doubled": left - leads if left > leads else 0,
        "asked": queries + moves,
        "done": len(looks) + len(moved),
    }


async def _fill(admin: asyncpg.Connection, tenant: TenantId, stages: list[str], leads: int) -> int:
    """The stages hold so many leads, the first one half of them; give how many that are."""
    largest = leads // 2
    rest, over = divmod(leads - largest, len(stages) - 1)
    for number, stage in enumerate(stages):
        count = largest if number == 0 else rest + (over if number == 1 else 0)
        if count:
            ranks = generate_n_keys_between(None, None, count)
            await admin.execute(_FILL, UUID(int=tenant.int), ids.parse(ids.STAGE, stage), ranks)
    return largest


async def _together(callers: list[Caller], work: Callable[[Caller], Awaitable[None]], count: int) -> list[float]:
    """Do *work* so many times, the callers at the same time; give how long each took, in seconds."""
    took: list[float] = []

    async def one(caller: Caller) -> None:
        while len(took) < count:
            began = time.perf_counter()
            await work(caller)
            took.append(time.perf_counter() - began)

    await asyncio.gather(*map(one, callers))
    return took[:count]


async def _look(caller: Caller, **filter: str) -> None:
    await caller.ask("GET", "/api/pipeline", **filter)


def _page_of(stage: str) -> Callable[[Caller], Awaitable[None]]:
    places: dict[int, tuple[str, str | None]] = {}

    async def page(caller: Caller) -> None:
        pipeline, cursor = places.get(id(caller)) or ((await caller.ask("GET", "/api/pipelines"))["items"][0]["id"], None)
        params = {"cursor": cursor} if cursor else {}
        found = await caller.ask("GET", f"/api/pipelines/{pipeline}/stages/{stage}/leads", limit=50, **params)
        places[id(caller)] = pipeline, found["next_cursor"]

    return page


def _move_of(cards: list[UUID], stages: list[str]) -> Callable[[Caller], Awaitable[None]]:
    """Move cards, each once, to beside any other card or to the top of a stage."""
    dice = random.Random(1)
    waiting = dice.sample(cards, len(cards))

    async def move(caller: Caller) -> None:
        lead = ids.public(ids.LEAD, waiting.pop())
        beside = ids.public(ids.LEAD, dice.choice(cards))
        body = {"stage_id": dice.choice(stages), "version": 1, dice.choice(["after_id", "before_id"]): beside}
        await caller.ask("POST", f"/api/leads/{lead}/move", body)

    return move

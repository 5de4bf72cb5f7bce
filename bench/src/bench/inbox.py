"""An inbox with many chats: the service conversations over HTTP, with 10,000 messages, then with as many as are asked for.

One account holds all of them, a hundred others a hundredth each. Everything is asked one after the other, each time for something else:
another filter's value, another chat, another word. Then the server is told to write down the plan of every statement, and all is asked
once more: a plan that reads the whole of a big table fails the run.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
from clarin.seed.filling import AGENTS, fill
from contracts import ids
from contracts.ids import TenantId, UserId
from contracts.principal import Role

from bench.alone import Alone, Caller, alone
from bench.figures import percentile

SMALL_CHATS, SMALL_MESSAGES = 1_000, 10_000
OTHERS, CHATS_OF_OTHERS, MESSAGES_OF_OTHERS = 100, 10, 100
#: A table with fewer rows than this is rightly read as a whole.
BIG_ROWS = 20_000
_PLAN = re.compile(r"Query Text:\s+(.*?)\n((?:\t.*\n|.*->.*\n)+)")
_SCAN = re.compile(r"Seq Scan on (\w+)")
_EXPLAINED = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
}

Ask = Callable[[Caller], Awaitable[Any]]


@dataclass
class Known:
    """What there is to ask for in one account."""

    chats: list[str]
    messages: list[tuple[str, str]]
    contacts: list[str]
    devices: list[str]
    tags: list[str]
    names: list[str]
    phones: list[str]
    files: list[str]
    rare: list[str]
    some: list[str]
    common: list[str]


async def run(*, chats: int, messages: int, requests: int) -> dict[str, Any]:
    """Give how long lists, pages, searches and the dashboard take with few messages and with many."""
    async with alone("conversations") as service, aiohttp.ClientSession() as session:
        admin = await asyncpg.connect(service.postgres.url)
        try:
            until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            at: dict[str, dict[str, dict[str, float]]] = {}
            spans: list[dict[str, list[float]]] = []
            filled: list[float] = []
            for seed, (many, said) in enumerate(((SMALL_CHATS, SMALL_MESSAGES), (chats, messages))):
                tenant = TenantId(ids.new())
                filled.append(await fill(admin, tenant, chats=many, messages=said, seed=seed, until=until))
                if not spans:
                    await _others(admin, until)
                caller = _caller(service, session, tenant)
                took = await _measure(caller, await _known(admin, tenant), requests)
                spans.append(took)
                at[str(said)] = {name: _summed(seconds) for name, seconds in took.items()}
            left = await admin.fetchval("select count(*) from conversations.messages where tenant = $1", tenant)
            scans = await _scans(admin, service, session, tenant)
        finally:
            await admin.close()
    groups = [_grouped(one) for one in spans]
    growth = {name: round(percentile(groups[1][name], 0.95) / percentile(groups[0][name], 0.95), 2) for name in groups[1]}
    worst = {
        f"{group}_p95_ms": max(figures["p95_ms"] for name, figures in at[str(messages)].items() if name.startswith(f"{group} "))
        for group in groups[1]
    }
    return {
        **worst,
        "growth": max(growth.values()),
        "growth_of": growth,
        "chats": chats,
        "messages": messages,
        "tenants": OTHERS + 2,
        "seeded_seconds": round(filled[1], 1),
        "sequential_scans": scans,
        "lost": messages - left if left < messages else 0,
        "doubled": left - messages if left > messages else 0,
        "asked": requests * len(at[str(messages)]),
        "done": sum(map(len, spans[1].values())),
        "at": at,
    }


def _caller(service: Alone, session: aiohttp.ClientSession, tenant: TenantId) -> Caller:
    user = UserId(ids.derived("seed", "agents", tenant, AGENTS[0]))
    return Caller(session, service.url, service.sign_in(Role.OWNER, tenant, user=user, lifetime=timedelta(hours=2)).headers)


async def _others(admin: asyncpg.Connection, until: datetime) -> None:
    for number in range(OTHERS):
        other = TenantId(ids.new())
        await fill(admin, other, chats=CHATS_OF_OTHERS, messages=MESSAGES_OF_OTHERS, seed=100 + number, until=until, tidy=False)
    await admin.execute("vacuum analyze")


async def _known(admin: asyncpg.Connection, tenant: TenantId) -> Known:
    async def column(statement: str) -> list[Any]:
        return [row[0] for row in await admin.fetch(statement, tenant)]

    async def public(prefix: str, statement: str) -> list[str]:
        return [ids.public(prefix, id) for id in await column(statement)]

    await admin.execute("set search_path = conversations, extensions")
    said = await admin.fetch("select id, chat from messages where tenant = $1 order by md5(id::text) limit 300", tenant)
    words = await admin.fetch(
        """
        select w, count(*) as n from (
            select unnest(tsvector_to_array(words)) as w from (select words from message_words where tenant = $1 limit 20000) s) u
         where length(w) > 3 group by 1 order by 2 desc, 1
        """,
        tenant,
    )
    ranked = [row["w"] for row in words]
    return Known(
        chats=await public(ids.CHAT, "select id from chats where tenant = $1 order by md5(id::text) limit 500"),
        messages=[(ids.public(ids.CHAT, row["chat"]), ids.public(ids.MESSAGE, row["id"])) for row in said],
        contacts=await public(ids.CONTACT, "select id from contacts where tenant = $1 order by md5(id::text) limit 500"),
        devices=await public(ids.DEVICE, "select id from devices where tenant = $1"),
        tags=await public(ids.TAG, "select id from tags where tenant = $1"),
        names=await column("select name from contacts where tenant = $1 order by md5(id::text) limit 300"),
        phones=await column("select phone from contacts where tenant = $1 order by md5(id::text) limit 300"),
        files=await column(
            "select media ->> 'file_name' from messages where tenant = $1 and kind = 'document' order by md5(id::text) limit 300"
        ),
        rare=ranked[-300:],
        some=ranked[200:500],
        common=ranked[:30],
    )


def _asks(known: Known, dice: random.Random) -> Iterator[tuple[str, Ask]]:
    """Give everything that is measured, by name: its group, then what it is."""

    def get(path: str, **params: Any) -> Ask:
        return lambda caller: caller.ask("GET", path, **params)

    def of(make: Callable[[], Ask]) -> Ask:
        return lambda caller: make()(caller)

    pick = dice.choice
    yield "lists all", get("/api/chats")
    for status in ("open", "pending", "closed"):
        yield f"lists {status}", get("/api/chats", status=status)
    yield "lists mine", get("/api/chats", assignee="me")
    yield "lists mine open", get("/api/chats", assignee="me", status="open")
    yield "lists unassigned", get("/api/chats", assignee="none", status="open")
    yield "lists number", of(lambda: get("/api/chats", device_id=pick(known.devices)))
    yield "lists tag", of(lambda: get("/api/chats", tag_id=pick(known.tags)))
    yield "lists tag open mine", of(lambda: get("/api/chats", tag_id=pick(known.tags), status="open", assignee="me"))
    yield "lists unread", get("/api/chats", unread="true")
    yield "lists name", of(lambda: get("/api/chats", q=pick(known.names)[:6]))
    yield "lists phone", of(lambda: get("/api/chats", q=pick(known.phones)[:9]))
    yield "lists counts", get("/api/chats/counts")
    yield "lists contacts", get("/api/contacts")
    yield "lists contacts name", of(lambda: get("/api/contacts", q=pick(known.names)[:6]))
    yield "lists contacts tag", of(lambda: get("/api/contacts", tag_id=pick(known.tags)))
    yield "pages messages", of(lambda: get(f"/api/chats/{pick(known.chats)}/messages"))
    yield "pages around", of(lambda: _around(*pick(known.messages)))
    yield "pages chat", of(lambda: get(f"/api/chats/{pick(known.chats)}"))
    yield "pages contact", of(lambda: get(f"/api/contacts/{pick(known.contacts)}"))
    yield "pages chats deep", _deep
    for kind, words in (("rare", known.rare), ("some", known.some), ("common", known.common)):
        yield f"search {kind}", of(lambda words=words: get("/api/search", kind="messages", q=pick(words)))  # type: ignore[misc]
    yield "search beginning", of(lambda: get("/api/search", kind="messages", q=pick(known.some)[: dice.randint(2, 4)]))
    yield "search two words", of(lambda: get("/api/search", kind="messages", q=f"{pick(known.common)} {pick(known.some)}"))
    yield "search phrase", of(lambda: get("/api/search", kind="messages", q=f'"{pick(known.common)} {pick(known.common)}"'))
    yield "search filtered", of(lambda: get("/api/search", kind="messages", q=pick(known.some), status="pending", assignee_id="me"))
    yield "search name", of(lambda: get("/api/search", kind="contacts", q=pick(known.names)))
    yield "search misspelt", of(lambda: get("/api/search", kind="contacts", q=_misspelt(pick(known.names), dice)))
    yield "search phone", of(lambda: get("/api/search", kind="contacts", q=pick(known.phones)[-6:]))
    yield "search file", of(lambda: get("/api/search", kind="files", q=pick(known.files)))
    yield "search everything", of(lambda: get("/api/search", q=pick(known.names).split()[0]))
    yield "dashboard today", get("/api/dashboard")
    first = (datetime.now(UTC) - timedelta(days=29)).date().isoformat()
    yield "dashboard month", get("/api/dashboard", first=first)


def _around(chat: str, message: str) -> Ask:
    return lambda caller: caller.ask("GET", f"/api/chats/{chat}/messages", around=message)


_places: dict[int, str | None] = {}


async def _deep(caller: Caller) -> None:
    """One page further down the list of chats."""
    cursor = _places.get(id(caller))
    page = await caller.ask("GET", "/api/chats", **({"cursor": cursor} if cursor else {}))
    _places[id(caller)] = page["next_cursor"]


def _misspelt(name: str, dice: random.Random) -> str:
    """Leave one letter out of the longest word."""
    word = max(name.split(), key=len)
    place = dice.randrange(1, len(word) - 1)
    return word[:place] + word[place + 1 :]


async def _measure(caller: Caller, known: Known, requests: int) -> dict[str, list[float]]:
    """Ask for everything so often; give how long each took, in seconds."""
    took: dict[str, list[float]] = {}
    for name, ask in _asks(known, random.Random(7)):
        for _ in range(3):  # the pool and its statements are warm
            await ask(caller)
        took[name] = []
        for _ in range(requests):
            began = time.perf_counter()
            await ask(caller)
            took[name].append(time.perf_counter() - began)
    return took


async def _scans(admin: asyncpg.Connection, service: Alone, session: aiohttp.ClientSession, tenant: TenantId) -> list[str]:
    """Ask for everything once more, with the plans written down; give those that read the whole of a big table."""
    for name, value in _EXPLAINED.items():
        await admin.execute(f"alter role conversations set {name} = '{value}'")
    await service.again()
    begin = len(await asyncio.to_thread(service.postgres.log.read_bytes))
    caller, known = _caller(service, session, tenant), await _known(admin, tenant)
    for _, ask in _asks(known, random.Random(8)):
        await ask(caller)
    await asyncio.sleep(0.5)  # the server writes behind us
    for name in _EXPLAINED:
        await admin.execute(f"alter role conversations reset {name}")
    text = (await asyncio.to_thread(service.postgres.log.read_bytes))[begin:].decode(errors="replace")
    if "Index" not in text:
        raise RuntimeError("The server wrote down no plan.")
    plans = _PLAN.findall(text)
    big = await admin.fetchval(
        "select array_agg(relname) from pg_class where relnamespace = 'conversations'::regnamespace and reltuples >= $1 and relkind = 'r'",
        float(BIG_ROWS),
    )
    return sorted({f"{table}: {query[:100]}" for query, plan in plans for table in _SCAN.findall(plan) if table in (big or ())})


def _grouped(took: dict[str, list[float]]) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for name, seconds in took.items():
        groups.setdefault(name.partition(" ")[0], []).extend(seconds)
    return groups


def _summed(seconds: list[float]) -> dict[str, float]:
    return {f"p{round(share * 100)}_ms": round(percentile(seconds, share) * 1000, 1) for share in (0.5, 0.95, 0.99)}

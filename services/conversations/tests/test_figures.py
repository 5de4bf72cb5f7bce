"""The dashboard's figures are what a look at every message would give, whatever came twice, late or out of order."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta, tzinfo
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from contracts import ids
from contracts.envelope import wrap
from contracts.events.auth import AccountRegistered
from contracts.events.conversations import MessageConfirmed, MessageReceived
from contracts.ids import DeviceId
from contracts.principal import Role
from contracts.whatsapp import Address
from conversations.consumers import accounts, figures
from conversations.domain.messages import NOTES
from servicekit.testing import eventually

from .facts import a_device, a_message, a_sent

ZONE = ZoneInfo("America/Sao_Paulo")
#: A morning two days ago, so that every hour of the story lies in the past.
BEGIN = (datetime.now(UTC) - timedelta(days=2)).astimezone(ZONE).replace(hour=9, minute=30, second=0, microsecond=0)


@pytest.fixture
async def ann(team):
    return await team.hire("Ann Soto")


@pytest.fixture
async def story(world, client, tenant, device, ann):
    """Two days on two numbers: four customers write, Ann answers some of it, the phone the rest. Gives the second number."""
    other = DeviceId(ids.new())
    account = AccountRegistered(name="Café", locale="pt", time_zone=ZONE.key, currency="BRL")
    await accounts.handler(world.db)([wrap(tenant, account)])
    await world.handle([a_device(tenant, device, name="Vendas"), a_device(tenant, other, name="=cmd()")])
    dice = random.Random(11)
    at = BEGIN
    for number in range(60):
        at += timedelta(minutes=dice.choice((1, 3, 20, 55)))
        customer = Address("pn", f"551190000000{dice.randrange(4)}")
        line = dice.choice((device, device, other))
        said = dice.random()
        if said < 0.6:
            await world.handle([a_message(tenant, line, chat=customer, at=at, text=f"m{number}", wa_id=f"C{number}")])
        elif said < 0.75:
            await world.handle([a_message(tenant, line, chat=customer, at=at, from_me=True, wa_id=f"P{number}")])
        else:
            body = {"device_id": ids.public(ids.DEVICE, line), "to": customer.value, "text": f"r{number}"}
            answer = await client.post("/api/messages/send", json=body, headers=ann.headers | {"Idempotency-Key": f"k{number}"})
            assert answer.status_code == 202, answer.text
            id = ids.parse(ids.MESSAGE, answer.json()["id"])
            if dice.random() < 0.9:
                await world.handle([a_sent(tenant, line, id, f"S{number}", chat=customer, at=at)])
    return other


async def recounted(world: Any, zone: tzinfo = ZONE) -> tuple[Counter[Any], Counter[Any], list[Any]]:
    """What the messages say, message by message."""
    rows = await world.rows("select * from messages where not history order by at, id")
    rows = [row for row in rows if row["kind"] not in NOTES]
    hours: Counter[Any] = Counter()
    chats: Counter[Any] = Counter()
    waits, waiting = [], {}
    for row in rows:
        local = row["at"].astimezone(zone)
        sent = row["status"] in ("sent", "delivered", "read", "played")
        way = "sent" if row["from_me"] else "received"
        if sent or not row["from_me"]:
            hours[local.replace(minute=0, second=0, microsecond=0, tzinfo=None), row["device"], way] += 1
            chats[local.date(), row["chat"], (row["author"] if row["from_me"] else None), way] += 1
        if not row["from_me"]:
            waiting.setdefault(row["chat"], row["at"])
        elif row["chat"] in waiting and row["status"] != "failed":
            waits.append((row["chat"], waiting.pop(row["chat"]), row["at"], row["author"]))
    return hours, chats, sorted(waits)


async def kept(world: Any) -> tuple[Counter[Any], Counter[Any], list[Any]]:
    """What the figures say."""
    hours: Counter[Any] = Counter()
    chats: Counter[Any] = Counter()
    for row in await world.rows("select * from figure_hours"):
        hours[row["hour"], row["device"], "received"] += row["received"]
        hours[row["hour"], row["device"], "sent"] += row["sent"]
    for row in await world.rows("select * from figure_chats"):
        chats[row["day"], row["chat"], row["author"] if row["author"].int else None, "sent"] += row["sent"]
        chats[row["day"], row["chat"], None, "received"] += row["received"]
    waits = [(r["chat"], r["asked_at"], r["answered_at"], r["author"]) for r in await world.rows("select * from figure_responses")]
    return +hours, +chats, sorted(waits)


async def count(world: Any, *, seed: int = 1, twice: bool = False) -> None:
    told = [one for one in await world.told() if isinstance(one.data, MessageReceived | MessageConfirmed)]
    told = told * 2 if twice else told
    random.Random(seed).shuffle(told)
    handle = figures.handler(world.db)
    while told:
        await handle(told[:7])
        del told[:7]


async def test_the_figures_equal_a_recount_in_any_order_and_with_repeats(world, story):
    await count(world, twice=True)
    assert await kept(world) == await recounted(world)
    assert len((await kept(world))[2]) >= 5


async def test_the_dashboard_sums_up_a_period_beside_the_one_before(world, client, story, tenant, ann, signed_in):
    await count(world)
    boss = signed_in(Role.OWNER, tenant)
    today = datetime.now(UTC).astimezone(ZONE).date()
    query = {"first": str(today - timedelta(days=3)), "last": str(today)}
    body = (await client.get("/api/dashboard", params=query, headers=boss.headers)).json()
    hours, chats, waits = await recounted(world)
    received = sum(number for (*_, way), number in hours.items() if way == "received")
    sent = sum(number for (*_, way), number in hours.items() if way == "sent")
    period = body["period"]
    assert (period["received"], period["sent"]) == (received, sent)
    assert period["active"] == len({chat for _, chat, _, _ in chats})
    assert period["first_response"]["count"] == len(waits)
    assert (body["previous"]["received"], body["previous"]["first_response"]["median_seconds"]) == (0, None)
    assert sum(day["received"] for day in body["days"]) == sum(hour["received"] for hour in body["hours"]) == received
    assert len(body["days"]) == 4
    [agent] = body["agents"]
    mine = {chat for _, chat, author, _ in chats if author == ann.principal.id}
    assert (agent["name"], agent["handled"]) == ("Ann Soto", len(mine))
    of_ann = [(answered - asked).total_seconds() for _, asked, answered, author in waits if author == ann.principal.id]
    assert agent["first_response"]["count"] == len(of_ann) > 0
    assert agent["first_response"]["median_seconds"] == pytest.approx(median(of_ann))
    of_all = [(answered - asked).total_seconds() for _, asked, answered, _ in waits]
    assert period["first_response"]["median_seconds"] == pytest.approx(median(of_all))
    of_numbers = Counter(
        ids.public(ids.DEVICE, device) for (_, device, way), number in hours.items() if way == "received" for _ in range(number)
    )
    assert {number["id"]: number["received"] for number in body["numbers"]} == of_numbers
    assert sum(number["active"] for number in body["numbers"]) == period["active"]
    of_hours = Counter(hour.hour for (hour, _, way), number in hours.items() if way == "received" for _ in range(number))
    assert [hour["received"] for hour in body["hours"]] == [of_hours[hour] for hour in range(24)]
    assert sum(number["sent"] for number in body["numbers"]) == sent
    assert body["unassigned_now"] <= body["open_now"]


async def test_who_sees_one_number_sees_its_figures_alone(world, client, bus, story, tenant, device, signed_in, limited):
    await count(world)
    agent = signed_in(Role.AGENT, tenant)
    await limited(agent, story)
    today = datetime.now(UTC).astimezone(ZONE).date()
    query = {"first": str(today - timedelta(days=3)), "last": str(today)}

    async def numbers() -> set[str]:
        body = (await client.get("/api/dashboard", params=query, headers=agent.headers)).json()
        return {number["id"] for number in body["numbers"]}

    async def limited_now() -> bool:
        return await numbers() == {ids.public(ids.DEVICE, story)}

    await eventually(limited_now)
    hidden = await client.get("/api/dashboard", params=query | {"device_id": ids.public(ids.DEVICE, device)}, headers=agent.headers)
    assert (hidden.json()["period"]["received"], hidden.json()["numbers"], hidden.json()["agents"]) == (0, [], [])


async def test_an_export_is_a_table_without_formulas(world, client, story, tenant, signed_in):
    await count(world)
    today = datetime.now(UTC).astimezone(ZONE).date()
    query = {"table": "numbers", "first": str(today - timedelta(days=3)), "last": str(today)}
    answer = await client.get("/api/dashboard/export", params=query, headers=signed_in(tenant=tenant).headers)
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.lstrip("\ufeff").splitlines()
    assert lines[0] == "id,name,received,sent,active"
    assert any(",'=cmd()," in line for line in lines)


@pytest.mark.parametrize(
    ("first", "last", "instead"),
    [
        ("2026-02-02", "2026-02-01", "a last day from 2026-02-02 on"),
        ("2020-01-01", "2026-01-01", "closer together"),
        ("0001-01-01", "0001-01-01", "a later first day"),
    ],
)
async def test_a_period_that_is_none_is_refused_with_what_to_give_instead(client, tenant, signed_in, first, last, instead):
    for path in ("/api/dashboard", "/api/dashboard/export"):
        answer = await client.get(path, params={"first": first, "last": last}, headers=signed_in(tenant=tenant).headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "period-invalid")
        assert instead in answer.json()["detail"]


async def test_a_new_account_has_a_dashboard_of_zeros(client, tenant, signed_in):
    body = (await client.get("/api/dashboard", headers=signed_in(tenant=tenant).headers)).json()
    assert (body["period"]["received"], body["agents"], len(body["days"]), len(body["hours"])) == (0, [], 1, 24)
    assert date.fromisoformat(body["period"]["first"])

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from contracts import access, ids, subjects
from contracts.envelope import Envelope, wrap
from contracts.events.auth import DeadLettersDropped, DeadLettersReplayed
from contracts.events.devices import DeviceDeleted
from contracts.ids import TenantId
from servicekit.bus import Bus, Item, dlq
from servicekit.db import Database
from servicekit.testing import eventually
from sqlalchemy import text

from .conftest import Answer, Caller, an_owner, signed_in

DURABLE = "webhooks-events"
SECRET = "the-customer-wrote-this"


@pytest_asyncio.fixture
async def installer(call: Caller, db: Database) -> Caller:
    """The installation's owner, signed in."""
    answer = await call.register("root@example.com", account="Clarin")
    async with db.transaction(TenantId(ids.parse(ids.ACCOUNT, answer.body["account"]["id"]))) as tx:
        await tx.execute(text("update users set installation = true"))
    return await signed_in(call, "root@example.com")


async def bury(bus: Bus, count: int, durable: str = DURABLE, tenant: TenantId | None = None) -> None:
    """So many messages of *tenant* could not be handled."""
    subject = subjects.of(wrap(tenant or TenantId(uuid4()), DeviceDeleted(id="dev_1")))
    headers = {
        dlq.SUBJECT: subject,
        dlq.STREAM: subjects.EVENTS,
        dlq.SEQUENCE: "17",
        dlq.ERROR: "KeyError",
        dlq.CODE: "bug",
        dlq.ATTEMPTS: "6",
        dlq.FIRST_SEEN: datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
    }
    dead = subjects.dead(durable.partition("-")[0], durable)
    await bus.publish_items([Item(dead, str(uuid4()), SECRET.encode(), headers) for _ in range(count)])


async def listed(installer: Caller, query: str = "") -> list[int]:
    answer = await installer("GET", f"/api/ops/dead-letters{query}")
    assert answer.status == 200, answer
    return [item["id"] for item in answer.body["items"]]


async def test_the_owner_of_the_installation_sees_how_far_every_durable_is(installer: Caller, bus: Bus) -> None:
    await bury(bus, 2)

    async def seen() -> dict[str, Any]:
        answer = await installer("GET", "/api/ops/queues")
        assert (answer.status, answer.body["next_cursor"]) == (200, None)
        found = {item["durable"]: item for item in answer.body["items"]}
        assert (found["auth-activity"]["state"], found["auth-numbers"]["state"]) == ("idle", "idle")
        return found

    found = await eventually(seen)
    assert set(found) == {durable for mine in access.EVERY.values() for _, durable in mine.durables}
    idle = {"pending": 0, "in_hand": 0, "redelivered": 0, "quiet_seconds": None, "fetching": True, "dead_letters": 0, "returning": 0}
    assert found["auth-numbers"] == {"service": "auth", "durable": "auth-numbers", "stream": "EVENTS", "state": "idle", **idle}
    assert (found[DURABLE]["state"], found[DURABLE]["dead_letters"]) == ("absent", 2)


async def test_dead_letters_are_listed_the_latest_first_with_whose_they_are_and_without_what_they_say(
    call: Caller, installer: Caller, bus: Bus
) -> None:
    owner = await an_owner(call)
    account = (await owner("GET", "/api/account")).body
    await bury(bus, 3)
    await bury(bus, 2, "bot-events", TenantId(ids.parse(ids.ACCOUNT, account["id"])))
    first = await installer("GET", "/api/ops/dead-letters?limit=2")
    assert SECRET not in str(first.body)
    one = first.body["items"][0]
    assert one.pop("at") > "2026"
    assert one == {
        "id": 5,
        "service": "bot",
        "durable": "bot-events",
        "subject": f"evt.devices.device.deleted.v1.{ids.parse(ids.ACCOUNT, account['id'])}",
        "type": "devices.device.deleted",
        "stream": "EVENTS",
        "sequence": 17,
        "first_seen": "2026-01-01T00:00:00Z",
        "error": "KeyError",
        "code": "bug",
        "attempts": 6,
        "account": {"id": account["id"], "name": "Panadería Sol"},
    }
    then = await installer("GET", f"/api/ops/dead-letters?limit=2&cursor={first.body['next_cursor']}")
    assert [(item["id"], item["account"]) for item in then.body["items"]] == [(3, None), (2, None)]
    assert await listed(installer, f"?cursor={then.body['next_cursor']}&limit=2") == [1]
    assert await listed(installer, "?durable=bot-events") == [5, 4]
    assert await listed(installer, "?service=webhooks") == [3, 2, 1]
    assert await listed(installer, "?service=bot&durable=webhooks-events") == []
    other = await installer("GET", f"/api/ops/dead-letters?service=bot&cursor={first.body['next_cursor']}")
    assert (other.status, other.code) == (422, "bad-cursor")


async def test_one_that_is_given_back_is_gone_and_comes_to_its_durable_alone(
    installer: Caller, bus: Bus, told: list[Envelope[Any]]
) -> None:
    await bury(bus, 2)
    again: list[tuple[str, bytes]] = []

    async def hear(subject: str, payload: bytes) -> None:
        again.append((subject, payload))

    heard = await bus.listen("dlq.*.*.again", hear)
    key = {"Idempotency-Key": "once"}
    for _ in range(2):
        given = await installer("POST", "/api/ops/dead-letters/replay", {"id": 1}, headers=key)
        assert (given.status, given.body) == (200, {"count": 1, "more": False, "until": None})
    assert await eventually(lambda: again) == [(f"dlq.webhooks.{DURABLE}.again", SECRET.encode())]
    await heard.close()
    for what in ("replay", "drop"):
        gone = await installer("POST", f"/api/ops/dead-letters/{what}", {"id": 1})
        assert (gone.status, gone.code) == (410, "dead-letter-gone")
    other = await installer("POST", "/api/ops/dead-letters/replay", {"id": 2}, headers=key)
    assert (other.status, other.code) == (409, "idempotency-mismatch")
    assert await listed(installer) == [2]
    facts = await eventually(lambda: [fact.data for fact in told if isinstance(fact.data, DeadLettersReplayed)])
    assert [(fact.durable, fact.count, fact.letter) for fact in facts] == [(DURABLE, 1, 1)]


async def test_all_of_a_durable_are_given_back_or_dropped_up_to_the_last_one_that_was_seen(
    installer: Caller, bus: Bus, told: list[Envelope[Any]]
) -> None:
    await bury(bus, 60)
    await bury(bus, 2, "bot-events")
    answer = await installer("POST", "/api/ops/dead-letters/replay", {"durable": DURABLE, "until": 55})
    assert (answer.status, answer.body) == (200, {"count": 55, "more": False, "until": 55})
    assert await listed(installer, f"?durable={DURABLE}") == [60, 59, 58, 57, 56]
    answer = await installer("POST", "/api/ops/dead-letters/drop", {"durable": DURABLE, "until": 59})
    assert (answer.status, answer.body["count"]) == (200, 4)
    assert await listed(installer) == [62, 61, 60]
    answer = await installer("POST", "/api/ops/dead-letters/replay", {"durable": DURABLE})
    assert (answer.body["count"], answer.body["more"]) == (1, False)
    answer = await installer("POST", "/api/ops/dead-letters/drop", {"id": 61})
    assert (answer.body["count"], await listed(installer)) == (1, [62])
    nothing = await installer("POST", "/api/ops/dead-letters/drop", {"durable": DURABLE})
    assert (nothing.status, nothing.body["count"]) == (200, 0)
    await eventually(lambda: len([fact for fact in told if isinstance(fact.data, DeadLettersReplayed | DeadLettersDropped)]) == 4)
    done = {(line["kind"], line["target"]) for line in await eventually(lambda: activity(installer, 4))}
    assert done == {
        ("dead_letter.replayed", DURABLE),
        ("dead_letter.dropped", DURABLE),
        ("dead_letter.dropped", "bot-events"),
    }


async def activity(installer: Caller, count: int) -> list[dict[str, Any]]:
    """What the record says of dead letters, once it has so many lines."""
    lines: list[dict[str, Any]] = (await installer("GET", "/api/activity?kind=dead_letter")).body["items"]
    assert len(lines) == count
    assert {line["actor"]["kind"] for line in lines} == {"user"}
    return lines


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": 1, "durable": DURABLE},
        {"id": 1, "until": 2},
        {"id": 0},
        {"until": 3},
        {"durable": "webhooks-*"},
        {"durable": ">"},
        {"durable": "webhooks.events"},
        {"id": "1; drop"},
        {"id": 10**30},
        {"ids": [1]},
    ],
)
async def test_what_names_no_letters_settles_none(installer: Caller, bus: Bus, body: dict[str, Any]) -> None:
    await bury(bus, 2)
    for what in ("replay", "drop"):
        answer = await installer("POST", f"/api/ops/dead-letters/{what}", body)
        assert (answer.status, answer.code) == (422, "invalid")
    assert await listed(installer) == [2, 1]


REQUESTS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/api/ops/queues", None),
    ("GET", "/api/ops/dead-letters", None),
    ("POST", "/api/ops/dead-letters/replay", {"durable": DURABLE}),
    ("POST", "/api/ops/dead-letters/drop", {"id": 1}),
)


async def test_nobody_else_sees_or_settles_anything(call: Caller, installer: Caller, bus: Bus) -> None:
    await bury(bus, 1)
    owner = await an_owner(call)
    for method, path, body in REQUESTS:
        refused = await owner(method, path, body)
        assert (refused.status, refused.code) == (403, "installation-only"), path
    assert await listed(installer) == [1]


async def test_with_the_bus_away_it_says_so_and_nothing_is_done(call: Caller, installer: Caller, nats: Any, bus: Bus) -> None:
    await bury(bus, 1)
    nats.kill()
    answers: list[Answer] = [await installer(method, path, body) for method, path, body in REQUESTS]
    assert [(answer.status, answer.code) for answer in answers] == [(503, "bus-away")] * len(REQUESTS)
    nats.start()

    async def back() -> bool:
        answer = await installer("GET", "/api/ops/queues")
        return answer.status == 200

    await eventually(back)

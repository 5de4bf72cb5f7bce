from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest
from auth.domain.activity import BODIES, deed
from contracts import examples, ids
from contracts.envelope import wrap
from contracts.events import conversations, devices
from contracts.ids import TenantId
from contracts.principal import Actor
from contracts.views import MessageStatus
from servicekit.bus import Bus
from servicekit.testing import eventually

from .conftest import Caller, an_owner, let_in, signed_in

AT = datetime(2026, 11, 21, 18, tzinfo=UTC)
DEVICE = ids.public(ids.DEVICE, ids.new())


def a_device(**changes: Any) -> devices.DeviceChanged:
    values: dict[str, Any] = {"id": DEVICE, "name": "Ventas", "state": devices.DeviceState.NEW, "revision": 1, "at": AT}
    return devices.DeviceChanged(**(values | changes))


def test_every_fact_of_the_durable_has_an_example_that_becomes_a_line_or_is_left_out_on_purpose():
    lines = {type(envelope.data): deed(envelope) for envelope in examples.envelopes() if isinstance(envelope.data, BODIES)}
    assert set(lines) == set(BODIES)
    assert all(line.target for line in lines.values() if line is not None)
    unsaid = {type(e.data) for e in examples.envelopes() if type(e.data) in lines and lines[type(e.data)] is None}
    assert all(getattr(e.data, "actor", None) is None for e in examples.envelopes() if type(e.data) in unsaid)


def test_every_fact_that_names_who_did_it_becomes_a_line_of_theirs():
    told = [e for e in examples.envelopes() if getattr(e.data, "actor", None) is not None]
    assert {"evt"} == {e.data.topic.kind for e in told}
    for one in told:
        line = deed(one)
        assert line is not None, one.type
        assert (line.actor, line.actor_kind) == (one.data.actor.id, one.data.actor.kind), one.type


@pytest.mark.parametrize(
    ("state", "revision", "kind"),
    [
        (devices.DeviceState.NEW, 1, None),
        (devices.DeviceState.BANNED, 7, "device.banned"),
        (devices.DeviceState.LOGGED_OUT, 7, "device.logged_out"),
        (devices.DeviceState.CONNECTED, 7, None),
        (devices.DeviceState.DISCONNECTED, 8, None),
    ],
)
def test_a_session_that_comes_and_goes_is_no_news(state: devices.DeviceState, revision: int, kind: str | None):
    line = deed(wrap(TenantId(ids.new()), a_device(state=state, revision=revision)))
    assert (line and line.kind) == kind


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        ("add", "added"),
        ("rename", "renamed"),
        ("connect", "connect"),
        ("disconnect", "disconnect"),
        ("logout", "logout"),
        ("delete", "deleted"),
    ],
)
@pytest.mark.parametrize("doer", ["user", "key"])
def test_what_somebody_orders_of_a_number_is_a_line_of_theirs(order: str, kind: str, doer: Any):
    actor = Actor(id=ids.new(), kind=doer, address="192.0.2.7")
    line = deed(wrap(TenantId(ids.new()), devices.DeviceOrdered(id=DEVICE, name="Ventas", order=order, actor=actor)))
    assert line is not None
    assert (line.kind, line.actor, line.actor_kind, line.address) == (f"device.{kind}", actor.id, doer, "192.0.2.7")
    assert line.target == DEVICE


@pytest.mark.parametrize("reason", ["by-user", "logging-out"])
def test_a_standing_that_was_ordered_is_not_told_twice(reason: str):
    assert deed(wrap(TenantId(ids.new()), a_device(state=devices.DeviceState.LOGGED_OUT, revision=4, reason=reason))) is None


@pytest.mark.parametrize("origin", ["bot", "automation", "schedule"])
def test_a_message_that_a_rule_wrote_is_a_line_of_the_rule(origin: Any):
    message = msgspec.structs.replace(a_message(None), origin=origin)
    line = deed(wrap(TenantId(ids.new()), message))
    assert line is not None
    assert (line.actor, line.actor_kind) == (None, origin)


def a_message(author: str | None) -> conversations.MessageQueued:
    return conversations.MessageQueued(
        id=ids.public(ids.MESSAGE, ids.new()),
        chat_id=ids.public(ids.CHAT, ids.new()),
        device_id=DEVICE,
        author_id=author,
        from_me=True,
        kind="text",
        status=MessageStatus.QUEUED,
        at=AT,
        text="Hola",
    )


def an_order(user: str) -> devices.DeviceOrdered:
    return devices.DeviceOrdered(id=DEVICE, name="Ventas", order="add", actor=Actor(id=ids.parse(ids.USER, user)))


async def lines(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    answer = await caller("GET", f"/api/activity?limit=100{query}")
    assert answer.status == 200, answer
    found: list[dict[str, Any]] = answer.body["items"]
    return found


async def test_who_did_what_is_on_record_once_the_latest_first(call: Caller, bus: Bus) -> None:
    call.headers["X-Real-Ip"] = "192.0.2.7"
    owner = await an_owner(call)
    beto = await let_in(owner, "beto@example.com")
    me = (await owner("GET", "/api/auth/me")).body["user"]
    tenant = TenantId(ids.parse(ids.ACCOUNT, me["account_id"]))
    message, added = wrap(tenant, a_message(beto["id"])), wrap(tenant, an_order(beto["id"]))
    await bus.publish(message, added, wrap(tenant, a_device(state=devices.DeviceState.CONNECTED, revision=2)))

    async def complete() -> bool:
        return len(await lines(owner)) == 6

    await eventually(complete)
    found = {line["kind"]: line for line in await lines(owner)}
    assert set(found) == {"account.registered", "user.joined", "user.created", "session.opened", "message.queued", "device.added"}
    made = found["user.created"]
    assert (made["target"], made["address"]) == (beto["id"], "192.0.2.7")
    assert (found["user.joined"]["target"], found["user.joined"]["actor"]["id"]) == (me["id"], me["id"])
    by_beto = await lines(owner, f"&actor={beto['id']}")
    assert {(line["kind"], line["target"]) for line in by_beto} == {("message.queued", message.data.id), ("device.added", DEVICE)}
    assert all(line["actor"] == {"kind": "user", "id": beto["id"], "name": "beto"} for line in by_beto)
    assert [line["kind"] for line in await lines(owner, f"&target={DEVICE}")] == ["device.added"]
    assert await lines(owner, "&actor=bot") == []
    by_me = await lines(owner, f"&actor={me['id']}")
    assert [line["kind"] for line in by_me if line["kind"] != "user.joined"] == ["user.created", "session.opened"]
    assert all(line["address"] == "192.0.2.7" for line in by_me if line["kind"] != "user.joined")
    assert [line["kind"] for line in await lines(owner, "&kind=session")] == ["session.opened"]
    assert await lines(owner, "&kind=sess") == []
    assert await lines(owner, "&after=2100-01-01T00:00:00Z") == []
    assert len(await lines(owner, "&before=2100-01-01T00:00:00Z")) == 6
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await owner("GET", f"/api/activity?limit=4{cursor}")).body
        seen += [line["id"] for line in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [line["id"] for line in await lines(owner)]
    assert len(set(seen)) == 6


async def test_a_fact_that_comes_twice_is_one_line_and_no_line_is_ever_changed(call: Caller, settings: Any, db: Any) -> None:
    from auth import consumers

    owner = await an_owner(call)
    tenant = TenantId(ids.parse(ids.ACCOUNT, (await owner("GET", "/api/account")).body["id"]))
    fact = wrap(tenant, msgspec.structs.replace(a_message(None), origin="bot"))
    handle = consumers.activity(db).handle
    for _ in range(2):
        await handle([fact, fact])
    (line,) = await lines(owner, "&actor=bot")
    assert line["actor"] == {"kind": "bot", "id": None, "name": None}
    service = await asyncpg.connect(settings.database_url)
    try:
        for statement in ("update activity set kind = 'x'", "delete from activity"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(statement)
    finally:
        await service.close()


async def test_a_line_about_something_that_is_gone_says_so(call: Caller, db: Any) -> None:
    from auth import consumers

    owner = await an_owner(call)
    tenant = TenantId(ids.parse(ids.ACCOUNT, (await owner("GET", "/api/account")).body["id"]))
    other = TenantId(ids.new())
    actor = Actor(id=ids.new())
    kept, deleted = (ids.public(ids.DEVICE, ids.new()) for _ in range(2))
    contact = ids.public(ids.CONTACT, ids.new())
    orders = [(tenant, kept, "connect"), (tenant, deleted, "connect"), (tenant, deleted, "delete"), (other, kept, "delete")]
    erased = conversations.ContactErased(id=contact, erasure_id=ids.public(ids.ERASURE, ids.new()), at=AT, actor=actor)
    facts = [wrap(whose, devices.DeviceOrdered(id=id, name="Ventas", order=order, actor=actor)) for whose, id, order in orders]
    await consumers.activity(db).handle([*facts, wrap(tenant, erased)])
    found = {(line["target"], line["kind"]): line["gone"] for line in await lines(owner) if line["target"] in (kept, deleted, contact)}
    assert found == {
        (kept, "device.connect"): False,
        (deleted, "device.connect"): True,
        (deleted, "device.deleted"): True,
        (contact, "contact.erased"): True,
    }
    # Nor is it told otherwise where the line that says so is on another page.
    assert [line["gone"] for line in await lines(owner, f"&kind=device.connect&target={deleted}")] == [True]


async def test_the_record_is_for_who_is_in_charge_of_the_account_alone(call: Caller) -> None:
    owner, eva = await an_owner(call), await an_owner(call, "eva@example.com")
    await let_in(owner, "beto@example.com")
    agent = await signed_in(call, "beto@example.com")
    assert (await agent("GET", "/api/activity")).status == 403

    async def written() -> bool:
        return len(await lines(owner)) >= 5

    await eventually(written)
    hers = {line["target"] for line in await lines(eva)}
    assert hers.isdisjoint(line["target"] for line in await lines(owner))
    assert (await owner("GET", "/api/activity?actor=nonsense")).status == 422

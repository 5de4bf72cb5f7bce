from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from auth.domain.activity import BODIES, deed
from contracts import examples, ids
from contracts.envelope import wrap
from contracts.events import conversations, devices
from contracts.ids import TenantId
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
    assert all(line is not None and line.target for line in lines.values())


@pytest.mark.parametrize(
    ("state", "revision", "kind"),
    [
        (devices.DeviceState.NEW, 1, "device.added"),
        (devices.DeviceState.BANNED, 7, "device.banned"),
        (devices.DeviceState.LOGGED_OUT, 7, "device.logged_out"),
        (devices.DeviceState.CONNECTED, 7, None),
        (devices.DeviceState.DISCONNECTED, 8, None),
    ],
)
def test_a_session_that_comes_and_goes_is_no_news(state: devices.DeviceState, revision: int, kind: str | None):
    line = deed(wrap(TenantId(ids.new()), a_device(state=state, revision=revision)))
    assert (line and line.kind) == kind


def a_message(author: str) -> conversations.MessageQueued:
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
    message, added = wrap(tenant, a_message(beto["id"])), wrap(tenant, a_device())
    await bus.publish(message, added, wrap(tenant, a_device(state=devices.DeviceState.CONNECTED, revision=2)))

    async def complete() -> bool:
        return len(await lines(owner)) == 6

    await eventually(complete)
    found = {line["kind"]: line for line in await lines(owner)}
    assert set(found) == {"account.registered", "user.created", "session.opened", "message.queued", "device.added"}
    made = found["user.created"]
    assert (made["target"], made["address"]) in ((beto["id"], "192.0.2.7"), (me["id"], None))
    (by_beto,) = await lines(owner, f"&actor={beto['id']}")
    assert by_beto["actor"] == {"kind": "user", "id": beto["id"], "name": "beto"}
    assert (by_beto["kind"], by_beto["target"]) == ("message.queued", message.data.id)
    by_me = await lines(owner, f"&actor={me['id']}")
    assert [line["kind"] for line in by_me] == ["user.created", "session.opened"]
    assert all(line["address"] == "192.0.2.7" for line in by_me)
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
    fact = wrap(tenant, a_device())
    handle = consumers.activity(db).handle
    for _ in range(2):
        await handle([fact, fact])
    assert len(await lines(owner, "&kind=device.added")) == 1
    service = await asyncpg.connect(settings.database_url)
    try:
        for statement in ("update activity set kind = 'x'", "delete from activity"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(statement)
    finally:
        await service.close()


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

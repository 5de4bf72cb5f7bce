"""A number's settings, queue, meter and history over HTTP, on a real database, without a worker."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from contracts import ids
from contracts.commands import ErasePerson, MarkRead, SendMessage
from contracts.envelope import decode, wrap
from contracts.events.auth import AccountChanged, AccountRegistered, Limits
from contracts.ids import DeviceId, MessageId
from contracts.principal import Role
from contracts.whatsapp import Address
from device_worker import erasing, timers
from device_worker.domain import governor
from device_worker.sessions import Filters
from device_worker.store import accounts, devices, erasures, fences, history, meters, peers, sends
from device_worker.whatsapp.store import StoreAway
from servicekit.db import raw

FENCE = 7


async def a_device(client: httpx.AsyncClient) -> str:
    return str((await client.post("/api/devices", json={"name": "Ventas"})).json()["id"])


def inner(device: str) -> DeviceId:
    return DeviceId(ids.parse(ids.DEVICE, device))


async def queued(db: Any, tenant: Any, device: str, *people: str) -> list[str]:
    """A message to each of *people*; their public ids."""
    orders = [
        SendMessage(
            message=MessageId(ids.new()),
            device=inner(device),
            to=Address("pn", person),
            kind="text",
            text="hola",
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        for person in people
    ]
    async with db.transaction(tenant) as tx:
        await sends.insert(tx, [wrap(tenant, order) for order in orders])
    return [ids.public(ids.MESSAGE, order.message) for order in orders]


async def told(system_db: Any, kind: str) -> list[Any]:
    async with system_db.system() as tx:
        rows = await (await raw(tx)).fetch("select payload from outbox order by id")
    return [envelope.data for row in rows if (envelope := decode(row["payload"])).type == kind]


async def first(system_db: Any, device: str) -> Any:
    shard = sends.shard_of(inner(device))
    async with system_db.system() as tx:
        await fences.claim(tx, {shard: FENCE}, "w")
        fence = await (await raw(tx)).fetchval("select fence from shards where shard = $1", shard)
        return await sends.first(tx, shard, fence, inner(device))


async def test_what_is_set_of_a_number_is_kept_and_shown_without_the_proxys_password(client, system_db, tenant):
    device = await a_device(client)
    before = (await client.get(f"/api/devices/{device}/settings")).json()
    assert before["pace"]["enabled"] is True
    assert (before["proxy"], before["labels"], before["metadata"], before["shown_as"]) == (None, [], {}, None)
    changed = await client.patch(
        f"/api/devices/{device}/settings",
        json={
            "pace": {"per_minute": 20, "quiet": {"start": "21:00", "end": "08:00"}},
            "receive": {"groups": True},
            "labels": ["norte", "ventas", "norte"],
            "metadata": {"crm": {"id": 7}},
            "shown_as": "Ventas norte",
            "proxy": "socks5://ana:s3cr3t@127.0.0.1:1080",
        },
    )
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["pace"]["per_minute"], shown["pace"]["burst"]) == (20, before["pace"]["burst"])
    assert shown["pace"]["quiet"] == {"start": "21:00:00", "end": "08:00:00", "answers": True, "time_zone": None}
    assert (shown["labels"], shown["metadata"], shown["receive"]["groups"]) == (["norte", "ventas"], {"crm": {"id": 7}}, True)
    assert shown["proxy"] == "socks5://•••@127.0.0.1:1080"
    assert (await client.get(f"/api/devices/{device}/settings")).json() == shown
    assert (await client.get(f"/api/devices/{device}")).json()["labels"] == ["norte", "ventas"]
    assert [item["id"] for item in (await client.get("/api/devices", params={"label": "norte"})).json()["items"]] == [device]
    assert (await client.get("/api/devices", params={"label": "sur"})).json()["items"] == []
    async with system_db.system() as tx:
        stored = await (await raw(tx)).fetchrow("select settings::text as settings, proxy from devices")
        kept = await (await raw(tx)).fetch("select payload from outbox")
    assert b"s3cr3t" not in stored["proxy"]
    assert not any("s3cr3t" in text for text in (stored["settings"], changed.text, *(row["payload"].decode() for row in kept)))

    again = (await client.patch(f"/api/devices/{device}/settings", json={"proxy": None, "pace": None, "labels": None})).json()
    assert (again["proxy"], again["pace"], again["labels"], again["shown_as"]) == (None, before["pace"], [], "Ventas norte")


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"pace": {"per_minute": 0}}, "settings-invalid"),
    ({"pace": {"per_minute": None}}, "settings-invalid"),
    ({"pace": {"gap_min_ms": 60_000}}, "settings-invalid"),
    ({"pace": {"quiet": {"start": "21:00"}}}, "settings-invalid"),
    ({"pace": {"quiet": {"start": "9", "end": "08:00"}}}, "invalid"),
    ({"labels": ["x" * 41]}, "settings-invalid"),
    ({"labels": ["\x00"]}, "settings-invalid"),
    ({"metadata": {"x": "y" * 4096}}, "settings-invalid"),
    ({"metadata": []}, "invalid"),
    ({"shown_as": " "}, "settings-invalid"),
    ({"proxy": "ftp://proxy:1"}, "proxy-invalid"),
    ({"proxy": "proxy"}, "proxy-invalid"),
    ({"surprise": 1}, "invalid"),
    ({"pace": {"surprise": 1}}, "invalid"),
]


async def test_what_makes_no_sense_is_refused_and_changes_nothing(client):
    device = await a_device(client)
    before = (await client.get(f"/api/devices/{device}/settings")).json()
    for body, code in NONSENSE:
        refused = await client.patch(f"/api/devices/{device}/settings", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, code), body
    assert (await client.get(f"/api/devices/{device}/settings")).json() == before


async def test_a_proxy_inside_is_refused_where_it_may_not_be(client):
    device = await a_device(client)
    app = client._transport.app
    app.state.private_proxies = False
    for inside in ("http://127.0.0.1:3128", "http://10.1.2.3:80", "socks5://[::1]:1080", "http://169.254.169.254:80", "http://localhost:1"):
        refused = await client.patch(f"/api/devices/{device}/settings", json={"proxy": inside})
        assert (refused.status_code, refused.json()["code"]) == (422, "proxy-invalid"), inside
    outside = await client.patch(f"/api/devices/{device}/settings", json={"proxy": "http://1.1.1.1:3128"})
    assert outside.json()["proxy"] == "http://1.1.1.1:3128"


async def test_the_queue_is_shown_in_its_order_and_what_has_not_started_can_be_cancelled(client, db, system_db, tenant):
    device = await a_device(client)
    messages = await queued(db, tenant, device, "5215550000001", "5215550000002", "5215550000003", "5215550000004")
    async with db.transaction(tenant) as tx:
        read = MarkRead(device=inner(device), chat=Address("pn", "5215550000001"), wa_ids=["A"], at=datetime.now(UTC))
        await sends.insert(tx, [wrap(tenant, read)])
    page = (await client.get(f"/api/devices/{device}/sends", params={"limit": 3})).json()
    assert ([item["message_id"] for item in page["items"]], [item["position"] for item in page["items"]]) == (messages[:3], [1, 2, 3])
    assert (page["queued"], page["reasons"], page["items"][0]["to"]) == (4, {}, {"kind": "pn", "value": "5215550000001"})
    rest = (await client.get(f"/api/devices/{device}/sends", params={"limit": 3, "cursor": page["next_cursor"]})).json()
    assert [(item["message_id"], item["position"]) for item in rest["items"]] == [(messages[3], 4)]

    async with system_db.system() as tx:
        await (await raw(tx)).execute("update sends set status = 'sending', fence = 1 where id = $1", ids.parse(ids.MESSAGE, messages[0]))
    late = await client.delete(f"/api/devices/{device}/sends/{messages[0]}")
    assert (late.status_code, late.json()["code"], late.json()["state"]) == (409, "send-started", "sending")
    assert (await client.delete(f"/api/devices/{device}/sends/{messages[1]}")).status_code == 204
    assert (await client.delete(f"/api/devices/{device}/sends/{messages[1]}")).json()["code"] == "send-started"
    nobody = ids.public(ids.MESSAGE, ids.new())
    assert (await client.delete(f"/api/devices/{device}/sends/{nobody}")).json()["code"] == "send-not-found"
    other = await a_device(client)
    assert (await client.delete(f"/api/devices/{other}/sends/{messages[2]}")).json()["code"] == "send-not-found"

    assert (await client.delete(f"/api/devices/{device}/sends", params={"reason": "paced"})).json() == {"cancelled": 0}
    assert (await client.delete(f"/api/devices/{device}/sends")).json() == {"cancelled": 2}
    left = (await client.get(f"/api/devices/{device}/sends")).json()
    assert ([(item["message_id"], item["status"]) for item in left["items"]], left["queued"]) == ([(messages[0], "sending")], 0)
    failed = (await client.get(f"/api/devices/{device}/sends", params={"status": "failed"})).json()["items"]
    assert [(item["message_id"], item["reason"]) for item in failed] == [(id, "cancelled") for id in messages[1:]]
    ended = await told(system_db, "devices.message.unsent")
    assert {(ids.public(ids.MESSAGE, one.message), one.outcome, one.reason) for one in ended} == {
        (id, "failed", "cancelled") for id in messages[1:]
    }


async def test_a_chat_that_is_held_is_passed_by_others_says_why_and_goes_when_they_write(client, db, system_db, tenant):
    device = await a_device(client)
    stranger, known = "5215550000001", "5215550000002"
    one, two, three = await queued(db, tenant, device, stranger, known, stranger)
    until = datetime.now(UTC) + timedelta(hours=5)
    taken = await first(system_db, device)
    async with system_db.system() as tx:
        await sends.hold(tx, taken.send, "new-contacts", until, datetime.now(UTC))
    waiting = await told(system_db, "devices.message.unsent")
    assert {(ids.public(ids.MESSAGE, w.message), w.outcome, w.reason, w.until) for w in waiting} == {
        (one, "waiting", "new-contacts", until),
        (three, "waiting", "new-contacts", until),
    }
    next_one = await first(system_db, device)
    assert ids.public(ids.MESSAGE, next_one.send.id) == two
    shown = (await client.get(f"/api/devices/{device}/sends")).json()
    assert [item["reason"] for item in shown["items"]] == ["new-contacts", None, "new-contacts"]
    assert shown["reasons"] == {"new-contacts": 2}

    async with system_db.system() as tx:
        await peers.wrote(tx, [((tenant, inner(device), peers.digest(inner(device), Address("pn", stranger))), datetime.now(UTC))])
    free = await first(system_db, device)
    assert (ids.public(ids.MESSAGE, free.send.id), free.to.known, free.to.wrote_at is None) == (one, True, False)


async def test_a_looser_pace_lets_go_what_was_held(client, db, system_db, tenant):
    device = await a_device(client)
    [message] = await queued(db, tenant, device, "5215550000001")
    taken = await first(system_db, device)
    async with system_db.system() as tx:
        await sends.hold(tx, taken.send, "new-contacts", datetime.now(UTC) + timedelta(hours=5), datetime.now(UTC))
    held = await first(system_db, device)
    assert (held.send, held.next_at is None) == (None, False)
    await client.patch(f"/api/devices/{device}/settings", json={"pace": {"enabled": False}})
    free = await first(system_db, device)
    assert (ids.public(ids.MESSAGE, free.send.id), free.number.pace.enabled) == (message, False)


async def test_the_meter_shows_budgets_of_the_accounts_day_and_a_pause_by_hand(client, db, system_db, tenant):
    device = await a_device(client)
    async with db.transaction(tenant) as tx:
        await accounts.learn(tx, [(tenant, AccountRegistered(name="A", locale="es", time_zone="America/Mexico_City", currency="MXN"))])
    fresh = (await client.get(f"/api/devices/{device}/governor")).json()
    assert (fresh["tokens"], fresh["time_zone"], fresh["new_contacts"]) == (30, "America/Mexico_City", {"used": 0, "budget": 20})
    assert (fresh["warm_up"], fresh["messages"]["budget"], fresh["paused_until"]) == ({"day": 1, "days": 10}, 100, None)

    await queued(db, tenant, device, "5215550000001")
    taken = await first(system_db, device)
    verdict = governor.decide(taken.meter, taken.number, taken.to, datetime.now(UTC), 0.5)
    assert isinstance(verdict, governor.Go)
    async with system_db.system() as tx:
        await meters.save(tx, tenant, inner(device), verdict.meter)
    used = (await client.get(f"/api/devices/{device}/governor")).json()
    assert (used["new_contacts"]["used"], used["messages"]["used"], used["queued"]) == (1, 1, 1)

    until = datetime.now(UTC) + timedelta(hours=1)
    assert (await client.post(f"/api/devices/{device}/governor/pause", json={"until": until.isoformat()})).status_code == 204
    paused = (await client.get(f"/api/devices/{device}/governor")).json()
    assert (datetime.fromisoformat(paused["paused_until"]), paused["paused_reason"]) == (until, "by-user")
    again = await first(system_db, device)
    assert governor.decide(again.meter, again.number, again.to, datetime.now(UTC), 0) == governor.Hold("paused", until)
    assert (await client.post(f"/api/devices/{device}/governor/resume")).status_code == 204
    assert (await client.get(f"/api/devices/{device}/governor")).json()["paused_until"] is None
    assert [event.reason for event in await told(system_db, "devices.sending.paused")] == ["by-user"]
    assert len(await told(system_db, "devices.sending.resumed")) == 1
    for never in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        refused = await client.post(f"/api/devices/{device}/governor/pause", json={"until": never})
        assert refused.json()["code"] == "pause-invalid"


async def test_an_accounts_newest_revision_says_by_whose_clock_it_lives(db, tenant):
    def changed(zone: str, revision: int) -> AccountChanged:
        return AccountChanged(name="A", locale="es", time_zone=zone, currency="MXN", limits=Limits(), suspended=False, revision=revision)

    async with db.transaction(tenant) as tx:
        await accounts.learn(tx, [(tenant, changed("Asia/Tokyo", 3)), (tenant, changed("Europe/Madrid", 2))])
        await accounts.learn(tx, [(tenant, AccountRegistered(name="A", locale="es", time_zone="UTC", currency="MXN"))])
        assert await accounts.time_zone(tx, tenant) == "Asia/Tokyo"


async def test_which_chats_a_number_takes_in_is_its_own_setting_or_else_the_installations(client, system_db, tenant):
    open_one, plain = await a_device(client), await a_device(client)
    await client.patch(f"/api/devices/{open_one}/settings", json={"receive": {"groups": True, "status": True}})
    filters = Filters(system_db, lambda device: None, groups=False)
    await filters.know({(tenant, inner(open_one)), (tenant, inner(plain)), (tenant, ids.new())})
    assert filters.of(inner(open_one)) == {"pn", "lid", "group", "status"}
    assert filters.of(inner(plain)) == filters.of(ids.new()) == {"pn", "lid"}
    assert Filters(system_db, lambda device: None, groups=True).of(inner(plain)) == {"pn", "lid", "group"}


async def test_history_names_each_change_its_reason_and_who_ordered_it(client, db, system_db, tenant):
    device = await a_device(client)
    await client.post(f"/api/devices/{device}/connect")
    for change in ("qr_shown", "qr_shown", "qr_shown"):
        async with system_db.system() as tx:
            before = await devices.lock(tx, tenant, inner(device))
            await devices.save(tx, before, getattr(before, change)(datetime.now(UTC)))
    async with system_db.system() as tx:
        before = await devices.lock(tx, tenant, inner(device))
        await devices.save(tx, before, before.pairing_ended(datetime.now(UTC), "passkey-required"))
    await client.patch(f"/api/devices/{device}", json={"name": "Otro"})
    first_page = (await client.get(f"/api/devices/{device}/events", params={"limit": 3})).json()
    rest = (await client.get(f"/api/devices/{device}/events", params={"cursor": first_page["next_cursor"]})).json()
    steps = first_page["items"] + rest["items"]
    assert [(step["state"], step["reason"], step["action"]) for step in steps] == [
        ("new", "passkey-required", "use-the-phone"),
        ("pairing", "qr-refreshed", "scan-qr"),
        ("pairing", "qr-shown", "scan-qr"),
        ("pairing", None, None),
        ("new", None, None),
    ]
    assert [step["by"] is not None for step in steps] == [False, False, False, True, True]
    assert steps[-1]["by"]["kind"] == "user"
    assert rest["next_cursor"] is None


async def test_the_history_of_last_season_is_swept(client, db, system_db, tenant):
    device = await a_device(client)
    await client.post(f"/api/devices/{device}/connect")
    async with db.transaction(tenant) as tx:
        await (await raw(tx)).execute("update history set at = at - interval '91 days' where revision = 1")
    await timers.sweep(system_db)
    async with system_db.system() as tx:
        assert [step.revision for step in await history.page(tx, tenant, inner(device), None, 10)] == [2]


async def test_what_is_set_and_queued_is_for_admins_and_for_who_sees_the_number(client, db, tenant, signed_in):
    device = await a_device(client)
    agent = signed_in(Role.AGENT, tenant).headers
    other = signed_in(Role.OWNER).headers
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for method, path, body in (
        ("PATCH", "settings", {"labels": []}),
        ("GET", "sends", None),
        ("DELETE", "sends", None),
        ("POST", "governor/pause", {"until": until}),
        ("POST", "governor/resume", None),
    ):
        refused = await client.request(method, f"/api/devices/{device}/{path}", json=body, headers=agent)
        assert refused.status_code == 403, path
        foreign = await client.request(method, f"/api/devices/{device}/{path}", json=body, headers=other)
        assert foreign.json()["code"] == "device-not-found", path
    for path in ("settings", "governor", "events"):
        assert (await client.get(f"/api/devices/{device}/{path}", headers=agent)).status_code == 200
        assert (await client.get(f"/api/devices/{device}/{path}", headers=other)).status_code == 404


class Library:
    """Stands where the library's store is asked, and says who it was asked to forget."""

    def __init__(self) -> None:
        self.forgotten: list[tuple[tuple[str, ...], tuple[Address, ...]]] = []
        self.away = True

    async def forget_person(self, ours: Any, addresses: Any) -> int:
        if self.away:
            raise StoreAway("not there")
        self.forgotten.append((tuple(ours), tuple(addresses)))
        return 1


async def test_of_somebody_who_is_erased_nothing_waits_to_be_sent_once_nothing_is_just_being_sent(client, db, system_db, tenant):
    device = await a_device(client)
    await queued(db, tenant, device, "5215550000001", "5215550000001", "5215550000002")
    ana, lid = Address("pn", "5215550000001"), Address("lid", "104200000000001")
    order = wrap(tenant, ErasePerson(erasure=ids.new(), addresses=(ana, lid)))
    async with db.transaction(tenant) as tx:
        read = MarkRead(device=inner(device), chat=lid, wa_ids=["A"], at=datetime.now(UTC))
        await sends.insert(tx, [wrap(tenant, read)])
        await peers.wrote(tx, [((tenant, inner(device), peers.digest(inner(device), ana)), None)])
        await erasures.add(tx, [order, order])
    async with system_db.system() as tx:
        c = await raw(tx)
        await c.execute("update devices set jid = '5215559999999:7@s.whatsapp.net'")
        await c.execute("update sends set status = 'sending' where seq = (select min(seq) from sends)")
    library = Library()
    assert await erasing.erase(system_db, library) == 0  # the library's store is away
    library.away = False
    assert await erasing.erase(system_db, library) == 0  # one is just being sent
    async with system_db.system() as tx:
        await (await raw(tx)).execute("update sends set status = 'sent' where status = 'sending'")
    assert await erasing.erase(system_db, library) == 1
    assert await erasing.erase(system_db, library) == 0
    async with system_db.system() as tx:
        c = await raw(tx)
        assert [row["kind"] for row in await c.fetch("select kind from sends")] == ["message"]
        assert await c.fetchval("select count(*) from peers") == 0
        assert await c.fetchval("select count(*) from erasures") == 0
    [done] = await told(system_db, "devices.erasure.done")
    assert done.erasure == order.data.erasure
    assert library.forgotten[-1] == (("5215559999999:7@s.whatsapp.net",), (ana, lid))

"""From an event in the stream to a request at the receiver, and what is made of its answer."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from contracts import buckets, ids
from contracts.envelope import Audience, wrap
from contracts.events.auth import AccountChanged, Limits
from contracts.events.conversations import ContactCreated, MessageAdvanced
from contracts.events.devices import DeviceChanged, DeviceState
from contracts.events.webhooks import EndpointDisabled, EndpointWarned
from contracts.ids import DeviceId, TenantId
from contracts.principal import Access, Role
from contracts.views import MessageStatus
from servicekit.auth import encode_access
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.testing import eventually
from standardwebhooks import WebhookVerificationError
from webhooks import consumers

from .receiver import Received, Receiver
from .world import World, a_message, event_id


async def test_an_event_arrives_signed_at_those_who_want_it_with_the_id_that_a_pull_gives(world: World, receiver: Receiver, bus: Bus):
    ana, stranger = world.caller(), world.caller()
    mine, other = DeviceId(uuid4()), DeviceId(uuid4())
    all_of_it = await ana.make(f"{receiver.url}/all", headers={"X-Tienda": "7"})
    await ana.make(f"{receiver.url}/messages", types=["message.*"])
    await ana.make(f"{receiver.url}/acks", types=["message.ack", "message.failed"])
    await ana.make(f"{receiver.url}/number", devices=[ids.public(ids.DEVICE, mine)])
    await stranger.make(f"{receiver.url}/stranger")
    came = [a_message(ana.tenant, "uno", device=mine), a_message(ana.tenant, "dos", device=other)]
    failed = MessageAdvanced(
        id=came[0].data.id,
        chat_id=came[0].data.chat_id,
        device_id=came[0].data.device_id,
        status=MessageStatus.FAILED,
        at=datetime.now(UTC),
    )
    known = ContactCreated(id=ids.public(ids.CONTACT, uuid4()), name="Luis", phone="5215550001111")
    every = [*came, wrap(ana.tenant, failed, audience=Audience(device=mine)), wrap(ana.tenant, known)]
    await bus.publish(*every)
    await eventually(lambda: len(receiver.received) == 4 + 3 + 1 + 2)
    assert sorted(receiver.ids("/all")) == sorted(map(event_id, every))
    assert sorted(receiver.ids("/messages")) == sorted(map(event_id, every[:3]))
    assert receiver.ids("/acks") == [event_id(every[2])]
    assert sorted(receiver.ids("/number")) == sorted([event_id(every[0]), event_id(every[2])])
    first = next(one for one in receiver.at("/all") if one.id == event_id(every[0]))
    said = first.verified(all_of_it["secret"])
    assert set(said) == {"type", "timestamp", "data"}
    assert (said["type"], said["data"]["text"]) == ("message.received", "uno")
    assert receiver.at("/acks")[0].json["type"] == "message.failed"
    assert first.headers["x-tienda"] == "7"
    with pytest.raises(WebhookVerificationError):
        receiver.at("/messages")[0].verified(all_of_it["secret"])
    pulled = await ana("GET", "/api/events")
    assert [item["id"] for item in pulled["items"]] == [event_id(one) for one in every]
    assert {item["type"]: item["data"] for item in pulled["items"]}["contact.created"]["name"] == "Luis"


async def test_the_same_event_again_is_not_delivered_again(world: World, receiver: Receiver):
    ana = world.caller()
    made = await ana.make(receiver.url + "/")
    event = a_message(ana.tenant)
    async with Database.open(world.settings.database_url, application="test", pool=2) as db:
        handle = consumers.consumer(db).handle
        await handle([event, event])
        await eventually(lambda: receiver.received)
        await handle([event])
        await handle([later := a_message(ana.tenant)])
        await eventually(lambda: event_id(later) in receiver.ids("/"))
    assert receiver.ids("/") == [event_id(event), event_id(later)]
    assert len(await ana.deliveries(made["id"])) == 2


async def test_nobody_is_called_for_a_suspended_account_and_all_that_waited_is_delivered_when_it_may_act_again(
    world: World, receiver: Receiver, bus: Bus
):
    ana, beto = world.caller(), world.caller()
    made = await ana.make(receiver.url + "/ana")
    await beto.make(receiver.url + "/beto")

    def account(suspended: bool, revision: int):
        body = AccountChanged(
            name="Tienda", locale="es", time_zone="UTC", currency="MXN", limits=Limits(), suspended=suspended, revision=revision
        )
        return wrap(ana.tenant, body)

    await bus.publish(before := a_message(ana.tenant, "antes"))
    await eventually(lambda: receiver.ids("/ana") == [event_id(before)])
    await bus.publish(account(True, 2), account(False, 1), *(held := [a_message(ana.tenant, str(number)) for number in range(3)]))
    await bus.publish(a_message(beto.tenant))
    await eventually(lambda: receiver.ids("/beto"))
    assert await eventually(lambda: _state(ana, made["id"], "waiting", 3))
    await world.passes()
    await bus.publish(other := a_message(beto.tenant))
    await eventually(lambda: event_id(other) in receiver.ids("/beto"))
    assert receiver.ids("/ana") == [event_id(before)]
    assert receiver.ids("/ana") == [event_id(before)]
    assert {delivery["attempts"] for delivery in await ana.deliveries(made["id"], state="waiting")} == {0}
    await bus.publish(account(False, 3))
    await eventually(lambda: sorted(receiver.ids("/ana")) == sorted(map(event_id, [before, *held])))


async def test_a_failure_is_tried_again_and_every_attempt_stands_in_the_log(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    answers = iter([(500, "", "<b>roto</b>"), (302, "Location: http://127.0.0.1:1/\r\n", ""), 200])
    receiver.answers["/"] = lambda _: next(answers)
    made = await ana.make(receiver.url + "/")
    await bus.publish(event := a_message(ana.tenant))
    for count in (1, 2):
        await eventually(lambda count=count: _attempts(ana, made["id"], count))
        [delivery] = await ana.deliveries(made["id"], state="waiting")
        assert delivery["attempts"] == count
        await world.passes()
    last, second, first = await eventually(lambda: _attempts(ana, made["id"], 3))
    assert [one["number"] for one in (first, second, last)] == [1, 2, 3]
    assert (first["status"], first["error"], first["answer"]) == (500, "status", "<b>roto</b>")
    assert (second["status"], second["error"]) == (302, "redirect")
    assert (last["status"], last["error"]) == (200, None)
    assert receiver.ids("/") == [event_id(event)] * 3
    assert [one.verified(made["secret"]) for one in receiver.received]
    [delivery] = await ana.deliveries(made["id"], event=event_id(event))
    assert (delivery["state"], delivery["attempts"], delivery["status"], delivery["next_at"]) == ("delivered", 3, 200, None)
    assert (await ana.attempts(made["id"], outcome="failed")) == [second, first]
    sums = await ana("GET", f"/api/webhooks/{made['id']}/statistics")
    assert (sums["delivered"], sums["failed"], sums["waiting"]) == (1, 2, 0)
    shown = await ana("GET", f"/api/webhooks/{made['id']}/deliveries/{delivery['id']}")
    assert shown["body"]["data"]["text"] == "hola"
    assert [one["webhook_id"] for one in (await ana("GET", f"/api/webhooks/deliveries?event={event_id(event)}"))["items"]] == [made["id"]]


async def _attempts(ana, id: str, count: int):
    found = await ana.attempts(id)
    return found if len(found) >= count else None


async def test_after_its_last_attempt_it_has_failed_and_can_be_resent_or_recovered(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    receiver.answers["/"] = 500
    made = await ana.make(receiver.url + "/")
    await bus.publish(first := a_message(ana.tenant), a_message(ana.tenant))
    await eventually(lambda: len(receiver.received) == 2)
    await eventually(lambda: _attempts(ana, made["id"], 2))
    await world.admin.execute("update deliveries set step = 9")
    await world.passes()
    failed = await eventually(lambda: _state(ana, made["id"], "failed", 2))
    receiver.answers["/"] = 200
    [one] = [delivery for delivery in failed if delivery["event_id"] == event_id(first)]
    again = await ana("POST", f"/api/webhooks/{made['id']}/deliveries/{one['id']}/resend", key="once")
    assert again["state"] == "waiting"
    await eventually(lambda: _state(ana, made["id"], "delivered", 1))
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    assert await ana("POST", f"/api/webhooks/{made['id']}/recover", {"since": since}, key="r") == {"recovered": 1}
    assert await ana("POST", f"/api/webhooks/{made['id']}/recover", {"since": since}, key="r") == {"recovered": 1}, "answered again"
    await eventually(lambda: _state(ana, made["id"], "delivered", 2))
    assert await ana("POST", f"/api/webhooks/{made['id']}/recover", {"since": since}) == {"recovered": 0}
    await world.admin.execute("delete from events")
    gone = await ana("POST", f"/api/webhooks/{made['id']}/deliveries/{one['id']}/resend", expect=410)
    assert gone["code"] == "payload-gone"


async def _state(ana, id: str, state: str, count: int):
    found = await ana.deliveries(id, state=state)
    return found if len(found) == count else None


async def test_410_disables_and_tells_everybody(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    receiver.answers["/gone"] = 410
    made = await ana.make(f"{receiver.url}/gone", types=["message.*"])
    await ana.make(f"{receiver.url}/other", types=["endpoint.*"])
    async with await bus.ordered("evt.webhooks.>") as facts:
        await bus.publish(a_message(ana.tenant))
        fact = await asyncio.wait_for(anext(facts), 10)
    assert b'"reason":"gone"' in fact.payload
    await eventually(lambda: receiver.at("/other"))
    assert receiver.at("/other")[0].json["type"] == "endpoint.disabled"
    shown = await ana("GET", f"/api/webhooks/{made['id']}")
    assert (shown["state"], shown["reason"]) == ("disabled", "gone")
    await ana("POST", f"/api/webhooks/{made['id']}/test", expect=409)
    await bus.publish(a_message(ana.tenant, "mientras"))
    receiver.answers["/gone"] = 200
    assert (await ana("PATCH", f"/api/webhooks/{made['id']}", {"state": "enabled"}))["state"] == "enabled"
    await bus.publish(after := a_message(ana.tenant, "después"))
    await eventually(lambda: event_id(after) in receiver.ids("/gone"))
    assert [one.json["data"]["text"] for one in receiver.at("/gone")] == ["hola", "después"]


async def test_five_days_of_failure_disable_and_one_warns(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    receiver.answers["/"] = 503
    made = await ana.make(f"{receiver.url}/")
    found = []
    async with await bus.ordered("evt.webhooks.>") as facts:
        await bus.publish(a_message(ana.tenant))
        await eventually(lambda: _attempts(ana, made["id"], 1))
        for days, kind in ((2, EndpointWarned), (6, EndpointDisabled)):
            await eventually(lambda: _released(world))
            await world.admin.execute("update lanes set failing_since = now() - make_interval(days => $1)", days)
            await world.passes()
            found.append((await asyncio.wait_for(anext(facts), 15)).subject)
            assert kind.topic.happened in found[-1]
    assert (await ana("GET", f"/api/webhooks/{made['id']}"))["reason"] == "failing"
    assert await _state(ana, made["id"], "waiting", 0) == []


async def _released(world: World) -> bool:
    """No replica holds what it knows of an endpoint in memory."""
    return not await world.admin.fetchval("select count(*) from lanes where owner is not null")


async def test_what_a_paused_webhook_misses_waits_for_it(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    made = await ana.make(receiver.url + "/")
    await ana("PATCH", f"/api/webhooks/{made['id']}", {"state": "paused"})
    some = [a_message(ana.tenant, str(number)) for number in range(3)]
    await bus.publish(*some)
    await eventually(lambda: _state(ana, made["id"], "waiting", 3))
    assert receiver.received == []
    await ana("PATCH", f"/api/webhooks/{made['id']}", {"state": "enabled"})
    await eventually(lambda: sorted(receiver.ids("/")) == sorted(map(event_id, some)))


async def test_while_a_secret_is_replaced_both_sign(world: World, receiver: Receiver):
    ana = world.caller()
    made = await ana.make(receiver.url + "/")
    turned = await ana("POST", f"/api/webhooks/{made['id']}/rotate", {"overlap_seconds": 3600}, key="turn")
    assert turned["secret"] != made["secret"]
    assert await ana("POST", f"/api/webhooks/{made['id']}/rotate", {"overlap_seconds": 3600}, key="turn") == turned
    await ana("POST", f"/api/webhooks/{made['id']}/test")
    await eventually(lambda: receiver.received)
    for secret in (made["secret"], turned["secret"]):
        assert receiver.received[0].verified(secret)["type"] == "message.received"
    await ana("POST", f"/api/webhooks/{made['id']}/rotate", {"overlap_seconds": 0})
    await ana("POST", f"/api/webhooks/{made['id']}/test", {"type": "device.status"})
    await eventually(lambda: len(receiver.received) == 2)
    with pytest.raises(WebhookVerificationError):
        receiver.received[1].verified(turned["secret"])
    stored = await world.admin.fetchrow("select secret, headers from endpoints")
    assert b"whsec_" not in stored["secret"]
    assert made["secret"] not in str(await ana("GET", "/api/webhooks"))


async def test_a_change_of_the_encryption_key_is_not_noticed(bare: World, receiver: Receiver):
    old, new = bare.settings.encryption_key, base64.b64encode(bytes(range(32, 64))).decode()
    stop = await bare.replica()
    ana = bare.caller()
    made = await ana.make(receiver.url + "/", headers={"X-Tienda": "7"})
    await ana("POST", f"/api/webhooks/{made['id']}/rotate")
    before = await bare.admin.fetchval("select secret from endpoints")
    await stop()
    stop = await bare.replica(encryption_key=new, encryption_key_previous=old)

    async def sealed_anew() -> bool:
        return await bare.admin.fetchval("select secret from endpoints") != before

    await eventually(sealed_anew)
    await stop()
    await bare.replica(encryption_key=new)
    ana = type(ana)(bare.urls[-1], ana.http, ana.tenant, ana.headers)
    await ana("POST", f"/api/webhooks/{made['id']}/test")
    await eventually(lambda: receiver.received)
    assert receiver.received[0].verified(made["secret"])
    assert receiver.received[0].headers["x-tienda"] == "7"


async def test_of_one_chat_an_event_waits_for_those_before_it(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    seen: dict[str, int] = {}

    def flaky(one: Received) -> int:
        seen[one.id] = seen.get(one.id, 0) + 1
        return 500 if seen[one.id] == 1 and one.json["data"]["text"].endswith(("0", "2")) else 200

    receiver.answers["/"] = flaky
    await ana.make(receiver.url + "/", ordered=True, concurrency=10)
    chats = [uuid4() for _ in range(3)]
    some = [a_message(ana.tenant, f"{chat} {number}", chat=chats[chat]) for number in range(4) for chat in range(3)]
    await bus.publish(*some)

    async def all_taken() -> bool:
        await world.passes()
        return await world.admin.fetchval("select count(*) from deliveries where state = 'delivered'") == len(some)

    await eventually(all_taken, every=0.1)
    for chat in range(3):
        texts = [text for text in (one.json["data"]["text"] for one in receiver.received) if text.startswith(str(chat))]
        assert texts == [f"{chat} 0", f"{chat} 0", f"{chat} 1", f"{chat} 2", f"{chat} 2", f"{chat} 3"]


async def test_the_rate_and_the_requests_at_once_are_kept(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    receiver.answers["/few"] = 0.2
    await ana.make(f"{receiver.url}/slow", rate_per_minute=60)
    await ana.make(f"{receiver.url}/few", concurrency=2)
    began = asyncio.get_running_loop().time()
    await bus.publish(*(a_message(ana.tenant) for _ in range(6)))
    await eventually(lambda: len(receiver.at("/few")) == 6)
    await eventually(lambda: len(receiver.at("/slow")) >= 3)
    for number, one in enumerate(receiver.at("/slow")):
        assert one.at - began >= number * 0.99, "the rate lets through one a second, and whatever is slow comes later"
    assert receiver.most["/few"] == 2


async def test_a_busy_receiver_is_left_alone_for_as_long_as_it_says(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    receiver.answers["/"] = (429, "Retry-After: 3600\r\n", "")
    made = await ana.make(receiver.url + "/", concurrency=1)
    await bus.publish(a_message(ana.tenant), a_message(ana.tenant))
    await eventually(lambda: _attempts(ana, made["id"], 1))
    shown = await eventually(lambda: _held(ana, made["id"]))
    until = datetime.fromisoformat(shown["held_until"])
    assert timedelta(minutes=58) < until - datetime.now(UTC) <= timedelta(hours=1)
    assert len(receiver.received) == 1


async def _held(ana, id: str):
    shown = await ana("GET", f"/api/webhooks/{id}")
    return shown if shown["held_until"] else None


async def test_a_flow_made_for_waha_finds_names_and_phones(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    device, contact = DeviceId(uuid4()), uuid4()
    made = await ana.make(receiver.url + "/", format="waha", types=["message.received", "device.status"])
    changed = DeviceChanged(
        id=ids.public(ids.DEVICE, device),
        name="Ventas",
        state=DeviceState.CONNECTED,
        revision=3,
        at=datetime.now(UTC),
        phone="5215550009999",
    )
    known = ContactCreated(id=ids.public(ids.CONTACT, contact), name="Luis", phone="5215550001111")
    message = a_message(ana.tenant, device=device, contact_id=ids.public(ids.CONTACT, contact))
    await bus.publish(wrap(ana.tenant, changed, audience=Audience(device=device)), wrap(ana.tenant, known), message)
    await eventually(lambda: len(receiver.received) == 2)
    status, came = sorted((one.json for one in receiver.received), key=lambda body: body["event"], reverse=True)
    assert (status["event"], status["session"], status["payload"]["status"]) == ("session.status", "Ventas", "WORKING")
    assert (came["event"], came["payload"]["from"], came["payload"]["body"]) == ("message", "5215550001111@c.us", "hola")
    assert came["me"]["id"] == "5215550009999@c.us"
    assert receiver.received[0].headers["x-webhook-hmac-algorithm"] == "sha512"
    assert receiver.received[0].verified(made["secret"])


async def test_who_sees_some_numbers_manages_the_webhooks_of_those_alone(world: World, bus: Bus):
    owner = world.caller()
    mine, other = (DeviceId(uuid4()) for _ in range(2))
    public = {device: ids.public(ids.DEVICE, device) for device in (mine, other)}
    everything = await owner.make("https://example.com/all")
    theirs = await owner.make("https://example.com/other", devices=[public[other]])
    limited = world.signed_in(Role.ADMIN, owner.tenant)
    await (await bus.bucket(buckets.ACCESS)).put(str(limited.principal.id), encode_access(Access(devices=frozenset({mine}))))
    caller = type(owner)(owner.url, owner.http, owner.tenant, limited.headers)

    async def refused() -> bool:
        return (await caller("POST", "/api/webhooks", {"url": "https://example.com"}, expect=(403, 201))).get("code") == "sees-less"

    await eventually(refused)
    own = await caller.make("https://example.com/mine", devices=[public[mine]])
    listed = [one["id"] for one in (await caller("GET", "/api/webhooks"))["items"]]
    assert own["id"] in listed
    assert not {everything["id"], theirs["id"]} & set(listed)
    for id in (everything["id"], theirs["id"]):
        for method, path in (("GET", ""), ("GET", "/attempts"), ("GET", "/statistics"), ("DELETE", ""), ("POST", "/test")):
            await caller(method, f"/api/webhooks/{id}{path}", expect=404)
    await bus.publish(a := a_message(owner.tenant, device=mine), a_message(owner.tenant, device=other))
    assert [item["id"] for item in (await caller("GET", "/api/events"))["items"]] == [event_id(a)]
    agent = world.caller(owner.tenant, role=Role.AGENT)
    await agent("GET", "/api/webhooks", expect=403)
    await agent("GET", "/api/webhooks/event-types")


async def test_what_cannot_be_is_refused_with_a_code(world: World):
    ana = world.caller()
    for body, code in (
        ({"url": "http://10.0.0.1/"}, "webhook-address-refused"),
        ({"url": "nada"}, "webhook-address-refused"),
        ({"url": "https://example.com", "types": ["mensaje.*"]}, "webhook-type-unknown"),
        ({"url": "https://example.com", "headers": {"Webhook-Id": "x"}}, "webhook-header-refused"),
        ({"url": "https://example.com", "headers": {"X-A": "a\r\nb: c"}}, "webhook-header-refused"),
        ({"url": "https://example.com", "types": []}, "invalid"),
        ({"url": "https://example.com", "secret": "whsec_mine"}, "invalid"),
    ):
        assert (await ana("POST", "/api/webhooks", body, expect=422))["code"] == code, body
    made = await ana.make("https://example.com", headers={"Authorization": "Bearer x"})
    assert made["headers"] == ["Authorization"]
    assert "Bearer x" not in str(await ana("GET", f"/api/webhooks/{made['id']}"))
    for changes in ({"state": "disabled"}, {"url": None}, {"url": "ftp://x"}, {"types": ["x"]}):
        await ana("PATCH", f"/api/webhooks/{made['id']}", changes, expect=422)
    stranger = world.caller(TenantId(uuid4()))
    for method, path, body in (("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None), ("POST", "/rotate", {})):
        await stranger(method, f"/api/webhooks/{made['id']}{path}", body, expect=404)
    await ana("DELETE", f"/api/webhooks/{made['id']}")
    await ana("GET", f"/api/webhooks/{made['id']}", expect=404)
    await ana.make("https://example.com")
    await world.admin.execute(
        "insert into endpoints select tenant, gen_random_uuid(), url, description, types, devices, format, ordered, rate_per_minute, "
        "concurrency, header_names, headers, secret, previous_secret, previous_until, state, reason, created_by, created_at, revision "
        "from endpoints, generate_series(1, 49)"
    )
    assert (await ana("POST", "/api/webhooks", {"url": "https://example.com"}, expect=409))["code"] == "webhook-limit"
    listed = [one async for one in _pages(ana, "/api/webhooks?limit=20")]
    assert len(listed) == len(set(listed)) == 50


async def _pages(ana, path: str):
    cursor = ""
    while True:
        page = await ana("GET", path + cursor)
        for item in page["items"]:
            yield item["id"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"

"""The rules, without a server: schedule, holds, rates, types, signatures, headers, bodies."""

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from contracts import examples, ids
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Principal, Role
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from webhooks.domain import bodies, headers, schedule, signing, types, waha
from webhooks.domain.endpoints import Endpoint, demand_sight, may_send
from webhooks.domain.problems import HeaderRefused, SeesLess, TypeUnknown, WebhookMissing
from webhooks.domain.schedule import Bucket, Health

PATIENT = settings(deadline=None, max_examples=60)
NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
draws = st.floats(0, 1)


def an_endpoint(**changes: object) -> Endpoint:
    given: dict[str, object] = {
        "tenant": TenantId(uuid4()),
        "id": uuid4(),
        "url": "https://example.com",
        "types": ("*",),
        "secret": b"new",
        "created_by": UserId(uuid4()),
        "created_at": NOW,
    }
    return Endpoint(**(given | changes))  # type: ignore[arg-type]


def a_caller(**access: object) -> Principal:
    return Principal(id=UserId(uuid4()), tenant=TenantId(uuid4()), role=Role.ADMIN, access=Access(**access))  # type: ignore[arg-type]


@PATIENT
@given(st.lists(draws, min_size=9, max_size=9))
def test_a_delivery_is_tried_ten_times_over_about_three_days(some: list[float]):
    waits = [schedule.wait(step, draw) for step, draw in enumerate(some)]
    assert schedule.wait(9, 0.5) is None
    for wait, planned in zip(waits, schedule.WAITS[1:], strict=True):
        assert wait is not None
        assert abs(wait - planned) <= planned * schedule.JITTER + timedelta(microseconds=10)
    total = sum((wait for wait in waits if wait), timedelta())
    assert timedelta(hours=67) < total < timedelta(hours=84)


@PATIENT
@given(st.text(max_size=40) | st.integers(-10, 10**9).map(str))
def test_any_retry_after_is_a_time_ahead_within_a_day_or_nothing(text: str):
    until = schedule.retry_after(text, NOW)
    assert until is None or NOW < until <= NOW + schedule.LONGEST_RETRY_AFTER


def test_retry_after_is_read_in_both_ways():
    assert schedule.retry_after("120", NOW) == NOW + timedelta(seconds=120)
    assert schedule.retry_after("Sat, 21 Nov 2026 18:05:00 GMT", NOW) == NOW + timedelta(minutes=5)
    assert schedule.retry_after("Sat, 21 Nov 2026 17:05:00 GMT", NOW) is None


@PATIENT
@given(st.lists(st.tuples(st.floats(0, 7200), draws), min_size=1, max_size=400))
def test_an_endpoint_that_only_fails_is_held_longer_and_longer_but_never_long(some: list[tuple[float, float]]):
    health, at = Health(), NOW
    for number, (after, draw) in enumerate(some, 1):
        at += timedelta(seconds=after)
        health = health.failed(at, draw=draw)
        assert health.failures == number
        assert health.failing_since is not None
        assert health.failing_since <= at
        assert health.probing == (number >= schedule.HOLD_AFTER)
        if health.probing:
            assert health.held_until is not None
            assert timedelta(0) < health.held_until - at <= schedule.LONGEST_HOLD * (1 + schedule.JITTER)
        else:
            assert health.held_until is None
        assert health.to_disable(at) == (at - health.failing_since >= timedelta(days=5))


def test_it_is_told_after_a_day_once_and_disabled_after_five():
    health = Health().failed(NOW)
    assert not health.to_warn(NOW + timedelta(hours=23))
    assert health.to_warn(NOW + timedelta(hours=25))
    assert not Health(failures=9, failing_since=NOW, warned_at=NOW).to_warn(NOW + timedelta(days=4))
    assert not health.to_disable(NOW + timedelta(days=4, hours=23))
    assert health.to_disable(NOW + timedelta(days=5))


def test_an_endpoint_that_asks_to_be_left_alone_is():
    health = Health().failed(NOW, until=NOW + timedelta(minutes=7))
    assert health.held(NOW + timedelta(minutes=6))
    assert not health.held(NOW + timedelta(minutes=7))


@PATIENT
@given(st.integers(1, 6000), st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_no_more_than_the_rate_goes_through(per_minute: int, steps: list[float]):
    bucket, now, taken = Bucket(per_minute), 1000.0, []
    for step in steps:
        now += step
        while bucket.delay(now) == 0 and len(taken) < 5000:
            bucket.take()
            taken.append(now)
    for index, first in enumerate(taken[:50]):
        within = [at for at in taken[index:] if at - first <= 10]
        assert len(within) <= per_minute / 60 * 10 + max(1, per_minute / 60) + 1


def test_who_waits_as_long_as_the_bucket_says_may_go():
    bucket = Bucket(30)
    assert bucket.delay(5) == 0
    bucket.take()
    assert bucket.delay(5 + bucket.delay(5)) == 0


@pytest.mark.parametrize(
    ("patterns", "type", "expected"),
    [
        (["*"], "message.received", True),
        (["message.*"], "message.received", True),
        (["message.*"], "messages.received", False),
        (["message.received"], "message.received", True),
        (["message.received"], "message.sent", False),
        (["lead.*", "message.sent"], "message.sent", True),
        ([], "message.sent", False),
    ],
)
def test_a_pattern_matches_whole_words(patterns: list[str], type: str, expected: bool):
    assert types.matches(patterns, type) is expected


@PATIENT
@given(st.sampled_from([type.name for type in types.CATALOGUE]))
def test_every_type_is_matched_by_itself_its_family_and_all(name: str):
    for pattern in (name, f"{name.partition('.')[0]}.*", "*"):
        assert types.matches(types.checked([pattern]), name)


@PATIENT
@given(st.text(max_size=30))
def test_any_pattern_is_refused_or_matches_something(pattern: str):
    try:
        types.checked([pattern])
    except TypeUnknown:
        return
    assert any(types.matches([pattern], type.name) for type in types.CATALOGUE)


def test_the_catalogue_has_every_public_event_with_an_example():
    names = {type.name for type in types.CATALOGUE}
    assert {"message.received", "message.ack", "message.failed", "device.status", "endpoint.disabled", "endpoint.warning"} <= names
    assert {body.topic.webhook for body in types.BODIES} <= names
    for example in examples.envelopes():
        if example.data.topic.public:
            assert types.of(example.data) in names


@PATIENT
@given(st.text(max_size=200), st.lists(st.binary(min_size=24, max_size=40), min_size=1, max_size=2))
def test_a_delivery_is_verified_by_the_standards_library_with_any_good_secret(text: str, keys: list[bytes]):
    secrets = [signing.PREFIX + base64.b64encode(key).decode() for key in keys]
    body = json.dumps({"text": text}).encode()
    signed = signing.headers(secrets, "evt_1", datetime.now(UTC), body)
    for secret in secrets:
        assert Webhook(secret).verify(body, signed) == {"text": text}
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.secret()).verify(body, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets[0]).verify(body + b" ", signed)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Connection",
        "TE",
        "Transfer-Encoding",
        "webhook-id",
        "Webhook-Signature",
        "X-Webhook-Hmac",
        "a b",
        "",
        "é",
    ],
)
def test_a_header_of_the_connection_or_the_signature_is_refused(name: str):
    with pytest.raises(HeaderRefused):
        headers.checked({name: "x"})


@PATIENT
@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3))
def test_headers_that_pass_cannot_end_a_line(some: dict[str, str]):
    try:
        passed = headers.checked(some)
    except HeaderRefused:
        return
    for name, value in passed.items():
        assert not set(name + value) & set("\r\n\0:") - set(value) | set(value) & set("\r\n\0")


texts = st.text(max_size=30) | st.integers(100, 8_000).flatmap(
    lambda n: st.sampled_from(["a", "é", '"', "😀", "\n", "\\"]).map(lambda c: c * n)
)
data = st.dictionaries(st.sampled_from(["text", "name", "note", "id"]), texts | st.lists(texts, max_size=3) | st.integers(), max_size=4)


@PATIENT
@given(data)
def test_a_body_is_always_smaller_than_20_kb_and_says_where_it_was_cut(value: dict[str, object]):
    raw = json.dumps(value).encode()
    body = bodies.plain("message.received", NOW, raw)
    assert len(body) < 20_000
    read = json.loads(body)
    assert set(read) == {"type", "timestamp", "data"}
    assert read["timestamp"] == "2026-11-21T18:00:00.000Z"
    if read["data"] != value:
        assert read["data"]["truncated"] is True
        assert len(bodies.plain("message.received", NOW, b"{}")) + len(raw) > 19_000


@PATIENT
@given(data, st.sampled_from([type.name for type in types.CATALOGUE]))
def test_wahas_shape_is_made_of_every_type(extra: dict[str, object], name: str):
    raw = json.dumps({**types.example(name).example, **{f"x_{key}": part for key, part in extra.items()}}).encode()
    body = waha.body("evt_1", name, NOW, raw, waha.Named(session="Ventas", me="5215550009999", phone="5215550001111"))
    assert len(body) < 20_000
    read = json.loads(body)
    assert {"id", "timestamp", "session", "me", "event", "payload", "engine", "environment"} <= set(read)
    assert read["session"] == "Ventas"


def test_a_customers_message_is_wahas_message():
    raw = json.dumps(types.example("message.received").example).encode()
    read = json.loads(waha.body("evt_1", "message.received", NOW, raw, waha.Named(session="Ventas", me="599", phone="511")))
    assert read["event"] == "message"
    payload = read["payload"]
    assert (payload["from"], payload["to"], payload["fromMe"], payload["body"]) == ("511@c.us", "599@c.us", False, "¿Tienen de este?")
    assert payload["hasMedia"] is True
    assert payload["media"]["mimetype"] == "image/jpeg"
    ack = json.loads(waha.body("evt_2", "message.ack", NOW, json.dumps(types.example("message.ack").example).encode(), waha.Named()))
    assert (ack["event"], ack["payload"]["ack"], ack["payload"]["ackName"]) == ("message.ack", 3, "READ")


def test_an_endpoint_for_some_numbers_gets_nothing_that_is_about_none():
    mine = DeviceId(uuid4())
    some = an_endpoint(devices=frozenset({mine}))
    assert some.wants("message.received", mine)
    assert not some.wants("message.received", DeviceId(uuid4()))
    assert not some.wants("message.received", None)
    assert an_endpoint().wants("message.received", None)


def test_who_sees_some_numbers_manages_endpoints_of_those_alone():
    mine, other = DeviceId(uuid4()), DeviceId(uuid4())
    for caller, devices, good in [
        (a_caller(), None, True),
        (a_caller(devices=frozenset({mine})), {mine}, True),
        (a_caller(devices=frozenset({mine})), {mine, other}, False),
        (a_caller(devices=frozenset({mine})), None, False),
        (a_caller(chats="own"), None, False),
        (a_caller(chats="team", devices=frozenset({mine})), {mine}, False),
    ]:
        endpoint = an_endpoint(devices=None if devices is None else frozenset(devices))
        if good:
            may_send(caller, devices)
            assert demand_sight(endpoint, caller) is endpoint
        else:
            with pytest.raises(SeesLess):
                may_send(caller, devices)
            with pytest.raises(WebhookMissing):
                demand_sight(endpoint, caller)


def test_both_secrets_sign_until_the_overlap_ends():
    endpoint = an_endpoint().rotated(b"newer", NOW, timedelta(hours=1))
    assert endpoint.secrets(NOW) == (b"newer", b"new")
    assert endpoint.secrets(NOW + timedelta(hours=1)) == (b"newer",)
    assert an_endpoint().rotated(b"newer", NOW, timedelta()).secrets(NOW) == (b"newer",)


def test_the_order_of_a_chat_is_that_of_what_is_about_it():
    chats = {types.of(example.data): types.chat_of(example) for example in examples.envelopes() if example.data.topic.public}
    chat = ids.public(ids.CHAT, examples.things.CHAT)  # type: ignore[attr-defined]
    assert chats["message.received"] == chats["chat.assigned"] == chat
    assert chats["device.status"] is None

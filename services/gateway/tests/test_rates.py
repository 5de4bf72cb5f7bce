"""How often somebody may ask, alone, together with other replicas, and with Valkey away."""

import asyncio
import json
import time

import pytest
from gateway.rates import STRICT, Rate, Rates, classify
from gateway.requests import Request
from gateway.settings import GatewaySettings
from hypothesis import given
from hypothesis import strategies as st
from servicekit.testing import eventually

from .conftest import request

#: Nothing comes back within a test.
SLOW = {"reads": "1/h+3", "writes": "1/h+3", "sends": "1/h+1", "login": "1/h+3"}


async def ask(client, *arguments, **more):
    client.send(request(*arguments, **more))
    return await client.reply()


async def statuses(client, times, *arguments, **more):
    return [(await ask(client, *arguments, **more)).status for _ in range(times)]


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def a_request(method=b"GET", path="/api/chats", address="192.0.2.1"):
    made = Request()
    made.method, made.path, made.address = method, path, address
    return made


def passes(rates, caller, **changes):
    visit = rates.visit(a_request(**changes))
    visit.caller(caller)
    visit.pay()


@given(st.lists(st.floats(0, 3), max_size=200), st.integers(1, 20), st.integers(1, 20))
def test_nobody_gets_more_than_a_burst_and_the_rate(pauses, per_s, burst):
    clock = Clock()
    rates = Rates({"reads": Rate(per_s, burst)}, clock)
    passed = []
    for pause in pauses:
        clock.now += pause
        visit = rates.visit(a_request())
        spent = rates.callers["reads"].of("someone")
        if rates.callers["reads"].left(spent, clock.now) >= 1:
            visit.caller("someone")
            visit.pay()
            passed.append(clock.now)
    for first, at in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - at) * per_s + 1e-3


def test_what_was_spent_comes_back_one_by_one():
    clock = Clock()
    rates = Rates({"reads": Rate(1, 2)}, clock)
    passes(rates, "someone")
    passes(rates, "someone")
    with pytest.raises(Exception, match="in 1 s") as refused:
        passes(rates, "someone")
    assert (refused.value.code, refused.value.headers["Retry-After"]) == ("rate-limited", "1")
    clock.now += 1
    passes(rates, "someone")


def test_who_is_refused_takes_nothing_from_its_neighbours():
    clock = Clock()
    rates = Rates({"reads": Rate(0.001, 2)}, clock)
    for _ in range(2):
        passes(rates, "greedy")
    for _ in range(100):
        with pytest.raises(Exception, match="reads:"):
            passes(rates, "greedy")
    for caller in ("a", "b", "c"):
        for _ in range(2):
            passes(rates, caller)
    with pytest.raises(Exception, match="reads-address"):
        passes(rates, "d")


def test_one_ipv6_network_is_one_address():
    rates = Rates({"reads": Rate(0.001, 1)}, Clock())
    for number in range(4):
        passes(rates, f"caller-{number}", address=f"2001:db8::{number}")
    with pytest.raises(Exception, match="reads-address"):
        passes(rates, "another", address="2001:db8::ffff:1")
    passes(rates, "another", address="2001:db8:0:1::1")


def test_who_has_everything_again_is_forgotten():
    clock = Clock()
    rates = Rates({"reads": Rate(1, 2)}, clock)
    passes(rates, "someone")
    for _, _, spent in rates.untold:
        spent.untold = 0
    rates.sweep()
    assert len(rates.callers["reads"].spent) == 1
    clock.now += 2
    rates.sweep()
    assert [quota.spent for quota in rates.quotas()] == [{}, {}]


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        (b"GET", "/api/chats", "reads"),
        (b"HEAD", "/api/chats", "reads"),
        (b"DELETE", "/api/devices/x", "writes"),
        (b"POST", "/api/messages/send", "sends"),
        (b"POST", "/api/messages/send/media", "sends"),
        (b"POST", "/api/auth/login", "login"),
        (b"POST", "/api/auth/register", "register"),
        (b"POST", "/api/auth/refresh", "refresh"),
        (b"POST", "/api/auth/password/forgot", "recover"),
        (b"POST", "/api/auth/password/reset", "recover"),
        (b"POST", "/api/auth/logout", "writes"),
        (b"POST", "/api/auth/password", "login"),
    ],
)
def test_every_route_has_a_class(method, path, kind):
    assert classify(method, path) == kind


@pytest.mark.parametrize("text", ["", "5", "5/s", "5+5", "0/s+5", "5/s+0", "5/d+5", "-5/s+5", "5/s+5 "])
def test_a_rate_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="not a rate"):
        Rate.read(text)


def settings(**changes):
    return GatewaySettings(
        **{name: "http://a" for name in GatewaySettings.model_fields if name.startswith("url_")},
        nats_url="nats://a",
        redis_url="redis://a",
        **changes,
    )


def test_production_counts_sharply_and_a_developers_machine_does_not():
    sharp = settings(env="production").rates()
    assert set(sharp) >= STRICT
    assert sharp["login"] == Rate(0.5, 30)
    assert settings().rates()["login"] == Rate(500, 30_000)
    assert settings(limit_factor=2, limit_login="1/s+5").rates()["login"] == Rate(2, 10)
    assert settings(env="production").bounds().per_address == 1000
    assert settings(limits="off").rates() == {}
    assert settings(limits="off").bounds().per_address == 0


def test_meta_tells_the_same_rule_of_registration_as_auth_follows():
    assert settings().policy == "open"
    assert settings(env="production").policy == "first"
    assert settings(env="production", registration="invite").policy == "invite"


async def test_an_answer_says_what_is_left_and_a_refusal_when_to_come_back(start, service, redis_url, wire):
    gateway = start(rates=SLOW, redis_url=redis_url)
    client = await wire(gateway)
    token = gateway.sign_in().token
    first = await ask(client, "GET", "/api/chats", token=token)
    assert first.headers["ratelimit-policy"] == '"reads";q=3;w=10800'
    assert first.headers["ratelimit"] == '"reads";r=2;t=3600'
    assert await statuses(client, 2, "GET", "/api/chats", token=token) == [200, 200]
    refused = await ask(client, "GET", "/api/chats", token=token)
    problem = json.loads(refused.body)
    assert (refused.status, problem["code"], problem["quota"]) == (429, "rate-limited", "reads")
    assert int(refused.headers["retry-after"]) == problem["retry_after"] == pytest.approx(3600, abs=5)
    assert refused.headers["ratelimit"].startswith('"reads";r=0;')
    assert len(service.seen) == 3


async def test_classes_and_callers_do_not_share(start, redis_url, wire):
    gateway = start(rates=SLOW, redis_url=redis_url)
    client = await wire(gateway)
    one, other = gateway.sign_in().token, gateway.sign_in().token
    assert await statuses(client, 4, "GET", "/api/chats", token=one) == [200, 200, 200, 429]
    assert await statuses(client, 4, "DELETE", "/api/chats/x", token=one) == [200, 200, 200, 429]
    assert await statuses(client, 2, "POST", "/api/messages/send", token=one) == [200, 429]
    assert await statuses(client, 4, "GET", "/api/chats", token=other) == [200, 200, 200, 429]


async def test_trying_tokens_is_paid_for_by_the_address(start, service, redis_url, wire):
    gateway = start(rates=SLOW, redis_url=redis_url)
    client = await wire(gateway)
    assert await statuses(client, 13, "GET", "/api/chats", token="guessed") == [401] * 12 + [429]
    assert service.seen == []


async def test_replicas_count_together_what_guards_a_secret(start, redis_url, wire):
    replicas = [await wire(start(rates=SLOW, redis_url=redis_url)) for _ in range(3)]
    answers = [status for _ in range(3) for client in replicas for status in await statuses(client, 1, "POST", "/api/auth/login")]
    assert answers == [200] * 3 + [429] * 6


async def test_many_at_the_same_time_get_no_more_than_there_is(start, redis_url, wire):
    gateways = [start(rates={"login": "1/h+20"}, redis_url=redis_url) for _ in range(2)]
    clients = [await wire(gateway) for gateway in gateways for _ in range(20)]
    answers = await asyncio.gather(*(statuses(client, 1, "POST", "/api/auth/login", body=b"{}") for client in clients))
    assert sorted(answers) == [[200]] * 20 + [[429]] * 20


async def test_what_one_replica_let_pass_is_soon_known_to_the_others(start, redis_url, wire):
    one, other = (start(rates={"reads": "1/h+100"}, redis_url=redis_url) for _ in range(2))
    token = one.sign_in().token
    other.edge.admit._verify.__self__.learn(one.identity.kid, one.identity.key.public_key())
    assert await statuses(await wire(one), 101, "GET", "/api/chats", token=token) == [200] * 100 + [429]
    client = await wire(other)
    passed = 0

    async def refused():
        nonlocal passed
        status = (await ask(client, "GET", "/api/chats", token=token)).status
        passed += status == 200
        return status == 429

    await eventually(refused)
    assert passed < 50  # of a burst of its own, which is what it has until it is told


async def test_a_valkey_that_hangs_holds_nobody_up_and_limits_stay(start, valkey, redis_url, wire):
    gateway = start(rates={"login": "1/h+60", "reads": "1/h+200"}, redis_url=redis_url, wait_s=0.05)
    client = await wire(gateway)
    token = gateway.sign_in().token
    assert await statuses(client, 1, "POST", "/api/auth/login") == [200]
    valkey.pause()
    try:
        began = time.monotonic()
        assert await statuses(client, 60, "POST", "/api/auth/login") == [200] * 59 + [429]
        assert await statuses(client, 100, "GET", "/api/chats", token=token) == [200] * 100
        assert time.monotonic() - began < 2.5  # one wait of 50 ms, not sixty
    finally:
        valkey.resume()


async def test_a_valkey_that_comes_back_is_counted_with_again(start, valkey, redis_url, wire):
    one, other = (start(rates={"login": "1/h+300"}, redis_url=redis_url) for _ in range(2))
    first, second = await wire(one), await wire(other)
    valkey.kill()
    assert (await ask(first, "POST", "/api/auth/login")).status == 200
    valkey.start()

    async def together():
        before = left(await ask(second, "POST", "/api/auth/login"))
        await ask(first, "POST", "/api/auth/login")
        return before - left(await ask(second, "POST", "/api/auth/login")) == 2

    await eventually(together)


def left(reply):
    return int(reply.headers["ratelimit"].partition("r=")[2].partition(";")[0])


async def test_an_address_has_so_many_connections_and_a_trusted_proxy_any_number(start, wire):
    gateway = start(limits={"per_address": 3})
    clients = [await wire(gateway) for _ in range(3)]
    for client in clients:
        assert (await ask(client, "GET", "/api/meta")).status == 200
    one_more = await wire(gateway)
    reply = await one_more.reply()
    assert (reply.status, json.loads(reply.body)["code"]) == (429, "too-many-connections")
    assert await one_more.at_end()
    clients[0].writer.close()

    async def room():
        client = await wire(gateway)
        client.send(request("GET", "/api/meta"))
        try:
            return (await client.reply()).status == 200
        except (ConnectionError, asyncio.IncompleteReadError):
            return False

    await eventually(room)
    from ipaddress import ip_network

    proxied = start(limits={"per_address": 1}, trusted=(ip_network("127.0.0.0/8"),))
    for _ in range(3):
        assert (await ask(await wire(proxied), "GET", "/api/meta")).status == 200

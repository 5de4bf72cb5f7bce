"""API keys: exchanged once for a token, believed for seconds, and the end of one is felt."""

import asyncio
import json

import msgspec
import pytest
import pytest_asyncio
from contracts import asks, ids
from contracts.asks import KeyExchanged, KeyPresented
from contracts.errors import Unavailable
from contracts.ids import UserId
from gateway.domain import AccountSuspended, KeyExpired, KeyInvalid
from gateway.keys import Keys
from servicekit.bus import Bus
from servicekit.testing import eventually

from .conftest import request

KEY = "clk_0123456789abcdefghijklmnop"


class Auth:
    """Answers as auth does, and counts."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, question):
        self.asked.append(msgspec.json.decode(question, type=KeyPresented))
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return msgspec.json.encode(self.answer)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


GOOD = KeyExchanged(token="t", expires_in=60)


async def test_a_key_is_asked_for_once_in_five_seconds():
    auth, clock = Auth(GOOD), Clock()
    keys = Keys(auth, clock=clock)
    assert keys.known(KEY, "a") is None
    assert await keys.token(KEY, "a") == "t"
    clock.now = 4.9
    assert keys.known(KEY, "a") == "t"
    assert auth.asked == [KeyPresented(key=KEY, address="a")]
    clock.now = 5.1
    assert keys.known(KEY, "a") is None


async def test_many_that_ask_at_the_same_time_ask_once_and_one_that_leaves_takes_nothing_along():
    auth = Auth(GOOD)
    auth.gate.clear()
    keys = Keys(auth)
    asking = [asyncio.create_task(keys.token(KEY, "a")) for _ in range(20)]
    await eventually(lambda: len(auth.asked) == 1)
    asking[0].cancel()
    auth.gate.set()
    assert await asyncio.gather(*asking[1:]) == ["t"] * 19
    assert len(auth.asked) == 1


@pytest.mark.parametrize(
    ("error", "kind"), [("key-invalid", KeyInvalid), ("key-expired", KeyExpired), ("account-suspended", AccountSuspended)]
)
async def test_a_refusal_is_believed_for_a_second(error, kind):
    auth, clock = Auth(KeyExchanged(error=error)), Clock()
    keys = Keys(auth, clock=clock)
    with pytest.raises(kind):
        await keys.token(KEY, "a")
    with pytest.raises(kind):
        keys.known(KEY, "a")
    clock.now, auth.answer = 1.1, GOOD
    assert keys.known(KEY, "a") is None
    assert await keys.token(KEY, "a") == "t"


async def test_auth_being_away_is_not_remembered():
    auth = Auth(Unavailable("Away."))
    keys = Keys(auth)
    with pytest.raises(Unavailable):
        await keys.token(KEY, "a")
    auth.answer = GOOD
    assert await keys.token(KEY, "a") == "t"


async def test_a_token_that_dies_soon_is_not_kept_to_its_end():
    auth, clock = Auth(KeyExchanged(token="t", expires_in=3)), Clock()
    keys = Keys(auth, clock=clock)
    await keys.token(KEY, "a")
    clock.now = 2.1
    assert keys.known(KEY, "a") is None


async def test_what_cannot_be_a_key_is_never_asked_for():
    auth = Auth(GOOD)
    keys = Keys(auth)
    for text in ("clk_", "clk_short", "clk_" + "x" * 300, "clk_0123456789abcdef\x00ghi", "other"):
        with pytest.raises(KeyInvalid):
            keys.known(text, "a")
    assert auth.asked == []


async def test_memory_is_bounded():
    keys = Keys(Auth(GOOD), entries=50)
    for number in range(60):
        await keys.token(f"clk_{number:020d}", "a")
    assert len(keys._known) == 50
    assert not keys._asking


@pytest.mark.parametrize("header", [f"X-Api-Key: {KEY}", f"Authorization: Bearer {KEY}"])
async def test_a_key_becomes_a_token_and_goes_no_further(start, service, wire, header):
    asked = []

    async def ask(question):
        asked.append(msgspec.json.decode(question, type=KeyPresented))
        return msgspec.json.encode(KeyExchanged(token=gateway.sign_in().token, expires_in=60))

    gateway = start(ask=ask)
    client = await wire(gateway)
    # A body that comes before the answer waits for it; a cookie's proof is no matter of a key's.
    client.send(request("POST", "/api/chats", header, "Cookie: clarin_access=old", body=b"x" * 200_000))
    assert json.loads((await client.reply()).body)["size"] == 200_000
    client.send(request("GET", "/api/chats", header))
    assert (await client.reply()).status == 200
    assert asked == [KeyPresented(key=KEY, address="127.0.0.1")]
    for seen in service.seen:
        assert seen.headers["authorization"].startswith("Bearer ey")
        assert KEY not in seen.head.decode()


async def test_a_refused_key_is_refused_with_the_reason_and_the_connection_goes_on(start, service, wire):
    answers = {"clk_" + "a" * 20: "key-expired", "clk_" + "b" * 20: "account-suspended", "clk_" + "c" * 20: "key-invalid"}

    async def ask(question):
        return msgspec.json.encode(KeyExchanged(error=answers[msgspec.json.decode(question, type=KeyPresented).key]))

    client = await wire(start(ask=ask))
    for key, error in answers.items():
        client.send(request("POST", "/api/chats", f"X-Api-Key: {key}", body=b"hello"))
        reply = await client.reply()
        assert (reply.status, json.loads(reply.body)["code"]) == (403 if error == "account-suspended" else 401, error)
    assert service.seen == []


async def test_with_auth_away_a_key_is_a_503_and_a_token_passes(gateway, wire):
    client = await wire(gateway)
    client.send(request("GET", "/api/chats", f"X-Api-Key: {KEY}"))
    assert (await client.reply()).status == 503
    client.send(request("GET", "/api/chats", token=gateway.sign_in().token))
    assert (await client.reply()).status == 200


async def test_an_answer_that_cannot_be_read_is_a_503(start, wire):
    async def ask(question):
        return b"?"

    client = await wire(start(ask=ask))
    client.send(request("GET", "/api/chats", f"X-Api-Key: {KEY}"))
    assert (await client.reply()).status == 503


@pytest_asyncio.fixture
async def buses(guarded_nats):
    async with (
        Bus.open(guarded_nats.url_as("gateway"), name="gateway") as asker,
        Bus.open(guarded_nats.url_as("auth"), name="auth") as auth,
    ):
        yield asker, auth


async def test_the_gateway_may_ask_and_auth_may_answer(buses):
    asker, auth = buses
    keys = Keys(lambda question: asker.ask(asks.KEY, question))
    with pytest.raises(Unavailable):
        await keys.token(KEY, "a")
    answering = Auth(GOOD)
    await auth.answer(asks.KEY, answering, queue="auth")

    async def answered():
        try:
            return await keys.token(KEY, "192.0.2.1") == "t"
        except Unavailable:
            return False

    await eventually(answered)
    assert answering.asked[-1] == KeyPresented(key=KEY, address="192.0.2.1")


async def test_a_changed_key_goes_on_and_a_revoked_one_is_dead_before_five_seconds_are_over(start, service, wire):
    key = UserId(ids.new())
    asked = 0
    revoked = False

    async def ask(question):
        nonlocal asked
        asked += 1
        good = KeyExchanged(token=gateway.sign_in(user=key, version=asked).token, expires_in=60)
        return msgspec.json.encode(KeyExchanged(error="key-invalid") if revoked else good)

    gateway = start(ask=ask)
    client = await wire(gateway)

    async def answer():
        client.send(request("GET", "/api/chats", f"X-Api-Key: {KEY}"))
        reply = await client.reply()
        return reply.status, json.loads(reply.body).get("code")

    tokens = gateway.edge.admit._verify.__self__
    assert await answer() == await answer() == (200, None)
    tokens.raise_version(key, 2)
    assert await answer() == (200, None)
    assert asked == 2
    revoked = True
    tokens.raise_version(key, 3)
    assert await answer() == (401, "key-invalid")
    assert len(service.seen) == 3

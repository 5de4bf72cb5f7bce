"""Sockets of callers who see some numbers only, on real servers: what they hear, and how a change is felt."""

from datetime import UTC, datetime, timedelta

import pytest
import websockets
from contracts import buckets, envelope, ids
from contracts.envelope import Audience
from contracts.ephemeral import QrShown, Typing
from contracts.events.devices import DeviceChanged, DeviceState
from contracts.principal import Role, Scope
from servicekit.testing import eventually

from .conftest import a_read, reached
from .test_sockets import a_ticket, refused


@pytest.fixture
def device():
    return ids.new()


@pytest.fixture
def unseen():
    return ids.new()


@pytest.fixture
def owner(signed_in):
    return signed_in(Role.OWNER)


@pytest.fixture
async def agent(replica, signed_in, owner, limited, device):
    """Somebody who sees one number."""
    someone = signed_in(Role.ADMIN, owner.principal.tenant)
    await limited(someone, device)
    await eventually(lambda: not replica.server.door.by_token(someone.token).principal.sees(ids.new()))
    return someone


def about(number, tenant, device):
    return a_read(number, tenant, audience=Audience(device=device) if device else None)


async def test_a_socket_hears_what_is_about_the_numbers_that_its_caller_sees(replica, bus, connect, owner, agent, device, unseen):
    tenant = owner.principal.tenant
    mine, every = await connect(replica, f"token={agent.token}"), await connect(replica, f"token={owner.token}")
    await bus.publish(*(about(number, tenant, [device, unseen, None][number % 3]) for number in range(60)))
    assert await every.unread(60) == list(range(60))
    assert await mine.unread(20) == list(range(0, 60, 3))
    for number, name in ((unseen, "other"), (device, "mine")):
        body = DeviceChanged(id=ids.public(ids.DEVICE, number), name=name, state=DeviceState.NEW, revision=1, at=datetime.now(UTC))
        await bus.publish(envelope.wrap(tenant, body, audience=Audience(device=number)))
    frame = await mine.next()
    assert (frame["event"], frame["data"]["name"]) == ("device_status", "mine")


async def test_a_code_to_scan_is_shown_to_who_sees_the_number(replica, bus, connect, owner, agent, device, unseen):
    tenant, soon = owner.principal.tenant, datetime.now(UTC) + timedelta(seconds=20)
    mine = await connect(replica, f"token={agent.token}")
    for number in ("dev_1", ids.public(ids.DEVICE, unseen), ids.public(ids.DEVICE, device)):
        await bus.shout(tenant, QrShown(device_id=number, qr=number, expires_at=soon))
    assert (await mine.next())["data"]["qr"] == ids.public(ids.DEVICE, device)
    await bus.shout(tenant, Typing(chat_id="cht_1", state="composing"))
    await bus.shout(tenant, Typing(chat_id="cht_2", state="composing", device_id=ids.public(ids.DEVICE, device)))
    assert (await mine.next())["data"]["chat_id"] == "cht_2"


async def test_a_customer_who_does_not_say_that_he_has_stopped_has_stopped_after_a_while(start, bus, connect, owner):
    mine = await connect(await start(writes=0.3), f"token={owner.token}")
    number = ids.public(ids.DEVICE, ids.new())
    for state in ("composing", "recording"):
        await bus.shout(owner.principal.tenant, Typing(chat_id="cht_1", state=state, device_id=number))
    told = [(await mine.next())["data"] for _ in range(3)]
    assert [one["state"] for one in told] == ["composing", "recording", "paused"]
    assert {one["device_id"] for one in told} == {number}
    for state in ("composing", "paused"):
        await bus.shout(owner.principal.tenant, Typing(chat_id="cht_1", state=state))
    await bus.shout(owner.principal.tenant, Typing(chat_id="cht_2", state="composing"))
    assert [(await mine.next())["data"]["chat_id"] for _ in range(4)] == ["cht_1", "cht_1", "cht_2", "cht_2"]


async def test_a_change_is_felt_at_once_on_an_open_socket(replica, bus, connect, owner, agent, limited, device, unseen):
    tenant = owner.principal.tenant
    mine, every = await connect(replica, f"token={agent.token}"), await connect(replica, f"token={owner.token}")
    await bus.publish(about(1, tenant, unseen), about(2, tenant, device))
    assert await mine.unread(1) == [2]
    await limited(agent, device, unseen)
    frame = await mine.next()
    assert (frame["event"], frame["reason"], frame["data"]) == ("resync", "access", {"reason": "access"})
    await bus.publish(about(3, tenant, unseen), about(4, tenant, device))
    assert await mine.unread(2) == [3, 4]
    await limited(agent, device)
    assert (await mine.next())["reason"] == "access"
    await bus.publish(about(5, tenant, unseen), about(6, tenant, device))
    assert await mine.unread(1) == [6]
    await limited(agent, all=True)
    assert (await mine.next())["reason"] == "access"
    await bus.publish(about(7, tenant, None))
    assert await mine.unread(1) == [7]
    assert await every.unread(7) == list(range(1, 8))
    assert every.resyncs == []


@pytest.mark.parametrize("history", [1000, 3])
async def test_who_comes_back_hears_of_what_was_missed_what_it_may_see(start, bus, connect, owner, agent, device, unseen, history):
    tenant = owner.principal.tenant
    replica = await start(history=history)
    client = await connect(replica, f"token={agent.token}")
    await client.socket.close()
    await bus.publish(*(about(number, tenant, device if number % 2 else unseen) for number in range(40)))
    await reached(replica, bus)
    back = await connect(replica, f"token={agent.token}&since={client.last}&epoch={client.epoch}")
    assert back.resumed
    assert await back.unread(20) == list(range(1, 40, 2))
    await bus.publish(about(41, tenant, device))
    assert await back.unread(1) == [41]


@pytest.mark.parametrize("all", [True, False])
async def test_who_comes_back_after_a_change_fetches_anew(replica, bus, connect, owner, agent, limited, device, unseen, all):
    client = await connect(replica, f"token={agent.token}")
    await client.socket.close()
    await bus.publish(about(1, owner.principal.tenant, device))
    await reached(replica, bus)
    await limited(agent, unseen, all=all)
    await eventually(lambda: replica.server.door.by_token(agent.token).principal.sees(unseen))
    back = await connect(replica, f"token={agent.token}&since={client.last}&epoch={client.epoch}")
    assert not back.resumed
    assert (await back.next())["reason"] == "access"
    await bus.publish(about(2, owner.principal.tenant, unseen))
    assert await back.unread(1) == [2]


async def test_a_ticket_from_before_a_change_opens_what_is_seen_after_it(
    replica, bus, redis_url, connect, owner, signed_in, limited, device
):
    tenant = owner.principal.tenant
    someone = signed_in(Role.AGENT, tenant)
    ticket = await a_ticket(redis_url, someone)
    await limited(someone, device)
    await eventually(lambda: not replica.server.door.by_token(someone.token).principal.sees(ids.new()))
    client = await connect(replica, f"ticket={ticket}")
    await bus.publish(about(1, tenant, ids.new()), about(2, tenant, device))
    assert await client.unread(1) == [2]


async def test_who_has_an_entry_that_cannot_be_read_hears_nothing(replica, bus, connect, owner, agent, device):
    client = await connect(replica, f"token={agent.token}")
    await (await bus.bucket(buckets.ACCESS)).put(str(agent.principal.id), b"nonsense")
    assert (await client.next())["reason"] == "access"
    await bus.publish(about(1, owner.principal.tenant, device))
    await reached(replica, bus)
    await client.socket.send('{"type": "ping"}')
    assert (await client.next())["event"] == "pong"


async def test_a_key_opens_a_socket_only_if_it_may_read(replica, connect, signed_in):
    for scopes in ([], [Scope.SEND, Scope.CONTROL, Scope.SETTINGS]):
        assert await refused(connect, replica, f"token={signed_in(scopes=scopes).token}") == (403, "scope-missing")
    client = await connect(replica, f"token={signed_in(scopes=[Scope.READ]).token}")
    assert client.socket.state is websockets.State.OPEN


async def test_a_change_while_somebody_catches_up_ends_what_was_chosen_before_it(start, bus, connect, owner, agent, limited, device):
    tenant = owner.principal.tenant
    replica = await start(size=50_000_000, queue_bytes=20_000)
    client = await connect(replica, f"token={agent.token}")
    await client.socket.close()
    long = DeviceChanged(id=ids.public(ids.DEVICE, device), name="x" * 80_000, state=DeviceState.NEW, revision=1, at=datetime.now(UTC))
    await bus.publish(*(envelope.wrap(tenant, long, audience=Audience(device=device)) for _ in range(250)))
    await reached(replica, bus)
    back = await connect(replica, f"token={agent.token}&since={client.last}&epoch={client.epoch}", hello=False, max_queue=1)
    await eventually(lambda: any(socket.full for socket in replica.server.sockets))
    await limited(agent)
    await eventually(lambda: not replica.server.door.by_token(agent.token).principal.sees(device))
    await back.hello()
    told = 0
    while (await back.next())["event"] != "resync":
        told += 1
    assert told < 250
    assert back.resyncs == ["access"]
    await bus.publish(about(1, tenant, device))
    await reached(replica, bus)
    await limited(agent, all=True)
    assert (await back.next())["event"] == "resync"
    await bus.publish(about(2, tenant, device))
    assert await back.unread(1) == [2]

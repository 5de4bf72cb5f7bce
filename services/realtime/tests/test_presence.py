"""Who is there, who writes, and who is told of it: on real servers, with two replicas."""

from datetime import UTC, datetime

import aiohttp
import pytest
from contracts import envelope, ids
from contracts.envelope import Audience
from contracts.events.conversations import ChatAssigned
from contracts.principal import Role, Scope
from realtime.presence import Pace
from servicekit.testing import eventually

from .conftest import a_chat
from .test_sockets import closed

QUICK = Pace(again=0.2, gone=1.5, linger=0.05)


@pytest.fixture
async def replicas(start, signed_in):
    return [await start(pace=QUICK) for _ in range(2)]


def name(someone):
    return ids.public(ids.USER, someone.principal.id)


async def colleagues(signed_in, *roles):
    first = signed_in(roles[0])
    return [first, *(signed_in(role, first.principal.tenant) for role in roles[1:])]


async def felt(replicas, someone, chats):
    await eventually(lambda: all(one.server.door.by_token(someone.token).principal.access.chats == chats for one in replicas))


async def test_colleagues_on_any_replica_see_who_is_there_and_which_chat_is_open(replicas, connect, signed_in):
    ana, beto = await colleagues(signed_in, Role.OWNER, Role.AGENT)
    one, other = await connect(replicas[0], f"token={ana.token}"), await connect(replicas[1], f"token={beto.token}")
    chat = a_chat()
    await one.say("presence", state="online")
    assert await other.until("presence", user_id=name(ana)) == {"user_id": name(ana), "state": "online", "chats": []}
    await other.say("presence", state="online", chats=[chat])
    told = {item["user_id"]: item for item in (await other.until("presence_state"))["items"]}
    assert told[name(ana)]["state"] == "online"
    assert (await one.until("presence", user_id=name(beto)))["chats"] == [chat]
    await other.say("presence", state="away")
    assert await one.until("presence", user_id=name(beto)) == {"user_id": name(beto), "state": "away", "chats": []}
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{replicas[0].url}/api/presence", headers=beto.headers) as answer:
            said = await answer.json()
        assert {(item["user_id"], item["state"]) for item in said["items"]} == {(name(ana), "online"), (name(beto), "away")}
        assert said["next_cursor"] is None
        async with session.get(f"{replicas[0].url}/api/presence", headers=signed_in().headers) as answer:
            assert (await answer.json())["items"] == []
        async with session.get(f"{replicas[0].url}/api/presence") as answer:
            assert (answer.status, answer.content_type) == (401, "application/problem+json")
    await other.socket.close()
    assert (await one.until("presence", user_id=name(beto)))["state"] == "offline"


async def test_somebody_with_two_tabs_is_there_until_the_last_one_is_closed(replicas, connect, signed_in):
    ana, beto = await colleagues(signed_in, Role.OWNER, Role.AGENT)
    watcher = await connect(replicas[0], f"token={ana.token}")
    tabs = [await connect(replica, f"token={beto.token}") for replica in replicas]
    chats = [a_chat(), a_chat()]
    for tab, chat in zip(tabs, chats, strict=True):
        await tab.say("presence", state="online", chats=[chat])
    while (told := await watcher.until("presence", user_id=name(beto)))["chats"] != sorted(chats):
        assert told["state"] == "online"
    await tabs[0].socket.close()
    assert (await watcher.until("presence", user_id=name(beto), chats=[chats[1]]))["state"] == "online"
    await tabs[1].socket.close()
    assert (await watcher.until("presence", user_id=name(beto)))["state"] == "offline"


async def test_people_of_a_replica_that_died_are_gone_and_those_who_came_back_elsewhere_are_not(replicas, connect, signed_in):
    ana, beto, caro = await colleagues(signed_in, Role.OWNER, Role.AGENT, Role.AGENT)
    watcher = await connect(replicas[0], f"token={ana.token}")
    for someone in (beto, caro):
        await (await connect(replicas[1], f"token={someone.token}")).say("presence", state="online")
        await watcher.until("presence", user_id=name(someone))
    replicas[1].dies()
    await (await connect(replicas[0], f"token={caro.token}")).say("presence", state="online")
    assert await watcher.until("presence") == {"user_id": name(beto), "state": "offline", "chats": []}
    await watcher.say("presence", state="online")
    items = (await watcher.until("presence_state"))["items"]
    assert {item["user_id"]: item["state"] for item in items}.get(name(caro)) == "online"


async def test_presence_outlives_the_bus(replicas, connect, signed_in, nats):
    ana, beto = await colleagues(signed_in, Role.OWNER, Role.AGENT)
    one, other = await connect(replicas[0], f"token={ana.token}"), await connect(replicas[1], f"token={beto.token}")
    await other.say("presence", state="online")
    await one.until("presence", user_id=name(beto))
    nats.kill()
    nats.start()
    chat = a_chat()
    await other.say("presence", state="away", chats=[chat])
    while (await one.until("presence", user_id=name(beto)))["chats"] != [chat]:
        pass


async def test_an_open_chat_is_shown_to_who_may_see_it_from_the_moment_on_that_it_may(replicas, bus, connect, signed_in, reach, chats):
    ana, beto, caro = await colleagues(signed_in, Role.OWNER, Role.AGENT, Role.AGENT)
    device, team = ids.new(), ids.new()
    await reach(beto, chats="own")
    await reach(caro, chats="team", teams=frozenset({team}))
    await felt(replicas, caro, "team")
    chat = a_chat()
    chats[chat] = Audience(device=device, team=team)
    one = await connect(replicas[0], f"token={ana.token}")
    theirs = [await connect(replicas[1], f"token={someone.token}") for someone in (beto, caro)]
    await one.say("presence", state="online", chats=[chat])
    assert [(await client.until("presence", user_id=name(ana)))["chats"] for client in theirs] == [[], [chat]]
    to_beto = ChatAssigned(
        id=chat, device_id=ids.public(ids.DEVICE, device), assignee_id=name(beto), team_id=None, at=datetime.now(UTC), way="manual",
        previous_team_id=ids.public(ids.TEAM, team),
    )  # fmt: skip
    await bus.publish(envelope.wrap(ana.principal.tenant, to_beto, audience=Audience(device=device, assignee=beto.principal.id)))
    for client in theirs:  # who gets it, and who has it no more
        assert (await client.until("chat_assigned"))["id"] == chat
    assert [(await client.until("presence", user_id=name(ana)))["chats"] for client in theirs] == [[chat], []]
    await theirs[1].say("presence", state="online", chats=[chat])
    items = (await theirs[1].until("presence_state"))["items"]
    assert [item["chats"] for item in items if item["user_id"] == name(ana)] == [[]]
    assert (await one.until("presence", user_id=name(caro)))["chats"] == [], "whoever may not see a chat has it not open"


async def test_who_writes_is_told_to_who_may_see_the_chat(replicas, connect, signed_in, reach, chats):
    ana, beto, caro = await colleagues(signed_in, Role.OWNER, Role.AGENT, Role.AGENT)
    await reach(beto, chats="own")
    await felt(replicas, beto, "own")
    mine, other = a_chat(), a_chat()
    chats[mine], chats[other] = Audience(device=ids.new(), assignee=beto.principal.id), Audience(device=ids.new())
    one, two, three = [await connect(replicas[number % 2], f"token={who.token}") for number, who in enumerate((ana, beto, caro))]
    await two.say("typing", chat_id=other)
    await two.say("typing", chat_id=mine)
    for client in (one, three):
        assert await client.until("agent_typing") == {"chat_id": mine, "user_id": name(beto), "state": "composing"}
    await one.say("typing", chat_id=other)
    await one.say("typing", chat_id=mine, state="paused")
    assert (await two.until("agent_typing", user_id=name(ana)))["chat_id"] == mine
    assert (await three.until("agent_typing", user_id=name(ana)))["chat_id"] == other


async def test_a_program_is_not_there(replicas, connect, signed_in):
    key = signed_in(scopes=[Scope.READ])
    client = await connect(replicas[0], f"token={key.token}")
    await client.say("presence", state="online")
    assert await client.until("refused") == {"type": "presence", "code": "persons-only"}
    await client.say("typing", chat_id=a_chat())
    assert (await client.until("refused"))["type"] == "typing"


@pytest.mark.parametrize(
    "what",
    [
        {"type": "presence", "state": "asleep"},
        {"type": "presence", "state": "online", "chats": ["dev_1"]},
        {"type": "presence", "state": "online", "chats": ["cht_" + "0" * 26] * 11},
        {"type": "typing"},
        {"type": "typing", "chat_id": "cht_1"},
    ],
)
async def test_presence_that_says_nothing_closes_the_socket(replicas, connect, signed_in, what):
    client = await connect(replicas[0], f"token={signed_in().token}")
    await client.say(**what)
    assert await closed(client) == (1003, "not a message of this protocol")

"""Numbers are online while somebody has their chats open, and ask what groups are called; the session only writes down what it is told."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from contracts import envelope, ids, subjects
from contracts.envelope import wrap
from contracts.ephemeral import ChatAttended
from contracts.events.devices import GroupObserved, MessageObserved
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from device_worker.domain import Device, DeviceSettings
from device_worker.sessions import Attention, Groups
from device_worker.whatsapp import NotRunning
from device_worker.whatsapp.proto import neonize_pb2
from servicekit.testing import eventually

ANA, BEA, GROUP = Address("pn", "5215550001111"), Address("lid", "77"), Address("group", "120363")


class Line:
    """A session, as far as attention goes."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.fails = 0

    async def presence(self, online: bool) -> None:
        self.said.append(("online" if online else "offline",))

    async def subscribe(self, user: str, server: str) -> None:
        self.said.append(("subscribe", user, server))

    async def typing(self, user: str, server: str, state: str) -> None:
        self.said.append((state, user, server))

    async def group(self, id: str) -> tuple[str, int]:
        self.said.append(("group", id))
        if self.fails:
            self.fails -= 1
            raise NotRunning
        return "Vecinos", 3


class Number:
    """A number with its session and what is set of it."""

    def __init__(self) -> None:
        self.tenant, self.line = TenantId(ids.new()), Line()
        self.device = Device(
            id=DeviceId(ids.new()), tenant=self.tenant, name="Ventas", created_at=datetime.now(UTC), changed_at=datetime.now(UTC)
        )
        self.connected = True

    def here(self, id):
        return (self.device, self.line if self.connected else None) if id == self.device.id else None

    def set(self, **presence: bool) -> None:
        self.device = self.device.configure(DeviceSettings(presence=presence), None, datetime.now(UTC))


@pytest.fixture
def number():
    return Number()


@asynccontextmanager
async def running(part):
    stopping = asyncio.Event()
    task = asyncio.create_task(part.run(stopping))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        stopping.set()
        await task


async def test_a_number_is_online_from_its_first_open_chat_until_a_while_after_the_last(bus, number):
    attention = Attention(bus, number.here, lasts=2.0)
    async with running(attention):

        async def says(address, state="open", tenant=number.tenant):
            await bus.shout(tenant, ChatAttended(device=number.device.id, address=address, state=state))

        async def asked():
            await says(ANA)
            return ("subscribe", ANA.value, "s.whatsapp.net") in number.line.said

        await eventually(asked)
        await says(BEA, "composing")
        await says(BEA, "paused", TenantId(ids.new()))  # another account's word
        await says(GROUP)
        await eventually(lambda: ("subscribe", BEA.value, "lid") in number.line.said)
        assert number.line.said[0] == ("online",)
        assert ("composing", BEA.value, "lid") in number.line.said
        assert not [one for one in number.line.said if one[0] == "paused" or GROUP.value in one]
        number.line.said.clear()
        attention.connected(number.device.id)  # WhatsApp has forgotten all of it
        await eventually(lambda: ("online",) in number.line.said)
        await eventually(lambda: number.line.said[-1:] == [("offline",)])


async def test_where_its_settings_say_so_a_number_is_never_online_and_nobody_is_seen_writing(bus, number):
    number.set(customers=False, agents=False)
    attention = Attention(bus, number.here)
    other = Number()
    async with running(attention), running(Attention(bus, other.here)):

        async def says():
            await bus.shout(number.tenant, ChatAttended(device=number.device.id, address=ANA, state="composing"))
            await bus.shout(other.tenant, ChatAttended(device=other.device.id, address=ANA, state="composing"))
            return ("subscribe", ANA.value, "s.whatsapp.net") in other.line.said and [
                one for one in other.line.said if one[0] == "composing"
            ]

        await eventually(says)
        assert number.line.said == []
        number.set(agents=False)
        attention.connected(number.device.id)
        await eventually(lambda: number.line.said[:1] == [("online",)])
        assert not [one for one in number.line.said if one[0] == "composing"]


async def test_a_group_is_asked_for_its_name_once_and_again_when_it_changes(bus, number):
    number.line.fails = 1
    groups = Groups(bus, number.here, pause=0.05)
    fact = MessageObserved(device=number.device.id, chat=GROUP, wa_id="A", from_me=False, at=datetime.now(UTC), kind="text")
    direct = MessageObserved(device=number.device.id, chat=ANA, wa_id="B", from_me=False, at=datetime.now(UTC), kind="text")
    start = (await bus.stream_state()).last_sequence + 1
    async with running(groups), await bus.ordered(subjects.every(GroupObserved), start) as told:
        groups.note([wrap(number.tenant, direct), wrap(number.tenant, fact), wrap(number.tenant, fact)])
        first = envelope.decode((await anext(told)).payload)
        assert isinstance(first.data, GroupObserved)
        assert (first.tenant, first.data.chat, first.data.subject, first.data.members) == (number.tenant, GROUP, "Vecinos", 3)
        groups.note([wrap(number.tenant, fact)])
        event = neonize_pb2.GroupInfoEvent(
            JID=neonize_pb2.JID(User=GROUP.value, Server="g.us", Device=0, RawAgent=0, Integrator=0, IsEmpty=False)
        )
        await groups.changed(number.device, event.SerializePartialToString())
        await anext(told)
    assert number.line.said == [("group", GROUP.value)] * 3

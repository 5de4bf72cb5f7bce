"""Blocking on WhatsApp itself: which order counts, what becomes of it, and the whole of it over a real session."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from contracts import ids
from contracts.commands import BlockPerson, ErasePerson
from contracts.envelope import decode, wrap
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from device_worker import convert
from device_worker.blocks import MOST_LISTED, Blocks
from device_worker.shards import shard_of
from device_worker.store import blocks, erasures
from device_worker.whatsapp import CallFailed, NotRunning
from device_worker.whatsapp.proto import Kind, neonize_pb2
from servicekit.db import raw
from servicekit.testing import eventually

pytestmark = pytest.mark.timeout(120)

ANA, LID = Address("pn", "5215550000001"), Address("lid", "104200000000001")


def inner(device: str) -> DeviceId:
    return DeviceId(ids.parse(ids.DEVICE, device))


class Line:
    """WhatsApp's list, as a session has it, and what it says instead of doing as it is told."""

    def __init__(self) -> None:
        self.listed: set[str] = set()
        self.asked: list[tuple[str, str, bool]] = []
        self.says: dict[str, Exception] = {}

    async def blocked(self) -> list[tuple[str, str]]:
        if "list" in self.says:
            raise self.says["list"]
        return [(user, "lid") for user in self.listed]

    async def block(self, user: str, server: str, blocked: bool) -> list[str]:
        self.asked.append((user, server, blocked))
        if user in self.says:
            raise self.says[user]
        lid = LID.value if user == ANA.value else user
        self.listed = self.listed | {lid} if blocked else self.listed - {lid}
        return sorted(self.listed)


class Number:
    """A number whose shard and session are here."""

    def __init__(self, system: Any, device: str, tenant: TenantId) -> None:
        self.device, self.client = inner(device), Line()
        self.session = SimpleNamespace(client=self.client, device=SimpleNamespace(tenant=tenant))
        self.connections = 1
        self.parts = Blocks(system, self, self)  # type: ignore[arg-type]

    def fence(self, shard: int) -> int | None:
        return 1 if shard == shard_of(self.device) else None

    def connected(self, device: DeviceId) -> Any:
        return self.session if device == self.device and self.connections else None

    async def look(self) -> None:
        """One look, and all that it began has ended."""
        await self.parts.poll()
        await asyncio.gather(*self.parts._running.values())


@pytest.fixture
async def device(client):
    return str((await client.post("/api/devices", json={"name": "Ventas"})).json()["id"])


@pytest.fixture
def number(system_db, device, tenant):
    return Number(system_db, device, tenant)


@pytest.fixture
def order(db, tenant, device):
    async def give(block, revision, *, blocked=True, to=device, addresses=(ANA, LID), at=None):
        body = BlockPerson(block=block, device=inner(to), addresses=addresses, blocked=blocked, revision=revision)
        async with db.transaction(tenant) as tx:
            await blocks.add(tx, [wrap(tenant, body, occurred_at=at)])

    return give


@pytest.fixture
def told(system_db):
    async def read() -> list[tuple[int, bool, str, str | None]]:
        async with system_db.system() as tx:
            rows = await (await raw(tx)).fetch("select payload from outbox order by id")
        some = [one.data for row in rows if (one := decode(row["payload"])).type == "devices.block.settled"]
        return [(one.revision, one.blocked, one.outcome, one.reason) for one in some]

    return read


async def test_the_newest_order_about_somebody_counts_however_often_and_in_which_order_they_come(order, number, told, system_db):
    block = ids.new()
    await order(block, 2, blocked=False)
    await order(block, 1)
    await order(block, 2, blocked=False)
    await number.look()
    await order(block, 1)
    await order(block, 2, blocked=False)
    await number.look()
    assert await told() == [(2, False, "done", None)]
    assert {blocked for *_, blocked in number.client.asked} == {False}
    async with system_db.system() as tx:
        assert await (await raw(tx)).fetchval("select addresses::text from blocks") == "[]", "what is done names nobody"
    await order(block, 3)
    await number.look()
    assert (await told())[1:] == [(3, True, "done", None)]


async def test_a_second_name_of_the_same_person_is_not_asked_about_and_another_phone_is(order, number):
    other = Address("lid", "104200000000099")
    await order(ids.new(), 1, addresses=(LID, other, ANA))
    await number.look()
    assert [user for user, *_ in number.client.asked] == [ANA.value, other.value]
    assert number.client.listed == {LID.value, other.value}


async def test_what_a_number_cannot_do_now_waits_and_is_done_when_it_is_back(order, number, told):
    block = ids.new()
    number.connections = 0
    await order(block, 1)
    await number.look()
    number.connections = 1
    for away in (NotRunning(), CallFailed("websocket not connected")):
        number.client.says = {ANA.value: away}
        for _ in range(10):
            await number.look()
    assert await told() == [], "that the number is away is nobody's failure"
    number.client.says = {}
    await number.look()
    assert await told() == [(1, True, "done", None)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no LID found for 5215550000001@s.whatsapp.net from server", "not-on-whatsapp"),
        ("info query returned status 403: forbidden", "refused"),
    ],
)
async def test_what_whatsapp_refuses_is_given_up_at_once_with_its_reason(order, number, told, text, reason):
    number.client.says = {ANA.value: CallFailed(text)}
    await order(ids.new(), 1, addresses=(ANA,))
    await number.look()
    assert await told() == [(1, True, "failed", reason)]


async def test_what_gets_no_answer_is_tried_again_for_a_while_and_then_given_up(order, number, told, system_db):
    for text in ("info query timed out", "info query returned status 429: rate-overlimit"):
        number.client.says, number.client.asked = {ANA.value: CallFailed(text)}, []
        await order(ids.new(), 1, addresses=(ANA,))
        before = len(await told())
        for _ in range(9):
            await number.look()
            async with system_db.system() as tx:
                await (await raw(tx)).execute("update blocks set not_before = now() where not_before is not null")
        assert len(number.client.asked) == 6
        assert (await told())[before:] == [(1, True, "failed", "no-answer")]


async def test_what_waited_for_a_week_and_what_is_for_a_number_that_is_gone_is_given_up(order, number, told):
    number.connections = 0
    await order(ids.new(), 1, at=datetime.now(UTC) - timedelta(days=8))
    await number.look()
    await order(ids.new(), 4, to=ids.public(ids.DEVICE, ids.new()))
    assert await told() == [(1, True, "failed", "expired"), (4, True, "failed", "device-not-found")]


async def test_who_is_erased_is_to_be_blocked_no_more(order, number, db, system_db, tenant):
    number.connections = 0
    await order(ids.new(), 1)
    await order(ids.new(), 1, addresses=(Address("pn", "5215550000002"),))
    await order(ids.new(), 2, blocked=False)
    async with db.transaction(tenant) as tx:
        await erasures.add(tx, [wrap(tenant, ErasePerson(erasure=ids.new(), addresses=(LID,)))])
    async with system_db.system() as tx:
        person = await erasures.first(tx)
        assert person is not None
        assert await erasures.forget(tx, person) == (1, True)
        left = await (await raw(tx)).fetch("select blocked, expires_at < now() + interval '25 hours' as soon from blocks order by blocked")
    assert [(row["blocked"], row["soon"]) for row in left] == [(False, True), (True, False)], "a block that nobody sees is still undone"
    number.connections = 1
    number.client.listed = {LID.value}
    await number.look()
    assert LID.value not in number.client.listed


async def test_whom_a_number_blocks_already_is_told_after_each_connection_and_where_it_cannot_be_asked_later(number, system_db):
    async def lists() -> list[Any]:
        async with system_db.system() as tx:
            rows = await (await raw(tx)).fetch("select payload from outbox order by id")
        some = [one.data for row in rows if (one := decode(row["payload"])).type == "devices.block.listed"]
        return [(one.device, one.addresses, one.whole) for one in some]

    number.client.listed = {LID.value, "104200000000099"}
    await number.look()
    assert await lists() == [], "a number that is not connected has no list"
    number.parts.connected(number.device)
    await number.look()
    await number.look()
    told = (number.device, (LID, Address("lid", "104200000000099")), True)
    assert await lists() == [told], "once is enough for a connection"

    number.client.says = {"list": CallFailed("info query timed out")}
    number.parts.connected(number.device)
    await number.look()
    assert await lists() == [told]
    number.client.says, number.client.listed = {}, {str(user) for user in range(MOST_LISTED + 1)}
    number.parts.connected(number.device)
    await number.look()
    device, addresses, whole = (await lists())[1]
    assert (device, len(addresses), whole) == (number.device, MOST_LISTED, False)


def test_a_change_of_the_list_is_told_person_by_person():
    tenant, device, seen = ids.new(), DeviceId(ids.new()), datetime(2026, 11, 21, tzinfo=UTC)
    event = neonize_pb2.BlocklistEvent(Action=neonize_pb2.BlocklistEvent.DEFAULT, DHASH="2:a", PrevDHash="")
    jids = (("77", "lid", 1), ("5215", "s.whatsapp.net", 2), ("120363", "g.us", 1), ("", "", 1))
    for user, server, action in jids:
        jid = neonize_pb2.JID(User=user, Server=server, Device=0, RawAgent=0, Integrator=0, IsEmpty=not user)
        event.Changes.add(JID=jid, BlockAction=action)
    found = convert.observe(Kind.BLOCKLIST, event, tenant=tenant, device=device, seen_at=seen)
    assert [(one.data.address, one.data.blocked) for one in found] == [(Address("lid", "77"), True), (Address("pn", "5215"), False)]
    again = convert.observe(Kind.BLOCKLIST, event, tenant=tenant, device=device, seen_at=seen)
    assert [one.id for one in again] == [one.id for one in found], "the journal's record twice is the same fact"


async def test_somebody_is_blocked_over_a_real_session_and_what_the_phone_does_is_told(world):
    await world.worker()
    await world.people()
    beto = await world.phones.phone(f"{world.ana}1", "Beto")
    before = Address("lid", (await world.phones.get(f"/phones/{beto}"))["lid"])
    await world.phones.post(f"/phones/{world.shop}/block", who=beto)
    device = await world.link()
    [known] = await world.some("devices.block.listed")
    assert (known.device, known.addresses, known.whole) == (inner(device), (before,), True)
    await world.phones.post(f"/phones/{world.shop}/block", who=beto, blocked=False)
    await world.some("devices.block.observed")
    lid = Address("lid", (await world.phones.get(f"/phones/{world.ana}"))["lid"])
    block = ids.new()

    async def give(revision: int, blocked: bool) -> None:
        body = BlockPerson(block=block, device=inner(device), addresses=(Address("pn", world.ana), lid), blocked=blocked, revision=revision)
        await world.bus.publish(wrap(world.tenant, body, id=ids.derived("block", block, revision)))

    async def listed() -> list[str]:
        return list((await world.phones.get(f"/phones/{world.shop}"))["blocked"])

    await give(1, True)
    [settled] = await world.some("devices.block.settled")
    assert (settled.block, settled.revision, settled.blocked, settled.outcome) == (block, 1, True, "done")
    assert await listed() == [world.ana]
    await world.phones.write(world.ana, world.shop, "¿Hola?")

    await world.phones.post(f"/sessions/{world.shop}/drop")
    await give(2, False)
    assert [one.revision for one in await world.some("devices.block.settled", 2)] == [1, 2]
    assert await listed() == []

    await world.phones.post(f"/phones/{world.shop}/block", who=world.ana)
    _, seen = await world.some("devices.block.observed", 2)
    assert (seen.address, seen.blocked) == (lid, True)
    await world.phones.post(f"/phones/{world.shop}/block", who=world.ana, blocked=False)
    await world.phones.write(world.ana, world.shop, "¿Y ahora?")

    async def heard() -> None:
        assert [one.data.text for one in await world.events("devices.message.observed")] == ["¿Y ahora?"]

    await eventually(heard, timeout=60, every=0.1)

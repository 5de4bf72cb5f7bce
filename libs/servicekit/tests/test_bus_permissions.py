"""Each service may do its own part on the bus and nothing else: proved on a server that has the real permissions."""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from contracts import access, buckets, subjects
from contracts.commands import MarkRead
from contracts.envelope import Envelope, wrap
from contracts.events.devices import DeviceDeleted
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from servicekit.bus import Bus, BusAway, BusRefused, Consumer, Item, WrongPassword, dlq
from servicekit.bus.connection import START
from servicekit.bus.permissions import permissions, users
from servicekit.embedded import Nats
from servicekit.testing import eventually

TENANT = TenantId(uuid4())
DURABLES = [(service, stream, durable) for service, mine in access.EVERY.items() for stream, durable in mine.durables]


def open_as(server: Nats, user: str):
    return Bus.open(server.url_as(user), name=user)


async def test_a_service_tells_its_own_facts_and_no_other_ones(guarded_nats: Nats):
    mine = wrap(TENANT, DeviceDeleted(id="1"))
    async with open_as(guarded_nats, "devices") as devices, open_as(guarded_nats, "conversations") as conversations:
        await devices.publish(mine)
        with pytest.raises(BusRefused, match="permission"):
            await conversations.publish(mine)
        assert (await devices.stream_state(subjects.EVENTS)).messages == 1


async def test_only_who_erases_people_takes_single_events_out_of_the_stream(guarded_nats: Nats):
    async with open_as(guarded_nats, "devices") as devices, open_as(guarded_nats, "conversations") as conversations:
        await devices.publish(wrap(TENANT, DeviceDeleted(id="1")), wrap(TENANT, DeviceDeleted(id="2")))
        last = (await conversations.stream_state()).last_sequence
        with pytest.raises(BusRefused, match="permission"):
            await devices.erase(last)
        assert await conversations.erase(last)
        assert not await conversations.erase(last)
        assert not await conversations.erase(last + 100)
        with pytest.raises(BusRefused, match="permission"):
            await conversations.erase(1, subjects.COMMANDS)
        assert (await conversations.stream_state()).last_sequence == last


PROCESS = """
from servicekit.bus import Bus
from servicekit.run import service
from servicekit.settings import WithBus

async def start(settings, process):
    await process.enter(Bus.open(settings.nats_url, name="shop"))

service("shop", WithBus, start)
"""


async def test_who_has_a_wrong_password_is_told_at_once_instead_of_waiting_for_a_server(guarded_nats: Nats):
    wrong = guarded_nats.url_as("devices").replace("devices-of-the-tests", "another")
    async with asyncio.timeout(START / 2):
        with pytest.raises(WrongPassword, match="refuses the user devices"):
            async with Bus.open(wrong, name="devices"):
                pass


async def test_a_process_with_a_wrong_password_says_so_in_one_line_without_it_and_ends(guarded_nats: Nats):
    wrong = guarded_nats.url_as("devices").replace("devices-of-the-tests", "another")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROCESS,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "CLARIN_NATS_URL": wrong},
    )
    said, _ = await asyncio.wait_for(process.communicate(), START)
    assert process.returncode == 1
    [line] = [line for line in said.decode().splitlines() if '"error"' in line]
    assert "refuses the user devices" in line
    assert "another@" not in said.decode()
    assert "Traceback" not in said.decode()


@pytest.mark.parametrize("user", sorted(access.EVERY))
async def test_nobody_may_end_or_empty_a_stream_or_make_one(guarded_nats: Nats, user: str):
    async with open_as(guarded_nats, user) as bus:
        for call in (
            "STREAM.DELETE.EVENTS",
            "STREAM.PURGE.EVENTS",
            "STREAM.CREATE.MINE",
            "STREAM.MSG.DELETE.COMMANDS",
            *(() if access.EVERY[user].erases else ("STREAM.MSG.DELETE.EVENTS",)),
            *(() if access.EVERY[user].erases or access.EVERY[user].operates else ("STREAM.MSG.DELETE.DLQ", "STREAM.MSG.GET.DLQ")),
            *(() if access.EVERY[user].operates else ("STREAM.PURGE.DLQ", "CONSUMER.LIST.EVENTS")),
            "STREAM.MSG.GET.EVENTS",
            "CONSUMER.DELETE.EVENTS.conversations-whatsapp",
        ):
            with pytest.raises(BusRefused, match="permission"):
                await bus.connection.api(call, {}, timeout=2)


@pytest.mark.parametrize(("owner", "stream", "durable"), DURABLES)
async def test_a_durable_belongs_to_one_service(guarded_nats: Nats, owner: str, stream: str, durable: str):
    for user in access.EVERY:
        if user == owner:
            continue
        async with open_as(guarded_nats, user) as bus:
            for call in (
                f"CONSUMER.CREATE.{stream}.{durable}",
                f"CONSUMER.MSG.NEXT.{stream}.{durable}",
                f"CONSUMER.RESET.{stream}.{durable}",
            ):
                with pytest.raises(BusRefused, match="permission"):
                    await bus.connection.api(call, {}, timeout=2)


async def test_a_consumer_works_with_the_permissions_of_its_service_and_reaches_the_dead_letters(guarded_nats: Nats):
    at = datetime.now(UTC)
    order = wrap(TENANT, MarkRead(device=DeviceId(uuid4()), chat=Address("pn", "1"), wa_ids=["a"], at=at))
    handled: list[UUID] = []

    async def handle(batch: Sequence[Envelope[Any]]) -> None:
        handled.extend(one.id for one in batch)

    _, stream, durable = next(found for found in DURABLES if found[0] == "devices")
    async with (
        open_as(guarded_nats, "migrator") as migrator,
        open_as(guarded_nats, "conversations") as conversations,
        open_as(guarded_nats, "devices") as devices,
    ):
        stopping = asyncio.Event()
        running = asyncio.create_task(
            devices.consumer(Consumer(durable=durable, stream=stream, bodies=(MarkRead,), handle=handle))(stopping)
        )
        await conversations.publish(order)
        await conversations.publish_items([Item(subjects.of(order), "bad", b"{}")])

        async def letters() -> list[dlq.Letter]:
            return [letter async for letter in dlq.entries(migrator)]

        (letter,) = await eventually(letters)
        await eventually(lambda: handled == [order.id])
        assert letter.durable == durable
        await dlq.replay(migrator, letter)

        async def came_back() -> bool:
            return [one.attempts for one in await letters()] == [2]

        await eventually(came_back)
        stopping.set()
        await running


async def test_nobody_reads_the_answers_or_the_questions_of_another(guarded_nats: Nats):
    heard = []

    async def hear(subject: str, payload: bytes) -> None:
        heard.append(subject)

    async def answer(payload: bytes) -> bytes:
        return b"secret"

    async with (
        open_as(guarded_nats, "devices") as devices,
        open_as(guarded_nats, "conversations") as conversations,
        open_as(guarded_nats, "gateway") as gateway,
    ):
        for subject in ("_INBOX_conversations.>", "ask.devices.*", "evt.>", "eph.>", ">", "$KV.>"):
            await gateway.listen(subject, hear)
        await devices.answer("ask.devices.device", answer, queue="devices")

        async def asked() -> bytes | None:
            try:
                return await conversations.ask("ask.devices.device", b"who")
            except BusAway:
                return None

        assert await eventually(asked) == b"secret"
        await gateway.ping()
        assert heard == []


async def test_a_bucket_is_written_by_its_writer_alone_and_read_by_all(guarded_nats: Nats):
    async with open_as(guarded_nats, "auth") as auth:
        await (await auth.bucket(buckets.KEYS)).put("kid", b"key")
        await (await auth.bucket(buckets.ACCESS)).put("somebody", b"{}")
    async with open_as(guarded_nats, "devices") as devices:
        await (await devices.bucket(buckets.SHARDS)).create("1", b"mine")
    for user in access.EVERY:
        async with open_as(guarded_nats, user) as bus:
            keys = await bus.bucket(buckets.KEYS)
            entry = await keys.get("kid")
            assert entry is not None
            assert await keys.keys() == ["kid"]
            limits = await bus.bucket(buckets.ACCESS)
            assert await limits.keys() == ["somebody"]
            if user != "auth":
                with pytest.raises(BusRefused, match="permission"):
                    await keys.put("kid", b"forged", timeout=2)
                with pytest.raises(BusRefused, match="permission"):
                    await limits.delete("somebody", timeout=2)


async def test_realtime_reads_every_fact_and_what_is_shouted(guarded_nats: Nats):
    heard = []

    async def hear(subject: str, payload: bytes) -> None:
        heard.append(subject)

    async with open_as(guarded_nats, "realtime") as realtime, open_as(guarded_nats, "devices") as devices:
        await realtime.listen("eph.>", hear)
        async with await realtime.ordered(subjects.EVERY_EVENT) as facts:
            await devices.publish(wrap(TENANT, DeviceDeleted(id="1")))
            async with asyncio.timeout(5):
                assert (await anext(facts)).sequence == 1


async def test_who_does_not_read_the_stream_cannot(guarded_nats: Nats):
    async with open_as(guarded_nats, "gateway") as gateway:
        with pytest.raises(BusRefused, match="permission"):
            await gateway.ordered(subjects.EVERY_EVENT)


def test_no_permission_of_a_service_covers_the_whole_bus():
    for user, allowed in users().items():
        if user != "migrator":
            for subject in (*allowed["publish"]["allow"], *allowed["subscribe"]["allow"]):
                assert subject.split(".")[0] not in {">", "*"}
                assert not subject.startswith("$JS.API.>")
    assert permissions("stranger")["subscribe"]["allow"] == ["_INBOX_stranger.>", "ask.stranger.*"]

"""Nothing lost and nothing doubled, with ``kill -9`` and with what the worker needs taken away under it."""

import asyncio
import os
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from contracts.ids import DeviceId
from device_worker.journal import Journal
from device_worker.whatsapp.proto import Kind, e2e, neonize_pb2
from servicekit.testing import eventually

from .world import inner

pytestmark = pytest.mark.timeout(120)


async def delivered(world, count: int) -> None:
    """Ana's phone was told that *count* of her messages are there: WhatsApp will not send them again."""
    await world.phones.wait_for(world.ana, "receipts", count)


async def texts(world) -> list[str]:
    return [envelope.data.text for envelope in await world.events("devices.message.observed")]


async def test_what_was_acknowledged_while_the_bus_was_away_is_published_once_after_kill_9(world, nats):
    worker = await world.worker()
    device = await world.linked()
    nats.pause()
    sent = [f"{number}" for number in range(20)]
    for text in sent:
        await world.phones.write(world.ana, world.shop, text)
    await delivered(world, 20)
    await worker.kill()
    nats.resume()
    assert len(await texts(world)) < 20  # at most the batch that lay in the frozen server's socket
    await worker.start()
    await world.some("devices.message.observed", 20)
    await world.until(device, "connected")
    await world.phones.write(world.ana, world.shop, "after")
    await world.some("devices.message.observed", 21)
    assert await texts(world) == [*sent, "after"]
    assert len(os.listdir(worker.data / "journal")) == 1


@pytest.mark.parametrize("heard", [True, False])
async def test_of_what_arrives_while_the_worker_is_killed_nothing_is_told_twice_and_nothing_is_missing(world, heard):
    """What the library had decrypted and not acknowledged comes again, cannot be read again, and is asked for anew.

    With the host's last words unread, its socket is reset by the kill and not closed.
    """
    worker = await world.worker()
    device = await world.linked()
    sent: dict[str, str] = {}

    async def write(text: str) -> None:
        sent[await world.phones.write(world.ana, world.shop, text)] = text

    async def write_all() -> None:
        for start in range(0, 200, 10):
            await asyncio.gather(*(write(f"{number}") for number in range(start, start + 10)))

    writing = asyncio.create_task(write_all())
    await world.some("devices.message.observed", 20)
    if not heard:
        worker.pause()
        await delivered(world, 60)
    await worker.kill()
    await writing
    await worker.start()

    async def content() -> list[tuple[str, str]]:
        observed = [envelope.data for envelope in await world.events("devices.message.observed")]
        return [(body.wa_id, body.text) for body in observed if body.kind == "text"]

    async def all_there() -> None:
        assert set(await content()) == set(sent.items())

    await eventually(all_there, timeout=60, every=0.2)
    await world.until(device, "connected")
    found = await content()
    assert len(found) == len(set(found))
    # A host that ends by an error does not hang up first: what comes in meanwhile is acknowledged, and kept by nobody.
    assert '"host.over"' in worker.log.read_text()


async def unheard(world) -> dict[str, str]:
    """Three people have written what the worker has, and WhatsApp does not know it; ids and texts."""
    people = [world.ana, world.ana.replace("521556", "521557"), world.ana.replace("521556", "521558")]
    for number in people[1:]:
        await world.phones.phone(number, number)
    await world.phones.post(f"/sessions/{world.shop}/unheard")
    sent = {await world.phones.write(number, world.shop, text): text for number in people for text in (f"{number} a", f"{number} b")}
    await world.some("devices.message.observed", len(sent))
    return sent


async def answered(world) -> int:
    """How often phones have written a message again because they were asked to."""
    return int((await world.phones.get("/stats"))["retries_answered"])


async def test_what_whatsapp_brings_again_is_asked_for_anew_where_nobody_knows_that_it_was_kept(world):
    worker = await world.worker()
    device = await world.linked()
    sent, before = await unheard(world), await answered(world)
    worker.host.kill()
    await worker.kill()
    await world.worker("elsewhere")

    async def all_written_again() -> None:
        assert await answered(world) - before >= len(sent)

    await eventually(all_written_again, timeout=60)
    await world.until(device, "connected")
    observed = [envelope.data for envelope in await world.events("devices.message.observed")]
    assert {body.wa_id: body.text for body in observed if body.kind == "text"} == sent
    assert {body.wa_id for body in observed if body.kind == "undecryptable"} == sent.keys()


async def test_what_a_dead_host_has_kept_is_no_news_when_whatsapp_brings_it_again(world):
    worker = await world.worker()
    device = await world.linked()
    sent, before = await unheard(world), await answered(world)
    worker.host.kill()
    await world.told(device, "connecting", "restarted")
    await world.until(device, "connected")
    after = await world.phones.write(world.ana, world.shop, "after")
    await world.some("devices.message.observed", len(sent) + 1)
    observed = [envelope.data for envelope in await world.events("devices.message.observed")]
    assert {body.wa_id: body.text for body in observed} == sent | {after: "after"}
    assert await answered(world) == before


async def test_a_message_that_was_sent_but_not_recorded_when_the_worker_died_is_unknown_and_never_sent_again(world, urls):
    worker = await world.worker()
    device = await world.linked()
    first = await world.order(device, world.ana, "first")
    await world.some("devices.message.sent")
    # Nothing can be told while somebody holds the outbox: the message goes out, its record waits.
    admin = await asyncpg.connect(urls.admin_url)
    holding = admin.transaction()
    await holding.start()
    await admin.execute("lock table devices.outbox in share mode")
    second = await world.order(device, world.ana, "second")
    await world.phones.wait_for(world.ana, "inbox", 2)
    await worker.kill()
    await holding.rollback()
    await admin.close()

    await worker.start()
    [unsent] = await world.some("devices.message.unsent")
    assert (unsent.message, unsent.outcome, unsent.reason) == (second, "unknown", "worker-lost")
    third = await world.order(device, world.ana, "third")
    await world.some("devices.message.sent", 2)
    arrived = await world.phones.wait_for(world.ana, "inbox", 3)
    assert [item["text"] for item in arrived] == ["first", "second", "third"]
    rows = await world.rows("select id, status from sends order by seq")
    assert [(row["id"], row["status"]) for row in rows] == [(first, "sent"), (second, "unknown"), (third, "sent")]


async def test_a_message_whose_answer_nobody_heard_is_unknown_and_never_sent_again(world):
    worker = await world.worker()
    device = await world.linked()
    await world.order(device, world.ana, "first")
    await world.some("devices.message.sent")
    world.network.pause()
    second = await world.order(device, world.ana, "second")

    async def sending() -> Any:
        return await world.rows("select 1 from sends where id = $1 and status = 'sending'", second)

    await eventually(sending)
    await worker.kill()
    world.network.resume()
    await worker.start()
    [unsent] = await world.some("devices.message.unsent")
    assert (unsent.message, unsent.outcome) == (second, "unknown")
    await world.order(device, world.ana, "third")
    await world.some("devices.message.sent", 2)
    arrived = (await world.phones.get(f"/phones/{world.ana}/inbox?after=0"))["items"]
    assert [item["text"] for item in arrived] in (["first", "third"], ["first", "second", "third"])


async def test_a_message_that_the_phone_asks_for_when_the_worker_that_sent_it_is_dead_is_told_as_unreadable(world):
    worker = await world.worker()
    device = await world.linked()
    await world.phones.post(f"/phones/{world.ana}/hold")
    await world.order(device, world.ana, "lost")
    [sent] = await world.some("devices.message.sent")
    before = (await world.show(device))["revision"]
    await worker.kill()
    await worker.start()

    async def again() -> None:
        shown = await world.show(device)
        assert shown["state"] == "connected"
        assert shown["revision"] > before

    await eventually(again, timeout=60)
    await world.phones.post(f"/phones/{world.ana}/corrupt", count=1, direction="received")
    await world.phones.post(f"/phones/{world.ana}/release")
    [told] = await world.some("devices.message.unreadable")
    assert (told.device, told.wa_id) == (inner(device), sent.wa_id)
    assert told.chat.value == (await world.phones.get(f"/phones/{world.ana}"))["lid"]
    # What the process that lives has sent it remembers: the phone gets that one, and nobody is told.
    await world.phones.post(f"/phones/{world.ana}/corrupt", count=1, direction="received")
    await world.order(device, world.ana, "kept")
    arrived = await world.phones.wait_for(world.ana, "inbox", 1)
    assert [item["text"] for item in arrived] == ["kept"]
    assert (await world.phones.get(f"/phones/{world.ana}"))["unread"] == [sent.wa_id]
    assert len(await world.events("devices.message.unreadable")) == 1


async def test_a_restart_of_the_database_takes_the_sessions_off_the_line_and_no_message_is_lost(world, postgres):
    await world.worker()
    device = await world.linked()

    async def write() -> list[str]:
        sent = []
        for number in range(150):
            await world.phones.write(world.ana, world.shop, f"{number}")
            sent.append(f"{number}")
        return sent

    writing = asyncio.create_task(write())
    await world.some("devices.message.observed", 3)
    await asyncio.to_thread(postgres.restart)
    sent = await writing

    async def all_there() -> bool:
        return set(sent) <= set(await texts(world))

    await eventually(all_there, timeout=40, every=0.2)
    await world.told(device, "connecting", "store-away")
    await world.until(device, "connected", timeout=40)
    observed = [envelope.data for envelope in await world.events("devices.message.observed")]
    content = {body.wa_id: body.text for body in observed if body.kind == "text"}
    assert sorted(content.values()) == sorted(sent)
    # What was being decrypted at that moment stands there as a placeholder first; none is left without its content.
    assert {body.wa_id for body in observed if body.kind == "undecryptable"} <= set(content)


async def test_a_message_whose_keys_the_database_does_not_give_is_not_acknowledged_and_comes_again(world):
    await world.worker()
    await world.linked()
    await world.phones.write(world.ana, world.shop, "before")
    await world.some("devices.message.observed")
    store = await asyncpg.connect(world.environment["CLARIN_WHATSAPP_DATABASE_URL"])
    try:
        await store.execute("alter table whatsmeow_sessions rename to elsewhere")
        await world.phones.write(world.ana, world.shop, "unreadable")

        async def hung_up() -> bool:
            sessions = (await world.phones.get(f"/phones/{world.shop}"))["sessions"]
            return not any(session["connected"] for session in sessions)

        await eventually(hung_up)
        await store.execute("alter table elsewhere rename to whatsmeow_sessions")
    finally:
        await store.close()
    observed = await world.some("devices.message.observed", 2)
    assert [(body.kind, body.text) for body in observed] == [("text", "before"), ("text", "unreadable")]


async def test_a_nearly_full_journal_takes_the_sessions_off_the_line_and_no_message_is_lost(world, nats):
    await world.worker(CLARIN_JOURNAL_BYTES=str(1 << 16), CLARIN_JOURNAL_SEGMENT_BYTES=str(1 << 13))
    device = await world.linked()
    nats.pause()
    sent = [f"{number} {'x' * 4000}" for number in range(40)]
    for text in sent:
        await world.phones.write(world.ana, world.shop, text)

    async def off_the_line() -> bool:
        return (await world.phones.get("/stats"))["online"] == 0

    await eventually(off_the_line)
    nats.resume()

    async def all_there() -> bool:
        return len(await texts(world)) >= len(sent)

    await eventually(all_there, every=0.2)
    await world.until(device, "connected")
    assert sorted(await texts(world)) == sorted(sent)
    await world.told(device, "connecting", "journal-full")


async def test_a_restart_of_the_bus_disturbs_no_session_and_loses_nothing(world, nats):
    worker = await world.worker()
    device = await world.linked()
    before = (await world.show(device))["revision"]
    await world.phones.write(world.ana, world.shop, "before")
    await world.some("devices.message.observed")
    await asyncio.to_thread(nats.kill)
    await world.phones.write(world.ana, world.shop, "during")
    await delivered(world, 2)
    await asyncio.to_thread(nats.start)
    await world.some("devices.message.observed", 2)
    await world.order(device, world.ana, "after")
    await world.phones.wait_for(world.ana, "inbox", 1)
    assert await texts(world) == ["before", "during"]
    assert (await world.show(device))["revision"] == before
    assert worker.process.returncode is None


async def test_the_journal_that_another_worker_left_on_the_volume_is_published(world):
    data: Path = world.folder / "data"
    dead = Journal(data / "journal", segment=1 << 14)
    flags = dict.fromkeys((f.name for f in neonize_pb2.Message.DESCRIPTOR.fields if f.is_required and f.name.startswith("Is")), False)
    event = neonize_pb2.Message(**flags, UnavailableRequestID="", RetryCount=0)
    empty = neonize_pb2.JID(User="", Server="", Device=0, RawAgent=0, Integrator=0, IsEmpty=True)
    ana = neonize_pb2.JID(User=world.ana, Server="s.whatsapp.net", Device=0, RawAgent=0, Integrator=0, IsEmpty=False)
    source = neonize_pb2.MessageSource(
        Chat=ana, Sender=ana, IsFromMe=False, IsGroup=False, SenderAlt=empty, RecipientAlt=empty, BroadcastListOwner=empty
    )
    event.Info.MergeFrom(
        neonize_pb2.MessageInfo(
            MessageSource=source, ID="LEFT", ServerID=0, Type="text", Pushname="Ana", Timestamp=1_700_000_000_000,
            Category="", Multicast=False, MediaType="", Edit="",
        )
    )  # fmt: skip
    event.Message.MergeFrom(e2e.Message(conversation="left behind"))
    device = DeviceId(world.tenant)
    dead.append(Kind.MESSAGE, world.tenant, device, event.SerializeToString())
    dead.append(Kind.MESSAGE, world.tenant, device, b"\xff what no version can read")
    os.close(dead._lock_file)
    await world.worker()
    [observed] = await world.some("devices.message.observed")
    assert (observed.device, observed.wa_id, observed.text) == (device, "LEFT", "left behind")
    await eventually(lambda: not dead.folder.exists())
    assert [path.read_bytes() for path in (data / "unreadable").iterdir()] == [b"\xff what no version can read"]


async def test_the_sessions_of_a_worker_that_is_told_to_stop_live_on_in_another(world):
    first = await world.worker("one", CLARIN_WORKER_ID="one")
    device = await world.linked()
    second = await world.worker("two", CLARIN_WORKER_ID="two")

    async def both() -> bool:
        rows = await world.rows("select worker, count(*) from shards group by worker")
        return {row["worker"].partition("~")[0] for row in rows} == {"one", "two"}

    await eventually(both)
    await world.until(device, "connected")
    assert await first.stop() == 0
    await world.phones.write(world.ana, world.shop, "still there?")
    await world.some("devices.message.observed", timeout=30)
    await world.order(device, world.ana, "yes")
    [arrived] = await world.phones.wait_for(world.ana, "inbox", 1)
    assert arrived["text"] == "yes"
    assert await second.stop() == 0

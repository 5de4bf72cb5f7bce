"""Somebody is erased, and what is too old goes: on a real database, a real bus and a real folder of objects."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from contracts import asks, ids, subjects
from contracts.asks import PersonKnown, PersonNamed
from contracts.commands import ErasePerson, FetchMedia
from contracts.envelope import encode, wrap
from contracts.events import privacy as told
from contracts.events.conversations import ContactErased, MessageReceived
from contracts.events.devices import MediaStored
from contracts.ids import TenantId
from contracts.media import object_key, thumbnail_key
from contracts.principal import Role, Scope
from contracts.whatsapp import Media, MediaSource, Quoted
from conversations.consumers import erasures, figures
from conversations.consumers import media as media_consumer
from conversations.domain.privacy import SERVICES, Dossier, Needles, kept_from
from conversations.store import released
from conversations.timers import deleting, keeping
from conversations.timers import erasing as eraser
from conversations.timers import exporting as exporter
from hypothesis import given
from hypothesis import strategies as st
from servicekit.bus import Item, dlq
from servicekit.db import Database, raw
from servicekit.objects import ObjectMissing, Objects
from servicekit.testing import eventually

from .conftest import running
from .facts import ANA, ANA_LID, BEA, a_message, a_receipt, later

FILE = Media(mime="image/jpeg", size=3, source=MediaSource(path="/x", key=b"k" * 32, sha256=b"s" * 32, enc_sha256=b"e" * 32))


@pytest_asyncio.fixture
async def system(world) -> AsyncIterator[Database]:
    async with Database.open(world.urls.system_url, application="test", pool=2) as db:
        yield db


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects.folder(tmp_path)


async def is_gone(objects: Objects, key: str) -> bool:
    return not await there(objects, key)


async def there(objects: Objects, key: str) -> bool:
    return await objects.size(key) is not None


async def the_contact(world: Any, address: Any = ANA) -> Any:
    [row] = await world.rows("select contact from contact_aliases where value = $1", address.value)
    return row["contact"]


async def request(client: Any, someone: Any, contact: Any) -> Any:
    return await client.post(f"/api/contacts/{ids.public(ids.CONTACT, contact)}/erase", headers=someone.headers)


async def go_on(world: Any, bus: Any, tenant: TenantId, receipt: dict[str, Any]) -> None:
    await eraser.go_on(world.db, bus, tenant, ids.parse(ids.ERASURE, receipt["id"]))


async def everything(world: Any) -> str:
    """Read every row of every table as text."""
    names = await world.rows("select tablename from pg_tables where schemaname = 'conversations' and tablename <> 'outbox'")
    parts = [row["t"] for name in names for row in await world.rows(f'select t::text as t from conversations."{name["tablename"]}" t')]  # noqa: S608  # the catalogue's names
    parts += [bytes(row["body"]).decode(errors="replace") for row in await world.rows("select body from idempotency")]
    return "\n".join(parts)


async def services_do_theirs(world: Any, tenant: TenantId, receipt: dict[str, Any], *, but: str = "", names: tuple[str, ...] = ()) -> None:
    handle = erasures.handler(world.db)
    id = ids.parse(ids.ERASURE, receipt["id"])
    for service in SERVICES:
        if service != but:
            fact = wrap(tenant, told.EVERY[service](erasure=id, removed=1, names=names if service == "pipeline" else ()))
            await handle([fact, fact])


async def a_file_comes(world: Any, objects: Objects, tenant: TenantId, device: Any, content: bytes, **changes: Any) -> str:
    """A message with a file, and the file is here; returns its object."""
    import hashlib

    sha = hashlib.sha256(content).hexdigest()
    key = object_key(tenant, sha)
    await world.handle([a_message(tenant, device, kind="image", text=None, media=FILE, **changes)])
    [row] = await world.rows("select id, attempt from media order by created_at desc, id desc limit 1")
    await objects.put(key, content)
    await media_consumer.handler(world.db)(
        [wrap(tenant, MediaStored(media=row["id"], device=device, object=key, mime="image/jpeg", size=len(content), sha256=sha))]
    )
    return key


async def test_an_erased_contact_is_nowhere_and_the_receipt_says_so(world, client, bus, system, objects, tenant, device, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    await world.handle([a_message(tenant, device, push_name="Ana Perez", text="me llamo Ana Perez", chat_alt=ANA_LID)])
    await world.handle([a_message(tenant, device, chat=BEA, push_name="Bea", text="otra persona")])
    key = await a_file_comes(world, objects, tenant, device, b"\xff\xd8\xff")
    contact = await the_contact(world)
    public = ids.public(ids.CONTACT, contact)
    await client.patch(f"/api/contacts/{public}", json={"name": "Ana la de la esquina"}, headers=owner.headers)
    await client.post(f"/api/contacts/{public}/notes", json={"text": "secreta"}, headers=owner.headers | {"Idempotency-Key": "1"})
    [chat] = await world.rows("select id from chats where contact = $1", contact)
    sent = await client.post(
        "/api/messages/send",
        json={"chat_id": ids.public(ids.CHAT, chat["id"]), "text": "hola Ana"},
        headers=owner.headers | {"Idempotency-Key": "2"},
    )
    assert sent.status_code == 202
    await client.patch(f"/api/chats/{ids.public(ids.CHAT, chat['id'])}", json={"status": "closed"}, headers=owner.headers)
    answer = await request(client, owner, contact)
    assert answer.status_code == 202
    receipt = answer.json()
    assert (receipt["state"], receipt["contact_id"]) == ("working", public)
    await go_on(world, bus, tenant, receipt)
    [fact] = await world.told(ContactErased)
    [order] = await world.told(ErasePerson)
    assert (fact.data.chat_ids, fact.data.actor.id) == ((ids.public(ids.CHAT, chat["id"]),), owner.principal.id)
    assert set(order.data.addresses) == {ANA, ANA_LID}
    assert ANA.value not in encode(fact).decode()
    while await deleting.delete_some(world.db, system, objects):
        pass
    assert not await there(objects, key)
    await services_do_theirs(world, tenant, receipt)
    await go_on(world, bus, tenant, receipt)
    done = (await client.get(f"/api/privacy/erasures/{receipt['id']}", headers=owner.headers)).json()
    assert done["state"] == "done", done
    assert all(part["state"] == "done" for part in done["parts"])
    left = await everything(world)
    for trace in (ANA.value, ANA_LID.value, "Ana", "secreta", "hola"):
        assert trace not in left, trace
    assert BEA.value in left
    assert await world.rows("select 1 from happenings") == []
    assert (await client.get(f"/api/contacts/{public}", headers=owner.headers)).status_code == 404


async def test_who_writes_again_is_somebody_new_and_what_comes_late_brings_nobody_back(world, client, bus, tenant, device, signed_in):
    owner = signed_in(Role.ADMIN, tenant)
    old = a_message(tenant, device, push_name="Ana", wa_id="A1", chat_alt=ANA_LID)
    await world.handle([old])
    contact = await the_contact(world)
    receipt = (await request(client, owner, contact)).json()
    await go_on(world, bus, tenant, receipt)
    history = a_message(tenant, device, chat=ANA_LID, history=True, at=later(-3600), push_name="Ana")
    await world.handle([old, history, a_receipt(tenant, device, "A1")])
    assert await world.rows("select 1 from contacts") == []
    assert await world.rows("select 1 from messages") == []
    await world.handle([a_message(tenant, device, push_name="Ana", at=datetime.now(UTC) + timedelta(seconds=1), text="de nuevo"), old])
    again = await the_contact(world)
    assert again != contact
    assert [row["text"] for row in await world.rows("select text from messages")] == ["de nuevo"]


async def test_only_admins_of_the_account_erase_and_twice_is_once(world, client, bus, tenant, device, signed_in):
    await world.handle([a_message(tenant, device)])
    contact = await the_contact(world)
    assert (await request(client, signed_in(Role.AGENT, tenant), contact)).status_code == 403
    assert (await request(client, signed_in(Role.ADMIN, tenant, scopes={Scope.SEND, Scope.READ}), contact)).status_code == 403
    assert (await request(client, signed_in(Role.OWNER), contact)).status_code == 404
    assert (await request(client, signed_in(Role.OWNER, tenant), ids.new())).json()["code"] == "contact-not-found"
    admin = signed_in(Role.ADMIN, tenant)
    first, second = await asyncio.gather(request(client, admin, contact), request(client, admin, contact))
    assert first.json()["id"] == second.json()["id"]
    await asyncio.gather(*(go_on(world, bus, tenant, first.json()) for _ in range(3)))
    assert len(await world.told(ContactErased)) == 1
    assert (await request(client, admin, contact)).json()["id"] == first.json()["id"]
    page = (await client.get("/api/privacy/erasures", headers=admin.headers)).json()
    assert [one["id"] for one in page["items"]] == [first.json()["id"]]
    assert (await client.get("/api/privacy/erasures", headers=signed_in(Role.OWNER).headers)).json()["items"] == []


async def test_a_contact_that_was_merged_away_is_erased_with_whom_it_became(world, client, bus, tenant, device, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    await world.handle([a_message(tenant, device, chat=ANA)])
    await world.handle([a_message(tenant, device, chat=ANA_LID)])
    before = {row["id"] for row in await world.rows("select id from contacts")}
    await world.handle([a_message(tenant, device, chat=ANA, chat_alt=ANA_LID)])
    [survivor] = await world.rows("select id from contacts")
    [loser] = before - {survivor["id"]}
    receipt = (await request(client, owner, loser)).json()
    await go_on(world, bus, tenant, receipt)
    [fact] = await world.told(ContactErased)
    assert {fact.data.id, *fact.data.merged} == {ids.public(ids.CONTACT, one) for one in before}
    assert len(fact.data.chat_ids) == 2
    assert (await request(client, owner, survivor["id"])).json()["id"] == receipt["id"]


async def test_messages_that_arrive_while_somebody_is_erased_are_his_or_somebody_news(world, client, bus, tenant, device, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    await world.handle([a_message(tenant, device, at=later(n)) for n in range(700)])
    contact = await the_contact(world)
    receipt = (await request(client, owner, contact)).json()

    async def writes() -> None:
        for _ in range(15):
            await world.handle([a_message(tenant, device, at=datetime.now(UTC) + timedelta(minutes=1))])

    await asyncio.gather(writes(), go_on(world, bus, tenant, receipt))
    assert await world.rows("select 1 from contacts where id = $1", contact) == []
    assert await world.rows("select 1 from messages m where not exists (select from chats h where h.id = m.chat)") == []
    assert (
        await world.rows("select 1 from chats h where contact is not null and not exists (select from contacts k where k.id = h.contact)")
        == []
    )


async def test_an_erasure_waits_for_a_service_that_is_down_and_goes_on_when_it_is_back(world, client, bus, tenant, device, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    await world.handle([a_message(tenant, device)])
    lead = ids.public(ids.LEAD, ids.new())
    receipt = (await request(client, owner, await the_contact(world))).json()
    await go_on(world, bus, tenant, receipt)
    await services_do_theirs(world, tenant, receipt, but="bot", names=(lead,))
    await world.admin.execute("update erasures set leased_until = null")
    await go_on(world, bus, tenant, receipt)
    shown = (await client.get(f"/api/privacy/erasures/{receipt['id']}", headers=owner.headers)).json()
    assert {part["part"] for part in shown["parts"] if part["state"] == "waiting"} == {"bot", "events", "dead-letters"}
    await services_do_theirs(world, tenant, receipt)
    await go_on(world, bus, tenant, receipt)
    [row] = await world.rows("select completed_at is not null as done, dossier from erasures")
    assert row == {"done": True, "dossier": None}


async def test_events_and_dead_letters_of_the_person_are_gone_and_others_read_on_over_the_hole(bus, tenant, device):
    chat, contact = ids.new(), ids.new()
    other = TenantId(uuid4())
    mine = a_message(tenant, device, text="se va")
    kept = [a_message(tenant, device, chat=BEA, text=f"queda {n} {ANA.value}") for n in range(3)]
    foreign = a_message(other, device)
    before = (await bus.stream_state()).last_sequence
    await bus.publish(kept[0], mine, kept[1], foreign, a_message(tenant, device, text="se va tambien"), kept[2])
    dead = subjects.dead("conversations", "conversations-whatsapp")
    await bus.publish_items([Item(dead, str(ids.new()), encode(mine)) for _ in range(2)])
    [*_, last] = [letter async for letter in dlq.entries(bus)]
    assert await dlq.replay(bus, last) == 1
    needles = Needles(tenant, Dossier(addresses=((ANA.kind, ANA.value),), contacts=(contact,), chats=(chat,)))
    async with await bus.ordered(subjects.EVERY_EVENT, before + 1) as reader:
        first = await anext(reader)
        assert await eraser.erase_events(bus, tenant, needles) == 2
        assert await eraser.erase_events(bus, tenant, needles) == 0
        assert first.sequence == before + 1
    async with await bus.ordered(subjects.EVERY_EVENT, before + 1) as reader:
        read = [await anext(reader) for _ in range(4)]
    assert [fact.sequence - before for fact in read] == [1, 3, 4, 6]
    assert not any(fact.gap for fact in read)
    assert await eraser.erase_letters(bus, needles) == 2
    assert await eraser.erase_letters(bus, needles) == 0


async def test_what_is_older_than_an_account_wants_goes_and_its_chats_and_figures_stay(world, client, tenant, device, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    now = datetime.now(UTC)
    old = [a_message(tenant, device, at=now - timedelta(days=10, minutes=n), wa_id=f"O{n}") for n in range(25)]
    young = a_message(tenant, device, at=now, wa_id="Y")
    await world.handle([*old, a_message(tenant, device, chat=BEA, at=now - timedelta(days=9)), young])
    count = figures.handler(world.db)
    heard = list(await world.told(MessageReceived))
    await count(heard)
    [id, *_] = [row["id"] for row in await world.rows("select id from chats order by id")]
    for status in ("pending", "closed"):
        await client.patch(f"/api/chats/{ids.public(ids.CHAT, id)}", json={"status": status}, headers=owner.headers)
    await world.admin.execute("update happenings set at = $1 where kind = 'pending'", now - timedelta(days=5))
    figures_before = await world.rows("select * from figure_hours order by 1, 2, 3")
    chats_before = await world.rows("select id, last_message_at from chats order by id")
    answer = await client.put("/api/privacy/retention", json={"message_days": 1}, headers=owner.headers)
    assert answer.json() == {"message_days": 1, "media_days": None, "last_run": None}
    # Killed after each batch, and with a second replica at the same time.
    while sum(await asyncio.gather(*(keeping.remove_old(world.db, tenant, now, most=7, batch=7) for _ in range(2)))):
        pass
    assert [row["wa_id"] for row in await world.rows("select wa_id from messages")] == ["Y"]
    assert [row["kind"] for row in await world.rows("select kind from happenings")] == ["closed"]
    assert await world.rows("select id, last_message_at from chats order by id") == chats_before
    await count(heard)
    assert await world.rows("select * from figure_hours order by 1, 2, 3") == figures_before
    run = (await client.get("/api/privacy/retention", headers=owner.headers)).json()["last_run"]
    assert run["messages"] == 26
    assert run["ended_at"] is not None
    listed = await client.get("/api/chats", headers=owner.headers)
    assert len(listed.json()["items"]) == 2


@pytest.mark.parametrize("body", [{"message_days": 0}, {"message_days": 36_501}, {"media_days": -1}, {"message_days": 1.5}, {"days": 3}])
async def test_a_retention_that_makes_no_sense_is_refused(world, client, tenant, signed_in, body):
    answer = await client.put("/api/privacy/retention", json=body, headers=signed_in(Role.OWNER, tenant).headers)
    assert answer.status_code == 422
    refused = await client.put("/api/privacy/retention", json={"message_days": 9}, headers=signed_in(Role.AGENT, tenant).headers)
    assert refused.status_code == 403


async def test_a_file_whose_time_is_over_goes_and_its_message_says_so(world, client, system, objects, tenant, device, signed_in):
    owner = signed_in(Role.OWNER, tenant)
    key = await a_file_comes(world, objects, tenant, device, b"\xff\xd8\xff1", at=datetime.now(UTC))
    await objects.put(thumbnail_key(key), b"small")
    await world.admin.execute("update media set created_at = created_at - interval '3 days'")
    await client.put("/api/privacy/retention", json={"media_days": 1}, headers=owner.headers)
    async with running(keeping.keep(world.db, system), deleting.delete_released(world.db, system, objects)):
        await eventually(lambda: is_gone(objects, key))
        await eventually(lambda: is_gone(objects, thumbnail_key(key)))
    [chat] = await world.rows("select id from chats")
    shown = await client.get(f"/api/chats/{ids.public(ids.CHAT, chat['id'])}/messages", headers=owner.headers)
    [message] = shown.json()["items"]
    assert (message["media"]["state"], message["media"]["reason"], message["media"]["url"]) == ("expired", "retention", None)
    again = await client.post(f"/api/media/{message['media']['id']}/retry", headers=owner.headers)
    assert again.status_code == 202
    assert len(await world.told(FetchMedia)) == 1


async def test_an_object_goes_with_the_last_message_that_has_it_and_never_with_another_accounts(
    world, client, bus, system, objects, tenant, device, signed_in
):
    other = TenantId(ids.new())
    key = await a_file_comes(world, objects, tenant, device, b"\xff\xd8\xff2")
    assert await a_file_comes(world, objects, tenant, device, b"\xff\xd8\xff2", chat=BEA) == key
    theirs = await a_file_comes(world, objects, other, device, b"\xff\xd8\xff2")
    assert theirs != key
    owner = signed_in(Role.OWNER, tenant)
    for address, left in ((ANA, True), (BEA, False)):
        [row] = await world.rows("select contact from contact_aliases where value = $1 and tenant = $2", address.value, tenant)
        receipt = (await request(client, owner, row["contact"])).json()
        await go_on(world, bus, tenant, receipt)
        await deleting.delete_some(world.db, system, objects)
        assert await there(objects, key) is left
    assert await there(objects, theirs)


async def test_an_object_that_somebody_is_just_sending_is_not_deleted(world, system, objects, tenant):
    key = object_key(tenant, "ab" * 32)
    await objects.put(key, b"x")
    async with world.db.transaction(tenant) as tx:
        await released.release(await raw(tx), tenant, [key])
    await released.holder(world.db)(tenant, key)
    assert await deleting.delete_some(world.db, system, objects) == 0
    await world.admin.execute("update released_objects set held_until = now() - interval '1 second'")
    assert await deleting.delete_some(world.db, system, objects) == 1
    assert not await there(objects, key)
    await released.holder(world.db)(tenant, key)
    await objects.put(key, b"x")
    assert await deleting.delete_some(world.db, system, objects) == 0


async def test_a_replica_that_dies_between_claim_and_deletion_is_replaced(world, system, objects, tenant):
    key = object_key(tenant, "cd" * 32)
    await objects.put(key, b"x")
    async with world.db.transaction(tenant) as tx:
        c = await raw(tx)
        await released.release(c, tenant, [key])
        assert await released.claim(c, tenant, [key]) == [key]
    assert await deleting.delete_some(world.db, system, objects) == 0
    async with world.db.transaction(tenant) as tx:
        assert not await released.hold(await raw(tx), tenant, key)
    await world.admin.execute("update released_objects set claimed_at = now() - interval '3 minutes'")
    assert await deleting.delete_some(world.db, system, objects) == 1
    assert not await there(objects, key)


async def test_a_file_that_was_fetched_while_its_object_was_deleted_is_fetched_again(world, tenant, device):
    await world.handle([a_message(tenant, device, kind="image", media=FILE)])
    [row] = await world.rows("select id from media")
    key = object_key(tenant, "ef" * 32)
    async with world.db.transaction(tenant) as tx:
        c = await raw(tx)
        await released.release(c, tenant, [key])
        await released.claim(c, tenant, [key])
        await released.gone(c, tenant, [key])
    stored = MediaStored(media=row["id"], device=device, object=key, mime="image/jpeg", size=3, sha256="ef" * 32)
    await media_consumer.handler(world.db)([wrap(tenant, stored)])
    [after] = await world.rows("select state, attempt from media")
    assert after == {"state": "pending", "attempt": 2}
    assert [one.data.attempt for one in await world.told(FetchMedia)] == [1, 2]


async def test_a_file_that_arrives_for_a_message_that_is_gone_is_not_kept(world, system, objects, tenant, device):
    key = object_key(tenant, "aa" * 32)
    await objects.put(key, b"x")
    stored = MediaStored(media=ids.new(), device=device, object=key, mime="image/jpeg", size=1, sha256="aa" * 32)
    await media_consumer.handler(world.db)([wrap(tenant, stored)])
    assert await deleting.delete_some(world.db, system, objects) == 1
    with pytest.raises(ObjectMissing):
        await objects.read(key)


@given(st.integers(1, 36_500), st.sampled_from(["UTC", "America/Bogota", "Asia/Kathmandu", "America/Sao_Paulo"]), st.integers(0, 86_399))
def test_at_least_so_many_whole_days_are_kept_and_less_than_two_more(days: int, zone: str, second: int):
    now = datetime(2026, 3, 29, tzinfo=UTC) + timedelta(seconds=second)
    first = kept_from(now, days, zone)
    assert first <= now - timedelta(days=days) + timedelta(hours=2)
    assert now - first < timedelta(days=days + 1, hours=2)
    assert (first.hour, first.minute) == (0, 0)


@given(st.text(max_size=20), st.text(max_size=20))
def test_whoever_is_not_named_as_a_whole_is_not_spoken_of(before: str, after: str):
    tenant = TenantId(uuid4())
    needles = Needles(tenant, Dossier(addresses=(("pn", "5511912345678"),)))
    text = f"{before}5511912345678{after}"
    payload = msgspec.json.encode(
        {"tenant": str(tenant), "data": {"text": f"-{text}", "phone": "5511912345678" if not after else "55119123456789"}}
    )
    assert needles.speaks("evt.devices.message.observed.v1.x", payload) is (not after)
    assert not needles.speaks("evt.devices.device.changed.v1.x", payload)


async def test_an_export_holds_everything_of_the_contact_and_goes_again(world, client, bus, system, objects, tenant, device, signed_in):
    owner = signed_in(Role.ADMIN, tenant)
    await a_file_comes(world, objects, tenant, device, b"\xff\xd8\xff9", push_name="Ana")
    await world.handle([a_message(tenant, device, text=f"<b>hola {n}</b>", at=later(n)) for n in range(12)])
    await world.handle([a_message(tenant, device, chat=BEA, text="de otra")])
    one = a_message(tenant, device, wa_id="E1", text="¿hay?", at=later(20))
    await world.handle([one, *(a_message(tenant, device, kind="edit", quoted=Quoted(wa_id="E1"), text=f"¿hay {n}?", at=later(20 + n)) for n in (1, 2))])  # fmt: skip  # noqa: E501
    public = ids.public(ids.CONTACT, await the_contact(world))
    asked = await client.post(f"/api/contacts/{public}/exports", headers=owner.headers)
    assert asked.status_code == 202
    export = asked.json()
    at = f"/api/privacy/exports/{export['id']}"
    assert (await client.get(f"{at}/file", headers=owner.headers)).json()["code"] == "export-not-ready"
    assert (await client.get(at, headers=signed_in(Role.OWNER).headers)).status_code == 404
    assert (await client.get(at, headers=signed_in(Role.AGENT, tenant).headers)).status_code == 403

    async def answer(payload: bytes) -> bytes:
        assert msgspec.json.decode(payload, type=PersonNamed).tenant == tenant
        return msgspec.json.encode(PersonKnown(leads=({"id": "led_1", "title": "Lead"},)))

    id = ids.parse(ids.EXPORT, export["id"])
    await exporter.make(world.db, bus, objects, tenant, id)  # nobody answers: it waits
    assert (await client.get(at, headers=owner.headers)).json()["reason"] == "unavailable"
    await world.admin.execute("update exports set leased_until = null")
    subscription = await bus.answer(asks.PERSON, answer, queue="pipeline")
    try:
        await asyncio.gather(*(exporter.make(world.db, bus, objects, tenant, id) for _ in range(2)))
    finally:
        await subscription.close()
    shown = (await client.get(at, headers=owner.headers)).json()
    assert (shown["state"], shown["messages"], shown["total"], shown["files"]) == ("ready", 14, 14, 1)
    got = await client.get(shown["url"], headers=owner.headers)
    assert got.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(got.content)) as whole:
        assert whole.testzip() is None
        names = set(whole.namelist())
        lines = [msgspec.json.decode(line) for line in whole.read("messages.jsonl").splitlines()]
        said = {msgspec.json.decode(line)["text"] for line in whole.read("edits.jsonl").splitlines()}
        page = whole.read("messages.html").decode()
        assert msgspec.json.decode(whole.read("contact.json"))["phone"] == ANA.value
        assert msgspec.json.decode(whole.read("leads.json"))[0]["title"] == "Lead"
        [file] = [name for name in names if name.startswith("media/")]
        assert whole.read(file) == b"\xff\xd8\xff9"
    assert len(lines) == 14
    assert said == {"¿hay?", "¿hay 1?"}
    assert "&lt;b&gt;hola 3&lt;/b&gt;" in page
    assert "de otra" not in page
    assert file in page
    await world.admin.execute("update exports set expires_at = now() - interval '1 second'")
    async with running(exporter.export(world.db, system, bus, objects)):
        await eventually(lambda: is_over(world))
    await deleting.delete_some(world.db, system, objects)
    assert (await client.get(f"{at}/file", headers=owner.headers)).status_code == 410
    assert await world.rows("select 1 from released_objects where gone_at is null") == []


async def is_over(world: Any) -> bool:
    return bool(await world.rows("select 1 from exports where state = 'expired' and object is null"))

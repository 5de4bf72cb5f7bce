"""Somebody is erased: the board keeps what it counted, and forgets who it was."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from contracts import ids
from contracts.asks import PersonKnown, PersonNamed
from contracts.envelope import wrap
from contracts.events.conversations import ContactErased
from contracts.events.pipeline import LeadChanged
from contracts.events.privacy import PipelineErased
from contracts.ids import ContactId, TenantId
from pipeline.consumers import answers

from .facts import a_chat, a_contact, a_message


def an_erasure(tenant: TenantId, contact: UUID, *chats: UUID, merged: tuple[UUID, ...] = ()) -> Any:
    return wrap(
        tenant,
        ContactErased(
            id=ids.public(ids.CONTACT, contact),
            erasure_id=ids.public(ids.ERASURE, ids.new()),
            at=datetime.now(UTC),
            merged=tuple(ids.public(ids.CONTACT, one) for one in merged),
            chat_ids=tuple(ids.public(ids.CHAT, chat) for chat in chats),
        ),
    )


async def everything(world: Any) -> str:
    names = await world.rows("select tablename from pg_tables where schemaname = 'pipeline' and tablename <> 'outbox'")
    parts = [row["t"] for name in names for row in await world.rows(f'select t::text as t from "{name["tablename"]}" t')]  # noqa: S608
    parts += [bytes(row["body"]).decode() for row in await world.rows("select body from idempotency")]
    return "\n".join(parts)


async def test_an_erased_persons_leads_stay_on_the_board_with_their_worth_and_without_a_name(owner, world, tenant, device):
    contact, other, chat = ids.new(), ids.new(), ids.new()
    facts = [
        a_contact(tenant, contact, "Ana Perez"),
        a_contact(tenant, other, "Bea", "5215550009999"),
        a_chat(tenant, device, chat, revision=0, contact=contact, name="Ana Perez"),
        a_message(tenant, device, chat, "soy Ana Perez", contact=contact),
    ]
    await world.handle(facts)
    lead = await owner.ask(
        "POST",
        "/api/leads",
        {"title": "Mesas para Ana Perez", "contact_id": ids.public(ids.CONTACT, contact), "value": 900},
        status=201,
        key="k",
    )
    kept = await owner.lead("Sillas de Bea", contact_id=ids.public(ids.CONTACT, other), value=100)
    await owner.ask("PATCH", f"/api/leads/{lead['id']}", {"title": "Mesas y sillas de Ana Perez"})
    await owner.ask("POST", f"/api/leads/{lead['id']}/notes", {"text": "Ana Perez paga tarde"}, status=201)
    await owner.ask("POST", "/api/tasks", {"lead_id": lead["id"], "title": "Llamar a Ana Perez"}, status=201)
    await world.forget_told()
    erasure = an_erasure(tenant, contact, chat)
    # In the same batch as something that was said before: nothing brings the chat back.
    late = a_message(tenant, device, chat, "Ana Perez otra vez", contact=contact)
    await world.handle([late, erasure])
    await world.handle([erasure, facts[0]])
    left = await everything(world)
    for trace in ("Ana Perez", "5215550001111"):
        assert trace not in left
    shown = await owner.get(f"/api/leads/{lead['id']}")
    assert (shown["value"], shown["contact_id"], shown["chat_ids"], shown["stage_id"]) == (900, None, [], lead["stage_id"])
    assert (await owner.get(f"/api/leads/{kept['id']}"))["title"] == "Sillas de Bea"
    [done] = await world.told(PipelineErased)
    assert (done.data.names, done.data.removed) == ((lead["id"],), 1)
    [changed] = await world.told(LeadChanged)
    assert changed.data.id == lead["id"]


async def test_what_is_known_of_a_person_is_told_to_who_puts_it_together(owner, world, tenant):
    contact = ContactId(ids.new())
    await world.handle([a_contact(tenant, contact)])
    lead = await owner.lead("Mesas", contact_id=ids.public(ids.CONTACT, contact))
    await owner.ask("POST", "/api/tasks", {"lead_id": lead["id"], "title": "Llamar"}, status=201)
    await owner.lead("De nadie")
    answer = await answers.person(world.db)(msgspec.json.encode(PersonNamed(tenant=tenant, contact=contact)))
    [known] = msgspec.json.decode(answer, type=PersonKnown).leads
    assert (known["title"], [task["title"] for task in known["tasks"]]) == ("Mesas", ["Llamar"])
    stranger = await answers.person(world.db)(msgspec.json.encode(PersonNamed(tenant=TenantId(ids.new()), contact=contact)))
    assert msgspec.json.decode(stranger, type=PersonKnown).leads == ()

"""No message text, phone, token or QR in any log, and nothing in them that nobody reads."""

import contextlib
import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import FormData
from clarin.client import eventually
from clarin.testing import Shop, System

from .erasure import Traces

pytestmark = pytest.mark.timeout(150)


async def test_the_logs_of_a_journey_hold_nothing_of_anybody(shop: Shop, system: System):
    word = f"palabra-{secrets.token_hex(6)}"
    customer = await shop.customer(f"Nombre-{word}")
    async with shop.client.socket() as socket:
        await shop.writes(customer, f"entrante {word}")
        arrived = await socket.event("new_message")
        message = await shop.client.post("/api/messages/send", {"chat_id": arrived["chat_id"], "text": f"saliente {word}"})
        await socket.event("message_sent", id=message["id"])
        await shop.inbox(customer, 1)
    other = await shop.client.add_device("Con QR")
    await shop.client.post(f"/api/devices/{other['id']}/connect")

    secret = [word, customer, shop.number, shop.client.token, shop.client.refresh_token]
    logs = sorted((system.folder / "data" / "logs").rglob("*.log*"))
    assert len(logs) >= 8
    for path in logs:
        text = path.read_text(errors="replace")
        for value in secret:
            assert value
            assert value not in text, f"{path.name} tells"
        assert "linked_devices#" not in text, f"{path.name} holds a QR"


async def test_a_quiet_journey_leaves_no_warning_behind(shop: Shop, system: System):
    customer = await shop.customer()
    logs = {path: path.stat().st_size for path in (system.folder / "data" / "logs").glob("*.log")}
    async with shop.client.socket() as socket:
        await shop.writes(customer, "hola")
        await socket.event("new_message")
    loud = []
    for path, size in logs.items():
        with path.open("rb") as file:
            file.seek(size)
            for line in file:
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if isinstance(entry, dict) and entry.get("level") in {"warning", "error", "critical"}:
                    loud.append((path.name, entry))
    assert loud == []


async def test_an_erased_person_is_nowhere_and_may_write_again_as_somebody_new(shop: Shop, system: System):
    word = f"palabra{secrets.token_hex(6)}"
    customer = await shop.customer(f"Nombre-{word}")
    client = shop.client
    await client.post("/api/webhooks", {"url": "http://127.0.0.1:9/nobody", "description": "Tienda", "types": ["*"]})
    async with client.socket() as socket:
        await shop.writes(customer, f"me llamo {word}")
        arrived = await socket.event("new_message", text=f"me llamo {word}")
        chat, contact = arrived["chat_id"], arrived["contact_id"]
        form = FormData({"to": shop.number, "kind": "document", "caption": f"mi foto {word}"})
        form.add_field("file", f"contenido {word}".encode(), filename=f"{word}.txt", content_type="text/plain")
        await shop.network.ask("POST", f"/phones/{customer}/media", data=form)
        await socket.event("message_media", within=20)
        await client.ask("PATCH", f"/api/contacts/{contact}", {"name": f"Ana {word}"})
        await client.post(f"/api/contacts/{contact}/notes", {"text": f"nota {word}"}, key="nota")
        lead = await client.post("/api/leads", {"title": f"Lead {word}", "contact_id": contact, "value": 500}, key="lead")
        await client.post("/api/tasks", {"lead_id": lead["id"], "title": f"Llamar a {word}"})
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        await client.post("/api/messages/send", {"chat_id": chat, "text": f"luego {word}", "send_at": later})
        sent = await client.post("/api/messages/send", {"chat_id": chat, "text": f"hola {word}"}, key="hola")
        await socket.event("message_sent", id=sent["id"])
        traces = Traces(system, word, customer)
        before = " ".join(await traces.found())
        for place in ("conversations.messages", "pipeline.leads", "webhooks.events", "whatsmeow_contacts", "EVENTS: evt.", "media/"):
            assert place in before, f"{place} was to be erased"

        receipt = await client.post(f"/api/contacts/{contact}/erase")
        await socket.event("contact_erased", id=contact)

        async def done() -> bool:
            receipt.update(await client.get(f"/api/privacy/erasures/{receipt['id']}"))
            return receipt["state"] == "done"

        await eventually(done, 30, "the erasure is not done")

        # What the workers' journals have told is overwritten within seconds.
        left: list[str] = []

        async def nowhere() -> bool:
            left[:] = await traces.found()
            return not left

        with contextlib.suppress(TimeoutError):
            await eventually(nowhere, 30, "traces are left")
        assert left == []
        assert (await client.get(f"/api/leads/{lead['id']}"))["value"] == 500
        lines = (await client.get("/api/activity", kind="contact.erased", target=contact))["items"]
        assert [line["kind"] for line in lines] == ["contact.erased"]
        await shop.writes(customer, "soy nueva")
        # The keys went with the rest: WhatsApp is asked for the message once more.
        again = await socket.event("message_replaced", text="soy nueva", within=40)
        assert again["contact_id"] != contact
        assert again["chat_id"] != chat

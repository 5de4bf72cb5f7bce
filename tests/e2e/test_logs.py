"""No message text, phone, token or QR in any log, and nothing in them that nobody reads."""

import json
import secrets

import pytest
from clarin.testing import Shop, System

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

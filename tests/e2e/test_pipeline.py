"""From a customer's first message to a card that is moved, and back to the customer's phone."""

import pytest
from clarin.client import eventually
from clarin.testing import Shop

pytestmark = pytest.mark.timeout(150)


async def test_a_message_becomes_a_lead_that_is_moved_and_a_template_reaches_the_phone(shop: Shop):
    client = shop.client
    customer = await shop.customer("Luis")
    stages = (await client.get("/api/pipelines"))["items"][0]["stages"]
    await client.post(
        "/api/automations", {"name": "Nuevos", "trigger": {"on": "first_message"}, "actions": [{"do": "make_lead"}]}, key="r1"
    )
    greeting = {
        "name": "Propuesta",
        "trigger": {"on": "stage_entered", "stage_id": stages[2]["id"]},
        "actions": [{"do": "send", "text": "Hola {contact}, va tu propuesta."}, {"do": "make_task", "title": "Llamar", "due_minutes": 60}],
    }
    await client.post("/api/automations", greeting, key="r2")
    async with client.socket() as socket:
        await shop.writes(customer, "¿Tienen mesas?")
        created = await socket.event("lead_created")
        assert (created["title"], created["way"], created["device_id"]) == ("Luis", "rule", shop.device)

        card = (await client.get("/api/pipeline"))["items"][0]["leads"]["items"][0]
        assert (card["id"], card["contact"]["phone"]) == (created["id"], customer)
        assert (card["chat"]["unread"], card["chat"]["last_message"]["text"]) == (1, "¿Tienen mesas?")
        [shown] = (await client.get(f"/api/leads?chat_id={card['chat']['id']}"))["items"]
        assert shown["id"] == card["id"]

        body = {"stage_id": stages[2]["id"], "version": card["version"]}
        moved = await client.post(f"/api/leads/{card['id']}/move", body)
        frame = await socket.event("lead_moved", id=card["id"])
        assert (frame["stage_id"], frame["from_stage_id"], frame["version"]) == (stages[2]["id"], stages[0]["id"], moved["version"])
        [received] = await shop.inbox(customer, 1)
        assert received["text"] == "Hola Luis, va tu propuesta."

    async def logged() -> bool:
        runs = (await client.get(f"/api/automations/runs?lead_id={card['id']}"))["items"]
        return [run["outcome"] for run in runs] == ["done", "done"]

    await eventually(logged, 10, "the runs are not in the log")
    assert (await client.get(f"/api/leads/{card['id']}"))["open_tasks"] == 1

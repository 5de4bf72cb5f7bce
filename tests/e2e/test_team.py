"""A team at work through the public port: chats are given to who is there, notes, what is sent later, and what is sent again."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clarin.client import Client, eventually
from clarin.testing import Shop, System

pytestmark = pytest.mark.timeout(120)

PASSWORD = "un-agente-muy-largo-7"


async def hire(system: System, owner: Client, name: str) -> tuple[str, str]:
    """Somebody of the account, by id and address."""
    email = f"{name.lower()}-{secrets.token_hex(5)}@example.com"
    made = await owner.post("/api/auth/users", {"email": email, "name": name, "role": "agent", "password": PASSWORD})
    return made["id"], email


async def test_two_agents_share_the_chats_write_notes_and_send_later_and_again(system: System, shop: Shop, owner: Client):
    ann_id, ann_email = await hire(system, owner, "Ann")
    ben_id, ben_email = await hire(system, owner, "Ben")

    async def automatic() -> bool:
        status, _, _ = await owner.raw("PUT", f"/api/assignment/devices/{shop.device}", json={"automatic": True})
        known = {agent["user_id"] for agent in (await owner.get("/api/assignment"))["agents"]}
        return status == 200 and {ann_id, ben_id} <= known

    await eventually(automatic, 20, "the number and the people were not heard of")
    luis, marta = await shop.customer("Luis"), await shop.customer("Marta")
    async with Client(system.url) as ann, Client(system.url) as ben:
        await ann.login(ann_email, PASSWORD)
        await ben.login(ben_email, PASSWORD)

        # Nobody is there: the chat waits. Then one comes, and later the other, who has less to do.
        await shop.writes(luis, "hola")

        async def arrived() -> Any:
            return next(iter((await owner.get("/api/chats", assignee="none", status="open"))["items"]), None)

        first = await eventually(arrived, 20, "no chat")
        assert first["waiting_since"]
        async with ann.socket() as at_ann:
            await at_ann.say("presence", state="online")
            assigned = await at_ann.event("chat_assigned", assignee_id=ann_id)
            assert (assigned["id"], assigned["way"]) == (first["id"], "auto")
            async with ben.socket() as at_ben:
                await at_ben.say("presence", state="online")
                await at_ann.event("presence", user_id=ben_id, state="online")
                await shop.writes(marta, "buenas")
                second = (await at_ben.event("chat_assigned", assignee_id=ben_id))["id"]
                assert second != first["id"]
                mine = (await ben.get("/api/chats", assignee="me"))["items"]
                assert [chat["id"] for chat in mine] == [second]
                taken, _, _ = await ann.raw("POST", f"/api/chats/{second}/take", json={})
                assert taken == 409

                note = await ann.post(f"/api/chats/{first['id']}/notes", {"text": "@Ben ¿queda?", "mentions": [ben_id]})
                assert (await at_ben.event("mentioned", user_id=ben_id))["message_id"] == note["id"]

                at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
                later = await ann.post("/api/messages/send", {"chat_id": first["id"], "text": "¿Te llegó?", "send_at": at})
                assert (await at_ann.event("schedule_changed", id=later["id"], state="sent"))["message_id"]
                assert [item["text"] for item in await shop.inbox(luis, 1)] == ["¿Te llegó?"]

        # To a phone that is not on WhatsApp it fails; sent again it is another message, which names the first.
        nowhere = {"device_id": shop.device, "to": "5215500000000", "text": "¿Hay alguien?"}
        failed = (await ann.post("/api/messages/send", nowhere))["id"]

        async def over() -> bool:
            return bool((await ann.get(f"/api/messages/{failed}"))["status"] == "failed")

        await eventually(over, 20, "it did not fail")
        again = await ann.post(f"/api/messages/{failed}/resend")
        assert (again["resend_of"], again["status"], again["text"]) == (failed, "queued", "¿Hay alguien?")

        await ann.ask("PATCH", f"/api/chats/{first['id']}", {"status": "closed"})
        await shop.writes(luis, "una cosa más")

        async def opened() -> bool:
            return bool((await ann.get(f"/api/chats/{first['id']}"))["status"] == "open")

        await eventually(opened, 20, "the customer's message did not open the chat again")

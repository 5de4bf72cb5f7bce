"""Requests for the work of a team: where chats stand, who answers, notes, canned replies, what is sent later, service hours."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from clarin.client import eventually
from contracts import ids
from contracts.principal import Role

from .valid import Valid, key, new_name, plain, valid
from .world import World, as_admin

plain("chatsCountChats")
plain("tagsListTags")
plain("repliesListReplies")
plain("hoursListHours")
plain("messagesListScheduled")
plain("assignmentReadAssignment")
plain("assignmentSetCapacity", role=Role.ADMIN, body={"capacity": 20})


@valid("chatsChangeChat")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.chat["id"]}, body={"status": "open", "pinned": True})


@valid("chatsMarkUnread")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.chat["id"]})


@valid("chatsAssign")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.chat["id"]}, body={"assignee_id": None, "note": f"nota {world.mark}"})


@valid("chatsTake")
async def _(world: World) -> Valid:
    await world.owner.post(f"/api/chats/{world.chat['id']}/assign", {"assignee_id": None})
    return Valid(ids={"id": world.chat["id"]}, body={})


@valid("chatsAddNote")
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.chat["id"]}, body={"text": f"nota {world.mark}"}, headers=key())


# --- tags and canned replies ---------------------------------------------------------------------------------------------


@valid("tagsCreateTag")
async def _(world: World) -> Valid:
    return Valid(body={"name": new_name(world)}, headers=key())


@valid("tagsChangeTag")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/tags", name=new_name(world))}, body={"color": "#7048e8"})


@valid("tagsDeleteTag")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/tags", name=new_name(world))})


def a_reply(world: World) -> dict[str, Any]:
    return {"shortcut": secrets.token_hex(8), "text": f"Hola {{{{contact.name}}}}, {world.mark}"}


@valid("repliesCreateReply")
async def _(world: World) -> Valid:
    return Valid(body=a_reply(world), headers=key())


@valid("repliesChangeReply")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/replies", **a_reply(world))}, body={"text": "Hola"})


@valid("repliesDeleteReply")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/replies", **a_reply(world))})


@valid("repliesFillReply")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/replies", **a_reply(world))}, body={"chat_id": world.chat["id"]})


# --- messages ------------------------------------------------------------------------------------------------------------


async def scheduled(world: World) -> str:
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    return await world.new("/api/messages/send", chat_id=world.chat["id"], text=f"luego {world.mark}", send_at=at)


@valid("messagesChangeScheduled")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await scheduled(world)}, body={"text": "otra cosa"})


@valid("messagesCancelScheduled")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await scheduled(world)})


async def ended(world: World, status: str) -> str:
    """A message of which this became, as its table has it."""
    id = await world.new("/api/messages/send", chat_id=world.chat["id"], text=f"perdida {world.mark}")

    async def sent() -> bool:
        return (await world.owner.get(f"/api/messages/{id}"))["status"] not in ("queued", "sending")

    await eventually(sent, 30, "the message was not sent")
    async with as_admin(world.system) as admin:
        await admin.execute("update conversations.messages set status = $2 where id = $1", ids.parse(ids.MESSAGE, id), status)
    return id


@valid("messagesResend")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await ended(world, "failed")}, headers=key())


@valid("messagesSettle")
async def _(world: World) -> Valid:
    return Valid(ids={"id": await ended(world, "unknown")}, body={"outcome": "sent"})


# --- who is given chats, and when ----------------------------------------------------------------------------------------


@valid("assignmentSetOfDevice", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": world.device}, body={"automatic": False})


@valid("assignmentSetOfTeam", role=Role.ADMIN)
async def _(world: World) -> Valid:
    team = await world.new("/api/teams", name=new_name(world), members=[])

    async def heard() -> bool:
        status, _, _ = await world.owner.raw("PUT", f"/api/assignment/teams/{team}", json={"automatic": False})
        return status == 200

    await eventually(heard, 20, "the team was not heard of")
    return Valid(ids={"id": team}, body={"automatic": False})


@valid("assignmentSetOfAgent", role=Role.ADMIN)
async def _(world: World) -> Valid:
    user = world.agent.me["user"]["id"]

    async def heard() -> bool:
        return user in [agent["user_id"] for agent in (await world.owner.get("/api/assignment"))["agents"]]

    await eventually(heard, 20, "the agent was not heard of")
    return Valid(ids={"id": user}, body={"capacity": None})


def hours(world: World) -> dict[str, Any]:
    return {"name": new_name(world), "weekly": [{"day": 0, "opens": "09:00", "closes": "18:00"}]}


@valid("hoursCreateHours", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(body=hours(world), headers=key())


@valid("hoursReplaceHours", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/hours", **hours(world))}, body=hours(world))


@valid("hoursDeleteHours", role=Role.ADMIN)
async def _(world: World) -> Valid:
    return Valid(ids={"id": await world.new("/api/hours", **hours(world))})

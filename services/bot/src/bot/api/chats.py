"""The bot in one chat: whether it is silent there, and the switch."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from contracts.edge import PublicChatId
from contracts.principal import Principal, Scope
from fastapi import APIRouter
from pydantic import Field
from servicekit import outbox
from servicekit.db import raw
from servicekit.http import Body, Caller, needs, problems

from bot.api.parts import Db
from bot.consumers import switched
from bot.domain.errors import ChatMissing
from bot.domain.settings import Part
from bot.store import chats
from bot.store.chats import Chat

router = APIRouter(prefix="/api/bot/chats", tags=["bot"])


class Standing(Part):
    """How the bot stands in a chat.

    Attributes:
        silent: It says nothing there.
        until: When it speaks again; null while silent: when the chat is closed.
        menu: The menu that waits for a number.
    """

    silent: bool
    until: datetime | None = None
    menu: str | None = None


class Switch(Body):
    """Have the bot silent in a chat, or not."""

    silent: bool
    minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] | None = None


@router.get("/{id}", responses=problems(ChatMissing))
async def read_chat(id: PublicChatId, caller: Caller, db: Db) -> Standing:
    """Show whether the bot is silent in a chat."""
    async with db.transaction(caller.tenant) as tx:
        chat = _seen(await chats.find(await raw(tx), caller.tenant, id), caller)
    return _standing(chat)


@router.put("/{id}", responses=problems(ChatMissing))
@needs(Scope.CONTROL)
async def switch_chat(id: PublicChatId, body: Switch, caller: Caller, db: Db) -> Standing:
    """Silence the bot in a chat, for some minutes or until the chat is closed; or let it speak again."""
    now = datetime.now(UTC)
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        chat = _seen(await chats.find(c, caller.tenant, id, lock=True), caller)
        before = chat.state.silent(now)
        pause = None if body.minutes is None else timedelta(minutes=body.minutes)
        chat.state = chat.state.paused(now, pause) if body.silent else chat.state.resumed()
        await chats.save(c, [chat])
        if body.silent:
            await chats.hush(c, [(chat.tenant, chat.id)])
        if before != body.silent:
            await outbox.add(tx, switched(chat, silent=body.silent, reason="asked"))
    return _standing(chat)


def _seen(chat: Chat | None, caller: Principal) -> Chat:
    if chat is None or not caller.reads(chat.device, chat.team, chat.assignee):
        raise ChatMissing("Nobody has written in a chat with this id since the bot is here.")
    return chat


def _standing(chat: Chat) -> Standing:
    now = datetime.now(UTC)
    silent = chat.state.silent(now)
    return Standing(silent=silent, until=chat.state.paused_until if silent else None, menu=chat.state.menu)

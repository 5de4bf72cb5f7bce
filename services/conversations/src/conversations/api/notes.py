"""Notes beside a chat, which the customer never gets."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from contracts.edge import PublicChatId, PublicUserId
from contracts.principal import Scope
from contracts.views import Message
from fastapi import APIRouter
from pydantic import Field, StringConstraints
from servicekit import outbox
from servicekit.db import raw
from servicekit.http import Body, Caller, answer, needs, problems
from servicekit.http.bodies import Storable
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations import store
from conversations.api.chats import hold
from conversations.api.shapes import Db, Sights
from conversations.domain.errors import ChatMissing, MentionInvalid
from conversations.store import people, writing
from conversations.store.messages import view

router = APIRouter(prefix="/api/chats", tags=["chats"])


class Note(Body):
    """Something to be remembered, or said to colleagues."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"\S"), Storable]
    mentions: Annotated[tuple[PublicUserId, ...], Field(max_length=20, description="Who is meant by it: each gets a `mentioned`.")] = ()


@router.post(
    "/{id}/notes", status_code=201, responses=answer(Message, status=201) | problems(ChatMissing, MentionInvalid, InFlight, Mismatch)
)
@needs(Scope.SEND)
async def add_note(id: PublicChatId, body: Note, caller: Caller, idem: Idempotent, db: Db, sights: Sights) -> Response:
    """Write a note beside a chat: a message of the kind `note`, which WhatsApp never gets."""

    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c = await raw(tx)
            held = await hold(c, caller, id)
            named = list(dict.fromkeys(body.mentions))
            known = await people.active(c, caller.tenant, named)
            for user in named:
                reads = sights.access_of(user).reads(user, held.device, held.standing.team, held.standing.assignee)
                if user not in known or not reads:
                    raise MentionInvalid("Mention somebody who can sign in and sees this chat.")
            row, told = await writing.note(
                c, held, author=caller.id, by_key=caller.kind == "key", text=body.text, at=datetime.now(UTC), mentions=named
            )
            await outbox.add(tx, *told)
            return await idem.finish(tx, 201, msgspec.json.encode(view(row)))

    return await store.persistently(once)

"""What conversations answers when other services ask over the bus."""

from collections.abc import Awaitable, Callable

import msgspec
from contracts.asks import ChatsKnown, ChatsNamed
from servicekit.db import Database, raw

from conversations.store import reading

MOST = 100

_question = msgspec.json.Decoder(ChatsNamed)


def chats(db: Database) -> Callable[[bytes], Awaitable[bytes]]:
    """Make what tells who may see some chats; whatever cannot be read is about none."""

    async def answer(payload: bytes) -> bytes:
        try:
            asked = _question.decode(payload)
        except msgspec.DecodeError:
            return msgspec.json.encode(ChatsKnown(chats={}))
        async with db.transaction(asked.tenant) as tx:
            known = await reading.audiences(await raw(tx), asked.tenant, asked.chats[:MOST])
        return msgspec.json.encode(ChatsKnown(chats=known))

    return answer

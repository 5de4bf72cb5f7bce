"""What the pipeline answers when other services ask over the bus."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from contracts import ids
from contracts.asks import PersonKnown, PersonNamed
from servicekit.db import Database, raw

from pipeline.store import erasing, views

#: What an answer may have, well below what the bus takes.
_LARGEST = 700_000

_question = msgspec.json.Decoder(PersonNamed)


def person(db: Database) -> Callable[[bytes], Awaitable[bytes]]:
    """Make what tells the leads of a contact, with what is to be done and was written about each."""

    async def answer(payload: bytes) -> bytes:
        asked = _question.decode(payload)
        found: list[dict[str, Any]] = []
        room = _LARGEST
        async with db.transaction(asked.tenant) as tx:
            async for lead, tasks, notes in erasing.known_of(await raw(tx), asked.tenant, asked.contact):
                one = views.fields(lead) | {
                    "tasks": [
                        {"id": ids.public(ids.TASK, t["id"]), "title": t["title"], "due_at": t["due_at"], "done_at": t["done_at"]}
                        for t in tasks
                    ],
                    "notes": [{"text": n["text"], "at": n["at"]} for n in notes],
                }
                room -= len(msgspec.json.encode(one))
                if room < 0:
                    return msgspec.json.encode(PersonKnown(leads=tuple(found), more=True))
                found.append(one)
        return msgspec.json.encode(PersonKnown(leads=tuple(found)))

    return answer

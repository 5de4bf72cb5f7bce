"""Who gets which chat: the least loaded of those who are there, see it and have room; among equals, in turn.

Pure and without a memory of its own: called again with what holds now, after a crash or twice, it comes to what is right now.
A chat that nobody can take stays where it is and holds up none behind it that somebody else can take.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.ids import ChatId, UserId

#: How long somebody who is gone keeps the customers that wait for him: a page that is loaded anew is no going.
GRACE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Somebody who is online.

    Attributes:
        load: The open chats that he answers.
        capacity: How many he may be given.
        turn: Grows with each assignment in the account: who has the lowest was given one longest ago.
    """

    id: UserId
    load: int
    capacity: int
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A chat that waits for somebody.

    Attributes:
        since: Its place in the queue.
        candidates: Who may have it: they see the number, belong to the team, and it is within service hours.
        holder: Who has it and has gone; he keeps it as long as nobody else can take it.
    """

    chat: ChatId
    since: datetime
    candidates: frozenset[UserId]
    holder: UserId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """*chat* goes to *agent*, whose turn is now *turn*."""

    chat: ChatId
    agent: UserId
    turn: int


def assign(queue: Iterable[Waiting], online: Mapping[UserId, Agent]) -> list[Given]:
    """Give the chats out, the longest waiting first; each at most once, to nobody who is not online, above nobody's capacity."""
    load = {id: agent.load for id, agent in online.items()}
    turns = {id: agent.turn for id, agent in online.items()}
    turn = max(turns.values(), default=0)
    given: list[Given] = []
    for waiting in sorted(queue, key=lambda one: (one.since, one.chat)):
        able = [id for id in waiting.candidates if id in online and id != waiting.holder and load[id] < online[id].capacity]
        if not able:
            continue
        chosen = min(able, key=lambda one: (load[one], turns[one], one))
        turn += 1
        load[chosen] += 1
        turns[chosen] = turn
        given.append(Given(chat=waiting.chat, agent=chosen, turn=turn))
    return given


def has_gone(last_seen: datetime | None, now: datetime) -> bool:
    """Tell whether somebody who is not online has been gone for longer than `GRACE`."""
    return last_seen is None or now - last_seen >= GRACE


def eligible(
    *, team: UUID | None, members: Mapping[UUID, frozenset[UserId]], agents: Iterable[UserId], sees: Mapping[UserId, bool]
) -> frozenset[UserId]:
    """Name who may have a chat: of its team, where it is in one's queue, and of those who see its number."""
    some = members.get(team, frozenset()) if team is not None else frozenset(agents)
    return frozenset(id for id in some if sees.get(id, False))

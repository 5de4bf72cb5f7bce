"""What happened in a shop: customers come over months, write in bursts, are answered. Pure: the same seed tells the same story."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from clarin.seed.vocabulary import Words

DAYS = 240
#: Of a hundred messages so many have a file, and so many are notes of the team.
_PICTURES, _DOCUMENTS, _VOICES, _NOTES = 5, 4, 3, 1


class Message(NamedTuple):
    """A row of `messages`, by its columns."""

    id: UUID
    chat: UUID
    device: UUID
    wa_id: str | None
    from_me: bool
    kind: str
    text: str | None
    status: str
    author: UUID | None
    origin: str | None
    at: datetime
    media: str | None
    unseen: bool


@dataclass(slots=True)
class Thread:
    """A customer and his chat, as they stand when the story is over."""

    contact: UUID
    chat: UUID
    device: UUID
    assignee: UUID | None
    name: str
    phone: str
    created_at: datetime
    began_at: datetime | None = None
    status: str = "open"
    unread: int = 0
    last: UUID | None = None
    last_at: datetime | None = None
    asked_at: datetime | None = None
    answered_at: datetime | None = None
    waiting_since: datetime | None = None
    first_response_at: datetime | None = None
    first_response_by: UUID | None = None
    tags: list[int] = field(default_factory=list)
    state: int | None = None


class Story:
    """So many chats with so many messages, told day by day."""

    def __init__(self, *, chats: int, messages: int, devices: list[UUID], agents: list[UUID], until: datetime, seed: int) -> None:
        """Raises: ValueError: fewer messages than chats, or nobody who answers."""
        if not 0 < chats <= messages or not devices or not agents:
            raise ValueError("Every chat has at least one message, is on a number, and is answered by somebody.")
        self.threads: list[Thread] = []
        self._chats, self._messages, self._devices, self._agents = chats, messages, devices, agents
        self._dice = random.Random(seed)  # noqa: S311 - a story, not a secret
        self._words = Words(self._dice)
        self._until = until

    def days(self) -> Iterator[list[Message]]:
        """Tell what is said on each day, in the order in which it is said; `threads` grows meanwhile and stands at the end."""
        told = 0
        begin = self._until - timedelta(days=DAYS)
        for number in range(DAYS):
            quota = self._messages * (number + 1) // DAYS - told
            due = self._chats * (number + 1) // DAYS - len(self.threads)
            arrivals = min(quota, max(due, 0 if self.threads else 1))
            said = self._day(begin + timedelta(days=number), quota, arrivals)
            told += len(said)
            yield said
        for thread in self.threads:
            self._settle(thread)

    def _day(self, day: datetime, quota: int, arrivals: int) -> list[Message]:
        said: list[Message] = []
        while len(said) < quota:
            left = quota - len(said)
            if arrivals:
                thread, most = self._arrival(day), left - arrivals + 1
                arrivals -= 1
            else:
                thread, most = self._known(), left
            self._burst(said, thread, day, min(most, 1 + int(self._dice.expovariate(1 / 4))))
        said.sort(key=lambda message: (message.at, message.id))
        return said

    def _arrival(self, day: datetime) -> Thread:
        dice, number = self._dice, len(self.threads)
        thread = Thread(
            contact=self._id(day),
            chat=self._id(day),
            device=self._devices[int(len(self._devices) * dice.random() ** 2)],
            assignee=dice.choice(self._agents) if dice.random() < 0.8 else None,
            name=self._words.name(),
            phone=f"{dice.choice(('52155', '5511', '5491', '5731'))}{number * 48_271 % 10**8:08d}",  # each once, in no order
            created_at=day,
            tags=sorted(dice.sample(range(6), dice.choice((0, 0, 0, 1, 1, 2)))),
            state=dice.choice((None, None, 0, 0, 1, 2, 2, 3)),
        )
        self.threads.append(thread)
        return thread

    def _known(self) -> Thread:
        """Give one who wrote before: the newer ones more often, and nobody whose last words are still unread, unless all are."""
        threads = self.threads
        for _ in range(20):
            thread = threads[int(len(threads) * (1 - self._dice.random() ** 2.5))]
            if not thread.unread:
                break
        return thread

    def _burst(self, said: list[Message], thread: Thread, day: datetime, size: int) -> None:
        dice = self._dice
        at = day + timedelta(seconds=min(84_000.0, max(0.0, dice.gauss(50_000, 12_000))), microseconds=dice.randrange(1_000_000))
        for turn in range(size):
            at = min(at + timedelta(seconds=1 + dice.expovariate(1 / 200)), day + timedelta(hours=23, minutes=59, seconds=59))
            said.append(self._message(thread, at, from_me=turn > 0 and dice.random() < 0.55, fresh=self._until - at < timedelta(days=2)))

    def _message(self, thread: Thread, at: datetime, *, from_me: bool, fresh: bool) -> Message:
        dice = self._dice
        kind, text, media = "text", None, None
        match dice.randrange(100):
            case chance if chance < _PICTURES:
                kind, media = "image", _media("image/jpeg", dice.randrange(40_000, 900_000))
                text = self._words.said() if dice.random() < 0.3 else None
            case chance if chance < _PICTURES + _DOCUMENTS:
                kind, media = "document", _media("application/pdf", dice.randrange(9_000, 5_000_000), file_name=self._words.file())
            case chance if chance < _PICTURES + _DOCUMENTS + _VOICES:
                kind, media = "voice", _media("audio/ogg", dice.randrange(5_000, 200_000), seconds=dice.randrange(2, 90))
            case chance if chance < _PICTURES + _DOCUMENTS + _VOICES + _NOTES and from_me:
                kind, text = "note", self._words.said()
            case _:
                text = self._words.said()
        id = self._id(at)
        author = (thread.assignee or dice.choice(self._agents)) if from_me else None
        origin = None
        if from_me:
            origin = "bot" if kind == "text" and dice.random() < 0.1 else "user"
            author = None if origin == "bot" else author
        unseen = self._stand(thread, id, at, from_me=from_me, kind=kind, author=author, fresh=fresh)
        return Message(
            id=id,
            chat=thread.chat,
            device=thread.device,
            wa_id=None if kind == "note" else f"{dice.getrandbits(80):020X}",
            from_me=from_me,
            kind=kind,
            text=text,
            status="sent" if kind == "note" else dice.choices(("read", "delivered", "sent"), (7, 2, 1))[0] if from_me else "received",
            author=author,
            origin=origin,
            at=at,
            media=media,
            unseen=unseen,
        )

    def _stand(self, thread: Thread, id: UUID, at: datetime, *, from_me: bool, kind: str, author: UUID | None, fresh: bool) -> bool:
        """The thread is after this message; tell whether nobody has seen that."""
        if kind == "note":
            return False
        if thread.last_at is None or thread.last is None or (at, id.int) > (thread.last_at, thread.last.int):
            thread.last, thread.last_at = id, at
        if not from_me:
            thread.began_at = min(thread.began_at or at, at)
            thread.asked_at = max(thread.asked_at or at, at)
            thread.waiting_since = thread.waiting_since or at
            unseen = fresh and (thread.unread > 0 or self._dice.random() < 0.3)
            thread.unread += unseen
            return unseen
        if thread.unread or author is None:
            return False
        thread.answered_at, thread.waiting_since = at, None
        if thread.first_response_at is None:
            thread.first_response_at, thread.first_response_by = at, author
        return False

    def _settle(self, thread: Thread) -> None:
        """The thread has a status that fits what was last said."""
        if thread.unread:
            thread.status = "open"
            return
        thread.status = self._dice.choices(("closed", "open", "pending", "snoozed"), (14, 4, 1, 1))[0]
        if thread.status != "open":
            thread.waiting_since = None

    def _id(self, at: datetime) -> UUID:
        """Make a UUIDv7 of then."""
        low = self._dice.getrandbits(74)
        return UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | (low >> 62) << 64 | 2 << 62 | low & ((1 << 62) - 1))


def _media(mime: str, size: int, **more: object) -> str:
    """Give a file that has come and gone: its bytes are nowhere."""
    return json.dumps({"mime": mime, "size": size, "state": "expired", **more}, ensure_ascii=False)

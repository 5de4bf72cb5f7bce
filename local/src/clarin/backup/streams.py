"""Messages of the bus, in a file and out of it, each with its subject, its head and its id."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import msgspec
from contracts import subjects
from contracts.buckets import ACCESS, KEYS, PLACEMENT, VERSIONS
from servicekit.bus import Bus, BusRefused
from servicekit.bus.publisher import Item

#: Whose entries nobody would write anew: the others live for seconds, and as long as who wrote them.
BUCKETS = (KEYS, VERSIONS, ACCESS, PLACEMENT)
_NO_MESSAGE = 10037
_ID = "Nats-Msg-Id"
_AT_ONCE = 500


class Kept(msgspec.Struct, frozen=True):
    """One message."""

    subject: str
    data: bytes
    headers: dict[str, str] = {}

    def item(self) -> Item:
        """Give it as it is published again."""
        others = {name: value for name, value in self.headers.items() if name != _ID}
        return Item(self.subject, self.headers.get(_ID, ""), self.data, others)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Kept)


async def stored(bus: Bus, stream: str, after: int = 0) -> AsyncIterator[Kept]:
    """Read what is in a stream, from behind the sequence *after* on."""
    sequence = after + 1
    while True:
        try:
            found = await bus.connection.api(f"STREAM.MSG.GET.{stream}", {"seq": sequence, "next_by_subj": ">"})
        except BusRefused as problem:
            if problem.number == _NO_MESSAGE or problem.status == 404:
                return
            raise
        message = found["message"]
        headers = _headers(base64.b64decode(message.get("hdrs", "")))
        yield Kept(message["subject"], base64.b64decode(message.get("data", "")), headers)
        sequence = message["seq"] + 1


async def unfinished(bus: Bus) -> int:
    """Give the last event that every durable of the stream had taken; where there is no durable, all are unfinished."""
    last = (await bus.stream_state(subjects.EVENTS)).last_sequence
    answer = await bus.connection.api(f"CONSUMER.LIST.{subjects.EVENTS}", {"offset": 0})
    durables = [found for found in answer["consumers"] or () if found["config"].get("durable_name")]
    # One that waits for nothing has come to the end, although what it took last may lie far behind.
    floors = [one["ack_floor"]["stream_seq"] if one["num_pending"] or one["num_ack_pending"] else last for one in durables]
    return min(floors, default=0)


async def listening(bus: Bus, heard: list[Kept]) -> Callable[[], Awaitable[None]]:
    """Keep every order that is given from now on, until what is returned is called."""

    async def take(subject: str, data: bytes) -> None:
        heard.append(Kept(subject, data))

    return (await bus.listen("cmd.>", take)).close


def identified(some: Iterable[Kept]) -> list[Kept]:
    """Give each order once, with the id of its envelope."""
    known: dict[str, Kept] = {}
    for one in some:
        id = str(msgspec.json.decode(one.data)["id"])
        known.setdefault(id, Kept(one.subject, one.data, {**one.headers, _ID: id}))
    return list(known.values())


def write(path: Path, some: Iterable[Kept]) -> int:
    """The messages are in the file; gives how many."""
    count = 0
    with path.open("wb") as file:
        for one in some:
            file.write(_encoder.encode(one) + b"\n")
            count += 1
    return count


async def publish(bus: Bus, path: Path) -> None:
    """What is in the file is in its stream."""
    with path.open("rb") as file:
        items = [_decoder.decode(line).item() for line in file]
    for start in range(0, len(items), _AT_ONCE):
        await bus.publish_items(items[start : start + _AT_ONCE])


def _headers(raw: bytes) -> dict[str, str]:
    lines = raw.decode(errors="replace").split("\r\n")[1:]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines if line)}

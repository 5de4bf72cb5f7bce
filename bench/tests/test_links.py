"""Frames are cut out of the bytes as they come, whole or in pieces."""

import asyncio

import pytest
from bench.fanout import Counted, Tally
from bench.links import Link, frame
from hypothesis import given, settings
from hypothesis import strategies as st

_OPENED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def told(text: bytes) -> bytes:
    """A server's frame."""
    size = len(text)
    return b"\x81" + (bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")) + text


class Wire(asyncio.Transport):
    """What a link writes is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.written += b"closed"


@settings(deadline=None)
@given(st.lists(st.integers(0, 400), max_size=12), st.lists(st.integers(1, 300), max_size=30))
def test_every_message_is_handed_on_once_wherever_the_pieces_break(sizes, cuts):
    texts = [bytes([65 + number % 26]) * size for number, size in enumerate(sizes)]
    stream = _OPENED + b"".join(told(text) for text in texts)

    async def run() -> list[bytes]:
        got: list[bytes] = []
        link = Link(b"", got.append)
        link.connection_made(Wire())
        at = 0
        for cut in [*cuts, len(stream)]:
            if at < len(stream):
                link.data_received(stream[at : at + cut])
            at += cut
        assert link.status == 101
        return got

    assert asyncio.run(run()) == texts


def test_a_ping_is_answered_and_a_close_is_returned():
    async def run() -> tuple[bytes, int | None]:
        wire, link = Wire(), Link(b"", lambda _: None)
        link.connection_made(wire)
        link.data_received(_OPENED + b"\x89\x02hi" + b"\x88\x02\x03\xf5")
        return wire.written, link.code

    written, code = asyncio.run(run())
    assert code == 1013
    assert written == frame(0x8A, b"hi") + frame(0x88, b"\x03\xf5") + b"closed"


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_the_counted_are_the_events_and_a_few_of_them_are_looked_at(piece):
    async def run() -> Tally:
        tally = Tally(sent=dict.fromkeys(range(200), 0.0))
        link = Counted(b"", lambda _: None, tally)
        wire = Wire()
        link.connection_made(wire)
        link.data_received(_OPENED)
        link.counts()
        body = b"".join(told(b'{"data":{"text":"#%d#%b"}}' % (number, b"x" * 150)) + told(b"2") for number in range(200))
        for at in range(0, len(body), piece):
            link.data_received(body[at : at + piece])
        assert link.taken == 200
        assert wire.written.count(frame(0x81, b"3")) == 200
        return tally

    tally = asyncio.run(run())
    assert (tally.frames, len(tally.waits)) == (200, 3)

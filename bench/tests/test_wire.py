"""The client and the service that are no bottleneck count right."""

import asyncio

from bench.wire import Bare, Lap, Link, drive


async def serving(protocol):
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_every_answer_is_counted_once():
    before = Bare.served
    server, url = await serving(Bare)
    async with server:
        lap = await drive(url, "/", ["x-a: 1"], connections=5, seconds=0.1)
    assert lap.asked == lap.good == len(lap.waits) == Bare.served - before
    assert lap.rate > 0
    assert all(wait > 0 for wait in lap.waits)


async def test_what_is_not_a_200_is_not_good_and_pieces_are_put_together():
    async def refuse(reader, writer):
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            for piece in (b"HTTP/1.1 503 Gone\r\nContent-Le", b"ngth: 6\r\n\r\nab", b"cdef"):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        link = await Link.open(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "/", [])
        lap = Lap()
        await link.ask(lap)
        await link.ask(lap)
        link.close()
    assert (lap.asked, lap.good, len(lap.waits)) == (2, 0, 2)

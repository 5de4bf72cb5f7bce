"""The client of the public API, where its token has run out."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from clarin.client import Client, Refused


class Door:
    """Lets in with the token that it gave last, and renews one as auth does: each refresh token once."""

    def __init__(self) -> None:
        self.good, self.refresh, self.renewals = "token-1", "refresh-1", 0

    async def renew(self, request: web.Request) -> web.Response:
        if (await request.json())["refresh_token"] != self.refresh:
            return web.json_response({"code": "refresh-invalid"}, status=401)
        self.renewals += 1
        self.good, self.refresh = f"token-{self.renewals + 1}", f"refresh-{self.renewals + 1}"
        return web.json_response({"access_token": self.good, "refresh_token": self.refresh})

    async def read(self, request: web.Request) -> web.Response:
        if request.headers["authorization"] != f"Bearer {self.good}":
            return web.json_response({"code": "token-expired"}, status=401)
        return web.Response(text="the text") if request.path.endswith("/qr") else web.json_response({"items": []})

    async def socket(self, request: web.Request) -> web.StreamResponse:
        if request.query["token"] != self.good:
            return web.Response(status=401)
        wire = web.WebSocketResponse()
        await wire.prepare(request)
        await wire.send_json({"event": "hello", "epoch": "e", "seq": int(request.query.get("since", 1)), "data": {"resumed": True}})
        await wire.receive()
        return wire


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def client(door: Door) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_post("/api/auth/refresh", door.renew)
    app.router.add_get("/ws", door.socket)
    app.router.add_get("/api/{path:.*}", door.read)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with Client(f"http://127.0.0.1:{runner.addresses[0][1]}", "token-0") as made:
            made.refresh_token = "refresh-1"
            yield made
    finally:
        await runner.cleanup()


async def test_a_token_that_has_run_out_is_renewed_once_for_all_who_ask_and_counts_as_no_failure(client: Client, door: Door) -> None:
    answers = await asyncio.gather(*(client.get("/api/chats") for _ in range(5)), client.qr("dev_1"))
    assert answers == [{"items": []}] * 5 + ["the text"]
    assert (door.renewals, client.token, client.answers["401"]) == (1, door.good, 0)


async def test_a_socket_is_opened_with_a_fresh_token_where_its_own_has_run_out(client: Client, door: Door) -> None:
    async with client.socket(since=("e", 7)) as socket:
        assert (socket.seq, socket.resumed, door.renewals) == (7, True, 1)


async def test_who_cannot_renew_is_refused(client: Client, door: Door) -> None:
    for refresh in ("refresh-0", None):
        client.refresh_token = refresh
        with pytest.raises(Refused):
            await client.get("/api/chats")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with client.socket():
                pass
    assert door.renewals == 0

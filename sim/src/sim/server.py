"""The front of the network: an HTTP CONNECT proxy whose every tunnel ends here, in TLS with the network's own certificate.

A tunnel is not carried on to a second socket: the accepted connection itself becomes TLS, and then HTTP for the chat socket and the media
hosts.  Only WhatsApp's host names are let through; anything else is refused, so that nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import cast

from aiohttp import web

log = logging.getLogger(__name__)

_MAX_HEAD = 8192


def is_whatsapp(authority: str) -> bool:
    """Whether `host:port` is one of WhatsApp's."""
    host, _, port = authority.rpartition(":")
    return port == "443" and (host.endswith((".whatsapp.net", ".whatsapp.com")))


class Proxy:
    """Listens on loopback; *up* says whether connections are let in."""

    def __init__(self, runner: web.AppRunner, context: ssl.SSLContext) -> None:
        self._runner, self._context = runner, context
        self._server: asyncio.Server | None = None
        self.port = 0
        self.up = True

    async def start(self, port: int) -> None:
        """Listening on *port*, or on a free one when it is taken; sessions that live on remember the port."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Tunnel(self), "127.0.0.1", port, backlog=1024)
        except OSError:
            if not port:
                raise
            log.warning("the port of the last run is taken, another one is used")
            self._server = await loop.create_server(lambda: Tunnel(self), "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Nobody is let in any more."""
        if self._server:
            self._server.close()

    async def secure(self, transport: asyncio.Transport) -> None:
        """The accepted connection speaks TLS now, with the HTTP server behind it."""
        server = self._runner.server
        if server is None:
            raise ConnectionResetError("The network is closing.")
        handler = server()
        secured = await asyncio.get_running_loop().start_tls(
            transport, cast(asyncio.Protocol, handler), self._context, server_side=True, ssl_handshake_timeout=30
        )
        if secured is None:
            raise ConnectionResetError("The client left during the handshake.")
        handler.connection_made(secured)


class Tunnel(asyncio.Protocol):
    """One accepted connection: its CONNECT line, then whatever `Proxy.secure` makes of it."""

    _transport: asyncio.Transport

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._head = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted; cut off at once while the network is down."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._proxy.up:
            self._transport.abort()
            return

    def data_received(self, data: bytes) -> None:
        """The CONNECT line, in one piece or in several."""
        self._head += data
        if b"\r\n\r\n" not in self._head:
            if len(self._head) > _MAX_HEAD:
                self._transport.abort()
            return
        method, _, rest = bytes(self._head).partition(b"\r\n")[0].decode("latin-1").partition(" ")
        if method != "CONNECT":
            self._refuse("405 Method Not Allowed")
        elif not is_whatsapp(rest.partition(" ")[0]):
            self._refuse("403 Forbidden")
        else:
            self._transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._task = asyncio.get_running_loop().create_task(self._secure(self._transport))

    def _refuse(self, status: str) -> None:
        self._transport.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        self._transport.close()

    async def _secure(self, transport: asyncio.Transport) -> None:
        try:
            await self._proxy.secure(transport)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            log.debug("a tunnel did not become TLS: %s", type(error).__name__)
            transport.abort()

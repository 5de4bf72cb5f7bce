"""The sockets' port: WebSockets, the same as server-sent events, and who is there as one answer.

server.py       the port, the drain, a look at everybody each second     connection.py   one connection: HTTP, then frames
session.py      what one client is told, and as whom                     talk.py         what a client may say

The protocol is `websockets`' sans-I/O core, the bytes go straight to the transport. A frame that many get is encoded once
and written as it is. What waits for a slow client is bounded by its transport's buffer: over that it is closed, and comes
back to what it missed. Nothing is compressed, so that all can share one frame (docs/adr says what that would cost).
"""

from realtime.sockets.connection import Connection
from realtime.sockets.server import Counters, Server
from realtime.sockets.session import Session

__all__ = ["Connection", "Counters", "Server", "Session"]

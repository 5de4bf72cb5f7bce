"""nats without aiohttp, with which it could speak through a WebSocket: a third of a second of a processor at each start.

Imported before anything else here.
"""

from servicekit.bare import load

load("nats", without="aiohttp")

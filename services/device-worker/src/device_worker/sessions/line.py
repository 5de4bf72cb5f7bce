"""The way to WhatsApp: one session in the host at a time, and what comes of it."""

import asyncio
from collections.abc import Collection

from device_worker.host.remote import Client
from device_worker.sessions.standing import Standing
from device_worker.whatsapp import StoreAway

#: Beside the library's kinds: its call has come back; the process that it was in has died; it hung up before a message whose keys
#: are used up.
END = -1
LOST = -2
USED_UP = -3


class Line:
    """The session that is there now, or none.

    Attributes:
        connected: It is up.
    """

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._events: asyncio.Queue[tuple[Client, int, bytes]] = asyncio.Queue()
        self.client: Client | None = None
        self.connected = False
        self._jid = ""

    def start(self, jid: str) -> None:
        """Start a session in the host.  Raises: NotRunning: there is no host; WrongEncryptionKey."""
        events, device = self._events, self._standing.device
        client = self._standing.tools.host.client(
            jid=jid,
            tenant=device.tenant,
            device=device.id,
            own=[user for user in (device.phone, device.lid) if user is not None],
            proxy=self._standing.proxy(),
            on_event=lambda client, kind, raw: events.put_nowait((client, kind, raw)),
            on_end=lambda client, error: events.put_nowait((client, END, error.encode())),
            on_used_up=lambda client: events.put_nowait((client, USED_UP, b"")),
            on_lost=lambda client: events.put_nowait((client, LOST, b"")),
        )
        self.client, self.connected, self._jid = client, False, jid
        client.start()

    async def event(self) -> tuple[int, bytes] | None:
        """Wait for the next event; None: it was of a session that is no more."""
        client, kind, raw = await self._events.get()
        return (kind, raw) if client is self.client else None

    async def hang_up(self) -> None:
        """Be off the line at once; `end` is still due."""
        if (client := self.client) is not None:
            await client.disconnect()

    async def end(self) -> None:
        """There is no session.

        Of the messages that it was brought and whose keys are used up, the keys are gone: brought again, they are asked for anew.
        """
        client, self.client, self.connected = self.client, None, False
        if client is None:
            return
        if not await asyncio.shield(client.stop()):
            self._standing.log.error("session.thread_left_behind")
        if client.used_up:
            await self._forget_keys(client.used_up)

    async def _forget_keys(self, senders: Collection[tuple[str, str]]) -> None:
        try:
            for chat, sender in senders:
                await self._standing.tools.store.forget_keys(self._jid, chat, sender)
        except StoreAway:
            self._standing.tools.store.suspect()
        self._standing.log.info("session.asks_anew", senders=len(senders))

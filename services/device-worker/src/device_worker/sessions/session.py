"""One device's session: works towards what is wanted of it, whatever that is by now.

`standing` is how the device stands and what is wanted; `line` is the session in the host; `serving` keeps it up, `linking`
pairs, `unlinking` undoes that.
"""

import asyncio

from contracts.events.devices import DeviceState

from device_worker.domain import Device, DeviceMissing, Wanted
from device_worker.host.remote import Client
from device_worker.sessions.line import Line
from device_worker.sessions.linking import Linking
from device_worker.sessions.serving import Serving
from device_worker.sessions.standing import Standing
from device_worker.sessions.tools import Tools
from device_worker.sessions.unlinking import remove, unlink


class Session:
    """Works until it is stopped or nothing is wanted any more."""

    def __init__(self, tools: Tools, device: Device, *, handed: bool = False) -> None:
        """Start at once.

        Args:
            handed: Another worker has let it go a moment ago, and waits for it to be up here.
        """
        self._standing = Standing(tools, device)
        self._line = Line(self._standing)
        self._serving = Serving(self._standing, self._line, handed=handed)
        self._linking = Linking(self._standing)
        self.task = asyncio.create_task(self._run(), name=f"session {device.id}")

    @property
    def device(self) -> Device:
        """The device, as it is known here."""
        return self._standing.device

    @property
    def shard(self) -> int:
        """Its shard."""
        return self._standing.shard

    @property
    def client(self) -> Client | None:
        """The session to send with; None while it is not connected."""
        return self._line.client if self._line.connected else None

    @property
    def coming_up(self) -> bool:
        """Tell whether it is linked, and neither connected nor known to have to wait."""
        return self.device.works_on_session and self.client is None and self.device.state in (DeviceState.CONNECTING, DeviceState.CONNECTED)

    @property
    def asked_again(self) -> bool:
        """Somebody said that the device changed, and nobody has looked."""
        return self._standing.stale

    def wake(self) -> None:
        """Look again at what is wanted."""
        self._standing.wake()

    async def hang_up(self) -> None:
        """Be off the line at once, whatever else is going on: the rest follows in its turn."""
        await self._line.hang_up()

    async def stop(self) -> None:
        """End it, keeping what is wanted as it is: another worker goes on."""
        self._standing.end()
        await asyncio.wait([self.task])

    async def _run(self) -> None:
        with self._standing.tools.pause.watched_by(self._standing.woken):
            try:
                while not self._standing.over and await self._step():
                    pass
            except DeviceMissing:
                return
            except Exception:
                self._standing.log.exception("session.failed")
                raise
            finally:
                await self._line.end()

    async def _step(self) -> bool:
        """Do the next thing; False when there is nothing to do for this device."""
        device = self.device
        match device.wanted:
            case Wanted.DELETED | Wanted.LOGGED_OUT if device.jid is not None:
                await unlink(self._standing, self._line)
            case Wanted.DELETED:
                await remove(self._standing)
                return False
            case Wanted.CONNECTED if device.works_on_session:
                await self._serving.run()
            case Wanted.CONNECTED if device.state is DeviceState.PAIRING:
                await self._linking.run()
            case _:
                return False
        return True

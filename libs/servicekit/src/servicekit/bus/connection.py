"""One connection to NATS, and the two calls that everything on the bus is made of: send, and send expecting an answer."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from servicekit.bus.errors import BusAway, BusRefused, WrongPassword

log = structlog.get_logger(__name__)

ROOM = 8192  # bytes of a message that are left to headers, so that a dead letter of it fits as well
START = 30.0  # seconds that a service waits for the server when it starts
_EPOCH = datetime.fromtimestamp(0, UTC)
_REFUSED = "authorization violation"
_PERMISSION = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"', re.IGNORECASE)


class Awaiting(Protocol):
    """Who sent something and expects an answer under *key*."""

    def answered(self, key: int, message: Msg) -> bool:
        """Take an answer; tell whether no more are expected under *key*."""

    def refused(self, key: int, subject: str) -> None:
        """Learn that the server let nothing through to *subject*."""


class _Client(Client):
    def forget_unsent(self) -> None:
        """Drop what was not written to the lost connection.

        Left there, it would be written first on the new one: ahead of what was written to the old one and lost, which
        its sender sends again, so that later facts would stand before earlier ones in the stream.
        """
        self._pending = []
        self._pending_data_size = 0

    async def post(self, commands: bytes) -> bool:
        """Write commands of the protocol as they are; False when the server is away."""
        if not self.is_connected:
            return False
        await self._send_command(commands)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()
        return True


class Connection:
    """A connection that comes back for ever.

    Attributes:
        inbox: Prefix of every subject on which this connection gets answers; no other user may listen there.
        epoch: Grows at each loss of the connection: what was in flight before has to be sent again.
        connected: Set while the server is there.
        closed: Set when it will not come back, because this side closed it or the server refuses it.
    """

    def __init__(self, client: _Client, inbox: str) -> None:
        self.client = client
        self.inbox = f"{inbox}.{token_hex(8)}"
        self.epoch = 0
        self.connected = asyncio.Event()
        self.closed = asyncio.Event()
        self._tokens = itertools.count()
        self._awaiting: dict[str, tuple[Awaiting, int, str]] = {}
        self._observers: list[Callable[[bool], None]] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, name: str) -> AsyncIterator["Connection"]:
        """Connect, waiting for the server for half a minute; of a cluster *url* has several addresses, by comma.

        Raises:
            BusAway: There is none.
            WrongPassword: There is one, and it does not let this user in: waiting would not help.
        """
        from servicekit.bus.permissions import inbox

        client = _Client()
        self = cls(client, inbox(urlsplit(url).username or name))

        async def lost() -> None:
            client.forget_unsent()
            self.epoch += 1
            self.connected.clear()
            if not client.is_closed:
                log.warning("bus.lost")
            self._tell(False)

        async def back() -> None:
            log.info("bus.back")
            self.connected.set()
            self._tell(True)

        async def closed() -> None:
            self.connected.clear()
            self.closed.set()
            self._tell(False)

        refused = asyncio.Event()

        async def error(problem: Exception) -> None:
            if isinstance(problem, nats.errors.AuthorizationError) or _REFUSED in str(problem).casefold():
                refused.set()
            self._refusal(str(problem))

        connecting = asyncio.ensure_future(
            client.connect(
                url.split(","),
                name=name,
                inbox_prefix=inbox(urlsplit(url).username or name),
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.2,  # type: ignore[arg-type]  # seconds; a fraction is fine
                connect_timeout=2,
                ping_interval=5,
                max_outstanding_pings=2,
                pending_size=0,  # nothing is kept for later while the server is away: see forget_unsent
                skip_subject_validation=True,
                disconnected_cb=lost,
                reconnected_cb=back,
                closed_cb=closed,
                error_cb=error,
            )
        )
        told = asyncio.ensure_future(refused.wait())
        try:
            await asyncio.wait([connecting, told], timeout=START, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                connecting.result()
        except (TimeoutError, OSError, nats.errors.Error) as problem:
            await client.close()
            raise BusAway(f"No NATS server: {type(problem).__name__}.") from problem
        finally:
            told.cancel()
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait([connecting])
                await client.close()
        if refused.is_set() and connecting.cancelled():
            raise WrongPassword(urlsplit(url).username)
        if connecting.cancelled():
            raise BusAway(f"No NATS server within {START:.0f} s.")
        self.connected.set()
        try:
            await client.subscribe(f"{self.inbox}.r.*", cb=self._reply)
            yield self
        finally:
            self._observers.clear()
            await self._flush()
            with suppress(OSError):  # a server that has just died cuts the connection while it is being closed
                await client.close()

    def observe(self, observer: Callable[[bool], None]) -> Callable[[], None]:
        """Call *observer* at each loss (False) and return (True) of the server, until what is returned is called."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer) if observer in self._observers else None

    async def send(self, subject: str, payload: bytes = b"", *, reply: str = "", headers: dict[str, str] | None = None) -> bool:
        """Send and forget; False when the server is away."""
        try:
            await self.client.publish(subject, payload, reply=reply, headers=headers)
        except nats.errors.MaxPayloadError:
            raise BusRefused(f"{len(payload)} bytes are more than the server takes.", status=413) from None
        except (nats.errors.Error, OSError):
            return False
        return True

    async def post(self, commands: Sequence[bytes]) -> bool:
        """Send what `command` made, all in one; False when the server is away.

        A message at a time the client's own publish costs three times as much.
        """
        return await self.client.post(b"".join(commands))

    def command(self, subject: str, payload: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None) -> bytes:
        """Write a message as the protocol does.  Raises: BusRefused: it is larger than the server takes."""
        # To a message that is too large the server answers by closing the connection for good.
        if len(payload) + ROOM > self.client.max_payload:
            raise BusRefused(f"{len(payload)} bytes are more than the server takes.", status=413)
        if not headers:
            return b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply.encode(), len(payload), payload)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"NATS/1.0\r\n{lines}\r\n".encode()
        line = b"HPUB %b %b %d %d\r\n" % (subject.encode(), reply.encode(), len(head), len(head) + len(payload))
        return b"".join((line, head, payload, b"\r\n"))

    def expect(self, awaiting: Awaiting, key: int, subject: str) -> str:
        """Make the subject on which *awaiting* gets the answer of what it sends to *subject*."""
        token = f"{next(self._tokens):x}"
        self._awaiting[token] = (awaiting, key, subject)
        return f"{self.inbox}.r.{token}"

    def forget(self, reply: str) -> None:
        """Expect no answer on *reply* any more."""
        self._awaiting.pop(reply.rpartition(".")[2], None)

    async def request(self, subject: str, payload: bytes = b"", *, timeout: float = 5.0, headers: dict[str, str] | None = None) -> Msg:
        """Ask and wait for one answer.

        Raises:
            BusAway: The server is away, nobody listens on *subject*, or no answer came within *timeout* seconds.
            BusRefused: This user may not.
        """
        return (await self._ask(_Answer(), subject, payload, timeout, headers))[-1]

    async def collect(self, subject: str, payload: bytes, *, timeout: float = 5.0) -> list[Msg]:
        """Ask and wait for many answers; the last one is the server's, with a status, and says why there are no more.

        Raises:
            BusAway: The server is away, or has not said within *timeout* seconds that this is all.
            BusRefused: This user may not.
        """
        return await self._ask(_Answer(many=True), subject, payload, timeout)

    async def _ask(
        self, answer: "_Answer", subject: str, payload: bytes, timeout: float, headers: dict[str, str] | None = None
    ) -> list[Msg]:
        reply = self.expect(answer, 0, subject)
        try:
            async with asyncio.timeout(timeout):
                if not await self.send(subject, payload, reply=reply, headers=headers):
                    raise BusAway("The bus is away.")
                messages = await answer.future
        except TimeoutError:
            raise BusAway(f"No answer on {subject} within {timeout:g} s.") from None
        finally:
            self.forget(reply)
        if status(messages[-1]) == "503":
            raise BusAway(f"Nobody answers on {subject}.")
        return messages

    async def api(self, call: str, body: object = None, *, timeout: float = 5.0) -> dict[str, Any]:
        """Call JetStream's API.  Raises: BusAway; BusRefused: JetStream's error."""
        payload = b"" if body is None else msgspec.json.encode(body)
        answer: dict[str, Any] = msgspec.json.decode((await self.request(f"$JS.API.{call}", payload, timeout=timeout)).data)
        if error := answer.get("error"):
            if error.get("code") == 503:
                raise BusAway(f"{call}: {error.get('description')}")
            raise BusRefused(f"{call}: {error.get('description')}", status=error.get("code", 500), number=error.get("err_code", 0))
        return answer

    async def subscribe(self, subject: str, handler: Callable[[Msg], Awaitable[None]], *, queue: str = "") -> NatsSubscription:
        """Call *handler* with each message on *subject*, one after the other, across reconnects."""

        async def handle(message: Msg) -> None:  # nats-py insists on a coroutine function
            await handler(message)

        return await self.client.subscribe(subject, queue=queue, cb=handle)

    async def ping(self, timeout: float = 2.0) -> None:
        """Return when the server has answered.  Raises: BusAway."""
        try:
            async with asyncio.timeout(timeout):
                await self.client.flush(timeout=timeout)  # type: ignore[arg-type]
        except (TimeoutError, nats.errors.Error, OSError) as problem:
            raise BusAway("The bus does not answer.") from problem
        if not self.connected.is_set():
            raise BusAway("The bus is away.")

    async def _flush(self) -> None:
        if self.connected.is_set():
            try:
                await self.ping()
            except BusAway:
                log.warning("bus.closed_unflushed")

    async def _reply(self, message: Msg) -> None:
        token = message.subject.rpartition(".")[2]
        expected = self._awaiting.get(token)
        if expected is not None and expected[0].answered(expected[1], message):
            self._awaiting.pop(token, None)

    def _tell(self, present: bool) -> None:
        for observer in tuple(self._observers):
            observer(present)

    def _refusal(self, text: str) -> None:
        found = _PERMISSION.search(text)
        if found is None:
            return
        subject = found[2]
        log.error("bus.refused", to=found[1], subject=subject)
        # The server names no message: without this a call that is not allowed would look like a bus that is away.
        for token, (awaiting, key, sent_to) in tuple(self._awaiting.items()):
            if sent_to.casefold() == subject.casefold():
                del self._awaiting[token]
                awaiting.refused(key, subject)


class _Answer:
    """One message, or with *many* all up to the server's, which has a status."""

    def __init__(self, *, many: bool = False) -> None:
        self.future: asyncio.Future[list[Msg]] = asyncio.get_running_loop().create_future()
        self._many = many
        self._messages: list[Msg] = []

    def answered(self, key: int, message: Msg) -> bool:
        self._messages.append(message)
        if self._many and not status(message):
            return False
        if not self.future.done():
            self.future.set_result(self._messages)
        return True

    def refused(self, key: int, subject: str) -> None:
        if not self.future.done():
            self.future.set_exception(BusRefused(f"No permission to publish to {subject}.", status=403))


def status(message: Msg) -> str:
    """Read the status of a message of the server; empty for any other."""
    return (message.headers or {}).get("Status", "")


def time(text: str) -> datetime:
    """Read RFC 3339 with nanoseconds, which `datetime` does not take."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00") + timedelta(microseconds=int(fraction[:6].ljust(6, "0")))


def instant(nanoseconds: int) -> datetime:
    """Read Unix time, never as later than it is: a reader that begins at the time of a fact must get that fact."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)

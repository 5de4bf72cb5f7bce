"""A client of Clarin's own public API: the demo, the journeys and the benchmarks are its users."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import aiohttp
from sim.testing import Api as Network

T = TypeVar("T")

_RETRIED = (429, 502, 503, 504)
#: What was sent before under the same key is still being done.
_IN_FLIGHT = "idempotency-in-flight"


class Refused(Exception):
    """The API refused; *status*, *code* and *body* say why."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {body.get('code')}: {body.get('detail')} ({body.get('request_id')})")
        self.status = status
        self.body = body
        self.code: str = body.get("code", "")


class Client:
    """One person (or program) that uses Clarin through its public port."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.refresh_token: str | None = None
        self.me: dict[str, Any] = {}
        #: How many answers had which status; of "broken" ones there was none.
        self.answers: Counter[str] = Counter()
        self._http: aiohttp.ClientSession | None = None
        self._renewing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Connected when first asked."""
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closed."""
        if self._http:
            await self._http.close()

    async def raw(self, method: str, path: str, **options: Any) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request as it is: status, headers, body."""
        if self._http is None:
            raise RuntimeError("Use the client inside its `async with`.")
        headers = {**({"authorization": f"Bearer {self.token}"} if self.token else {}), **options.pop("headers", {})}
        try:
            async with self._http.request(method, self.url + path, headers=headers, **options) as response:
                payload = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            self.answers["broken"] += 1
            raise
        self.answers[str(response.status)] += 1
        return response.status, response.headers, payload

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, params: Mapping[str, str] | None = None
    ) -> Any:
        """Send a request; its answer's JSON, None where there is none. A token that has run out is renewed.  Raises: Refused."""
        headers = {"idempotency-key": key} if key else {}
        status, payload = await self._sent(method, path, json=body, headers=headers, params=params)
        answer = json.loads(payload) if payload else None
        if status < 400:
            return answer
        raise Refused(status, answer if isinstance(answer, dict) else {})

    async def _sent(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        """Send one request, and again with another token where its own has run out: status and body."""
        while True:
            token = self.token
            status, _, payload = await self.raw(method, path, **options)
            if status != 401 or b'"token-expired"' not in payload or not await self._renewed(token):
                return status, payload
            self.answers["401"] -= 1  # nothing that anybody would call a failure

    async def _renewed(self, expired: str | None) -> bool:
        """Have another token than the *expired* one, together with whoever asks at the same moment; False where there can be none."""
        async with self._renewing:
            if self.token == expired:
                if self.refresh_token is None:
                    return False
                status, _, payload = await self.raw("POST", "/api/auth/refresh", json={"refresh_token": self.refresh_token})
                if status != 200:
                    return False
                answer = json.loads(payload)
                self.token, self.refresh_token = answer["access_token"], answer["refresh_token"]
            return True

    async def insist(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        params: Mapping[str, str] | None = None,
        within: float = 60.0,
    ) -> Any:
        """Send what is safe to repeat until it is neither refused for a while nor lost on the way."""
        deadline = time.monotonic() + within
        wait = 0.1
        while True:
            try:
                return await self.ask(method, path, body, key=key, params=params)
            except Refused as refused:
                if (refused.status not in _RETRIED and refused.code != _IN_FLIGHT) or time.monotonic() > deadline:
                    raise
            except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError):
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(wait)
            wait = min(wait * 2, 1.0)

    async def get(self, path: str, **params: str) -> Any:
        """Read."""
        return await self.ask("GET", path, params=params or None)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Order."""
        return await self.ask("POST", path, body, key=key)

    async def register(self, email: str, password: str, *, name: str = "Ana", account: str = "Café Luna") -> Any:
        """An account exists and this client is its owner."""
        return self._signed_in(
            await self.post("/api/auth/register", {"email": email, "password": password, "name": name, "account": account})
        )

    async def login(self, email: str, password: str) -> Any:
        """This client is that user."""
        return self._signed_in(await self.post("/api/auth/login", {"email": email, "password": password}))

    def _signed_in(self, answer: Any) -> Any:
        self.token, self.refresh_token, self.me = answer["access_token"], answer["refresh_token"], answer
        return answer

    async def everything(self, path: str, **params: str) -> AsyncIterator[Any]:
        """Walk a list, page by page."""
        cursor: str | None = None
        while True:
            page = await self.insist("GET", path, params={"limit": "100", **params, **({"cursor": cursor} if cursor else {})})
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def add_device(self, name: str) -> Any:
        """A number is there, not connected yet."""
        return await self.insist("POST", "/api/devices", {"name": name}, key=str(uuid4()))

    async def pair(self, device: str, network: Network, number: str, *, within: float = 60.0) -> None:
        """The virtual phone *number* has scanned the device's QR, and the device is connected."""
        await self.insist("POST", f"/api/devices/{device}/connect")

        qr = await eventually(lambda: self.qr(device), within, f"no QR for {device}")
        await network.ask("POST", f"/phones/{number}/scan", {"qr": qr})
        await self.connected(device, within=within)

    async def qr(self, device: str) -> str | None:
        """The text of the QR that the device shows, if it shows one."""
        status, payload = await self._sent("GET", f"/api/devices/{device}/qr", headers={"accept": "text/plain"})
        return payload.decode() if status == 200 else None

    async def unpaced(self, device: str) -> None:
        """The device sends as fast as it goes: for load that no real number should see."""
        await self.insist("PATCH", f"/api/devices/{device}/settings", {"pace": {"enabled": False}})

    async def connected(self, device: str, *, within: float = 60.0) -> None:
        """The device's state is connected."""

        async def state() -> bool:
            return bool((await self.insist("GET", f"/api/devices/{device}"))["state"] == "connected")

        await eventually(state, within, f"{device} did not connect")

    @asynccontextmanager
    async def socket(self, *, since: tuple[str, int] | None = None) -> AsyncIterator["Socket"]:
        """A socket with its hello received. A token that has run out is renewed."""
        place = {"epoch": since[0], "since": str(since[1])} if since else {}
        token = self.token
        try:
            wire = await self._connected(place)
        except aiohttp.WSServerHandshakeError as refused:
            if refused.status != 401 or not await self._renewed(token):
                raise
            wire = await self._connected(place)
        async with wire:
            socket = Socket(wire)
            await socket.hello()
            yield socket

    async def _connected(self, place: Mapping[str, str]) -> aiohttp.ClientWebSocketResponse:
        if self._http is None:
            raise RuntimeError("Use the client inside its `async with`.")
        return await self._http.ws_connect(f"{self.url}/ws", params={"token": self.token or "", **place}, max_msg_size=1 << 22)


class Socket:
    """A browser's socket; *frames* holds what came, each with the time when it came (monotonic seconds)."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        self._wire = wire
        self.frames: list[tuple[float, dict[str, Any]]] = []
        self.epoch = ""
        self.seq = 0
        self.resumed = False

    async def hello(self) -> None:
        """The first frame came."""
        frame = await self.next()
        if frame["event"] != "hello":
            raise RuntimeError(f"The first frame is {frame['event']}.")
        self.epoch, self.seq, self.resumed = frame["epoch"], frame["seq"], bool(frame["data"]["resumed"])

    async def next(self, within: float = 30.0) -> dict[str, Any]:
        """The next frame.  Raises: TimeoutError; ConnectionError when the socket is closed."""
        message = await self._wire.receive(within)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(f"The socket is closed: {message.type.name} {self._wire.close_code}.")
        frame: dict[str, Any] = json.loads(message.data)
        self.frames.append((time.monotonic(), frame))
        if frame.get("seq"):
            self.seq = frame["seq"]
        return frame

    async def say(self, type: str, **what: Any) -> None:
        """Tell the server something."""
        await self._wire.send_str(json.dumps({"type": type, **what}))

    async def listen(self) -> None:
        """Keep every frame that comes, until cancelled."""
        while True:
            await self.next(3600)

    async def until(self, wanted: Callable[[dict[str, Any]], bool], within: float = 30.0) -> dict[str, Any]:
        """The first frame from now on that is *wanted*.  Raises: TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                frame = await self.next(within)
                if wanted(frame):
                    return frame

    async def event(self, name: str, within: float = 30.0, **data: Any) -> Any:
        """The data of the next frame *name* whose data has these values."""

        def wanted(frame: dict[str, Any]) -> bool:
            return frame["event"] == name and all(frame["data"].get(key) == value for key, value in data.items())

        return (await self.until(wanted, within))["data"]


async def eventually(probe: Callable[[], Awaitable[T | None]], within: float, complaint: str, *, every: float = 0.1) -> T:
    """The first true thing that *probe* gives.  Raises: TimeoutError, saying *complaint*."""
    deadline = time.monotonic() + within
    while True:
        if found := await probe():
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{complaint} within {within:g} s.")
        await asyncio.sleep(every)

"""One request to an endpoint: to an address that was judged, without redirects, with an end in time and in size."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import HttpProcessingError

from webhooks.domain.addresses import Allowed, literal
from webhooks.domain.problems import AddressRefused

ANSWER_BYTES = 4096
#: What is kept of it.
ANSWER_SHOWN = 1000
#: The status decides; for the rest of the answer nobody waits longer.
ANSWER_SECONDS = 1.0
CONNECT_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 20.0
AGENT = "Clarin-Webhooks/1"
#: Names that are looked up at the same time: a name server that hangs takes a thread for each of its names, and no other's.
_LOOKUPS = 64

#: Gives the addresses of a host, as text; raises OSError where there are none.
Lookup = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    Attributes:
        status: None where there was no answer.
        error: A stable code; None after a 2xx.
        text: The beginning of the answer's body.
    """

    status: int | None
    error: str | None
    latency_ms: int
    text: str = ""
    retry_after: str | None = None


class _Refused(OSError):
    """The name leads where nothing is sent to."""


class _Resolver(AbstractResolver):
    """Looks a name up once for each connection, judges every address, and hands on exactly those that it judged."""

    def __init__(self, allowed: Allowed, lookup: Lookup) -> None:
        self._allowed = allowed
        self._lookup = lookup

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Give the addresses of *host*.  Raises: OSError."""
        addresses = await self._lookup(host, port)
        try:
            self._allowed.judge(host, addresses)
        except AddressRefused:
            raise _Refused("address-refused") from None
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Target:
    """Makes the requests; connections are kept and used again."""

    def __init__(self, session: aiohttp.ClientSession, allowed: Allowed, seconds: float) -> None:
        self._session = session
        self._allowed = allowed
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=min(CONNECT_SECONDS, seconds))

    @classmethod
    @asynccontextmanager
    async def open(
        cls, allowed: Allowed, *, seconds: float = 15.0, lookup: Lookup | None = None, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Self]:
        """Send to what is public or *allowed*.

        Args:
            lookup: How names are looked up; the system's way by default.
            tls: Which certificates are believed; the system's by default.
        """
        traces = aiohttp.TraceConfig()
        traces.on_connection_reuseconn.append(_note_reuse)
        with ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="lookup") as threads:
            connector = aiohttp.TCPConnector(
                resolver=_Resolver(allowed, lookup or _system(threads)),
                use_dns_cache=False,
                limit=0,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                ssl=tls or ssl.create_default_context(),
            )
            async with aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[traces],
                headers={"User-Agent": AGENT, "Accept-Encoding": "identity", "Accept": "*/*"},
            ) as session:
                yield cls(session, allowed, seconds)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send *body* and give what became of it, whatever that is."""
        began = time.monotonic()
        host = urlsplit(url).hostname or ""
        address = literal(host)
        if address is not None and not self._allowed.host(host) and not self._allowed.address(address):
            return Answer(None, "address-refused", 0)
        for attempt in (1, 2):
            used = SimpleNamespace(again=False)
            try:
                return await self._post(url, headers, body, began, used)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A kept connection that the other side closed meanwhile says nothing of the endpoint: once more on a fresh one.
                if attempt == 2 or not used.again or isinstance(error, aiohttp.ClientConnectorError):
                    return Answer(None, _code(error), _since(began))
            except (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError, ValueError) as error:
                return Answer(None, _code(error), _since(began))
        raise AssertionError("unreachable")

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, began: float, used: SimpleNamespace) -> Answer:
        async with self._session.post(
            url, data=body, headers=dict(headers), allow_redirects=False, timeout=self._timeout, trace_request_ctx=used
        ) as response:
            latency = _since(began)
            text = await _beginning(response)
        return Answer(response.status, _judged(response.status), latency, text, response.headers.get("Retry-After"))


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Read the first of the body; a body that is longer or slower costs its connection."""
    read = b""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(read) < ANSWER_BYTES and (part := await response.content.read(ANSWER_BYTES - len(read))):
                read += part
            if not response.content.at_eof():
                response.close()
    except (aiohttp.ClientError, OSError, TimeoutError):
        response.close()
    return read[:ANSWER_SHOWN].decode(errors="replace").replace("\x00", "�")


def _judged(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return "redirect" if 300 <= status < 400 else "status"


def _code(error: BaseException) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "address-refused" if isinstance(error.os_error, _Refused) else "dns"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return "tls"
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorError():
            return "connect"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "reset"
        case aiohttp.InvalidURL():
            return "url"
    return "protocol"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


async def _note_reuse(session: Any, context: Any, params: Any) -> None:
    context.trace_request_ctx.again = True


def _system(threads: ThreadPoolExecutor) -> Lookup:
    """Look names up as the system does; not in the loop's own few threads, which one dead name server would fill."""

    def find(host: str, port: int) -> list[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def lookup(host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(threads, find, host, port)

    return lookup

"""A real receiver of webhooks, on a port of its own, that does to its callers what receivers do."""

import asyncio
import base64
import datetime
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    connection: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """What it says, if the standard's own library finds it signed with *secret*."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """What came, by path; *answers* says what a path answers: a status, headers and a body, or one of the accidents."""

    url: str
    received: list[Received] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    connections: int = 0
    now: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)

    def at(self, path: str) -> list[Received]:
        return [one for one in self.received if one.path == path]

    def ids(self, path: str) -> list[str]:
        return [one.id for one in self.at(path)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while await self._one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the other side may go as it likes
        finally:
            writer.transport.abort()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.received.append(Received(path, headers, body, asyncio.get_running_loop().time(), number))
        answer = self.answers.get(path, 204)
        answer = answer(self.received[-1]) if callable(answer) else answer
        self.now[path] = self.now.get(path, 0) + 1
        self.most[path] = max(self.most.get(path, 0), self.now[path])
        try:
            return await self._answer(writer, answer)
        finally:
            self.now[path] -= 1

    async def _answer(self, writer: asyncio.StreamWriter, answer: Any) -> bool:
        status, more, text = answer if isinstance(answer, tuple) else (answer, "", "")
        match status:
            case "hang":
                await asyncio.sleep(60)
            case "reset":
                writer.transport.abort()
                return False
            case "garbage":
                writer.write(b"\x00\x01 this is not HTTP\r\n\r\n")
                return False
            case "drip":
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 200:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.2)
            case "flood":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
                while True:
                    writer.write(b"x" * 65_536)
                    await writer.drain()
            case float():
                await asyncio.sleep(status)
                status = 204
            case asyncio.Event():
                await status.wait()
                status = 200
        if isinstance(status, int):
            writer.write(f"HTTP/1.1 {status} Status\r\nContent-Length: {len(text)}\r\n{more}\r\n{text}".encode())
            await writer.drain()
            return True
        return False


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """It listens inside."""
    receiver = Receiver("")
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(asyncio.CancelledError):
            await receiver.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def certificate(host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Give a server's context with a certificate for *host*, and a client's that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cadata=pem.decode())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cert.pem"
        file.write_bytes(pem + private)
        server.load_cert_chain(file)
    return server, client


Answers = Callable[[Received], Any]
KEY = base64.b64encode(bytes(range(32))).decode()

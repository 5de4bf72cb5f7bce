"""Bytes that are no request, or two, at the public port: an answer in time, never a 5xx of a fault, never somebody else's answer."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from clarin.client import Client
from clarin.testing import System

pytestmark = pytest.mark.timeout(60)

#: Longer than the gateway gives a head (10 s), and what nobody may hang for.
HANGING = 15.0
#: What is said on purpose: a method or a version that is not spoken. A 503 would be a service that fell over.
MEANT = {501, 505}
KIB = 1024


@dataclass(frozen=True)
class Answers:
    """What came back until the server closed, or until it had answered all that it understood."""

    raw: bytes

    @property
    def statuses(self) -> list[int]:
        return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", self.raw)]


async def exchange(system: System, data: bytes) -> Answers:
    """Send *data* and then nothing more: whatever is whole is answered, and the server closes.

    Raises: TimeoutError: It hangs.
    """
    parts = urlsplit(system.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    raw = b""
    try:
        with suppress(ConnectionError):
            writer.write(data)
            async with asyncio.timeout(HANGING):
                await writer.drain()
                writer.write_eof()
                while piece := await reader.read(65_536):
                    raw += piece
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return Answers(raw)


@pytest.fixture
async def token(system: System, owner: Client) -> str:
    assert owner.token
    return owner.token


@pytest.fixture
async def serves(system: System, owner: Client) -> AsyncIterator[None]:
    """After the attack the port serves as before, and nothing was made."""
    yield
    async with asyncio.timeout(HANGING):
        assert (await owner.get("/api/devices"))["items"] == []
        async with Client(system.url) as client:
            assert (await client.raw("GET", "/api/meta"))[0] == 200


def head(*lines: str, target: str = "/api/devices", method: str = "POST", token: str = "") -> bytes:
    bearer = [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: clarin", *bearer, *lines, "", ""]).encode("latin-1")


BODY = b'{"name":"smuggled"}'
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
AS_JSON = "Content-Type: application/json"


def smuggled(token: str) -> bytes:
    """A whole request that would make a device: if it is ever read as one, `serves` sees it."""
    return head(LENGTH, AS_JSON, token=token) + BODY


def single(token: str) -> dict[str, bytes]:
    """Heads that look like that and have one reading all the same."""
    inner = smuggled(token)
    return {
        "an underscore": head("Content_Length: 5", "Transfer_Encoding: chunked", token=token),
        "by Connection": head(f"Content-Length: {len(inner)}", "Connection: content-length, keep-alive", token=token) + inner,
        "Expect": head(f"Content-Length: {len(inner)}", "Expect: 100-continue", token=token) + inner,
        "Upgrade": head(f"Content-Length: {len(inner)}", "Connection: Upgrade", "Upgrade: websocket", token=token) + inner,
        "GET with a body": head(f"Content-Length: {len(inner)}", method="GET", target="/api/chats", token=token) + inner,
        "GET with chunks": head(CHUNKED, method="GET", target="/api/chats", token=token) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner),
        "HEAD": head(f"Content-Length: {len(inner)}", method="HEAD", target="/api/meta") + inner,
        "DELETE with a body": head(f"Content-Length: {len(inner)}", method="DELETE", target="/api/chats", token=token) + inner,
        "OPTIONS with a body": head(f"Content-Length: {len(inner)}", method="OPTIONS", token=token) + inner,
        "an extension and a trailer": head(CHUNKED, AS_JSON, token=token) + b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n",
    }


def both(token: str) -> dict[str, bytes]:
    """Heads whose end of body two programs see in two places, each with a request hidden behind."""
    inner = smuggled(token)
    chunk = b"%x\r\n" % len(inner)
    whole = chunk + inner + b"\r\n0\r\n\r\n"

    def made(*lines: str, body: bytes = b"0\r\n\r\n") -> bytes:
        return head(AS_JSON, *lines, token=token) + body + inner

    return {
        "length then chunked": made("Content-Length: 5", CHUNKED),
        "chunked then length": made(CHUNKED, "Content-Length: 5"),
        "length that covers it, and chunked": made(f"Content-Length: {len(inner) + 5}", CHUNKED),
        "two lengths": made("Content-Length: 0", f"Content-Length: {len(inner)}", body=b""),
        "two lengths, turned": made(f"Content-Length: {len(inner)}", "Content-Length: 0", body=b""),
        "the same twice": made("Content-Length: 2", "Content-Length: 2", body=b"{}"),
        "a list": made("Content-Length: 0, 0", body=b""),
        "plus": made("Content-Length: +0", body=b""),
        "minus": made("Content-Length: -1", body=b""),
        "hex": made("Content-Length: 0x0", body=b""),
        "a space in it": made("Content-Length: 1 0", body=b""),
        "empty": made("Content-Length:", body=b""),
        "a fraction": made("Content-Length: 0.0", body=b""),
        "more digits than memory": made(f"Content-Length: {'9' * 40}", body=b""),
        "tab before the colon": made("Content-Length\t: 0", body=b""),
        "space before the colon": made("Transfer-Encoding : chunked"),
        "vertical tab": made("Transfer-Encoding: \x0bchunked"),
        "not quite chunked": made("Transfer-Encoding: xchunked"),
        "chunked, with more": made("Transfer-Encoding: chunked, identity"),
        "identity, chunked": made("Transfer-Encoding: identity, chunked"),
        "quoted": made('Transfer-Encoding: "chunked"'),
        "twice": made(CHUNKED, CHUNKED),
        "twice, one of them broken": made(CHUNKED, "Transfer-Encoding: cow"),
        "a comma": made("Transfer-Encoding: chunked,"),
        "folded": made("Transfer-Encoding:\r\n chunked"),
        "folded length": made("X: y\r\n Content-Length: 5", body=b""),
        "a line feed alone": head(AS_JSON, token=token)[:-2] + b"X: y\nContent-Length: 5\r\n\r\n" + inner,
        "a carriage return alone": made("X: y\rContent-Length: 5", body=b""),
        "HEAD with chunks": head(CHUNKED, method="HEAD", target="/api/meta") + whole,
        "chunked over 1.0": head(CHUNKED, token=token).replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n" + inner,
    }


def chunks(token: str) -> dict[str, bytes]:
    """Chunked bodies that are not."""
    inner = smuggled(token)
    start = head(CHUNKED, AS_JSON, token=token)
    return {
        name: start + body
        for name, body in {
            "no number": b"zz\r\n" + inner,
            "minus": b"-1\r\n" + inner,
            "plus": b"+0\r\n\r\n" + inner,
            "0x": b"0x0\r\n\r\n" + inner,
            "a space before": b" 0\r\n\r\n" + inner,
            "empty": b"\r\n\r\n" + inner,
            "more than 64 bits": b"10000000000000000\r\n" + inner,
            "wraps to zero": b"FFFFFFFFFFFFFFFFF0\r\n" + inner,
            "all of 64 bits": b"ffffffffffffffff\r\n" + inner,
            "shorter than the data": b"1\r\nabcdef\r\n0\r\n\r\n" + inner,
            "no end of line": b"2\r\n{}XX0\r\n\r\n" + inner,
            "a line feed in an extension": b"2;a=\nb\r\n{}\r\n0\r\n\r\n" + inner,
            "a carriage return in an extension": b"2;a=\rb\r\n{}\r\n0\r\n\r\n" + inner,
            "an extension without end": b"2;" + b"a" * 64 * KIB,
            "extensions on every chunk": b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n[\r\n" * 4_000,
            "trailers": b"0\r\nContent-Length: 5\r\nAuthorization: Bearer x\r\nHost: b\r\n\r\n",
            "trailers without end": b"0\r\n" + b"X: y\r\n" * 20_000,
            "a folded trailer": b"0\r\nX: y\r\n z\r\n\r\n" + inner,
            "a NUL in the size": b"2\x00\r\n{}\r\n0\r\n\r\n" + inner,
            "a line feed alone": b"2\n{}\n0\n\n" + inner,
            "a number without end": b"0" * 64 * KIB,
        }.items()
    }


PATHS = [
    "/api/../metrics",
    "/api/%2e%2e/metrics",
    "/api/%2E%2e/health/ready",
    "/api/.%2e/metrics",
    "//api/devices",
    "///api///devices",
    "/api//devices",
    "/api/devices/..",
    "/api/devices%2f..",
    "/api/devices/..%2f..%2fmetrics",
    "/api/devices%2F..%2Fchats",
    "/api/devices/%252e%252e/chats",
    "/api\\devices",
    "/api/..\\..\\metrics",
    "/api%5cdevices",
    "/api/devices\x00",
    "/api/devices%00",
    "/api/devices%00.json",
    "/api/%c0%ae%c0%ae/metrics",
    "/api/%e0%80%af",
    "/api/%ff%fe",
    "/api/%u002e%u002e/metrics",
    "/api/devices;/../metrics",
    "/api/devices;a=b",
    "/api/auth/login/../../devices",
    "/api/auth/login/..;/devices",
    "/.well-known/../api/devices",
    "/api/devices/%",
    "/api/devices/%zz",
    "/api/devices/%0d%0aX-Injected:%20yes",
    "/api/devices#x",
    "/api/devices?#x",
    "/API/devices",
    "/api/Devices",
    "/api/devices/",
    "/api/devices/.",
    "/./api/devices",
    "/..",
    "/../../../../etc/passwd",
    "/assets/../../../../etc/passwd",
    "/assets/%2e%2e/%2e%2e/pyproject.toml",
    "/assets/..%5c..%5cpyproject.toml",
    "/index.html/..",
    "/~root",
    "/.git/config",
    "/.env",
    "/" + "a" * 8_000,
    "/api/" + "../" * 2_000,
    "/api/devices/" + "%2e" * 2_000,
    "/api/devices?" + "a=b&" * 1_900,
    "*",
    "api/devices",
    "",
    "http://clarin/api/devices",
    "http://evil.example/api/devices",
    "https://clarin/api/devices",
    "http://clarin@evil.example/api/devices",
    "http://clarin:99999/api/devices",
    "http://127.0.0.1:1/metrics",
    "http://",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "evil.example:443",
]

#: Which of them mean what they seem to mean: the owner's own list of devices, asked for in another way.
PLAIN = {"http://clarin/api/devices", "https://clarin/api/devices", "/api/devices?" + "a=b&" * 1_900}

LONG = {
    "a target of 9 KiB": head(target="/api/meta?" + "x" * 9 * KIB, method="GET"),
    "a target of 1 MiB": head(target="/api/meta?" + "x" * KIB * KIB, method="GET"),
    "a method of 64 KiB": b"A" * 64 * KIB + b" / HTTP/1.1\r\nHost: clarin\r\n\r\n",
    "a version of 64 KiB": b"GET / HTTP/" + b"1" * 64 * KIB + b"\r\nHost: clarin\r\n\r\n",
    "a header of 40 KiB": head("X: " + "x" * 40 * KIB, method="GET", target="/api/meta"),
    "a header's name of 40 KiB": head("x" * 40 * KIB + ": y", method="GET", target="/api/meta"),
    "a thousand headers": head(*(f"X-{n}: y" for n in range(1_000)), method="GET", target="/api/meta"),
    "a header a hundred thousand times": head(*["Cookie: a=b"] * 100_000, method="GET", target="/api/meta"),
    "a cookie of 20 KiB": head("Cookie: clarin_access=" + "x" * 20 * KIB, method="GET", target="/api/devices"),
    "ten thousand cookies": head("Cookie: " + "; ".join(f"a{n}=b" for n in range(3_000)), method="GET", target="/api/devices"),
    "a token of 20 KiB": head(target="/api/devices", method="GET", token="x" * 20 * KIB),
    "a line without end": b"GET /" + b"a" * 2 * KIB * KIB,
    "headers without end": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200_000,
    "empty lines": b"\r\n" * 100_000,
    "line feeds": b"\n" * 100_000,
    "NULs": b"\x00" * 100_000,
    "a body of 2 MiB": head(f"Content-Length: {2 * KIB * KIB}", AS_JSON) + b"x" * 2 * KIB * KIB,
    "a megabyte of brackets": head(f"Content-Length: {KIB * KIB}", AS_JSON, target="/api/auth/login") + b"[" * KIB * KIB,
}

INJECTED = [
    "X-Request-Id: a\r\nX-Injected: yes",
    "X-Request-Id: a%0d%0aX-Injected:%20yes",
    "X-Request-Id: " + "a" * 5_000,
    "X-Request-Id: ../../etc",
    "X-Request-Id: \x7f\x80\xff",
    'X-Request-Id: {"level":"error"}',
    "X-Request-Id: \x1b[31mred",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-For: ' or 1=1 --",
    "X-Forwarded-For: " + "1.2.3.4, " * 500,
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: javascript",
    "X-Real-Ip: ::1",
    "X-Real-Ip: not-an-address",
    "Forwarded: for=127.0.0.1;host=evil.example",
    "Via: 1.1 evil",
    "X-Original-Url: /metrics",
    "X-Rewrite-Url: /metrics",
    "X-Http-Method-Override: DELETE",
    "X-Accel-Redirect: /metrics",
    "Proxy: http://127.0.0.1:1",
    "Connection: authorization, host, x-request-id",
    "Connection: close, x-forwarded-for, cookie",
    "Te: trailers, chunked",
    "Range: bytes=0-,1-,2-,3-" + ",4-" * 500,
    "Accept-Encoding: " + ", ".join(f"x{n};q=0.{n}" for n in range(500)),
    "Traceparent: 00-" + "f" * 9_000,
    "Origin: null\x00",
    "Origin: https://evil.example",
    "Authorization: Basic Og==",
    "Authorization: Bearer",
    "Authorization: Bearer \x00",
    "Authorization: bearer  \t ",
    "Cookie: clarin_access=\x01; ;;;==;",
    "Cookie: =; clarin_access",
    'If-None-Match: "' + "x" * 4_000,
    "Content-Type: application/json; charset=utf-7",
    "Content-Encoding: gzip",
    "Accept: " + "*/*;q=0.1," * 800,
    "Idempotency-Key: \x00",
]

HOSTS = [
    "",
    "Host:",
    "Host: evil.example",
    "Host: clarin\r\nHost: evil.example",
    "Host: clarin, evil.example",
    "Host: clarin:99999999",
    "Host: clarin:port",
    "Host: clarin@evil.example",
    "Host: clarin/../metrics",
    "Host: [::1",
    "Host: clarin\x00",
    "Host : clarin",
    " Host: clarin",
]

PROTOCOLS = {
    "0.9": b"GET /api/meta\r\n",
    "0.9 with an end": b"GET /api/meta\r\n\r\n",
    "1.2": b"GET /api/meta HTTP/1.2\r\nHost: clarin\r\n\r\n",
    "2.0": b"GET /api/meta HTTP/2.0\r\nHost: clarin\r\n\r\n",
    "the preface of 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5),
    "h2c": head(
        "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", method="GET", target="/api/meta"
    ),
    "h2c to the socket": head("Connection: Upgrade", "Upgrade: h2c", method="GET", target="/ws"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "SSH": b"SSH-2.0-OpenSSH_9.0\r\n",
    "redis": b"*1\r\n$8\r\nFLUSHALL\r\n",
    "redis in a request": b"POST / HTTP/1.1\r\nHost: clarin\r\nContent-Length: 40\r\n\r\nFLUSHALL\r\nCONFIG SET dir /tmp\r\nQUIT\r\n\r\n",
    "the PROXY protocol": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + head(method="GET", target="/api/meta"),
    "CONNECT": b"CONNECT 127.0.0.1:5432 HTTP/1.1\r\nHost: 127.0.0.1:5432\r\n\r\n",
    "TRACE": b"TRACE /api/meta HTTP/1.1\r\nHost: clarin\r\nX: y\r\n\r\n",
    "DEBUG": b"DEBUG /api/meta HTTP/1.1\r\nHost: clarin\r\n\r\n",
    "a lower-case method": b"get /api/meta HTTP/1.1\r\nHost: clarin\r\n\r\n",
    "no method": b" /api/meta HTTP/1.1\r\nHost: clarin\r\n\r\n",
    "tabs": b"GET\t/api/meta\tHTTP/1.1\r\nHost: clarin\r\n\r\n",
    "two spaces": b"GET  /api/meta  HTTP/1.1\r\nHost: clarin\r\n\r\n",
    "http in lower case": b"GET /api/meta http/1.1\r\nHost: clarin\r\n\r\n",
    "half a line": b"GET /api/me",
    "half a head": b"GET /api/meta HTTP/1.1\r\nHost: cla",
    "half a body": head("Content-Length: 100", AS_JSON, target="/api/auth/login") + b"{",
    "nothing": b"",
    "noise": secrets.token_bytes(4_000),
    "emoji": "🐈 /api/meta HTTP/1.1\r\nHost: clarin\r\n\r\n".encode(),
}

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
SOCKETS = {
    "no key": (UPGRADE, "GET"),
    "a short key": ((*UPGRADE, "Sec-WebSocket-Key: x"), "GET"),
    "two keys": ((*UPGRADE, KEY, KEY), "GET"),
    "no version": ((*UPGRADE[:2], KEY), "GET"),
    "an old version": ((*UPGRADE[:2], "Sec-WebSocket-Version: 8", KEY), "GET"),
    "by POST": ((*UPGRADE, KEY), "POST"),
    "with a body": ((*UPGRADE, KEY, "Content-Length: 5"), "GET"),
    "with chunks": ((*UPGRADE, KEY, CHUNKED), "GET"),
    "no Connection": ((*UPGRADE[1:], KEY), "GET"),
    "no Upgrade": ((UPGRADE[0], UPGRADE[2], KEY), "GET"),
    "endless extensions": ((*UPGRADE, KEY, "Sec-WebSocket-Extensions: " + "permessage-deflate; x=y, " * 800), "GET"),
    "a protocol with a line in it": ((*UPGRADE, KEY, "Sec-WebSocket-Protocol: a\tb"), "GET"),
    "without a token": ((*UPGRADE, KEY), "GET"),
}


def whole(answers: Answers, name: object) -> None:
    """Every answer is meant: none is a fault, each problem is one, and nothing that was sent stands in a header of ours."""
    for status in answers.statuses:
        assert status < 500 or status in MEANT, (name, answers.raw[:300])
    for block in re.split(rb"(?=HTTP/1\.1 \d{3} )", answers.raw):
        top, _, _ = block.partition(b"\r\n\r\n")
        assert not re.search(rb"(?im)^x-injected", top), (name, top)
    for secret in (b"clarin_http_request_seconds", b"root:x:0:0", b"[tool.", b"Traceback"):
        assert secret not in answers.raw, name


async def attack(system: System, name: object, data: bytes) -> Answers:
    try:
        answers = await exchange(system, data)
    except TimeoutError:
        pytest.fail(f"{name} hangs")
    whole(answers, name)
    return answers


@pytest.mark.usefixtures("serves")
async def test_a_request_with_two_ends_hides_no_second_one(system: System, token: str):
    for name, data in both(token).items():
        answers = await attack(system, name, data)
        assert 201 not in answers.statuses[:1], name
        assert len(answers.statuses) <= 2, (name, answers.raw)


@pytest.mark.usefixtures("serves")
async def test_a_strange_head_of_one_reading_is_read_in_that_one(system: System, token: str):
    """The body stays a body, here and at the service behind: the request after it is the next one that is answered."""
    for name, data in single(token).items():
        after = head("X-Request-Id: the-next", "Connection: close", method="GET", target="/api/meta")
        answers = await attack(system, name, data + after)
        told = [status for status in answers.statuses if status != 100]
        assert len(told) == 2, (name, answers.raw)
        assert told[1] == 200, (name, answers.raw)
        assert answers.raw.count(b'"name":"clarin"') == 1, name
        assert b"x-request-id: the-next" in answers.raw, name


@pytest.mark.usefixtures("serves")
async def test_a_body_of_broken_chunks_hides_no_request(system: System, token: str):
    for name, data in chunks(token).items():
        answers = await attack(system, name, data)
        assert not set(answers.statuses) & {200, 201}, (name, answers.raw)


@pytest.mark.usefixtures("serves")
async def test_a_strange_path_leads_to_nothing_but_a_problem_or_the_panel(system: System, token: str):
    async with Client(system.url) as client:
        _, _, panel = await client.raw("GET", "/")
    for path in PATHS:
        for bearer in ("", token):
            data = head("Connection: close", method="GET", target=path, token=bearer)
            answers = await attack(system, path, data)
            body = answers.raw.partition(b"\r\n\r\n")[2]
            if path in PLAIN:
                assert answers.statuses == [200 if bearer else 401], (path, answers.raw)
            elif answers.statuses == [200]:
                assert body.startswith(panel[:64]), (path, answers.raw[:400])
            else:
                assert answers.statuses, path
                assert 400 <= answers.statuses[0] < 500, (path, answers.raw[:400])


@pytest.mark.usefixtures("serves")
async def test_what_is_too_long_is_refused(system: System):
    for name, data in LONG.items():
        answers = await attack(system, name, data)
        assert not [status for status in answers.statuses if status < 400], (name, answers.raw[:300])


@pytest.mark.usefixtures("serves")
async def test_a_header_says_nothing_that_only_a_proxy_may_say_and_adds_none(system: System, token: str):
    for line in INJECTED:
        for target in ("/api/meta", "/api/devices"):
            bearer = "" if line.startswith("Authorization") else token
            close = "X: y" if line.startswith("Connection") else "Connection: close"
            answers = await attack(system, line[:80], head(line, close, method="GET", target=target, token=bearer))
            for status in answers.statuses:
                assert status in {200, 400, 401, 403, 404, 422, 431}, (line[:80], answers.raw[:300])


@pytest.mark.usefixtures("serves")
async def test_what_a_proxy_would_say_is_not_believed(system: System, token: str):
    """Nor does it stand in the session that the owner is shown."""
    lines = (
        "X-Forwarded-For: 6.6.6.6",
        "X-Real-Ip: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        AS_JSON,
        "Connection: close",
    )
    password = "una-clave-bastante-larga-4821"
    email = f"proxy-{secrets.token_hex(6)}@example.com"
    body = json.dumps({"email": email, "password": password, "name": "Ana", "account": "Café", "session": "cookie"}).encode()
    answers = await attack(system, "register", head(*lines, f"Content-Length: {len(body)}", target="/api/auth/register") + body)
    assert answers.statuses == [201]
    assert b"evil.example" not in answers.raw
    assert b"ecure" not in answers.raw.partition(b"\r\n\r\n")[0].lower().replace(b"strict-transport-security", b""), (
        "it did not come by https"
    )
    async with Client(system.url) as client:
        await client.login(email, password)
        assert {session["address"] for session in (await client.get("/api/auth/sessions"))["items"]} == {"127.0.0.1"}


@pytest.mark.usefixtures("serves")
async def test_a_host_that_is_none_or_two_is_refused(system: System):
    for line in HOSTS:
        start = "GET /api/meta HTTP/1.1\r\n" + (f"{line}\r\n" if line else "") + "Connection: close\r\n\r\n"
        answers = await attack(system, line[:40], start.encode("latin-1"))
        assert b"evil.example" not in answers.raw, line[:40]
        if line != "Host: evil.example":
            assert answers.statuses[0] in {400, 431}, (line[:40], answers.raw[:300])


@pytest.mark.usefixtures("serves")
async def test_what_is_another_protocol_gets_an_answer_or_the_end(system: System):
    for name, data in PROTOCOLS.items():
        answers = await attack(system, name, data)
        assert 101 not in answers.statuses, name


@pytest.mark.usefixtures("serves")
async def test_a_handshake_that_is_none_opens_no_socket(system: System, token: str):
    for name, (lines, method) in SOCKETS.items():
        target = "/ws" if name == "without a token" else f"/ws?token={token}"
        frames = b"\x81\x85\x00\x00\x00\x00hello" + secrets.token_bytes(500)
        answers = await attack(system, name, head(*lines, method=method, target=target) + frames)
        assert 101 not in answers.statuses, (name, answers.raw[:300])
        assert b"hello" not in answers.raw, name


@pytest.mark.usefixtures("serves")
async def test_garbage_after_a_handshake_ends_the_socket(system: System, token: str):
    for name, frames in {
        "noise": secrets.token_bytes(2_000),
        "unmasked": b"\x81\x05hello",
        "reserved bits": b"\xf1\x80\x00\x00\x00\x00",
        "an unknown opcode": b"\x8f\x80\x00\x00\x00\x00",
        "a frame of 2**63 bytes": b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
        "a ping of 1 KiB": b"\x89\xfe\x04\x00\x00\x00\x00\x00" + b"x" * KIB,
        "a continuation of nothing": b"\x80\x80\x00\x00\x00\x00",
        "text that is no UTF-8": b"\x81\x82\x00\x00\x00\x00\xff\xfe",
        "another request": head(method="GET", target="/api/devices", token=token),
    }.items():
        answers = await attack(system, name, head(*UPGRADE, KEY, method="GET", target=f"/ws?token={token}") + frames)
        assert answers.statuses[0] == 101, name
        assert len(answers.statuses) == 1, (name, answers.raw)


@pytest.mark.usefixtures("serves")
async def test_answers_do_not_cross_between_connections(system: System, token: str):
    """Attacks and honest readers at once: each reader gets its own answer, whole."""
    attacks = [*both(token).values(), *chunks(token).values()]

    async def honest(n: int) -> None:
        data = head("Connection: close", f"X-Request-Id: reader-{n}", method="GET", target="/api/meta")
        answers = await exchange(system, data)
        top, _, body = answers.raw.partition(b"\r\n\r\n")
        assert answers.statuses == [200]
        assert f"x-request-id: reader-{n}\r\n".encode() in top + b"\r\n"
        assert json.loads(body)["name"] == "clarin"

    await asyncio.gather(*(honest(n) for n in range(40)), *(exchange(system, data) for data in attacks))

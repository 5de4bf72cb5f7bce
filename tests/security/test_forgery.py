"""Tokens, sessions and passwords in the hands of somebody who should not have them."""

import asyncio
import base64
import hmac
import json
import secrets
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any, Self

import aiohttp
import jwt
import pytest
from clarin import processes
from clarin.client import Client, Refused, Socket, eventually
from clarin.processes import Addresses
from clarin.testing import System
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from servicekit.embedded import free_port

from .world import PASSWORD, Signer, base64url, folder, running, segment

pytestmark = pytest.mark.timeout(120)

READS = ("/api/auth/me", "/api/devices", "/api/chats")
#: What is promised: a token that was revoked is dead by then.
REVOKED_WITHIN = 5.0
#: The order of the curve (RFC 8032): a signature with it added is another text for the same proof, and must be none.
ORDER = 2**252 + 27742317777372353535851937790883648493


async def statuses(system: System, token: str, paths: tuple[str, ...] = READS) -> set[int]:
    async with Client(system.url, token) as client:
        return {(await client.raw("GET", path))[0] for path in paths}


async def refused(client: Client, method: str, path: str, body: object = None) -> Refused:
    with pytest.raises(Refused) as caught:
        await client.ask(method, path, body)
    return caught.value


def written(header: object, claims: object, signature: str) -> str:
    return f"{segment(header)}.{segment(claims)}.{signature}"


def forged(token: str, signer: Signer) -> Iterator[tuple[str, str]]:
    """Tokens that look like *token* and were not made by the installation."""
    claims = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    head, middle, signature = token.split(".")
    public = signer.key.public_key()
    mine = Ed25519PrivateKey.generate()
    raw, pem = public.public_bytes(Encoding.Raw, PublicFormat.Raw), public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    for alg in ("none", "None", "NONE", "nOnE", ""):
        yield f"alg {alg!r}", written({**header, "alg": alg}, claims, "")
        yield f"alg {alg!r} with the signature", written({**header, "alg": alg}, claims, signature)
    for name, secret in (("the raw public key", raw), ("the public key's PEM", pem), ("its base64", base64.urlsafe_b64encode(raw))):
        yield f"HS256 by {name}", hmac_signed({**header, "alg": "HS256"}, claims, secret)
    yield "another key", jwt.encode(claims, mine, algorithm="EdDSA", headers=header)
    embedded = {"kty": "OKP", "crv": "Ed25519", "x": base64url(mine.public_key().public_bytes_raw())}
    for name, more in (
        ("its own key in the header", {"jwk": embedded}),
        ("an address of keys", {"jku": "http://127.0.0.1:1/jwks.json"}),
        ("an address of a certificate", {"x5u": "http://127.0.0.1:1/cert.pem"}),
        ("no kid", {"kid": None}),
    ):
        made = jwt.encode(claims, mine, algorithm="EdDSA", headers={**header, **{k: v for k, v in more.items() if v is not None}})
        yield name, made if more.get("kid", "") is not None else jwt.encode(claims, mine, algorithm="EdDSA")
    for kid in (
        "../../../../etc/passwd",
        "/dev/null",
        "' or '1'='1",
        "x'; drop table auth.signing_keys; --",
        "http://127.0.0.1:1/",
        "$KV.keys.>",
        "*",
        "",
        "\u0000",
        "k" * 3_000,
        f"{header['kid']}\u0000",
        f"{header['kid']} ",
        7,
        True,
        None,
        [header["kid"]],
        {"kid": header["kid"]},
    ):
        unsigned = f"{segment({**header, 'kid': kid})}.{middle}"
        by_me = base64url(mine.sign(unsigned.encode()))
        yield f"kid {str(kid)[:40]!r}", f"{unsigned}.{by_me}"
    for name, change in (
        ("another tenant", {"tenant": "018f0000-0000-7000-8000-000000000000"}),
        ("another role", {"role": "owner"}),
        ("a key", {"kind": "key", "scopes": ["read", "send", "control", "settings"]}),
        ("another user", {"sub": "018f0000-0000-7000-8000-000000000000"}),
        ("the installation's owner", {"ins": True}),
        ("a later version", {"ver": 1_000_000}),
        ("a longer life", {"exp": claims["exp"] + 86_400}),
    ):
        yield f"edited to {name}, unsigned", f"{head}.{segment({**claims, **change, '-': 1})}.{signature}"
    number = int.from_bytes(base64.urlsafe_b64decode(signature + "==")[32:], "little") + ORDER
    shifted = base64.urlsafe_b64decode(signature + "==")[:32] + number.to_bytes(32, "little")
    yield "a signature of another text", f"{head}.{middle}.{base64url(shifted)}"
    yield "no signature", f"{head}.{middle}."
    yield "no last part", f"{head}.{middle}"
    yield "five parts", f"{token}.x.y"
    yield "half a signature", token[:-40]
    yield "a signature of zeros", f"{head}.{middle}.{'A' * 86}"
    yield "nothing", "."
    yield "not a token", "null"


def hmac_signed(header: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes) -> str:
    unsigned = f"{segment(header)}.{segment(claims)}"
    return f"{unsigned}.{base64url(hmac.digest(secret, unsigned.encode(), 'sha256'))}"


async def test_a_token_that_was_not_made_here_opens_nothing(system: System, owner: Client):
    signer = await Signer.of(system)
    assert owner.token
    assert await statuses(system, owner.token) == {200}
    for name, token in forged(owner.token, signer):
        assert await statuses(system, token) == {401}, name
    assert await statuses(system, owner.token) == {200}


async def test_a_token_that_was_made_for_something_else_opens_nothing(system: System, owner: Client):
    """The right key and the wrong claims: what another use of the same key could have signed."""
    signer = await Signer.of(system)
    assert owner.token
    now = int(time.time())
    assert await statuses(system, signer.again(owner.token)) == {200}, "the right key with the right claims"
    wrong: list[dict[str, Any]] = [
        {"iss": "clarin2"},
        {"iss": None},
        {"iss": ["clarin"]},
        {"aud": "webhooks"},
        {"aud": ["clarin2", "other"]},
        {"aud": None},
        {"exp": now - 60, "iat": now - 660},
        {"exp": "never"},
        {"exp": None},
        {"nbf": now + 3_600},
        {"iat": now + 3_600},
        {"sub": None},
        {"sub": 7},
        {"sub": "ana"},
        {"tenant": None},
        {"tenant": "*"},
        {"tenant": "' or '1'='1"},
        {"tenant": ["018f0000-0000-7000-8000-000000000000"]},
        {"role": "root"},
        {"role": None},
        {"role": ["owner"]},
        {"kind": "system"},
        {"scopes": "read send"},
        {"ver": "9"},
        {"ver": 1.5},
        {"ses": {"id": 1}},
    ]
    for change in wrong:
        assert await statuses(system, signer.again(owner.token, **change)) == {401}, change


async def test_a_socket_opens_for_a_good_token_alone_and_once_for_a_ticket(system: System, owner: Client):
    signer = await Signer.of(system)
    assert owner.token
    stranger = Signer(Ed25519PrivateKey.generate(), signer.kid)
    async with aiohttp.ClientSession() as http:

        async def opens(**params: str) -> bool:
            try:
                async with http.ws_connect(f"{system.url}/ws", params=params) as wire:
                    return bool((await wire.receive_json(timeout=10))["event"] == "hello")
            except (aiohttp.WSServerHandshakeError, TypeError):  # refused before or, with a close frame, after the upgrade
                return False

        assert await opens(token=owner.token)
        for token in ("", "x", signer.expired(owner.token), stranger.again(owner.token), f"{owner.token.rpartition('.')[0]}.{'A' * 86}"):
            assert not await opens(token=token)
        ticket = (await owner.post("/api/auth/ticket"))["ticket"]
        assert await opens(ticket=ticket)
        assert not await opens(ticket=ticket)
        for made_up in ("", "x", "*", f"{ticket}x", secrets.token_urlsafe(32), "../ticket", "\u0000"):
            assert not await opens(ticket=made_up)


async def an_agent(system: System, owner: Client, role: str = "agent") -> tuple[str, dict[str, Any]]:
    email = f"{role}-{secrets.token_hex(6)}@example.com"
    return email, await owner.post("/api/auth/users", {"email": email, "name": "Beto", "role": role, "password": PASSWORD}, key=email)


async def test_a_disabled_user_is_out_within_five_seconds(system: System, owner: Client):
    email, user = await an_agent(system, owner)
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(Client(system.url))
        await agent.login(email, PASSWORD)
        socket = await stack.enter_async_context(agent.socket())
        ticket = (await agent.post("/api/auth/ticket"))["ticket"]
        began = time.monotonic()
        await owner.ask("PATCH", f"/api/auth/users/{user['id']}", {"active": False})
        assert agent.token

        async def out() -> bool:
            return await statuses(system, agent.token or "") == {401}

        await eventually(out, REVOKED_WITHIN, "the token still opens something", every=0.05)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(until_closed(socket), max(0.5, REVOKED_WITHIN - (time.monotonic() - began)))
        assert (await refused(agent, "POST", "/api/auth/refresh", {"refresh_token": agent.refresh_token})).status == 401
        assert (await refused(agent, "POST", "/api/auth/login", {"email": email, "password": PASSWORD})).code == "user-disabled"
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(f"{system.url}/ws", params={"ticket": ticket})


async def until_closed(socket: Socket) -> None:
    while True:
        await socket.next()


async def test_a_lowered_role_is_felt_within_five_seconds(system: System, owner: Client):
    email, user = await an_agent(system, owner, "admin")
    async with Client(system.url) as admin:
        await admin.login(email, PASSWORD)
        await admin.add_device("Mientras puede")
        await owner.ask("PATCH", f"/api/auth/users/{user['id']}", {"role": "agent"})

        async def out() -> bool:
            return await statuses(system, admin.token or "") == {401}

        await eventually(out, REVOKED_WITHIN, "the old role still holds", every=0.05)
        await admin.login(email, PASSWORD)
        assert (await refused(admin, "POST", "/api/devices", {"name": "Ya no"})).code == "forbidden"
        problem = await refused(admin, "PATCH", f"/api/auth/users/{user['id']}", {"role": "owner"})
        assert problem.status == 403


async def test_a_stolen_refresh_token_ends_the_session_of_thief_and_owner(system: System, owner: Client):
    async with Client(system.url) as thief:
        stolen = owner.refresh_token
        second = await owner.post("/api/auth/refresh", {"refresh_token": stolen})
        third = await owner.post("/api/auth/refresh", {"refresh_token": second["refresh_token"]})
        for old in (stolen, second["refresh_token"], stolen):
            problem = await refused(thief, "POST", "/api/auth/refresh", {"refresh_token": old})
            assert (problem.status, problem.code) == (401, "refresh-reused")
        assert (await refused(owner, "POST", "/api/auth/refresh", {"refresh_token": third["refresh_token"]})).status == 401

        async def out() -> bool:
            return await statuses(system, third["access_token"]) == {401}

        await eventually(out, REVOKED_WITHIN, "an access token of the chain still opens something", every=0.05)


async def test_refresh_tokens_cannot_be_made_up(system: System, owner: Client):
    assert owner.refresh_token
    raw = base64.urlsafe_b64decode(owner.refresh_token.removeprefix("rt_"))
    for token in (
        "rt_",
        "rt_x",
        "",
        "null",
        owner.token,
        owner.refresh_token[:-1],
        owner.refresh_token + "A",
        owner.refresh_token.swapcase(),
        "rt_" + base64.urlsafe_b64encode(raw[:16] + secrets.token_bytes(32)).decode(),
        "rt_" + base64.urlsafe_b64encode(secrets.token_bytes(16) + raw[16:]).decode(),
        "rt_" + "é" * 64,
    ):
        async with Client(system.url) as thief:
            problem = await refused(thief, "POST", "/api/auth/refresh", {"refresh_token": token})
            assert problem.status in {401, 422}, token
    await owner.post("/api/auth/refresh", {"refresh_token": owner.refresh_token})


# --- passwords ----------------------------------------------------------------------------------------------------------


def from_address(address: str) -> aiohttp.ClientSession:
    """Somebody at another address: all of 127/8 is this machine."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(address, 0)))


async def guess(http: aiohttp.ClientSession, system: System, email: str, password: str) -> tuple[int, str, str | None]:
    async with http.post(f"{system.url}/api/auth/login", json={"email": email, "password": password}) as response:
        return response.status, (await response.json(content_type=None))["code"], response.headers.get("retry-after")


async def test_one_address_guessed_at_from_many_places_is_held_known_or_not(system: System, owner: Client):
    known = (await owner.get("/api/auth/me"))["user"]["email"]
    answers: dict[str, list[tuple[int, str]]] = {}
    for email in (known, f"nobody-{secrets.token_hex(6)}@example.com"):
        answers[email] = []
        for n in range(8):
            async with from_address(f"127.0.{n}.{n + 2}") as http:
                status, code, wait = await guess(http, system, email, f"guess-number-{n}")
            answers[email].append((status, code))
            if status == 429:
                assert wait is not None
                assert int(wait) >= 1
    assert answers[known] == [(401, "wrong-credentials")] * 5 + [(429, "rate-limited")] * 3
    first, second = answers.values()
    assert first == second
    async with from_address("127.0.9.9") as http:
        while (await guess(http, system, known, "guess-again"))[0] != 429:  # a slow machine has been forgiven some of it
            pass
        assert (await guess(http, system, known, PASSWORD))[0] == 429, "held for the right password too"
    assert await statuses(system, owner.token or "") == {200}, "who is signed in goes on"


async def test_guesses_made_at_once_are_counted_one_by_one(system: System, owner: Client):
    email = (await owner.get("/api/auth/me"))["user"]["email"]
    async with aiohttp.ClientSession() as http:
        answers = await asyncio.gather(*(guess(http, system, email, f"guess-{n}") for n in range(20)))
    compared = [status for status, _, _ in answers if status == 401]
    assert len(compared) <= 5
    assert {status for status, _, _ in answers} <= {401, 429, 503}


async def test_how_long_a_refusal_takes_does_not_tell_who_is_known(system: System, owner: Client):
    """Four tries an address, so that none is held; known and unknown take turns, so that load falls on both."""
    known = [(await an_agent(system, owner))[0] for _ in range(3)]
    unknown = [f"agent-{secrets.token_hex(6)}@example.com" for _ in range(3)]
    took: dict[str, list[float]] = {"known": [], "unknown": []}
    async with aiohttp.ClientSession() as http:
        await guess(http, system, f"warm-{secrets.token_hex(4)}@example.com", "warm-up-of-the-connection")
        for _ in range(4):
            for pair in zip(known, unknown, strict=True):
                for kind, email in zip(("known", "unknown"), pair, strict=True):
                    began = time.perf_counter()
                    status, code, _ = await guess(http, system, email, "not-the-right-one")
                    if status != 503:  # a machine that is too busy to compare passwords says so
                        took[kind].append(time.perf_counter() - began)
                        assert (status, code) == (401, "wrong-credentials")
    medians = {kind: statistics.median(times) for kind, times in took.items()}
    assert 0.5 < medians["known"] / medians["unknown"] < 2, medians


# --- a browser's session ------------------------------------------------------------------------------------------------


def set_cookies(headers: Any) -> dict[str, Morsel[str]]:
    jar: SimpleCookie = SimpleCookie()
    for line in headers.getall("set-cookie", []):
        jar.load(line)
    return dict(jar)


async def browser(client: Client, email: str, **headers: str) -> dict[str, Morsel[str]]:
    body = {"email": email, "password": PASSWORD, "session": "cookie"}
    status, told, payload = await client.raw("POST", "/api/auth/login", json=body, headers=headers)
    assert status == 200, payload
    assert b"access_token" not in payload
    assert b"refresh_token" not in payload
    return set_cookies(told)


def sent(jar: Mapping[str, Morsel[str]], **others: str) -> str:
    return "; ".join(f"{name}={value}" for name, value in ({n: m.value for n, m in jar.items()} | others).items())


class Bare(Client):
    """A client that keeps no cookies of its own."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self


async def test_the_cookies_of_a_session_say_who_may_read_them_and_where_they_go(system: System, owner: Client):
    email, _ = await an_agent(system, owner)
    async with Bare(system.url) as client:
        for headers in ({}, {"X-Forwarded-Proto": "https"}):  # from nobody who is believed
            jar = await browser(client, email, **headers)
            assert {name: (morsel["path"], bool(morsel["httponly"])) for name, morsel in jar.items()} == {
                "clarin_access": ("/", True),
                "clarin_refresh": ("/api/auth", True),
                "clarin_csrf": ("/", False),
            }
            for morsel in jar.values():
                assert morsel["samesite"].lower() == "lax"
                assert not morsel["domain"]
                assert not morsel["secure"], "over plain HTTP a browser would drop it"
            assert 0 < int(jar["clarin_access"]["max-age"]) <= 600
            assert len(jar["clarin_csrf"].value) >= 32


async def test_a_cookie_alone_changes_nothing(system: System, owner: Client):
    email, _ = await an_agent(system, owner, "admin")
    async with Bare(system.url) as client:
        jar, other = await browser(client, email), await browser(client, email)
        proof = jar["clarin_csrf"].value

        async def post(cookie: str, headers: dict[str, str], path: str = "/api/devices") -> tuple[int, str]:
            told = {"cookie": cookie, **headers}
            status, _, payload = await client.raw("POST", path, json={"name": "de otro sitio"}, headers=told)
            return status, json.loads(payload).get("code", "") if payload else ""

        for name, cookie, headers in (
            ("no header", sent(jar), {}),
            ("an empty one", sent(jar), {"x-csrf-token": ""}),
            ("a wrong one", sent(jar), {"x-csrf-token": secrets.token_urlsafe(32)}),
            ("half of it", sent(jar), {"x-csrf-token": proof[:-1]}),
            ("another session's", sent(jar), {"x-csrf-token": other["clarin_csrf"].value}),
            ("no cookie of it", f"clarin_access={jar['clarin_access'].value}", {"x-csrf-token": proof}),
            ("both empty", sent(jar, clarin_csrf=""), {"x-csrf-token": ""}),
            ("a foreign page's form", sent(jar), {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}),
        ):
            assert await post(cookie, headers) == (403, "csrf"), name
            assert await post(cookie, headers, "/api/auth/logout") == (403, "csrf"), name
            assert await post(cookie, headers, "/api/auth/refresh") == (403, "csrf"), name
        for content in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            status, _, _ = await client.raw(
                "POST", "/api/devices", data=b'{"name":"x"}', headers={"cookie": sent(jar), "content-type": content}
            )
            assert status == 403, content

        status, _, payload = await client.raw("GET", "/api/devices", headers={"cookie": sent(jar)})
        assert status == 200
        assert json.loads(payload)["items"] == [], "nothing was made, and reading needs no proof"
        assert (await post(sent(jar), {"x-csrf-token": proof}))[0] == 201


async def test_a_foreign_page_reads_nothing_with_the_session_of_its_visitor(system: System, owner: Client):
    email, _ = await an_agent(system, owner)
    async with Bare(system.url) as client:
        jar = await browser(client, email)
        for origin in ("https://evil.example", "null", system.url.replace("127.0.0.1", "127.0.0.1.evil.example")):
            told = {"cookie": sent(jar), "origin": origin}
            _, headers, _ = await client.raw("GET", "/api/auth/me", headers=told)
            assert not [name for name in headers if name.lower().startswith("access-control-allow")]
            asked = {**told, "access-control-request-method": "POST", "access-control-request-headers": "x-csrf-token"}
            status, headers, _ = await client.raw("OPTIONS", "/api/devices", headers=asked)
            assert status == 403
            assert not [name for name in headers if name.lower().startswith("access-control-allow")]


async def test_a_signed_out_browser_is_out(system: System, owner: Client):
    email, _ = await an_agent(system, owner)
    async with Bare(system.url) as client:
        jar = await browser(client, email)
        proved = {"cookie": sent(jar), "x-csrf-token": jar["clarin_csrf"].value}
        status, headers, _ = await client.raw("POST", "/api/auth/logout", headers=proved)
        assert status == 204
        dropped = set_cookies(headers)
        assert {name for name, morsel in dropped.items() if morsel["max-age"] == "0" or not morsel.value.strip('"')} == set(jar)
        status, _, payload = await client.raw("POST", "/api/auth/refresh", headers=proved)
        assert status == 401, payload


async def test_many_addresses_guessed_at_from_one_place_are_held(system: System, tmp_path: Path):
    """A gateway with the rates of production, before the same services: what it holds is the place, whatever a header says of it."""
    port = free_port()
    process = processes.process(processes.GATEWAY, folder(system), Addresses.of(running(system)), name="gateway", port=port)
    with (tmp_path / "gateway.log").open("wb") as log:
        gateway = await asyncio.create_subprocess_exec(
            *process.command, env={**process.environment, "CLARIN_LIMIT_FACTOR": "1"}, stdout=log, stderr=log
        )
    strict = replace(system, ready={**system.ready, "url": f"http://127.0.0.1:{port}"})
    try:

        async def up() -> bool:
            with suppress(aiohttp.ClientError):
                async with aiohttp.ClientSession() as http, http.get(f"{strict.url}/health/ready") as response:
                    return response.status == 200
            return False

        await eventually(up, 30, "the second gateway is not ready")
        async with from_address("127.0.77.1") as http:

            async def spray(n: int) -> tuple[int, str | None]:
                body = {"email": f"victim-{n}-{secrets.token_hex(4)}@example.com", "password": "Summer2024!"}
                told = {"x-forwarded-for": f"9.9.9.{n}", "x-real-ip": f"9.9.9.{n}", "forwarded": f"for=9.9.9.{n}"}
                async with http.post(f"{strict.url}/api/auth/login", json=body, headers=told) as response:
                    return response.status, response.headers.get("retry-after")

            answers = [answer for _ in range(9) for answer in await asyncio.gather(*(spray(n) for n in range(5)))]
        held = [wait for status, wait in answers if status == 429]
        assert {status for status, _ in answers} <= {401, 429, 503}
        assert len(held) >= 5, answers
        assert all(wait is not None and int(wait) >= 1 for wait in held)
        async with from_address("127.0.77.2") as http:
            assert (await guess(http, strict, "somebody@example.com", "Summer2024!"))[0] != 429, "nobody else is held up"
    finally:
        gateway.terminate()
        await asyncio.wait_for(gateway.wait(), 20)

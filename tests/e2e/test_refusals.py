"""Bad input and strangers, at the public port: a clear problem with a code, nothing half done, nothing of another tenant."""

import asyncio
import io
import json
import time

import jwt
import pytest
from clarin.client import Client, Refused
from clarin.testing import Shop, System
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

pytestmark = pytest.mark.timeout(120)

READS = ("/api/auth/me", "/api/devices", "/api/chats", "/api/contacts")


async def refused(client: Client, method: str, path: str, body: object = None) -> Refused:
    with pytest.raises(Refused) as caught:
        await client.ask(method, path, body)
    return caught.value


async def test_a_wrong_password_and_an_unknown_address_are_told_alike(system: System, owner: Client):
    email = (await owner.get("/api/auth/me"))["user"]["email"]
    async with Client(system.url) as stranger:
        wrong = await refused(stranger, "POST", "/api/auth/login", {"email": email, "password": "not-this-one-at-all"})
        unknown = await refused(stranger, "POST", "/api/auth/login", {"email": f"x{email}", "password": "not-this-one-at-all"})
    assert (wrong.status, wrong.code) == (unknown.status, unknown.code) == (401, "wrong-credentials")
    assert wrong.body["detail"] == unknown.body["detail"]


@pytest.mark.parametrize("path", READS)
async def test_without_a_token_nothing_is_read(system: System, path: str):
    async with Client(system.url) as stranger:
        problem = await refused(stranger, "GET", path)
    assert (problem.status, problem.code) == (401, "unauthenticated")


async def test_forged_tokens_open_nothing(system: System, owner: Client):
    assert owner.token
    claims = jwt.decode(owner.token, options={"verify_signature": False})
    header = jwt.get_unverified_header(owner.token)
    stranger_key = Ed25519PrivateKey.generate()
    forged = [
        jwt.encode(claims, stranger_key, algorithm="EdDSA", headers={"kid": header["kid"]}),
        jwt.encode(claims, "", algorithm="none", headers={"kid": header["kid"]}),
        jwt.encode(claims, header["kid"] * 4, algorithm="HS256", headers={"kid": header["kid"]}),
        jwt.encode(claims, stranger_key, algorithm="EdDSA", headers={"kid": "../../etc/passwd"}),
        f"{owner.token.rpartition('.')[0]}.{'A' * 86}",
        "nonsense",
    ]
    for token in forged:
        async with Client(system.url, token) as thief:
            for path in READS:
                assert (await refused(thief, "GET", path)).status == 401


async def test_another_tenants_ids_are_not_there(shop: Shop, system: System):
    customer = await shop.customer()
    await shop.writes(customer, "secreto")
    async with shop.client.socket(since=None):
        chat = await waiting_chat(shop)
    message = (await shop.client.get(f"/api/chats/{chat['id']}/messages"))["items"][0]
    async with system.owner() as other:
        attempts = [
            ("GET", f"/api/devices/{shop.device}", None),
            ("POST", f"/api/devices/{shop.device}/connect", None),
            ("POST", f"/api/devices/{shop.device}/logout", None),
            ("GET", f"/api/devices/{shop.device}/qr", None),
            ("DELETE", f"/api/devices/{shop.device}", None),
            ("GET", f"/api/chats/{chat['id']}", None),
            ("GET", f"/api/chats/{chat['id']}/messages", None),
            ("POST", f"/api/chats/{chat['id']}/read", None),
            ("GET", f"/api/messages/{message['id']}", None),
            ("GET", f"/api/contacts/{chat['contact']['id']}", None),
            ("POST", "/api/messages/send", {"chat_id": chat["id"], "text": "hola"}),
            ("POST", "/api/messages/send", {"device_id": shop.device, "to": customer, "text": "hola"}),
        ]
        for method, path, body in attempts:
            problem = await refused(other, method, path, body)
            assert problem.status == 404, (method, path, problem)
            assert "secreto" not in json.dumps(dict(problem.body))
        for path in READS[1:]:
            assert (await other.get(path))["items"] == []
    assert (await shop.client.get(f"/api/devices/{shop.device}"))["state"] == "connected"


async def waiting_chat(shop: Shop) -> dict:
    for _ in range(100):
        if items := (await shop.client.get("/api/chats"))["items"]:
            return items[0]
        await asyncio.sleep(0.1)
    raise TimeoutError("no chat")


async def test_another_tenants_socket_hears_nothing(shop: Shop, system: System):
    customer = await shop.customer()
    async with system.owner() as other, other.socket() as theirs, shop.client.socket() as ours:
        await shop.writes(customer, "solo para nosotros")
        await ours.event("new_message", text="solo para nosotros")
        await other.post("/api/devices", {"name": "de otros"})
        frame = await theirs.next()
        assert frame["event"] == "device_status"
        assert frame["data"]["name"] == "de otros"


@pytest.mark.parametrize("token", ["", "nonsense"])
async def test_a_socket_without_a_good_token_is_refused(system: System, token: str):
    async with Client(system.url) as stranger:
        status, _, payload = await stranger.raw(
            "GET",
            f"/ws?token={token}",
            headers={
                "connection": "Upgrade",
                "upgrade": "websocket",
                "sec-websocket-version": "13",
                "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
            },
        )
    assert status == 401
    assert json.loads(payload)["code"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/devices/dev_00000000000000000000000000", None, 404),
        ("GET", "/api/devices/nonsense", None, 404),
        ("GET", "/api/chats/dev_00000000000000000000000000", None, 404),
        ("GET", "/api/nothing", None, 404),
        ("PATCH", "/api/chats", None, 405),
        ("GET", "/api/chats?limit=101", None, 422),
        ("GET", "/api/chats?cursor=nonsense", None, 422),
        ("POST", "/api/devices", {}, 422),
        ("POST", "/api/devices", {"name": "x", "surprise": 1}, 422),
        ("POST", "/api/devices", {"name": "a\x00b"}, 422),
        ("POST", "/api/messages/send", {"text": "a quién"}, 422),
        ("POST", "/api/messages/send", {"device_id": "dev_00000000000000000000000000", "to": "5215550001111", "text": "x"}, 404),
        ("POST", "/api/messages/send", {"chat_id": "cht_00000000000000000000000000", "text": ""}, 422),
        ("POST", "/api/messages/send", {"device_id": "dev_00000000000000000000000000", "to": "nobody", "text": "x"}, 422),
        ("POST", "/api/messages/send", {"chat_id": "cht_00000000000000000000000000", "text": "x" * 60_001}, 422),
    ],
)
async def test_bad_input_is_a_problem_with_a_code(owner: Client, method: str, path: str, body: object, status: int):
    problem = await refused(owner, method, path, body)
    assert problem.status == status, problem
    assert problem.code
    assert problem.body["request_id"]


async def test_what_is_no_json_is_a_400(owner: Client):
    for payload in (b"{", b"\xff\xfe", b"[" * 100_000, b'{"name": ' + b"9" * 5_000 + b"}"):
        status, headers, answer = await owner.raw("POST", "/api/devices", data=payload, headers={"content-type": "application/json"})
        assert status in {400, 422}, (payload[:20], status)
        assert headers["content-type"].startswith("application/problem+json")
        assert json.loads(answer)["code"]


async def test_a_body_of_50_mb_is_refused_before_it_is_read(owner: Client):
    started = time.monotonic()
    status, _, answer = await owner.raw(
        "POST", "/api/devices", data=io.BytesIO(b"x" * 50_000_000), headers={"content-type": "application/json"}
    )
    assert status == 413
    assert json.loads(answer)["code"] == "too-large"
    assert time.monotonic() - started < 20
    assert (await owner.get("/api/devices"))["items"] == []


async def test_a_cursor_of_another_tenant_is_refused(system: System, owner: Client):
    for n in range(3):
        await owner.post("/api/devices", {"name": f"n{n}"})
    cursor = (await owner.get("/api/devices", limit="1"))["next_cursor"]
    async with system.owner() as other:
        with pytest.raises(Refused) as caught:
            await other.get("/api/devices", cursor=cursor)
    assert (caught.value.status, caught.value.code) == (422, "bad-cursor")


async def test_an_old_refresh_token_kills_its_whole_family(system: System, owner: Client):
    async with Client(system.url) as client:
        old = owner.refresh_token
        new = await client.post("/api/auth/refresh", {"refresh_token": old})
        await asyncio.sleep(0)
        problem = None
        for _ in range(100):  # a short grace for two requests at once may pass before reuse counts
            try:
                await client.post("/api/auth/refresh", {"refresh_token": old})
            except Refused as refusal:
                problem = refusal
                break
            await asyncio.sleep(0.1)
        assert problem is not None
        assert problem.code == "refresh-reused"
        assert (await refused(client, "POST", "/api/auth/refresh", {"refresh_token": new["refresh_token"]})).status == 401


async def test_an_agent_cannot_connect_numbers(system: System, owner: Client):
    email = f"agent-{time.monotonic_ns()}@example.com"
    await owner.post("/api/auth/users", {"email": email, "name": "Beto", "role": "agent", "password": "un-agente-muy-largo-7"})
    device = await owner.add_device("Ventas")
    async with Client(system.url) as agent:
        await agent.login(email, "un-agente-muy-largo-7")
        assert [item["id"] for item in (await agent.get("/api/devices"))["items"]] == [device["id"]]
        for method, path in (
            ("POST", "/api/devices"),
            ("POST", f"/api/devices/{device['id']}/connect"),
            ("DELETE", f"/api/devices/{device['id']}"),
        ):
            problem = await refused(agent, method, path, {"name": "x"} if path == "/api/devices" else None)
            assert (problem.status, problem.code) == (403, "forbidden"), path

"""Who may pass: tokens, cookies, proofs, origins."""

import json
from datetime import timedelta

import pytest
from contracts.principal import Role
from servicekit.testing.identity import SignIn

from .conftest import request


async def ask(client, *arguments, **more):
    client.send(request(*arguments, **more))
    reply = await client.reply()
    return reply.status, json.loads(reply.body).get("code") if reply.body else None


async def test_every_path_but_the_anonymous_ones_needs_a_token(gateway, service, wire):
    client = await wire(gateway)
    for path in ("/api/chats", "/api/chats/x/messages", "/api/auth/me", "/api/auth/login/", "/api/devices", "/api/contacts"):
        assert await ask(client, "GET", path) == (401, "unauthenticated")
    assert service.seen == []
    for path in ("/api/auth/login", "/api/auth/register", "/.well-known/jwks.json"):
        assert (await ask(client, "POST", path, body=b"{}"))[0] == 200


async def test_a_bad_token_is_refused_with_the_reason(gateway, service, wire):
    client = await wire(gateway)
    stranger = SignIn()
    for token in ("rubbish", "a.b.c", stranger(Role.OWNER).token, f"{gateway.sign_in().token.rpartition('.')[0]}.{'A' * 86}"):
        assert await ask(client, "GET", "/api/chats", token=token) == (401, "token-invalid")
    old = gateway.sign_in(lifetime=timedelta(seconds=-60)).token
    assert await ask(client, "GET", "/api/chats", token=old) == (401, "token-expired")
    assert await ask(client, "GET", "/api/chats", "Authorization: Basic YTpi") == (401, "unauthenticated")
    assert await ask(client, "GET", "/api/chats", "X-Api-Key: something") == (401, "unauthenticated")
    assert service.seen == []


async def test_a_session_cookie_becomes_a_bearer_token_and_goes_no_further(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    assert (await ask(client, "GET", "/api/chats", f"Cookie: a=b; clarin_access={token}; clarin_csrf=proof"))[0] == 200
    assert service.seen[0].headers["authorization"] == f"Bearer {token}"
    assert "cookie" not in service.seen[0].headers


async def test_only_the_service_that_signs_people_in_sees_cookies(gateway, service, wire):
    client = await wire(gateway)
    jar = "clarin_refresh=secret; clarin_csrf=proof"
    assert (await ask(client, "POST", "/api/auth/refresh", f"Cookie: {jar}", "X-CSRF-Token: proof"))[0] == 200
    assert service.seen[0].headers["cookie"] == jar
    assert service.seen[0].headers["x-csrf-token"] == "proof"  # it asks for the proof once more


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("proof", [None, "", "wrong", "proo"])
async def test_a_forged_request_is_refused(gateway, service, wire, method, proof):
    client = await wire(gateway)
    cookie = f"Cookie: clarin_access={gateway.sign_in().token}; clarin_csrf=proof"
    headers = [cookie] if proof is None else [cookie, f"X-CSRF-Token: {proof}"]
    assert await ask(client, method, "/api/chats", *headers) == (403, "csrf")
    assert service.seen == []


async def test_a_request_with_the_proof_passes_and_so_does_one_without_cookies(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    assert (await ask(client, "POST", "/api/chats", f"Cookie: clarin_access={token}; clarin_csrf=proof", "X-CSRF-Token: proof"))[0] == 200
    assert (await ask(client, "POST", "/api/chats", f"Cookie: clarin_access={token}", token=token))[0] == 200
    assert await ask(client, "POST", "/api/chats", f"Cookie: clarin_access={token}; clarin_csrf=", "X-CSRF-Token: ") == (403, "csrf")


@pytest.mark.parametrize("path", ["/api/auth/refresh", "/api/auth/logout"])
async def test_nobody_can_be_signed_out_by_a_forged_request(gateway, service, wire, path):
    client = await wire(gateway)
    jar = "Cookie: clarin_refresh=secret; clarin_csrf=proof"
    assert await ask(client, "POST", path, jar) == (403, "csrf")
    assert (await ask(client, "POST", path, jar, "X-CSRF-Token: proof"))[0] == 200
    assert (await ask(client, "POST", path, body=b"{}"))[0] == 200


async def test_signing_in_needs_no_proof_even_with_an_old_cookie(gateway, wire):
    client = await wire(gateway)
    assert (await ask(client, "POST", "/api/auth/login", "Cookie: clarin_access=old", body=b"{}"))[0] == 200


async def test_a_page_of_an_allowed_origin_may_call(gateway, service, wire):
    client = await wire(gateway)
    client.send(request("OPTIONS", "/api/chats", "Origin: https://panel.example", "Access-Control-Request-Method: POST"))
    reply = await client.reply()
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == "https://panel.example"
    assert "Idempotency-Key" in reply.headers["access-control-allow-headers"]
    client.send(request("GET", "/api/chats", "Origin: https://panel.example", token=gateway.sign_in().token))
    reply = await client.reply()
    assert reply.headers["access-control-allow-origin"] == "https://panel.example"
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert len(service.seen) == 1


async def test_a_page_of_another_origin_may_not(gateway, wire):
    client = await wire(gateway)
    assert await ask(client, "OPTIONS", "/api/chats", "Origin: https://evil.example", "Access-Control-Request-Method: POST") == (
        403,
        "cors",
    )
    client.send(request("GET", "/api/chats", "Origin: https://evil.example", token=gateway.sign_in().token))
    reply = await client.reply()
    assert "access-control-allow-origin" not in reply.headers
    assert reply.headers["vary"] == "Origin"


async def test_every_answer_carries_what_keeps_browsers_safe(gateway, wire):
    client = await wire(gateway)
    for path in ("/api/chats", "/api/meta", "/api/nothing", "/"):
        client.send(request("GET", path))
        headers = (await client.reply()).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"]
        assert headers["x-request-id"]

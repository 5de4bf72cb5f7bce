from typing import Any

from auth.api.cookies import ACCESS, CSRF, REFRESH

from .conftest import Answer, Caller


def jar(answer: Answer) -> dict[str, str]:
    return {name: morsel.value for name, morsel in answer.cookies.items()}


def carrying(cookies: dict[str, str], **headers: str) -> dict[str, str]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), **sent}


async def test_a_browser_gets_cookies_and_no_token_in_a_body(call: Caller) -> None:
    opened = await call.register(session="cookie")
    assert opened.status == 201
    assert "access_token" not in opened.body
    assert "refresh_token" not in opened.body
    assert opened.body["user"]["role"] == "owner"
    assert set(opened.cookies) == {ACCESS, REFRESH, CSRF}
    for name, path, hidden in ((ACCESS, "/", True), (REFRESH, "/api/auth", True), (CSRF, "/", False)):
        cookie = opened.cookies[name]
        assert (cookie["path"], bool(cookie["httponly"]), cookie["samesite"], bool(cookie["secure"])) == (path, hidden, "lax", False)
    assert opened.cookies[ACCESS]["max-age"] == "600"
    assert opened.cookies[REFRESH]["max-age"] == str(30 * 86400)


async def test_cookies_are_secure_where_the_request_came_by_https(call: Caller) -> None:
    await call.register()
    call.headers["X-Forwarded-Proto"] = "https"
    signed = await call.login(session="cookie")
    assert all(cookie["secure"] for cookie in signed.cookies.values())


async def test_a_browser_refreshes_with_its_cookie_and_the_csrf_header(call: Caller) -> None:
    cookies = jar(await call.register(session="cookie"))
    for headers in (
        carrying(cookies),
        carrying(cookies, X_CSRF_Token="other"),
        carrying({name: value for name, value in cookies.items() if name != CSRF}, X_CSRF_Token=cookies[CSRF]),
        carrying({**cookies, CSRF: ""}, X_CSRF_Token=""),
    ):
        refused = await call("POST", "/api/auth/refresh", headers=headers)
        assert (refused.status, refused.code) == (403, "csrf"), headers
    refreshed = await call("POST", "/api/auth/refresh", headers=carrying(cookies, X_CSRF_Token=cookies[CSRF]))
    assert refreshed.status == 200
    assert "access_token" not in refreshed.body
    assert jar(refreshed)[REFRESH] != cookies[REFRESH]
    assert jar(refreshed)[CSRF] == cookies[CSRF]
    assert (await call.bearing(jar(refreshed)[ACCESS])("GET", "/api/auth/me")).status == 200
    assert (await call("POST", "/api/auth/refresh", {}, headers=carrying(jar(refreshed), X_CSRF_Token=cookies[CSRF]))).status == 200


async def test_signing_in_gives_a_new_csrf_token(call: Caller) -> None:
    cookies = jar(await call.register(session="cookie"))
    body: dict[str, Any] = {"email": "ana@example.com", "password": "correct horse battery", "session": "cookie"}
    signed = await call("POST", "/api/auth/login", body, headers=carrying({CSRF: cookies[CSRF]}))
    assert jar(signed)[CSRF] not in ("", cookies[CSRF])


async def test_signing_out_demands_the_header_closes_the_session_and_drops_the_cookies(call: Caller) -> None:
    cookies = jar(await call.register(session="cookie"))
    refused = await call("POST", "/api/auth/logout", headers=carrying(cookies))
    assert (refused.status, refused.code) == (403, "csrf")
    out = await call("POST", "/api/auth/logout", headers=carrying(cookies, X_CSRF_Token=cookies[CSRF]))
    assert out.status == 204
    assert {(name, cookie.value, cookie["max-age"], cookie["path"]) for name, cookie in out.cookies.items()} == {
        (ACCESS, "", "0", "/"),
        (REFRESH, "", "0", "/api/auth"),
        (CSRF, "", "0", "/"),
    }
    after = await call("POST", "/api/auth/refresh", headers=carrying(cookies, X_CSRF_Token=cookies[CSRF]))
    assert (after.status, after.code) == (401, "refresh-invalid")


async def test_without_a_token_or_a_cookie_there_is_nothing_to_refresh(call: Caller) -> None:
    for body in (None, {}, {"refresh_token": None}):
        refused = await call("POST", "/api/auth/refresh", body)
        assert (refused.status, refused.code) == (401, "refresh-invalid")

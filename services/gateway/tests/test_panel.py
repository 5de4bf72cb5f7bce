"""The panel's files as a browser gets them."""

import base64
import gzip
import hashlib
import os

import pytest
from gateway.panel import Panel, accepts

from .conftest import request

SCRIPT = "document.documentElement.dataset.scheme = 'dark'"
PAGE = f"<!doctype html><script>{SCRIPT}</script><script type=module src=/assets/main-Ab12Cd34.js></script>"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "assets" / "main-Ab12Cd34.js").write_text("console.log(1);" * 200)
    (tmp_path / "assets" / "main-Ab12Cd34.js.br").write_bytes(b"brotli's own")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "sw.js").write_text("addEventListener('install', () => {})")
    secret = tmp_path.parent / "secret.txt"
    secret.write_text("secret")
    (tmp_path / "link.txt").symlink_to(secret)
    return tmp_path


@pytest.fixture
def built(start, folder):
    return start(panel=Panel(folder))


async def get(client, path, *headers, method="GET"):
    client.send(request(method, path, *headers))
    return await client.reply(head=method == "HEAD")


async def test_the_page_is_asked_for_anew_and_answers_for_the_panels_own_paths(built, wire):
    client = await wire(built)
    for path in ("/", "/index.html", "/inbox", "/chats/cht_1/info"):
        reply = await get(client, path)
        assert (reply.status, reply.body.decode()) == (200, PAGE)
        assert reply.headers["cache-control"] == "no-cache"
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
    reply = await get(client, "/inbox", method="HEAD")
    assert int(reply.headers["content-length"]) == len(PAGE)


async def test_only_the_pages_own_scripts_may_run(built, wire):
    policy = (await get(await wire(built), "/")).headers["content-security-policy"]
    allowed = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{allowed}';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy


async def test_the_service_worker_may_ask_this_server(built, wire):
    client = await wire(built)
    assert (await get(client, "/sw.js")).headers[
        "content-security-policy"
    ] == "default-src 'none'; connect-src 'self'; frame-ancestors 'none'"
    assert "connect-src" not in (await get(client, "/favicon.svg")).headers["content-security-policy"]


async def test_hashed_files_are_kept_for_ever_and_packed(built, wire):
    client = await wire(built)
    path = "/assets/main-Ab12Cd34.js"
    plain = await get(client, path)
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["content-type"].startswith("text/javascript")
    packed = await get(client, path, "Accept-Encoding: gzip, deflate")
    assert (packed.headers["content-encoding"], gzip.decompress(packed.body)) == ("gzip", plain.body)
    best = await get(client, path, "Accept-Encoding: gzip, br;q=0.9")
    assert (best.headers["content-encoding"], best.body) == ("br", b"brotli's own")
    assert len({reply.headers["etag"] for reply in (plain, packed, best)}) == 3
    assert all("Accept-Encoding" in reply.headers["vary"] for reply in (plain, packed, best))


async def test_what_the_browser_has_is_not_sent_again(built, wire):
    client = await wire(built)
    tag = (await get(client, "/favicon.svg")).headers["etag"]
    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        reply = await get(client, "/favicon.svg", f"If-None-Match: {given}")
        assert (reply.status, reply.headers["etag"]) == (304, tag)
    assert (await get(client, "/favicon.svg", 'If-None-Match: "other"')).status == 200


async def test_what_is_not_there_is_a_problem_and_not_the_page(built, wire):
    client = await wire(built)
    for path in ("/assets/old-Ab12Cd34.js", "/robots.txt", "/link.txt", "/api/nothing", "/api", "/health/other", "/.well-known/other"):
        reply = await get(client, path)
        assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json"), path
    assert (await get(client, "/", method="POST")).status == 405


async def test_a_panel_built_anew_is_served_at_once(built, folder, wire):
    client = await wire(built)
    assert (await get(client, "/")).status == 200
    (folder / "index.html").write_text("<!doctype html>new")
    os.utime(folder / "index.html", ns=(1, 1))
    assert (await get(client, "/")).body == b"<!doctype html>new"


async def test_without_a_panel_a_page_says_so(gateway, wire):
    reply = await get(await wire(gateway), "/")
    assert reply.status == 503
    assert b"The panel is not built" in reply.body


@pytest.mark.parametrize(
    ("header", "accepted"), [(b"gzip", True), (b"gzip;q=0", False), (b"gzip; q=0.000", False), (b"gzip;q=0.5", True), (b"x-gzip", False)]
)
def test_a_weight_of_nothing_is_a_no(header, accepted):
    assert accepts(frozenset({header}), b"gzip") is accepted

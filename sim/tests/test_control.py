"""The control API: phones among themselves, its refusals, and its page."""

import asyncio

import aiohttp
import pytest
from sim.testing import Refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def network(shared):
    """A network on which 573001112233 is a shop's phone."""
    return shared.network


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/phones", {"number": "573001112233"}, 409, "phone-exists"),
        ("POST", "/phones", {"number": "hola"}, 422, "bad-number"),
        ("POST", "/phones", {"name": "sin número"}, 422, "bad-body"),
        ("POST", "/phones", {"number": "573001112299", "color": "azul"}, 422, "bad-body"),
        ("GET", "/phones/573000000000", None, 404, "no-phone"),
        ("POST", "/phones/573001112233/messages", {"to": "573000000000", "text": "hola"}, 404, "not-on-whatsapp"),
        ("POST", "/phones/573001112233/messages", {"to": "573001112233", "text": ""}, 422, "bad-body"),
        ("POST", "/phones/573001112233/receipts", {"id": "nada"}, 404, "no-message"),
        ("POST", "/phones/573001112233/code", {"code": "AAAA-AAAA"}, 409, "no-code-shown"),
        ("POST", "/phones/573001112233/media", {}, 422, "bad-body"),
        ("PATCH", "/phones/573001112233", {"auto_receipts": "quizás"}, 422, "bad-body"),
        ("GET", "/phones/573001112233/inbox?after=ayer", None, 422, "bad-query"),
        ("POST", "/network", {"state": "sideways"}, 422, "bad-body"),
        ("GET", "/nowhere", None, 404, "not-found"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_reason(network, method, path, body, status, code):
    with pytest.raises(Refusal) as refused:
        await network.api.ask(method, path, body)
    assert (refused.value.status, refused.value.code) == (status, code)


async def test_pages_of_other_origins_are_refused(network):
    async with aiohttp.ClientSession() as session:
        for headers in ({"Origin": "https://example.org"}, {"Host": "example.org"}):
            async with session.get(network.info.control_url + "/phones", headers=headers) as answer:
                assert answer.status == 403


async def test_phones_write_to_each_other_and_see_their_ticks(network):
    api = network.api
    await api.phone("573105550001", auto_receipts="read")
    await api.phone("573109998877")
    waiting = asyncio.create_task(api.wait_for("573105550001", "inbox", 1))
    id = await api.write("573109998877", "573105550001", "hola")
    (item,) = await waiting
    assert (item["id"], item["text"], item["from"], item["n"]) == (id, "hola", "573109998877", 1)
    ticks = await api.wait_for("573109998877", "receipts", 2)
    assert [(tick["id"], tick["type"]) for tick in ticks] == [(id, "delivered"), (id, "read")]
    (line,) = (await api.get("/phones/573109998877/chats/573105550001"))["items"]
    assert (line["from_me"], line["text"], line["status"]) == (True, "hola", "read")


async def test_the_page_and_its_files_are_there(network):
    async with aiohttp.ClientSession(network.info.control_url) as session:
        for path, kind in (("/", "html"), ("/page/page.js", "javascript"), ("/page/page.css", "css")):
            async with session.get(path) as answer:
                assert answer.status == 200
                assert kind in answer.content_type
                assert len(await answer.text()) > 1000

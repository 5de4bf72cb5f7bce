"""A webhook from the panel: set up, tried, told of a real message, failing, sent again, replayed; a program pulls the same events."""

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from clarin.client import Client
from clarin.testing import Shop
from playwright.async_api import Page, expect
from standardwebhooks import Webhook

from .pictures import shot

pytestmark = pytest.mark.timeout(180)

#: A busy machine takes its time.
expect.set_options(timeout=30_000)


@dataclass
class Receiver:
    """A program on this machine; *status* is what it answers."""

    url: str = ""
    status: int = 204
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status)

    def verified(self, secret: str) -> list[tuple[str, Any]]:
        return [(headers["webhook-id"], Webhook(secret).verify(body, headers)) for headers, body in self.received]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/clarin", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/clarin"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def admin(shop: Shop) -> tuple[str, str]:
    email, password = f"eva-{secrets.token_hex(5)}@example.com", f"una-admin-larga-{secrets.token_hex(3)}"
    await shop.client.post("/api/auth/users", {"email": email, "name": "Eva", "role": "admin", "password": password})
    return email, password


async def sign_in(page: Page, shop: Shop, email: str, password: str) -> None:
    await page.goto(f"{shop.system.url}/login")
    await page.get_by_label("Correo").fill(email)
    await page.get_by_label("Contraseña").fill(password)
    await page.get_by_role("button", name="Entrar").click()
    await expect(page.get_by_role("heading", name="Chats")).to_be_visible()


async def test_a_webhook_is_set_up_tried_resent_and_replayed(page: Page, shop: Shop, receiver: Receiver, admin: tuple[str, str]):
    await sign_in(page, shop, *admin)
    await page.goto(f"{shop.system.url}/settings/webhooks")
    await expect(page.get_by_text("Todavía no hay webhooks.")).to_be_visible()
    await page.get_by_role("button", name="Crear webhook").click()
    await page.get_by_label("Dirección").fill(receiver.url)
    await page.get_by_label("Nombre").fill("Tienda")
    await page.get_by_role("combobox", name="Qué avisar").click()
    await page.get_by_role("option", name="message.*").click()
    await page.keyboard.press("Escape")
    await shot(page, "webhook-new", whole=True)
    await page.get_by_role("button", name="Crear", exact=True).click()
    secret = (await page.get_by_test_id("shown-once").text_content() or "").strip()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    await page.get_by_role("button", name="Listo").click()
    await page.get_by_role("link", name="Tienda").click()

    await page.get_by_role("button", name="Enviar prueba").click()
    await page.get_by_role("button", name="Enviar", exact=True).click()
    tried = page.get_by_role("article", name="message.received")
    await expect(tried).to_contain_text("Entregado")
    await expect(tried).to_contain_text("prueba")

    receiver.status = 500
    customer = await shop.customer("Marta")
    await shop.writes(customer, "¿Tienen de este?")
    came = tried.filter(has_not_text="prueba")
    await expect(came).to_contain_text("500")
    await expect(page.get_by_text("Falla desde")).to_be_visible(timeout=10_000)
    receiver.status = 204
    await came.get_by_role("button", name="Reenviar").click()
    await expect(came).to_have_attribute("data-state", "delivered")
    await came.get_by_role("button", name="Detalles").click()
    await expect(came).to_contain_text("¿Tienen de este?")
    await shot(page, "webhook", whole=True)

    said = receiver.verified(secret)
    [real] = {id for id, body in said if body["data"].get("text") == "¿Tienen de este?" and body["data"]["sender_name"] == "Marta"}
    await page.get_by_role("button", name="Repetir").click()
    await page.get_by_role("button", name="Repetir").last.click()
    await expect(page.get_by_test_id("replay")).to_have_attribute("data-state", "done")
    await expect(page.get_by_test_id("replay")).to_contain_text(re.compile(r"(\d+) de \1 entregado"))
    assert [id for id, _ in receiver.verified(secret)].count(real) >= 3, "it failed, was resent, and was replayed under one id"
    pulled = (await shop.client.get("/api/events", types="message.received"))["items"]
    assert [item["id"] for item in pulled] == [real]
    await shot(page, "webhook-replayed", whole=True)

    await page.set_viewport_size({"width": 360, "height": 740})
    await shot(page, "phone-webhook", whole=True)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360, "the page scrolls sideways"
    await page.keyboard.press("Tab")
    await page.get_by_role("button", name="Pausar").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("En pausa")).to_be_visible()
    await page.goto(f"{shop.system.url}/settings/webhooks")
    await expect(page.get_by_role("link", name="Tienda")).to_contain_text("En pausa")
    await shot(page, "phone-webhooks", whole=True)


async def test_an_agent_does_not_see_webhooks(page: Page, shop: Shop):
    email, password = f"beto-{secrets.token_hex(5)}@example.com", f"un-agente-largo-{secrets.token_hex(3)}"
    await shop.client.post("/api/auth/users", {"email": email, "name": "Beto", "role": "agent", "password": password})
    await sign_in(page, shop, email, password)
    await page.goto(f"{shop.system.url}/settings/account")
    await expect(page.get_by_role("tab", name="Cuenta")).to_be_visible()
    assert await page.get_by_role("tab", name="Webhooks").count() == 0
    async with Client(shop.system.url) as agent:
        await agent.login(email, password)
        status, _, _ = await agent.raw("GET", "/api/webhooks")
    assert status == 403

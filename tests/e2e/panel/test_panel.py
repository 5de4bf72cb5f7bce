"""The panel's first pages in a real browser, through the public port, with virtual phones at the other end."""

import re
import secrets

import pytest
from clarin.testing import Shop, System
from playwright.async_api import BrowserContext, Page, expect
from sim.testing import Api as Network

from .pictures import shot

pytestmark = pytest.mark.timeout(180)


async def register(page: Page, system: System) -> None:
    await page.goto(f"{system.url}/login?register=true")
    await page.get_by_label("Tu nombre").fill("Ana")
    await page.get_by_label("Nombre de la empresa").fill("Café Luna")
    await page.get_by_label("Correo").fill(f"ana-{secrets.token_hex(5)}@example.com")
    await page.get_by_label("Contraseña").fill(f"caballo-correcto-{secrets.token_hex(4)}")
    await page.get_by_role("button", name="Crear cuenta").click()


async def test_from_nothing_to_the_first_answered_message(page: Page, system: System, network: Network):
    await page.goto(system.url)
    await expect(page.get_by_role("heading", name="Entrar")).to_be_visible()
    await shot(page, "login")
    await register(page, system)
    await expect(page.get_by_text("Conecta un número para recibir mensajes")).to_be_visible()
    await shot(page, "inbox-empty")

    await page.get_by_role("link", name="Números", exact=True).click()
    await expect(page.get_by_text("Todavía no hay números")).to_be_visible()
    await shot(page, "devices-empty")
    await page.get_by_role("button", name="Agregar número").click()
    await page.get_by_label("Nombre del número").fill("Ventas")
    await page.get_by_role("button", name="Agregar y conectar").click()
    await expect(page.get_by_alt_text("Código QR para vincular el número")).to_be_visible(timeout=20_000)
    await shot(page, "qr")

    number = await system.phone(network, "Café Luna")
    device = (await api(page, "/api/devices"))["items"][0]
    qr = (await api(page, f"/api/devices/{device['id']}/qr"))["qr"]
    await network.ask("POST", f"/phones/{number}/scan", {"qr": qr})
    await expect(page.get_by_text("¡Ventas está conectado!")).to_be_visible(timeout=30_000)
    await shot(page, "paired")
    await page.get_by_role("button", name="Ir a los chats").click()

    customer = await system.phone(network, "Luis")
    await network.ask("POST", f"/phones/{customer}/messages", {"to": number, "text": "¿Tienen de este? <b>no</b>"})
    row = page.get_by_role("link", name="Luis")
    await expect(row).to_contain_text("¿Tienen de este?", timeout=15_000)
    await expect(row.get_by_label("1 mensaje sin leer")).to_be_visible()
    await row.click()
    await expect(page.get_by_test_id("message")).to_contain_text("<b>no</b>")
    await expect(row.get_by_label("1 mensaje sin leer")).to_be_hidden()

    await page.get_by_role("textbox", name="Escribe un mensaje").fill("Sí, en azul.")
    await page.keyboard.press("Enter")
    mine = page.get_by_test_id("message").filter(has_text="Sí, en azul.")
    await expect(mine).to_have_count(1)
    await expect(mine).to_have_attribute("data-status", "delivered", timeout=15_000)
    inbox = (await network.get(f"/phones/{customer}/inbox?after=0&wait=10"))["items"]
    assert [item["text"] for item in inbox] == ["Sí, en azul."]
    await network.ask("POST", f"/phones/{customer}/receipts", {"id": inbox[0]["id"], "type": "read"})
    await expect(mine.get_by_role("img", name="Leído")).to_be_visible(timeout=15_000)
    await shot(page, "conversation")
    await page.emulate_media(color_scheme="dark")
    await shot(page, "conversation-dark")


async def api(page: Page, path: str) -> dict:
    answer = await page.request.get(path if path.startswith("http") else f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}{path}")
    assert answer.ok, await answer.text()
    return await answer.json()


async def sign_in(page: Page, shop: Shop, email: str, password: str) -> None:
    await page.goto(f"{shop.system.url}/login")
    await page.get_by_label("Correo").fill(email)
    await page.get_by_label("Contraseña").fill(password)
    await page.get_by_role("button", name="Entrar").click()
    await expect(page.get_by_role("heading", name="Chats")).to_be_visible()


@pytest.fixture
async def agent(shop: Shop) -> tuple[str, str]:
    email, password = f"beto-{secrets.token_hex(5)}@example.com", f"un-agente-largo-{secrets.token_hex(3)}"
    await shop.client.post("/api/auth/users", {"email": email, "name": "Beto", "role": "agent", "password": password})
    return email, password


async def test_what_came_while_the_browser_was_away_is_there_when_it_is_back(
    page: Page, context: BrowserContext, shop: Shop, agent: tuple[str, str]
):
    customer = await shop.customer("Marta")
    await shop.writes(customer, "uno")
    await sign_in(page, shop, *agent)
    await page.get_by_role("link", name="Marta").click()
    await expect(page.get_by_test_id("message")).to_have_count(1)
    await context.set_offline(True)
    for text in ("dos", "tres"):
        await shop.writes(customer, text)
    await page.get_by_role("textbox", name="Escribe un mensaje").fill("sin terminar")
    await context.set_offline(False)
    await expect(page.get_by_test_id("message")).to_have_count(3, timeout=90_000)
    await expect(page.get_by_role("textbox", name="Escribe un mensaje")).to_have_value("sin terminar")


async def test_the_panel_works_on_a_phone(page: Page, shop: Shop, agent: tuple[str, str]):
    await page.set_viewport_size({"width": 360, "height": 740})
    customer = await shop.customer(("Un nombre larguísimo que no cabe " * 6)[:60])
    await shop.writes(customer, "hola " * 60)
    await sign_in(page, shop, *agent)
    await shot(page, "phone-list")
    await page.get_by_role("link", name="Un nombre").first.click()
    await expect(page.get_by_role("textbox", name="Escribe un mensaje")).to_be_visible()
    await shot(page, "phone-conversation")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360, "the page scrolls sideways"
    await page.get_by_role("link", name="Volver").click()
    await expect(page.get_by_role("heading", name="Chats")).to_be_visible()
    await page.get_by_role("link", name="Números").click()
    await expect(page.get_by_role("article", name="Ventas")).to_contain_text("Conectado")
    await shot(page, "phone-devices")


@pytest.mark.parametrize(("locale", "word"), [("es-AR", "Entrar"), ("pt-BR", "Entrar"), ("en-GB", "Sign in"), ("de-DE", "Entrar")])
async def test_the_panel_speaks_the_browsers_language_or_spanish(context: BrowserContext, system: System, locale: str, word: str):
    browser = context.browser
    assert browser
    other = await browser.new_context(locale=locale)
    page = await other.new_page()
    await page.goto(f"{system.url}/login")
    await expect(page.get_by_role("heading", name=word)).to_be_visible()
    spoken = "es" if locale.startswith("de") else locale[:2]
    await expect(page.locator("html")).to_have_attribute("lang", re.compile(f"^{spoken}"))
    await other.close()


async def test_a_wrong_password_is_told_in_the_users_words(page: Page, system: System):
    await page.goto(f"{system.url}/login")
    await page.get_by_label("Correo").fill("nadie@example.com")
    await page.get_by_label("Contraseña").fill("no-es-esta-contraseña")
    await page.get_by_role("button", name="Entrar").click()
    await expect(page.get_by_role("alert")).to_contain_text("El correo o la contraseña no son correctos.")

"""What is around the pages: the first steps, a session that ends, the palette and the keys."""

import re
import secrets

import pytest
from clarin.client import Client
from clarin.testing import Shop, System
from playwright.async_api import BrowserContext, Page, expect
from sim.testing import Api as Network

from .test_panel import api, register, shot

pytestmark = pytest.mark.timeout(300)
expect.set_options(timeout=30_000)

PASSWORD = "un-caballo-muy-correcto"


async def enter(context: BrowserContext, system: System, client: Client, *, role: str = "admin") -> str:
    """The browser is signed in as a new person of the client's account; their address."""
    email = f"eva-{secrets.token_hex(5)}@example.com"
    await client.post("/api/auth/users", {"email": email, "name": "Eva Ríos", "role": role, "password": PASSWORD})
    body = {"email": email, "password": PASSWORD, "session": "cookie"}
    answer = await context.request.post(f"{system.url}/api/auth/login", data=body)
    assert answer.ok
    return email


async def test_the_first_steps_lead_from_nothing_to_the_first_answer(page: Page, system: System, network: Network):
    await register(page, system)
    await expect(page.get_by_role("heading", name="Chats")).to_be_visible()
    await page.get_by_role("link", name="Empezar").click()
    await expect(page.get_by_role("heading", name="Primeros pasos")).to_be_visible()
    steps = page.locator("[data-step]")
    await expect(page.locator("[data-done]")).to_have_count(0)

    await page.get_by_role("button", name="Agregar número").click()
    await page.get_by_label("Nombre del número").fill("Ventas")
    await page.get_by_role("button", name="Agregar y conectar").click()
    await expect(page.get_by_alt_text("Código QR para vincular el número")).to_be_visible()
    await expect(page.get_by_text(re.compile(r"Se renueva en \d+ s"))).to_be_visible()
    number = await system.phone(network, "Café Luna")
    [device] = (await api(page, "/api/devices"))["items"]
    qr = (await api(page, f"/api/devices/{device['id']}/qr"))["qr"]
    await network.ask("POST", f"/phones/{number}/scan", {"qr": qr})
    await expect(page.get_by_text("¡Ventas está conectado!")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(steps.nth(0)).to_have_attribute("data-done", "true")

    await steps.nth(2).get_by_role("button", name="Abrir").click()
    await steps.nth(2).get_by_role("button", name="Activar la bienvenida").click()
    await expect(steps.nth(2)).to_have_attribute("data-done", "true")
    await steps.nth(3).get_by_role("button", name="Abrir").click()
    await steps.nth(3).get_by_role("button", name="Guardar el horario").click()
    await expect(steps.nth(3)).to_have_attribute("data-done", "true")
    await shot(page, "first-steps")

    customer = await system.phone(network, "Marta")
    await network.write(customer, number, "¿Tienen café?")
    await page.get_by_role("link", name="Chats").click()
    await page.get_by_role("link", name="Marta").click()
    await page.get_by_role("textbox", name="Escribe un mensaje").fill("¡Claro que sí!")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Empezar").click()
    await expect(steps.nth(4)).to_have_attribute("data-done", "true")
    await expect(page.get_by_text("4 de 5").first).to_be_visible()
    await page.get_by_role("button", name="No mostrar más").click()
    await expect(page.get_by_role("link", name="Empezar")).to_be_hidden()


async def test_a_session_that_ends_in_the_middle_of_a_sentence_loses_no_word(page: Page, context: BrowserContext, shop: Shop):
    customer = await shop.customer("Marta")
    await shop.writes(customer, "¿Tienen café?")
    await enter(context, shop.system, shop.client)
    await page.goto(f"{shop.system.url}/inbox")
    await page.get_by_role("link", name="Marta").click()
    field = page.get_by_role("textbox", name="Escribe un mensaje")
    await field.fill("Sí, de Chiapas")
    await context.clear_cookies()
    await field.press("Enter")
    dialog = page.get_by_role("dialog", name="Tu sesión terminó")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Contraseña de").fill("no-es-esta-contraseña")
    await dialog.get_by_role("button", name="Seguir").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("no son correctos")
    await dialog.get_by_label("Contraseña de").fill(PASSWORD)
    await dialog.get_by_role("button", name="Seguir").click()
    await expect(dialog).to_be_hidden()
    [got] = await shop.inbox(customer, 1)
    assert got["text"] == "Sí, de Chiapas"


async def test_whoever_types_a_few_letters_gets_anywhere(page: Page, context: BrowserContext, shop: Shop):
    customer = await shop.customer("Marta Gómez")
    await shop.writes(customer, "¿Tienen café?")
    await enter(context, shop.system, shop.client)
    await page.goto(f"{shop.system.url}/settings/account")
    await expect(page.get_by_role("heading", name="La cuenta")).to_be_visible()
    await page.locator("body").press("?")
    await expect(page.get_by_role("dialog", name="Atajos de teclado")).to_contain_text("Ir al embudo")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Atajos de teclado")).to_be_hidden()
    await page.locator("body").press("g")
    await page.locator("body").press("b")
    await expect(page).to_have_url(re.compile("/board$"))

    await expect(page).to_have_title("(1) Clarin")
    await page.keyboard.press("Control+k")
    await page.get_by_placeholder("Busca una página").fill("automat")
    await page.keyboard.press("Escape")
    await expect(page.get_by_placeholder("Busca una página")).to_be_hidden()
    await page.keyboard.press("Control+k")
    await page.get_by_placeholder("Busca una página").fill("marta")
    await page.get_by_role("group", name="Chats").get_by_role("button", name="Marta Gómez").click()
    await expect(page).to_have_url(re.compile("/inbox/cht_"))
    await expect(page.get_by_text("¿Tienen café?").first).to_be_visible()

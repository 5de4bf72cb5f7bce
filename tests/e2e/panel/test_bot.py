"""The bot's page: set up, tried in a dry run, saved, and heard on a virtual phone; and the dashboard that counts it."""

import re
import secrets

import pytest
from clarin.testing import Shop
from playwright.async_api import Page, expect

pytestmark = pytest.mark.timeout(180)


async def sign_in(page: Page, shop: Shop) -> None:
    """Somebody who administers the account is signed in."""
    email, password = f"admin-{secrets.token_hex(6)}@example.com", "una-frase-bastante-larga-9"
    body = {"email": email, "name": "Eva", "role": "admin", "password": password}
    await shop.client.post("/api/auth/users", body, key=email)
    await page.goto(f"{shop.system.url}/login")
    await page.get_by_label("Correo").fill(email)
    await page.get_by_label("Contraseña").fill(password)
    await page.get_by_role("button", name="Entrar").click()
    await page.wait_for_url("**/inbox")


async def test_a_bot_is_set_up_tried_saved_and_heard_and_the_dashboard_counts_it(shop: Shop, page: Page):
    await sign_in(page, shop)
    await page.goto(f"{shop.system.url}/settings/bot")
    await page.get_by_label("El bot está apagado").check()
    welcome = page.get_by_role("region", name="Bienvenida")
    await welcome.get_by_label("Bienvenida: Decirlo").check()
    await welcome.get_by_label("Bienvenida: Texto").fill("¡Hola {{contact.first_name}}!")
    await page.get_by_role("button", name="Añadir regla").click()
    rules = page.get_by_role("region", name="Palabras clave")
    await rules.get_by_label("Frases").first.fill("precio")
    await rules.get_by_label("Frases").first.press("Enter")
    await rules.get_by_label("Respuesta").fill("Cuesta 10.")
    tried = page.get_by_test_id("rehearsal")
    await page.get_by_label("Mensaje del cliente").fill("¿qué PRECIO tiene?")
    await page.get_by_label("Mensaje del cliente").press("Enter")
    await expect(tried).to_contain_text("Cuesta 10.", timeout=20_000)
    await expect(tried).to_contain_text("Palabra clave")
    save = page.get_by_role("button", name="Guardar")
    await save.click()
    await expect(save).to_be_disabled(timeout=20_000)
    await page.reload()
    await expect(page.get_by_label("El bot está activo")).to_be_checked(timeout=30_000)
    customer = await shop.customer("Luis Pérez")
    await shop.writes(customer, "precio")
    heard = await shop.inbox(customer, 1, 30)
    assert heard[0]["text"] == "Cuesta 10."
    await page.get_by_role("link", name="Panel").click()
    await expect(page.get_by_role("article", name="Recibidos").get_by_test_id("figure")).to_have_text("1", timeout=40_000)
    await expect(page.get_by_role("article", name="Enviados").get_by_test_id("figure")).to_have_text("1", timeout=40_000)
    await page.get_by_text("7 días").click()
    await expect(page.get_by_role("heading", name="Mensajes por día")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"/dashboard\?span=week$"))

    # Days of one's own: what makes no sense is said with what to do; the others stand in the address, and the tables hold them.
    await page.get_by_text("Otro", exact=True).click()
    first, last = page.get_by_label("Desde"), page.get_by_label("Hasta")
    today = await last.input_value()
    await last.fill("2020-01-01")
    await page.get_by_role("button", name="Mostrar").click()
    await expect(page.get_by_role("alert")).to_contain_text("elige un «Hasta» que no sea anterior a «Desde»")
    await expect(first).to_be_focused()
    await first.fill(today)
    await last.fill(today)
    await last.press("Enter")
    await expect(page).to_have_url(re.compile(rf"/dashboard\?first={today}&last={today}$"))
    await page.reload()
    await expect(page.get_by_role("heading", name="Mensajes por hora")).to_be_visible(timeout=20_000)
    await expect(page.get_by_role("article", name="Recibidos").get_by_test_id("figure")).to_have_text("1")
    table = await page.get_by_role("link", name="CSV: Por número").get_attribute("href")
    assert table
    assert table.endswith(f"first={today}&last={today}")

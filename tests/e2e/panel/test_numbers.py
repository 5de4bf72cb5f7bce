"""A number in the panel: why it stands where it stands, what waits to be sent, how fast it sends, what is set of it."""

import re
import secrets

import pytest
from clarin.client import eventually
from clarin.testing import Shop
from playwright.async_api import Page, expect

from .entrance import enter
from .pictures import shot

pytestmark = pytest.mark.timeout(180)


async def test_an_admin_sees_why_a_message_waits_takes_it_out_and_sets_the_number_up(page: Page, shop: Shop):
    email, password = f"eva-{secrets.token_hex(5)}@example.com", f"una-jefa-larga-{secrets.token_hex(3)}"
    await shop.client.post("/api/auth/users", {"email": email, "name": "Eva", "role": "admin", "password": password})
    await shop.client.ask("PATCH", f"/api/devices/{shop.device}/settings", {"pace": {"new_contacts_per_day": 0}})
    stranger = await shop.customer("Luis")
    sent = await shop.client.post("/api/messages/send", {"device_id": shop.device, "to": stranger, "text": "¡Oferta!"}, key="offer")

    async def told() -> bool:
        [message] = (await shop.client.get(f"/api/chats/{sent['chat_id']}/messages"))["items"]
        return (message["status"], message["reason"]) == ("queued", "new-contacts")

    await eventually(told, 20, "the message does not say why it waits")

    await page.goto(f"{shop.system.url}/login")
    await page.get_by_label("Correo").fill(email)
    await page.get_by_label("Contraseña").fill(password)
    await page.get_by_role("button", name="Entrar").click()
    await page.get_by_role("link", name="Números").click()
    card = page.get_by_role("article", name="Ventas")
    await expect(card).to_contain_text("Conectado")
    await card.get_by_role("button", name="Detalles de Ventas").focus()
    await page.keyboard.press("Enter")
    details = page.get_by_role("dialog", name="Ventas")
    await expect(details.get_by_text("1 espera: ya se escribió hoy a los contactos nuevos permitidos")).to_be_visible()
    await expect(details.get_by_text("Calentamiento: día 1 de 10")).to_be_visible()
    await shot(page, "number-pace")

    await details.get_by_role("tab", name="Ritmo").press("ArrowRight")
    await expect(details.get_by_role("status")).to_have_text("Espera 1 mensaje")
    await shot(page, "number-sends")
    await details.get_by_role("button", name=re.compile("Cancelar el mensaje a")).click()
    await expect(details.get_by_role("status")).to_have_text("Esperan 0 mensajes")
    [message] = (await shop.client.get(f"/api/chats/{sent['chat_id']}/messages"))["items"]
    assert message["status"] in {"failed", "queued"}

    await details.get_by_role("tab", name="Historial").click()
    await expect(details.get_by_text("Espera que escaneen el código QR.")).to_be_visible()
    await shot(page, "number-history")

    await details.get_by_role("tab", name="Ajustes").click()
    await details.get_by_label("Etiquetas").fill("norte")
    await page.keyboard.press("Enter")
    await details.get_by_label("Proxy").fill("ftp://nada:1")
    await details.get_by_role("button", name="Guardar").click()
    await expect(page.get_by_text("La dirección del proxy no es válida.")).to_be_visible()
    await details.get_by_label("Proxy").fill("")
    await details.get_by_role("button", name="Guardar").click()
    await expect(details.get_by_role("button", name="Guardar")).to_be_disabled()
    await shot(page, "number-settings")

    await details.get_by_role("tab", name="Ritmo").click()
    await details.get_by_role("button", name="Pausar una hora").click()
    await expect(details.get_by_text("Envíos en pausa hasta")).to_be_visible()
    await details.get_by_role("button", name="Reanudar ahora").click()
    await expect(details.get_by_text("Envíos en pausa hasta")).to_be_hidden()
    await details.get_by_label("Contactos nuevos por día").fill("5")
    await details.get_by_role("button", name="Guardar").click()
    await expect(details.get_by_text("0 / 5")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(details).to_be_hidden()
    await expect(card).to_contain_text("norte")
    await shot(page, "number-card")

    await page.set_viewport_size({"width": 360, "height": 740})
    await card.get_by_role("button", name="Detalles de Ventas").click()
    await expect(details.get_by_text("Contactos nuevos hoy")).to_be_visible()
    await shot(page, "phone-number")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360, "the page scrolls sideways"


async def test_of_many_numbers_one_is_found(page: Page, shop: Shop):
    """Seventy of them: only those near the eye are drawn, and who looks for one finds it."""
    for number in range(70):
        await shop.client.post("/api/devices", {"name": f"Sucursal {number}"}, key=f"device-{number}")
    await enter(page.context, shop.system, shop.client)
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.goto(f"{shop.system.url}/devices")
    cards = page.get_by_role("article")
    await expect(cards.first).to_be_visible()
    assert 6 <= await cards.count() < 70
    await shot(page, "numbers-many")
    await page.mouse.move(640, 600)
    await page.mouse.wheel(0, 50_000)
    await expect(page.get_by_role("article", name="Sucursal 69", exact=True)).to_be_visible()
    await expect(page.get_by_role("article", name="Ventas")).to_have_count(0)

    sought = page.get_by_role("searchbox", name="Buscar por nombre, número o etiqueta")
    await sought.fill("sucursal 17")
    await expect(cards).to_have_count(1)
    await expect(cards).to_contain_text("Sucursal 17")
    await sought.fill("sucursal 99")
    await expect(page.get_by_text("Nada coincide con lo que buscas.")).to_be_visible()
    await sought.fill("")
    await page.get_by_role("combobox", name="Cómo están").click()
    await page.get_by_role("option", name="Conectados (1)").click()
    await expect(cards).to_have_count(1)
    await expect(cards).to_contain_text("Ventas")
    await page.set_viewport_size({"width": 360, "height": 740})
    await shot(page, "numbers-phone")

    await page.goto(f"{shop.system.url}/inbox")
    await page.get_by_role("button", name="Nuevo chat").click()
    chosen = page.get_by_role("dialog").get_by_role("combobox", name="Desde el número")
    await chosen.click()
    await expect(page.get_by_role("option", name="y 11 más: escribe para encontrarlos")).to_be_visible()
    await shot(page, "numbers-chosen")
    await chosen.fill("SUCURSÁL 68")
    await page.get_by_role("option", name="Sucursal 68").click()
    await expect(chosen).to_have_value(re.compile("^Sucursal 68"))

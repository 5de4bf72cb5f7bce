"""Privacy in a real browser: an owner shortens what is kept, takes a contact's data out and erases it, and reads the receipt."""

import re
import secrets

import pytest
from clarin.testing import Shop
from playwright.async_api import Page, expect

from .entrance import enter
from .pictures import shot

pytestmark = pytest.mark.timeout(180)


async def test_an_admin_gives_a_person_their_data_and_erases_them(page: Page, shop: Shop):
    url = shop.system.url
    await enter(page.context, shop.system, shop.client)
    word = secrets.token_hex(4)
    customer = await shop.customer(f"Rosa {word}")
    async with shop.client.socket() as socket:
        await shop.writes(customer, "hola")
        arrived = await socket.event("new_message", text="hola")
    await page.goto(f"{url}/contacts?contact={arrived['contact_id']}")
    drawer = page.get_by_role("dialog", name="Contacto")
    await drawer.get_by_role("button", name="Exportar sus datos").click()
    await expect(drawer.get_by_role("link", name="Descargar")).to_be_visible()
    async with page.expect_download() as download:
        await drawer.get_by_role("link", name="Descargar").click()
    assert (await download.value).suggested_filename.endswith(".zip")
    await drawer.get_by_role("button", name="Borrar a esta persona").click()
    sure = page.get_by_role("dialog", name=re.compile("¿Borrar a"))
    await expect(sure.get_by_role("button", name="Borrar a esta persona")).to_be_disabled()
    await sure.get_by_label("Entiendo que no se puede deshacer").check()
    await shot(page, "privacy-erase")
    await sure.get_by_role("button", name="Borrar a esta persona").click()
    await expect(sure).to_be_hidden()
    await page.goto(f"{url}/settings/privacy")
    receipt = page.get_by_role("region", name="Personas borradas").get_by_role("article").first
    await expect(receipt.get_by_text("Completo", exact=True)).to_be_visible(timeout=40_000)
    await page.get_by_label("Borrar los archivos antiguos").check()
    await page.get_by_role("button", name="Guardar").click()
    await page.get_by_role("button", name="Borrar lo antiguo").click()
    await expect(page.get_by_label("Borrar los archivos antiguos · días")).to_have_value("365 días")
    await shot(page, "privacy")
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 390, "height": 844})
    await shot(page, "privacy-phone-dark")
    overflow = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not overflow
    kept = await shop.client.get("/api/privacy/retention")
    assert (kept["message_days"], kept["media_days"]) == (None, 365)

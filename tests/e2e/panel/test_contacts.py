"""Contacts in the panel: a list comes in, a person is looked at, two become one, one is blocked."""

import asyncio
import re
from pathlib import Path

import pytest
from clarin.testing import Shop
from playwright.async_api import Page, expect

from .entrance import enter
from .pictures import shot

pytestmark = pytest.mark.timeout(180)

LIST = """Nombre;Celular;Correo;Etiquetas
Ana Paz;+52 55 1234 5678;ana@example.com;VIP
Ana Paz Ríos;+52 55 8765 4321;ana@example.com;
Luis;55 1111 2222;;Mayorista
Nadie;;;
"""


async def test_a_list_comes_in_two_are_made_one_and_one_is_blocked(page: Page, shop: Shop):
    await enter(page.context, shop.system, shop.client)
    await page.goto(f"{shop.system.url}/contacts")
    await expect(page.get_by_role("heading", name="Aquí estarán tus contactos")).to_be_visible()
    await shot(page, "contacts-empty")

    await page.get_by_role("button", name="Importar").first.click()
    wizard = page.get_by_role("dialog", name="Importar")
    async with page.expect_file_chooser() as choosing:
        await wizard.get_by_label("Archivo", exact=True).last.click()
    chooser = await choosing.value
    await chooser.set_files({"name": "clientes.csv", "mimeType": "text/csv", "buffer": LIST.encode("latin-1")})
    await wizard.get_by_role("button", name="Continuar").click()
    await expect(wizard.get_by_role("combobox", name="Qué es Celular")).to_have_value("Teléfono")
    country = wizard.get_by_role("combobox", name="País de los teléfonos")
    await country.fill("México")
    await page.get_by_role("option", name="México").click()
    await shot(page, "contacts-import-columns")
    await wizard.get_by_role("button", name="Probar").click()
    await expect(wizard.get_by_text("Sin teléfono")).to_be_visible(timeout=60_000)
    await shot(page, "contacts-import-check")
    await wizard.get_by_role("button", name="Importar 3").click()
    await expect(wizard.get_by_text("Tus contactos están aquí.")).to_be_visible(timeout=60_000)
    async with page.expect_download() as downloading:
        await wizard.get_by_role("link", name="Filas rechazadas").click()
    download = await downloading.value
    refused = Path(await download.path())
    assert "phone-missing" in await asyncio.to_thread(refused.read_text)
    await shot(page, "contacts-import-result")
    await wizard.get_by_role("button", name="Listo").click()

    grid = page.get_by_role("grid", name="Contactos")
    await expect(grid.get_by_role("row")).to_have_count(4)
    await shot(page, "contacts-table")
    first = grid.get_by_role("row", name=re.compile("Luis"))
    await first.focus()
    await page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="Contacto")
    await expect(drawer.get_by_text("+52 551 1112222").or_(drawer.get_by_role("heading", name="Luis"))).to_be_visible()
    await drawer.get_by_role("button", name="Bloquear").click()
    await page.get_by_role("dialog", name="¿Bloquear a Luis?").get_by_role("button", name="Bloquear").click()
    await expect(drawer.get_by_text("No se le puede escribir")).to_be_visible()
    await shot(page, "contacts-drawer-blocked")
    await drawer.get_by_role("button", name="Cerrar").click()

    await grid.get_by_role("row", name=re.compile("Ana Paz Ríos")).click()
    await expect(drawer.get_by_text("1 contacto puede ser la misma persona.")).to_be_visible()
    await drawer.get_by_role("button", name="Unir").click()
    merging = page.get_by_role("dialog", name="Unir")
    await merging.get_by_role("combobox", name="Con quién").click()
    await page.get_by_role("option", name=re.compile("Ana Paz")).click()
    await expect(merging.get_by_text("Unir no se puede deshacer.")).to_be_visible()
    await shot(page, "contacts-merge")
    await merging.get_by_role("button", name="Unir en uno").click()
    await expect(merging).to_be_hidden()
    await drawer.get_by_role("button", name="Cerrar").click()
    await expect(grid.get_by_role("row")).to_have_count(3)

    await page.get_by_role("searchbox", name="Buscar por nombre, teléfono o correo").fill("zzz")
    await expect(page.get_by_role("heading", name="Nadie coincide")).to_be_visible()

"""What is around the pages: first steps, a session that ends, the palette and keys, two tabs, no network, three languages, a phone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from clarin.client import Client, eventually
from clarin.testing import Shop, System
from playwright.async_api import BrowserContext, Page, Route, expect
from sim.testing import Api as Network

from .entrance import PASSWORD, enter
from .pictures import shot
from .test_pages import GO
from .test_panel import api, register

LOCALES = Path(__file__).parents[3] / "web" / "src" / "locales"

pytestmark = pytest.mark.timeout(300)
expect.set_options(timeout=30_000)


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

    # A server that fails says so, with what support asks for, and may be asked again.
    async def failed(route: Route) -> None:
        problem = {"title": "Oops", "status": 500, "code": "internal", "request_id": "req-de-prueba"}
        await route.fulfill(status=500, content_type="application/problem+json", body=json.dumps(problem))

    await page.route("**/api/dashboard*", failed)
    await page.get_by_role("link", name="Panel", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("Referencia: req-de-prueba")
    await page.unroute("**/api/dashboard*")
    await page.get_by_role("button", name="Reintentar").click()
    await expect(page.get_by_role("region", name="Mensajes por hora")).to_be_visible()


async def test_what_is_unread_stands_in_the_title_and_a_chat_that_is_read_stays_quiet_in_every_tab(
    page: Page, context: BrowserContext, shop: Shop
):
    marta, luis = await shop.customer("Marta"), await shop.customer("Luis")
    await shop.writes(marta, "uno")
    await enter(context, shop.system, shop.client)
    other = await context.new_page()
    await other.goto(f"{shop.system.url}/settings/notices")
    await other.get_by_label("De todos los chats que veo").check()
    await expect(other.get_by_label("En vivo")).to_be_visible()
    await page.bring_to_front()
    await page.goto(f"{shop.system.url}/inbox")
    await page.get_by_role("link", name="Marta").click()
    await expect(page.get_by_text("uno").last).to_be_visible()
    await expect(page).to_have_title("Clarin")
    await expect(page.get_by_label("En vivo")).to_be_visible()

    async def held(prefix: str) -> list[str]:
        locks = await other.evaluate("navigator.locks.query().then(({held}) => held.map(({name}) => name))")
        return [name.removeprefix(prefix) for name in locks if name.startswith(prefix)]

    async def read() -> bool:
        return await held("clarin.looking.") == [page.url.rpartition("/")[2]]

    async def told() -> bool:
        return len(await held("clarin.told.")) == 1

    await eventually(read, 30, "no tab knows of the chat that is read")
    await shop.writes(luis, "hola")
    await eventually(told, 30, "no tab tells of what came in")
    for tab in (page, other):
        await expect(tab).to_have_title(re.compile(r"^\(1\) Clarin$"))
        await expect(tab.locator("link[rel=icon]")).to_have_attribute("href", "/icon-unread.svg")
    await page.get_by_role("link", name="Luis").click()
    await expect(page).to_have_title("Clarin")


async def test_without_a_network_at_the_start_a_page_says_so_and_comes_back_by_itself(page: Page, context: BrowserContext, system: System):
    await page.goto(f"{system.url}/login")
    await expect(page.get_by_role("heading", name="Entrar")).to_be_visible()

    async def kept() -> Any:
        return await page.evaluate("navigator.serviceWorker.getRegistration().then((found) => found?.active?.state === 'activated')")

    await eventually(kept, 30, "nothing is kept for a start without a network")
    manifest = await (await context.request.get(f"{system.url}/manifest.webmanifest")).json()
    assert {icon["sizes"] for icon in manifest["icons"]} >= {"192x192", "512x512"}
    for icon in manifest["icons"]:
        assert (await context.request.get(system.url + icon["src"])).ok
    await context.set_offline(True)
    await page.reload()
    await expect(page.get_by_role("heading", name="Sin conexión")).to_be_visible()
    await context.set_offline(False)
    await expect(page.get_by_role("heading", name="Entrar")).to_be_visible()


def keys(words: dict[str, Any], path: str = "") -> set[str]:
    """Every key of a language's texts."""
    return {
        found for key, value in words.items() for found in (keys(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}"})
    }


async def test_every_page_speaks_one_language(context: BrowserContext, system: System, owner: Client):
    assert context.browser
    pages = {"/settings/hours": "hours", "/settings/privacy": "privacy", "/board/rules": "rules", "/dashboard": "dashboard"}
    for locale in ("es-MX", "pt-BR", "en-GB"):
        words = json.loads((LOCALES / f"{locale[:2]}.json").read_text())
        own = await context.browser.new_context(locale=locale, viewport={"width": 390, "height": 780})
        await enter(own, system, owner)
        page = await own.new_page()
        await page.goto(f"{system.url}/inbox")
        await expect(page.get_by_role("heading", name=words["inbox"]["title"])).to_be_visible()
        for path, section in pages.items():
            await page.evaluate(GO, path)
            await expect(page.get_by_role("heading", name=words[section]["title"], exact=True).first).to_be_visible()
            # A key that has no words shows as the key.
            said = set(re.findall(r"\w+(?:\.\w+)+", await page.locator("#content").inner_text()))
            assert not said & keys(words)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, f"{path} scrolls sideways in {locale}"
        await own.close()


async def test_hours_a_reply_and_a_rule_are_set_up_on_a_phone(page: Page, context: BrowserContext, system: System, owner: Client):
    await page.set_viewport_size({"width": 360, "height": 740})
    await enter(context, system, owner)
    await page.goto(f"{system.url}/inbox")
    await page.get_by_role("button", name="Más").click()
    await page.get_by_role("link", name="Ajustes").click()
    await page.get_by_role("tab", name="Horarios").click()
    await page.get_by_role("button", name="Agregar horario").click()
    dialog = page.get_by_role("dialog", name="Agregar horario")
    await dialog.get_by_label("Nombre").fill("Sucursal")
    await dialog.get_by_role("checkbox", name="Sábado").check()
    await dialog.get_by_role("button", name="Agregar un día").click()
    await dialog.get_by_label("Fecha").fill("2030-12-25")
    await dialog.get_by_label("Qué se celebra").fill("Navidad")
    await dialog.get_by_role("button", name="Guardar").click()
    await expect(page.get_by_role("article", name="Sucursal")).to_contain_text("1 día especial")
    [hours] = (await owner.get("/api/hours"))["items"]
    assert (hours["everywhere"], len(hours["weekly"]), hours["holidays"][0]["name"]) == (True, 6, "Navidad")

    await page.evaluate(GO, "/settings/replies")
    await page.get_by_role("button", name="Agregar respuesta").click()
    await page.get_by_label("Atajo").fill("Precios 1")
    await page.get_by_role("textbox", name="Texto").fill("Hola ")
    await page.get_by_role("button", name="Nombre de pila").click()
    await page.get_by_role("button", name="Guardar").click()
    await expect(page.get_by_role("article", name="precios1")).to_contain_text("Hola {{contact.first_name}}")

    await page.evaluate(GO, "/board/rules")
    await page.get_by_role("button", name="Agregar regla").click()
    await page.get_by_label("Nombre").fill("Primera vez")
    await page.get_by_role("button", name="Guardar").click()
    rule = page.get_by_role("article", name="Primera vez")
    await expect(rule).to_contain_text("alguien escribe por primera vez")
    await rule.get_by_role("switch").click()
    await expect(rule).to_contain_text("Apagada")
    [kept] = (await owner.get("/api/automations"))["items"]
    assert (kept["enabled"], kept["trigger"]["on"]) == (False, "first_message")
    await shot(page, "phone-rules")
